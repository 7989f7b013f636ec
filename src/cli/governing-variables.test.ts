import assert from "node:assert/strict";
import { test } from "node:test";
import { isGoverning, isPlace } from "./governing-variables.ts";

test("isGoverning() knows what has loaders, runtimes, shells and tools run code", () => {
  const names =
    "LD_PRELOAD LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS npm_config_script_shell " +
    "BASH_ENV ENV BASH_FUNC_ls%% PROMPT_COMMAND IFS PYTHONPATH PYTHONSTARTUP PYTHONHOME PERL5OPT PERL5LIB RUBYOPT RUBYLIB " +
    "JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS DOTNET_STARTUP_HOOKS LUA_INIT_5_4 GOFLAGS GIT_SSH_COMMAND SSH_ASKPASS KUBECONFIG " +
    "AWS_PAGER PSQL_PAGER GH_PAGER SYSTEMD_PAGER PSQL_EDITOR KUBE_EDITOR RSYNC_RSH CVS_RSH BORG_RSH SVN_SSH FZF_DEFAULT_COMMAND " +
    "FZF_DEFAULT_OPTS RESTIC_PASSWORD_COMMAND psql_pager VIMINIT EXINIT PERLLIB JRUBY_OPTS ANT_OPTS MIX_EXS MIX_HOME";
  assert.deepEqual(
    names.split(" ").filter((name) => !isGoverning(name)),
    [],
  );
});

test("isGoverning() leaves a workload's own variables alone", () => {
  const names =
    "NODE_ENV MODE PORT DATABASE_URL GOOGLE_APPLICATION_CREDENTIALS GOMAXPROCS PYTHONUNBUFFERED ENVIRONMENT LDAP_URL MIX_ENV COMMAND_TIMEOUT PAGERDUTY_TOKEN PAGER_URL EDITOR_URL";
  assert.deepEqual(names.split(" ").filter(isGoverning), []);
});

test("isPlace() knows what says where things are on a machine", () => {
  assert.deepEqual(["PATH", "HOME", "SHELL", "Path", "PATHS", "NODE_ENV"].filter(isPlace), [
    "PATH",
    "HOME",
    "SHELL",
    "Path",
  ]);
});
