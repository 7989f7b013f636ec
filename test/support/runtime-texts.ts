/** What container runtimes say on the error stream, word by word (design/verified.md 1.1, data-path.md 3.3). */

const sandbox = "0f2a7c".repeat(10);
const namespace = `network namespace "/var/run/netns/cni-6c1f3d5e-0b1c-4c55-8a7e-5a5f0a6c3c11"`;

/** containerd 1.6.20: nothing listens on the port. It ends with a blank. */
export const refusedText =
  `error forwarding port 7999 to pod ${sandbox}, uid : failed to execute portforward in ${namespace}: failed to connect to ` +
  `localhost:7999 inside namespace "${sandbox}", IPv4: dial tcp4 127.0.0.1:7999: connect: connection refused IPv6 dial ` +
  "tcp6: address localhost: no suitable address found ";

/** containerd 1.6.20: the pod was deleted. */
export const closedText = `error forwarding port 7000 to pod ${sandbox}, uid : network namespace for sandbox "${sandbox}" is closed`;

/** containerd 1.6.20: the application closed while we were still sending. No refusal: it got bytes. */
export const brokenPipeText =
  `error forwarding port 2222 to pod ${sandbox}, uid : failed to execute portforward in ${namespace}: readfrom tcp4 ` +
  "127.0.0.1:48836->127.0.0.1:2222: write tcp4 127.0.0.1:48836->127.0.0.1:2222: write: broken pipe";

/** The sandbox does not exist (containerd, then CRI-O twice). */
export const goneTexts = [
  `error forwarding port 80 to pod ${sandbox}, uid : failed to find sandbox "${sandbox}" in store: not found`,
  `error forwarding port 80 to pod ${sandbox}, uid : could not find sandbox "${sandbox}"`,
  `error forwarding port 80 to pod ${sandbox}, uid : sandbox ${sandbox} is not running`,
] as const;
