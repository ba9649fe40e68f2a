import type { Clock } from '../../platform/clock.js';
import { sha256Base64Url } from '../../platform/crypto.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { publish } from '../../platform/events/events.js';
import { peekToken, TokenError, type TokenVerifier } from '../../platform/tokens.js';
import type { Actor, AuditAction, AuditService } from '../audit/index.js';
import { couplingRepository as repository, type CouplingRow } from './coupling.repository.js';
import { activateIfConfirmed, GlobalIdTaken } from './activation.js';
import { identityOf } from './coupling.rules.js';
import { isAnothers } from './global-id.js';
import type { KnownLink, LinkDirectory } from './link.directory.js';
import { PARTNER_TOKEN_SECONDS } from './partner-client.js';
import { isPartnerAction, type PartnerAction, type PartnerMessage, partnerMessages } from './partner-messages.js';

export type PartnerFailure = 'UNAUTHENTICATED' | 'REPLAYED' | 'UNKNOWN_ACTION' | 'MALFORMED' | 'LINK_NOT_OPEN' | 'NOT_FOUND' | 'NOT_PAIRWISE_LINKED' | 'GLOBAL_ID_TAKEN' | 'TOO_MANY_REQUESTS';

const DONE = { ok: true };

/** Unanswered requests one partner may have here: a hostile one must not bury the others'. */
const MAX_WAITING_REQUESTS = 200;

export class PartnerCallError extends Error {
  constructor(
    readonly status: number,
    readonly code: PartnerFailure,
  ) {
    super(code);
  }
}

/**
 * Responsible for what partner instances ask of us: checks who calls, that the call is whole, new and of the whitelist, and applies it
 * as worker in one transaction. Repeated messages have no second effect.
 */
export class PartnerService {
  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly verifier: TokenVerifier,
    private readonly audit: AuditService,
    private readonly clock: Clock,
    private readonly instanceCode: string,
  ) {}

  /** @throws PartnerCallError */
  async handle(action: string, token: string, body: string): Promise<Record<string, unknown>> {
    const { link, claims } = await this.#authenticate(token, action, body);
    if (!isPartnerAction(action)) throw new PartnerCallError(404, 'UNKNOWN_ACTION');
    const message = this.#parse(action, body);
    const now = this.clock.now();
    return this.database.worker.transaction(async (tx) => {
      const fresh = await tx
        .insertInto('used_token')
        .values({ issuer: link.partnerCode, jti: String(claims.jti), expires_at: new Date((claims.exp + 60) * 1000) })
        .onConflict((conflict) => conflict.columns(['issuer', 'jti']).doNothing())
        .returning('jti')
        .executeTakeFirst();
      if (!fresh) throw new PartnerCallError(409, 'REPLAYED');
      return this.#apply(tx, link, action, message, now);
    });
  }

  async #authenticate(token: string, action: string, body: string) {
    try {
      const { kid, typ, iss } = peekToken(token);
      if (typ !== 'lotse-partner+jwt') throw new TokenError('TOKEN_INVALID');
      await this.directory.fresh();
      const link = this.directory.byPartner(iss);
      const key = link && this.directory.partnerKey(link, kid);
      if (!link || !key) throw new TokenError('ISSUER_UNKNOWN');
      const expected = { kind: 'lotse-partner+jwt', issuer: iss, audience: this.instanceCode, maxLifeSeconds: PARTNER_TOKEN_SECONDS, key } as const;
      const claims = this.verifier.verify(token, expected, this.clock.now());
      const whole = claims.link === link.id && claims.body === sha256Base64Url(body) && claims.path === `/partner/v1/${action}` && typeof claims.jti === 'string' && claims.jti.length <= 64;
      if (!whole) throw new TokenError('TOKEN_INVALID');
      // A suspended link still hears that it is resumed or ended, and nothing else.
      if (!link.isOpen && !action.startsWith('link/')) throw new PartnerCallError(403, 'LINK_NOT_OPEN');
      return { link, claims };
    } catch (error) {
      if (error instanceof TokenError) throw new PartnerCallError(401, 'UNAUTHENTICATED');
      throw error;
    }
  }

  #parse(action: PartnerAction, body: string): unknown {
    try {
      return partnerMessages[action].parse(JSON.parse(body));
    } catch {
      throw new PartnerCallError(400, 'MALFORMED');
    }
  }

  async #apply(tx: Tx, link: KnownLink, action: PartnerAction, message: unknown, now: Date): Promise<Record<string, unknown>> {
    switch (action) {
      case 'couplings/request':
        await this.#requested(tx, link, message as PartnerMessage<'couplings/request'>, now);
        return DONE;
      case 'couplings/accept':
        await this.#accepted(tx, link, message as PartnerMessage<'couplings/accept'>, now);
        return DONE;
      case 'couplings/confirm':
        return this.#confirmed(tx, link, message as PartnerMessage<'couplings/confirm'>, now);
      case 'couplings/end':
        await this.#ended(tx, link, message as PartnerMessage<'couplings/end'>, now);
        return DONE;
      default:
        await this.#linkChanged(tx, link, action, now);
        return DONE;
    }
  }

  #checkPairwise(coupledWith: readonly string[]): void {
    const missing = coupledWith.some((code) => code !== this.instanceCode && !this.directory.byPartner(code)?.isOpen);
    if (missing) throw new PartnerCallError(409, 'NOT_PAIRWISE_LINKED');
  }

  async #requested(tx: Tx, link: KnownLink, message: PartnerMessage<'couplings/request'>, now: Date): Promise<void> {
    const known = await repository.find(tx, message.couplingId);
    if (known) {
      if (known.link_id !== link.id) throw new PartnerCallError(404, 'NOT_FOUND');
      return;
    }
    this.#checkPairwise(message.coupledWith);
    if ((await repository.countWaiting(tx, link.id)) >= MAX_WAITING_REQUESTS) throw new PartnerCallError(429, 'TOO_MANY_REQUESTS');
    await repository.insert(tx, {
      id: message.couplingId,
      link_id: link.id,
      state: 'REQUESTED',
      requested_here: false,
      requested_name: message.name,
      partner_global_id: message.globalId ?? null,
      partner_global_id_minted_at: message.globalIdMintedAt ? new Date(message.globalIdMintedAt) : null,
      created_at: now,
      updated_at: now,
    });
    await this.#log(tx, link, 'coupling.requested', message.couplingId, now);
  }

  async #accepted(tx: Tx, link: KnownLink, message: PartnerMessage<'couplings/accept'>, now: Date): Promise<void> {
    const row = await this.#lock(tx, link, message.couplingId);
    if (row.state === 'ACCEPTED' || row.state === 'ACTIVE') return;
    if (row.state !== 'REQUESTED' || !row.requested_here) throw new PartnerCallError(404, 'NOT_FOUND');
    this.#checkPairwise(message.coupledWith);
    await repository.update(tx, row.id, now, {
      state: 'ACCEPTED',
      partner_global_id: message.globalId ?? null,
      partner_global_id_minted_at: message.globalIdMintedAt ? new Date(message.globalIdMintedAt) : null,
    });
    await this.#log(tx, link, 'coupling.accepted', row.id, now);
  }

  /** The guide confirmed there. It counts as one half; the other is his own confirmation here. */
  async #confirmed(tx: Tx, link: KnownLink, message: PartnerMessage<'couplings/confirm'>, now: Date): Promise<Record<string, unknown>> {
    const row = await this.#lock(tx, link, message.couplingId);
    if ((row.state !== 'ACCEPTED' && row.state !== 'ACTIVE') || !row.guide_id) throw new PartnerCallError(404, 'NOT_FOUND');
    if (row.state === 'ACCEPTED') {
      this.#checkPairwise(message.coupledWith);
      if (await isAnothers(tx, row.guide_id, message.globalId)) throw new PartnerCallError(409, 'GLOBAL_ID_TAKEN');
      const heard = await repository.update(tx, row.id, now, {
        confirmed_there: true,
        partner_global_id: message.globalId,
        partner_global_id_minted_at: new Date(message.globalIdMintedAt),
      });
      if (!row.confirmed_there) await this.#log(tx, link, 'coupling.confirmed', row.id, now);
      const active = await activateIfConfirmed(tx, heard, now).catch((error: unknown) => {
        throw error instanceof GlobalIdTaken ? new PartnerCallError(409, 'GLOBAL_ID_TAKEN') : error;
      });
      if (active.state === 'ACTIVE') await publish(tx, { kind: 'links' });
    }
    const guide = await repository.identity(tx, row.guide_id);
    const own = identityOf(guide?.globalId, guide?.mintedAt);
    return { ...DONE, confirmed: row.confirmed_here, ...(own && { globalId: own.globalId, globalIdMintedAt: own.mintedAt.toISOString() }) };
  }

  async #ended(tx: Tx, link: KnownLink, message: PartnerMessage<'couplings/end'>, now: Date): Promise<void> {
    const row = await this.#lock(tx, link, message.couplingId);
    if (row.state === 'ENDED' || row.state === 'DECLINED') return;
    const wasActive = row.state === 'ACTIVE';
    await repository.update(tx, row.id, now, { state: wasActive ? 'ENDED' : 'DECLINED', requested_name: null });
    if (wasActive) await publish(tx, { kind: 'links' });
    await this.#log(tx, link, wasActive ? 'coupling.ended' : 'coupling.declined', row.id, now);
  }

  async #linkChanged(tx: Tx, link: KnownLink, action: 'link/suspend' | 'link/resume' | 'link/end', now: Date): Promise<void> {
    const changes = { 'link/suspend': { suspended_there: true }, 'link/resume': { suspended_there: false }, 'link/end': { state: 'ENDED' } }[action];
    await tx
      .updateTable('link')
      .set((eb) => ({ ...changes, updated_at: now, version: eb('version', '+', 1) }))
      .where('id', '=', link.id)
      .execute();
    if (action === 'link/end') await endCouplingsOf(tx, link.id, now);
    await publish(tx, { kind: 'links' });
    const logged = { 'link/suspend': 'link.suspended', 'link/resume': 'link.resumed', 'link/end': 'link.ended' } as const;
    await this.audit.record(tx, this.#actor(link), now, { action: logged[action], subjectType: 'link', subjectId: link.id });
  }

  async #lock(tx: Tx, link: KnownLink, id: string): Promise<CouplingRow> {
    const row = await repository.lock(tx, id);
    if (!row || row.link_id !== link.id) throw new PartnerCallError(404, 'NOT_FOUND');
    return row;
  }

  #actor(link: KnownLink): Actor {
    return { kind: 'PARTNER_INSTANCE', code: link.partnerCode };
  }

  #log(tx: Tx, link: KnownLink, action: AuditAction, couplingId: string, now: Date): Promise<void> {
    return this.audit.record(tx, this.#actor(link), now, { action, subjectType: 'coupling', subjectId: couplingId });
  }
}

/** With a link its couplings end; their ids stay, so that nothing late revives them. */
export async function endCouplingsOf(tx: Tx, linkId: string, now: Date): Promise<void> {
  await tx
    .updateTable('coupling')
    .set((eb) => ({ state: 'ENDED', requested_name: null, updated_at: now, version: eb('version', '+', 1) }))
    .where('link_id', '=', linkId)
    .where('state', 'not in', ['ENDED', 'DECLINED'])
    .execute();
}
