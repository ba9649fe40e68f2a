import { defineEntity, p } from '@mikro-orm/core';
import { OfferEntity } from '../catalogs/offer.entity.js';

/** A guide of this instance. `id` is local and never changes; `globalId` exists once he is coupled. */
export const GuideEntity = defineEntity({
  name: 'Guide',
  tableName: 'guide',
  properties: {
    id: p.uuid().primary(),
    globalId: p.string().length(64).nullable().unique(),
    /** When the global id was minted: of two, the older survives. */
    globalIdMintedAt: p.datetime(3).nullable(),
    /** Code of the house that keeps the claims to his time; null until he is coupled for the first time. The highest epoch counts. */
    claimKeeper: p.string().length(32).nullable(),
    keeperEpoch: p.integer().default(0),
    firstName: p.string().length(100),
    lastName: p.string().length(100),
    email: p.string().length(254).nullable(),
    phone: p.string().length(50).nullable(),
    languages: p.array().columnType('text[]').defaultRaw("'{}'"),
    /** Bank data: all of it, or none (the BIC may be missing). */
    accountHolder: p.string().length(140).nullable(),
    iban: p.string().length(34).nullable(),
    bic: p.string().length(11).nullable(),
    /** His own switch in this house: whether bank data leave it for the houses he is coupled in. */
    sharesBankData: p.boolean().default(false),
    active: p.boolean().default(true),
    version: p.integer().default(1),
    createdAt: p.datetime(3).defaultRaw('now()'),
  },
  indexes: [{ name: 'guide_name', properties: ['lastName', 'firstName', 'id'] }],
});

/** Offers a guide may lead. */
export const GuideOfferEntity = defineEntity({
  name: 'GuideOffer',
  tableName: 'guide_offer',
  properties: {
    guide: () => p.manyToOne(GuideEntity).primary().deleteRule('cascade'),
    offer: () => p.manyToOne(OfferEntity).primary().deleteRule('cascade').index(),
    /** Languages he is released for on it, BCP 47; null: whatever he speaks. */
    languages: p.array().columnType('text[]').nullable(),
    /** Age groups he is released for on it; null: every one. */
    ageGroups: p.array().columnType('text[]').nullable(),
  },
});

/** Global ids that lost against an older one when two houses coupled a guide; they keep resolving. */
export const GuideAliasEntity = defineEntity({
  name: 'GuideAlias',
  tableName: 'guide_alias',
  properties: {
    globalId: p.string().length(64).primary(),
    guide: () => p.manyToOne(GuideEntity).deleteRule('cascade').index(),
  },
});

/** When and by which house a field of a profile was last changed; see platform/stamps.ts. A field without one was never said. */
export const ProfileStampEntity = defineEntity({
  name: 'ProfileStamp',
  tableName: 'profile_stamp',
  properties: {
    guide: () => p.manyToOne(GuideEntity).primary().deleteRule('cascade'),
    /** A name of PROFILE_FIELDS. */
    field: p.string().length(16).primary(),
    stamp: p.string().length(64),
    /** The greatest stamp of a value that came and lost: told in the action log once. */
    lostStamp: p.string().length(64).default(''),
  },
});
