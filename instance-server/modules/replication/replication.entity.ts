import { defineEntity, p } from '@mikro-orm/core';
import { GuideEntity } from '../guides/guide.entity.js';
import { CouplingEntity, LinkEntity } from '../links/link.entity.js';

/** The one row of what this instance knows of itself as an origin. */
export const SyncStateEntity = defineEntity({
  name: 'SyncState',
  tableName: 'sync_state',
  properties: {
    id: p.integer().primary().autoincrement(false),
    /** Raised when this instance learns that it was restored from an older state. */
    incarnation: p.integer().default(1),
    /** The greatest stamp given or seen; see platform/stamps.ts. */
    lastStamp: p.string().length(64).default(''),
  },
});

/** What was sent to and received from the partner of a link, and how the exchange is going. */
export const SyncPeerEntity = defineEntity({
  name: 'SyncPeer',
  tableName: 'sync_peer',
  properties: {
    link: () => p.manyToOne(LinkEntity).primary().deleteRule('cascade'),
    /** Number and id of the batch sent last; the id stays until it is acknowledged, however often it is sent. */
    sentNumber: p.integer().default(0),
    sentId: p.uuid().nullable(),
    ackedNumber: p.integer().default(0),
    /** Number and id of the batch applied last. */
    receivedNumber: p.integer().default(0),
    receivedId: p.uuid().nullable(),
    partnerIncarnation: p.integer().default(0),
    partnerRelease: p.string().length(32).nullable(),
    lastContactAt: p.datetime(3).nullable(),
    /** When the copy of what the partner holds was last known to be complete. */
    completeAt: p.datetime(3).nullable(),
    lastError: p.string().length(64).nullable(),
    lastErrorAt: p.datetime(3).nullable(),
    lastDigestAt: p.datetime(3).nullable(),
    lastDigestResult: p.string().length(64).nullable(),
  },
});

/** What waits for linked houses: a record's name only; its content is read when it is sent. Written by database triggers. */
export const OutboxEntity = defineEntity({
  name: 'Outbox',
  tableName: 'outbox',
  properties: {
    /** No foreign key: the end of a coupling is told after it. */
    couplingId: p.uuid().primary(),
    kind: p.string().length(16).primary(),
    recordId: p.uuid().primary(),
    link: () => p.manyToOne(LinkEntity).deleteRule('cascade'),
    /** Raised by every change; a row is removed only as what was delivered. */
    seq: p.bigint(),
    waitingSince: p.datetime(3),
    attempts: p.integer().default(0),
    /** Why the partner did not take it; tried again at `retryAt`, others pass meanwhile. */
    refusedCode: p.string().length(64).nullable(),
    retryAt: p.datetime(3).nullable(),
  },
  indexes: [{ name: 'outbox_link', properties: ['link', 'seq'] }],
});

/** A linked house's assignment of a coupled guide, as received. Ended ones stay for a while as tombstones. */
export const ForeignBookingEntity = defineEntity({
  name: 'ForeignBooking',
  tableName: 'foreign_booking',
  properties: {
    coupling: () => p.manyToOne(CouplingEntity).primary(),
    /** The assignment's id at its origin. */
    id: p.uuid().primary(),
    guide: () => p.manyToOne(GuideEntity),
    link: () => p.manyToOne(LinkEntity).index(),
    incarnation: p.integer(),
    version: p.integer(),
    startAt: p.datetime(3),
    endAt: p.datetime(3),
    offerTitle: p.string().length(200).nullable(),
    /** BOOKING or BLOCK. */
    kind: p.string().length(16),
    ended: p.boolean().default(false),
    receivedAt: p.datetime(3),
    endedAt: p.datetime(3).nullable(),
    /** The guide says that this is none of his; it does not block him here then. */
    disputedAt: p.datetime(3).nullable(),
  },
  indexes: [{ name: 'foreign_booking_calendar', properties: ['guide', 'startAt'] }],
});

/** What a partner still holds of this house after a restore has taken it away; one row for each coupling over which it is held. */
export const LostBookingEntity = defineEntity({
  name: 'LostBooking',
  tableName: 'lost_booking',
  properties: {
    coupling: () => p.manyToOne(CouplingEntity).primary(),
    /** The assignment's id, as this house gave it. */
    id: p.uuid().primary().index(),
    guide: () => p.manyToOne(GuideEntity),
    startAt: p.datetime(3),
    endAt: p.datetime(3),
    offerTitle: p.string().length(200).nullable(),
    /** BOOKING or BLOCK. */
    kind: p.string().length(16),
    /** The partner's; it is told of the end under the next one. */
    version: p.integer(),
    /** Ours under which it is held there: the present one is compared with the copies there, earlier ones are not. */
    incarnation: p.integer(),
    foundAt: p.datetime(3),
    releasedAt: p.datetime(3).nullable(),
  },
});
