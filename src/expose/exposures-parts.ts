/** What the exposures of a daemon are made from and set to, and what is wished of them. Types only. */
import type { ServiceKey } from "../model/service-key.ts";
import type { LocalSide } from "./local-side.ts";
import type { ExposedPort, ExposePlan } from "./plan.ts";
import type { PodWish } from "./pod-options.ts";
import type { SessionComponents, SessionSettings } from "./session-parts.ts";
import type { SearchComponents } from "./suspects.ts";

/** What is wished for. */
export interface ExposeWish {
  readonly key: ServiceKey;
  /** "8080:80", "8080:http" or "8080" each; see port-map. */
  readonly maps: readonly string[];
  /** Say all, check all, change nothing. */
  readonly dryRun: boolean;
  /** The user knows that the cluster is protected. */
  readonly isConfirmed: boolean;
  /** End somebody else's session, if that gives no sign of life. */
  readonly takeOver: boolean;
  /** Scale down a StatefulSet whose volumes go with its pods. */
  readonly allowVolumeLoss: boolean;
  /** Scale down an owner that has pods that the Service does not lead to. */
  readonly allowPartial: boolean;
  /** Wait until somebody listens on the local ports; see local-listeners. */
  readonly awaitLocal?: boolean;
  readonly pod: Partial<PodWish>;
}

/** What exposures are made from. */
export interface ExposuresComponents extends SessionComponents, SearchComponents {
  /** Everything that is known before anything is changed. @throws LocalizerError when it cannot be, or must not be, exposed */
  readonly preflight: (
    wish: Pick<ExposeWish, "key" | "maps" | "allowVolumeLoss" | "allowPartial" | "pod">,
    signal: AbortSignal,
  ) => Promise<ExposePlan>;
  readonly openSide: (port: Pick<ExposedPort, "local" | "remote">) => LocalSide;
}

/** What they are set to. */
export interface ExposuresSettings extends Omit<SessionSettings, "pod"> {
  readonly contextName: string;
  readonly clusterName: string;
  /** `user@host`. */
  readonly holder: string;
  /** Of the pod, where a wish names none. */
  readonly image?: string | undefined;
  /** Of localizer. */
  readonly version: string;
  /** How long a workload may take to become ready when its exposure is stopped. */
  readonly readyMs: number;
  /** How long an end may take beside that, once nobody else is putting it back. */
  readonly stopMs: number;
  /** How long all may take at the daemon's end, for all exposures together. */
  readonly endMs: number;
}
