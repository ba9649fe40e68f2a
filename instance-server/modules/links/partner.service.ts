import type { Clock } from '../../platform/clock.js';
import { sha256Base64Url } from '../../platform/crypto.js';
import type { Database } from '../../platform/database/database.js';
import { peekToken, type TokenClaims, TokenError, type TokenExpectation, type TokenVerifier } from '../../platform/tokens.js';
import type { LinkDirectory } from './link.directory.js';
import { type PartnerAction, type PartnerActions, PartnerCallError } from './partner-actions.js';
import { keyWasUsed } from './link.keys.js';
import { PARTNER_TOKEN_SECONDS } from './partner-client.js';

/**
 * Responsible for what partner instances ask of us: checks who calls, that the call is whole, new and of the whitelist, and applies it
 * as worker in one transaction. Repeated messages have no second effect.
 */
export class PartnerService {
  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly verifier: TokenVerifier,
    private readonly clock: Clock,
    private readonly instanceCode: string,
    private readonly actions: PartnerActions,
  ) {}

  /** @throws PartnerCallError */
  async handle(action: string, token: string, body: string): Promise<Record<string, unknown>> {
    const known = this.actions.get(action);
    const { link, claims, kid } = await this.#authenticate(token, action, body, known);
    if (!known) throw new PartnerCallError(404, 'UNKNOWN_ACTION');
    const message = this.#parse(known, body);
    const now = this.clock.now();
    const answer = await this.database.worker.transaction(async (tx) => {
      const fresh = await tx
        .insertInto('used_token')
        .values({ issuer: link.partnerCode, jti: String(claims.jti), expires_at: new Date((claims.exp + 60) * 1000) })
        .onConflict((conflict) => conflict.columns(['issuer', 'jti']).doNothing())
        .returning('jti')
        .executeTakeFirst();
      if (!fresh) throw new PartnerCallError(409, 'REPLAYED');
      // It ended meanwhile, and the partner tells again what has had its effect.
      if (link.state === 'ENDED') return { ok: true };
      await keyWasUsed(tx, link, kid, now);
      return known.apply(tx, link, message, now);
    });
    if (answer instanceof PartnerCallError) throw answer;
    return answer;
  }

  async #authenticate(token: string, action: string, body: string, known: PartnerAction | undefined) {
    try {
      const { kid, typ, iss } = peekToken(token);
      if (typ !== 'lotse-partner+jwt') throw new TokenError('TOKEN_INVALID');
      const { link, pinned } = (await this.directory.signer(iss, kid)) ?? (known?.afterEnd ? this.#endedSigner(iss, kid) : undefined) ?? {};
      if (!link || !pinned) throw new TokenError('ISSUER_UNKNOWN');
      if (known?.withNewestKey && pinned.acceptedUntil) throw new TokenError('TOKEN_INVALID');
      const expected = { kind: 'lotse-partner+jwt', issuer: iss, audience: this.instanceCode, maxLifeSeconds: PARTNER_TOKEN_SECONDS, key: pinned.key } as const;
      const claims = this.#verify(token, expected);
      const whole = claims.link === link.id && claims.body === sha256Base64Url(body) && claims.path === `/partner/v1/${action}` && typeof claims.jti === 'string' && claims.jti.length <= 64;
      if (!whole) throw new TokenError('TOKEN_INVALID');
      if (!link.isOpen && !known?.whileSuspended) throw new PartnerCallError(403, 'LINK_NOT_OPEN');
      return { link, claims, kid };
    } catch (error) {
      if (error instanceof TokenError) throw new PartnerCallError(401, 'UNAUTHENTICATED');
      throw error;
    }
  }

  /** @throws PartnerCallError CLOCK_SKEWED when the partner's clock and ours differ so much that his calls are of another time */
  #verify(token: string, expected: TokenExpectation): TokenClaims {
    try {
      return this.verifier.verify(token, expected, this.clock.now());
    } catch (error) {
      if (this.verifier.isRightInItsTime(token, expected)) throw new PartnerCallError(401, 'CLOCK_SKEWED');
      throw error;
    }
  }

  #endedSigner(code: string, kid: string) {
    const link = this.directory.endedByKey(code, kid);
    const pinned = link?.partnerKeys.get(kid);
    return link && pinned && { link, pinned };
  }

  #parse(action: PartnerAction, body: string): unknown {
    try {
      return action.schema.parse(JSON.parse(body));
    } catch {
      throw new PartnerCallError(400, 'MALFORMED');
    }
  }
}
