import { createHash, type KeyObject, randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buildSchema, execute, parse } from 'graphql';
import { generateKeyPair, privateKeyFromPem } from '../../instance-server/platform/keys.js';
import type { House } from './federation-house.js';
import { sign, testKey, type TestKey } from './keys.js';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface PartnerEntry {
  id: string;
  start: string;
  end: string;
  offerTitle: string | null;
}

export interface PartnerAnswer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body: string | Buffer;
}

/** What it does instead of answering honestly; it gets the honest answer. */
export type Lie = 'hang' | 'hang up' | ((honest: string) => PartnerAnswer);

/** Its side of one link. */
export interface PartnerLink {
  readonly id: string;
  readonly house: House;
  readonly key: { readonly kid: string; readonly privateKey: KeyObject };
}

const schema = buildSchema(`
  scalar DateTime
  scalar _Any
  input TimeRangeInput { start: DateTime!, end: DateTime! }
  enum CalendarEntryKind { BOOKING BLOCK }
  type CalendarEntry { id: ID!, start: DateTime!, end: DateTime!, kind: CalendarEntryKind!, offerTitle: String }
  type Guide { id: ID!, calendar(range: TimeRangeInput!): [CalendarEntry!]! }
  union _Entity = Guide
  type Query { _entities(representations: [_Any!]!): [_Entity]! }
`);

/**
 * A linked instance that is not ours: it has its own keys, keeps whatever it is sent, and answers what a test wants. It speaks
 * docs/protocol.md; that its schema has the stitched fields alone shows that the gateway asks a partner for nothing else.
 */
export class FakePartner {
  readonly received: Received[] = [];
  readonly links: PartnerLink[] = [];
  /** Signs its access tokens. */
  readonly accessKey: TestKey = testKey();
  /** Its assignments of every guide it is asked for. */
  entries: PartnerEntry[] = [];
  lie: Lie | undefined;
  /** What it answers to calls of partners, by action, instead of what it would; one of another release. */
  speak: ((action: string, said: Record<string, unknown>) => { status: number; body: Record<string, unknown> } | undefined) | undefined;
  readonly #sockets = new Set<Socket>();
  #delivered: { number: number; id: string | null } = { number: 0, id: null };

  private constructor(
    readonly code: string,
    private readonly server: Server,
  ) {}

  static async start(code: string): Promise<FakePartner> {
    const server = createServer();
    const partner = new FakePartner(code, server);
    server.on('request', (request, response) => void partner.#handle(request, response));
    server.on('connection', (socket) => {
      partner.#sockets.add(socket);
      socket.on('close', () => partner.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return partner;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get info(): { code: string; name: string; url: string } {
    return { code: this.code, name: `House ${this.code}`, url: `https://${this.code}.example` };
  }

  /** Made by the house's operator and ours. */
  async linkWith(house: House): Promise<PartnerLink> {
    const offer = await house.operator.proposeLink(this.code);
    const { kid, publicJwk, privatePem } = generateKeyPair();
    await house.operator.completeLink({ linkId: offer.linkId, ...this.info, endpoint: this.url, publicJwk });
    const link = { id: offer.linkId, house, key: { kid, privateKey: privateKeyFromPem(privatePem) } };
    this.links.push(link);
    return link;
  }

  /** A signed call of a partner, or what looks like one. */
  async call(link: PartnerLink, action: string, input: unknown, claims: Record<string, unknown> = {}): Promise<{ status: number; body: Record<string, unknown> }> {
    const path = `/partner/v1/${action}`;
    const body = JSON.stringify(input);
    const hash = createHash('sha256').update(body).digest('base64url');
    const token = sign({
      typ: 'lotse-partner+jwt',
      key: link.key,
      claims: { iss: this.code, aud: link.house.code, link: link.id, jti: randomUUID(), body: hash, path, ...claims },
    });
    const response = await fetch(`${link.house.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const path = request.url ?? '';
    response.setHeader('content-type', 'application/json');
    if (path === '/.well-known/lotse.json') {
      response.end(JSON.stringify({ ...this.info, logo: null, homepage: null, locale: 'de', timeZone: 'Europe/Berlin', protocol: 1, jwks: { keys: [this.accessKey.publicJwk] } }));
      return;
    }
    this.received.push({ path, headers: request.headers, body });
    if (path !== '/federation') {
      const answer = this.#hear(path, body);
      const spoken = this.speak?.(path.replace('/partner/v1/', ''), answer) ?? { status: 200, body: answer };
      response.writeHead(spoken.status).end(JSON.stringify(spoken.body));
      return;
    }
    const { lie } = this;
    if (lie === 'hang') return;
    if (lie === 'hang up') {
      request.socket.destroy();
      return;
    }
    const honest = this.#answer(body);
    const { status = 200, headers = {}, body: answered } = lie?.(honest) ?? { body: honest };
    response.writeHead(status, headers).end(answered);
  }

  /** Says that it has taken what is delivered, and remembers no more of it than the number. */
  #hear(path: string, body: string): Record<string, unknown> {
    const { number, id, incarnation } = JSON.parse(body) as { number: number; id: string; incarnation: number };
    if (path === '/partner/v1/sync/deliver') {
      this.#delivered = { number, id };
      return { number, answers: [] };
    }
    if (path === '/partner/v1/sync/digest') return { comparable: true, different: [], older: [] };
    if (path !== '/partner/v1/sync/heartbeat') return { ok: true };
    return { incarnation: 1, release: 2, sent: { number: 0, id: null }, acked: 0, received: { incarnation, ...this.#delivered }, complete: true, claimed: true };
  }

  #answer(body: string): string {
    const { query, variables } = JSON.parse(body) as { query: string; variables: Record<string, unknown> };
    const rootValue = {
      _entities: ({ representations }: { representations: { id: string }[] }) => representations.map(({ id }) => ({ __typename: 'Guide', id, calendar: () => this.entries })),
    };
    return JSON.stringify(execute({ schema, document: parse(query), variableValues: variables, rootValue }));
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
