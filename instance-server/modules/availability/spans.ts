/** Milliseconds since the epoch, half-open `[start, end)`; never empty. Touching spans do not intersect. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Shortest time availability is kept in. Source: DOMAIN §2 "Availability". */
export const STEP_MINUTES = 15;
export const STEP_MS = STEP_MINUTES * 60_000;

/** The same times, sorted, without overlaps; what touches becomes one. */
export function union(spans: readonly Span[]): Span[] {
  const sorted = spans.filter(({ start, end }) => start < end).toSorted((one, other) => one.start - other.start);
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of sorted) {
    const last = joined.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else joined.push({ start, end });
  }
  return joined;
}

/** Times in both. Both are sorted and without overlaps, as is the result. */
export function intersect(ones: readonly Span[], others: readonly Span[]): Span[] {
  const common: Span[] = [];
  for (let i = 0, j = 0; i < ones.length && j < others.length; ) {
    const one = ones[i] as Span;
    const other = others[j] as Span;
    const start = Math.max(one.start, other.start);
    const end = Math.min(one.end, other.end);
    if (start < end) common.push({ start, end });
    if (one.end < other.end) i += 1;
    else j += 1;
  }
  return common;
}

/** Times in the first that are not in the second. Both are sorted and without overlaps, as is the result. */
export function subtract(ones: readonly Span[], others: readonly Span[]): Span[] {
  const rest: Span[] = [];
  let j = 0;
  for (const { start, end } of ones) {
    let from = start;
    while (j < others.length && (others[j] as Span).end <= from) j += 1;
    for (let k = j; k < others.length && (others[k] as Span).start < end; k += 1) {
      const other = others[k] as Span;
      if (from < other.start) rest.push({ start: from, end: other.start });
      from = other.end;
    }
    if (from < end) rest.push({ start: from, end });
  }
  return rest;
}

export const intersects = (one: Span, other: Span): boolean => one.start < other.end && other.start < one.end;

/** An entry set by hand: available or not, and what was noted. */
export interface Entry extends Span {
  readonly available: boolean;
  readonly note: string | null;
}

/**
 * Entries after `spans` (sorted, without overlaps) were given one setting, or back to the rules for null. Entries do not overlap, before
 * or after; neighbours that say the same become one.
 */
export function carve(entries: readonly Entry[], spans: readonly Span[], setting: Pick<Entry, 'available' | 'note'> | null): Entry[] {
  const kept = entries.flatMap((entry) => subtract([entry], spans).map(({ start, end }) => ({ start, end, available: entry.available, note: entry.note })));
  const set = setting ? spans.map(({ start, end }) => ({ start, end, available: setting.available, note: setting.note })) : [];
  const joined: Entry[] = [];
  for (const entry of [...kept, ...set].sort((one, other) => one.start - other.start)) {
    const last = joined.at(-1);
    const continues = last?.end === entry.start && last.available === entry.available && last.note === entry.note;
    if (continues) joined[joined.length - 1] = { ...last, end: entry.end };
    else joined.push(entry);
  }
  return joined;
}
