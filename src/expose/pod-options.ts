/** What a user may choose about an exposure's pod, and what it is otherwise. Pure. */
import { LocalizerError } from "../errors.ts";

/** How much of a resource, as Kubernetes writes quantities: "10m", "512Mi". */
export interface Resources {
  readonly cpu: string;
  readonly memory: string;
}

/** The choices, all made. */
export interface PodOptions {
  readonly image: string;
  readonly imagePullPolicy: "Always" | "IfNotPresent" | "Never";
  /** Beside those of the pods that it stands in for. */
  readonly pullSecrets: readonly string[];
  readonly requests: Resources;
  readonly limits: Resources;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** `off` keeps the sidecars of Istio and Linkerd away, `inherit` leaves that to the namespace. */
  readonly mesh: "off" | "inherit";
}

/** What the user said, empty where nothing. */
export interface PodWish {
  readonly image: string;
  readonly pullSecrets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly mesh: string;
  readonly cpuRequest: string;
  readonly memoryRequest: string;
  readonly cpuLimit: string;
  readonly memoryLimit: string;
}

/** Where images are published; images/sshd holds what they are made of. */
const imageRepository = "ghcr.io/getoutreach/localizer-sshd";

/** The image that belongs to a version of localizer ("0.1.0"). */
export function defaultImage(version: string): string {
  return `${imageRepository}:v${version}`;
}

/**
 * The wish, with defaults where it says nothing. The limits fit what was measured: 3 MiB for a connection whose reader is stuck,
 * and a processor, for a tight limit would slow the tunnel itself.
 *
 * @param version of localizer, for the default image
 * @throws LocalizerError `usage` for an unknown way to treat a mesh
 */
export function podOptions(wish: Partial<PodWish>, version: string): PodOptions {
  return {
    image: wish.image || defaultImage(version),
    imagePullPolicy: "IfNotPresent",
    pullSecrets: wish.pullSecrets ?? [],
    requests: { cpu: wish.cpuRequest || "10m", memory: wish.memoryRequest || "32Mi" },
    limits: { cpu: wish.cpuLimit || "1", memory: wish.memoryLimit || "512Mi" },
    labels: wish.labels ?? {},
    annotations: wish.annotations ?? {},
    mesh: meshOf(wish.mesh ?? ""),
  };
}

function meshOf(text: string): "off" | "inherit" {
  switch (text) {
    case "":
    case "off":
      return "off";
    case "inherit":
      return "inherit";
    default:
      throw new LocalizerError("usage", `Cannot treat a mesh as "${text}": want "off" or "inherit"`);
  }
}
