import { sql } from 'kysely';
import type { Tx } from '../../platform/database/database.js';
import { type KnownLink, type PartnerAction, type PartnerActions, PartnerCallError } from '../links/index.js';
import type { Comparison, ReplicatedKinds } from './kinds.js';
import { type DigestMessage, digestMessage, type InventoryMessage, inventoryMessage } from './messages.js';
import { peerRepository as peers } from './peer.repository.js';

/** Responsible for telling an origin what is held of its records, so that it can compare. */
export class DigestActions {
  constructor(private readonly kinds: ReplicatedKinds) {}

  actions(): PartnerActions {
    return new Map<string, PartnerAction>([
      ['sync/digest', { schema: digestMessage, apply: (tx, link, message) => this.#digest(tx, link, message as DigestMessage) }],
      ['sync/inventory', { schema: inventoryMessage, apply: (tx, link, message) => this.#inventory(tx, link, message as InventoryMessage) }],
    ]);
  }

  #comparison(kind: string): Comparison {
    const comparison = this.kinds.get(kind)?.comparison;
    if (!comparison) throw new PartnerCallError(400, 'MALFORMED');
    return comparison;
  }

  async #digest(tx: Tx, link: KnownLink, { incarnation, number, kind, digests }: DigestMessage): Promise<Record<string, unknown>> {
    const comparison = this.#comparison(kind);
    // Locked: nothing is applied while it is compared.
    const peer = await peers.lock(tx, link.id);
    if (peer?.partner_incarnation !== incarnation || peer.received_number !== number) return { comparable: false, different: [], older: [] };
    const { rows } = await sql<{ id: string }>`
      select id from coupling where link_id = ${link.id} and state = 'ACTIVE' and id = any(${digests.map(([id]) => id)}::uuid[])`.execute(tx);
    const ids = rows.map(({ id }) => id);
    const theirs = new Map(digests);
    const held = await comparison.digests(tx, link, ids, 'COPY');
    return { comparable: true, different: ids.filter((id) => (held.get(id) ?? '') !== theirs.get(id)), older: await comparison.older(tx, link, ids) };
  }

  async #inventory(tx: Tx, link: KnownLink, { kind, couplingId, older, after }: InventoryMessage): Promise<Record<string, unknown>> {
    return { records: await this.#comparison(kind).held(tx, link, couplingId, older, after) };
  }
}
