import { sql } from 'kysely';
import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';
import type { LinkDirectory, PartnerClient } from '../links/index.js';
import { type InventoryMessage, MAX_CLAIMS } from './claim.messages.js';
import { claimRepository as repository } from './claim.repository.js';
import type { KeeperService } from './keeper.service.js';

const MOST_AT_ONCE = 1_000;
/** Tombstones of releases, and claims whose end has passed, are kept this long: longer than anything is on its way. */
const RETENTION_DAYS = 30;

/** Responsible for what happens to claims by time alone. Each step is harmless when it runs twice, or in two replicas at once. */
export class ClaimUpkeep {
  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly partners: PartnerClient,
    private readonly keepers: KeeperService,
    private readonly clock: Clock,
    private readonly instanceCode: string,
  ) {}

  /** Every few minutes. */
  async sweep(): Promise<void> {
    await this.directory.fresh();
    await this.keepers.handOverAll();
    await this.keepers.elect();
    await this.checkAgain();
  }

  /** What is not verified is claimed again, unless that waits to be delivered already. */
  async checkAgain(): Promise<void> {
    await sql`
      select outbox_put(k.link_id, k.id, 'CLAIM', a.id)
      from guide_assignment a
      join guide g on g.id = a.guide_id
      join coupling k on k.guide_id = g.id and k.state = 'ACTIVE'
      join link l on l.id = k.link_id and l.partner_code = g.claim_keeper
      where a.ended_at is null and a.end_at > ${this.clock.now()} and a.verification in ('PENDING', 'UNVERIFIED', 'CONFLICT')
        and not exists (select 1 from outbox o where o.coupling_id = k.id and o.kind = 'CLAIM' and o.record_id = a.id)
      order by a.start_at, a.id limit ${MOST_AT_ONCE}`.execute(this.database.worker.sql);
  }

  /** The digest of claims: every holder is told what is kept of his, and says again what is wrong with it or missing. */
  async compareAll(): Promise<void> {
    await this.directory.fresh();
    const { rows } = await sql<{ id: string; linkId: string; guideId: string; code: string }>`
      select k.id, k.link_id as "linkId", k.guide_id as "guideId", l.partner_code as code
      from coupling k join guide g on g.id = k.guide_id join link l on l.id = k.link_id
      where k.state = 'ACTIVE' and g.claim_keeper = ${this.instanceCode} order by k.id`.execute(this.database.worker.sql);
    for (const { id, linkId, guideId, code } of rows) {
      // One that does not answer now is asked the next time.
      await this.#compare(id, linkId, guideId, code).catch(() => undefined);
    }
    await this.#forget();
  }

  async #compare(couplingId: string, linkId: string, guideId: string, code: string): Promise<void> {
    const link = this.directory.byId(linkId);
    if (!link?.isOpen) return;
    for (let after: string | null = null; ; ) {
      const page = await repository.page(this.database.worker.sql, guideId, code, after, this.clock.now(), MAX_CLAIMS);
      const last = page.length < MAX_CLAIMS;
      const message: InventoryMessage = { couplingId, after, last, claims: page.map(({ id, incarnation, version }) => ({ id, incarnation, version })) };
      await this.partners.call(link, '/partner/v1/claims/inventory', message);
      if (last) return;
      after = page.at(-1)?.id ?? null;
    }
  }

  async #forget(): Promise<void> {
    const before = new Date(this.clock.now().getTime() - RETENTION_DAYS * 86_400_000);
    await this.database.worker.sql
      .deleteFrom('claim')
      .where((eb) => eb.or([eb.and([eb('state', '=', 'RELEASED'), eb('changed_at', '<', before)]), eb('end_at', '<', before)]))
      .execute();
  }
}
