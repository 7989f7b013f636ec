/**
 * Variables of a workload that would govern this machine instead of the program: they say where things are here, or have a loader, a
 * runtime, a shell or a tool run code. Whoever may edit the Deployment writes them; on a laptop that must not be enough to run
 * anything. A list can only hold what is known. Pure.
 */

/** They say where things are on a machine, and the workload's are elsewhere. */
const places = words(`
  PATH HOME PWD OLDPWD SHELL TMPDIR TMP TEMP USER LOGNAME TERM TERMINFO TERMCAP DISPLAY XAUTHORITY MAIL VIRTUAL_ENV`);

/** Of shells (bash(1), sh(1), zsh(1)); glibc's own list for programs with more rights (sysdeps/generic/unsecvars.h); runtimes; tools. */
const governing = words(`
  BASH_ENV ENV BASHOPTS SHELLOPTS PROMPT_COMMAND PS0 PS1 PS2 PS4 IFS CDPATH GLOBIGNORE ZDOTDIR FPATH INPUTRC
  GCONV_PATH GETCONF_DIR GLIBC_TUNABLES HOSTALIASES LOCALDOMAIN LOCPATH MALLOC_TRACE NLSPATH RESOLV_HOST_CONF RES_OPTIONS TZDIR
  CLASSPATH MAVEN_OPTS MAVEN_ARGS GRADLE_OPTS GRADLE_USER_HOME SBT_OPTS CATALINA_OPTS ANT_OPTS ANT_ARGS JRUBY_OPTS PERLLIB
  MIX_EXS MIX_HOME MIX_ARCHIVES MIX_PATH
  PHPRC PHP_INI_SCAN_DIR ELIXIR_ERL_OPTIONS ASPNETCORE_HOSTINGSTARTUPASSEMBLIES
  GOFLAGS GOENV GOROOT GOPATH GOBIN GOTOOLCHAIN GOPROXY GOSUMDB GONOSUMDB GONOSUMCHECK GOINSECURE GOPRIVATE GOVCS GOWORK GOMODCACHE GOTOOLDIR
  CC CXX LD AR GCC_EXEC_PREFIX COMPILER_PATH RUSTC RUSTDOC RUSTFLAGS RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER MAKEFLAGS MAKEFILES
  EDITOR VISUAL PAGER MANPAGER BROWSER LESSOPEN LESSCLOSE VIMINIT EXINIT FZF_DEFAULT_OPTS FZF_DEFAULT_OPTS_FILE SVN_SSH
  KUBECONFIG GNUPGHOME NETRC CURL_HOME
  SSL_CERT_FILE SSL_CERT_DIR COMSPEC PATHEXT PSMODULEPATH SYSTEMROOT WINDIR USERPROFILE APPDATA LOCALAPPDATA`);

const prefixes = list(`
  LD_ DYLD_ BASH_FUNC_ NODE_ NPM_ YARN_ PNPM_ COREPACK_ BUN_ DENO_ TS_NODE_ TSX_ PYTHON PIP_ UV_ POETRY_ CONDA_ PERL5 PERL_ RUBY GEM_
  BUNDLE_ BUNDLER_ JAVA_ _JAVA_ JDK_ DOTNET_ COMPLUS_ CORECLR_ COR_ LUA_ ERL_ R_ CGO_ CARGO_ RUSTUP_ GIT_ SSH_ SUDO_ DOCKER_ OPENSSL_ XDG_
  DBUS_ QT_ GTK_ GIO_`);

/** The value is a command: AWS_PAGER, KUBE_EDITOR, RSYNC_RSH, FZF_DEFAULT_COMMAND, RESTIC_PASSWORD_COMMAND, … */
const suffixes = list("_PAGER _EDITOR _RSH _COMMAND _ASKPASS");

/** They begin like one of those and say nothing that is run; most workloads have one of them. */
const harmless = words(`
  NODE_ENV PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE PYTHONIOENCODING PYTHONUTF8 PYTHONHASHSEED PYTHONFAULTHANDLER DOTNET_ENVIRONMENT
  DOTNET_RUNNING_IN_CONTAINER`);

/** Says whether it names a place on the machine: `PATH`, `HOME`, … Case counts for nothing, as on Windows and for npm. */
export function isPlace(name: string): boolean {
  return places.has(name.toUpperCase());
}

/** Says whether it can have something run that nobody here has asked for: `NODE_OPTIONS`, `LD_PRELOAD`, `BASH_ENV`, … As `isPlace`. */
export function isGoverning(name: string): boolean {
  const upper = name.toUpperCase();
  if (harmless.has(upper)) return false;
  if (governing.has(upper) || prefixes.some((prefix) => upper.startsWith(prefix))) return true;
  return suffixes.some((suffix) => upper.endsWith(suffix));
}

function words(text: string): ReadonlySet<string> {
  return new Set(list(text));
}

function list(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
