import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FormattedExecutionResult, ValidationRule } from 'graphql';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import type { Registry } from 'prom-client';
import { WebSocketServer, type WebSocket } from 'ws';
import type { GatewayConfig } from '../config.js';
import { formatError, homeErrors } from '../errors.js';
import type { Subscriptions, SubscriptionsOptions } from '../types.js';
import { ClientConnection, UpstreamErrors, type ConnectionServices } from './client-connection.js';
import { gatewayRestarts, tooManySockets } from './closing.js';
import { defaultSubscriptionsConfig, type SubscriptionsConfig } from './config.js';
import { keepAlive } from './keep-alive.js';
import { closeCodeLabel, createMetrics } from './metrics.js';
import { OperationStream } from './operation-stream.js';
import { socketClosed } from './socket-closed.js';
import { Upstreams } from './upstreams.js';

export { subscriptionsConfig, subscriptionsEnvironment, type SubscriptionsConfig } from './config.js';

export interface AttachOptions extends Omit<SubscriptionsOptions, 'config'> {
  readonly config: {
    /** What is missing has its default. */
    readonly subscriptions: Partial<SubscriptionsConfig>;
    readonly limits: Pick<GatewayConfig['limits'], 'tokens'>;
  };
  /** Limits of a document (depth, aliases, cost), besides the rules of the specification. */
  readonly validationRules?: readonly ValidationRule[];
  /** Where the metrics are published. */
  readonly metrics?: Registry;
}

const PATH = '/graphql';

/**
 * Serves subscriptions to clients on the HTTP server's `/graphql` and passes them to the viewers' home instances.
 * Close codes: docs/protocol.md §1.
 */
export function attachSubscriptions(options: AttachOptions): Subscriptions {
  const { httpServer, directory, verifyAccessToken, gatewayCredential, schema } = options;
  const logger = options.logger.child({ part: 'subscriptions' });
  const config: SubscriptionsConfig = { ...defaultSubscriptionsConfig, ...options.config.subscriptions };
  const metrics = createMetrics(options.metrics);
  const upstreams = new Upstreams({ directory, gatewayCredential, config, logger, metrics });
  const connections = new Map<ClientConnection, WebSocket>();
  const accounts = new Accounts(config.maxSocketsPerAccount);
  const services: ConnectionServices = {
    directory,
    verifyAccessToken,
    upstreams,
    documents: { schema, validationRules: options.validationRules ?? [], maxTokens: options.config.limits.tokens },
    config,
    logger,
    admit: (connection, account) => accounts.admit(connection, account),
  };

  const graphql = makeServer<Record<string, unknown>, ClientConnection>({
    connectionInitWaitTimeout: config.initTimeoutMs,
    onConnect: ({ extra, connectionParams }) => extra.authenticate(connectionParams),
    onSubscribe: ({ extra }, _id, payload) => extra.prepare(payload),
    subscribe: (args) => openStream(args.contextValue),
    // Results come from the instance in their wire form; only errors are looked at, as for HTTP.
    onNext: (_context, _id, _payload, _args, { errors, ...result }): FormattedExecutionResult =>
      errors === undefined ? result : { ...result, errors: homeErrors(errors).map(formatError) },
    onError: (_context, _id, _payload, errors) => {
      const original = errors[0]?.originalError;
      const known = original instanceof UpstreamErrors ? homeErrors(original.errors) : errors.map((error) => error.toJSON());
      return known.map(formatError);
    },
  });

  // In the types of ws this option is still missing.
  const closeTimeout = { closeTimeout: config.closeTimeoutMs };
  const sockets = new WebSocketServer({
    noServer: true,
    path: PATH,
    maxPayload: config.maxPayloadBytes,
    perMessageDeflate: false,
    clientTracking: false,
    handleProtocols,
    ...closeTimeout,
  });

  const accept = (socket: WebSocket): void => {
    const connection = new ClientConnection(socket, services);
    connections.set(connection, socket);
    metrics.clientSockets.set(connections.size);
    keepAlive(socket, config.keepAliveMs);
    socket.on('error', (error) => {
      // A broken frame or an oversized message; ws closes the socket itself.
      logger.debug({ error: error.message }, 'a client socket has failed');
    });
    const closed = graphql.opened(
      {
        protocol: socket.protocol,
        send: (message) => {
          connection.send(message);
        },
        close: (code, reason) => {
          socket.close(code, reason);
        },
        onMessage: (handle) => {
          socket.on('message', (data) => {
            if (!connection.receive()) return;
            // The hooks above do not throw; the library does for messages only a server may send.
            handle(String(data)).catch(() => {
              socket.close(CloseCode.BadRequest, 'Invalid message received');
            });
          });
        },
      },
      connection,
    );
    socket.once('close', (code, reason) => {
      connections.delete(connection);
      accounts.release(connection);
      connection.closed();
      metrics.clientSockets.set(connections.size);
      const closeCode = connection.closing?.code ?? code;
      metrics.closes.inc({ code: closeCodeLabel(closeCode) });
      logger.debug({ instance: connection.home, closeCode }, 'client socket closed');
      void closed(code, String(reason));
    });
    if (connections.size > config.maxSockets) connection.end(tooManySockets);
  };

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (sockets.shouldHandle(request)) {
      sockets.handleUpgrade(request, socket, head, accept);
    } else {
      // Nobody else listens to this socket: an error would end the process, a half-open one would stay.
      socket.on('error', () => socket.destroy());
      socket.once('finish', () => socket.destroy());
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    }
  };
  httpServer.on('upgrade', upgrade);

  const forgetDirectory = directory.onChange(() => {
    for (const connection of connections.keys()) connection.checkHome();
    upstreams.refresh();
  });

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    httpServer.off('upgrade', upgrade);
    forgetDirectory();
    const gone = [...connections.values()].map((socket) => socketClosed(socket));
    for (const connection of connections.keys()) connection.end(gatewayRestarts);
    await Promise.all([...gone, upstreams.close()]);
    sockets.close();
  };
  return { close: () => (closing ??= close()) };
}

/** The context value that ClientConnection.prepare has set. */
function openStream(open: unknown): OperationStream {
  const stream: unknown = typeof open === 'function' ? open() : undefined;
  if (!(stream instanceof OperationStream)) throw new Error('The operation was not prepared');
  return stream;
}

/** Open sockets by account. */
class Accounts {
  readonly #limit: number;
  readonly #counts = new Map<string, number>();
  readonly #admitted = new Map<ClientConnection, string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  admit(connection: ClientConnection, account: string): boolean {
    const count = this.#counts.get(account) ?? 0;
    if (count >= this.#limit) return false;
    this.#counts.set(account, count + 1);
    this.#admitted.set(connection, account);
    return true;
  }

  release(connection: ClientConnection): void {
    const account = this.#admitted.get(connection);
    if (account === undefined) return;
    this.#admitted.delete(connection);
    const count = (this.#counts.get(account) ?? 0) - 1;
    if (count > 0) this.#counts.set(account, count);
    else this.#counts.delete(account);
  }
}
