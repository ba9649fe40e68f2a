import { EventEmitter, on } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeExecutableSchema } from '@graphql-tools/schema';
import { GraphQLError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer, type WebSocket } from 'ws';
import { Log } from './log.js';
import { typeDefs } from './schema.js';

/** One subscription an instance has accepted. */
export interface FakeOperation {
  readonly id: string;
  readonly guideId: string;
  readonly authorization: string;
  readonly payload: SubscribePayload;
  readonly socket: WebSocket;
  readonly ended: Promise<void>;
  emit(entryId: string, offerTitle?: string): void;
  /** As when a token has expired or was revoked: `error` for this operation, the socket stays. */
  refuse(reason: string): void;
  fail(code: string): void;
  complete(): void;
}

type Signal =
  | { readonly entry: { readonly id: string; readonly offerTitle: string } }
  | { readonly error: GraphQLError }
  | { readonly end: true };

interface InstanceContext {
  readonly id: string;
  readonly payload: SubscribePayload;
  readonly socket: WebSocket;
}

/** Speaks docs/protocol.md §4 towards the gateway, and can misbehave. What it knows of sessions survives `stop`, as in a database. */
export class FakeInstance {
  readonly sockets = new Log<WebSocket>();
  readonly operations = new Log<FakeOperation>();
  readonly credentials: unknown[] = [];
  /** Runs before `connection_ack`. */
  beforeAck: () => Promise<void> = async () => undefined;
  readonly #live = new Set<FakeOperation>();
  readonly #known = new Set<string>();
  #http: Server | undefined;
  #ws: WebSocketServer | undefined;
  #port = 0;

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get live(): readonly FakeOperation[] {
    return [...this.#live];
  }

  /** On the same port as before. */
  async start(): Promise<this> {
    const http = createServer();
    const ws = new WebSocketServer({ server: http, path: '/federation' });
    useServer<Record<string, unknown>>(
      {
        schema: makeExecutableSchema({
          typeDefs,
          resolvers: {
            Subscription: {
              calendarChanged: {
                subscribe: (_root: unknown, { guideId }: { guideId: string }, context: InstanceContext) =>
                  this.#subscribe(guideId, context),
              },
            },
          },
        }),
        onConnect: async ({ connectionParams }) => {
          this.credentials.push(connectionParams?.['gateway']);
          await this.beforeAck();
          return true;
        },
        context: ({ extra }, id, payload): InstanceContext => ({ id, payload, socket: extra.socket }),
      },
      ws,
    );
    ws.on('connection', (socket) => {
      // Each operation listens to it.
      socket.setMaxListeners(0);
      this.sockets.add(socket);
    });
    await new Promise<void>((resolve) => {
      http.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (http.address() as AddressInfo).port;
    this.#http = http;
    this.#ws = ws;
    return this;
  }

  /** As a killed process: no close frame. */
  async stop(): Promise<void> {
    const [http, ws] = [this.#http, this.#ws];
    this.#http = undefined;
    this.#ws = undefined;
    if (http === undefined || ws === undefined) return;
    for (const socket of ws.clients) socket.terminate();
    ws.close();
    http.closeAllConnections();
    await new Promise<void>((resolve) => {
      http.close(() => {
        resolve();
      });
    });
  }

  /** The newest living operation for this guide, present or to come. */
  operation(guideId: string): Promise<FakeOperation> {
    return this.operations.first((operation) => operation.guideId === guideId && this.#live.has(operation));
  }

  async *#subscribe(guideId: string, { id, payload, socket }: InstanceContext): AsyncGenerator<unknown> {
    const authorization = String(payload.extensions?.['authorization']);
    const session = sessionOf(authorization);
    const emitter = new EventEmitter();
    const ended = Promise.withResolvers<void>();
    const send = (signal: Signal) => {
      emitter.emit('signal', signal);
    };
    const operation: FakeOperation = {
      id,
      guideId,
      authorization,
      payload,
      socket,
      ended: ended.promise,
      emit: (entryId, offerTitle = 'Tour') => {
        send({ entry: { id: entryId, offerTitle } });
      },
      refuse: (reason) => {
        send({ error: new GraphQLError('Refused', { extensions: { code: 'UNAUTHENTICATED', reason } }) });
      },
      fail: (code) => {
        send({ error: new GraphQLError(`Failed with ${code}`, { extensions: { code, secret: 'internal' } }) });
      },
      complete: () => {
        send({ end: true });
      },
    };
    const abort = new AbortController();
    const signals = on(emitter, 'signal', { signal: abort.signal });
    const known = this.#known.has(`${session}/${guideId}`);
    this.#known.add(`${session}/${guideId}`);
    this.#live.add(operation);
    // A suspended generator cannot be returned from outside: leaving is noticed at the socket and by `complete`.
    const leave = () => {
      abort.abort();
    };
    socket.once('close', leave);
    const onMessage = (data: unknown) => {
      const message = JSON.parse(String(data)) as { type: string; id?: string };
      if (message.type === 'complete' && message.id === id) leave();
    };
    socket.on('message', onMessage);
    this.operations.add(operation);
    try {
      if (known) yield { calendarChanged: { kind: 'REFETCH', entry: null } };
      for await (const [signal] of signals as AsyncIterable<[Signal]>) {
        if ('error' in signal) throw signal.error;
        if ('end' in signal) return;
        yield { calendarChanged: { kind: 'CREATED', entry: signal.entry } };
      }
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    } finally {
      socket.off('close', leave);
      socket.off('message', onMessage);
      this.#live.delete(operation);
      ended.resolve();
    }
  }
}

/** `sid` of the token; whether it is genuine is not what these tests are about. */
function sessionOf(authorization: string): string {
  const claims = authorization.split('.')[1] ?? '';
  return (JSON.parse(Buffer.from(claims, 'base64url').toString()) as { sid: string }).sid;
}
