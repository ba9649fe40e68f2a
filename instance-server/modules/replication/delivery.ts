import { sql } from 'kysely';
import type { Clock } from '../../platform/clock.js';
import { newId } from '../../platform/crypto.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { type KnownLink, type PartnerClient, PartnerRefusal } from '../links/index.js';
import { type Item, type ReplicatedKinds, tellsOfCouplings } from './kinds.js';
import type { Memory } from './memory.js';
import { deliverAnswer, itemRefused, MAX_BATCH_BYTES, MAX_ITEMS, unknownIncarnation } from './messages.js';
import type { SyncMetrics } from './metrics.js';
import { COPIED, outboxRepository as outbox, type WaitingRow } from './outbox.repository.js';
import { peerRepository as peers } from './peer.repository.js';

interface Batch {
  incarnation: number;
  number: number;
  id: string;
  complete: boolean;
  items: Item[];
  rows: WaitingRow[];
}

/** What came of one step: all that is due has been sent, or there may be more. */
export type Step = 'EMPTY' | 'MORE';

interface PeerState {
  incarnation: number;
  sent_number: number;
  sent_id: string | null;
  acked_number: number;
}

/** Responsible for sending one batch after the other to a partner. Callers see to it that nobody else does so at the same time. */
export class Delivery {
  readonly #kinds: readonly string[];
  readonly #whilePaused: readonly string[];

  constructor(
    private readonly database: Database,
    private readonly partners: PartnerClient,
    private readonly kinds: ReplicatedKinds,
    private readonly memory: Memory,
    private readonly metrics: SyncMetrics,
    private readonly clock: Clock,
  ) {
    this.#kinds = [...kinds.keys()];
    this.#whilePaused = [...kinds.values()].filter((kind) => kind.whilePaused).map((kind) => kind.kind);
  }

  /** @throws when the partner cannot be reached or refuses the whole batch; it is sent again under the same number then */
  async step(link: KnownLink): Promise<Step> {
    const batch = await this.#read(link);
    if (!batch) return 'EMPTY';
    if (batch.items.length === 0) return 'MORE';
    const { incarnation, number, id, items, complete } = batch;
    try {
      const answer = deliverAnswer.parse(await this.partners.call(link, '/partner/v1/sync/deliver', { incarnation, number, id, items, complete }));
      await this.#acknowledged(link, batch, new Map(answer.answers));
    } catch (error) {
      if (!(error instanceof PartnerRefusal)) throw error;
      await this.#answerRefusal(link, batch, error);
    }
    return 'MORE';
  }

  /** @throws the refusal where nothing can be done but to wait */
  async #answerRefusal(link: KnownLink, batch: Batch, refusal: PartnerRefusal): Promise<void> {
    if (refusal.code === 'ITEM_REFUSED') {
      const { data: refused } = itemRefused.safeParse(refusal.facts);
      if (!refused || !batch.items[refused.item]) throw refusal;
      return this.#refused(link, batch, [[refused.item, refused.reason], ...refused.others]);
    }
    if (refusal.code === 'INCARNATION_UNKNOWN') {
      const { data: received } = unknownIncarnation.safeParse(refusal.facts);
      if (!received) throw refusal;
      await this.database.worker.transaction((tx) => this.memory.hear(tx, link, { received }, this.clock.now()));
      return;
    }
    if (refusal.code !== 'RESYNC_NEEDED' || !(await this.memory.countTransfer(link))) throw refusal;
    // The partner was restored from an older state and asks for everything.
    return this.database.worker.transaction(async (tx) => {
      await peers.lockGuides(tx, link.id);
      await peers.fill(tx, link.id);
    });
  }

  /** Number and id are kept before anything is sent, so that a lost answer is met by the same batch again. */
  #read(link: KnownLink): Promise<Batch | undefined> {
    return this.database.worker.transaction(async (tx) => {
      // Held until the rows are read: projections of a link that closes in between would be empty, and nothing of it would wait any more.
      const { rows: states } = await sql<PeerState>`
        select y.incarnation, p.sent_number, p.sent_id, p.acked_number
        from link l join sync_peer p on p.link_id = l.id cross join sync_state y
        where l.id = ${link.id} and l.state = 'ACTIVE' and not l.suspended_here and not l.suspended_there for share of l`.execute(tx);
      const [state] = states;
      if (!state) return undefined;
      const { rows, waiting } = await outbox.due(tx, link.id, this.#kinds, this.#whilePaused, this.clock.now(), MAX_ITEMS);
      if (rows.length === 0) return undefined;
      const { items, sent, gone } = await this.#project(tx, link, rows);
      const isNew = state.sent_number === state.acked_number;
      const number = isNew ? state.acked_number + 1 : state.sent_number;
      const id = (isNew ? undefined : state.sent_id) ?? newId();
      if (items.length > 0 && (isNew || id !== state.sent_id)) await peers.number(tx, link.id, state, { number, id });
      await outbox.remove(tx, gone);
      return { incarnation: state.incarnation, number, id, items, rows: sent, complete: waiting === [...sent, ...gone].filter((row) => row.kind === COPIED).length };
    });
  }

  /** Kind by kind in their order, as many as fit; and the rows of records that are none of the partner's any more. */
  async #project(tx: Tx, link: KnownLink, rows: readonly WaitingRow[]): Promise<{ items: Item[]; sent: WaitingRow[]; gone: WaitingRow[] }> {
    const [items, sent, gone]: [Item[], WaitingRow[], WaitingRow[]] = [[], [], []];
    let bytes = 0;
    for (const kind of this.kinds.values()) {
      const ofKind = rows.filter((row) => row.kind === kind.kind);
      if (ofKind.length === 0) continue;
      const projected = new Map((await kind.project(tx, link, ofKind)).map((item) => [`${item.couplingId} ${item.recordId}`, item]));
      for (const row of ofKind) {
        const item = projected.get(`${row.couplingId} ${row.recordId}`);
        if (!item) {
          gone.push(row);
          continue;
        }
        const size = Buffer.byteLength(JSON.stringify(item)) + 1;
        // One that is too large by itself is sent alone; the partner says what he thinks of it.
        if (items.length > 0 && bytes + size > MAX_BATCH_BYTES) continue;
        bytes += size;
        items.push(item);
        sent.push(row);
      }
    }
    return { items, sent, gone };
  }

  async #acknowledged(link: KnownLink, { number, id, items, rows }: Batch, answers: ReadonlyMap<number, unknown>): Promise<void> {
    await this.database.worker.transaction(async (tx) => {
      const ofCouplings = tellsOfCouplings(this.kinds, items);
      // An answer about a coupling may end it, and so lock its guide: before anything else.
      if (ofCouplings) await peers.lockGuidesOf(tx, items.map((item) => item.couplingId));
      for (const kind of this.kinds.values()) {
        const answered = items.flatMap((item, index) => (item.kind === kind.kind && answers.has(index) ? [{ item, answer: answers.get(index) }] : []));
        if (answered.length > 0) await kind.answered?.(tx, link, answered);
      }
      // Before what waits: the written order, in which everything is made to wait again, too.
      const updated = await tx
        .updateTable('sync_peer')
        .set({ acked_number: number })
        .where('link_id', '=', link.id)
        .where('sent_number', '=', number)
        .where('sent_id', '=', id)
        .where('acked_number', '<', number)
        .returning('link_id')
        .executeTakeFirst();
      // Another replica took over while this one stood still, and has its own view of what was delivered.
      if (!updated) throw new Error('the batch is not the current one any more');
      await outbox.remove(tx, rows);
      // The partner knows now how these stand here; what he refused before he knew is due. At the end, when nothing more is locked: these
      // rows are of any guide.
      if (ofCouplings) await outbox.retry(tx, link.id, true);
    });
    for (const [kind, ofKind] of Map.groupBy(items, (item) => item.kind)) this.metrics.delivered(link, kind, ofKind.length);
  }

  async #refused(link: KnownLink, { rows }: Batch, refused: readonly [place: number, reason: string][]): Promise<void> {
    const known = refused.flatMap(([place, reason]) => (rows[place] ? [{ ...rows[place], reason }] : []));
    await outbox.refuse(this.database.worker.sql, known, this.clock.now());
    for (const { reason } of known) this.metrics.refused(link.partnerCode, reason, 'out');
  }
}
