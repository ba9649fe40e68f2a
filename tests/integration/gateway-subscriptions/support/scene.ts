import { once } from 'node:events';
import { WebSocket } from 'ws';
import { TestClient } from './client.js';
import { FakeInstance } from './fake-instance.js';
import { TestDirectory, TestGateway, type GatewayOptions } from './gateway.js';
import { Issuer } from './keys.js';
import { Log } from './log.js';

/** One gateway, the instances `castle` and `abbey`, any number of clients; everything ends with `dispose`. */
export class Scene {
  readonly castle = new FakeInstance();
  readonly abbey = new FakeInstance();
  readonly #clients: TestClient[] = [];
  readonly #raw: RawClient[] = [];

  private constructor(
    readonly gateway: TestGateway,
    readonly directory: TestDirectory,
    readonly castleTokens: Issuer,
    readonly abbeyTokens: Issuer,
  ) {}

  static async start(options: Partial<GatewayOptions> = {}): Promise<Scene> {
    const directory = new TestDirectory();
    const issuers = [new Issuer('castle'), new Issuer('abbey')] as const;
    const scene = new Scene(new TestGateway({ ...options, directory, issuers }), directory, ...issuers);
    await Promise.all([scene.castle.start(), scene.abbey.start()]);
    directory.set('castle', scene.castle.endpoint);
    directory.set('abbey', scene.abbey.endpoint);
    await scene.gateway.start();
    return scene;
  }

  client(token: (() => string | undefined) | string, retryAttempts?: number): TestClient {
    const client = new TestClient(this.gateway.url, token, retryAttempts);
    this.#clients.push(client);
    return client;
  }

  async rawClient(): Promise<RawClient> {
    const client = new RawClient(new WebSocket(this.gateway.url, 'graphql-transport-ws'));
    this.#raw.push(client);
    await once(client.socket, 'open');
    return client;
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.dispose()));
    for (const { socket } of this.#raw) socket.terminate();
    await this.gateway.stop();
    await Promise.all([this.castle.stop(), this.abbey.stop()]);
  }
}

export interface RawMessage {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

/** Says exactly what the test says. */
export class RawClient {
  readonly messages = new Log<RawMessage>();
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => {
      this.messages.add(JSON.parse(String(data)) as RawMessage);
    });
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        resolve({ code, reason: String(reason) });
      });
    });
  }

  send(message: RawMessage | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async init(token: string): Promise<void> {
    this.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
    await this.messages.first(({ type }) => type === 'connection_ack');
  }

  subscribe(id: string, query: string, variables?: object, operationName?: string): void {
    this.send({ type: 'subscribe', id, payload: { query, variables, operationName } });
  }

  /** The answer to an operation that was refused. */
  async error(id: string): Promise<{ message: string; extensions: Record<string, unknown> }[]> {
    const message = await this.messages.first((candidate) => candidate.id === id);
    if (message.type !== 'error') throw new Error(`Expected an error, got ${message.type}`);
    return message.payload as { message: string; extensions: Record<string, unknown> }[];
  }
}
