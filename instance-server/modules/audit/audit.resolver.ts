import { sql } from 'kysely';
import { Arg, Int, Query, Resolver } from 'type-graphql';
import type { Database } from '../../platform/database/database.js';
import { AfterDescription, decodeCursor, encodeCursor, FirstDescription, pageSize, toPage } from '../../platform/paging.js';
import { checkOptionalText } from '../../platform/validation.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { AuditEntryConnection, AuditEntryFilter, type AuditEntry } from './audit.type.js';

const LIST = 'auditEntries';

/** Wiring of the action log; reads alone. */
@Resolver()
export class AuditResolver {
  constructor(private readonly database: Database) {}

  @Query(() => AuditEntryConnection, { description: 'The action log of this instance, newest first.' })
  @VisibleTo('ADMINISTRATOR')
  async auditEntries(
    @Arg('filter', () => AuditEntryFilter, { nullable: true, description: 'Which entries.' }) filter: AuditEntryFilter | null,
    @Arg('first', () => Int, { nullable: true, description: FirstDescription }) first: number | null,
    @Arg('after', () => String, { nullable: true, description: AfterDescription }) after: string | null,
  ): Promise<AuditEntryConnection> {
    const size = pageSize(first);
    const position = decodeCursor(LIST, after, ['instant', 'uuid']);
    const subjectId = checkOptionalText(filter?.subjectId, 'filter.subjectId', 64);
    const action = checkOptionalText(filter?.action, 'filter.action', 64);
    let query = this.database.app.sql.selectFrom('audit_entry').selectAll();
    if (subjectId) query = query.where('subject_id', '=', subjectId);
    if (action) query = query.where('action', '=', action);
    if (filter?.from) query = query.where('at', '>=', filter.from);
    if (filter?.to) query = query.where('at', '<', filter.to);
    if (position) query = query.where(sql<boolean>`(at, id) < (${position[0]}::timestamptz, ${position[1]}::uuid)`);
    const rows = await query
      .orderBy('at', 'desc')
      .orderBy('id', 'desc')
      .limit(size + 1)
      .execute();
    const entries: AuditEntry[] = rows.map((row) => ({
      id: row.id,
      at: row.at,
      actorKind: row.actor_kind,
      actorId: row.actor_id,
      actorRole: row.actor_role,
      onBehalfOf: row.on_behalf_of,
      action: row.action,
      subjectType: row.subject_type,
      subjectId: row.subject_id,
      before: row.before,
      after: row.after,
    }));
    return toPage(entries, size, (entry) => encodeCursor(LIST, [entry.at.toISOString(), entry.id]));
  }
}
