import type { RegisteredInstance } from '../types.js';
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

/**
 * Merges the home's entries with those of the partners that answered, by start and then id. A partner that answered
 * replaces the copies home holds of it; the copies of one that did not stay. Entries of home are changed in place:
 * the keys the gateway had added are taken out.
 */
export function mergeList(
  list: StitchedList,
  home: readonly unknown[],
  contributions: readonly Contribution[],
): Record<string, unknown>[] {
  const merged: Sortable[] = [];
  const answered = new Set(contributions.map(({ instance }) => instance.code));
  const seen = new Set<string>();
  for (const entry of home) {
    if (!isRecord(entry)) continue;
    const start = parseInstant(entry[list.startKey]);
    const id = String(entry[list.idKey]);
    const instance = entry[list.instanceKey];
    const code = isRecord(instance) ? String(instance[list.instanceCodeKey]) : '';
    if (entry[list.originKey] === 'FOREIGN' && answered.has(code)) continue;
    const identity = `${code} ${id}`;
    if (seen.has(identity)) continue;
    seen.add(identity);
    for (const key of list.hidden) delete entry[key];
    merged.push({ start, id, value: entry });
  }
  // Ids of one partner are unique already, and no two parts are of the same instance.
  for (const { instance, entries } of contributions) addForeign(list, instance, entries, merged);
  return merged.sort(byStartAndId).map(({ value }) => value);
}

function addForeign(
  list: StitchedList,
  instance: RegisteredInstance,
  entries: readonly PartnerEntry[],
  merged: Sortable[],
): void {
  const facts = { code: instance.code, name: instance.name, url: instance.url, logo: instance.logo, homepage: instance.homepage };
  // The same for every entry of this partner, so written out once.
  const stamped = list.keys.map((key) => (key.from === 'instance' ? project(key.projection, facts) : null));
  for (const { id, start, values } of entries) {
    const value: Record<string, unknown> = {};
    for (const [index, key] of list.keys.entries()) {
      if (key.from === 'partner') value[key.key] = values[key.name];
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
