import { createHook } from 'node:async_hooks';

/** The timers that our gateway or graphql-ws has set and that have neither fired nor been cleared. */
export class GatewayTimers {
  readonly #waiting = new Map<number, string>();
  readonly #hook = createHook({
    init: (id, type) => {
      if (type !== 'Timeout') return;
      const limit = Error.stackTraceLimit;
      Error.stackTraceLimit = 30;
      const caller = /(?:gateway\/subscriptions|graphql-ws)\/.*$/mu.exec(new Error('set by').stack ?? '')?.[0];
      Error.stackTraceLimit = limit;
      if (caller !== undefined) this.#waiting.set(id, caller);
    },
    destroy: (id) => {
      this.#waiting.delete(id);
    },
  }).enable();

  /** Where each of them was set. */
  async waiting(): Promise<readonly string[]> {
    // Node reports the end of a timer a few turns later.
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => void setImmediate(resolve));
    return [...this.#waiting.values()];
  }

  stop(): void {
    this.#hook.disable();
  }
}
