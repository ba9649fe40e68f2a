import { sql } from 'kysely';
import type { Tx } from '../../platform/database/database.js';

/** A claim as it is put to the keeper; without an interval it is released. */
export interface Claimed {
  guideId: string;
  id: string;
  incarnation: number;
  version: number;
  start: Date | null;
  end: Date | null;
  /** Its holder says that it was verified already. */
  isGranted?: boolean;
}

export interface KeptClaim {
  guideId: string;
  holder: string;
  id: string;
  incarnation: number;
  version: number;
  start: Date | null;
  end: Date | null;
  state: string;
}

/** A guide as the keeper's desk sees him: who keeps, how many a holder claims, and over which links he is coupled. */
export interface DeskGuide {
  id: string;
  keeper: string | null;
  living: number;
  linkIds: string[];
}

/** SQL of claims. Whoever writes holds the rows of the guides concerned. */
export const claimRepository = {
  /** In the order in which everybody locks them. */
  async lockGuides(tx: Tx, guideIds: readonly string[]): Promise<void> {
    await sql`select 1 from guide where id = any(${[...guideIds]}::uuid[]) order by id for no key update`.execute(tx);
  },

  async incarnation(tx: Tx): Promise<number> {
    return (await tx.selectFrom('sync_state').select('incarnation').where('id', '=', 1).executeTakeFirstOrThrow()).incarnation;
  },

  async deskGuides(tx: Tx, guideIds: readonly string[], holder: string, now: Date): Promise<Map<string, DeskGuide>> {
    const { rows } = await sql<DeskGuide>`
      select g.id, g.claim_keeper as keeper,
        (select count(*)::int from claim c where c.guide_id = g.id and c.holder = ${holder} and c.state in ('VERIFIED', 'CONFLICT') and c.end_at > ${now}) as living,
        array(select k.link_id from coupling k where k.guide_id = g.id and k.state = 'ACTIVE') as "linkIds"
      from guide g where g.id = any(${[...new Set(guideIds)]}::uuid[])`.execute(tx);
    return new Map(rows.map((row) => [row.id, row]));
  },

  async kept(tx: Tx, holder: string, ids: readonly string[]): Promise<Map<string, KeptClaim>> {
    const { rows } = await sql<KeptClaim>`
      select guide_id as "guideId", holder, id, incarnation, version, start_at as start, end_at as "end", state
      from claim where holder = ${holder} and id = any(${[...ids]}::uuid[])`.execute(tx);
    return new Map(rows.map((row) => [row.id, row]));
  },

  /** One after the other, in their order. */
  async apply(tx: Tx, holder: string, claims: readonly Claimed[], now: Date): Promise<{ verdict: string; version: number | null }[]> {
    const { rows } = await sql<{ verdict: string; version: number | null }>`
      select a.verdict, a.known_version as version
      from jsonb_to_recordset(${JSON.stringify(claims.map((claim, place) => ({ ...claim, place })))}::jsonb)
        as i(place int, "guideId" uuid, id uuid, incarnation int, version int, start timestamptz, "end" timestamptz)
      cross join lateral claim_apply(i."guideId", ${holder}, i.id, i.incarnation, i.version, i.start, i."end", ${now}) a
      order by i.place`.execute(tx);
    return rows;
  },

  /** Incarnation of this house, and the links over which a guide is coupled whose claims it keeps; undefined for another. */
  async keptHere(tx: Tx, guideId: string, instanceCode: string): Promise<{ incarnation: number; linkIds: string[] } | undefined> {
    const { rows } = await sql<{ incarnation: number; linkIds: string[] }>`
      select y.incarnation, array(select k.link_id from coupling k where k.guide_id = g.id and k.state = 'ACTIVE') as "linkIds"
      from guide g cross join sync_state y where g.id = ${guideId} and g.claim_keeper = ${instanceCode}`.execute(tx);
    return rows[0];
  },

  /** Own assignments to come that were not claimed yet though this house keeps the claims. */
  async unclaimed(tx: Tx, guideId: string, now: Date): Promise<Claimed[]> {
    const { rows } = await sql<Claimed>`
      select a.guide_id as "guideId", a.id, y.incarnation, a.claim_version as version, a.start_at as start, a.end_at as "end"
      from guide_assignment a cross join sync_state y
      where a.guide_id = ${guideId} and a.ended_at is null and a.end_at > ${now} and a.verification = 'UNVERIFIED' order by a.start_at, a.id`.execute(tx);
    return rows;
  },

  /** The active coupling of this link, with its guide. */
  async activeCoupling(tx: Tx, linkId: string, couplingId: string): Promise<{ guideId: string } | undefined> {
    const row = await tx
      .selectFrom('coupling')
      .select('guide_id')
      .where('id', '=', couplingId)
      .where('link_id', '=', linkId)
      .where('state', '=', 'ACTIVE')
      .executeTakeFirst();
    return row?.guide_id ? { guideId: row.guide_id } : undefined;
  },

  /**
   * What the keeper said of own assignments; only of what he was told last, and only while he is their keeper. Gives those that changed.
   */
  async verified(tx: Tx, keeper: string, verdicts: readonly { id: string; version: number; verification: string; couplingId: string }[]): Promise<string[]> {
    const { rows } = await sql<{ id: string }>`
      update guide_assignment a set verification = v.verification
      from jsonb_to_recordset(${JSON.stringify(verdicts)}::jsonb) as v(id uuid, version int, verification text, "couplingId" uuid)
      join coupling k on k.id = v."couplingId"
      join guide g on g.id = k.guide_id
      where a.id = v.id and a.guide_id = k.guide_id and a.claim_version = v.version and a.ended_at is null
        and g.claim_keeper = ${keeper} and a.verification <> v.verification
      returning a.id`.execute(tx);
    return rows.map((row) => row.id);
  },

  async outrun(tx: Tx, id: string, version: number): Promise<void> {
    await sql`select claim_outrun(${id}, ${version})`.execute(tx);
  },

  async setKeeper(tx: Tx, guideId: string, keeper: string, epoch: number, now: Date): Promise<void> {
    await sql`select claim_keeper_set(${guideId}, ${keeper}, ${epoch}, ${now})`.execute(tx);
  },

  async keeperOf(tx: Tx, guideId: string): Promise<{ keeper: string | null; epoch: number; globalId: string | null; mintedAt: Date | null }> {
    const row = await tx
      .selectFrom('guide')
      .select(['claim_keeper', 'keeper_epoch', 'global_id', 'global_id_minted_at'])
      .where('id', '=', guideId)
      .executeTakeFirstOrThrow();
    return { keeper: row.claim_keeper, epoch: row.keeper_epoch, globalId: row.global_id, mintedAt: row.global_id_minted_at };
  },

  /** Living claims of a guide that are kept here, in the order of their ids; a page of them. */
  async page(tx: Tx, guideId: string, holder: string | null, after: string | null, now: Date, limit: number): Promise<KeptClaim[]> {
    const { rows } = await sql<KeptClaim>`
      select guide_id as "guideId", holder, id, incarnation, version, start_at as start, end_at as "end", state
      from claim
      where guide_id = ${guideId} and (${holder}::text is null or holder = ${holder}) and state <> 'RELEASED' and end_at > ${now}
        and (${after}::uuid is null or id > ${after})
      order by id, holder limit ${limit}`.execute(tx);
    return rows;
  },

  /** Said again, unless it waits to be said already. */
  async put(tx: Tx, couplingId: string, linkId: string, ids: readonly string[]): Promise<number> {
    const { rows } = await sql`
      select outbox_put(${linkId}, ${couplingId}, 'CLAIM', i.id)
      from unnest(${[...ids]}::uuid[]) as i(id)
      where not exists (select 1 from outbox o where o.coupling_id = ${couplingId} and o.kind = 'CLAIM' and o.record_id = i.id)`.execute(tx);
    return rows.length;
  },
};
