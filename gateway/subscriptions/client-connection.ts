import { GraphQLError, type ExecutionArgs, type GraphQLFormattedError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import { unauthenticated } from '../errors.js';
import { bearerToken } from '../tokens.js';
import type { Directory, VerifiedViewer, VerifyAccessToken } from '../types.js';
import { failed, instanceRemoved, readsTooSlowly, tokenRefused, tooManyMessages, tooManySockets, type Closing } from './closing.js';
import type { SubscriptionsConfig } from './config.js';
import { checkDocument, type DocumentRules } from './document.js';
import { OperationStream } from './operation-stream.js';
import type { Upstreams } from './upstreams.js';

export interface ConnectionServices {
  readonly directory: Directory;
  readonly verifyAccessToken: VerifyAccessToken;
  readonly upstreams: Upstreams;
  readonly documents: DocumentRules;
  readonly config: SubscriptionsConfig;
  readonly logger: Logger;
  /** Counts this connection to the account; false when the account has too many already. Given back by the caller when the socket is closed. */
  readonly admit: (connection: ClientConnection, account: string) => boolean;
}

/** Errors an instance has sent for an operation, on their way through graphql-ws to the client, unchanged. */
export class UpstreamErrors extends Error {
  constructor(readonly errors: readonly GraphQLFormattedError[]) {
    super('The instance has ended the operation with errors');
  }
}

/** Beyond this, setTimeout fires at once. Tokens live minutes. */
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * One client's socket: his token and its end, his operations, what waits for him. Whatever ends it, `end` does it:
 * the operations upstream are completed and the timer is cleared at once, without waiting for the client's answer.
 */
export class ClientConnection {
  readonly #socket: WebSocket;
  readonly #services: ConnectionServices;
  /** graphql-ws forgets an operation whose id is used again while it is being prepared; this set does not. */
  readonly #streams = new Set<OperationStream>();
  #preparing = 0;
  #viewer: VerifiedViewer | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #closing: Closing | undefined;
  #gone = false;
  #messages = 0;
  #windowStart = performance.now();

  constructor(socket: WebSocket, services: ConnectionServices) {
    this.#socket = socket;
    this.#services = services;
  }

  /** Code of the viewer's home instance, once he has shown a token. */
  get home(): string | undefined {
    return this.#viewer?.issuer;
  }

  /** Why the gateway has closed the socket; undefined when it has not. */
  get closing(): Closing | undefined {
    return this.#closing;
  }

  /** False for a message that must not be read any more: the socket is being closed. */
  receive(): boolean {
    if (this.#over) return false;
    const now = performance.now();
    if (now - this.#windowStart >= 60_000) {
      this.#windowStart = now;
      this.#messages = 0;
    }
    this.#messages += 1;
    if (this.#messages <= this.#services.config.maxMessagesPerMinute) return true;
    this.end(tooManyMessages);
    return false;
  }

  /**
   * Hands the message to the socket without waiting until it is written. What a slow client has not taken is then
   * counted in one place, `bufferedAmount`, instead of piling up unseen in front of a waiting reader.
   */
  send(message: string): void {
    if (this.#over) return;
    this.#socket.send(message);
    if (this.#socket.bufferedAmount > this.#services.config.bufferBytes) this.end(readsTooSlowly);
  }

  /** `connection_init`. False when the socket is closed or being closed. */
  async authenticate(params: Readonly<Record<string, unknown>> | undefined): Promise<boolean> {
    const viewer = await this.#verify(params?.['authorization']);
    if (viewer === undefined) return false;
    this.#viewer = viewer;
    if (!this.#services.admit(this, `${viewer.issuer}/${viewer.accountId}`)) {
      this.end(tooManySockets);
      return false;
    }
    this.#expiry = setTimeout(
      () => {
        this.end(tokenRefused('TOKEN_EXPIRED'));
      },
      Math.min(viewer.expiresAt - Date.now(), LONGEST_TIMER_MS),
    );
    return true;
  }

  /** `subscribe`: what graphql-ws is to execute, or the errors for the client. The context value opens the stream. */
  async prepare(payload: SubscribePayload): Promise<ExecutionArgs | readonly GraphQLError[]> {
    const { config, documents, logger } = this.#services;
    if (this.#streams.size + this.#preparing >= config.perSocket) {
      return [
        new GraphQLError(`A socket carries at most ${config.perSocket} operations.`, {
          extensions: { code: 'OPERATION_LIMIT_EXCEEDED' },
        }),
      ];
    }
    this.#preparing += 1;
    try {
      const document = checkDocument(payload, documents);
      if (!('kind' in document)) return document;
      const viewer = this.#viewer === undefined ? undefined : await this.#verify(`Bearer ${this.#viewer.token}`);
      return {
        schema: documents.schema,
        document,
        operationName: payload.operationName,
        contextValue: () => this.#open(payload, viewer),
      };
    } catch (error) {
      logger.error({ err: error }, 'an operation could not be prepared');
      this.end(failed);
      return [new GraphQLError('Internal server error', { extensions: { code: 'INTERNAL_SERVER_ERROR' } })];
    } finally {
      this.#preparing -= 1;
    }
  }

  /** Idempotent; the first reason counts. */
  end(closing: Closing): void {
    if (this.#over) return;
    this.#closing = closing;
    this.#release();
    this.#socket.close(closing.code, closing.reason);
  }

  /** The socket's `close` event. */
  closed(): void {
    this.#gone = true;
    this.#release();
  }

  get #over(): boolean {
    return this.#gone || this.#closing !== undefined || this.#socket.readyState !== this.#socket.OPEN;
  }

  #release(): void {
    clearTimeout(this.#expiry);
    for (const stream of this.#streams) void stream.return();
  }

  /** Undefined when the token is no longer good, or the socket has gone meanwhile; then the socket is closed. */
  async #verify(authorization: unknown): Promise<VerifiedViewer | undefined> {
    const { verifyAccessToken, directory, logger } = this.#services;
    let viewer: VerifiedViewer;
    try {
      const token = bearerToken(typeof authorization === 'string' ? authorization : undefined);
      if (token === undefined) throw unauthenticated('TOKEN_MISSING');
      viewer = await verifyAccessToken(token);
    } catch (error) {
      if (error instanceof GraphQLError && error.extensions['code'] === 'UNAUTHENTICATED') {
        this.end(tokenRefused(error.extensions['reason']));
      } else {
        logger.error({ err: error }, 'a token could not be checked');
        this.end(failed);
      }
      return undefined;
    }
    if (directory.get(viewer.issuer) === undefined) this.end(tokenRefused('ISSUER_UNKNOWN'));
    else if (viewer.expiresAt <= Date.now()) this.end(tokenRefused('TOKEN_EXPIRED'));
    return this.#over ? undefined : viewer;
  }

  #open(payload: SubscribePayload, viewer: VerifiedViewer | undefined): OperationStream {
    let dispose: (() => void) | undefined;
    const stream = new OperationStream(() => {
      this.#streams.delete(stream);
      dispose?.();
    });
    if (viewer === undefined || this.#over) {
      stream.finish();
      return stream;
    }
    this.#streams.add(stream);
    dispose = this.#services.upstreams.subscribe(
      viewer.issuer,
      {
        query: payload.query,
        variables: payload.variables,
        operationName: payload.operationName,
        // The client's own extensions stay here.
        extensions: { authorization: `Bearer ${viewer.token}` },
      },
      {
        next: (result) => {
          stream.push(result);
        },
        error: (errors) => {
          const refusal = errors.find((error) => error.extensions?.['code'] === 'UNAUTHENTICATED');
          if (refusal === undefined) stream.finish(new UpstreamErrors(errors));
          else this.end(tokenRefused(refusal.extensions?.['reason']));
        },
        complete: () => {
          stream.finish();
        },
        lost: (closing) => {
          this.end(closing);
        },
      },
    );
    return stream;
  }

  /** The registry has changed. */
  checkHome(): void {
    if (this.#viewer !== undefined && this.#services.directory.get(this.#viewer.issuer) === undefined) {
      this.end(instanceRemoved);
    }
  }
}
