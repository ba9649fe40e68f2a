import fc from 'fast-check';
import { dateOf, dayNumber, instantOfTime, minutesOf, spanOfDay, weekdayOf } from '../../../instance-server/modules/availability/days.js';

const ZONES = ['Europe/Berlin', 'America/New_York', 'America/Sao_Paulo', 'America/Nuuk', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Asia/Kathmandu', 'Asia/Tehran', 'Pacific/Apia', 'Pacific/Kiritimati', 'UTC'] as const;
const MINUTE = 60_000;
const DAY = 86_400_000;

const formats = new Map(
  ZONES.map((timeZone) => [
    timeZone as string,
    new Intl.DateTimeFormat('en', { timeZone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' }),
  ]),
);

/** What clocks in the zone show at this instant, as if it were UTC. */
function shownAt(instant: number, timeZone: string): number {
  const parts = Object.fromEntries((formats.get(timeZone) as Intl.DateTimeFormat).formatToParts(instant).map(({ type, value }) => [type, Number(value)])) as Record<string, number>;
  return Date.UTC(parts.year ?? 0, (parts.month ?? 0) - 1, parts.day, parts.hour, parts.minute, parts.second);
}

/** A second implementation, which looks at clocks: the first quarter of an hour at which they show this time or a later one. */
function firstShowing(local: number, timeZone: string): number {
  let instant = local - 15 * 60 * MINUTE;
  while (shownAt(instant, timeZone) < local) instant += 15 * MINUTE;
  return instant;
}

/** Any day, and those on which clocks change more often than the rest. */
const day = fc.oneof(
  fc.integer({ min: dayNumber('2001-01-01'), max: dayNumber('2037-12-31') }),
  fc
    .tuple(fc.integer({ min: 2001, max: 2037 }), fc.constantFrom('03', '04', '10', '11'), fc.integer({ min: 1, max: 30 }))
    .map(([year, month, date]) => dayNumber(`${year}-${month}-${String(date).padStart(2, '0')}`)),
  fc.constantFrom(...['2011-12-29', '2011-12-30', '2011-12-31', '2022-03-26', '2026-03-29', '2026-10-25', '2026-10-04', '2026-04-05'].map(dayNumber)),
);
const quarter = fc.integer({ min: 0, max: 2 * 96 }).map((quarters) => quarters * 15);

test('a time of day is the first moment at which clocks show it or, where they skip it, a later one', () => {
  fc.assert(
    fc.property(fc.constantFrom(...ZONES), day, quarter, (zone, on, minutes) => {
      const expected = firstShowing(on * DAY + minutes * MINUTE, zone);
      expect({ zone, on: dateOf(on), minutes, at: new Date(instantOfTime(zone, on, minutes)) }).toEqual({ zone, on: dateOf(on), minutes, at: new Date(expected) });
    }),
    { numRuns: 1_500 },
  );
});

test('a time of a day ends when clocks show its end, however long that takes', () => {
  fc.assert(
    fc.property(fc.constantFrom(...ZONES), day, fc.integer({ min: 0, max: 95 }), fc.integer({ min: 1, max: 96 }), (zone, on, from, length) => {
      const [start, end] = [firstShowing(on * DAY + from * 15 * MINUTE, zone), firstShowing(on * DAY + (from + length) * 15 * MINUTE, zone)];
      expect(spanOfDay(zone, on, from * 15, length * 15)).toEqual(start < end ? { start, end } : undefined);
    }),
    { numRuns: 500 },
  );
});

test('days, dates, weekdays and minutes', () => {
  expect([dayNumber('1970-01-01'), dayNumber('2026-11-22'), dateOf(20_779)]).toEqual([0, 20_779, '2026-11-22']);
  expect(['2026-11-16', '2026-11-22', '1970-01-01', '1969-12-31'].map((date) => weekdayOf(dayNumber(date)))).toEqual([1, 7, 4, 3]);
  expect([minutesOf('00:00'), minutesOf('09:15'), minutesOf('23:45')]).toEqual([0, 555, 1_425]);
});
