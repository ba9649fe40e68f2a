import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { ExponentialBackoff, type IBackoffFactory } from 'cockatiel';
import type { ExecutionResult, GraphQLFormattedError } from 'graphql';
import { createClient, type Client, type FormattedExecutionResult, type SubscribePayload } from 'graphql-ws';
import type { Logger } from 'pino';
import { WebSocket } from 'ws';
import { instanceUnavailable, type Closing } from './closing.js';
import type { SubscriptionsConfig } from './config.js';
import { keepAlive } from './keep-alive.js';
import type { SubscriptionMetrics } from './metrics.js';

/** What one operation hears. After `error`, `complete` or `lost` it hears nothing more. */
export interface UpstreamListener {
  next(result: ExecutionResult): void;
  error(errors: readonly GraphQLFormattedError[]): void;
  complete(): void;
  /** Events may be missing from here on: the client must be closed so that it starts anew. */
  lost(closing: Closing): void;
}

export interface UpstreamOptions {
  readonly code: string;
  /** Read for every connection, so that a changed registry counts from the next one. */
  readonly address: () => string;
  readonly credential: () => string;
  readonly config: SubscriptionsConfig;
  readonly logger: Logger;
  readonly metrics: SubscriptionMetrics;
  /** A socket was created; it lives until its `close` event. */
  readonly onSocket: (socket: WebSocket) => void;
  /** The last operation has gone. This upstream closes its socket and is not used again. */
  readonly onIdle: () => void;
}

/** A connection that has held this long was a good one: the next attempts wait little again. */
const STABLE_MS = 10_000;

/**
 * The one socket to an instance, shared by all its viewers here. It lives from the first operation to the last.
 *
 * graphql-ws connects, multiplexes and, when the socket is lost, subscribes every living operation again with the
 * same message; the instance then sends `REFETCH` first (docs/protocol.md §1), so no gap stays unseen. When the
 * instance is not back within the time limit, or refuses for good, every operation is told that it is lost.
 */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #client: Client;
  readonly #listeners = new Set<UpstreamListener>();
  readonly #idle = new AbortController();
  #socket: WebSocket | undefined;
  #connectedAt: number | undefined;
  #outage: NodeJS.Timeout | undefined;
  #backoff: IBackoffFactory<unknown>;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#backoff = this.#newBackoff();
    this.#client = this.#createClient();
  }

  /** Returns the function that ends the operation; it may be called at any time and more than once. */
  subscribe(payload: SubscribePayload, listener: UpstreamListener): () => void {
    const { config, metrics, code } = this.#options;
    if (this.#socket !== undefined && this.#socket.bufferedAmount > config.upstreamBufferBytes) {
      listener.lost(instanceUnavailable);
      return () => undefined;
    }
    this.#listeners.add(listener);
    metrics.operations.inc({ instance: code });
    if (this.#connectedAt === undefined) this.#startOutage();
    const dispose = this.#client.subscribe<FormattedExecutionResult['data'], FormattedExecutionResult['extensions']>(
      payload,
      {
        next: (result) => {
          // The wire form of errors; it is passed on as it came.
          if (this.#listeners.has(listener)) listener.next(result as ExecutionResult);
        },
        error: (error) => {
          if (!this.#remove(listener)) return;
          // Errors of the operation come as a list; everything else is the end of the connection.
          if (Array.isArray(error)) listener.error(error as GraphQLFormattedError[]);
          else listener.lost(instanceUnavailable);
        },
        complete: () => {
          if (this.#remove(listener)) listener.complete();
        },
      },
    );
    return () => {
      if (!this.#listeners.has(listener)) return;
      // Before the removal: the last one closes the socket, and `complete` must go out first.
      dispose();
      this.#remove(listener);
    };
  }

  /** Leaves the present socket; all operations move to the present address. */
  reconnect(): void {
    this.#backoff = this.#newBackoff();
    this.#socket?.terminate();
  }

  /** Ends all operations. */
  abandon(closing: Closing): void {
    for (const listener of this.#listeners) {
      // Closing the client ends its operations, which removes them here.
      listener.lost(closing);
      this.#remove(listener);
    }
  }

  #createClient(): Client {
    const { address, credential, config, logger, metrics, code } = this.#options;
    const adopt = (socket: WebSocket) => {
      this.#adopt(socket);
    };
    // In the types of ws this option is still missing.
    const closing = { closeTimeout: config.closeTimeoutMs };
    class UpstreamSocket extends WebSocket {
      constructor(url: string, protocol: string) {
        super(url, protocol, {
          maxPayload: config.upstreamMaxPayloadBytes,
          handshakeTimeout: config.upstreamConnectTimeoutMs,
          perMessageDeflate: false,
          ...closing,
        });
        adopt(this);
      }
    }
    return createClient({
      url: address,
      webSocketImpl: UpstreamSocket,
      connectionParams: () => ({ gateway: credential() }),
      connectionAckWaitTimeout: config.upstreamConnectTimeoutMs,
      generateID: () => randomUUID(),
      // The time limit of an outage ends the attempts, not their number.
      retryAttempts: Infinity,
      shouldRetry: () => this.#listeners.size > 0,
      retryWait: () => this.#pause(),
      on: {
        connecting: (isRetry) => {
          if (isRetry) metrics.upstreamReconnects.inc({ instance: code });
        },
        connected: (_socket, _payload, wasRetry) => {
          this.#connectedAt = performance.now();
          clearTimeout(this.#outage);
          this.#outage = undefined;
          logger.info({ instance: code, again: wasRetry }, 'connected to the instance');
        },
        closed: (event) => {
          const closeCode = (event as { code?: number }).code;
          this.#disconnected(closeCode);
          // The library takes 1000 for a wish to be called again at once: an instance could make us spin.
          if (closeCode === 1000) this.abandon(instanceUnavailable);
        },
        error: () => {
          // One emitter serves all sockets of this client, one after the other: a late `close` of the one that
          // has failed would be taken for the end of its successor.
          const socket = this.#socket;
          if (socket !== undefined) {
            // oxlint-disable-next-line unicorn/prefer-add-event-listener -- takes away the library's own handler
            socket.onclose = null;
            socket.terminate();
          }
          this.#disconnected(undefined);
        },
      },
    });
  }

  #adopt(socket: WebSocket): void {
    const { config, metrics, code, logger, onSocket } = this.#options;
    this.#socket = socket;
    keepAlive(socket, config.keepAliveMs);
    metrics.upstreamSockets.inc({ instance: code });
    socket.once('close', () => {
      metrics.upstreamSockets.dec({ instance: code });
      if (this.#socket === socket) this.#socket = undefined;
      logger.debug({ instance: code }, 'instance socket closed');
    });
    onSocket(socket);
  }

  #disconnected(closeCode: number | undefined): void {
    if (this.#connectedAt !== undefined && performance.now() - this.#connectedAt >= STABLE_MS) {
      this.#backoff = this.#newBackoff();
    }
    this.#connectedAt = undefined;
    if (this.#listeners.size === 0) return;
    this.#startOutage();
    this.#options.logger.warn(
      { instance: this.#options.code, closeCode, operations: this.#listeners.size },
      'no connection to the instance',
    );
  }

  #startOutage(): void {
    this.#outage ??= setTimeout(() => {
      this.abandon(instanceUnavailable);
    }, this.#options.config.upstreamOutageMs);
  }

  async #pause(): Promise<void> {
    const step = this.#backoff.next(undefined);
    this.#backoff = step;
    // Idle in between: there is nothing to connect for, the library gives up.
    await wait(step.duration, undefined, { signal: this.#idle.signal }).catch(() => undefined);
  }

  #newBackoff(): IBackoffFactory<unknown> {
    const maxDelay = this.#options.config.upstreamRetryMaxMs;
    return new ExponentialBackoff({ initialDelay: maxDelay / 20, maxDelay });
  }

  #remove(listener: UpstreamListener): boolean {
    const known = this.#listeners.delete(listener);
    if (!known) return false;
    this.#options.metrics.operations.dec({ instance: this.#options.code });
    if (this.#listeners.size === 0) this.#stop();
    return true;
  }

  #stop(): void {
    clearTimeout(this.#outage);
    this.#idle.abort();
    // An open socket is closed by graphql-ws with its last operation; one that is still connecting is not.
    if (this.#connectedAt === undefined) this.#socket?.terminate();
    this.#options.onIdle();
  }
}
