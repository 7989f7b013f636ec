/**
 * How long to wait before attempt n: exponential with a cap and full jitter, as the AWS
 * Architecture Blog's "Exponential Backoff and Jitter" and client-go's reflector do. Pure.
 */

/** The curve of a back-off. */
export interface BackoffOptions {
  /** Wait before the first retry, in ms. */
  readonly baseMs: number;
  /** What each further attempt multiplies it by. */
  readonly factor: number;
  /** Never more than this, in ms. */
  readonly capMs: number;
}

/**
 * The wait in ms before retry `attempt` (0 is the first): uniform in (0, min(cap, base × factor^attempt)],
 * never below a tenth of that, so that a storm spreads and nobody spins.
 */
export function backoffMs(attempt: number, options: BackoffOptions, random: () => number = Math.random): number {
  const ceiling = Math.min(options.capMs, options.baseMs * options.factor ** Math.max(0, attempt));
  return ceiling * (0.1 + 0.9 * random());
}
