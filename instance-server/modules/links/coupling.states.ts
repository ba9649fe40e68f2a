import type { Tx } from '../../platform/database/database.js';
import { publish } from '../../platform/events/events.js';
import type { Actor, AuditService } from '../audit/index.js';
import { activateIfConfirmed, GlobalIdTaken } from './activation.js';
import { type CouplingEndings, isOver } from './coupling.endings.js';
import { couplingRepository as repository, type CouplingRow } from './coupling.repository.js';
import { identityOf } from './coupling.rules.js';
import { isAnothers } from './global-id.js';
import type { KnownLink, LinkDirectory } from './link.directory.js';
import { isPairwise } from './pairwise.js';
import type { CouplingItem, CouplingItemAnswer } from './partner-messages.js';

/** A pause as the partner tells it. */
interface Pause {
  paused: boolean;
  version: number;
}

/**
 * Responsible for what the two houses of a coupling tell each other of its state, beside the signed calls that make it: each says what
 * it has, as often as it takes, and hears what the other has. So a call that was lost, or told to a house that was down for days, has
 * its effect still. Ends are final and always heard; of everything else the newest counts. Runs as worker.
 */
export class CouplingStates {
  constructor(
    private readonly directory: LinkDirectory,
    private readonly endings: CouplingEndings,
    private readonly audit: AuditService,
    private readonly instanceCode: string,
  ) {}

  /** Couplings that were over before they came here, of which nothing late can come any more. */
  async forget(tx: Tx, before: Date): Promise<void> {
    await repository.forgetBuried(tx, before);
  }

  async project(tx: Tx, link: KnownLink, couplingId: string): Promise<CouplingItem | undefined> {
    const row = await repository.find(tx, couplingId);
    // Asked for, and nothing came of it here.
    if (!row) return { kind: 'COUPLING', couplingId, recordId: couplingId, state: 'ENDED', version: 1, paused: false, confirmed: false, coupledWith: [] };
    if (row.link_id !== link.id) return undefined;
    const over = isOver(row);
    const guide = row.guide_id && !over ? await repository.identity(tx, row.guide_id) : undefined;
    const identity = row.confirmed_here ? identityOf(guide?.globalId, guide?.mintedAt) : undefined;
    return {
      kind: 'COUPLING',
      couplingId,
      recordId: couplingId,
      state: over ? 'ENDED' : row.state === 'ACTIVE' ? 'ACTIVE' : 'OPEN',
      version: row.version,
      paused: row.paused_here,
      confirmed: row.confirmed_here && !over,
      ...(identity && { globalId: identity.globalId, globalIdMintedAt: identity.mintedAt.toISOString() }),
      coupledWith: row.guide_id && !over ? await repository.partnersOf(tx, row.guide_id) : [],
    };
  }

  /** Undefined for a coupling that this house does not know and that is not over there. */
  async apply(tx: Tx, link: KnownLink, incarnation: number, item: CouplingItem, now: Date): Promise<CouplingItemAnswer | undefined> {
    let row = await repository.lock(tx, item.couplingId);
    if (!row && item.state === 'ENDED') {
      if (await repository.bury(tx, item.couplingId, link.id, now)) return { state: 'ENDED' };
      // The request came at the same moment.
      row = await repository.lock(tx, item.couplingId);
    }
    if (!row || row.link_id !== link.id) return item.state === 'ENDED' ? { state: 'ENDED' } : undefined;
    if (isOver(row)) return { state: 'ENDED' };
    if (item.state === 'ENDED') {
      await this.endings.end(tx, row, link, actorOf(link), now);
      return { state: 'ENDED' };
    }
    await repository.giveBackRules(tx, row.id, item.coupledWith);
    if (!(await this.pause(tx, link, row, incarnation, item, now))) return { state: 'OPEN' };
    return this.#confirmed(tx, link, item, now);
  }

  /** The partner paused or resumed. False for what is not newer than what was heard before. The row is locked. */
  async pause(tx: Tx, link: KnownLink, row: CouplingRow, incarnation: number, { paused, version }: Pause, now: Date): Promise<boolean> {
    const isNewer = incarnation > row.partner_incarnation || (incarnation === row.partner_incarnation && version > row.partner_version);
    if (!isNewer) return false;
    await repository.update(tx, row.id, now, { paused_there: paused, partner_incarnation: incarnation, partner_version: version });
    if (paused !== row.paused_there) {
      await this.audit.record(tx, actorOf(link), now, { action: paused ? 'coupling.paused' : 'coupling.resumed', subjectType: 'coupling', subjectId: row.id });
      // What waited for the partner may go now.
      if (!paused) await publish(tx, { kind: 'outbox', linkId: link.id });
    }
    return true;
  }

  /** The partner has the coupling as over: it is so here. */
  async answered(tx: Tx, link: KnownLink, item: CouplingItem, answer: CouplingItemAnswer, now: Date): Promise<void> {
    if (answer.state !== 'ENDED' || item.state === 'ENDED') return;
    const row = await repository.lock(tx, item.couplingId);
    if (row?.link_id === link.id) await this.endings.end(tx, row, link, actorOf(link), now);
  }

  /** The guide has agreed there, or his agreement was taken back, and the call that said so did not come here. */
  async #confirmed(tx: Tx, link: KnownLink, item: CouplingItem, now: Date): Promise<CouplingItemAnswer> {
    const row = await repository.lock(tx, item.couplingId);
    if (!row?.guide_id || row.state !== 'ACCEPTED' || item.confirmed === row.confirmed_there) return { state: 'OPEN' };
    if (!item.confirmed) {
      await repository.update(tx, row.id, now, { confirmed_there: false });
      return { state: 'OPEN' };
    }
    if (!isPairwise(this.directory, this.instanceCode, item.coupledWith)) {
      // Not heard; but what is active there by what was said here must not stay so.
      if (item.state !== 'ACTIVE') return { state: 'OPEN' };
      await this.endings.end(tx, row, link, { kind: 'SYSTEM' }, now);
      return { state: 'ENDED' };
    }
    // The guide is told so when he confirms here.
    if (item.globalId && (await isAnothers(tx, row.guide_id, item.globalId))) return { state: 'OPEN' };
    const heard = await repository.update(tx, row.id, now, {
      confirmed_there: true,
      partner_global_id: item.globalId ?? null,
      partner_global_id_minted_at: item.globalIdMintedAt ? new Date(item.globalIdMintedAt) : null,
    });
    await this.audit.record(tx, actorOf(link), now, { action: 'coupling.confirmed', subjectType: 'coupling', subjectId: row.id });
    const active = await activateIfConfirmed(tx, heard, now).catch((error: unknown) => {
      if (error instanceof GlobalIdTaken) return heard;
      throw error;
    });
    if (active.state === 'ACTIVE') await publish(tx, { kind: 'links' });
    return { state: 'OPEN' };
  }
}

const actorOf = (link: KnownLink): Actor => ({ kind: 'PARTNER_INSTANCE', code: link.partnerCode });
