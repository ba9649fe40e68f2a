import { defineEntity, p } from '@mikro-orm/core';

/** What a mutation with this key did, so that a repetition gets the same result. Kept 48 hours (IDEMPOTENCY_RETENTION_HOURS). */
export const IdempotencyKeyEntity = defineEntity({
  name: 'IdempotencyKey',
  tableName: 'idempotency_key',
  properties: {
    accountId: p.uuid().primary(),
    mutation: p.string().length(64).primary(),
    key: p.string().length(100).primary(),
    inputHash: p.string().length(64),
    /** Ids only: the result is read again, and authorised again, for every repetition. */
    outcome: p.json<Record<string, unknown>>(),
    createdAt: p.datetime(3).index(),
  },
});
