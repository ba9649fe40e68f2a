import type { Logger } from 'pino';
import type { SubscribePayload } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Directory, GatewayCredential } from '../types.js';
import { gatewayRestarts, instanceRemoved, instanceUnavailable } from './closing.js';
import type { SubscriptionsConfig } from './config.js';
import type { SubscriptionMetrics } from './metrics.js';
import { socketClosed } from './socket-closed.js';
import { Upstream, type UpstreamListener } from './upstream.js';

export interface UpstreamsOptions {
  readonly directory: Directory;
  readonly gatewayCredential: GatewayCredential;
  readonly config: SubscriptionsConfig;
  readonly logger: Logger;
  readonly metrics: SubscriptionMetrics;
}

interface Entry {
  readonly upstream: Upstream;
  address: string;
}

/** Responsible for at most one Upstream per instance; follows the registry. */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #sockets = new Set<WebSocket>();

  constructor(options: UpstreamsOptions) {
    this.#options = options;
  }

  /** Returns the function that ends the operation. */
  subscribe(code: string, payload: SubscribePayload, listener: UpstreamListener): () => void {
    const entry = this.#entries.get(code) ?? this.#open(code);
    if (entry === undefined) {
      listener.lost(instanceUnavailable);
      return () => undefined;
    }
    return entry.upstream.subscribe(payload, listener);
  }

  /** The registry has changed. */
  refresh(): void {
    for (const [code, entry] of this.#entries) {
      const address = this.#address(code);
      if (address === undefined) {
        entry.upstream.abandon(instanceRemoved);
      } else if (address !== entry.address) {
        entry.address = address;
        entry.upstream.reconnect();
      }
    }
  }

  /** Ends every operation and resolves when every socket to an instance is closed. */
  async close(): Promise<void> {
    for (const { upstream } of this.#entries.values()) upstream.abandon(gatewayRestarts);
    await Promise.all([...this.#sockets].map((socket) => socketClosed(socket)));
  }

  #open(code: string): Entry | undefined {
    const { gatewayCredential, config, logger, metrics } = this.#options;
    const address = this.#address(code);
    if (address === undefined) return undefined;
    const entry: Entry = {
      address,
      upstream: new Upstream({
        code,
        address: () => entry.address,
        credential: () => gatewayCredential(code),
        config,
        logger,
        metrics,
        onSocket: (socket) => {
          this.#sockets.add(socket);
          socket.once('close', () => this.#sockets.delete(socket));
        },
        onIdle: () => {
          this.#entries.delete(code);
        },
      }),
    };
    this.#entries.set(code, entry);
    return entry;
  }

  /** Undefined for an unknown instance and for an endpoint no WebSocket can be opened to. */
  #address(code: string): string | undefined {
    const endpoint = this.#options.directory.get(code)?.endpoint;
    if (endpoint === undefined) return undefined;
    const address = URL.parse(`${endpoint}/federation`.replace(/^http/u, 'ws'));
    // What ws would throw for, where graphql-ws lets nobody catch it.
    return address !== null && /^wss?:$/u.test(address.protocol) && address.hash === '' ? address.href : undefined;
  }
}
