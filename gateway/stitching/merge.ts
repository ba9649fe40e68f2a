import type { Directory, RegisteredInstance } from '../types.js';
import { isRecord, type PartnerEntry } from './partner-answer.js';
import { parseInstant } from './leaf.js';
import type { StitchedList } from './selection.js';
import { project } from './shape.js';

/** What one partner contributes to one list. */
export interface Contribution {
  readonly instance: RegisteredInstance;
  readonly entries: readonly PartnerEntry[];
}

interface Sortable {
  readonly start: number;
  readonly id: string;
  readonly value: Record<string, unknown>;
}

/** Home's copies of the entries of partners that answered, by instance and id. */
type Copies = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

const identityOf = (code: string, id: string): string => `${code} ${id}`;

const factsOf = ({ code, name, url, logo, homepage }: RegisteredInstance) => ({ code, name, url, logo, homepage });

/**
 * Merges the home's entries with those of the partners that answered, by start and then id. A partner that answered
 * replaces all copies home holds of it; the copies of one that did not, or was not asked, stay. Which houses there are home
 * decides; how a house is called, the registry, where it knows the house. Entries of home are changed in place: the keys
 * the gateway had added are taken out.
 */
export function mergeList(
  list: StitchedList,
  home: readonly unknown[],
  contributions: readonly Contribution[],
  directory: Pick<Directory, 'get'>,
): Record<string, unknown>[] {
  const merged: Sortable[] = [];
  const answered = new Set(contributions.map(({ instance }) => instance.code));
  const seen = new Set<string>();
  const copies = new Map<string, Record<string, unknown>>();
  for (const entry of home) {
    if (!isRecord(entry)) continue;
    const start = parseInstant(entry[list.startKey]);
    const id = String(entry[list.idKey]);
    const instance = entry[list.instanceKey];
    const code = isRecord(instance) ? String(instance[list.instanceCodeKey]) : '';
    const isForeign = entry[list.originKey] === 'FOREIGN';
    const identity = identityOf(code, id);
    if (isForeign && answered.has(code)) {
      if (list.readsCopies) copies.set(identity, entry);
      continue;
    }
    if (seen.has(identity)) continue;
    seen.add(identity);
    if (isForeign) stampInstance(list, entry, directory.get(code));
    for (const key of list.hidden) delete entry[key];
    merged.push({ start, id, value: entry });
  }
  // Ids of one partner are unique already, and no two parts are of the same instance.
  for (const { instance, entries } of contributions) addForeign(list, instance, entries, copies, merged);
  return merged.sort(byStartAndId).map(({ value }) => value);
}

/** What home says of a house stays while the registry knows its code alone. */
function stampInstance(list: StitchedList, entry: Record<string, unknown>, instance: RegisteredInstance | undefined): void {
  if (instance === undefined || instance.url === null) return;
  for (const key of list.keys) {
    if (key.from === 'instance') entry[key.key] = project(key.projection, factsOf(instance));
  }
}

function addForeign(
  list: StitchedList,
  instance: RegisteredInstance,
  entries: readonly PartnerEntry[],
  copies: Copies,
  merged: Sortable[],
): void {
  const facts = factsOf(instance);
  // The same for every entry of this partner, so written out once.
  const stamped = list.keys.map((key) => (key.from === 'instance' ? project(key.projection, facts) : null));
  for (const { id, start, values } of entries) {
    const value: Record<string, unknown> = {};
    const copy = list.readsCopies ? copies.get(identityOf(instance.code, id)) : undefined;
    for (const [index, key] of list.keys.entries()) {
      if (key.from === 'partner') value[key.key] = values[key.name];
      else if (key.from === 'copy') value[key.key] = copy?.[key.key] ?? key.otherwise;
      else value[key.key] = key.from === 'instance' ? stamped[index] : key.value;
    }
    merged.push({ start, id, value });
  }
}

function byStartAndId(one: Sortable, other: Sortable): number {
  if (one.start !== other.start) return one.start - other.start;
  if (one.id === other.id) return 0;
  return one.id < other.id ? -1 : 1;
}
