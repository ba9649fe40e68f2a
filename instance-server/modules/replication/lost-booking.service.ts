import { sql } from 'kysely';
import type { RequestContext } from '../../platform/context.js';
import type { Database } from '../../platform/database/database.js';
import { notFound } from '../../platform/errors/user-error.js';
import { isUuid } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';

export interface LostBookingRow {
  id: string;
  guideId: string;
  start: Date;
  end: Date;
  offerTitle: string | null;
  isBlock: boolean;
  foundAt: Date;
}

const MOST = 500;

/** Responsible for what a restore has lost and partners have told back: staff see it and let it go. */
export class LostBookingService {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditService,
  ) {}

  /** By start. Held by several houses, it is one all the same. */
  async list(): Promise<LostBookingRow[]> {
    const { rows } = await sql<LostBookingRow>`
      select id, guide_id as "guideId", min(start_at) as start, max(end_at) as "end", min(offer_title) as "offerTitle", bool_or(kind = 'BLOCK') as "isBlock", min(found_at) as "foundAt"
      from lost_booking where released_at is null group by id, guide_id order by 3, 1 limit ${MOST}`.execute(this.database.app.sql);
    return rows;
  }

  async release(ctx: RequestContext, id: string): Promise<string> {
    if (!isUuid(id)) throw notFound('input.lostBookingId');
    await this.database.app.transaction(async (tx) => {
      const found = await tx.selectFrom('lost_booking').select(['guide_id', 'released_at']).where('id', '=', id).orderBy('found_at').limit(1).executeTakeFirst();
      if (!found) throw notFound('input.lostBookingId');
      if (found.released_at) return;
      await sql`select release_lost_booking(${id}, ${ctx.now()})`.execute(tx);
      await this.audit.recordFor(ctx, tx, { action: 'lost-booking.released', subjectType: 'lost-booking', subjectId: id, after: { guideId: found.guide_id } });
    });
    return id.toLowerCase();
  }
}
