import { LimitPeriod, periodsOf, touchedPeriods } from '../../../instance-server/modules/staffing/limit-periods.js';

const range = (start: string, end: string) => ({ start: new Date(start), end: new Date(end) });
const shown = (unit: keyof typeof LimitPeriod, start: string, end: string, timeZone = 'Europe/Berlin') =>
  periodsOf(LimitPeriod[unit], range(start, end), timeZone).map((period) => `${period.start.toISOString().slice(0, 16)} ${(period.end.getTime() - period.start.getTime()) / 3_600_000}`);

/* A period is shown by its start in UTC and its length in hours. */
test.each<[string, keyof typeof LimitPeriod, string, string, string, string[]]>([
  ['a day begins at midnight of the zone, not of UTC', 'DAY', '2027-01-14T22:30:00Z', '2027-01-14T23:00:00Z', 'Europe/Berlin', ['2027-01-13T23:00 24']],
  ['what begins at midnight is of the new day alone', 'DAY', '2027-01-14T23:00:00Z', '2027-01-15T00:00:00Z', 'Europe/Berlin', ['2027-01-14T23:00 24']],
  ['what passes midnight is of both days', 'DAY', '2027-01-14T22:30:00Z', '2027-01-14T23:00:00.001Z', 'Europe/Berlin', ['2027-01-13T23:00 24', '2027-01-14T23:00 24']],
  ['the day on which clocks go forward has 23 hours', 'DAY', '2027-03-28T10:00:00Z', '2027-03-28T11:00:00Z', 'Europe/Berlin', ['2027-03-27T23:00 23']],
  ['the day on which clocks go back has 25 hours', 'DAY', '2027-10-31T10:00:00Z', '2027-10-31T11:00:00Z', 'Europe/Berlin', ['2027-10-30T22:00 25']],
  ['the last hour of the long day is still of it', 'DAY', '2027-10-31T22:30:00Z', '2027-10-31T23:00:00Z', 'Europe/Berlin', ['2027-10-30T22:00 25']],
  ['a day that begins after midnight, because clocks skip it', 'DAY', '2018-11-04T12:00:00Z', '2018-11-04T13:00:00Z', 'America/Sao_Paulo', ['2018-11-04T03:00 23']],
  ['a zone with a half hour', 'DAY', '2027-01-15T18:29:00Z', '2027-01-15T18:31:00Z', 'Asia/Kolkata', ['2027-01-14T18:30 24', '2027-01-15T18:30 24']],
  ['a week begins on Monday: Sunday evening', 'WEEK', '2027-01-17T22:00:00Z', '2027-01-17T23:00:00Z', 'Europe/Berlin', ['2027-01-10T23:00 168']],
  ['a week begins on Monday: Monday morning', 'WEEK', '2027-01-17T23:00:00Z', '2027-01-17T23:30:00Z', 'Europe/Berlin', ['2027-01-17T23:00 168']],
  ['a week goes on through the turn of the year', 'WEEK', '2026-12-31T22:30:00Z', '2026-12-31T23:30:00Z', 'Europe/Berlin', ['2026-12-27T23:00 168']],
  ['the week of the change to summer time', 'WEEK', '2027-03-24T12:00:00Z', '2027-03-24T13:00:00Z', 'Europe/Berlin', ['2027-03-21T23:00 167']],
  ['the week of the change back, from Sunday into Monday', 'WEEK', '2027-10-31T22:00:00Z', '2027-11-01T00:00:00Z', 'Europe/Berlin', ['2027-10-24T22:00 169', '2027-10-31T23:00 168']],
  ['a month begins at midnight of the zone', 'MONTH', '2027-01-31T22:59:00Z', '2027-01-31T23:00:00Z', 'Europe/Berlin', ['2026-12-31T23:00 744']],
  ['a night from one month into the next', 'MONTH', '2027-01-31T22:00:00Z', '2027-01-31T23:30:00Z', 'Europe/Berlin', ['2026-12-31T23:00 744', '2027-01-31T23:00 672']],
  ['March is an hour short, October an hour long', 'MONTH', '2027-03-10T12:00:00Z', '2027-03-10T13:00:00Z', 'Europe/Berlin', ['2027-02-28T23:00 743']],
  ['February of a leap year', 'MONTH', '2028-02-29T12:00:00Z', '2028-02-29T13:00:00Z', 'Europe/Berlin', ['2028-01-31T23:00 696']],
])('%s', (_what, unit, start, end, timeZone, expected) => {
  expect(shown(unit, start, end, timeZone)).toEqual(expected);
});

test('an interval of a month touches its days, weeks and months, without gaps', () => {
  const long = range('2027-03-10T08:00:00Z', '2027-04-10T08:00:00Z');
  const periods = touchedPeriods(long, 'Europe/Berlin');
  const count = (unit: LimitPeriod): number => periods.filter((period) => period.unit === unit).length;
  expect([count(LimitPeriod.DAY), count(LimitPeriod.WEEK), count(LimitPeriod.MONTH)]).toEqual([32, 5, 2]);
  for (const unit of Object.values(LimitPeriod)) {
    const those = periods.filter((period) => period.unit === unit);
    for (const [index, period] of those.entries()) expect(those[index + 1]?.start ?? period.end).toEqual(period.end);
    expect((those[0]?.start ?? long.end) <= long.start && (those.at(-1)?.end ?? long.start) >= long.end).toBe(true);
  }
});
