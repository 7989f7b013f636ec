/** Listening without the right to low ports: a port that this user may not bind moves up to one that he may. */
import { codeOf, errnoOf, LocalizerError } from "../errors.ts";
import { isPort } from "../model/port.ts";
import type { Listen, Listener } from "../net/listen.ts";

/** 80 becomes 8080 and 443 becomes 8443, the numbers that people try first. */
const shift = 8_000;
const tries = 20;
/** Where a kernel lets everybody bind from (ip_unprivileged_port_start) is its affair; above this it always does. */
const lowPorts = 1_024;

/**
 * Binds where it was told if that is allowed; a port below 1024 that is not moves to port + 8000 or the next of 20 that is free and that
 * the address does not want for another port of its own.
 * `Listener.at` says where it went. Every other failure is that of `listen`.
 * @throws LocalizerError `conflict` when all of the 20 are taken
 */
export function shiftedListen(listen: Listen): Listen {
  return async (at, onConnection, signal, wanted) => {
    try {
      return await listen(at, onConnection, signal);
    } catch (error) {
      if (at.port >= lowPorts || !isForbidden(error)) throw error;
      const first = at.port + shift;
      for (let port = first; port < first + tries; port++) {
        if (!isPort(port) || wanted?.has(port)) continue;
        const listener = await unlessTaken(listen({ ...at, port }, onConnection, signal));
        if (listener !== undefined) return listener;
      }
      const range = `${first} to ${first + tries - 1}`;
      const sentence = `Cannot listen on ${at.address}:${at.port}: without root it moves up, and ports ${range} are taken`;
      throw new LocalizerError("conflict", sentence, { cause: error });
    }
  };
}

function isForbidden(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes(errnoOf(error) ?? "");
}

async function unlessTaken(listening: Promise<Listener>): Promise<Listener | undefined> {
  try {
    return await listening;
  } catch (error) {
    if (codeOf(error) === "conflict") return undefined;
    throw error;
  }
}
