import { sql } from 'kysely';
import type { Clock } from '../../platform/clock.js';
import type { Database, Tx } from '../../platform/database/database.js';
import type { Actor } from '../audit/index.js';
import type { LinkDirectory, PartnerClient } from '../links/index.js';
import { handOverAnswer, type HandOverMessage, MAX_CLAIMS } from './claim.messages.js';
import { claimRepository as repository } from './claim.repository.js';

/** Longest wait for a successor while a coupling ends: the end itself must not hang on him. */
const HAND_OVER_MS = 2_000;
/** A house that has heard of no successor for this long after its keeper was gone looks for one itself. */
const ORPHANED_MINUTES = 10;
const MOST_GUIDES = 200;

interface Successor {
  couplingId: string;
  linkId: string;
  code: string;
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
   * Called in the transaction that ends a coupling, before it ends. If this house wants it and keeps the claims, it names its successor
   * and hands them over; if the partner does, he leaves, and the keeper stays. The longest coupled house that stays is the one; where none does there is nothing that the other house does not know. It is tried once,
   * since nobody may be kept in a coupling; what was not handed over its holders register again.
   */
  async leave(tx: Tx, couplingId: string, actor: Actor): Promise<void> {
    if (actor.kind === 'PARTNER_INSTANCE') return;
    const coupling = await tx.selectFrom('coupling').select(['guide_id', 'state']).where('id', '=', couplingId).executeTakeFirst();
    if (coupling?.state !== 'ACTIVE' || !coupling.guide_id) return;
    const guideId = coupling.guide_id;
    await repository.lockGuides(tx, [guideId]);
    const own = await repository.keeperOf(tx, guideId);
    if (own.keeper !== this.instanceCode || !own.globalId) return;
    const { rows } = await sql<Successor>`
      select k.id as "couplingId", l.id as "linkId", l.partner_code as code
      from coupling k join link l on l.id = k.link_id
      where k.guide_id = ${guideId} and k.state = 'ACTIVE' and k.id <> ${couplingId}
      order by k.since, k.id limit 1`.execute(tx);
    const [successor] = rows;
    if (!successor) return;
    await repository.setKeeper(tx, guideId, successor.code, own.epoch + 1, this.clock.now());
    await this.#handOver(tx, guideId, successor, own.globalId, own.epoch + 1).catch(() => undefined);
  }

  /** Claims that are here though another house keeps them now: after two keepers became one, or when the successor did not answer. */
  async handOverAll(): Promise<void> {
    const { rows } = await sql<{ id: string }>`
      select distinct c.guide_id as id from claim c join guide g on g.id = c.guide_id
      where g.claim_keeper <> ${this.instanceCode} and g.keeper_epoch > 0 limit ${MOST_GUIDES}`.execute(this.database.worker.sql);
    for (const { id } of rows) {
      await this.database.worker
        .transaction(async (tx) => {
          await repository.lockGuides(tx, [id]);
          const { keeper, epoch, globalId } = await repository.keeperOf(tx, id);
          const { rows: couplings } = await sql<Successor>`
            select k.id as "couplingId", l.id as "linkId", l.partner_code as code from coupling k join link l on l.id = k.link_id
            where k.guide_id = ${id} and k.state = 'ACTIVE' and l.partner_code = ${keeper}`.execute(tx);
          const [successor] = couplings;
          if (successor && globalId && keeper !== this.instanceCode) await this.#handOver(tx, id, successor, globalId, epoch);
        })
        // The next run tries again.
        .catch(() => undefined);
    }
  }

  /** @throws when the successor cannot be reached; what he took already he gets again then, to no effect */
  async #handOver(tx: Tx, guideId: string, successor: Successor, globalId: string, epoch: number): Promise<void> {
    const link = this.directory.byId(successor.linkId);
    if (!link?.isOpen) throw new Error('the successor cannot be asked');
    const deadline = AbortSignal.timeout(HAND_OVER_MS);
    const late = new Promise<never>((_resolve, reject) => deadline.addEventListener('abort', () => reject(new Error('the successor did not answer in time'))));
    late.catch(() => undefined);
    for (let after: string | null = null; ; ) {
      const page = await repository.page(tx, guideId, null, after, this.clock.now(), MAX_CLAIMS);
      const claims = page.flatMap(({ holder, id, incarnation, version, start, end }) =>
        start && end ? [{ holder, id, incarnation, version, start: start.toISOString(), end: end.toISOString() }] : [],
      );
      const message: HandOverMessage = { couplingId: successor.couplingId, globalId, epoch, claims };
      const answer = handOverAnswer.parse(await Promise.race([this.partners.call(link, '/partner/v1/claims/handover', message), late]));
      if (!answer.taken) return;
      after = page.at(-1)?.id ?? null;
      if (page.length < MAX_CLAIMS) break;
    }
    await tx.deleteFrom('claim').where('guide_id', '=', guideId).execute();
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
