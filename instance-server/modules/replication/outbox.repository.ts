import { sql } from 'kysely';
import type { Tx } from '../../platform/database/database.js';

/** A waiting record as it was read: removed only if nothing newer took its place. */
export interface WaitingRow {
  couplingId: string;
  kind: string;
  recordId: string;
  /** A bigint as text. */
  seq: string;
}

/** The kind of which calendars show copies: what else waits, or is refused, does not make them older. */
export const COPIED = 'ASSIGNMENT';

const keys = (rows: readonly WaitingRow[]) => sql`
  select * from unnest(${rows.map((row) => row.couplingId)}::uuid[], ${rows.map((row) => row.kind)}::text[], ${rows.map((row) => row.recordId)}::uuid[],
    ${rows.map((row) => row.seq)}::bigint[]) as k(coupling_id, kind, record_id, seq)`;

/** SQL of what waits for partners. */
export const outboxRepository = {
  /**
   * Due rows in the order of their changes, and how many of those copied wait in all, counted up to one more than `limit`. Those of paused
   * couplings wait, unless the kind is sent all the same; kinds this release does not know wait for one that does.
   */
  async due(tx: Tx, linkId: string, kinds: readonly string[], whilePaused: readonly string[], now: Date, limit: number): Promise<{ rows: WaitingRow[]; waiting: number }> {
    const { rows } = await sql<WaitingRow & { waiting: number }>`
      select o.coupling_id as "couplingId", o.kind, o.record_id as "recordId", o.seq::text as seq,
        (select count(*)::int from (select 1 from outbox w where w.link_id = ${linkId} and w.kind = ${COPIED} limit ${limit + 1}) counted) as waiting
      from outbox o left join coupling c on c.id = o.coupling_id
      where o.link_id = ${linkId} and o.kind = any(${[...kinds]}::text[]) and (o.retry_at is null or o.retry_at <= ${now})
        and (not coalesce(c.paused_here or c.paused_there, false) or o.kind = any(${[...whilePaused]}::text[]))
      order by o.seq limit ${limit}`.execute(tx);
    return { rows: rows.map(({ couplingId, kind, recordId, seq }) => ({ couplingId, kind, recordId, seq })), waiting: rows[0]?.waiting ?? 0 };
  },

  /** Only as what was read: a row that changed since, or is changing at this moment, stays. */
  async remove(tx: Tx, rows: readonly WaitingRow[]): Promise<void> {
    if (rows.length === 0) return;
    await sql`
      delete from outbox where (coupling_id, kind, record_id) in (
        select o.coupling_id, o.kind, o.record_id from outbox o join (${keys(rows)}) k using (coupling_id, kind, record_id, seq)
        order by o.coupling_id, o.kind, o.record_id for update of o skip locked)`.execute(tx);
  },

  /** Tried again later, more seldom each time: seconds at first, an hour at last. */
  async refuse(tx: Tx, row: WaitingRow, code: string, now: Date): Promise<void> {
    await sql`
      update outbox set refused_code = ${code}, attempts = attempts + 1,
        retry_at = ${now}::timestamptz + least(interval '1 hour', interval '1 second' * power(2, least(attempts, 12)))
      where coupling_id = ${row.couplingId} and kind = ${row.kind} and record_id = ${row.recordId} and seq = ${row.seq}::bigint`.execute(tx);
  },

  /** What was refused is due again: somebody changed what it was refused for, or an operator wants it. */
  async retry(tx: Tx, linkId: string, onlyOfCouplings = false): Promise<number> {
    const { numAffectedRows } = await sql`
      update outbox set retry_at = null
      where (coupling_id, kind, record_id) in (
        select coupling_id, kind, record_id from outbox
        where link_id = ${linkId} and retry_at is not null and (not ${onlyOfCouplings}::boolean or starts_with(refused_code, 'COUPLING_'))
        for update skip locked)`.execute(tx);
    return Number(numAffectedRows ?? 0);
  },
};
