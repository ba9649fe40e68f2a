import { sql } from 'kysely';
import { newId } from '../../platform/crypto.js';
import type { RequestContext, Viewer } from '../../platform/context.js';
import type { Tx } from '../../platform/database/database.js';

export type AuditAction =
  | 'session.started'
  | 'session.ended'
  | 'session.reuse-detected'
  | 'account.invited'
  | 'account.activated'
  | 'account.changed'
  | 'account.password-changed'
  | 'settings.changed'
  | 'key.rotated'
  | 'guide.created'
  | 'guide.changed'
  | 'availability.set'
  | 'availability-rule.created'
  | 'availability-rule.changed'
  | 'availability-rule.deleted'
  | 'absence.created'
  | 'absence.changed'
  | 'absence.deleted'
  | 'holidays.changed'
  | 'guide.merged'
  | 'availability-rule.merged'
  | 'stamps.renewed'
  | 'offer.created'
  | 'offer.changed'
  | 'booking.created'
  | 'booking.rebooked'
  | 'booking.changed'
  | 'booking.cancelled'
  | 'booking.deleted'
  | 'booking.guides-requested'
  | 'request.accepted'
  | 'request.declined'
  | 'request.withdrawn'
  | 'assignment.created'
  | 'assignment.moved'
  | 'assignment.ended'
  | 'assignment.rechecked'
  | 'assignment.disputed'
  | 'assignment.dispute-withdrawn'
  | 'guide.disputed-foreign'
  | 'guide.dispute-withdrawn'
  | 'link.proposed'
  | 'link.activated'
  | 'link.moved'
  | 'link.suspended'
  | 'link.resumed'
  | 'link.ended'
  | 'link.resynchronised'
  | 'lost-booking.released'
  | 'link.key-rotated'
  | 'coupling.requested'
  | 'coupling.accepted'
  | 'coupling.declined'
  | 'coupling.confirmed'
  | 'coupling.paused'
  | 'coupling.resumed'
  | 'coupling.ended';

export interface AuditRecord {
  action: AuditAction;
  subjectType: 'account' | 'session' | 'settings' | 'key' | 'guide' | 'availability-rule' | 'absence' | 'offer' | 'booking' | 'assignment' | 'request' | 'link' | 'lost-booking' | 'coupling';
  subjectId: string;
  /** The person acted for, where that is not the actor. */
  onBehalfOf?: string | null;
  /** Facts before and after; contact data and notes of customers are never among them, only that they changed. */
  before?: Record<string, unknown> | null;
  after?: Record<string, unknown> | null;
}

/** Who acted, when no account did. */
export type Actor = Viewer | { kind: 'OPERATOR' } | { kind: 'PARTNER_INSTANCE'; code: string } | { kind: 'SYSTEM' };

function actorColumns(actor: Actor): { actor_kind: string; actor_id: string | null; actor_role: string | null } {
  switch (actor.kind) {
    case 'ACCOUNT':
      return { actor_kind: 'ACCOUNT', actor_id: actor.accountId, actor_role: actor.role };
    case 'PARTNER_INSTANCE':
      return { actor_kind: 'PARTNER', actor_id: actor.code, actor_role: null };
    case 'PARTNER':
      return { actor_kind: 'PARTNER', actor_id: actor.partnerCode, actor_role: null };
    default:
      return { actor_kind: actor.kind, actor_id: null, actor_role: null };
  }
}

const json = (value: Record<string, unknown> | null | undefined): never => (value ? JSON.stringify(value) : null) as never;

/** Responsible for the action log. Its rows are written in the transaction of what they tell of, or not at all. */
export class AuditService {
  async record(tx: Tx, actor: Actor, at: Date, record: AuditRecord): Promise<void> {
    const columns = actorColumns(actor);
    await tx
      .insertInto('audit_entry')
      .values({
        id: newId(),
        at,
        ...columns,
        on_behalf_of: record.onBehalfOf ?? null,
        action: record.action,
        subject_type: record.subjectType,
        subject_id: record.subjectId,
        before: json(record.before),
        after: json(record.after),
      })
      // For what triggers of the same transaction log.
      .returning(sql<string>`set_config('lotse.actor', ${JSON.stringify(columns)}, true)`.as('actor'))
      .execute();
  }

  recordFor(ctx: RequestContext, tx: Tx, record: AuditRecord): Promise<void> {
    return this.record(tx, ctx.viewer, ctx.now(), record);
  }
}
