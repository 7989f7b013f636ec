/** The ways in which bytes get to a pod's port, by the names that the setting and `list` use. */

/** Every engine, the best one first: SPDY by POST, by GET, SPDY inside WebSocket, and one WebSocket for each connection. */
export const engineNames = ["post-spdy", "get-spdy", "websocket", "v4"] as const;

/** The name of one. */
export type EngineName = (typeof engineNames)[number];

/** Whether the text names an engine. */
export function isEngineName(text: string): text is EngineName {
  return engineNames.some((name) => name === text);
}
