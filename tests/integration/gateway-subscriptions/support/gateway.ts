import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { attachSubscriptions, type AttachOptions, type SubscriptionsConfig } from '../../../../gateway/subscriptions/index.js';
import { accessTokenVerifier, gatewayCredentials } from '../../../../gateway/tokens.js';
import type { Directory, RegisteredInstance, Subscriptions, VerifyAccessToken } from '../../../../gateway/types.js';
import { gatewayKey, type Issuer } from './keys.js';
import { Log } from './log.js';
import { clientSchema } from './schema.js';

/** A registry the test changes by hand. */
export class TestDirectory implements Directory {
  readonly #instances = new Map<string, RegisteredInstance>();
  readonly #callbacks = new Set<() => void>();

  get(code: string): RegisteredInstance | undefined {
    return this.#instances.get(code);
  }

  all(): readonly RegisteredInstance[] {
    return [...this.#instances.values()];
  }

  onChange(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  get listeners(): number {
    return this.#callbacks.size;
  }

  set(code: string, endpoint: string): void {
    this.#instances.set(code, { code, endpoint, name: code, url: null, logo: null, homepage: null });
    for (const callback of this.#callbacks) callback();
  }

  /** As between a change and its announcement. */
  removeSilently(code: string): void {
    this.#instances.delete(code);
  }

  remove(code: string): void {
    this.#instances.delete(code);
    for (const callback of this.#callbacks) callback();
  }
}

/** Only what differs from production: quick retries, and nothing that a busy machine could mistake for a dead peer. */
const quick: Partial<SubscriptionsConfig> = { upstreamRetryMaxMs: 200, upstreamOutageMs: 30_000, closeTimeoutMs: 200 };

export interface GatewayOptions {
  readonly directory: TestDirectory;
  readonly issuers: readonly Issuer[];
  readonly settings?: Partial<SubscriptionsConfig>;
  readonly validationRules?: AttachOptions['validationRules'];
  readonly maxTokens?: number;
}

/** The WebSocket half of a gateway on a free port. */
export class TestGateway {
  readonly metrics = new Registry();
  /** Every line that was logged. */
  readonly logged = new Log<string>();
  /** May be replaced at any time. */
  verify: VerifyAccessToken;
  readonly #options: GatewayOptions;
  readonly #credential = gatewayCredentials(gatewayKey());
  readonly #connections = new Set<Socket>();
  #http: Server | undefined;
  #subscriptions: Subscriptions | undefined;
  #port = 0;

  constructor(options: GatewayOptions) {
    this.#options = options;
    const keys = new Map(options.issuers.map(({ code, kid, publicKey }) => [`${code}/${kid}`, publicKey]));
    this.verify = accessTokenVerifier(options.directory, { find: (code, kid) => keys.get(`${code}/${kid}`) }, 1_000);
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/graphql`;
  }

  /** On the same port as before. */
  async start(): Promise<this> {
    const { directory, settings, validationRules, maxTokens = 1_000 } = this.#options;
    const http = createServer();
    http.on('connection', (socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    this.metrics.clear();
    this.#subscriptions = attachSubscriptions({
      httpServer: http,
      directory,
      verifyAccessToken: (token) => this.verify(token),
      gatewayCredential: this.#credential,
      schema: clientSchema,
      config: { subscriptions: { ...quick, ...settings }, limits: { tokens: maxTokens } },
      logger: pino({ level: 'debug' }, {
        write: (line: string) => {
          this.logged.add(line);
        },
      }),
      validationRules,
      metrics: this.metrics,
    });
    await new Promise<void>((resolve) => {
      http.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (http.address() as AddressInfo).port;
    this.#http = http;
    return this;
  }

  /** Gracefully; every socket has gone afterwards. */
  async stop(): Promise<void> {
    const http = this.#http;
    this.#http = undefined;
    await this.#subscriptions?.close();
    if (http === undefined) return;
    await new Promise<void>((resolve) => {
      http.close(() => {
        resolve();
      });
    });
  }

  /** As a network that is cut: no close frame. */
  cut(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  /** Once the gateway has seen so many sockets to its end. */
  async closed(sockets: { readonly clients?: number; readonly instances?: number }): Promise<void> {
    await this.logged.atLeast(sockets.clients ?? 0, (line) => line.includes('"client socket closed"'));
    await this.logged.atLeast(sockets.instances ?? 0, (line) => line.includes('"instance socket closed"'));
  }

  /** The sum over all labels. */
  async metric(name: string): Promise<number> {
    const metric = await this.metrics.getSingleMetric(`lotse_gateway_ws_${name}`)?.get();
    return metric?.values.reduce((sum, { value }) => sum + value, 0) ?? Number.NaN;
  }
}
