/**
 * Which proxy the environment asks for: the rules of Go's golang.org/x/net/http/httpproxy, which kubectl follows. Pure.
 * Of HTTPS_PROXY and https_proxy the first counts, as in every kubectl so far (Go up to 1.26).
 */
import { BlockList, isIP } from "node:net";
import { domainToASCII } from "node:url";
import { LocalizerError } from "../errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** An entry of NO_PROXY: says whether a host (lower case, IPv6 without brackets) and port go without a proxy. */
type Exception = (host: string, port: string) => boolean;

/**
 * The proxy on the way to `server`; undefined when there is none: no variable, an exception in NO_PROXY, or an address
 * of this machine. A `socks5h` proxy comes as `socks5`, which leaves names to the proxy too.
 * @throws LocalizerError `usage` naming the variable when its value is no proxy that can be used
 */
export function proxyFromEnvironment(server: URL, env: Environment): URL | undefined {
  const name = server.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const variable = [name, name.toLowerCase()].find((candidate) => (env[candidate] ?? "") !== "");
  if (variable === undefined || !needsProxy(server, env)) return undefined;
  return parseProxy(env[variable] ?? "", variable);
}

/**
 * Reads the URL of a proxy; `whose` is for the sentence. Without a scheme it means http.
 * @throws LocalizerError `usage` when it is none, or of another scheme than http, https and socks5. A password is not shown
 */
export function parseProxy(text: string, whose: string): URL {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url === null || url.host === "") {
    throw new LocalizerError("usage", `Cannot use the proxy of ${whose}: it is no URL like http://proxy.example:3128`);
  }
  if (url.protocol === "socks5h:") return new URL(url.href.replace(/^socks5h/, "socks5"));
  if (["http:", "https:", "socks5:"].includes(url.protocol)) return url;
  const sentence = `Cannot use the proxy of ${whose}: its scheme is "${url.protocol.slice(0, -1)}"`;
  throw new LocalizerError("usage", `${sentence}, not http, https or socks5`);
}

function needsProxy(server: URL, env: Environment): boolean {
  const host = server.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (host === "localhost" || (isIP(host) !== 0 && isLoopback(host))) return false;
  const port = server.port === "" ? (server.protocol === "https:" ? "443" : "80") : server.port;
  const exceptions = env.NO_PROXY || env.no_proxy || "";
  return !exceptions.split(",").some((text) => exceptionOf(text.trim().toLowerCase())(host, port));
}

function exceptionOf(text: string): Exception {
  if (text === "*") return () => true;
  const network = networkOf(text);
  if (network !== undefined) return (host) => contains(network, host);
  const { host, port } = splitPort(text);
  if (host === "") return () => false;
  const samePort = (candidate: string) => port === "" || port === candidate;
  if (isIP(host) !== 0) {
    const address = new BlockList();
    address.addAddress(host, familyOf(host));
    return (candidate, itsPort) => contains(address, candidate) && samePort(itsPort);
  }
  const withoutStar = host.startsWith("*.") ? host.slice(1) : host;
  const subdomainsOnly = withoutStar.startsWith(".");
  const bare = subdomainsOnly ? withoutStar.slice(1) : withoutStar;
  const domain = domainToASCII(bare) || bare;
  return (candidate, itsPort) =>
    isIP(candidate) === 0 &&
    (candidate.endsWith(`.${domain}`) || (!subdomainsOnly && candidate === domain)) &&
    samePort(itsPort);
}

function networkOf(text: string): BlockList | undefined {
  const [, address = "", prefix = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  if (isIP(address) === 0 || Number(prefix) > (isIP(address) === 4 ? 32 : 128)) return undefined;
  const network = new BlockList();
  network.addSubnet(address, Number(prefix), familyOf(address));
  return network;
}

/** As Go's net.SplitHostPort where it succeeds; else all of it is the host. */
function splitPort(text: string): { readonly host: string; readonly port: string } {
  const match = /^\[([^\]]*)\]:([^:]*)$/.exec(text) ?? /^([^:[\]]*):([^:[\]]*)$/.exec(text);
  return match === null ? { host: text, port: "" } : { host: match[1] ?? "", port: match[2] ?? "" };
}

function contains(list: BlockList, host: string): boolean {
  return isIP(host) !== 0 && list.check(host, familyOf(host));
}

function isLoopback(address: string): boolean {
  const loopback = new BlockList();
  loopback.addSubnet("127.0.0.0", 8, "ipv4");
  loopback.addAddress("::1", "ipv6");
  return loopback.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 4 ? "ipv4" : "ipv6";
}
