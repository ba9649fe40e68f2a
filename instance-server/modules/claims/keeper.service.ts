import { sql } from 'kysely';
import type { Clock } from '../../platform/clock.js';
import type { Database, Tx } from '../../platform/database/database.js';
import type { Actor } from '../audit/index.js';
import type { LinkDirectory, PartnerClient } from '../links/index.js';
import { handOverAnswer, type HandOverMessage, MAX_CLAIMS } from './claim.messages.js';
import { claimRepository as repository } from './claim.repository.js';

/** Longest wait for a successor; nothing is locked meanwhile. */
const HAND_OVER_MS = 2_000;
/** A house that has heard of no successor for this long after its keeper was gone looks for one itself. */
const ORPHANED_MINUTES = 10;
const MOST_GUIDES = 200;

/** Claims of a guide that another house keeps by now, and how it is reached. */
interface Left {
  guideId: string;
  globalId: string;
  epoch: number;
  couplingId: string;
  linkId: string;
}

/** Responsible for the claims changing hands: the keeper leaves, two keepers become one, a keeper is gone. */
export class KeeperService {
  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly partners: PartnerClient,
    private readonly clock: Clock,
    private readonly instanceCode: string,
  ) {}

  /**
   * Called in the transaction that ends a coupling, before it ends. If this house wants it and keeps the claims, it names its successor;
   * if the partner does, he leaves, and the keeper stays. The longest coupled house that stays is the one; where none does there is
   * nothing that the other house does not know. The claims themselves are handed over after the commit: a call must not hold the guide's
   * lock, and nobody may be kept in a coupling. What was not handed over its holders register again.
   */
  async leave(tx: Tx, couplingId: string, actor: Actor): Promise<void> {
    if (actor.kind === 'PARTNER_INSTANCE') return;
    const coupling = await tx.selectFrom('coupling').select(['guide_id', 'state']).where('id', '=', couplingId).executeTakeFirst();
    if (coupling?.state !== 'ACTIVE' || !coupling.guide_id) return;
    const guideId = coupling.guide_id;
    await repository.lockGuides(tx, [guideId]);
    const own = await repository.keeperOf(tx, guideId);
    if (own.keeper !== this.instanceCode || !own.globalId) return;
    const { rows } = await sql<{ code: string }>`
      select l.partner_code as code
      from coupling k join link l on l.id = k.link_id
      where k.guide_id = ${guideId} and k.state = 'ACTIVE' and k.id <> ${couplingId}
      order by k.since, k.id limit 1`.execute(tx);
    const [successor] = rows;
    if (!successor) return;
    await repository.setKeeper(tx, guideId, successor.code, own.epoch + 1, this.clock.now());
  }

  /** Claims that are here though another house keeps them now: after a coupling has ended, or two keepers became one. */
  async handOver(onlyGuide?: string): Promise<void> {
    const { rows } = await sql<Left>`
      select distinct on (g.id) g.id as "guideId", g.global_id as "globalId", g.keeper_epoch as epoch, k.id as "couplingId", l.id as "linkId"
      from claim c join guide g on g.id = c.guide_id
      join coupling k on k.guide_id = g.id and k.state = 'ACTIVE' join link l on l.id = k.link_id and l.partner_code = g.claim_keeper
      where g.claim_keeper <> ${this.instanceCode} and g.keeper_epoch > 0 and g.global_id is not null and (${onlyGuide ?? null}::uuid is null or g.id = ${onlyGuide ?? null}::uuid) limit ${MOST_GUIDES}`.execute(this.database.worker.sql);
    // One after the other; the next run tries again.
    for (const left of rows) await this.#handOver(left).catch(() => undefined);
  }

  /** @throws when the successor cannot be reached; what he took already he gets again then, to no effect */
  async #handOver({ guideId, globalId, epoch, couplingId, linkId }: Left): Promise<void> {
    const link = this.directory.byId(linkId);
    if (!link?.isOpen) throw new Error('the successor cannot be asked');
    const deadline = AbortSignal.timeout(HAND_OVER_MS);
    const late = new Promise<never>((_resolve, reject) => deadline.addEventListener('abort', () => reject(new Error('the successor did not answer in time'))));
    late.catch(() => undefined);
    for (let after: string | null = null; ; ) {
      const page = await repository.page(this.database.worker.sql, guideId, null, after, this.clock.now(), MAX_CLAIMS);
      const claims = page.flatMap(({ holder, id, incarnation, version, start, end }) =>
        start && end ? [{ holder, id, incarnation, version, start: start.toISOString(), end: end.toISOString() }] : [],
      );
      const message: HandOverMessage = { couplingId, globalId, epoch, claims };
      const answer = handOverAnswer.parse(await Promise.race([this.partners.call(link, '/partner/v1/claims/handover', message), late]));
      if (!answer.taken) return;
      after = page.at(-1)?.id ?? null;
      if (page.length < MAX_CLAIMS) break;
    }
    await this.database.worker.transaction(async (tx) => {
      await repository.lockGuides(tx, [guideId]);
      // It may have come back meanwhile.
      if ((await repository.keeperOf(tx, guideId)).epoch === epoch) await tx.deleteFrom('claim').where('guide_id', '=', guideId).execute();
    });
  }

  /**
   * The keeper is gone and nobody named a successor: the partner with the smallest code takes over, so that houses that look at the
   * same time find the same one, or agree by the order of epochs and codes.
   */
  async elect(): Promise<void> {
    const now = this.clock.now();
    const { rows } = await sql<{ id: string; code: string; epoch: number }>`
      select g.id, g.keeper_epoch as epoch, (
        select min(l.partner_code collate "C") from coupling k join link l on l.id = k.link_id where k.guide_id = g.id and k.state = 'ACTIVE') as code
      from guide g
      where g.claim_keeper <> ${this.instanceCode}
        and exists (select 1 from coupling k where k.guide_id = g.id and k.state = 'ACTIVE')
        and not exists (select 1 from coupling k join link l on l.id = k.link_id where k.guide_id = g.id and k.state = 'ACTIVE' and l.partner_code = g.claim_keeper)
        and not exists (select 1 from coupling k where k.guide_id = g.id and k.updated_at > ${now}::timestamptz - make_interval(mins => ${ORPHANED_MINUTES}))
      limit ${MOST_GUIDES}`.execute(this.database.worker.sql);
    for (const { id, code, epoch } of rows) {
      await this.database.worker.transaction(async (tx) => {
        await repository.lockGuides(tx, [id]);
        if ((await repository.keeperOf(tx, id)).epoch === epoch) await repository.setKeeper(tx, id, code, epoch + 1, now);
      });
    }
  }
}
