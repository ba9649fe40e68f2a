import { defineEntity, p } from '@mikro-orm/core';
import { BookingEntity } from '../bookings/booking.entity.js';
import { OfferEntity } from '../catalogs/offer.entity.js';
import { GuideEntity } from '../guides/guide.entity.js';

/** Up to how much a guide leads in this house; null: without limit. Never synchronised. */
export const GuideLimitsEntity = defineEntity({
  name: 'GuideLimits',
  tableName: 'guide_limits',
  properties: {
    guide: () => p.manyToOne(GuideEntity).primary().deleteRule('cascade'),
    minutesPerDay: p.integer().nullable(),
    bookingsPerDay: p.integer().nullable(),
    minutesPerWeek: p.integer().nullable(),
    bookingsPerWeek: p.integer().nullable(),
    minutesPerMonth: p.integer().nullable(),
    bookingsPerMonth: p.integer().nullable(),
    /** The guide's own switch: whether what he does for linked houses counts too. */
    countsForeignBookings: p.boolean().default(false),
  },
});

/**
 * A guide is asked to take a booking or a part of it. What was asked never changes; only the state does, once. A trigger on the
 * booking withdraws what no longer stands as it was asked.
 */
export const GuideRequestEntity = defineEntity({
  name: 'GuideRequest',
  tableName: 'guide_request',
  properties: {
    id: p.uuid().primary(),
    booking: () => p.manyToOne(BookingEntity).deleteRule('cascade'),
    guide: () => p.manyToOne(GuideEntity),
    offer: () => p.manyToOne(OfferEntity),
    startAt: p.datetime(3),
    endAt: p.datetime(3),
    language: p.string().length(35).nullable(),
    ageGroup: p.string().length(16).nullable(),
    deadline: p.datetime(3),
    /** OPEN, ACCEPTED, DECLINED, WITHDRAWN or EXPIRED; an OPEN one whose deadline has passed is as good as EXPIRED. */
    state: p.string().length(16),
    /** Why it was withdrawn, a code of GuideRequestWithdrawal. */
    withdrawal: p.string().length(16).nullable(),
    createdAt: p.datetime(3),
    closedAt: p.datetime(3).nullable(),
  },
  indexes: [
    { name: 'guide_request_booking', properties: ['booking', 'createdAt'] },
    { name: 'guide_request_guide', properties: ['guide', 'createdAt'] },
    { name: 'guide_request_created', properties: ['createdAt', 'id'] },
  ],
});
