import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import { Log } from './log.js';
import { calendarChanged } from './schema.js';

export interface Received {
  readonly kind: string;
  readonly entry: { readonly id: string; readonly offerTitle: string } | null;
}

export interface TestOperation {
  readonly events: Log<Received>;
  /** How the client library has ended it: `complete`, GraphQL errors, or the close event it gave up on. */
  readonly result: Promise<unknown>;
  unsubscribe(): void;
}

/** A stock graphql-ws client; of its defaults only the waits are shorter. */
export class TestClient {
  readonly closes = new Log<{ code: number; reason: string }>();
  readonly connected = new Log<number>();
  /** The newest socket. */
  socket: WebSocket | undefined;
  readonly #client: Client;

  constructor(url: string, token: (() => string | undefined) | string, retryAttempts?: number) {
    this.#client = createClient({
      url,
      webSocketImpl: WebSocket,
      connectionParams: async () => {
        const value = typeof token === 'string' ? token : await Promise.resolve(token());
        return value === undefined ? {} : { authorization: `Bearer ${value}` };
      },
      retryWait: () => new Promise((resolve) => void setTimeout(resolve, 10)),
      retryAttempts,
      on: {
        opened: (socket) => {
          this.socket = socket as WebSocket;
        },
        connected: () => {
          this.connected.add(this.connected.items.length);
        },
        closed: (event) => {
          const { code, reason } = event as { code: number; reason: string };
          this.closes.add({ code, reason });
        },
      },
    });
  }

  subscribe(guideId: string, query = calendarChanged): TestOperation {
    const events = new Log<Received>();
    const result = Promise.withResolvers<unknown>();
    const unsubscribe = this.#client.subscribe<{ calendarChanged: Received }>(
      { query, variables: { guideId } },
      {
        next: ({ data }) => {
          if (data) events.add(data.calendarChanged);
        },
        error: (error) => {
          result.resolve(error);
        },
        complete: () => {
          result.resolve('complete');
        },
      },
    );
    return { events, result: result.promise, unsubscribe };
  }

  async dispose(): Promise<void> {
    await Promise.resolve(this.#client.dispose()).catch(() => undefined);
    this.socket?.terminate();
  }
}
