import { Temporal } from 'temporal-polyfill';
import type { TimeRange } from '../../platform/time.js';

export enum LimitPeriod {
  DAY = 'DAY',
  WEEK = 'WEEK',
  MONTH = 'MONTH',
}

/** A day, a week from Monday or a month as clocks in a zone show them: as long as it really is, from midnight to midnight. */
export interface Period extends TimeRange {
  unit: LimitPeriod;
}

const FIRST: Record<LimitPeriod, (date: Temporal.PlainDate) => Temporal.PlainDate> = {
  DAY: (date) => date,
  WEEK: (date) => date.subtract({ days: date.dayOfWeek - 1 }),
  MONTH: (date) => date.with({ day: 1 }),
};
const STEP: Record<LimitPeriod, Temporal.DurationLike> = { DAY: { days: 1 }, WEEK: { weeks: 1 }, MONTH: { months: 1 } };

const instant = (date: Temporal.PlainDate, timeZone: string): Date => new Date(date.toZonedDateTime(timeZone).epochMilliseconds);

/** Every period of a kind that the range touches, by time. The range is not empty. */
export function periodsOf(unit: LimitPeriod, range: TimeRange, timeZone: string): Period[] {
  const dateOf = (milliseconds: number) => Temporal.Instant.fromEpochMilliseconds(milliseconds).toZonedDateTimeISO(timeZone).toPlainDate();
  // What ends at midnight does not touch the day that begins there.
  const last = dateOf(range.end.getTime() - 1);
  const periods: Period[] = [];
  for (let date = FIRST[unit](dateOf(range.start.getTime())); Temporal.PlainDate.compare(date, last) <= 0; date = date.add(STEP[unit])) {
    periods.push({ unit, start: instant(date, timeZone), end: instant(date.add(STEP[unit]), timeZone) });
  }
  return periods;
}

/** Every day, week and month that the range touches. */
export const touchedPeriods = (range: TimeRange, timeZone: string): Period[] => Object.values(LimitPeriod).flatMap((unit) => periodsOf(unit, range, timeZone));
