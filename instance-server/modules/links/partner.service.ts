import type { Clock } from '../../platform/clock.js';
import { sha256Base64Url } from '../../platform/crypto.js';
import type { Database } from '../../platform/database/database.js';
import { peekToken, type TokenClaims, TokenError, type TokenExpectation, type TokenVerifier } from '../../platform/tokens.js';
import type { LinkDirectory } from './link.directory.js';
import { type PartnerAction, type PartnerActions, PartnerCallError } from './partner-actions.js';
import { keyWasUsed } from './link.keys.js';
import { PARTNER_TOKEN_SECONDS } from './partner-client.js';

/** A call that was refused, for metrics and the log: nothing that the caller wrote. */
export interface RefusedCall {
  /** Code of the instance that signed it; empty when that is not proven. */
  partner: string;
  /** `unknown` for one that does not exist. */
  action: string;
  code: string;
}

/**
 * Responsible for what partner instances ask of us: checks who calls, that the call is whole, new and of the whitelist, and applies it
 * as worker in one transaction. Repeated messages have no second effect; what is refused is counted.
 */
export class PartnerService {
  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly verifier: TokenVerifier,
    private readonly clock: Clock,
    private readonly instanceCode: string,
    private readonly actions: PartnerActions,
    private readonly refused: (call: RefusedCall) => void,
  ) {}

  /** @throws PartnerCallError */
  async handle(action: string, token: string | undefined, body: string): Promise<Record<string, unknown>> {
    const call = { action, partner: '' };
    try {
      if (token === undefined) throw new PartnerCallError(401, 'UNAUTHENTICATED');
      return await this.#handle(call, token, body);
    } catch (error) {
      if (error instanceof PartnerCallError) this.refuse(action, error, call.partner);
      throw error;
    }
  }

  /** Counts a call that was refused, also before it came here. */
  refuse(action: string, { code, facts }: PartnerCallError, partner = ''): void {
    const reason = code === 'ITEM_REFUSED' ? facts['reason'] : undefined;
    this.refused({ partner, action: this.actions.has(action) ? action : 'unknown', code: String(reason ?? code) });
  }

  async #handle(call: { action: string; partner: string }, token: string, body: string): Promise<Record<string, unknown>> {
    const known = this.actions.get(call.action);
    const { link, claims, kid } = await this.#authenticate(token, call, body, known);
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

  async #authenticate(token: string, call: { action: string; partner: string }, body: string, known: PartnerAction | undefined) {
    try {
      const { kid, typ, iss } = peekToken(token);
      if (typ !== 'lotse-partner+jwt') throw new TokenError('TOKEN_INVALID');
      const { link, pinned } = (await this.directory.signer(iss, kid)) ?? (known?.afterEnd ? this.#endedSigner(iss, kid) : undefined) ?? {};
      if (!link || !pinned) throw new TokenError('ISSUER_UNKNOWN');
      if (known?.withNewestKey && pinned.acceptedUntil) throw new TokenError('TOKEN_INVALID');
      const expected = { kind: 'lotse-partner+jwt', issuer: iss, audience: this.instanceCode, maxLifeSeconds: PARTNER_TOKEN_SECONDS, key: pinned.key } as const;
      const claims = this.#verify(token, expected, call);
      call.partner = iss;
      const whole = claims.link === link.id && claims.body === sha256Base64Url(body) && claims.path === `/partner/v1/${call.action}` && typeof claims.jti === 'string' && claims.jti.length <= 64;
      if (!whole) throw new TokenError('TOKEN_INVALID');
      if (!link.isOpen && !known?.whileSuspended) throw new PartnerCallError(403, 'LINK_NOT_OPEN');
      return { link, claims, kid };
    } catch (error) {
      if (error instanceof TokenError) throw new PartnerCallError(401, 'UNAUTHENTICATED');
      throw error;
    }
  }

  /** @throws PartnerCallError CLOCK_SKEWED when the partner's clock and ours differ so much that his calls are of another time */
  #verify(token: string, expected: TokenExpectation, call: { partner: string }): TokenClaims {
    try {
      return this.verifier.verify(token, expected, this.clock.now());
    } catch (error) {
      if (!this.verifier.isRightInItsTime(token, expected)) throw error;
      call.partner = expected.issuer;
      throw new PartnerCallError(401, 'CLOCK_SKEWED');
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
