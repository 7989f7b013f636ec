/** Admission: somebody else's word on a write, as quotas, policies and webhooks have it. Types only. */
import type { ApiObject, ResourceDefinition } from "./api-object.ts";

/** A write that is to be admitted. */
export interface AdmissionCall {
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  readonly resource: ResourceDefinition;
  /** Written through this subresource; its object is the whole one all the same. */
  readonly subresource: "scale" | "status" | undefined;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly dryRun: boolean;
  /** Who writes: the field manager; undefined for one who does not come by HTTP and does not say it. */
  readonly manager: string | undefined;
  /** What is there now. Undefined when it is created. */
  readonly before: ApiObject | undefined;
}

/**
 * Says what becomes of the object: nothing else when it returns undefined, else what it returns is stored. To refuse it
 * throws a Refusal, for instance `denied` of status.ts. Of a deletion it is given what is there.
 */
export type Admit = (call: AdmissionCall, object: ApiObject) => ApiObject | undefined;
