import type { Database, Tx } from '../../platform/database/database.js';
import { InputReason, invalidInput, notFound } from '../../platform/errors/user-error.js';
import { publish } from '../../platform/events/events.js';
import { isUuid } from '../../platform/validation.js';
import type { Actor, AuditService } from '../audit/index.js';
import { type CouplingEndings, isOver } from './coupling.endings.js';
import { couplingRepository as repository, type CouplingRow } from './coupling.repository.js';
import type { KnownLink, LinkDirectory } from './link.directory.js';
import type { PartnerClient } from './partner-client.js';

/** Who changes a coupling, and when; a guide reaches his own alone. */
export interface Change {
  actor: Actor;
  now: Date;
  /** Set for the role GUIDE: undefined then means a guide's account without a guide. */
  onlyGuide?: { id: string | undefined };
}

export interface CouplingStatus {
  id: string;
  guideId: string | null;
  state: string;
  pausedHere: boolean;
  pausedThere: boolean;
  since: Date | null;
}

/** Couplings an operator's list shows at most. */
const MAX_LISTED = 1_000;

/**
 * Responsible for what happens to a coupling once it is on its way: pauses and its end. Each counts here at once, whether or not the
 * partner hears of it now. He is told by a signed call, and by what waits for him should that be lost.
 */
export class CouplingLifeCycle {
  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly partners: PartnerClient,
    private readonly endings: CouplingEndings,
    private readonly audit: AuditService,
  ) {}

  /**
   * Staff and operators of either house; each side takes its own pause back. Guides do not pause: what is hidden from the other house
   * could be booked there, and that is not one person's to decide. He may end it.
   */
  async pause(change: Change, couplingId: string, paused: boolean): Promise<CouplingRow> {
    const link = await this.#find(change, couplingId);
    const { row, incarnation } = await this.database.worker.transaction(async (tx) => {
      const locked = await this.#lock(tx, change, couplingId);
      if (locked.state !== 'ACTIVE') throw invalidInput('input.couplingId', InputReason.CONFLICTING, 'Only an active coupling can be paused or resumed.');
      const changed = locked.paused_here === paused ? locked : await this.#setPaused(tx, change, locked, link, paused);
      return { row: changed, incarnation: await repository.incarnation(tx) };
    });
    await this.#tell(link, paused ? 'pause' : 'resume', { couplingId, incarnation, version: row.version });
    return row;
  }

  async #setPaused(tx: Tx, { actor, now }: Change, row: CouplingRow, link: KnownLink, paused: boolean): Promise<CouplingRow> {
    await this.audit.record(tx, actor, now, {
      action: paused ? 'coupling.paused' : 'coupling.resumed',
      subjectType: 'coupling',
      subjectId: row.id,
      after: { instance: link.partnerCode },
    });
    const changed = await repository.update(tx, row.id, now, { paused_here: paused });
    await publish(tx, { kind: 'links' });
    return changed;
  }

  /**
   * Declines what is not active yet and ends what is: staff of either house, or the guide. Nobody can be kept in a coupling by a partner
   * who does not answer. A repetition tells him again.
   */
  async end(change: Change, couplingId: string): Promise<CouplingRow> {
    const link = await this.#find(change, couplingId);
    const ended = await this.database.worker.transaction(async (tx) => {
      const row = await this.#lock(tx, change, couplingId);
      return isOver(row) ? row : this.endings.end(tx, row, link, change.actor, change.now);
    });
    await Promise.all([ended.guide_id && this.endings.ended(ended.guide_id), this.#tell(link, 'end', { couplingId })]);
    return ended;
  }

  /** Of the living link with this partner, newest first; ended ones included, 1000 at most. */
  async list(partnerCode: string): Promise<CouplingStatus[]> {
    await this.directory.fresh();
    const link = this.directory.byPartner(partnerCode);
    if (!link) throw notFound('partner');
    return (await repository.ofLink(this.database.worker.sql, link.id, MAX_LISTED)).map(statusOf);
  }

  async #lock(tx: Tx, { onlyGuide }: Change, couplingId: string): Promise<CouplingRow> {
    const row = await repository.lock(tx, couplingId);
    if (!row || (onlyGuide && row.guide_id !== onlyGuide.id)) throw notFound('input.couplingId');
    return row;
  }

  async #find({ onlyGuide }: Change, couplingId: string): Promise<KnownLink> {
    if (!isUuid(couplingId)) throw notFound('input.couplingId');
    await this.directory.fresh();
    const row = await repository.find(this.database.app.sql, couplingId);
    const link = row && (this.directory.byId(row.link_id) ?? this.directory.ended(row.link_id));
    if (!link || (onlyGuide && row.guide_id !== onlyGuide.id)) throw notFound('input.couplingId');
    return link;
  }

  async #tell(link: KnownLink, action: 'pause' | 'resume' | 'end', body: Record<string, unknown>): Promise<void> {
    if (link.state === 'ENDED') return;
    await this.partners.call(link, `/partner/v1/couplings/${action}`, body).catch(() => undefined);
  }
}

export const statusOf = (row: CouplingRow): CouplingStatus => ({
  id: row.id,
  guideId: row.guide_id,
  state: row.state,
  pausedHere: row.paused_here,
  pausedThere: row.paused_there,
  since: row.since,
});
