import { sql } from 'kysely';
import { z } from 'zod';
import type { Tx } from '../../platform/database/database.js';
import { type InstanceEvent, publishAll } from '../../platform/events/events.js';
import type { KnownLink } from '../links/index.js';
import { AssignmentComparison } from './assignment.comparison.js';
import { assignmentFields, isInterval } from './assignment.facts.js';
import { ItemRefusal, type Receipt, type RecordName, type ReplicatedKind } from './kinds.js';

const DAY_MS = 86_400_000;
/** What a partner may take a guide for: a hostile one must not block him for ever. */
const MAX_LENGTH_MS = 31 * DAY_MS;
const HORIZON_MS = 5 * 366 * DAY_MS;

/** All that is ever said of a guide's booking. Source: DOMAIN §2 "What leaves an instance". */
const schema = z
  .strictObject({
    kind: z.literal('ASSIGNMENT'),
    couplingId: z.uuid(),
    recordId: z.uuid(),
    ...assignmentFields,
    version: z.int().min(1).max(2_147_483_647),
    ended: z.boolean(),
  })
  .refine(isInterval);

export type AssignmentItem = z.infer<typeof schema>;

interface Applied {
  guide_id: string;
  id: string;
  change: 'CREATED' | 'UPDATED' | 'REMOVED' | null;
}

/** Responsible for assignments and blocks: sent as foreign bookings, taken into the replica. Never passed on. */
export class AssignmentKind implements ReplicatedKind<AssignmentItem> {
  readonly kind = 'ASSIGNMENT';
  readonly order = 2;
  readonly whilePaused = false;
  readonly schema = schema;
  readonly comparison = new AssignmentComparison();

  /** `maxLiving`: future bookings that a partner may have of one guide here. */
  constructor(private readonly maxLiving: number) {}

  async project(tx: Tx, link: KnownLink, records: readonly RecordName[]): Promise<AssignmentItem[]> {
    const { rows } = await sql<{ coupling_id: string; id: string; start_at: Date; end_at: Date; offer_title: string | null; kind: 'BOOKING' | 'BLOCK'; version: number; ended: boolean }>`
      select coupling_id, id, start_at, end_at, offer_title, kind, version, ended
      from partner_assignment
      where link_id = ${link.id} and coupling_id = any(${[...new Set(records.map((record) => record.couplingId))]}::uuid[])
        and id = any(${records.map((record) => record.recordId)}::uuid[])
      union all
      select c.id, b.id, b.start_at, b.end_at, null, b.kind, b.version + 1, true
      from lost_booking b join coupling c on c.id = b.coupling_id
      where b.released_at is not null and c.link_id = ${link.id} and c.state = 'ACTIVE'
        and b.coupling_id = any(${[...new Set(records.map((record) => record.couplingId))]}::uuid[])
        and b.id = any(${records.map((record) => record.recordId)}::uuid[])`.execute(tx);
    return rows.map((row) => ({
      kind: 'ASSIGNMENT',
      couplingId: row.coupling_id,
      recordId: row.id,
      start: row.start_at.toISOString(),
      end: row.end_at.toISOString(),
      title: row.offer_title,
      booking: row.kind,
      version: row.version,
      ended: row.ended,
    }));
  }

  /** The greatest (incarnation, version) of the origin wins; an end leaves a tombstone. */
  async apply(tx: Tx, receipt: Receipt, items: readonly AssignmentItem[]): Promise<undefined> {
    const { link, incarnation, now, couplings } = receipt;
    this.#checkReach(items, now);
    const named = items.map((item, index) => ({ ...item, index, guideId: couplings.get(item.couplingId)?.guideId }));
    const { rows } = await sql<Applied>`
      with item as (
        select * from jsonb_to_recordset(${JSON.stringify(named)}::jsonb)
          as i("couplingId" uuid, "recordId" uuid, "guideId" uuid, start timestamptz, "end" timestamptz, title text, booking text, version int, ended boolean)
      )
      insert into foreign_booking as f
        (coupling_id, id, guide_id, link_id, incarnation, version, start_at, end_at, offer_title, kind, ended, received_at, ended_at)
      select "couplingId", "recordId", "guideId", ${link.id}::uuid, ${incarnation}::int, version, start, "end",
        case when not ended then title end, booking, ended, ${now}::timestamptz, case when ended then ${now}::timestamptz end
      from item order by "couplingId", "recordId"
      on conflict (coupling_id, id) do update set
        incarnation = excluded.incarnation, version = excluded.version, start_at = excluded.start_at, end_at = excluded.end_at,
        offer_title = excluded.offer_title, kind = excluded.kind, ended = excluded.ended, received_at = excluded.received_at,
        ended_at = case when excluded.ended then coalesce(f.ended_at, excluded.ended_at) end
      where f.link_id = excluded.link_id and (f.incarnation, f.version) < (excluded.incarnation, excluded.version)
      returning new.guide_id, new.id,
        case
          when new.ended and old.ended is false then 'REMOVED'
          when new.ended then null
          when old.id is null or old.ended then 'CREATED'
          when (old.start_at, old.end_at, old.offer_title, old.kind) is distinct from (new.start_at, new.end_at, new.offer_title, new.kind) then 'UPDATED'
        end as change`.execute(tx);
    await this.#checkNumber(tx, receipt, items, rows);
    const events = rows.flatMap(({ guide_id, id, change }): InstanceEvent[] => (change ? [{ kind: 'foreign', guideId: guide_id, foreignId: id, change }] : []));
    await publishAll(tx, events);
  }

  #checkReach(items: readonly AssignmentItem[], now: Date): void {
    const isTooFar = ({ start, end, ended }: AssignmentItem): boolean =>
      !ended && (Date.parse(end) - Date.parse(start) > MAX_LENGTH_MS || Date.parse(end) > now.getTime() + HORIZON_MS);
    ItemRefusal.throwFor(items.flatMap((item, index) => (isTooFar(item) ? [{ index, code: 'LIMIT_EXCEEDED' }] : [])));
  }

  /** Under the guides' locks. The refusal undoes what was written. */
  async #checkNumber(tx: Tx, { link, now }: Receipt, items: readonly AssignmentItem[], applied: readonly Applied[]): Promise<void> {
    const made = applied.filter(({ change }) => change === 'CREATED');
    if (made.length === 0) return;
    const { rows } = await sql<{ guide_id: string; beyond: number }>`
      select guide_id, count(*)::int - ${this.maxLiving} as beyond from foreign_booking
      where guide_id = any(${[...new Set(made.map(({ guide_id }) => guide_id))]}::uuid[]) and link_id = ${link.id} and not ended and end_at > ${now}
      group by guide_id having count(*) > ${this.maxLiving}`.execute(tx);
    // As many of each guide's last ones as are too many.
    const places = new Map(items.map((item, index) => [item.recordId.toLowerCase(), index]));
    const placesOf = (guideId: string): number[] => made.filter((row) => row.guide_id === guideId).map(({ id }) => places.get(id) ?? 0).sort((one, other) => one - other);
    const last = rows.flatMap(({ guide_id, beyond }) => placesOf(guide_id).slice(-beyond));
    ItemRefusal.throwFor(last.map((index) => ({ index, code: 'LIMIT_EXCEEDED' })));
  }
}
