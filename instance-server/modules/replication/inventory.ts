import type { KnownLink, PartnerClient } from '../links/index.js';
import type { Comparison, HeldRecord } from './kinds.js';
import { inventoryAnswer } from './messages.js';

/** Pages of an inventory that a partner may fill. */
const MAX_PAGES = 200;

/** What a partner holds of one kind of a coupling's records, asked page by page. @throws when he cannot be reached, refuses or does not end */
export async function inventoryOf(partners: PartnerClient, link: KnownLink, kind: string, comparison: Comparison, couplingId: string, older = false): Promise<HeldRecord[]> {
  const held: HeldRecord[] = [];
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const message = { kind, couplingId, older, after: held.at(-1)?.recordId ?? null };
    const { records } = inventoryAnswer.parse(await partners.call(link, '/partner/v1/sync/inventory', message));
    if (records.length === 0) return held;
    held.push(...records.map((record) => comparison.heldSchema.parse(record)));
  }
  throw new Error('the partner’s inventory does not end');
}
