/** How the C library of a process that localizer starts keeps its memory. Only glibc reads these variables, at the start. */

/**
 * By itself glibc keeps what a burst has freed, more the larger the blocks were, and has a heap for each of several threads: some
 * 10 MiB at rest with 5,000 services. Two heaps, so that the thread that works does not wait for those that compile; a MiB
 * may stay in each, so that a transfer's buffers are not fetched from the system again and again.
 */
const settings = { MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "1048576" } as const;

/** The environment with them; what somebody has set stays. Pure. */
export function withMallocSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...settings, ...env };
}

/** The environment as it was before, for programs that are none of ours. Pure. */
export function withoutMallocSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ours = new Map<string, string>(Object.entries(settings));
  return Object.fromEntries(Object.entries(env).filter(([name, value]) => ours.get(name) !== value));
}

/** The settings as env(1) takes them. */
export const mallocWords: readonly string[] = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
