import { daysAround, dayNumber, minutesOf, spanOfDay } from './days.js';
import { recurrenceDays } from './recurring-days.js';
import { type Entry, intersect, intersects, type Span, subtract, union } from './spans.js';

/** What a moment of a guide's time is; the first that holds, in this order. */
export enum AvailabilityState {
  BOOKED = 'BOOKED',
  BLOCKED = 'BLOCKED',
  ABSENT = 'ABSENT',
  BOOKED_ELSEWHERE = 'BOOKED_ELSEWHERE',
  FREE_INDIVIDUALLY = 'FREE_INDIVIDUALLY',
  SET_UNAVAILABLE = 'SET_UNAVAILABLE',
  FREE_BY_RULE = 'FREE_BY_RULE',
  NOT_AVAILABLE = 'NOT_AVAILABLE',
}

export const isFree = (state: AvailabilityState): boolean => state === AvailabilityState.FREE_INDIVIDUALLY || state === AvailabilityState.FREE_BY_RULE;

/** Whatever keeps a guide from a time: every state that is not free. */
export type Hindrance = Exclude<AvailabilityState, AvailabilityState.FREE_INDIVIDUALLY | AvailabilityState.FREE_BY_RULE>;

/** The parts of a rule that decide when it applies. Days are `2026-03-29`, times `09:00`, both in the rule's own zone. */
export interface RulePattern {
  timeZone: string;
  startTime: string;
  durationMinutes: number;
  /** As `checkRecurrence` gives it. */
  rrule: string;
  validFrom: string;
  /** Last day on which it may begin. */
  validUntil: string | null;
  exceptDates: readonly string[];
  skipsHolidays: boolean;
  holidays: readonly string[];
}

/** When a rule makes its guide available, as far as it reaches into the range; each occurrence for itself. */
export function occurrences(rule: RulePattern, range: Span): Span[] {
  const { first, last } = daysAround(range);
  const validUntil = rule.validUntil === null ? last : Math.min(last, dayNumber(rule.validUntil));
  const excepted = new Set([...rule.exceptDates, ...(rule.skipsHolidays ? rule.holidays : [])].map(dayNumber));
  const startMinutes = minutesOf(rule.startTime);
  return recurrenceDays(rule.rrule, dayNumber(rule.validFrom), first, validUntil)
    .filter((day) => !excepted.has(day))
    .map((day) => spanOfDay(rule.timeZone, day, startMinutes, rule.durationMinutes))
    .filter((span): span is Span => span !== undefined && intersects(span, range));
}

/** Everything that decides about a guide's time in a range. What reaches beyond the range is cut off. */
export interface GuideTimes<Foreign extends Span = Span> {
  rules: readonly RulePattern[];
  /** Without overlaps. */
  entries: readonly Entry[];
  absences: readonly Span[];
  /** Own assignments to bookings, and blocks. */
  booked: readonly Span[];
  blocked: readonly Span[];
  /** Living foreign bookings, each for itself; they may overlap and repeat. */
  elsewhere: readonly Foreign[];
}

export interface Period<Foreign extends Span = Span> extends Span {
  readonly state: AvailabilityState;
  /** Foreign bookings that intersect this period, by start and end; in the order given where these are equal. */
  readonly elsewhere: readonly Foreign[];
}

type Layer = readonly [AvailabilityState, Span[]];

/** Each state's times by itself, without regard to those before it. */
function layersOf(times: GuideTimes, range: Span): Layer[] {
  const within = (spans: readonly Span[]) => intersect(union(spans), [range]);
  return [
    [AvailabilityState.BOOKED, within(times.booked)],
    [AvailabilityState.BLOCKED, within(times.blocked)],
    [AvailabilityState.ABSENT, within(times.absences)],
    [AvailabilityState.BOOKED_ELSEWHERE, within(times.elsewhere)],
    [AvailabilityState.FREE_INDIVIDUALLY, within(times.entries.filter(({ available }) => available))],
    [AvailabilityState.SET_UNAVAILABLE, within(times.entries.filter(({ available }) => !available))],
    [AvailabilityState.FREE_BY_RULE, within(times.rules.flatMap((rule) => occurrences(rule, range)))],
    [AvailabilityState.NOT_AVAILABLE, [range]],
  ];
}

/**
 * One guide's time in a range. An individual entry beats a rule, neither means not available; then own bookings, blocks, absences and
 * foreign bookings are taken off. Source: DOMAIN §2 "Availability".
 */
export class GuideAvailability<Foreign extends Span = Span> {
  readonly #layers: readonly Layer[];
  readonly #elsewhere: readonly Foreign[];

  constructor(
    readonly range: Span,
    times: GuideTimes<Foreign>,
  ) {
    this.#layers = layersOf(times, range);
    this.#elsewhere = times.elsewhere.filter((foreign) => intersects(foreign, range)).toSorted((one, other) => one.start - other.start || one.end - other.end);
  }

  /** The whole range in periods of one state and the same foreign bookings, by time, without gaps. */
  periods(): Period<Foreign>[] {
    let open: Span[] = [this.range];
    const states: (Span & { state: AvailabilityState })[] = [];
    for (const [state, spans] of this.#layers) {
      for (const span of intersect(open, spans)) states.push({ ...span, state });
      open = subtract(open, spans);
    }
    const edges = [...new Set(this.#elsewhere.flatMap(({ start, end }) => [start, end]))].sort((one, other) => one - other);
    const periods: Period<Foreign>[] = [];
    let edge = 0;
    let begun = 0;
    let elsewhere: readonly Foreign[] = [];
    // Once through all of it, by time: there may be many.
    for (const { start, end, state } of states.sort((one, other) => one.start - other.start)) {
      for (let from = start; from < end; ) {
        while ((edges[edge] ?? Infinity) <= from) edge += 1;
        const to = Math.min(end, edges[edge] ?? Infinity);
        const before = begun;
        while ((this.#elsewhere[begun]?.start ?? Infinity) < to) begun += 1;
        const current = from;
        elsewhere = [...elsewhere.filter((foreign) => foreign.end > current), ...this.#elsewhere.slice(before, begun)];
        periods.push({ start: from, end: to, state, elsewhere });
        from = to;
      }
    }
    return periods;
  }

  /** Everything that keeps the guide from this part of the range, and when, in the order of the states; empty when he is free for all of it. */
  hindrances(span: Span): { state: Hindrance; times: Span[] }[] {
    if (span.start < this.range.start || span.end > this.range.end) throw new Error('asked for a time that was not loaded');
    const layers = new Map(this.#layers);
    const at = (state: AvailabilityState): Span[] => intersect(layers.get(state) ?? [], [span]);
    const set = at(AvailabilityState.SET_UNAVAILABLE);
    // Only where no entry says otherwise does a rule count, or the lack of one.
    const unset = subtract(subtract([span], at(AvailabilityState.FREE_INDIVIDUALLY)), set);
    const taken = [AvailabilityState.BOOKED, AvailabilityState.BLOCKED, AvailabilityState.ABSENT, AvailabilityState.BOOKED_ELSEWHERE] as const;
    return [
      ...taken.map((state) => ({ state, times: at(state) })),
      { state: AvailabilityState.SET_UNAVAILABLE as const, times: set },
      { state: AvailabilityState.NOT_AVAILABLE as const, times: subtract(unset, at(AvailabilityState.FREE_BY_RULE)) },
    ].filter(({ times }) => times.length > 0);
  }
}
