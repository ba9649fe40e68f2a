import { defineEntity, p } from '@mikro-orm/core';
import { GuideEntity } from '../guides/guide.entity.js';

/** An agreement with one other instance. The same id on both sides; an ended one stays as a record. */
export const LinkEntity = defineEntity({
  name: 'Link',
  tableName: 'link',
  properties: {
    id: p.uuid().primary(),
    partnerCode: p.string().length(32),
    partnerName: p.string().length(200),
    /** Where guides find the partner; shown beside foreign bookings. */
    partnerUrl: p.string().length(500),
    /** Where signed calls go. */
    partnerEndpoint: p.string().length(500),
    scopes: p.array().columnType('text[]').defaultRaw("'{}'"),
    /** PROPOSED, ACTIVE or ENDED; suspensions stand beside it. */
    state: p.string().length(16),
    suspendedHere: p.boolean().default(false),
    suspendedThere: p.boolean().default(false),
    /** When the partner is next told that the link ended here; null once he has heard, or need not. */
    endNoticeAt: p.datetime(3).nullable(),
    endNoticeAttempts: p.integer().default(0),
    version: p.integer().default(1),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});

/** Keys of a link: ours with the encrypted private half, and the partner's pinned public ones. */
export const LinkKeyEntity = defineEntity({
  name: 'LinkKey',
  tableName: 'link_key',
  properties: {
    link: () => p.manyToOne(LinkEntity).primary().deleteRule('cascade'),
    kid: p.string().length(64).primary(),
    /** OWN or PARTNER */
    side: p.string().length(8),
    publicJwk: p.json<Record<string, unknown>>(),
    privateKeyEncrypted: p.text().nullable(),
    createdAt: p.datetime(3),
    /** Ours: since when we sign with it, null until the partner has it. The partner's: since when he has signed with it. */
    inUseSince: p.datetime(3).nullable(),
    /** Set when another one took its place. */
    acceptedUntil: p.datetime(3).nullable(),
  },
});

/** "This guide here and that guide there are the same person." The same id on both sides. */
export const CouplingEntity = defineEntity({
  name: 'Coupling',
  tableName: 'coupling',
  properties: {
    id: p.uuid().primary(),
    link: () => p.manyToOne(LinkEntity).index(),
    /** Null here while the partner asked and nobody has chosen the guide yet. */
    guide: () => p.manyToOne(GuideEntity).nullable().index(),
    globalId: p.string().length(64).nullable(),
    /** REQUESTED, ACCEPTED, ACTIVE, DECLINED, ENDED */
    state: p.string().length(16),
    requestedHere: p.boolean(),
    /** Name the partner's staff gave with their request, for matching; cleared when the request is answered. */
    requestedName: p.string().length(200).nullable(),
    /** The guide himself agreed, signed in here; and there, as the partner says. Active when both. */
    confirmedHere: p.boolean().default(false),
    confirmedThere: p.boolean().default(false),
    /** Changes wait while either side has paused; live questions and claims go on. */
    pausedHere: p.boolean().default(false),
    pausedThere: p.boolean().default(false),
    /** The partner's global id for the guide at the time of agreeing, and when it was minted. */
    partnerGlobalId: p.string().length(64).nullable(),
    partnerGlobalIdMintedAt: p.datetime(3).nullable(),
    since: p.datetime(3).nullable(),
    /** Of the partner's side, as last heard: older news has no effect. */
    partnerIncarnation: p.integer().default(0),
    partnerVersion: p.integer().default(0),
    version: p.integer().default(1),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});

/** Single-use ids of signed calls already accepted; purged once their tokens have expired. */
export const UsedTokenEntity = defineEntity({
  name: 'UsedToken',
  tableName: 'used_token',
  properties: {
    issuer: p.string().length(32).primary(),
    jti: p.string().length(64).primary(),
    expiresAt: p.datetime(3).index(),
  },
});
