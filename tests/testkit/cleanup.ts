const STEP_LIMIT_MS = 15_000;

/** What a test file has opened, closed in reverse order: `afterAll(() => cleanup.run())`. */
export class Cleanup {
  readonly #steps: (() => Promise<unknown> | unknown)[] = [];

  /** Remembers how `resource` is disposed of, and gives it back. */
  own<T>(resource: T, dispose: (resource: T) => Promise<unknown> | unknown): T {
    this.#steps.push(() => within(dispose(resource), String(dispose)));
    return resource;
  }

  /** Every step runs, whatever the ones before it do; the first failure is thrown at the end. */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** A step that hangs is named instead of hanging the whole file. */
async function within(work: unknown, name: string): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not closed within ${STEP_LIMIT_MS} ms: ${name}`)), STEP_LIMIT_MS);
  await Promise.race([work, late.promise]).finally(() => clearTimeout(timer));
}
