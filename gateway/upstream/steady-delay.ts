import type { IBackoff, IBackoffFactory } from 'cockatiel';

/**
 * How long a circuit breaker stays open, by the steady clock. The library compares wall clock times: after a clock has been set back,
 * an open breaker would stay open until the wrong time is reached again.
 */
export function steadyDelay(milliseconds: number): IBackoffFactory<unknown> {
  const next = (): IBackoff<unknown> => {
    const opened = performance.now();
    return {
      get duration() {
        return performance.now() - opened < milliseconds ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
      },
      next,
    };
  };
  return { next };
}
