import type { Tx } from '../../platform/database/database.js';
import { publish } from '../../platform/events/events.js';
import type { Actor, AuditAction, AuditService } from '../audit/index.js';
import { activateIfConfirmed, GlobalIdTaken } from './activation.js';
import { type CouplingEndings, isOver } from './coupling.endings.js';
import { couplingRepository as repository, type CouplingRow } from './coupling.repository.js';
import { identityOf } from './coupling.rules.js';
import type { CouplingStates } from './coupling.states.js';
import { isAnothers } from './global-id.js';
import type { KnownLink, LinkDirectory } from './link.directory.js';
import { isPairwise } from './pairwise.js';
import { type PartnerAction, type PartnerActions, PartnerCallError } from './partner-actions.js';
import { type PartnerMessage, partnerMessages } from './partner-messages.js';

const DONE = { ok: true };

/** Unanswered requests one partner may have here: a hostile one must not bury the others'. */
const MAX_WAITING_REQUESTS = 200;

/** Responsible for what partners say of couplings and of the link itself. */
export class CouplingActions {
  constructor(
    private readonly directory: LinkDirectory,
    private readonly audit: AuditService,
    private readonly endings: CouplingEndings,
    private readonly states: CouplingStates,
    private readonly instanceCode: string,
  ) {}

  /** By the path under /partner/v1. */
  actions(): PartnerActions {
    const link = (action: 'link/suspend' | 'link/resume' | 'link/end'): PartnerAction => ({
      schema: partnerMessages[action],
      // A suspended link still hears that it is resumed or ended, and nothing else.
      whileSuspended: true,
      afterEnd: action === 'link/end',
      apply: async (tx, from, _message, now) => {
        await this.#linkChanged(tx, from, action, now);
        return DONE;
      },
    });
    return new Map<string, PartnerAction>([
      ['couplings/request', { schema: partnerMessages['couplings/request'], apply: (tx, from, message, now) => this.#requested(tx, from, message as PartnerMessage<'couplings/request'>, now) }],
      ['couplings/accept', { schema: partnerMessages['couplings/accept'], apply: (tx, from, message, now) => this.#accepted(tx, from, message as PartnerMessage<'couplings/accept'>, now) }],
      ['couplings/confirm', { schema: partnerMessages['couplings/confirm'], apply: (tx, from, message, now) => this.#confirmed(tx, from, message as PartnerMessage<'couplings/confirm'>, now) }],
      ['couplings/pause', { schema: partnerMessages['couplings/pause'], apply: (tx, from, message, now) => this.#paused(tx, from, true, message as PartnerMessage<'couplings/pause'>, now) }],
      ['couplings/resume', { schema: partnerMessages['couplings/resume'], apply: (tx, from, message, now) => this.#paused(tx, from, false, message as PartnerMessage<'couplings/resume'>, now) }],
      ['couplings/end', { schema: partnerMessages['couplings/end'], apply: (tx, from, message, now) => this.#ended(tx, from, message as PartnerMessage<'couplings/end'>, now) }],
      ['link/suspend', link('link/suspend')],
      ['link/resume', link('link/resume')],
      ['link/end', link('link/end')],
    ]);
  }

  #checkPairwise(coupledWith: readonly string[]): void {
    if (!isPairwise(this.directory, this.instanceCode, coupledWith)) throw new PartnerCallError(409, 'NOT_PAIRWISE_LINKED');
  }

  async #requested(tx: Tx, link: KnownLink, message: PartnerMessage<'couplings/request'>, now: Date): Promise<Record<string, unknown>> {
    // One after the other: what is counted holds, the same request at once is one, and none comes in over a link that has just ended.
    if (!(await repository.lockLink(tx, link.id))) throw new PartnerCallError(403, 'LINK_NOT_OPEN');
    const known = await repository.find(tx, message.couplingId);
    if (known) {
      if (known.link_id !== link.id) throw new PartnerCallError(404, 'NOT_FOUND');
      return isOver(known) ? { ...DONE, over: true } : DONE;
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
    return DONE;
  }

  /** The partner hears where else the guide is coupled: either side's list is checked by the other. */
  async #accepted(tx: Tx, link: KnownLink, message: PartnerMessage<'couplings/accept'>, now: Date): Promise<Record<string, unknown>> {
    const row = await this.#lock(tx, link, message.couplingId);
    const answer = { ...DONE, coupledWith: await repository.partnersOf(tx, row.guide_id ?? '') };
    if (row.requested_here && (row.state === 'ACCEPTED' || row.state === 'ACTIVE')) return answer;
    if (row.state !== 'REQUESTED' || !row.requested_here) throw new PartnerCallError(404, 'NOT_FOUND');
    this.#checkPairwise(message.coupledWith);
    await repository.update(tx, row.id, now, {
      state: 'ACCEPTED',
      partner_global_id: message.globalId ?? null,
      partner_global_id_minted_at: message.globalIdMintedAt ? new Date(message.globalIdMintedAt) : null,
    });
    await this.#log(tx, link, 'coupling.accepted', row.id, now);
    return answer;
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
    const coupledWith = await repository.partnersOf(tx, row.guide_id);
    return { ...DONE, confirmed: row.confirmed_here, coupledWith, ...(own && { globalId: own.globalId, globalIdMintedAt: own.mintedAt.toISOString() }) };
  }

  async #paused(tx: Tx, link: KnownLink, paused: boolean, { couplingId, incarnation, version }: PartnerMessage<'couplings/pause'>, now: Date): Promise<typeof DONE> {
    const row = await this.#lock(tx, link, couplingId);
    if (row.state === 'ACTIVE' && (await this.states.pause(tx, link, row, incarnation, { paused, version }, now))) await publish(tx, { kind: 'links' });
    return DONE;
  }

  async #ended(tx: Tx, link: KnownLink, message: PartnerMessage<'couplings/end'>, now: Date): Promise<typeof DONE> {
    const row = await this.#lock(tx, link, message.couplingId);
    await this.endings.end(tx, row, link, this.#actor(link), now);
    return DONE;
  }

  /** What is so already is not told twice: he repeats it until his calls show that it was heard. */
  async #linkChanged(tx: Tx, link: KnownLink, action: 'link/suspend' | 'link/resume' | 'link/end', now: Date): Promise<void> {
    const changes = { 'link/suspend': { suspended_there: true }, 'link/resume': { suspended_there: false }, 'link/end': { state: 'ENDED' } }[action];
    const changed = await tx
      .updateTable('link')
      .set((eb) => ({ ...changes, updated_at: now, version: eb('version', '+', 1) }))
      .where('id', '=', link.id)
      .where('state', '<>', 'ENDED')
      .$if(action !== 'link/end', (query) => query.where('suspended_there', '=', action === 'link/resume'))
      .returning('id')
      .executeTakeFirst();
    if (!changed) return;
    // What rested on both sides may go on.
    if (action === 'link/resume') await publish(tx, { kind: 'outbox', linkId: link.id });
    if (action === 'link/end') await this.endings.endAllOf(tx, link, this.#actor(link), now);
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
