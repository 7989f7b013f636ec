/** `localizer completion SHELL`: prints the script that lets a shell complete words of localizer. */
import { LocalizerError } from "../../errors.ts";
import type { Command } from "../command.ts";
import { completionScripts } from "../completion-scripts.ts";

const shells = Object.keys(completionScripts);

/** Prints it to stdout; nothing is installed. */
export const completion: Command = {
  name: "completion",
  operands: shells.join("|"),
  maxOperands: 1,
  summary: "print a script that completes commands, flags and Services in a shell",
  details:
    "bash:  source <(localizer completion bash)        in ~/.bashrc\nzsh:   source <(localizer completion zsh)         in ~/.zshrc, after compinit\nfish:  localizer completion fish | source         in ~/.config/fish/config.fish",
  flags: {},
  words: shells,
  async run({ io, operands: [shell] }) {
    const wanted = `want ${shells.slice(0, -1).join(", ")} or ${shells.at(-1)}`;
    if (shell === undefined) throw new LocalizerError("usage", `Cannot print a completion without a shell: ${wanted}`);
    const script = Object.hasOwn(completionScripts, shell) ? completionScripts[shell] : undefined;
    if (script === undefined) throw new LocalizerError("usage", `Cannot complete in "${shell}": ${wanted}`);
    io.stdout(script);
    return 0;
  },
};
