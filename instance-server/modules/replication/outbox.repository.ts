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
      from outbox_due(${linkId}, ${[...kinds]}::text[], ${[...whilePaused]}::text[], ${now}, ${limit}) o`.execute(tx);
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

  /**
   * Tried again later, more seldom each time: seconds at first, an hour at last. Where the partner waits for others himself, which is soon
   * over, every eight seconds at last.
   */
  async refuse(tx: Tx, rows: readonly (WaitingRow & { reason: string })[], now: Date): Promise<void> {
    await sql`
      update outbox o set refused_code = r.reason, attempts = o.attempts + 1,
        retry_at = ${now}::timestamptz + least(interval '1 hour', interval '1 second' * power(2, least(o.attempts, case r.reason when 'LATER' then 3 else 12 end)))
      from (
        select w.coupling_id, w.kind, w.record_id, k.reason
        from outbox w
        join jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as k("couplingId" uuid, kind text, "recordId" uuid, seq bigint, reason text)
          on (w.coupling_id, w.kind, w.record_id, w.seq) = (k."couplingId", k.kind, k."recordId", k.seq)
        order by w.coupling_id, w.kind, w.record_id for update of w skip locked
      ) r
      where o.coupling_id = r.coupling_id and o.kind = r.kind and o.record_id = r.record_id`.execute(tx);
  },

  /** What was refused is due again: somebody changed what it was refused for, or an operator wants it. */
  async retry(tx: Tx, linkId: string, onlyOfCouplings = false): Promise<number> {
    const { numAffectedRows } = await sql`
      update outbox set retry_at = null
      where (coupling_id, kind, record_id) in (
        select coupling_id, kind, record_id from outbox
        where link_id = ${linkId} and refused_code is not null and retry_at is not null and (not ${onlyOfCouplings}::boolean or starts_with(refused_code, 'COUPLING_'))
        for update skip locked)`.execute(tx);
    return Number(numAffectedRows ?? 0);
  },
};
