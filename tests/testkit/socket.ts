import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

/** What has come so far, in order, and a way to wait for more. */
export class Inbox<Item> {
  readonly items: Item[] = [];
  #read = 0;
  #wake: (() => void)[] = [];

  add(item: Item): void {
    this.items.push(item);
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }

  /** The next unread item that fits; those before it count as read. @throws after `timeoutMs`, with all that came instead */
  async waitFor(fits: (item: Item) => boolean = () => true, timeoutMs = 5_000): Promise<Item> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      while (this.#read < this.items.length) {
        const item = this.items[this.#read++] as Item;
        if (fits(item)) return item;
      }
      await this.#more(deadline, timeoutMs);
    }
  }

  async #more(deadline: number, timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(new Error(`nothing that fits came within ${timeoutMs} ms; there were ${JSON.stringify(this.items)}`)),
      Math.max(0, deadline - Date.now()),
    );
    this.#wake.push(resolve);
    await promise.finally(() => clearTimeout(timer));
  }
}

export interface WsMessage<Data> {
  data: Data;
  errors?: { message: string; extensions: Record<string, unknown> & { code: string } }[];
}

export interface WsSubscription<Data> {
  readonly messages: Inbox<WsMessage<Data>>;
  /** How the library ended it: `complete`, or the errors or close event it gave up with. */
  readonly ended: Promise<unknown>;
  waitForMessage(fits?: (data: Data) => boolean, timeoutMs?: number): Promise<Data>;
  unsubscribe(): void;
}

export interface WsTestClient {
  readonly closes: Inbox<{ code: number; reason: string }>;
  /** One item for every acknowledged connection. */
  readonly connections: Inbox<number>;
  /** The newest socket. */
  socket(): WebSocket | undefined;
  subscribe<Data>(document: string, variables?: Record<string, unknown>): WsSubscription<Data>;
  dispose(): Promise<void>;
}

/** A stock graphql-ws client with async `connectionParams`; of its defaults only the wait between attempts is shorter. */
export function wsClient(url: string, token: () => string | undefined | Promise<string | undefined>, options: { retryAttempts?: number } = {}): WsTestClient {
  const closes = new Inbox<{ code: number; reason: string }>();
  const connections = new Inbox<number>();
  let socket: WebSocket | undefined;
  const inner: Client = createClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: async () => {
      const value = await token();
      return value === undefined ? {} : { authorization: `Bearer ${value}` };
    },
    retryWait: () => new Promise((resolve) => void setTimeout(resolve, 20)),
    ...options,
    on: {
      opened: (opened) => {
        socket = opened as WebSocket;
      },
      connected: () => connections.add(connections.items.length + 1),
      closed: (event) => {
        const { code, reason } = event as { code: number; reason: string };
        closes.add({ code, reason });
      },
    },
  });
  return {
    closes,
    connections,
    socket: () => socket,
    subscribe<Data>(document: string, variables: Record<string, unknown> = {}) {
      const messages = new Inbox<WsMessage<Data>>();
      const ended = Promise.withResolvers<unknown>();
      const unsubscribe = inner.subscribe<Data>(
        { query: document, variables },
        {
          next: (message) => messages.add(message as WsMessage<Data>),
          error: (error) => ended.resolve(error),
          complete: () => ended.resolve('complete'),
        },
      );
      return {
        messages,
        ended: ended.promise,
        unsubscribe,
        waitForMessage: async (fits: (data: Data) => boolean = () => true, timeoutMs?: number) => (await messages.waitFor(({ data }) => fits(data), timeoutMs)).data,
      };
    },
    dispose: async () => {
      await Promise.resolve(inner.dispose()).catch(() => undefined);
      socket?.terminate();
    },
  };
}
