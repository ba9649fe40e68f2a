import { sql } from 'kysely';
import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';
import type { KnownLink, PartnerClient } from '../links/index.js';
import type { Comparison, ReplicatedKind, ReplicatedKinds } from './kinds.js';
import { inventoryOf } from './inventory.js';
import { digestAnswer, MAX_DIGESTS } from './messages.js';
import type { SyncMetrics } from './metrics.js';
import { peerRepository as peers } from './peer.repository.js';

/** The first difference may be of something under way that was not seen: it is looked at again after this. */
const SECOND_LOOK_MS = 1_000;

/**
 * Responsible for finding out, from time to time, whether partners hold what they should, and for mending it: what differs twice in a row
 * is looked at record by record. Replication alone leaves no difference; this finds what faults of machines and people have left.
 */
export class Digests {
  /** By link, of performance.now(). */
  readonly #dueAt = new Map<string, number>();
  /** Kind and coupling of what differed the last time. */
  readonly #suspects = new Map<string, Set<string>>();

  constructor(
    private readonly database: Database,
    private readonly partners: PartnerClient,
    private readonly kinds: ReplicatedKinds,
    private readonly metrics: SyncMetrics,
    private readonly clock: Clock,
    private readonly everyMs: number,
  ) {}

  isDue(linkId: string): boolean {
    return performance.now() >= (this.#dueAt.get(linkId) ?? -Infinity);
  }

  /** As soon as nothing waits: after a restore, or because somebody wants it. */
  want(linkId?: string): void {
    if (linkId === undefined) this.#dueAt.clear();
    else this.#dueAt.delete(linkId);
  }

  /** Callers see to it that nothing is delivered meanwhile. @throws when the partner cannot be reached or refuses */
  async run(link: KnownLink): Promise<void> {
    this.#dueAt.set(link.id, performance.now() + this.everyMs);
    const before = this.#suspects.get(link.id) ?? new Set<string>();
    const suspects = new Set<string>();
    let repaired = 0;
    for (const kind of this.kinds.values()) {
      if (!kind.comparison) continue;
      const result = await this.#compare(link, kind, kind.comparison, before, suspects);
      if (result === undefined) {
        this.#dueAt.set(link.id, performance.now() + SECOND_LOOK_MS);
        return;
      }
      repaired += result;
    }
    this.#suspects.set(link.id, suspects);
    if (suspects.size > 0) this.#dueAt.set(link.id, performance.now() + SECOND_LOOK_MS);
    this.metrics.repaired(link, repaired);
    const result = repaired > 0 ? `REPAIRED ${repaired}` : suspects.size > 0 ? `DIFFERENT ${suspects.size}` : 'EQUAL';
    await peers.update(this.database.worker.sql, link.id, { last_digest_at: this.clock.now(), last_digest_result: result });
  }

  /** The number of repairs; undefined when the two sides are not at the same batch. */
  async #compare(link: KnownLink, kind: ReplicatedKind, comparison: Comparison, before: ReadonlySet<string>, suspects: Set<string>): Promise<number | undefined> {
    const state = await this.#state(link, kind.kind, comparison);
    if (!state) return undefined;
    let repaired = 0;
    for (let at = 0; at < state.digests.length; at += MAX_DIGESTS) {
      const message = { incarnation: state.incarnation, number: state.number, kind: kind.kind, digests: state.digests.slice(at, at + MAX_DIGESTS) };
      const { comparable, different, older } = digestAnswer.parse(await this.partners.call(link, '/partner/v1/sync/digest', message));
      if (!comparable) return undefined;
      for (const couplingId of older) repaired += await this.#repair(link, kind, comparison, couplingId, true);
      for (const couplingId of different) {
        const name = `${kind.kind} ${couplingId}`;
        if (before.has(name)) repaired += await this.#repair(link, kind, comparison, couplingId, false);
        else suspects.add(name);
      }
    }
    return repaired;
  }

  /** Of couplings for which nothing of the kind waits, all read at one moment; undefined while a batch is not acknowledged. */
  #state(link: KnownLink, kind: string, comparison: Comparison): Promise<{ incarnation: number; number: number; digests: [string, string][] } | undefined> {
    return this.database.worker.snapshot(async (tx) => {
      const ours = await peers.standing(tx, link.id);
      if (!ours || ours.sentNumber !== ours.ackedNumber) return undefined;
      const { rows } = await sql<{ id: string }>`
        select c.id from coupling c
        where c.link_id = ${link.id} and c.state = 'ACTIVE' and not c.paused_here and not c.paused_there
          and not exists (select 1 from outbox o where o.coupling_id = c.id and o.kind = ${kind})
        order by c.id`.execute(tx);
      const ids = rows.map(({ id }) => id);
      const digests = await comparison.digests(tx, link, ids, 'ORIGIN');
      return { incarnation: ours.incarnation, number: ours.ackedNumber, digests: ids.map((id) => [id, digests.get(id) ?? '']) };
    });
  }

  async #repair(link: KnownLink, { kind }: ReplicatedKind, comparison: Comparison, couplingId: string, older: boolean): Promise<number> {
    const held = await inventoryOf(this.partners, link, kind, comparison, couplingId, older);
    return this.database.worker.transaction(async (tx) => {
      await sql`select 1 from guide where id = (select guide_id from coupling where id = ${couplingId} and link_id = ${link.id}) for no key update`.execute(tx);
      const { rows } = await sql`select 1 from coupling where id = ${couplingId} and link_id = ${link.id} and state = 'ACTIVE'`.execute(tx);
      return rows.length === 0 ? 0 : comparison.repair(tx, link, couplingId, held, older, this.clock.now());
    });
  }
}
