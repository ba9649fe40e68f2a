import { sql } from 'kysely';
import { z } from 'zod';
import type { Tx } from '../../platform/database/database.js';
import type { KnownLink } from '../links/index.js';
import { assignmentFacts } from './assignment.facts.js';
import type { Comparison } from './kinds.js';

/** Records of one page, which stays below what an answer may hold. */
const PAGE = 50;
/** Versions a partner can make us outrun: beyond them something is wrong that no repair mends. */
const MAX_VERSION = 1_000_000_000;
/** Lost bookings that a partner may report of one coupling. */
const MAX_LOST = 1_000;

const heldSchema = z.strictObject({
  recordId: z.uuid(),
  version: z.int().min(1).max(MAX_VERSION),
  /** Empty for one that has ended. */
  mark: z.string().max(32),
  /** Of a living one: its origin may know nothing else of it. */
  facts: assignmentFacts.optional(),
});
type Held = z.infer<typeof heldSchema>;

/** One text for all that a partner is told of a living assignment. */
const mark = sql`md5(concat_ws('|', version, (extract(epoch from start_at) * 1000)::bigint, (extract(epoch from end_at) * 1000)::bigint, kind, offer_title))`;
/** What the present incarnation has forgotten is told apart from nothing: both sides hold it, until staff let it go. */
const forgotten = (link: KnownLink) => sql`(
  select b.coupling_id, b.id, b.version, b.start_at, b.end_at, b.kind, b.offer_title, false as ended
  from lost_booking b join coupling c on c.id = b.coupling_id cross join sync_state y
  where c.link_id = ${link.id} and b.released_at is null and b.incarnation = y.incarnation)`;
const livingOfOrigin = (link: KnownLink) => sql`(select coupling_id, id, version, start_at, end_at, kind, offer_title, ended from partner_assignment where link_id = ${link.id} and not ended)`;
/** `older`: of an incarnation that is not the partner's present one. */
const ofCopy = (link: KnownLink, older: boolean) => sql`(
  select coupling_id, id, version, start_at, end_at, kind, offer_title, ended from foreign_booking
  where link_id = ${link.id} and (incarnation < (select partner_incarnation from sync_peer where link_id = ${link.id})) = ${older}::boolean)`;

/** Responsible for finding and mending what is different between assignments and their copies. */
export class AssignmentComparison implements Comparison {
  readonly heldSchema = heldSchema;

  async digests(tx: Tx, link: KnownLink, couplingIds: readonly string[], side: 'ORIGIN' | 'COPY'): Promise<ReadonlyMap<string, string>> {
    const { rows } = await sql<{ coupling_id: string; digest: string }>`
      select coupling_id, md5(string_agg(id || ' ' || ${mark}, ',' order by id)) as digest
      from ${side === 'ORIGIN' ? sql`(select * from ${livingOfOrigin(link)} l union all select * from ${forgotten(link)} f)` : ofCopy(link, false)} a
      where not ended and coupling_id = any(${[...couplingIds]}::uuid[]) group by coupling_id`.execute(tx);
    return new Map(rows.map((row) => [row.coupling_id, row.digest]));
  }

  async older(tx: Tx, link: KnownLink, couplingIds: readonly string[]): Promise<readonly string[]> {
    const { rows } = await sql<{ coupling_id: string }>`
      select distinct coupling_id from ${ofCopy(link, true)} a where not ended and coupling_id = any(${[...couplingIds]}::uuid[]) order by 1`.execute(tx);
    return rows.map((row) => row.coupling_id);
  }

  async held(tx: Tx, link: KnownLink, couplingId: string, older: boolean, after: string | null): Promise<readonly Held[]> {
    const { rows } = await sql<{ id: string; version: number; mark: string; start_at: Date; end_at: Date; offer_title: string | null; kind: 'BOOKING' | 'BLOCK' }>`
      select id, version, case when ended then '' else ${mark} end as mark, start_at, end_at, offer_title, kind from ${ofCopy(link, older)} a
      where coupling_id = ${couplingId} and not (ended and ${older}::boolean) and (${after}::uuid is null or id > ${after}::uuid)
      order by id limit ${PAGE}`.execute(tx);
    return rows.map((row): Held => {
      const facts = { start: row.start_at.toISOString(), end: row.end_at.toISOString(), title: row.offer_title, booking: row.kind };
      return { recordId: row.id, version: row.version, mark: row.mark, facts: row.mark === '' ? undefined : facts };
    });
  }

  async repair(tx: Tx, link: KnownLink, couplingId: string, held: readonly Held[], older: boolean, now: Date): Promise<number> {
    const known = await this.#known(tx, couplingId, held.map((record) => record.recordId));
    const lost = held.filter((record) => record.mark !== '' && !known.has(record.recordId));
    if (older) return this.#lost(tx, link, couplingId, lost, older, [...known.keys()], now);
    const [put, outrun]: [string[], { id: string; version: number }[]] = [[], []];
    for (const record of held) {
      const own = known.get(record.recordId);
      if (!own || own.mark === record.mark) continue;
      if (record.version < own.version) put.push(record.recordId);
      else outrun.push({ id: record.recordId, version: record.version });
    }
    const there = new Set(held.map((record) => record.recordId));
    const { rows: living } = await sql<{ id: string }>`select id from ${livingOfOrigin(link)} a where coupling_id = ${couplingId}`.execute(tx);
    put.push(...living.map(({ id }) => id).filter((id) => !there.has(id)));
    await this.#put(tx, link, couplingId, put);
    // The change of version puts it into the outbox.
    for (const { id, version } of outrun) await sql`select outrun_assignment(${id}, ${version}::int)`.execute(tx);
    return put.length + outrun.length + (await this.#lost(tx, link, couplingId, lost, older, [], now));
  }

  /** Own assignments of the coupling's guide among these, ended ones too. */
  async #known(tx: Tx, couplingId: string, ids: readonly string[]): Promise<Map<string, { version: number; mark: string }>> {
    const { rows } = await sql<{ id: string; version: number; mark: string }>`
      select id, version, case when ended then '' else ${mark} end as mark from partner_assignment where coupling_id = ${couplingId} and id = any(${[...ids]}::uuid[])`.execute(tx);
    return new Map(rows.map((row) => [row.id, row]));
  }

  /**
   * Never rebuilt into bookings; staff look at them. Those that were let go already, or are known after all, are told again. No id is
   * ever forgotten otherwise, so one that is unknown here, even if the present incarnation is said to have given it, was lost.
   */
  async #lost(tx: Tx, link: KnownLink, couplingId: string, lost: readonly Held[], older: boolean, known: readonly string[], now: Date): Promise<number> {
    const facts = lost.slice(0, MAX_LOST).flatMap(({ recordId, version, facts: told }) => (told ? [{ id: recordId, version, ...told }] : []));
    const { numAffectedRows } = await sql`
      insert into lost_booking (coupling_id, id, guide_id, start_at, end_at, offer_title, kind, version, incarnation, found_at)
      select c.id, f.id, c.guide_id, f.start, f."end", f.title, f.booking, f.version, case when ${older}::boolean then 0 else y.incarnation end, ${now}
      from sync_state y cross join jsonb_to_recordset(${JSON.stringify(facts)}::jsonb) as f(id uuid, start timestamptz, "end" timestamptz, title text, booking text, version int)
      join coupling c on c.id = ${couplingId}
      where (select count(*) from lost_booking l where l.coupling_id = ${couplingId}) < ${MAX_LOST}
      on conflict do nothing`.execute(tx);
    const { rows: released } = await sql<{ id: string }>`
      select id from lost_booking where coupling_id = ${couplingId} and released_at is not null and id = any(${lost.map((record) => record.recordId)}::uuid[])`.execute(tx);
    const again = [...known, ...released.map(({ id }) => id)];
    await this.#put(tx, link, couplingId, again);
    return Number(numAffectedRows ?? 0) + again.length;
  }

  async #put(tx: Tx, link: KnownLink, couplingId: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await sql`select outbox_put(${link.id}, ${couplingId}, 'ASSIGNMENT', id) from unnest(${[...ids].sort()}::uuid[]) id`.execute(tx);
  }
}
