/** Where the user's own files are, also for a user of whom the system knows nothing. Pure: the system is handed in. */

/**
 * $HOME, else what the system says (`os.homedir`), else "/": that throws in a container that runs as a uid without a name, of
 * which runtimes say the same.
 */
export function homeFolder(env: Readonly<Record<string, string | undefined>>, homedir: () => string): string {
  if (env.HOME) return env.HOME;
  try {
    return homedir();
  } catch {
    return "/";
  }
}
