import { sql } from 'kysely';
import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';
import { publishAll } from '../../platform/events/events.js';
import type { LinkDirectory, PartnerClient } from '../links/index.js';
import { type InventoryMessage, MAX_CLAIMS } from './claim.messages.js';
import { verificationEvents } from './claim.kind.js';
import { claimRepository as repository } from './claim.repository.js';
import type { Greeting } from './greeting.js';
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
    private readonly greeting: Greeting,
    private readonly clock: Clock,
    private readonly instanceCode: string,
  ) {}

  /** Every few minutes. */
  async sweep(): Promise<void> {
    await this.directory.fresh();
    await this.keepers.handOver();
    await this.keepers.elect();
    await this.checkAgain();
    await this.claimOwn();
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

  /** Own assignments of guides whose claims are kept here, made while other houses had not told theirs yet. Gives whether any still waits for that. */
  async claimOwn(): Promise<boolean> {
    const { rows } = await sql<{ id: string }>`
      select distinct a.guide_id as id from guide_assignment a join guide g on g.id = a.guide_id
      where g.claim_keeper = ${this.instanceCode} and a.ended_at is null and a.end_at > ${this.clock.now()} and a.verification = 'UNVERIFIED'
      limit ${MOST_AT_ONCE}`.execute(this.database.worker.sql);
    let isAnyLeft = rows.length === MOST_AT_ONCE;
    for (const { id } of rows) {
      await this.database.worker.transaction(async (tx) => {
        await repository.lockGuides(tx, [id]);
        const kept = await repository.keptHere(tx, id, this.instanceCode);
        if (!kept) return;
        if (this.greeting.isOpen(kept.linkIds, kept.incarnation)) {
          isAnyLeft = true;
          return;
        }
        const now = this.clock.now();
        const claims = await repository.unclaimed(tx, id, now);
        const answers = await repository.apply(tx, this.instanceCode, claims, now);
        const verdicts = claims.map((claim, place) => ({ id: claim.id, verification: answers[place]?.verdict === 'VERIFIED' ? 'VERIFIED' : 'CONFLICT' }));
        await sql`
          update guide_assignment a set verification = v.verification
          from jsonb_to_recordset(${JSON.stringify(verdicts)}::jsonb) as v(id uuid, verification text) where a.id = v.id`.execute(tx);
        await publishAll(tx, verificationEvents(claims.map((claim) => claim.id)));
      });
    }
    return isAnyLeft;
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
