/**
 * How a Service stands, in one word. One table for `list`, `Stable` and JSON, so that they never disagree.
 *
 * - `listening`: its ports are open here, nothing known to be wrong; no connection has proved it yet
 * - `running`: it has a ready endpoint, and port-forwarding is known to work for its cluster
 * - `waiting`: no ready endpoint for less than 5 s; connections wait
 * - `refusing`: no ready endpoint for longer; listeners are closed, address and names are kept
 * - `denied`: the user lacks a right that it needs
 * - `conflict`: another program has its port; the reason says who
 * - `skipped`: left out on purpose; the reason says why
 */
export type ServiceStatus = "listening" | "running" | "waiting" | "refusing" | "denied" | "conflict" | "skipped";
