import { sql } from 'kysely';
import { z } from 'zod';
import type { Tx } from '../../platform/database/database.js';
import type { KnownLink } from '../links/index.js';
import type { Comparison, HeldRecord } from '../replication/index.js';

/** Records of one page. */
const PAGE = 250;

/** Moment and counter of a stamp, without who gave it: of others' changes a partner learns only that they came later. */
const moment = z.string().regex(/^(\d{15}-\d{8})?$/);
const heldSchema = z.strictObject({ recordId: z.uuid(), moments: z.record(z.string().max(16), moment) });
/** What a partner says that he holds of one record: the moment of each register. */
export type HeldMoments = z.infer<typeof heldSchema>;

interface RegisterRow {
  record_id: string;
  name: string;
  stamp: string;
}

const momentOf = (stamp: string): string => stamp.slice(0, 24);

/**
 * Responsible for finding and mending what is different between a house's own changes and what a partner holds of them. Whoever has a
 * later change of the same field, by whomever, needs nothing.
 */
abstract class StampComparison implements Comparison {
  readonly heldSchema = heldSchema;

  constructor(
    private readonly kind: string,
    private readonly code: string,
  ) {}

  /** A query of coupling_id, record_id, name and stamp of every register that both sides of the couplings may have. */
  protected abstract registers(couplingIds: readonly string[]): ReturnType<typeof sql>;

  async digests(tx: Tx, link: KnownLink, couplingIds: readonly string[], side: 'ORIGIN' | 'COPY'): Promise<ReadonlyMap<string, string>> {
    const giver = side === 'ORIGIN' ? this.code : link.partnerCode;
    const { rows } = await sql<{ coupling_id: string; digest: string }>`
      select coupling_id, md5(string_agg(concat_ws(' ', record_id, name, stamp), ',' order by record_id, name collate "C")) as digest
      from (${this.registers(couplingIds)}) register where substr(stamp, 26) = ${giver} group by coupling_id`.execute(tx);
    return new Map(rows.map((row) => [row.coupling_id, row.digest]));
  }

  /** Stamps know no incarnations: a later one is later, and what a restored house has lost comes back to it. */
  older(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  async held(tx: Tx, _link: KnownLink, couplingId: string, _older: boolean, after: string | null): Promise<readonly HeldMoments[]> {
    const { rows } = await sql<RegisterRow>`
      with register as (${this.registers([couplingId])})
      select record_id, name, stamp from register
      where record_id in (select distinct record_id from register where ${after}::uuid is null or record_id > ${after}::uuid order by record_id limit ${PAGE})
      order by record_id`.execute(tx);
    return [...Map.groupBy(rows, (row) => row.record_id)].map(([recordId, registers]) => ({
      recordId,
      moments: Object.fromEntries(registers.map(({ name, stamp }) => [name, momentOf(stamp)])),
    }));
  }

  async repair(tx: Tx, link: KnownLink, couplingId: string, held: readonly HeldRecord[]): Promise<number> {
    const there = new Map((held as readonly HeldMoments[]).map(({ recordId, moments }) => [recordId, moments]));
    const { rows } = await sql<RegisterRow>`
      select record_id, name, stamp from (${this.registers([couplingId])}) register where substr(stamp, 26) = ${this.code}`.execute(tx);
    const missing = rows.filter(({ record_id, name, stamp }) => (there.get(record_id)?.[name] ?? '') < momentOf(stamp));
    const records = [...new Set(missing.map(({ record_id }) => record_id))].sort();
    for (const id of records) await sql`select outbox_put(${link.id}::uuid, ${couplingId}::uuid, ${this.kind}, ${id}::uuid)`.execute(tx);
    return records.length;
  }
}

/** Bank data are left out: whether they leave is the guide's own switch in each house, of which the other knows nothing. */
export class ProfileComparison extends StampComparison {
  protected override registers(couplingIds: readonly string[]): ReturnType<typeof sql> {
    return sql`
      select c.id as coupling_id, c.id as record_id, p.field as name, p.stamp
      from coupling c join profile_stamp p on p.guide_id = c.guide_id
      where c.id = any(${[...couplingIds]}::uuid[]) and p.field <> 'bankData' and p.stamp <> ''`;
  }
}

export class RuleComparison extends StampComparison {
  protected override registers(couplingIds: readonly string[]): ReturnType<typeof sql> {
    return sql`
      select c.id as coupling_id, r.id as record_id, each.name, each.stamp
      from coupling c join availability_rule r on r.guide_id = c.guide_id
      cross join lateral (values ('definition', r.stamp), ('holidays', r.holidays_stamp)) as each(name, stamp)
      where c.id = any(${[...couplingIds]}::uuid[]) and each.stamp <> ''`;
  }
}
