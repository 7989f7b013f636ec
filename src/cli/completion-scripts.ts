/**
 * What each shell has to be told once. All knowledge stays in the program: the scripts hand it the words up to the cursor
 * (`localizer __complete WORD...`) and take a line for each candidate, `WORD<tab>what it means`; the line `:files` stands for
 * the names of files.
 */

/** The hidden word by which the scripts call the program. */
export const completeWord = "__complete";

/** The line that asks the shell to complete names of files. */
export const filesLine = ":files";

// `compopt` is missing in bash 3.2, which macOS ships; it then completes no files.
const bash = `# bash completion for localizer: source <(localizer completion bash)
_localizer() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = "${filesLine}" ]; then
      compopt -o default 2>/dev/null
    else
      COMPREPLY+=("\${line%%$'\\t'*}")
    fi
  done < <("\${COMP_WORDS[0]}" ${completeWord} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _localizer localizer
`;

const zsh = `#compdef localizer
# zsh completion for localizer: source <(localizer completion zsh)
_localizer() {
  local line
  local -a candidates
  for line in "\${(@f)$("\${words[1]}" ${completeWord} "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ "$line" == "${filesLine}" ]]; then
      compset -P '--*='
      _files
      return
    fi
    [[ -n "$line" ]] && candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  _describe -V localizer candidates
}
if [[ "\${funcstack[1]}" == "_localizer" ]]; then
  _localizer "$@"
else
  compdef _localizer localizer
fi
`;

const fish = `# fish completion for localizer: localizer completion fish | source
function __localizer_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines ($words[1] ${completeWord} $words[2..] 2>/dev/null)
    if contains -- ${filesLine} $lines
        __fish_complete_path (commandline -ct)
    else
        string join \\n -- $lines
    end
end
complete -c localizer -f -a '(__localizer_complete)'
`;

/** By the shell's name. */
export const completionScripts: Readonly<Record<string, string>> = { bash, zsh, fish };
