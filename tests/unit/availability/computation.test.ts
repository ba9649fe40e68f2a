import fc from 'fast-check';
import { AvailabilityState, GuideAvailability, type GuideTimes, isFree, occurrences, type RulePattern } from '../../../instance-server/modules/availability/computation.js';
import { STEP_MS, type Span, union } from '../../../instance-server/modules/availability/spans.js';

const at = (text: string): number => {
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) throw new Error(`${text} is no instant`);
  return milliseconds;
};
const span = (start: string, end: string): Span => ({ start: at(start), end: at(end) });
const shown = (spans: readonly Span[]): string[] => spans.map(({ start, end }) => `${new Date(start).toISOString().slice(0, 16)} ${new Date(end).toISOString().slice(0, 16)}`);

const rule = (given: Partial<RulePattern> = {}): RulePattern => ({
  timeZone: 'Europe/Berlin',
  startTime: '09:00',
  durationMinutes: 480,
  rrule: 'FREQ=DAILY',
  validFrom: '2020-01-01',
  validUntil: null,
  exceptDates: [],
  skipsHolidays: false,
  holidays: [],
  ...given,
});

describe('a rule on days on which clocks change', () => {
  test('nine to five is nine to five on every day, whatever the clocks do', () => {
    expect(shown(occurrences(rule(), span('2026-03-28T00:00Z', '2026-03-30T22:00Z')))).toEqual(['2026-03-28T08:00 2026-03-28T16:00', '2026-03-29T07:00 2026-03-29T15:00', '2026-03-30T07:00 2026-03-30T15:00']);
    expect(shown(occurrences(rule(), span('2026-10-24T00:00Z', '2026-10-26T22:00Z')))).toEqual(['2026-10-24T07:00 2026-10-24T15:00', '2026-10-25T08:00 2026-10-25T16:00', '2026-10-26T08:00 2026-10-26T16:00']);
  });

  // Clocks in Berlin go from 02:00 to 03:00 at 01:00Z on 2026-03-29.
  test.each([
    ['02:30', 120, ['2026-03-29T01:00 2026-03-29T02:30'], 'a start within the gap is the end of the gap'],
    ['01:00', 90, ['2026-03-29T00:00 2026-03-29T01:00'], 'an end within the gap is the end of the gap'],
    ['02:00', 60, [], 'what lies in the gap does not take place'],
    ['02:15', 30, [], 'nor does a part of it'],
    ['01:00', 180, ['2026-03-29T00:00 2026-03-29T02:00'], 'an hour is skipped'],
    ['00:00', 1440, ['2026-03-28T23:00 2026-03-29T22:00'], 'the whole day has 23 hours'],
    ['22:00', 480, ['2026-03-29T20:00 2026-03-30T04:00'], 'a night after it'],
  ])('forward, from %s for %i minutes: %j', (startTime, durationMinutes, expected) => {
    expect(shown(occurrences(rule({ startTime, durationMinutes, rrule: 'FREQ=DAILY;COUNT=1', validFrom: '2026-03-29' }), span('2026-03-20T00:00Z', '2026-04-05T00:00Z')))).toEqual(expected);
  });

  // Clocks in Berlin go from 03:00 back to 02:00 at 01:00Z on 2026-10-25.
  test.each([
    ['02:30', 120, ['2026-10-25T00:30 2026-10-25T03:30'], 'a start that is shown twice is the first'],
    ['01:00', 90, ['2026-10-24T23:00 2026-10-25T00:30'], 'an end that is shown twice is the first'],
    ['02:00', 30, ['2026-10-25T00:00 2026-10-25T00:30'], 'both shown twice'],
    ['02:00', 60, ['2026-10-25T00:00 2026-10-25T02:00'], 'an hour is repeated'],
    ['00:00', 1440, ['2026-10-24T22:00 2026-10-25T23:00'], 'the whole day has 25 hours'],
  ])('back, from %s for %i minutes: %j', (startTime, durationMinutes, expected) => {
    expect(shown(occurrences(rule({ startTime, durationMinutes, rrule: 'FREQ=DAILY;COUNT=1', validFrom: '2026-10-25' }), span('2026-10-20T00:00Z', '2026-10-30T00:00Z')))).toEqual(expected);
  });

  test('the night into the change ends when clocks show its end', () => {
    const night = rule({ startTime: '22:00', durationMinutes: 480 });
    expect(shown(occurrences(night, span('2026-03-28T20:00Z', '2026-03-29T12:00Z')))).toEqual(['2026-03-28T21:00 2026-03-29T04:00']);
    expect(shown(occurrences(night, span('2026-10-24T18:00Z', '2026-10-25T12:00Z')))).toEqual(['2026-10-24T20:00 2026-10-25T05:00']);
  });

  test('a rule is evaluated in its own zone, with changes of half an hour and days that do not exist', () => {
    expect(shown(occurrences(rule({ timeZone: 'Australia/Lord_Howe', startTime: '02:15', durationMinutes: 60, rrule: 'FREQ=DAILY;COUNT=1', validFrom: '2026-10-04' }), span('2026-10-01T00:00Z', '2026-10-08T00:00Z')))).toEqual([
      '2026-10-03T15:30 2026-10-03T16:15',
    ]);
    // Greenland changed on Saturday evening, on the day after by UTC.
    const nuuk = (startTime: string, minutes: number) =>
      shown(occurrences(rule({ timeZone: 'America/Nuuk', startTime, durationMinutes: minutes, rrule: 'FREQ=DAILY;COUNT=1', validFrom: '2022-03-26' }), span('2022-03-20T00:00Z', '2022-04-01T00:00Z')));
    expect([nuuk('22:30', 60), nuuk('21:00', 60), nuuk('22:00', 60)]).toEqual([['2022-03-27T01:00 2022-03-27T01:30'], ['2022-03-27T00:00 2022-03-27T01:00'], []]);
    // Samoa went from the 29th to the 31st of December 2011.
    expect(shown(occurrences(rule({ timeZone: 'Pacific/Apia', validFrom: '2011-12-29' }), span('2011-12-29T10:00Z', '2011-12-31T10:00Z')))).toEqual(['2011-12-29T19:00 2011-12-30T03:00', '2011-12-30T19:00 2011-12-31T03:00']);
    expect(shown(occurrences(rule({ timeZone: 'America/New_York', rrule: 'FREQ=WEEKLY;BYDAY=SU' }), span('2026-03-01T00:00Z', '2026-03-16T00:00Z')))).toEqual([
      '2026-03-01T14:00 2026-03-01T22:00',
      '2026-03-08T13:00 2026-03-08T21:00',
      '2026-03-15T13:00 2026-03-15T21:00',
    ]);
  });
});

test('validity, exceptions and holidays are days of the rule’s own zone; holidays count only if the rule skips them', () => {
  const week = span('2026-11-30T00:00Z', '2026-12-06T00:00Z');
  const starts = (given: Partial<RulePattern>) => occurrences(rule(given), week).map(({ start }) => new Date(start).getUTCDate());
  expect(starts({})).toEqual([30, 1, 2, 3, 4, 5]);
  expect(starts({ validFrom: '2026-12-01', validUntil: '2026-12-03' })).toEqual([1, 2, 3]);
  expect(starts({ exceptDates: ['2026-12-02', '2026-12-04'] })).toEqual([30, 1, 3, 5]);
  expect(starts({ holidays: ['2026-12-02'] })).toEqual([30, 1, 2, 3, 4, 5]);
  expect(starts({ holidays: ['2026-12-02'], skipsHolidays: true, exceptDates: ['2026-12-05'] })).toEqual([30, 1, 3, 4]);
  // In Tokyo nine o’clock of the 2nd is midnight UTC; in Auckland it is the 1st, 20:00.
  expect(shown(occurrences(rule({ timeZone: 'Pacific/Auckland', validFrom: '2026-12-02', validUntil: '2026-12-02' }), week))).toEqual(['2026-12-01T20:00 2026-12-02T04:00']);
});

test('what begins before the range and reaches into it counts, what only touches it does not', () => {
  const night = rule({ startTime: '20:00', durationMinutes: 600 });
  expect(shown(occurrences(night, span('2026-06-02T03:45Z', '2026-06-02T18:00Z')))).toEqual(['2026-06-01T18:00 2026-06-02T04:00']);
  expect(shown(occurrences(night, span('2026-06-02T04:00Z', '2026-06-02T18:00Z')))).toEqual([]);
  for (const timeZone of ['Pacific/Kiritimati', 'Pacific/Pago_Pago']) {
    const covered = union(occurrences(rule({ timeZone, startTime: '23:45', durationMinutes: 1440 }), span('2026-06-02T00:00Z', '2026-06-03T00:00Z')));
    expect(covered.some(({ start, end }) => start <= at('2026-06-02T00:00Z') && end >= at('2026-06-03T00:00Z'))).toBe(true);
  }
});

const NOTHING: GuideTimes = { rules: [], entries: [], absences: [], booked: [], blocked: [], elsewhere: [] };
const day = span('2026-06-02T06:00Z', '2026-06-02T18:00Z');
const hours = (from: number, to: number): Span => ({ start: at('2026-06-02T00:00Z') + from * 3_600_000, end: at('2026-06-02T00:00Z') + to * 3_600_000 });
const told = (availability: GuideAvailability): string[] =>
  availability.periods().map(({ start, end, state, elsewhere }) => `${(start - at('2026-06-02T00:00Z')) / 3_600_000}-${(end - at('2026-06-02T00:00Z')) / 3_600_000} ${state}${elsewhere.length > 0 ? ` +${elsewhere.length}` : ''}`);

test('(chosen) neither entry nor rule is not available; an entry beats a rule; then what he has is taken off', () => {
  // Nine to five in Berlin is seven to three UTC.
  const times: GuideTimes = {
    ...NOTHING,
    rules: [rule()],
    entries: [
      { ...hours(6.25, 8), available: true, note: null },
      { ...hours(14, 15.5), available: false, note: null },
    ],
    booked: [hours(7.5, 9)],
    blocked: [hours(9, 9.5)],
    absences: [hours(12, 13)],
    elsewhere: [hours(10, 11), hours(10.5, 12.5), hours(17, 17.5)],
  };
  const availability = new GuideAvailability(day, times);
  expect(told(availability)).toEqual([
    '6-6.25 NOT_AVAILABLE',
    '6.25-7.5 FREE_INDIVIDUALLY',
    '7.5-9 BOOKED',
    '9-9.5 BLOCKED',
    '9.5-10 FREE_BY_RULE',
    '10-10.5 BOOKED_ELSEWHERE +1',
    '10.5-11 BOOKED_ELSEWHERE +2',
    '11-12 BOOKED_ELSEWHERE +1',
    '12-12.5 ABSENT +1',
    '12.5-13 ABSENT',
    '13-14 FREE_BY_RULE',
    '14-15.5 SET_UNAVAILABLE',
    '15.5-17 NOT_AVAILABLE',
    '17-17.5 BOOKED_ELSEWHERE +1',
    '17.5-18 NOT_AVAILABLE',
  ]);
  const hindrances = (wanted: Span) => availability.hindrances(wanted).map(({ state }) => state);
  expect(hindrances(hours(6.25, 7.5))).toEqual([]);
  expect(hindrances(hours(6.5, 7))).toEqual([]);
  expect(hindrances(hours(6, 7))).toEqual(['NOT_AVAILABLE']);
  expect(hindrances(hours(7, 8))).toEqual(['BOOKED']);
  expect(hindrances(hours(6, 18))).toEqual(['BOOKED', 'BLOCKED', 'ABSENT', 'BOOKED_ELSEWHERE', 'SET_UNAVAILABLE', 'NOT_AVAILABLE']);
  expect(hindrances(hours(12, 13))).toEqual(['ABSENT', 'BOOKED_ELSEWHERE']);
  expect(hindrances(hours(14.5, 15))).toEqual(['SET_UNAVAILABLE']);
  expect(availability.hindrances(hours(8.5, 12.25))).toEqual([
    { state: 'BOOKED', times: [hours(8.5, 9)] },
    { state: 'BLOCKED', times: [hours(9, 9.5)] },
    { state: 'ABSENT', times: [hours(12, 12.25)] },
    { state: 'BOOKED_ELSEWHERE', times: [hours(10, 12.25)] },
  ]);
  expect(() => availability.hindrances(hours(5, 7))).toThrow('not loaded');
});

test('equal foreign bookings are each counted; touching ones are not in each other’s period', () => {
  const elsewhere = [hours(8, 9), hours(8, 9), hours(9, 10)];
  expect(told(new GuideAvailability(day, { ...NOTHING, elsewhere }))).toEqual(['6-8 NOT_AVAILABLE', '8-9 BOOKED_ELSEWHERE +2', '9-10 BOOKED_ELSEWHERE +1', '10-18 NOT_AVAILABLE']);
  // A sign on top of what he has here.
  expect(told(new GuideAvailability(day, { ...NOTHING, booked: [hours(6, 18)], elsewhere: [hours(5, 7)] }))).toEqual(['6-7 BOOKED +1', '7-18 BOOKED']);
});

/** Some steps of a day, each for itself. */
const someSpans = fc.array(fc.tuple(fc.integer({ min: 0, max: 46 }), fc.integer({ min: 1, max: 12 })), { maxLength: 5 }).map((made) => made.map(([from, length]) => hours(6 + from / 4, 6 + (from + length) / 4)));

test('twenty thousand foreign bookings are told apart in no time', () => {
  const begin = at('2026-01-01T00:00Z');
  const elsewhere = Array.from({ length: 20_000 }, (_, index) => ({ start: begin + index * 1_500_000, end: begin + index * 1_500_000 + 1_000_000 }));
  const began = performance.now();
  const periods = new GuideAvailability({ start: begin, end: begin + 20_000 * 1_500_000 }, { rules: [], entries: [], absences: [], booked: [], blocked: [], elsewhere }).periods();
  expect(periods.map((period) => period.elsewhere.length).filter((count, index) => count !== 1 - (index % 2))).toEqual([]);
  expect(periods).toHaveLength(40_000);
  expect(performance.now() - began).toBeLessThan(2_500);
});

test('every step is what the order of states says of it, step by step', () => {
  const times = fc.record({ set: someSpans.map(union), signs: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), absences: someSpans, booked: someSpans, blocked: someSpans, elsewhere: someSpans, from: fc.integer({ min: 0, max: 40 }), length: fc.integer({ min: 1, max: 40 }) });
  fc.assert(
    fc.property(times, ({ set, signs, from, length, ...taken }) => {
      const entries = set.map((entry, index) => ({ ...entry, available: signs[index] as boolean, note: null }));
      const startTime = `${String(8 + Math.floor(from / 4)).padStart(2, '0')}:${String((from % 4) * 15).padStart(2, '0')}`;
      const pattern = rule({ startTime, durationMinutes: length * 15 });
      const availability = new GuideAvailability(day, { ...taken, entries, rules: [pattern] });
      const periods = availability.periods();
      expect([periods[0]?.start, periods.at(-1)?.end]).toEqual([day.start, day.end]);
      for (let step = day.start; step < day.end; step += STEP_MS) {
        const within = (spans: readonly Span[]) => spans.filter(({ start, end }) => start <= step && step < end);
        const [entry] = within(entries) as typeof entries;
        // 8:00 in Berlin is 6:00 UTC, when the day of this test begins.
        const byRule = (step - day.start) / STEP_MS >= from && (step - day.start) / STEP_MS < from + length;
        const expected =
          within(taken.booked).length > 0
            ? 'BOOKED'
            : within(taken.blocked).length > 0
              ? 'BLOCKED'
              : within(taken.absences).length > 0
                ? 'ABSENT'
                : within(taken.elsewhere).length > 0
                  ? 'BOOKED_ELSEWHERE'
                  : entry
                    ? entry.available
                      ? 'FREE_INDIVIDUALLY'
                      : 'SET_UNAVAILABLE'
                    : byRule
                      ? 'FREE_BY_RULE'
                      : 'NOT_AVAILABLE';
        const [period, ...more] = periods.filter(({ start, end }) => start <= step && step < end);
        expect(more).toEqual([]);
        expect([period?.state, period?.elsewhere.length]).toEqual([expected, within(taken.elsewhere).length]);
        // The guide is free for a step exactly if nothing hinders him.
        expect(availability.hindrances({ start: step, end: step + STEP_MS }).length === 0).toBe(isFree(expected as AvailabilityState));
      }
      for (const [index, { state, start, elsewhere }] of periods.entries()) {
        const before = periods[index - 1];
        if (before) expect([before.end, before.state === state && JSON.stringify(before.elsewhere) === JSON.stringify(elsewhere)]).toEqual([start, false]);
      }
    }),
    { numRuns: 400 },
  );
});
