import { sql } from 'kysely';
import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';
import { publish } from '../../platform/events/events.js';
import type { LinkDirectory } from './link.directory.js';
import type { PartnerClient } from './partner-client.js';

const MINUTE_MS = 60_000;
const LONGEST_WAIT_MS = 60 * MINUTE_MS;
/** A partner who has not answered for so long is gone; his calls are refused in any case. */
const GIVE_UP_AFTER_MS = 90 * 24 * 60 * MINUTE_MS;

/**
 * Responsible for telling partners what has become of a link here, until they have heard. A suspension is told again while it lasts, its
 * end as long as the partner refuses us because of it. The end of a link counts here from the first moment; until the partner has heard,
 * he holds what he received and shows it. He is told at once, and again after a minute, two, four, at last every hour, for 90 days. Our
 * key of the link is kept for that alone and goes with the last word.
 */
export class LinkNotices {
  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly partners: PartnerClient,
    private readonly clock: Clock,
  ) {}

  /** Those whose time has come. */
  async tellDue(): Promise<void> {
    const due = await this.database.worker.sql.selectFrom('link').select('id').where('end_notice_at', '<=', this.clock.now()).orderBy('end_notice_at').limit(100).execute();
    for (const { id } of due) await this.tell(id);
  }

  /**
   * He may have been away when it was said, been restored from before it, or have heard an earlier word later. Repeated, it has no effect.
   */
  async tellSuspensions(): Promise<void> {
    await this.directory.fresh();
    const { rows } = await sql<{ id: string; suspended: boolean }>`
      select l.id, l.suspended_here as suspended from link l join sync_peer p on p.link_id = l.id
      where l.state = 'ACTIVE' and (l.suspended_here or (
        not l.suspended_there and p.last_error = 'LINK_NOT_OPEN' and p.last_error_at >= coalesce(p.last_contact_at, '-infinity')))
      order by l.id`.execute(this.database.worker.sql);
    for (const { id, suspended } of rows) {
      const link = this.directory.byId(id);
      if (link) await this.partners.call(link, `/partner/v1/link/${suspended ? 'suspend' : 'resume'}`, {}).catch(() => undefined);
    }
  }

  /** Whether the partner has heard. */
  async tell(linkId: string): Promise<boolean> {
    await this.directory.reread();
    const link = this.directory.ended(linkId);
    const told =
      link?.ownKey !== undefined &&
      (await this.partners.call(link, '/partner/v1/link/end', {}).then(
        () => true,
        () => false,
      ));
    await this.#note(linkId, told);
    return told;
  }

  async #note(linkId: string, told: boolean): Promise<void> {
    const now = this.clock.now();
    await this.database.worker.transaction(async (tx) => {
      const row = await tx.selectFrom('link').select(['updated_at', 'end_notice_at', 'end_notice_attempts']).where('id', '=', linkId).forNoKeyUpdate().executeTakeFirst();
      if (!row?.end_notice_at) return;
      const wait = Math.min(MINUTE_MS * 2 ** Math.min(row.end_notice_attempts, 10), LONGEST_WAIT_MS);
      const over = told || now.getTime() - row.updated_at.getTime() > GIVE_UP_AFTER_MS;
      await tx
        .updateTable('link')
        .set({ end_notice_at: over ? null : new Date(now.getTime() + wait), end_notice_attempts: row.end_notice_attempts + 1 })
        .where('id', '=', linkId)
        .execute();
      if (!over) return;
      await tx.deleteFrom('link_key').where('link_id', '=', linkId).where('side', '=', 'OWN').execute();
      await publish(tx, { kind: 'links' });
    });
  }
}
