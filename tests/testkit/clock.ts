import type { Clock } from '../../instance-server/platform/clock.js';

/** A clock that runs with the real one until a test moves it; the difference is kept. */
export class TestClock implements Clock {
  #ahead = 0;
  #stoppedAt: number | undefined;

  now(): Date {
    return new Date((this.#stoppedAt ?? Date.now()) + this.#ahead);
  }

  advance(by: { seconds?: number; minutes?: number; hours?: number; days?: number }): void {
    const { seconds = 0, minutes = 0, hours = 0, days = 0 } = by;
    this.#ahead += (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000;
  }

  /** Stands still from now on, for what is counted in seconds; moves by `advance` alone. */
  stop(): void {
    this.#stoppedAt = Date.now();
  }

  /** Goes with the real clock again. */
  reset(): void {
    this.#ahead = 0;
    this.#stoppedAt = undefined;
  }
}
