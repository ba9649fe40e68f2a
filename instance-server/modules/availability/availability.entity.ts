import { defineEntity, p } from '@mikro-orm/core';
import { GuideEntity } from '../guides/guide.entity.js';

/**
 * Recurring availability. Synchronised: the last writer wins by `stamp`, for the holidays by `holidaysStamp`. A deleted one stays, so
 * that its deletion travels and nothing late revives it.
 */
export const AvailabilityRuleEntity = defineEntity({
  name: 'AvailabilityRule',
  tableName: 'availability_rule',
  properties: {
    id: p.uuid().primary(),
    guide: () => p.manyToOne(GuideEntity).deleteRule('cascade'),
    /** Code of the instance it was made in; its zone and holidays are that one's. */
    origin: p.string().length(32),
    timeZone: p.string().length(64),
    /** `09:00` in its zone. */
    startTime: p.string().length(5),
    durationMinutes: p.integer(),
    /** As `checkRecurrence` gives it. */
    rrule: p.text(),
    validFrom: p.date(),
    validUntil: p.date().nullable(),
    exdates: p.array().columnType('date[]').defaultRaw("'{}'"),
    skipsHolidays: p.boolean().default(false),
    /** A copy of the origin's holidays, which it alone writes. */
    holidays: p.array().columnType('date[]').defaultRaw("'{}'"),
    stamp: p.string().length(64),
    holidaysStamp: p.string().length(64),
    /** The greatest stamp of a definition that came from another house and lost: told in the action log once. */
    lostStamp: p.string().length(64).default(''),
    deleted: p.boolean().default(false),
    version: p.integer().default(1),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
  indexes: [{ name: 'availability_rule_guide', properties: ['guide'] }],
});

/** Set by hand for a concrete time; beats every rule. Never synchronised. Of one guide none overlap. */
export const IndividualAvailabilityEntity = defineEntity({
  name: 'IndividualAvailability',
  tableName: 'individual_availability',
  properties: {
    id: p.uuid().primary(),
    guide: () => p.manyToOne(GuideEntity).deleteRule('cascade'),
    startAt: p.datetime(3),
    endAt: p.datetime(3),
    available: p.boolean(),
    note: p.text().nullable(),
  },
});

/** A guide is away. Never synchronised; the reason is personal. */
export const AbsenceEntity = defineEntity({
  name: 'Absence',
  tableName: 'absence',
  properties: {
    id: p.uuid().primary(),
    guide: () => p.manyToOne(GuideEntity).deleteRule('cascade'),
    startAt: p.datetime(3),
    endAt: p.datetime(3),
    reason: p.text().nullable(),
    version: p.integer().default(1),
    createdAt: p.datetime(3),
  },
  indexes: [{ name: 'absence_guide', properties: ['guide', 'startAt'] }],
});

/** A day on which rules that skip holidays do not apply; of this house, in its zone. */
export const HolidayEntity = defineEntity({
  name: 'Holiday',
  tableName: 'holiday',
  properties: {
    date: p.date().primary(),
    name: p.string().length(100),
  },
});
