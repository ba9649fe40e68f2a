import { sql } from 'kysely';
import type { Tx } from '../../platform/database/database.js';
import { publish } from '../../platform/events/events.js';
import { type KnownLink, type PartnerAction, type PartnerActions, PartnerCallError } from '../links/index.js';
import { type Item, ItemRefusal, type Receipt, type RefusedItem, type ReceivingCoupling, type ReplicatedKinds, tellsOfCouplings } from './kinds.js';
import { type DeliverMessage, deliverMessage, type Heartbeat, heartbeat, itemHead } from './messages.js';
import type { Memory } from './memory.js';
import type { SyncMetrics } from './metrics.js';
import { outboxRepository as outbox } from './outbox.repository.js';
import { type PeerRow, peerRepository as peers } from './peer.repository.js';

/**
 * Responsible for taking what partners deliver: all of a batch or nothing, in the transaction that remembers its number, so that a
 * batch that comes again has no second effect.
 */
export class SyncReceipt {
  constructor(
    private readonly kinds: ReplicatedKinds,
    private readonly memory: Memory,
    private readonly metrics: SyncMetrics,
    /** The partner has sent a heartbeat: he is there. */
    private readonly heard: (link: KnownLink, greeted: number | undefined) => void,
  ) {}

  actions(): PartnerActions {
    return new Map<string, PartnerAction>([
      ['sync/deliver', { schema: deliverMessage, apply: (tx, link, message, now) => this.#deliver(tx, link, message as DeliverMessage, now) }],
      [
        'sync/heartbeat',
        {
          schema: heartbeat,
          apply: async (tx, link, message, now) => {
            this.heard(link, await this.memory.hear(tx, link, message as Heartbeat, now));
            return { ...(await this.memory.say(tx, link)) };
          },
        },
      ],
    ]);
  }

  async #deliver(tx: Tx, link: KnownLink, message: DeliverMessage, now: Date): Promise<Record<string, unknown> | PartnerCallError> {
    try {
      const items = this.#parse(message.items);
      if (await this.#hasForgotten(tx, link, message, now)) return new PartnerCallError(409, 'RESYNC_NEEDED');
      const couplings = await this.#lockCouplings(tx, link, items);
      const peer = await peers.lock(tx, link.id);
      if (peer) checkNumber(peer, message);
      this.#checkCouplings(items, couplings);
      const answers = await this.#apply(tx, { link, incarnation: message.incarnation, now, couplings }, items);
      await peers.update(tx, link.id, {
        received_number: message.number,
        received_id: message.id,
        ...(message.complete && { complete_at: now }),
      });
      // What the partner refused for a coupling's sake may be due, also if nothing is new here: a pause he has taken back, say, of which
      // this house never heard. At the end, when nothing more is locked: these rows are of any guide.
      if (tellsOfCouplings(this.kinds, items) && (await outbox.retry(tx, link.id, true)) > 0) await publish(tx, { kind: 'outbox', linkId: link.id });
      return { number: message.number, answers };
    } catch (error) {
      if (!(error instanceof ItemRefusal)) throw error;
      const { first, others } = error;
      const more = others.map(({ index, code }) => [index, code] as const);
      throw new PartnerCallError(409, 'ITEM_REFUSED', { item: first.index, reason: first.code, ...(more.length > 0 && { others: more }) });
    }
  }

  /** Who delivers under a raised incarnation is asked nothing, but told everything again; who numbers too far ahead knows us better than we do. */
  async #hasForgotten(tx: Tx, link: KnownLink, { incarnation, number }: DeliverMessage, now: Date): Promise<boolean> {
    const known = await peers.find(tx, link.id);
    if (!known) throw new PartnerCallError(403, 'LINK_NOT_OPEN');
    if (incarnation < known.partner_incarnation) throw unknownTo(known);
    const isAhead = isGap(known, number);
    if (!isAhead && incarnation === known.partner_incarnation) return false;
    const received = { incarnation: await peers.incarnation(tx), number: 0, id: null };
    await this.memory.hear(tx, link, { incarnation, received, acked: number - 1 }, now);
    return isAhead;
  }

  #parse(raw: readonly unknown[]): Item[] {
    const seen = new Set<string>();
    return raw.map((item, index) => {
      const head = itemHead.safeParse(item);
      const parsed = head.success ? this.kinds.get(head.data.kind)?.schema.safeParse(item) : undefined;
      if (!parsed?.success) throw new ItemRefusal({ index, code: 'MALFORMED' });
      const { kind, couplingId, recordId } = parsed.data;
      const name = `${kind} ${couplingId} ${recordId}`.toLowerCase();
      if (seen.has(name)) throw new ItemRefusal({ index, code: 'MALFORMED' });
      seen.add(name);
      return parsed.data;
    });
  }

  /** Guides first, by id, then couplings: the written order. Only those of this link are found. */
  async #lockCouplings(tx: Tx, link: KnownLink, items: readonly Item[]): Promise<Map<string, ReceivingCoupling>> {
    const ids = [...new Set(items.map((item) => item.couplingId))];
    await sql`
      select 1 from guide
      where id in (select c.guide_id from coupling c where c.id = any(${ids}::uuid[]) and c.link_id = ${link.id})
      order by id for no key update`.execute(tx);
    const { rows } = await sql<{ id: string; guide_id: string | null; state: string; paused: boolean }>`
      select id, guide_id, state, paused_here or paused_there as paused from coupling
      where id = any(${ids}::uuid[]) and link_id = ${link.id} order by id for share`.execute(tx);
    return new Map(rows.map(({ id, guide_id, state, paused }) => [id, { id, guideId: guide_id, state, paused }]));
  }

  #checkCouplings(items: readonly Item[], couplings: ReadonlyMap<string, ReceivingCoupling>): void {
    const refused = items.map((item): RefusedItem['code'] | undefined => {
      const kind = this.kinds.get(item.kind);
      const coupling = couplings.get(item.couplingId);
      if (kind?.inAnyState) return undefined;
      if (!coupling) return 'COUPLING_UNKNOWN';
      if (coupling.state === 'ENDED' || coupling.state === 'DECLINED') return 'COUPLING_ENDED';
      if (coupling.state !== 'ACTIVE' || coupling.guideId === null) return 'COUPLING_UNKNOWN';
      return coupling.paused && !kind?.whilePaused ? 'COUPLING_PAUSED' : undefined;
    });
    ItemRefusal.throwFor(refused.flatMap((code, index) => (code ? [{ index, code }] : [])));
  }

  /** Kind by kind in their order; refusals and answers name the place within the whole batch. */
  async #apply(tx: Tx, receipt: Receipt, items: readonly Item[]): Promise<[number, unknown][]> {
    const answers: [number, unknown][] = [];
    for (const kind of this.kinds.values()) {
      const places = items.flatMap((item, index) => (item.kind === kind.kind ? [index] : []));
      if (places.length === 0) continue;
      const given = await kind
        .apply(tx, receipt, places.map((place) => items[place] as Item))
        .catch((error: unknown) => {
          if (error instanceof ItemRefusal) ItemRefusal.throwFor([error.first, ...error.others].map(({ index, code }) => ({ index: places[index] ?? 0, code })));
          throw error;
        });
      for (const [index, answer] of given?.entries() ?? []) answers.push([places[index] ?? 0, answer]);
    }
    // Once all of it is taken: a refusal undoes what was applied before it.
    for (const [kind, ofKind] of Map.groupBy(items, (item) => item.kind)) this.metrics.applied(receipt.link, kind, ofKind.length);
    return answers;
  }
}

/** A number that was passed already is heard again only under its id: an origin that counts anew has lost its memory. */
function checkNumber(peer: PeerRow, { incarnation, number, id }: DeliverMessage): void {
  if (incarnation !== peer.partner_incarnation) throw unknownTo(peer);
  const isAgain = number === peer.received_number && id === peer.received_id;
  if (number <= peer.received_number && !isAgain) throw unknownTo(peer);
  if (isGap(peer, number)) throw new PartnerCallError(409, 'RESYNC_NEEDED');
}

const isGap = (peer: PeerRow, number: number): boolean => number > peer.received_number + 1;

const unknownTo = (peer: PeerRow): PartnerCallError =>
  new PartnerCallError(409, 'INCARNATION_UNKNOWN', { incarnation: peer.partner_incarnation, number: peer.received_number, id: peer.received_id ?? '' });
