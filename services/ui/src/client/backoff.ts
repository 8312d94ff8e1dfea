/* How long to wait before another try: full jitter, so that a thousand clients do not come back at once. */

export const BASE_MS = 250;
export const CAP_MS = 10_000;

/** A random time up to min(cap, base * 2^(attempt - 1)); attempts count from 1. */
export function fullJitter(attempt: number, random: () => number = Math.random): number {
  return random() * Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt - 1, 16));
}

/** Resolves after `ms`, or at once when the signal is raised. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal?.aborted) done();
    else signal?.addEventListener("abort", done);
  });
}
