import { defineEntity, p } from '@mikro-orm/core';
import { AccountEntity } from './account.entity.js';

/** One sign-in with one active role. Ends by log-out, by reuse of a spent refresh token or by an account's change. */
export const SessionEntity = defineEntity({
  name: 'Session',
  tableName: 'session',
  properties: {
    id: p.uuid().primary(),
    account: () => p.manyToOne(AccountEntity).deleteRule('cascade').index(),
    role: p.string().length(16),
    createdAt: p.datetime(3),
    expiresAt: p.datetime(3).index(),
    endedAt: p.datetime(3).nullable(),
    endReason: p.string().length(32).nullable(),
  },
});

/** Refresh tokens, stored as SHA-256. A second use of one ends its session (reuse detection). */
export const RefreshTokenEntity = defineEntity({
  name: 'RefreshToken',
  tableName: 'refresh_token',
  properties: {
    hash: p.string().length(64).primary(),
    session: () => p.manyToOne(SessionEntity).deleteRule('cascade').index(),
    issuedAt: p.datetime(3),
    usedAt: p.datetime(3).nullable(),
  },
});

/** Calendars a session has been subscribed to, so that a resumed subscription begins with REFETCH. */
export const SessionSubscriptionEntity = defineEntity({
  name: 'SessionSubscription',
  tableName: 'session_subscription',
  properties: {
    session: () => p.manyToOne(SessionEntity).primary().deleteRule('cascade'),
    guideId: p.uuid().primary(),
  },
});

/** A permission, sent by mail, to set one's own password: an invitation, or the reset of a forgotten one. Only its SHA-256 is kept; the token goes out by mail alone. */
export const InvitationEntity = defineEntity({
  name: 'Invitation',
  tableName: 'invitation',
  properties: {
    id: p.uuid().primary(),
    account: () => p.manyToOne(AccountEntity).deleteRule('cascade').index(),
    /** INVITATION or RESET */
    purpose: p.string().length(16).default('INVITATION'),
    tokenHash: p.string().length(64).unique(),
    createdAt: p.datetime(3),
    expiresAt: p.datetime(3),
    usedAt: p.datetime(3).nullable(),
  },
});

/** Keys that sign access tokens. The private half is encrypted with the instance's secret. */
export const SigningKeyEntity = defineEntity({
  name: 'SigningKey',
  tableName: 'signing_key',
  properties: {
    kid: p.string().length(64).primary(),
    publicJwk: p.json<Record<string, unknown>>(),
    privateKeyEncrypted: p.text(),
    createdAt: p.datetime(3),
    /** Signs from then on; published before, so that every verifier knows it in time. */
    activeFrom: p.datetime(3),
    /** Accepted until then; null while it is the newest. */
    acceptedUntil: p.datetime(3).nullable(),
  },
});

/** Counters of failed log-ins, written by rate-limiter-flexible; shared by all replicas. Keys are hashes, no addresses. */
export const LoginAttemptEntity = defineEntity({
  name: 'LoginAttempt',
  tableName: 'login_attempt',
  properties: {
    key: p.string().length(255).primary(),
    points: p.integer().default(0),
    expire: p.bigint('number').nullable(),
  },
});
