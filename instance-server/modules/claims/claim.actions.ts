import { sql } from 'kysely';
import type { Tx } from '../../platform/database/database.js';
import { type KnownLink, type PartnerAction, type PartnerActions, PartnerCallError } from '../links/index.js';
import { ItemRefusal } from '../replication/index.js';
import type { ClaimDesk } from './claim.desk.js';
import { type ClaimMessage, claimMessage, type HandOverMessage, handOverMessage, type InventoryMessage, inventoryMessage } from './claim.messages.js';
import { claimRepository as repository } from './claim.repository.js';

/** A claim that is asked for before its holder commits must not wait for another change of the guide for long. */
const LOCK_WAIT_MS = 1_500;

/** Responsible for what partners ask about claims by calls of their own, beside what they deliver. */
export class ClaimActions {
  constructor(
    private readonly desk: ClaimDesk,
    private readonly instanceCode: string,
  ) {}

  actions(): PartnerActions {
    return new Map<string, PartnerAction>([
      ['claims/claim', { schema: claimMessage, apply: (tx, link, message, now) => this.#claim(tx, link, message as ClaimMessage, now) }],
      ['claims/handover', { schema: handOverMessage, apply: (tx, link, message, now) => this.#takeOver(tx, link, message as HandOverMessage, now) }],
      ['claims/inventory', { schema: inventoryMessage, apply: (tx, link, message, now) => this.#compare(tx, link, message as InventoryMessage, now) }],
    ]);
  }

  /** As if it had been delivered. */
  async #claim(tx: Tx, link: KnownLink, { couplingId, recordId, incarnation, version, start, end }: ClaimMessage, now: Date): Promise<Record<string, unknown>> {
    await sql`select set_config('lock_timeout', ${`${LOCK_WAIT_MS}ms`}, true)`.execute(tx);
    const guideId = await this.#lock(tx, link, couplingId);
    const claim = { guideId, id: recordId, incarnation, version, start: start === null ? null : new Date(start), end: end === null ? null : new Date(end) };
    try {
      const [answer] = await this.desk.decide(tx, link, [claim], now);
      return { ...answer };
    } catch (error) {
      throw error instanceof ItemRefusal ? new PartnerCallError(409, 'ITEM_REFUSED', { item: 0, reason: error.first.code }) : error;
    }
  }

  /**
   * The keeper until now leaves this house the claims. Those of a house with which the guide is not coupled here are left out: it could
   * not release them. What their holders say of them afterwards counts, as always.
   */
  async #takeOver(tx: Tx, link: KnownLink, { couplingId, globalId, epoch, claims }: HandOverMessage, now: Date): Promise<Record<string, unknown>> {
    const guideId = await this.#lock(tx, link, couplingId);
    const own = await repository.keeperOf(tx, guideId);
    if (own.globalId !== globalId || epoch < own.epoch || epoch > own.epoch + 1_000) return { taken: false };
    if (epoch > own.epoch) {
      if (own.keeper !== link.partnerCode) return { taken: false };
      await repository.setKeeper(tx, guideId, this.instanceCode, epoch, now);
    } else if (own.keeper !== this.instanceCode) return { taken: false };
    const { rows } = await sql<{ code: string }>`
      select l.partner_code as code from coupling k join link l on l.id = k.link_id where k.guide_id = ${guideId} and k.state = 'ACTIVE'`.execute(tx);
    const holders = new Set(rows.map((row) => row.code));
    for (const [holder, held] of Map.groupBy(claims, (claim) => claim.holder)) {
      if (!holders.has(holder)) continue;
      const taken = held.map(({ id, incarnation, version, start, end }) => ({ guideId, id, incarnation, version, start: new Date(start), end: new Date(end) }));
      await repository.apply(tx, holder, taken, now);
    }
    return { taken: true };
  }

  /**
   * What the keeper holds of this house against what stands here. What is wrong or missing is said again, as it is; nothing is
   * released that only an older incarnation of this house knew: it was lost here, and may be somebody's booking still.
   */
  async #compare(tx: Tx, link: KnownLink, { couplingId, after, last, claims }: InventoryMessage, now: Date): Promise<Record<string, unknown>> {
    const guideId = await this.#lock(tx, link, couplingId);
    if ((await repository.keeperOf(tx, guideId)).keeper !== link.partnerCode) {
      await sql`select outbox_put(${link.id}, ${couplingId}, 'KEEPER', ${couplingId})`.execute(tx);
      return { repaired: 0 };
    }
    const { rows } = await sql<{ id: string }>`
      with held as (
        select * from jsonb_to_recordset(${JSON.stringify(claims)}::jsonb) as h(id uuid, incarnation int, version int)
      )
      select h.id from held h left join guide_assignment a on a.id = h.id and a.guide_id = ${guideId}
      where case when a.id is null then h.incarnation >= (select incarnation from sync_state)
                 else a.ended_at is not null or a.claim_version <> h.version end
      union all
      select a.id from guide_assignment a
      where a.guide_id = ${guideId} and a.ended_at is null and a.end_at > ${now} and a.verification in ('VERIFIED', 'CONFLICT')
        and (${after}::uuid is null or a.id > ${after}) and (${last} or a.id <= (select max(h.id::text)::uuid from held h))
        and not exists (select 1 from held h where h.id = a.id)`.execute(tx);
    return { repaired: await repository.put(tx, couplingId, link.id, rows.map((row) => row.id)) };
  }

  async #lock(tx: Tx, link: KnownLink, couplingId: string): Promise<string> {
    const coupling = await repository.activeCoupling(tx, link.id, couplingId);
    if (!coupling) throw new PartnerCallError(404, 'NOT_FOUND');
    await repository.lockGuides(tx, [coupling.guideId]);
    // It may have ended before the lock was ours.
    if (!(await repository.activeCoupling(tx, link.id, couplingId))) throw new PartnerCallError(404, 'NOT_FOUND');
    return coupling.guideId;
  }
}
