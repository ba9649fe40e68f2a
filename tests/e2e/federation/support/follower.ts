import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { client } from '../../../testkit/client.js';
import { Inbox } from '../../../testkit/socket.js';

export interface FollowedEntry {
  id: string;
  start: string;
  offerTitle: string;
  details: { bookingId: string; customer: { name: string; email: string | null; phone: string | null }; partySize: number | null; language: string | null; notes: string | null } | null;
}

export interface Change {
  kind: 'CREATED' | 'UPDATED' | 'REMOVED' | 'REFETCH';
  entryId: string | null;
  entry: FollowedEntry | null;
}

const ENTRY = 'id start offerTitle details { bookingId customer { name email phone } partySize language notes }';
const CHANGES = `subscription ($id: ID!) { calendarChanged(guideId: $id) { kind entryId entry { ${ENTRY} } } }`;
const CALENDAR = `query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { calendar(range: $range) { ${ENTRY} } } }`;

/** The library's default is a second and more. */
const RETRY_MS = 20;
const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

export interface FollowerOptions {
  readonly url: string;
  readonly guideId: string;
  readonly range: { start: string; end: string };
  /** Asked for at every connection and every load. */
  readonly token: () => Promise<string>;
}

/**
 * What a front end does: a graphql-ws client with async `connectionParams`, a calendar that is loaded once it
 * is subscribed, kept up to date by the changes and loaded again at REFETCH. Nothing here knows of restarts or log-outs.
 */
export class Follower {
  readonly changes = new Inbox<Change>();
  readonly closes = new Inbox<{ code: number; reason: string }>();
  /** One item for every acknowledged connection. */
  readonly connections = new Inbox<number>();
  readonly #client: Client;
  #entries = new Map<string, FollowedEntry>();
  /** Changes that came while the calendar was being loaded: newer than what is loaded, or the same. */
  #meanwhile: Change[] | undefined;
  #loading: Promise<void> = Promise.resolve();
  #disposed = false;

  constructor(private readonly options: FollowerOptions) {
    this.#client = createClient({
      url: `${options.url.replace(/^http/, 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: async () => ({ authorization: `Bearer ${await options.token()}` }),
      retryAttempts: Number.POSITIVE_INFINITY,
      // By default the library gives up at the first connection that is refused, as it is while a server starts.
      shouldRetry: () => true,
      retryWait: () => pause(RETRY_MS),
      on: {
        connected: () => this.connections.add(this.connections.items.length + 1),
        closed: (event) => {
          const { code, reason } = event as { code: number; reason: string };
          this.closes.add({ code, reason });
        },
      },
    });
    this.#client.subscribe<{ calendarChanged: Change }>(
      { query: CHANGES, variables: { id: options.guideId } },
      { next: ({ data }) => data && this.#hear(data.calendarChanged), error: () => undefined, complete: () => undefined },
    );
  }

  #hear(change: Change): void {
    if (change.kind === 'REFETCH') void this.load();
    else if (this.#meanwhile) this.#meanwhile.push(change);
    else this.#apply(change);
    this.changes.add(change);
  }

  #apply({ kind, entryId, entry }: Change): void {
    if (kind === 'REMOVED') this.#entries.delete(entryId ?? '');
    else if (entry) this.#entries.set(entry.id, entry);
  }

  /** Loads the whole calendar, again and again until it is answered. */
  load(): Promise<void> {
    this.#meanwhile ??= [];
    this.#loading = this.#loading.then(() => this.#load());
    return this.#loading;
  }

  async #load(): Promise<void> {
    const { url, guideId, range, token } = this.options;
    while (!this.#disposed) {
      const answer = await client(url)
        .query<{ guide: { calendar: FollowedEntry[] } | null } | null>(CALENDAR, { id: guideId, range }, await token())
        .catch(() => undefined);
      if (answer?.data?.guide && answer.errors === undefined) {
        this.#entries = new Map(answer.data.guide.calendar.map((entry) => [entry.id, entry]));
        for (const change of this.#meanwhile ?? []) this.#apply(change);
        this.#meanwhile = undefined;
        return;
      }
      await pause(RETRY_MS);
    }
  }

  /** As a front end would show it now, by start. */
  get entries(): FollowedEntry[] {
    return [...this.#entries.values()].sort((one, other) => one.start.localeCompare(other.start));
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    await this.#client.dispose();
  }
}
