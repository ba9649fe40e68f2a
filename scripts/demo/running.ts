import type { EmbeddedPostgres } from '../postgres/embedded.js';
import type { Server } from './servers.js';

/** Time servers get to finish what they are doing; they are killed then. */
const GRACE_MS = 5_000;

/** The start was called off by whoever started it. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

/**
 * What runs, so that all of it can be stopped, in the order that suits it and from any point of the start. Whatever is
 * started is handed over here before anything else happens with it.
 */
export class Running {
  #postgres: EmbeddedPostgres | undefined;
  readonly #instances: Server[] = [];
  #gateway: Server | undefined;
  #stopping: Promise<void> | undefined;
  readonly #ended = Promise.withResolvers<string>();

  /** Resolves with a message when something ends that nobody stopped. */
  readonly endedUnexpectedly: Promise<string> = this.#ended.promise;

  /** Used between the steps of the start. @throws Cancelled once stopping has begun */
  check(): void {
    if (this.#stopping !== undefined) throw new Cancelled('The start was called off.');
  }

  async postgres(starting: Promise<EmbeddedPostgres>): Promise<EmbeddedPostgres> {
    this.#postgres = await starting;
    this.#watch('PostgreSQL', this.#postgres.logFile, this.#postgres.exited);
    this.check();
    return this.#postgres;
  }

  async instance(starting: Promise<Server>): Promise<Server> {
    const server = await starting;
    this.#instances.push(server);
    this.#watch(server.name, server.logFile, server.process.exited);
    this.check();
    return server;
  }

  async gateway(starting: Promise<Server>): Promise<Server> {
    this.#gateway = await starting;
    this.#watch('The gateway', this.#gateway.logFile, this.#gateway.process.exited);
    this.check();
    return this.#gateway;
  }

  /**
   * Stops everything; any number of times. `starting` is waited for first, so that nothing is left that comes up
   * while we stop: it ends soon, at its next check.
   */
  stop(starting: Promise<unknown>): Promise<void> {
    this.#stopping ??= this.#stop(starting);
    return this.#stopping;
  }

  async #stop(starting: Promise<unknown>): Promise<void> {
    // From its first line on `check` throws, since the caller has this promise only after it.
    await Promise.resolve();
    await starting.catch(() => undefined);
    await this.#gateway?.process.stop(GRACE_MS);
    await Promise.all(this.#instances.map((server) => server.process.stop(GRACE_MS)));
    await this.#postgres?.stop();
  }

  #watch(name: string, logFile: string, exited: Promise<unknown>): void {
    void exited.then(() => {
      if (this.#stopping === undefined) this.#ended.resolve(`${name} has ended unexpectedly. Its log: ${logFile}`);
    });
  }
}

/** Like Promise.all, but rejects only when all have come to an end: nothing goes on behind the caller's back. */
export async function allSettled<T>(tasks: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(tasks);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
