import { type ExpressionBuilder, type Selectable, sql } from 'kysely';
import type { DB } from '../../entities.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { isUuid } from '../../platform/validation.js';
import type { GuideScope } from './guide.policy.js';
import { Guide, type GuideFilter } from './guide.type.js';

type GuideRow = Omit<Selectable<DB['guide']>, 'created_at' | 'global_id_minted_at'>;

export function toGuide(row: GuideRow): Guide {
  return Object.assign(new Guide(), {
    id: row.id,
    globalId: row.global_id,
    displayName: `${row.first_name} ${row.last_name}`,
    firstName: row.first_name,
    lastName: row.last_name,
    email: row.email,
    phone: row.phone,
    languages: row.languages,
    bankData: row.iban === null || row.account_holder === null ? null : { accountHolder: row.account_holder, iban: row.iban, bic: row.bic },
    sharesBankData: row.shares_bank_data,
    active: row.active,
    version: row.version,
  });
}

/** Always in the statement, so that a guide who may not be seen costs the same as one who does not exist. */
function withinScope(eb: ExpressionBuilder<DB, 'guide'>, scope: GuideScope) {
  switch (scope.kind) {
    case 'ALL':
      return sql<boolean>`true`;
    case 'ONE':
      return eb('guide.id', '=', scope.guideId);
    default:
      return sql<boolean>`false`;
  }
}

const OWN_PROFILE = {
  name: 'profile_of_guide',
  text: 'select id, global_id, first_name, last_name, email, phone, languages, account_holder, iban, bic, shares_bank_data, active, version from profile_of_guide($1, $2)',
};

/** SQL of guides. */
export const guideRepository = {
  /** What a guide asks of himself, through his own database role. */
  async asGuide(database: Database, guideId: string, asked: string): Promise<Guide | undefined> {
    const { rows } = await database.guide.query<GuideRow>({ ...OWN_PROFILE, values: [guideId, asked] });
    return rows[0] && toGuide(rows[0]);
  },

  /** By local id, global id or an alias of it. */
  async findAny(tx: Tx, scope: GuideScope, id: string): Promise<Guide | undefined> {
    const query = tx
      .selectFrom('guide')
      .selectAll('guide')
      .where((eb) => withinScope(eb, scope));
    const row = isUuid(id)
      ? await query.where('guide.id', '=', id).executeTakeFirst()
      : await query
          .where((eb) =>
            eb.or([eb('guide.global_id', '=', id), eb('guide.id', 'in', eb.selectFrom('guide_alias').select('guide_alias.guide_id').where('guide_alias.global_id', '=', id))]),
          )
          .executeTakeFirst();
    return row && toGuide(row);
  },

  async byIds(tx: Tx, scope: GuideScope, ids: readonly string[]): Promise<Guide[]> {
    const rows = await tx
      .selectFrom('guide')
      .selectAll('guide')
      .where((eb) => withinScope(eb, scope))
      .where('guide.id', 'in', [...ids])
      .execute();
    return rows.map(toGuide);
  },

  async page(tx: Tx, scope: GuideScope, filter: GuideFilter, limit: number, after: string[] | undefined): Promise<Guide[]> {
    let query = tx
      .selectFrom('guide')
      .selectAll('guide')
      .where((eb) => withinScope(eb, scope));
    if (filter.active !== null && filter.active !== undefined) query = query.where('active', '=', filter.active);
    if (filter.language) query = query.where(sql<boolean>`languages @> array[${filter.language}]::text[]`);
    if (filter.offerId) {
      const offerId = filter.offerId;
      query = query.where('guide.id', 'in', (eb) => eb.selectFrom('guide_offer').select('guide_offer.guide_id').where('guide_offer.offer_id', '=', offerId));
    }
    if (after) query = query.where(sql<boolean>`(last_name, first_name, guide.id) > (${after[0]}, ${after[1]}, ${after[2]}::uuid)`);
    const rows = await query.orderBy('last_name').orderBy('first_name').orderBy('guide.id').limit(limit).execute();
    return rows.map(toGuide);
  },

  async lock(tx: Tx, scope: GuideScope, id: string): Promise<Guide | undefined> {
    const row = await tx
      .selectFrom('guide')
      .selectAll('guide')
      .where((eb) => withinScope(eb, scope))
      .where('guide.id', '=', id)
      .forNoKeyUpdate()
      .executeTakeFirst();
    return row && toGuide(row);
  },

  async offerIds(tx: Tx, guideIds: readonly string[]): Promise<{ guideId: string; offerId: string }[]> {
    const rows = await tx
      .selectFrom('guide_offer')
      .innerJoin('offer', 'offer.id', 'guide_offer.offer_id')
      .select(['guide_offer.guide_id', 'guide_offer.offer_id'])
      .where('guide_offer.guide_id', 'in', [...guideIds])
      .orderBy('offer.title')
      .orderBy('offer.id')
      .execute();
    return rows.map((row) => ({ guideId: row.guide_id, offerId: row.offer_id }));
  },

  /** Of an offer he keeps, what he is released for on it stays. */
  async setOffers(tx: Tx, guideId: string, offerIds: readonly string[]): Promise<void> {
    await sql`delete from guide_offer where guide_id = ${guideId} and offer_id <> all (${[...offerIds]}::uuid[])`.execute(tx);
    if (offerIds.length === 0) return;
    await tx
      .insertInto('guide_offer')
      .values(offerIds.map((offerId) => ({ guide_id: guideId, offer_id: offerId })))
      .onConflict((conflict) => conflict.columns(['guide_id', 'offer_id']).doNothing())
      .execute();
  },
};
