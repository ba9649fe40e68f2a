import { sql } from 'kysely';
import type { RequestContext } from '../../platform/context.js';
import type { Database } from '../../platform/database/database.js';
import { notFound } from '../../platform/errors/user-error.js';
import { decodeCursor, encodeCursor, pageSize, toPage } from '../../platform/paging.js';
import { isUuid } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import { type AssignmentVerification, bookingRepository, GuideAssignment } from '../bookings/index.js';
import type { Claims } from './claim.gate.js';
import { GuideConflict, type GuideConflictConnection } from './conflict.type.js';

const LIST = 'guideConflicts';

interface ConflictRow {
  id: string;
  guide_id: string;
  booking_id: string | null;
  start_at: Date;
  end_at: Date;
  verification: AssignmentVerification;
  disputed: boolean;
  overlaps: { start: string; end: string }[];
}

const toAssignment = (row: Pick<ConflictRow, 'id' | 'guide_id' | 'start_at' | 'end_at' | 'verification'>): GuideAssignment =>
  Object.assign(new GuideAssignment(), { id: row.id, guideId: row.guide_id, start: row.start_at, end: row.end_at, verification: row.verification });

/** Responsible for own assignments that stand against something abroad: computed, never stored, and nothing of the other side. */
export class ConflictService {
  constructor(
    private readonly database: Database,
    private readonly claims: Claims,
    private readonly audit: AuditService,
  ) {}

  async list(ctx: RequestContext, guideId: string | null, first: number | null, after: string | null): Promise<GuideConflictConnection> {
    const size = pageSize(first);
    const position = decodeCursor(LIST, after, ['instant', 'uuid']);
    // An id that is none leads to nothing, like one of another instance.
    if (guideId && !isUuid(guideId)) return toPage<GuideConflict>([], size, () => '');
    const { rows } = await sql<ConflictRow>`
      select * from guide_conflicts(${ctx.now()}, ${guideId}::uuid, ${position?.[0] ?? null}::timestamptz, ${position?.[1] ?? null}::uuid, ${size + 1})`.execute(
      this.database.app.sql,
    );
    const conflicts = rows.map((row) =>
      Object.assign(new GuideConflict(), {
        assignment: toAssignment(row),
        overlaps: row.overlaps.map(({ start, end }) => ({ start: new Date(`${start}Z`), end: new Date(`${end}Z`) })),
        disputed: row.disputed,
        guideId: row.guide_id,
        bookingId: row.booking_id,
      }),
    );
    return toPage(conflicts, size, ({ assignment }) => encodeCursor(LIST, [assignment.start.toISOString(), assignment.id]));
  }

  /** The keeper is asked again; the answer is waited for as after any change. @throws Refusal NOT_FOUND */
  async recheck(ctx: RequestContext, assignmentId: string): Promise<GuideAssignment> {
    if (!isUuid(assignmentId)) throw notFound('input.assignmentId');
    const verification = await this.database.app.transaction(async (tx) => {
      const found = await tx.selectFrom('guide_assignment').select('guide_id').where('id', '=', assignmentId).where('ended_at', 'is', null).executeTakeFirst();
      if (!found) throw notFound('input.assignmentId');
      await bookingRepository.lockGuides(tx, [found.guide_id]);
      const { rows } = await sql<{ verification: string | null }>`select claim_again(${assignmentId}) as verification`.execute(tx);
      await this.audit.recordFor(ctx, tx, { action: 'assignment.rechecked', subjectType: 'assignment', subjectId: assignmentId });
      return rows[0]?.verification;
    });
    if (verification === 'PENDING') await this.claims.await([assignmentId]);
    const row = await this.database.app.sql
      .selectFrom('guide_assignment')
      .select(['id', 'guide_id', 'start_at', 'end_at', 'verification'])
      .where('id', '=', assignmentId)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    if (!row) throw notFound('input.assignmentId');
    return toAssignment({ ...row, verification: row.verification as AssignmentVerification });
  }
}
