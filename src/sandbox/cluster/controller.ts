/** What the simulated controllers have in common: what they are, what they work with, and the run of their queue. */
import { type Clock, othersTurn } from "../../clock.ts";
import { WorkQueue } from "../../work-queue.ts";
import type { ApiObject, ResourceDefinition } from "../api-object.ts";
import type { SandboxApiServer } from "../api-server.ts";
import type { ObjectPlace } from "../object-api.ts";
import type { Change } from "../object-store.ts";
import { Refusal } from "../status.ts";

/** The server that a controller works on: it reads the store and writes through the API's rules. */
export type ControlledServer = Pick<SandboxApiServer, "store" | "objects" | "resource" | "resources">;

/** One object's name. */
export interface ObjectKey extends ObjectPlace {
  readonly name: string;
}

/** Makes what is to what should be, one object after the other. */
export interface Controller {
  readonly name: string;
  /** The objects that it has to look at because of a change. */
  keysOf(change: Pick<Change, "resource" | "object" | "previous" | "type">): readonly ObjectKey[];
  /** Looks at one, which may be gone. Gives the ms after which it wants to look again, if it does. */
  reconcile(key: ObjectKey): number | undefined;
}

/** Controllers at work. */
export interface RunningControllers extends AsyncDisposable {
  /** Lets a controller look at an object. */
  look(controller: Controller, key: ObjectKey): void;
  /** Resolves when there is nothing to do now; what waits for its time does not count. */
  settled(signal?: AbortSignal): Promise<void>;
}

interface Work {
  readonly controller: Controller;
  readonly key: ObjectKey;
}

/**
 * Runs controllers from the store's changes, one object at a time with everybody else's turn in between. What the API
 * refuses is tried again with a growing delay; anything else that is thrown is a fault of theirs, and ends them loudly.
 */
export function runControllers(
  { store, resources }: ControlledServer,
  clock: Clock,
  controllers: readonly Controller[],
): RunningControllers {
  const queue = new WorkQueue<string>(clock);
  const works = new Map<string, Work>();
  const look = (controller: Controller, key: ObjectKey) => {
    const id = [controller.name, key.resource.group, key.resource.plural, key.namespace ?? "", key.name].join("/");
    works.set(id, { controller, key });
    queue.add(id);
  };
  const tell = (change: Parameters<Controller["keysOf"]>[0]) => {
    for (const controller of controllers) for (const key of controller.keysOf(change)) look(controller, key);
  };
  for (const resource of resources) {
    for (const object of store.list(resource)) tell({ resource, object, previous: undefined, type: "ADDED" });
  }
  const subscription = store.subscribe(tell);
  const work = async () => {
    for (let id = await queue.get(); id !== undefined; id = await queue.get()) {
      reconcile(id);
      queue.done(id);
      await othersTurn();
    }
  };
  const reconcile = (id: string) => {
    const work = works.get(id);
    if (work === undefined) return;
    try {
      const again = work.controller.reconcile(work.key);
      queue.forget(id);
      if (again !== undefined) queue.addAfter(id, again);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      queue.addRateLimited(id);
    }
  };
  const worker = work();
  return {
    look,
    settled: (signal) => queue.drain(signal),
    async [Symbol.asyncDispose]() {
      subscription[Symbol.dispose]();
      queue[Symbol.dispose]();
      await worker;
    },
  };
}

/** The key of an object of that kind. */
export function keyOf(resource: ResourceDefinition, { metadata }: ApiObject): ObjectKey {
  return { resource, namespace: metadata.namespace, name: metadata.name };
}

/** Whether a change is of that kind. */
export function isOf(change: { readonly resource: ResourceDefinition }, wanted: ResourceDefinition): boolean {
  return change.resource.group === wanted.group && change.resource.plural === wanted.plural;
}

/** The name under which controllers write, as the real ones do. */
export const controllerManager = "kube-controller-manager";
