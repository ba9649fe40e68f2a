import pg from 'pg';

/** A process that does not give a sign of life for this long has lost its locks: stopped, cut off, or gone. */
const IDLE_LIMIT_MS = 10_000;
const SIGN_OF_LIFE_MS = 3_000;
const ANSWER_MS = 5_000;

/**
 * One drain at a time for each partner, among all replicas: session locks of PostgreSQL on a connection of its own. They are gone when
 * the process dies, and when it only stands still. Who lost one unknowingly does no harm, for every step it takes is checked again in
 * the database.
 */
export class DrainLocks {
  #client: pg.Client | undefined;
  #connecting: Promise<pg.Client> | undefined;
  #closed = false;
  /** The driver takes one question at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #sign: NodeJS.Timeout;

  constructor(private readonly url: string) {
    this.#sign = setInterval(() => {
      const client = this.#client;
      if (client) void this.#ask(client, 'select 1').catch(() => this.#lose());
    }, SIGN_OF_LIFE_MS);
    this.#sign.unref();
  }

  #ask<Row extends pg.QueryResultRow>(client: pg.Client, text: string, values: unknown[] = []): Promise<pg.QueryResult<Row>> {
    const answer = this.#turn.then(() => client.query<Row>(text, values));
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  /** Runs `work` if no other replica is at it; says whether it ran. */
  async within(linkId: string, work: () => Promise<void>): Promise<boolean> {
    const client = await this.#connection();
    const { rows } = await this.#ask<{ locked: boolean }>(client, `select pg_try_advisory_lock(hashtextextended($1, 0)) as locked`, [`lotse drain ${linkId}`]);
    if (!rows[0]?.locked) return false;
    try {
      await work();
    } finally {
      // A connection that was lost has let go by itself.
      if (this.#client === client) {
        await this.#ask(client, `select pg_advisory_unlock(hashtextextended($1, 0))`, [`lotse drain ${linkId}`]).catch(() => this.#lose());
      }
    }
    return true;
  }

  #connection(): Promise<pg.Client> {
    if (this.#client) return Promise.resolve(this.#client);
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.url,
      application_name: 'lotse-drains',
      keepAlive: true,
      query_timeout: ANSWER_MS,
      connectionTimeoutMillis: ANSWER_MS,
      options: `-c idle_session_timeout=${IDLE_LIMIT_MS}`,
    });
    client.on('error', () => undefined);
    client.once('end', () => {
      if (this.#client === client) this.#client = undefined;
    });
    await client.connect();
    if (this.#closed) {
      await client.end();
      throw new Error('closed');
    }
    this.#client = client;
    return client;
  }

  /** Whatever locks it holds are let go with it. */
  #lose(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.end().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sign);
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }
}
