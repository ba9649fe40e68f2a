import { sql } from 'kysely';
import type { Tx } from '../../platform/database/database.js';
import type { AgeGroup } from '../catalogs/index.js';
import type { GuideScope } from '../guides/index.js';

export interface ReleaseRow {
  guideId: string;
  offerId: string;
  languages: string[] | null;
  ageGroups: AgeGroup[] | null;
}

/** The six limits by their columns; null: without limit. */
export interface LimitColumns {
  minutes_per_day: number | null;
  bookings_per_day: number | null;
  minutes_per_week: number | null;
  bookings_per_week: number | null;
  minutes_per_month: number | null;
  bookings_per_month: number | null;
}

export type LimitsRow = LimitColumns & { guide_id: string; counts_foreign_bookings: boolean };

/** SQL of the terms on which a house employs a guide: releases and limits. */
export const termsRepository = {
  /** The guide whose terms are to change. */
  async lockGuide(tx: Tx, scope: GuideScope, id: string): Promise<{ id: string; version: number } | undefined> {
    const within = scope.kind === 'ALL' ? sql<boolean>`true` : scope.kind === 'ONE' ? sql<boolean>`id = ${scope.guideId}` : sql<boolean>`false`;
    return tx.selectFrom('guide').select(['id', 'version']).where('id', '=', id).where(within).forNoKeyUpdate().executeTakeFirst();
  },

  async bumpVersion(tx: Tx, guideId: string): Promise<void> {
    await tx
      .updateTable('guide')
      .set((eb) => ({ version: eb('version', '+', 1) }))
      .where('id', '=', guideId)
      .execute();
  },

  async releases(tx: Tx, guideIds: readonly string[]): Promise<ReleaseRow[]> {
    const rows = await tx
      .selectFrom('guide_offer')
      .innerJoin('offer', 'offer.id', 'guide_offer.offer_id')
      .select(['guide_offer.guide_id', 'guide_offer.offer_id', 'guide_offer.languages', 'guide_offer.age_groups'])
      .where('guide_offer.guide_id', 'in', [...guideIds])
      .orderBy('offer.title')
      .orderBy('offer.id')
      .execute();
    return rows.map((row) => ({ guideId: row.guide_id, offerId: row.offer_id, languages: row.languages, ageGroups: row.age_groups as AgeGroup[] | null }));
  },

  /** Ids of the offers that were changed: those he may lead. One statement for all of them. */
  async setReleases(tx: Tx, guideId: string, releases: readonly Omit<ReleaseRow, 'guideId'>[]): Promise<string[]> {
    const { rows } = await sql<{ offer_id: string }>`
      update guide_offer t set languages = r.languages, age_groups = r.age_groups
      from jsonb_to_recordset(${JSON.stringify(releases.map(({ offerId, languages, ageGroups }) => ({ offer_id: offerId, languages, age_groups: ageGroups })))}::jsonb)
        as r (offer_id uuid, languages text[], age_groups text[])
      where t.guide_id = ${guideId} and t.offer_id = r.offer_id
      returning t.offer_id`.execute(tx);
    return rows.map((row) => row.offer_id);
  },

  async limits(tx: Tx, guideIds: readonly string[]): Promise<LimitsRow[]> {
    return tx.selectFrom('guide_limits').selectAll().where('guide_id', 'in', [...guideIds]).execute();
  },

  async setLimits(tx: Tx, guideId: string, values: Partial<LimitColumns> | { counts_foreign_bookings: boolean }): Promise<void> {
    await tx
      .insertInto('guide_limits')
      .values({ guide_id: guideId, ...values })
      .onConflict((conflict) => conflict.column('guide_id').doUpdateSet(values))
      .execute();
  },
};
