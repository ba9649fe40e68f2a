import { LRUCache } from 'lru-cache';
import { DAY_MS, type DayNumber, dayNumber, weekdayOf } from './days.js';

export const WEEKDAYS: readonly string[] = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];

/** Years within which a COUNT must be reached: all of them are looked through for its last day. */
const COUNTED_YEARS = 50;

/** A recurrence as it is evaluated; what its text leaves open is filled in from its first day. Empty lists choose everything. */
interface Recurrence {
  readonly frequency: string;
  readonly interval: number;
  readonly months: readonly number[];
  readonly monthDays: readonly number[];
  /** By 1…7: the ordinals wanted, 0 for every one. */
  readonly weekdays: ReadonlyMap<number, readonly number[]>;
  /** Whether ordinals count within the month, not the year. */
  readonly countsInMonth: boolean;
  readonly positions: readonly number[];
  /** 1…7 */
  readonly weekStart: number;
  readonly start: DayNumber;
}

/** A month as it is looked through. */
interface Month {
  readonly year: number;
  /** 1…12 */
  readonly month: number;
  readonly first: DayNumber;
  readonly length: number;
}

const firstOf = (year: number, month: number): DayNumber => Date.UTC(year, month - 1, 1) / DAY_MS;

/** The month after December is January. */
function monthOf(year: number, month: number): Month {
  if (month > 12) return monthOf(year + 1, month - 12);
  const first = firstOf(year, month);
  return { year, month, first, length: firstOf(year, month + 1) - first };
}

function monthAt(day: DayNumber): Month {
  const date = new Date(day * DAY_MS);
  return monthOf(date.getUTCFullYear(), date.getUTCMonth() + 1);
}

function parse(text: string, start: DayNumber): { recurrence: Recurrence; count: number | undefined; until: DayNumber } {
  const parts = new Map(text.split(';').map((part) => part.split('=') as [string, string]));
  const numbers = (name: string): number[] => parts.get(name)?.split(',').map(Number) ?? [];
  const frequency = parts.get('FREQ') ?? '';
  const named = parts.get('BYDAY')?.split(',') ?? [];
  const first = monthAt(start);
  const isOpen = named.length === 0 && !parts.has('BYMONTHDAY');
  const days = isOpen && frequency === 'WEEKLY' ? [WEEKDAYS[weekdayOf(start) - 1] ?? ''] : named;
  const isCalendrical = frequency === 'MONTHLY' || frequency === 'YEARLY';
  const until = parts.get('UNTIL');
  return {
    recurrence: {
      frequency,
      interval: Number(parts.get('INTERVAL') ?? '1'),
      months: isOpen && frequency === 'YEARLY' && !parts.has('BYMONTH') ? [first.month] : numbers('BYMONTH'),
      monthDays: isOpen && isCalendrical ? [start - first.first + 1] : numbers('BYMONTHDAY'),
      weekdays: new Map(
        [...Map.groupBy(days, (day) => WEEKDAYS.indexOf(day.slice(-2)) + 1)].map(([weekday, same]) => [weekday, same.map((day) => Number(day.slice(0, -2)))]),
      ),
      countsInMonth: frequency === 'MONTHLY' || parts.has('BYMONTH'),
      positions: numbers('BYSETPOS'),
      weekStart: WEEKDAYS.indexOf(parts.get('WKST') ?? 'MO') + 1,
      start,
    },
    count: parts.has('COUNT') ? Number(parts.get('COUNT')) : undefined,
    until: until ? dayNumber(`${until.slice(0, 4)}-${until.slice(4, 6)}-${until.slice(6)}`) : Infinity,
  };
}

const isDue = ({ interval }: Recurrence, periods: number): boolean => periods % interval === 0;

/** Of months and years the interval leaves out, nothing more is asked. */
function isMonthDue(recurrence: Recurrence, { year, month }: Month): boolean {
  const { frequency, months, start } = recurrence;
  if (months.length > 0 && !months.includes(month)) return false;
  if (frequency !== 'MONTHLY' && frequency !== 'YEARLY') return true;
  const first = monthAt(start);
  const years = year - first.year;
  return isDue(recurrence, frequency === 'YEARLY' ? years : years * 12 + month - first.month);
}

function isDayDue(recurrence: Recurrence, day: DayNumber): boolean {
  const { frequency, weekStart, start } = recurrence;
  if (frequency === 'DAILY') return isDue(recurrence, day - start);
  if (frequency !== 'WEEKLY') return true;
  // 1970-01-01 was a Thursday, day 4 of a week that begins on Monday.
  const week = (of: DayNumber): number => Math.floor((of + 4 - weekStart) / 7);
  return isDue(recurrence, week(day) - week(start));
}

/** Whether it is the n-th of its weekday in the span, counted from either end. */
const isNth = (ordinal: number, day: DayNumber, first: DayNumber, end: DayNumber): boolean =>
  ordinal > 0 ? Math.floor((day - first) / 7) + 1 === ordinal : Math.floor((end - 1 - day) / 7) + 1 === -ordinal;

function fits(recurrence: Recurrence, { year, first, length }: Month, day: DayNumber): boolean {
  const { monthDays, weekdays, countsInMonth } = recurrence;
  const date = day - first + 1;
  if (monthDays.length > 0 && !monthDays.some((wanted) => wanted === date || wanted === date - length - 1)) return false;
  if (weekdays.size > 0) {
    const ordinals = weekdays.get(weekdayOf(day));
    if (!ordinals) return false;
    const [from, end] = countsInMonth ? [first, first + length] : [firstOf(year, 1), firstOf(year + 1, 1)];
    if (!ordinals.some((ordinal) => ordinal === 0 || isNth(ordinal, day, from, end))) return false;
  }
  return isDayDue(recurrence, day);
}

function daysOfMonth(recurrence: Recurrence, month: Month): DayNumber[] {
  if (!isMonthDue(recurrence, month)) return [];
  const days: DayNumber[] = [];
  for (let day = month.first; day < month.first + month.length; day += 1) if (fits(recurrence, month, day)) days.push(day);
  return days;
}

/** Of the days of one month or year those that BYSETPOS wants, days before the start counted too. */
function chosen({ positions }: Recurrence, days: readonly DayNumber[]): readonly DayNumber[] {
  if (positions.length === 0) return days;
  return days.filter((_, index) => positions.includes(index + 1) || positions.includes(index - days.length));
}

/** By month or, where positions count in the year, by year; from the one of the first day, on and on. */
function* batches(recurrence: Recurrence, first: DayNumber): Generator<{ begins: DayNumber; days: readonly DayNumber[] }> {
  const byYear = recurrence.frequency === 'YEARLY' && recurrence.positions.length > 0;
  const { year, month } = monthAt(first);
  for (let at = monthOf(year, byYear ? 1 : month); ; ) {
    const months = byYear ? Array.from({ length: 12 }, (_, index) => monthOf(at.year, index + 1)) : [at];
    yield { begins: at.first, days: chosen(recurrence, months.flatMap((each) => daysOfMonth(recurrence, each))) };
    at = byYear ? monthOf(at.year + 1, 1) : monthOf(at.year, at.month + 1);
  }
}

function* daysWithin(recurrence: Recurrence, first: DayNumber, last: DayNumber): Generator<DayNumber> {
  for (const { begins, days } of batches(recurrence, first)) {
    if (begins > last) return;
    for (const day of days) if (day >= first && day <= last) yield day;
  }
}

/** The day on which a count is reached; undefined when that takes too long. */
function lastCounted(recurrence: Recurrence, count: number): DayNumber | undefined {
  let left = count;
  for (const day of daysWithin(recurrence, recurrence.start, recurrence.start + COUNTED_YEARS * 366)) {
    left -= 1;
    if (left === 0) return day;
  }
  return undefined;
}

/** Recurrences by text and first day, parsed, with the last day each may have. Nothing in it is anybody's. */
const known = new LRUCache<string, { recurrence: Recurrence; last: DayNumber | undefined }>({ max: 5_000 });

function evaluated(text: string, start: DayNumber): { recurrence: Recurrence; last: DayNumber | undefined } {
  const key = `${start} ${text}`;
  const remembered = known.get(key);
  if (remembered) return remembered;
  const { recurrence, count, until } = parse(text, start);
  const made = { recurrence, last: count === undefined ? until : lastCounted(recurrence, count) };
  known.set(key, made);
  return made;
}

/** Whether its COUNT, if it has one, is reached in time. */
export const isBounded = (text: string, validFrom: DayNumber): boolean => evaluated(text, validFrom).last !== undefined;

/**
 * Days of a checked recurrence from `first` to `last`, both included. It begins at `validFrom`, which is one of them only if it fits,
 * and from which COUNT counts. Every day asked for is looked at once, whatever the recurrence.
 */
export function recurrenceDays(text: string, validFrom: DayNumber, first: DayNumber, last: DayNumber): DayNumber[] {
  const from = Math.max(first, validFrom);
  if (from > last) return [];
  const { recurrence, last: end } = evaluated(text, validFrom);
  return [...daysWithin(recurrence, from, Math.min(last, end ?? -Infinity))];
}
