import { sql } from 'kysely';
import type { RequestContext } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { notFound } from '../../platform/errors/user-error.js';
import { publish } from '../../platform/events/events.js';
import { isUuid } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import { claimRepository as repository } from './claim.repository.js';

interface ForeignRow {
  coupling_id: string;
  link_id: string;
  partner_code: string;
  disputed_at: Date | null;
}

/**
 * Responsible for a guide saying that what another house sends is none of his: it blocks him here no longer, and where this house keeps
 * his claims it is no claim any more. The origin is told. The action log says that he did, not what of: staff read it.
 */
export class DisputeService {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditService,
  ) {}

  /** A repetition changes nothing. @throws Refusal NOT_FOUND for what is no living foreign booking of his */
  async set(ctx: RequestContext, foreignBookingId: string, disputed: boolean): Promise<void> {
    const { guideId } = ctx.account();
    if (!guideId || !isUuid(foreignBookingId)) throw notFound('input.foreignBookingId');
    await this.database.worker.transaction(async (tx) => {
      await repository.lockGuides(tx, [guideId]);
      const row = await this.#find(tx, guideId, foreignBookingId);
      if (!row) throw notFound('input.foreignBookingId');
      if ((row.disputed_at !== null) === disputed) return;
      await tx
        .updateTable('foreign_booking')
        .set({ disputed_at: disputed ? ctx.now() : null })
        .where('coupling_id', '=', row.coupling_id)
        .where('id', '=', foreignBookingId)
        .execute();
      await sql`select claim_dispute(${guideId}, ${row.partner_code}, ${foreignBookingId}, ${disputed})`.execute(tx);
      await sql`select outbox_put(${row.link_id}, ${row.coupling_id}, 'DISPUTE', ${foreignBookingId})`.execute(tx);
      await this.audit.recordFor(ctx, tx, { action: disputed ? 'guide.disputed-foreign' : 'guide.dispute-withdrawn', subjectType: 'guide', subjectId: guideId });
      await publish(tx, { kind: 'foreign', guideId, foreignId: foreignBookingId, change: 'UPDATED' });
    });
  }

  #find(tx: Tx, guideId: string, id: string): Promise<ForeignRow | undefined> {
    return tx
      .selectFrom('foreign_booking')
      .innerJoin('link', 'link.id', 'foreign_booking.link_id')
      .select(['foreign_booking.coupling_id', 'foreign_booking.link_id', 'link.partner_code', 'foreign_booking.disputed_at'])
      .where('foreign_booking.guide_id', '=', guideId)
      .where('foreign_booking.id', '=', id)
      .where('foreign_booking.ended', '=', false)
      .executeTakeFirst();
  }
}
