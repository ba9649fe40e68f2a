import { UpstreamFailure, type UpstreamAnswer } from '../upstream/upstream.js';
import { parseInstant } from './leaf.js';
import type { StitchedList, StitchedSelection } from './selection.js';

/** A partner's entry after every check: only what was asked for, and where it sorts. */
export interface PartnerEntry {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly start: number;
  readonly values: Readonly<Record<string, unknown>>;
}

/** The queried interval of a list in milliseconds; absent where the field has no such argument. */
export interface QueriedRange {
  readonly start: number;
  readonly end: number;
}

const refusals: ReadonlySet<unknown> = new Set(['UNAUTHENTICATED', 'FORBIDDEN']);

/**
 * Reads a partner's answer, one array for each stitched list. Anything that is not exactly what was asked for
 * makes the whole part unusable: throws UpstreamFailure. Its own messages are never looked at.
 */
export function readPartnerAnswer(
  selection: StitchedSelection,
  ranges: readonly (QueriedRange | undefined)[],
  answer: UpstreamAnswer,
  maxEntries: number,
): PartnerEntry[][] {
  if (Array.isArray(answer.errors) && answer.errors.length > 0) {
    throw new UpstreamFailure(answer.errors.some(isRefusal) ? 'REFUSED' : 'FAILED', false);
  }
  const entities = isRecord(answer.data) ? answer.data['_entities'] : undefined;
  if (!Array.isArray(entities) || entities.length !== 1) throw malformed();
  const [entity] = entities as [unknown];
  // A guide the partner does not know by this grant resolves to null.
  if (entity === null) throw new UpstreamFailure('REFUSED', false);
  if (!isRecord(entity)) throw malformed();
  return selection.lists.map((list, index) => readList(list, ranges[index], entity[list.partnerKey], maxEntries));
}

function readList(
  list: StitchedList,
  range: QueriedRange | undefined,
  value: unknown,
  maxEntries: number,
): PartnerEntry[] {
  if (!Array.isArray(value)) throw malformed();
  if (value.length > maxEntries) throw new UpstreamFailure('TOO_LARGE', false);
  const ids = new Set<string>();
  return value.map((item: unknown) => {
    const entry = readEntry(list, range, item);
    if (ids.has(entry.id)) throw malformed();
    ids.add(entry.id);
    return entry;
  });
}

function readEntry({ asked }: StitchedList, range: QueriedRange | undefined, item: unknown): PartnerEntry {
  if (!isRecord(item)) throw malformed();
  const values: Record<string, unknown> = {};
  for (const { name, check, otherwise } of asked) {
    const value = item[name] === undefined ? otherwise : item[name];
    // Parsing below is the check of these two; doing it twice would be felt.
    if (name !== 'start' && name !== 'end' && !check(value)) throw malformed();
    values[name] = value;
  }
  const start = parseInstant(values['start']);
  const end = parseInstant(values['end']);
  if (!(start < end)) throw malformed();
  // Half-open intervals: what only touches the queried one was not asked for.
  if (range !== undefined && !(start < range.end && end > range.start)) throw malformed();
  return { id: values['id'] as string, start, values };
}

/** Whether the partner does not know what it was asked for: its schema is that of another release. */
export function isOfOtherRelease({ errors }: UpstreamAnswer): boolean {
  return Array.isArray(errors) && errors.some((error) => codeOf(error) === 'GRAPHQL_VALIDATION_FAILED');
}

function isRefusal(error: unknown): boolean {
  return refusals.has(codeOf(error));
}

function codeOf(error: unknown): unknown {
  return isRecord(error) && isRecord(error['extensions']) ? error['extensions']['code'] : undefined;
}

function malformed(): UpstreamFailure {
  return new UpstreamFailure('MALFORMED', false);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
