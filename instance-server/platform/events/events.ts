import { sql } from 'kysely';
import pg from 'pg';
import { ExponentialBackoff, handleAll, retry } from 'cockatiel';
import type { Logger } from 'pino';
import type { Tx } from '../database/database.js';

/** What replicas of one instance tell each other: ids and kinds only, never content. */
export type InstanceEvent =
  | { kind: 'calendar'; guideId: string; assignmentId: string; change: 'CREATED' | 'UPDATED' | 'REMOVED' }
  /** A foreign booking in the replica; for the guide himself alone. */
  | { kind: 'foreign'; guideId: string; foreignId: string; change: 'CREATED' | 'UPDATED' | 'REMOVED' }
  /** A request to a guide was made, answered or withdrawn. */
  | { kind: 'request'; guideId: string; requestId: string }
  /** Something waits for a linked house. */
  | { kind: 'outbox'; linkId: string }
  /** The keeper of a guide's claims has answered about an assignment. */
  | { kind: 'verification'; assignmentId: string }
  | { kind: 'session'; sessionId: string }
  | { kind: 'account'; accountId: string }
  | { kind: 'links' }
  | { kind: 'keys' }
  | { kind: 'settings' };

/** A break in the stream: whatever is held in memory may be out of date, whoever listens must read again. */
export type EventListener = (event: InstanceEvent | { kind: 'gap' }) => void;

const CHANNEL = 'lotse_event';
/** How often the connection is asked for a sign of life, how long it may take, and how long its silence is trusted: a revocation works within a second. */
const HEARTBEAT_MS = 200;
const ANSWER_MS = 1_000;
/** How long a new connection may take, and its first answer: a busy machine is slow when much starts at once. */
const CONNECT_MS = 5_000;
const TRUSTED_SILENCE_MS = 600;

/** The driver takes the limit of one question; its typings leave that out. */
const SIGN_OF_LIFE: pg.QueryConfig & { query_timeout: number } = { text: 'select 1', query_timeout: ANSWER_MS };

/** Undefined for what is no event of ours: every role of the database may notify, and nobody's word may end the process. */
function parseEvent(payload: string | undefined): InstanceEvent | undefined {
  try {
    const event: unknown = JSON.parse(payload ?? '');
    return typeof event === 'object' && event !== null && 'kind' in event ? (event as InstanceEvent) : undefined;
  } catch {
    return undefined;
  }
}

/** The driver's client with its socket, which its typings leave out. */
type ListeningClient = pg.Client & { connection: { stream: { destroy(): void } } };

/** Delivered when the transaction commits, to every replica, this one included. */
export async function publish(tx: Tx, event: InstanceEvent): Promise<void> {
  await sql`select pg_notify(${CHANNEL}, ${JSON.stringify(event)})`.execute(tx);
}

/** Many at once, in one statement. */
export async function publishAll(tx: Tx, events: readonly InstanceEvent[]): Promise<void> {
  if (events.length === 0) return;
  await sql`select pg_notify(${CHANNEL}, event) from unnest(${events.map((event) => JSON.stringify(event))}::text[]) event`.execute(tx);
}

/** Reads again what an event made stale, until it succeeds: a replica must not go on with keys or settings that were replaced. */
export function reloadPersistently(load: () => Promise<unknown>): void {
  const persistently = retry(handleAll, { maxAttempts: Number.MAX_SAFE_INTEGER, backoff: new ExponentialBackoff({ initialDelay: 50, maxDelay: 2_000 }) });
  void persistently.execute(() => load());
}

/**
 * Listens on a connection of its own and reconnects for ever. After a loss it announces a gap as soon as it listens again, and
 * `isLive` says meanwhile that memory cannot be trusted.
 */
export class EventHub {
  readonly #listeners = new Set<EventListener>();
  #client: ListeningClient | undefined;
  /** The connection that owes a sign of life. */
  #asked: ListeningClient | undefined;
  #live = false;
  #lastSign = 0;
  #closed = false;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(
    private readonly url: string,
    private readonly logger: Logger,
  ) {}

  /** Whether memory kept fresh by events can be trusted now. Silence counts as loss: a connection cut without a FIN gives no sign. */
  get isLive(): boolean {
    return this.#live && performance.now() - this.#lastSign < TRUSTED_SILENCE_MS;
  }

  listen(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    await this.#connect();
    this.#heartbeat = setInterval(() => {
      const client = this.#client;
      // One question at a time; the answer to the one under way is the sign.
      if (!client || this.#asked === client) return;
      this.#asked = client;
      client
        .query(SIGN_OF_LIFE)
        .then(
          () => {
            this.#lastSign = performance.now();
          },
          () => client.connection.stream.destroy(),
        )
        .finally(() => {
          if (this.#asked === client) this.#asked = undefined;
        });
    }, HEARTBEAT_MS);
    this.#heartbeat.unref();
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.url,
      application_name: 'lotse-events',
      keepAlive: true,
      query_timeout: CONNECT_MS,
      connectionTimeoutMillis: CONNECT_MS,
    }) as ListeningClient;
    client.on('error', () => undefined);
    client.once('end', () => {
      if (this.#client === client) this.#lost();
    });
    client.on('notification', (message) => {
      const event = message.channel === CHANNEL ? parseEvent(message.payload) : undefined;
      if (event) this.#emit(event);
    });
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
    } catch (error) {
      client.end().catch(() => undefined);
      throw error;
    }
    if (this.#closed) {
      await client.end();
      return;
    }
    this.#client = client;
    this.#lastSign = performance.now();
    this.#live = true;
  }

  #lost(): void {
    this.#client = undefined;
    this.#live = false;
    if (this.#closed) return;
    this.logger.warn('event connection lost; reconnecting');
    const forEver = retry(handleAll, {
      maxAttempts: Number.MAX_SAFE_INTEGER,
      backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 5_000 }),
    });
    void forEver
      .execute(async () => {
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
