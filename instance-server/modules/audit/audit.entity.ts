import { defineEntity, p } from '@mikro-orm/core';

/** Who did what, when, on whose behalf, before and after; written in the transaction of the change. */
export const AuditEntryEntity = defineEntity({
  name: 'AuditEntry',
  tableName: 'audit_entry',
  properties: {
    id: p.uuid().primary(),
    at: p.datetime(3),
    actorKind: p.string().length(16),
    actorId: p.string().length(64).nullable(),
    actorRole: p.string().length(16).nullable(),
    onBehalfOf: p.string().length(64).nullable(),
    action: p.string().length(64),
    subjectType: p.string().length(32),
    subjectId: p.string().length(64),
    before: p.json<Record<string, unknown>>().nullable(),
    after: p.json<Record<string, unknown>>().nullable(),
  },
  indexes: [
    { name: 'audit_entry_at', properties: ['at', 'id'] },
    { name: 'audit_entry_subject', properties: ['subjectType', 'subjectId', 'at'] },
  ],
});
