/** What runs in an exposure's pod: how sshd starts, and how the kubelet asks whether the tunnel is up. Pure text for `/bin/sh`. */
import type { Port } from "../model/port.ts";
import { sessionFolder } from "./sshd-config.ts";

/** Where images have it: OpenSSH's own place, and Alpine's build with PAM. An absolute path is a must: sshd runs itself again. */
const servers = ["/usr/sbin/sshd", "/usr/sbin/sshd.pam"] as const;

/**
 * Starts the first server that the image has, in place of the shell. From OpenSSH 9.8 on a few connections that broke off have
 * it refuse all others from the same address, and here all come from loopback; older ones do not know the option and would not
 * start with it. The exit code is 127 when there is no server.
 */
export function startCommand(paths: readonly string[] = servers): readonly string[] {
  const config = `${sessionFolder}/sshd_config`;
  const script = [
    `for s in ${paths.join(" ")}; do`,
    "[ -x $s ] || continue;",
    "o=PerSourcePenalties=no;",
    `if $s -t -f ${config} -o $o 2>/dev/null; then exec $s -D -e -f ${config} -o $o; fi;`,
    `exec $s -D -e -f ${config};`,
    "done; echo no sshd in this image >&2; exit 127",
  ];
  return ["/bin/sh", "-c", script.join(" ")];
}

/**
 * Succeeds when every port has a listener, and makes no connection, which the local process would see. Reads the kernel's tables:
 * state 0A is LISTEN, ports are four hexadecimal digits; a listener for all IPv6 addresses stands in the second. The shell alone
 * does where the image has no grep.
 */
export function probeCommand(
  ports: readonly Port[],
  tables: readonly string[] = ["/proc/net/tcp", "/proc/net/tcp6"],
): readonly string[] {
  const hex = [...new Set(ports)].map((port) => port.toString(16).toUpperCase().padStart(4, "0")).join(" ");
  const script = [
    "if command -v grep >/dev/null; then",
    `for p in ${hex}; do grep -Eqs ":$p [0-9A-F]+:0000 0A " ${tables.join(" ")} || exit 1; done; exit 0; fi;`,
    `for p in ${hex}; do f=1;`,
    `for t in ${tables.join(" ")}; do [ -r $t ] || continue;`,
    `while read -r _ l _ s _; do [ "\${l##*:}$s" = "\${p}0A" ] && f=0; done <$t; done;`,
    "[ $f = 0 ] || exit 1; done",
  ];
  return ["/bin/sh", "-c", script.join(" ")];
}
