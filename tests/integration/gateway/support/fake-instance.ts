import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { GraphQLError, buildSchema, execute, parse, validate, type ExecutionResult } from 'graphql';
import jsonwebtoken from 'jsonwebtoken';
import { accessToken, signToken, testKey, type AccessTokenOptions, type TestKey } from './keys.js';
import { rootValue, type FakeViewer } from './fake-resolvers.js';
import { servedSdl } from './schema.js';

export interface FakeEntry {
  readonly id: string;
  readonly start: string;
  readonly end: string;
  readonly offerTitle: string | null;
  /** Set on a copy of a partner's entry. */
  readonly replicaOf?: string;
  readonly kind?: 'BLOCK';
  readonly disputed?: true;
  /** What the instance says of the house the entry is of, if not the truth. */
  readonly instance?: { readonly code: string; readonly name: string; readonly url: string; readonly logo: null };
}

export interface FakeGuide {
  readonly id: string;
  readonly globalId: string;
  readonly displayName: string;
  /** Codes of the instances the guide is coupled in. */
  readonly coupledIn: string[];
  /** How old the copies of a partner are, in seconds. */
  replicaAges: Record<string, number>;
  entries: FakeEntry[];
}

export interface RecordedRequest {
  readonly headers: IncomingMessage['headers'];
  readonly query: string;
  readonly variables: Record<string, unknown>;
  readonly raw: string;
}

/** What an instance answers in the place of its real answer; `hang` never answers. */
export type Misbehaviour = 'hang' | ((real: ExecutionResult) => { status?: number; body: string });

const schema = buildSchema(servedSdl);

/** An instance server as the gateway sees it: docs/protocol.md §3 and §4 over real HTTP. */
export class FakeInstance {
  readonly key: TestKey = testKey();
  readonly linkKey: TestKey = testKey();
  readonly guides: FakeGuide[] = [];
  readonly requests: RecordedRequest[] = [];
  /** Link keys of partners, by code. */
  readonly partners = new Map<string, TestKey>();
  misbehaviour: Misbehaviour | undefined;
  /** Holds answers back until it resolves. */
  beforeAnswer: (() => Promise<void>) | undefined;
  /** Ids in the order they were noted by `addNote`. */
  readonly notes: string[] = [];
  wellKnown: () => unknown = () => this.publicDocument();
  wellKnownRequests = 0;
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();
  private port = 0;

  constructor(
    readonly code: string,
    readonly gatewayKey: TestKey,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => void this.handle(request, response));
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
    return this;
  }

  /** Cuts all connections; `start` brings it back under the same address. */
  async stop(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    this.server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  token(guide: FakeGuide | undefined, options: AccessTokenOptions = {}): string {
    return accessToken(this.code, this.key, { guide: guide?.id, ...options });
  }

  publicDocument(): Record<string, unknown> {
    return {
      code: this.code,
      name: `Museum ${this.code}`,
      url: `https://${this.code}.example.org`,
      logo: null,
      homepage: null,
      locale: 'de-DE',
      timeZone: 'Europe/Berlin',
      protocol: 1,
      jwks: { keys: [this.key.publicJwk] },
    };
  }

  grant(guide: FakeGuide, partner: string): string {
    return signToken({
      typ: 'lotse-grant+jwt',
      key: this.linkKey,
      life: 60,
      claims: { iss: this.code, aud: partner, sub: guide.globalId, link: 'link', coupling: 'coupling', scope: 'linked:read' },
    });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/.well-known/lotse.json') {
      this.wellKnownRequests += 1;
      response.setHeader('content-type', 'application/json').end(JSON.stringify(this.wellKnown()));
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const raw = Buffer.concat(chunks).toString();
    const { query, variables = {} } = JSON.parse(raw) as { query: string; variables?: Record<string, unknown> };
    this.requests.push({ headers: request.headers, query, variables, raw });
    if (this.misbehaviour === 'hang') return;
    await this.beforeAnswer?.();
    const result = this.execute(request, query, variables);
    const tampered = this.misbehaviour?.(result);
    response.statusCode = tampered?.status ?? (result.data === undefined ? 401 : 200);
    response.setHeader('content-type', 'application/json');
    response.end(tampered?.body ?? JSON.stringify(result));
  }

  private execute(request: IncomingMessage, query: string, variables: Record<string, unknown>): ExecutionResult {
    try {
      const viewer = this.viewer(request);
      const document = parse(query);
      const errors = validate(schema, document);
      if (errors.length > 0) return { data: null, errors: errors.map((error) => new GraphQLError(`${error.message} in ${query}`)) };
      const result = execute({ schema, document, variableValues: variables, rootValue: rootValue(this, viewer) });
      if (result instanceof Promise) throw new TypeError('The fake resolvers are synchronous.');
      return result;
    } catch (error) {
      return { errors: [error instanceof GraphQLError ? error : new GraphQLError(String(error))] };
    }
  }

  private viewer(request: IncomingMessage): FakeViewer {
    jsonwebtoken.verify(String(request.headers['x-lotse-gateway']), this.gatewayKey.publicKey, {
      algorithms: ['ES256'],
      audience: this.code,
      issuer: 'gateway',
    });
    const token = request.headers.authorization?.replace('Bearer ', '');
    if (token === undefined) return { kind: 'nobody' };
    const decoded = jsonwebtoken.decode(token, { complete: true });
    if (decoded?.header.typ === 'lotse-grant+jwt') {
      const { iss } = decoded.payload as { iss: string };
      const key = this.partners.get(iss);
      if (key === undefined) throw refusal('ISSUER_UNKNOWN');
      const claims = jsonwebtoken.verify(token, key.publicKey, { algorithms: ['ES256'], audience: this.code }) as { sub: string };
      return { kind: 'partner', globalId: claims.sub };
    }
    try {
      const claims = jsonwebtoken.verify(token, this.key.publicKey, { algorithms: ['ES256'], audience: this.code }) as {
        sub: string;
        role: string;
        guide?: string;
      };
      return { kind: 'viewer', role: claims.role, guide: claims.guide, account: claims.sub };
    } catch {
      throw refusal('TOKEN_REVOKED');
    }
  }
}

function refusal(reason: string): GraphQLError {
  return new GraphQLError('refused', { extensions: { code: 'UNAUTHENTICATED', reason } });
}

/** Makes the instances know each other's link keys. */
export function link(...instances: readonly FakeInstance[]): void {
  for (const one of instances) {
    for (const other of instances) {
      if (one !== other) one.partners.set(other.code, other.linkKey);
    }
  }
}
