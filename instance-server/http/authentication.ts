import { randomUUID } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Instance } from '../composition.js';
import { type Feeds, RequestContext, type Viewer } from '../platform/context.js';
import { unauthenticated } from '../platform/errors/application-errors.js';
import { peekToken, TokenError } from '../platform/tokens.js';

/** Life of a gateway credential, seconds. */
const GATEWAY_TOKEN_SECONDS = 300;

/** The token of `Authorization: Bearer …`. @throws TokenError when the header is there and is something else. */
export function bearer(header: unknown): string | undefined {
  if (header === undefined || header === null || header === '') return undefined;
  if (typeof header !== 'string') throw new TokenError('TOKEN_INVALID');
  const match = /^Bearer ([\w.~+/=-]+)$/i.exec(header);
  if (!match?.[1]) throw new TokenError('TOKEN_INVALID');
  return match[1];
}

/** Responsible for who a request is from, over HTTP and over WebSocket alike. */
export class Authentication {
  readonly #feeds: Feeds;

  constructor(
    private readonly instance: Instance,
    private readonly gatewayKeys: Map<string, KeyObject>,
  ) {
    this.#feeds = {
      calendar: (ctx, guideId) => instance.calendars.changes(ctx, guideId),
      requests: (ctx, guideId) => instance.requestFeed.changes(ctx, guideId),
    };
  }

  /** @throws GraphQLError UNAUTHENTICATED with the reason */
  async client(authorization: unknown, address: string, requestId?: string): Promise<RequestContext> {
    return this.#context(await this.#viewer(authorization, false), false, address, requestId);
  }

  /** A request with a gateway credential; the viewer may be a partner's grant. @throws GraphQLError */
  async viaGateway(authorization: unknown, address: string, requestId?: string): Promise<RequestContext> {
    return this.#context(await this.#viewer(authorization, true), true, address, requestId);
  }

  /** @throws GraphQLError when this is no credential of a configured gateway */
  checkGateway(credential: unknown): void {
    try {
      if (typeof credential !== 'string') throw new TokenError('TOKEN_MISSING');
      const { kid, typ } = peekToken(credential);
      const key = this.gatewayKeys.get(kid);
      if (!key || typ !== 'lotse-gateway+jwt') throw new TokenError('TOKEN_INVALID');
      const { verifier, clock, code } = this.instance;
      verifier.verify(credential, { kind: 'lotse-gateway+jwt', issuer: 'gateway', audience: code, maxLifeSeconds: GATEWAY_TOKEN_SECONDS, key }, clock.now());
    } catch (error) {
      throw error instanceof TokenError ? unauthenticated(error.reason) : error;
    }
  }

  async #viewer(authorization: unknown, grantsToo: boolean): Promise<Viewer> {
    try {
      const token = bearer(authorization);
      if (!token) return { kind: 'ANONYMOUS' };
      const isGrant = grantsToo && peekToken(token).typ === 'lotse-grant+jwt';
      return await (isGrant ? this.instance.grants.verify(token) : this.instance.sessions.authenticate(token));
    } catch (error) {
      throw error instanceof TokenError ? unauthenticated(error.reason) : error;
    }
  }

  #context(viewer: Viewer, viaGateway: boolean, address: string, requestId: string = randomUUID()): RequestContext {
    return new RequestContext(viewer, viaGateway, requestId, address, this.instance.clock, this.#feeds);
  }
}
