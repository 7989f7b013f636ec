/**
 * How a Service, or one port of it, stands, in one word. One table for `list`, `Stable` and JSON, so that they never disagree.
 *
 * - `listening`: its ports are open here, nothing known to be wrong; no connection has proved it yet
 * - `running`: it has a ready endpoint, and port-forwarding is known to work for its cluster
 * - `waiting`: no ready endpoint; connections wait for one, 5 s at most
 * - `refusing`: no ready endpoint for longer; listeners are closed, address and names are kept
 * - `denied`: the user lacks a right that it needs
 * - `conflict`: another program has its port, or no address is left; the reason says which
 * - `skipped`: left out on purpose; the reason says why
 */
export type ServiceStatus = "listening" | "running" | "waiting" | "refusing" | "denied" | "conflict" | "skipped";
