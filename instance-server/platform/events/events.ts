import { sql } from 'kysely';
import pg from 'pg';
import { ExponentialBackoff, handleAll, retry, type IRetryContext } from 'cockatiel';
import type { Logger } from 'pino';
import type { Tx } from '../database/database.js';

/** What replicas of one instance tell each other: ids and kinds only, never content. */
export type InstanceEvent =
  | { kind: 'calendar'; guideId: string; assignmentId: string; change: 'CREATED' | 'UPDATED' | 'REMOVED' }
  | { kind: 'session'; sessionId: string }
  | { kind: 'account'; accountId: string }
  | { kind: 'links' }
  | { kind: 'keys' }
  | { kind: 'settings' };

/** A break in the stream: whatever is held in memory may be out of date, whoever listens must read again. */
export type EventListener = (event: InstanceEvent | { kind: 'gap' }) => void;

const CHANNEL = 'lotse_event';

/** Delivered when the transaction commits, to every replica, this one included. */
export async function publish(tx: Tx, event: InstanceEvent): Promise<void> {
  await sql`select pg_notify(${CHANNEL}, ${JSON.stringify(event)})`.execute(tx);
}

/**
 * Listens on a connection of its own and reconnects for ever. After a loss it announces a gap as soon as it listens again, and
 * `isLive` says meanwhile that memory cannot be trusted.
 */
export class EventHub {
  readonly #listeners = new Set<EventListener>();
  #client: pg.Client | undefined;
  #live = false;
  #closed = false;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(
    private readonly url: string,
    private readonly logger: Logger,
  ) {}

  get isLive(): boolean {
    return this.#live;
  }

  listen(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    await this.#connect();
    // A connection cut without a FIN is noticed by asking; ten seconds bound how long memory can be trusted wrongly.
    this.#heartbeat = setInterval(() => void this.#client?.query('select 1').catch(() => undefined), 10_000);
    this.#heartbeat.unref();
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({ connectionString: this.url, application_name: 'lotse-events', keepAlive: true, query_timeout: 5_000 });
    client.on('error', () => undefined);
    client.once('end', () => this.#lost(client));
    client.on('notification', (message) => {
      if (message.channel === CHANNEL && message.payload) this.#emit(JSON.parse(message.payload) as InstanceEvent);
    });
    await client.connect();
    await client.query(`listen ${CHANNEL}`);
    this.#client = client;
    this.#live = true;
  }

  #lost(client: pg.Client): void {
    if (this.#closed || (this.#client !== client && this.#client !== undefined && this.#live)) return;
    if (!this.#live && this.#client !== client) return;
    this.#live = false;
    this.logger.warn('event connection lost; reconnecting');
    const reconnect = retry(handleAll, { maxAttempts: Number.MAX_SAFE_INTEGER, backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 5_000 }) });
    void reconnect
      .execute(async (_context: IRetryContext) => {
        if (!this.#closed) await this.#connect();
      })
      .then(() => {
        if (this.#closed) return;
        this.logger.info('event connection restored');
        this.#emit({ kind: 'gap' });
      });
  }

  #emit(event: InstanceEvent | { kind: 'gap' }): void {
    for (const listener of this.#listeners) listener(event);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#live = false;
    clearInterval(this.#heartbeat);
    await this.#client?.end().catch(() => undefined);
  }
}
