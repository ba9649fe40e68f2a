import { defineEntity, p } from '@mikro-orm/core';
import { GuideAssignmentEntity } from '../bookings/booking.entity.js';
import { GuideEntity } from '../guides/guide.entity.js';
import { CouplingEntity } from '../links/link.entity.js';

/** Who may count on a guide, and when. At the keeper those of every house; elsewhere none, but for some that wait to be handed over. */
export const ClaimEntity = defineEntity({
  name: 'Claim',
  tableName: 'claim',
  properties: {
    /** Code of the house that claims: a partner, or this one. */
    holder: p.string().length(32).primary(),
    /** The assignment's id at its holder. */
    id: p.uuid().primary(),
    guide: () => p.manyToOne(GuideEntity).index(),
    /** Of the holder; the newest (incarnation, version) stands. */
    incarnation: p.integer(),
    version: p.integer(),
    /** Null once released. */
    startAt: p.datetime(3).nullable(),
    endAt: p.datetime(3).nullable(),
    /** VERIFIED, CONFLICT, DISPUTED (by the guide himself) or RELEASED, which stays for a while as a tombstone. */
    state: p.string().length(16),
    /** Since when it stands in line for its interval. */
    claimedAt: p.datetime(3),
    changedAt: p.datetime(3),
  },
});

/** In the coupled house the guide said that this assignment of ours is none of his. */
export const AssignmentDisputeEntity = defineEntity({
  name: 'AssignmentDispute',
  tableName: 'assignment_dispute',
  properties: {
    coupling: () => p.manyToOne(CouplingEntity).primary(),
    assignment: () => p.manyToOne(GuideAssignmentEntity).primary().index(),
    disputedAt: p.datetime(3),
  },
});
