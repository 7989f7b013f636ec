/** The user's part of `sudo localizer`: its helper is the process that started it. */
import { channelToParent } from "./channel.ts";
import { connectHelper } from "./connect-helper.ts";
import type { ConnectOptions, Helper } from "./helper-role.ts";
import { userPartVariable } from "./user.ts";

/**
 * The helper that started this process, or undefined when nobody did: then launch one through sudo, or go without. Call it once.
 * @throws LocalizerError `unavailable` when the parent ended meanwhile
 */
export async function helperOfParent(options: ConnectOptions = {}): Promise<Helper | undefined> {
  const channel = channelToParent();
  if (channel === undefined || process.env[userPartVariable] === undefined) return undefined;
  return await connectHelper(channel, options);
}
