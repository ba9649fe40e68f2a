import { LRUCache } from 'lru-cache';
import { Temporal } from 'temporal-polyfill';
import type { Span } from './spans.js';

/** Days since 1970-01-01. */
export type DayNumber = number;

const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

export const dayNumber = (date: string): DayNumber => Date.parse(`${date}T00:00:00Z`) / DAY_MS;
export const dateOf = (day: DayNumber): string => new Date(day * DAY_MS).toISOString().slice(0, 10);
export const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));

/** A time between two changes of clocks, as far back as it was asked for. */
interface Steady {
  start: number;
  readonly end: number;
  readonly offset: number;
}

/** By zone. Changes are slow to find, but they are two a year. Nothing in it is anybody's. */
const steady = new LRUCache<string, Steady[]>({ max: 500 });

function steadyAt(timeZone: string, instant: number): Steady {
  const known = steady.get(timeZone) ?? [];
  const found = known.find(({ start, end }) => start <= instant && instant < end);
  if (found) return found;
  const shown = Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(timeZone);
  const end = shown.getTimeZoneTransition('next')?.epochMilliseconds ?? Infinity;
  let span = known.find((each) => each.end === end);
  if (span) span.start = instant;
  else {
    span = { start: instant, end, offset: shown.offsetNanoseconds / 1_000_000 };
    known.push(span);
  }
  steady.set(timeZone, known);
  return span;
}

/** The zone's offset on this day, if clocks change neither on it nor on its neighbours. */
function steadyOffset(timeZone: string, day: DayNumber): number | null {
  const { end, offset } = steadyAt(timeZone, (day - 1) * DAY_MS);
  return end > (day + 3) * DAY_MS ? offset : null;
}

/**
 * The instant at which clocks in the zone show so many minutes after midnight of a day. A time they show twice means the first of the
 * two (RFC 5545 §3.3.5); one they skip means the moment they skip it, the end of the gap.
 */
export function instantOfTime(timeZone: string, day: DayNumber, minutes: number): number {
  const local = day * DAY_MS + minutes * MINUTE_MS;
  const offset = steadyOffset(timeZone, Math.floor(local / DAY_MS));
  if (offset !== null) return local - offset;
  const plain = Temporal.PlainDateTime.from(new Date(local).toISOString().slice(0, 19));
  const earlier = plain.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  if (earlier.toPlainDateTime().equals(plain)) return earlier.epochMilliseconds;
  const gap = earlier.getTimeZoneTransition('next');
  if (!gap) throw new Error('a time that clocks skip comes before the change that skips it');
  return gap.epochMilliseconds;
}

/**
 * From `startMinutes` for `durationMinutes`, both as clocks show them: nine to five is nine to five on every day, however many hours
 * have passed. Undefined when clocks skip all of it.
 */
export function spanOfDay(timeZone: string, day: DayNumber, startMinutes: number, durationMinutes: number): Span | undefined {
  const start = instantOfTime(timeZone, day, startMinutes);
  const end = instantOfTime(timeZone, day, startMinutes + durationMinutes);
  return start < end ? { start, end } : undefined;
}

/** Days of which some time, in whatever zone, could lie in the span; what begins the day before reaches into the next. */
export const daysAround = ({ start, end }: Span): { first: DayNumber; last: DayNumber } => ({
  first: Math.floor(start / DAY_MS) - 2,
  last: Math.floor((end - 1) / DAY_MS) + 1,
});

/** 1 is Monday, 7 is Sunday. */
export const weekdayOf = (day: DayNumber): number => ((((day + 3) % 7) + 7) % 7) + 1;
