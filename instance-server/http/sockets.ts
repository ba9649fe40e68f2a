import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type ExecutionArgs,
  getOperationAST,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  OperationTypeNode,
  parse,
  specifiedRules,
  validate,
  type ValidationRule,
} from 'graphql';
import { type Context, MessageType, type SubscribePayload } from 'graphql-ws';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Instance } from '../composition.js';
import { type InstanceConfig, isIntrospectionOn } from '../config.js';
import type { AccountViewer, RequestContext } from '../platform/context.js';
import { unauthenticated } from '../platform/errors/application-errors.js';
import { formatErrors } from '../platform/graphql/format-error.js';
import { limitRules } from '../platform/graphql/limits.js';
import type { Authentication } from './authentication.js';

/** Close codes of docs/protocol.md §1, all of which a stock client retries. */
const CLOSE = { forbidden: 4403, restart: 1012, tryLater: 1013 } as const;

type Connection = Context<Record<string, unknown> | undefined, Extra>;

interface Operation {
  ctx: RequestContext;
  /** Ends it because its viewer may no longer ask: his token expired or his session ended. */
  refuse: (reason: 'TOKEN_EXPIRED' | 'TOKEN_REVOKED') => void;
  expiry: NodeJS.Timeout;
}

interface SocketDependencies {
  server: Server;
  instance: Instance;
  config: InstanceConfig;
  authentication: Authentication;
  schemas: { client: GraphQLSchema; federation: GraphQLSchema };
  logger: Logger;
}

/**
 * Subscriptions over WebSocket: at /graphql for clients, one viewer a socket; at /federation for gateways, the viewer's token in every
 * subscribe message. A viewer whose token expires or whose session ends loses his operations within a second: a client's socket is
 * closed so that the client comes back with a fresh token, a gateway's is not, since others share it.
 */
export class Sockets {
  readonly #operations = new Set<Operation>();
  readonly #servers: { wss: WebSocketServer; dispose: () => void | Promise<void> }[] = [];
  readonly #stopWatching: () => void;

  constructor(private readonly deps: SocketDependencies) {
    const { server, instance, config } = deps;
    const endpoints = new Map([
      ['/graphql', this.#serve('client')],
      ['/federation', this.#serve('gateway')],
    ]);
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // Compared as text: parsing what anybody may send could throw, and nobody would catch it.
      const wss = endpoints.get((request.url ?? '').split('?', 1)[0] ?? '');
      if (!wss) {
        socket.on('error', () => socket.destroy());
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n', () => socket.destroy());
        return;
      }
      if (wss.clients.size >= config.WS_MAX_SOCKETS) {
        socket.on('error', () => socket.destroy());
        socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n', () => socket.destroy());
        return;
      }
      wss.handleUpgrade(request, socket, head, (client) => wss.emit('connection', client, request));
    });
    this.#stopWatching = instance.sessions.watch((sessionId) => void this.#recheck(sessionId));
  }

  #serve(kind: 'client' | 'gateway'): WebSocketServer {
    const { config, authentication } = this.deps;
    const wss = new WebSocketServer({ noServer: true, maxPayload: config.WS_MAX_PAYLOAD_BYTES, perMessageDeflate: false });
    const rules = limitRules({ depth: config.LIMIT_DEPTH, aliases: config.LIMIT_ALIASES, cost: config.LIMIT_COST });
    const format = formatErrors(this.deps.logger);
    const hints = isIntrospectionOn(config) ? /$^/ : / ?Did you mean .+\?$/;
    const formatted = (errors: readonly GraphQLError[]): GraphQLFormattedError[] =>
      errors.map((error) => {
        const shown = format(error.toJSON(), error);
        // Suggestions tell names that introspection, where it is off, does not.
        return { ...shown, message: shown.message.replace(hints, '') };
      });
    const own = new WeakMap<Connection, Map<string, Operation>>();
    const operationsOf = (connection: Connection): Map<string, Operation> => {
      let known = own.get(connection);
      if (!known) own.set(connection, (known = new Map()));
      return known;
    };
    const release = (connection: Connection, id: string): void => {
      const operation = operationsOf(connection).get(id);
      if (!operation) return;
      clearTimeout(operation.expiry);
      this.#operations.delete(operation);
      operationsOf(connection).delete(id);
    };

    const disposable = useServer<Record<string, unknown> | undefined>(
      {
        connectionInitWaitTimeout: config.WS_INIT_TIMEOUT_MS,
        onConnect: async (connection) => {
          try {
            const { gateway, authorization } = connection.connectionParams ?? {};
            if (kind === 'gateway') authentication.checkGateway(gateway);
            else await this.#requireAccount(authorization, connection.extra.request);
            return true;
          } catch (error) {
            connection.extra.socket.close(...closingFor(error));
            return false;
          }
        },
        onSubscribe: async (connection, id, payload) => {
          const { socket, request } = connection.extra;
          const known = operationsOf(connection);
          try {
            const authorization = kind === 'gateway' ? payload.extensions?.authorization : connection.connectionParams?.authorization;
            const ctx = await this.#requireAccount(authorization, request, kind === 'gateway');
            // After the only wait, so that messages that come all at once are counted one by one.
            if (kind === 'client' && known.size >= config.WS_MAX_OPERATIONS) {
              return [new GraphQLError('Too many operations on this socket.', { extensions: { code: 'OPERATION_LIMIT_EXCEEDED' } })];
            }
            const args = this.#prepare(kind, payload, ctx, kind === 'client' ? rules : []);
            if (Array.isArray(args)) return args as readonly GraphQLError[];
            const operation: Operation = {
              ctx,
              refuse: (reason) => {
                if (kind === 'client') socket.close(CLOSE.forbidden, reason);
                else this.#endOne(connection, id, reason);
                release(connection, id);
              },
              expiry: setTimeout(() => operation.refuse('TOKEN_EXPIRED'), expiresInMs(ctx)),
            };
            known.set(id, operation);
            this.#operations.add(operation);
            return args as ExecutionArgs;
          } catch (error) {
            // Left to the library, a fault would close with 4500, which a stock client takes for final.
            const isRefusal = error instanceof GraphQLError;
            if (kind === 'client' && (!isRefusal || error.extensions.code === 'UNAUTHENTICATED')) socket.close(...closingFor(error));
            return [isRefusal ? error : new GraphQLError('Try again later.')];
          }
        },
        onError: (_connection, _id, _payload, errors) => formatted(errors),
        onNext: (connection, _id, _payload, _args, result) => {
          const { socket } = connection.extra;
          if (socket.bufferedAmount > config.WS_MAX_BUFFERED_BYTES) this.#drop(socket);
          return result.errors ? { ...result, errors: formatted(result.errors) } : undefined;
        },
        onComplete: (connection, id) => release(connection, id),
        onClose: (connection) => {
          for (const id of operationsOf(connection).keys()) release(connection, id);
        },
      },
      wss,
      config.WS_KEEP_ALIVE_MS,
    );
    // Whatever makes us answer (pings and refused operations too) counts: who never reads is let go before it piles up.
    wss.on('connection', (socket: WebSocket) => {
      socket.on('message', () => {
        if (socket.bufferedAmount > config.WS_MAX_BUFFERED_BYTES) socket.terminate();
      });
    });
    this.#servers.push({ wss, dispose: () => disposable.dispose() });
    return wss;
  }

  async #requireAccount(authorization: unknown, request: IncomingMessage, viaGateway = false): Promise<RequestContext> {
    const { authentication } = this.deps;
    const address = request.socket.remoteAddress ?? '';
    const ctx = viaGateway ? await authentication.viaGateway(authorization, address) : await authentication.client(authorization, address);
    if (ctx.viewer.kind !== 'ACCOUNT') throw unauthenticated('TOKEN_MISSING');
    return ctx;
  }

  /** Arguments of the execution, or what is wrong with the document. */
  #prepare(kind: 'client' | 'gateway', payload: SubscribePayload, ctx: RequestContext, rules: ValidationRule[]): ExecutionArgs | readonly GraphQLError[] {
    const schema = kind === 'client' ? this.deps.schemas.client : this.deps.schemas.federation;
    const coded = (error: GraphQLError, code: string) => new GraphQLError(error.message, { ...error, extensions: { code, ...error.extensions } });
    let document;
    try {
      document = parse(payload.query, { maxTokens: this.deps.config.LIMIT_TOKENS });
    } catch (error) {
      return [coded(error as GraphQLError, 'GRAPHQL_PARSE_FAILED')];
    }
    if (getOperationAST(document, payload.operationName)?.operation !== OperationTypeNode.SUBSCRIPTION) {
      return [new GraphQLError('Only subscriptions are served over WebSocket.', { extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } })];
    }
    const errors = validate(schema, document, [...specifiedRules, ...rules], { maxErrors: 10 });
    if (errors.length > 0) return errors.map((error) => coded(error, 'GRAPHQL_VALIDATION_FAILED'));
    return { schema, document, operationName: payload.operationName, variableValues: payload.variables, contextValue: ctx };
  }

  /** Ends one operation of a shared socket with an error; the socket and its other operations go on. */
  #endOne(connection: Connection, id: string, reason: 'TOKEN_EXPIRED' | 'TOKEN_REVOKED'): void {
    const subscription = connection.subscriptions[id];
    const { socket } = connection.extra;
    // Taken away first: the library then ends the stream silently, also one that it is still opening.
    delete connection.subscriptions[id];
    const payload = [unauthenticated(reason).toJSON()];
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify({ id, type: MessageType.Error, payload }));
    void (subscription as AsyncIterator<unknown> | null | undefined)?.return?.(undefined);
  }

  /** A reader that cannot keep up is let go; it comes back, is told to load its calendar again, and nothing was kept for it. */
  #drop(socket: WebSocket): void {
    socket.close(CLOSE.tryLater, 'too slow');
    setTimeout(() => socket.terminate(), 1_000).unref();
  }

  async #recheck(sessionId: string | undefined): Promise<void> {
    const concerned = Map.groupBy(
      [...this.#operations].filter(({ ctx }) => sessionId === undefined || (ctx.viewer as AccountViewer).sessionId === sessionId),
      ({ ctx }) => (ctx.viewer as AccountViewer).sessionId,
    );
    // One look for each session, all at once: nobody's revocation waits for another's.
    await Promise.all(
      [...concerned.values()].map(async (operations) => {
        const stands = await this.deps.instance.sessions.stands(operations[0]?.ctx.viewer as AccountViewer).catch(() => false);
        if (stands) return;
        for (const operation of operations) if (this.#operations.has(operation)) operation.refuse('TOKEN_REVOKED');
      }),
    );
  }

  async close(): Promise<void> {
    this.#stopWatching();
    for (const { wss, dispose } of this.#servers) {
      for (const client of wss.clients) {
        client.close(CLOSE.restart, 'restarting');
        setTimeout(() => client.terminate(), 1_000).unref();
      }
      await dispose();
    }
    for (const { expiry } of this.#operations) clearTimeout(expiry);
    this.#operations.clear();
  }
}

const expiresInMs = (ctx: RequestContext): number => Math.max(0, (ctx.viewer as AccountViewer).expiresAt * 1000 - ctx.now().getTime());

/** A refusal says why; a fault of ours, such as a database that does not answer, asks to come back later. */
function closingFor(error: unknown): [code: number, reason: string] {
  if (!(error instanceof GraphQLError)) return [CLOSE.tryLater, 'try again later'];
  return [CLOSE.forbidden, typeof error.extensions.reason === 'string' ? error.extensions.reason : 'Forbidden'];
}
