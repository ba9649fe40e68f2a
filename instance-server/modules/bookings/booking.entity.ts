import { defineEntity, p } from '@mikro-orm/core';
import { OfferEntity } from '../catalogs/offer.entity.js';
import { GuideEntity } from '../guides/guide.entity.js';

/** Who a booking is for. Personal data: never leaves the instance. */
export const CustomerEntity = defineEntity({
  name: 'Customer',
  tableName: 'customer',
  properties: {
    id: p.uuid().primary(),
    name: p.string().length(200),
    email: p.string().length(254).nullable(),
    phone: p.string().length(50).nullable(),
    createdAt: p.datetime(3).defaultRaw('now()'),
  },
});

export const BookingEntity = defineEntity({
  name: 'Booking',
  tableName: 'booking',
  properties: {
    id: p.uuid().primary(),
    offer: () => p.manyToOne(OfferEntity).index(),
    customer: () => p.manyToOne(CustomerEntity).index(),
    startAt: p.datetime(3),
    endAt: p.datetime(3),
    /** One of the states in booking.states.ts. */
    state: p.string().length(16),
    partySize: p.integer().nullable(),
    language: p.string().length(35).nullable(),
    /** A code of AgeGroup. */
    ageGroup: p.string().length(16).nullable(),
    notes: p.text().nullable(),
    guideDemand: p.integer(),
    cancelReason: p.text().nullable(),
    cancelOrigin: p.string().length(16).nullable(),
    cancelledAt: p.datetime(3).nullable(),
    version: p.integer().default(1),
    createdAt: p.datetime(3).defaultRaw('now()'),
    updatedAt: p.datetime(3).defaultRaw('now()'),
  },
  indexes: [{ name: 'booking_start', properties: ['startAt', 'id'] }],
});

/**
 * A guide covers a booking or part of it. The id is what linked houses see: random, new for every assignment, never reused.
 * Ended ones stay as a record that they ended; the exclusion constraint counts living ones alone.
 */
export const GuideAssignmentEntity = defineEntity({
  name: 'GuideAssignment',
  tableName: 'guide_assignment',
  properties: {
    id: p.uuid().primary(),
    guide: () => p.manyToOne(GuideEntity),
    /** Null once the booking was deleted. */
    booking: () => p.manyToOne(BookingEntity).nullable().deleteRule('set null').index(),
    startAt: p.datetime(3),
    endAt: p.datetime(3),
    endedAt: p.datetime(3).nullable(),
    /** BOOKING, or BLOCK: staff withhold him without a booking. */
    kind: p.string().length(16).default('BOOKING'),
    /** Why he is withheld; never leaves the instance. */
    blockNote: p.text().nullable(),
    /** NOT_NEEDED, PENDING, UNVERIFIED, VERIFIED or CONFLICT: what the keeper of the guide's claims has said of this interval. */
    verification: p.string().length(16).default('NOT_NEEDED'),
    /** Counts what matters to that claim: every other interval, and the end. */
    claimVersion: p.integer().default(1),
    version: p.integer().default(1),
    createdAt: p.datetime(3).defaultRaw('now()'),
  },
  indexes: [{ name: 'guide_assignment_calendar', properties: ['guide', 'startAt'] }],
});
