import { defineEntity, p } from '@mikro-orm/core';

/** What can be booked. `title` is public: it is all a linked house ever learns of a booking's content. */
export const OfferEntity = defineEntity({
  name: 'Offer',
  tableName: 'offer',
  properties: {
    id: p.uuid().primary(),
    title: p.string().length(200),
    description: p.text().nullable(),
    durationMinutes: p.integer(),
    languages: p.array().columnType('text[]').defaultRaw("'{}'"),
    /** Age groups it is made for, codes of AgeGroup; none named: for everybody. */
    ageGroups: p.array().columnType('text[]').defaultRaw("'{}'"),
    /** How many guides a booking of this offer needs. */
    guideDemand: p.integer().default(1),
    /** Price in minor units of `currency`. */
    priceAmount: p.bigint('number'),
    priceCurrency: p.string().length(3),
    active: p.boolean().default(true),
    version: p.integer().default(1),
    createdAt: p.datetime(3).defaultRaw('now()'),
  },
  indexes: [{ name: 'offer_title', properties: ['title', 'id'] }],
});
