import { LimitPeriod } from '../../../instance-server/modules/staffing/limit-periods.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { available, foreign, rank } from './support/eligibility-api.js';
import { type House, openHouse } from './support/house.js';

/*
 * Limits counted a second time, without a line of the product's: quarter of an hour by quarter of an hour, each put to the day, week
 * and month that a clock on the wall in Berlin shows then.
 */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

const STEP = 900_000;
const SEED = 20_270_328;

let state = SEED;
const random = (below: number): number => {
  state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
  return Math.floor((state / 2_147_483_648) * below);
};

const wall = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Berlin', dateStyle: 'short' });

/** Names of the day, week and month of an instant. */
function periodsAt(instant: number): Record<keyof typeof LimitPeriod, string> {
  const day = wall.format(instant);
  const noon = new Date(`${day}T12:00:00Z`);
  const monday = new Date(noon.getTime() - ((noon.getUTCDay() + 6) % 7) * 86_400_000);
  return { DAY: day, WEEK: monday.toISOString().slice(0, 10), MONTH: day.slice(0, 7) };
}

interface Taken {
  booking: string;
  start: number;
  end: number;
}

/** Minutes and bookings in every period that `wanted` touches, `wanted` included, in order of time. */
function counted(taken: readonly Taken[], wanted: Taken, unit: keyof typeof LimitPeriod): { minutes: number; bookings: number }[] {
  const touched = new Map<string, { minutes: number; bookings: Set<string> }>();
  for (let at = wanted.start; at < wanted.end; at += STEP) touched.set(periodsAt(at)[unit], { minutes: 0, bookings: new Set() });
  for (const { booking, start, end } of [...taken, wanted]) {
    for (let at = start; at < end; at += STEP) {
      const period = touched.get(periodsAt(at)[unit]);
      if (!period) continue;
      period.minutes += 15;
      period.bookings.add(booking);
    }
  }
  return [...touched.values()].map(({ minutes, bookings }) => ({ minutes, bookings: bookings.size }));
}

const UNITS = ['DAY', 'WEEK', 'MONTH'] as const;

test(`for random bookings around changes of clocks, weeks, months and years, seed ${SEED}`, async () => {
  const house: House = await openHouse(cleanup);
  const { token } = await house.records.signedIn('STAFF');
  const offerId = await house.records.offer();
  const kinds = new Set<string>();
  const centres = ['2027-03-28T01:00:00Z', '2027-10-31T01:00:00Z', '2027-12-31T23:00:00Z', '2027-05-31T22:00:00Z'].map((text) => Date.parse(text));
  for (let round = 0; round < 40; round += 1) {
    const centre = centres[round % centres.length] as number;
    const guideId = await house.records.guide({ offerIds: [offerId] });
    await available(house, guideId, new Date(centre - 90 * 86_400_000), new Date(centre + 90 * 86_400_000));
    // From four days before to four days after: one after the other, with gaps, some of them foreign.
    const taken: Taken[] = [];
    const elsewhere: (readonly [Date, Date])[] = [];
    const gaps: Taken[] = [];
    for (let at = centre - 96 * 3_600_000; at < centre + 96 * 3_600_000; ) {
      const gap = STEP * (1 + random(60));
      gaps.push({ booking: 'wanted', start: at, end: at + gap });
      const [start, end] = [at + gap, at + gap + STEP * (1 + random(40))];
      if (random(4) === 0) elsewhere.push([new Date(start), new Date(end)]);
      else taken.push({ booking: (await house.records.booking(offerId, new Date(start), { end: new Date(end), guideIds: [guideId] })).id, start, end });
      at = end;
    }
    const countsForeign = round % 2 === 0;
    if (elsewhere.length > 0) await foreign(house, guideId, elsewhere);
    const counting = [...taken, ...(countsForeign ? elsewhere.map(([start, end], index) => ({ booking: `foreign ${index}`, start: start.getTime(), end: end.getTime() })) : [])];
    const wanted = gaps[random(gaps.length)] as Taken;
    // Each limit is what it comes to in the fullest period, or one less.
    const limits = UNITS.map((unit) => {
      const periods = counted(counting, wanted, unit);
      const most = (measure: 'minutes' | 'bookings') => Math.max(...periods.map((period) => period[measure])) - random(2);
      return { unit, periods, minutes: most('minutes'), bookings: most('bookings') };
    });
    await house.records.query(
      `insert into guide_limits (guide_id, minutes_per_day, bookings_per_day, minutes_per_week, bookings_per_week, minutes_per_month, bookings_per_month, counts_foreign_bookings)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [guideId, ...limits.flatMap(({ minutes, bookings }) => [minutes, bookings]), countsForeign],
    );
    const expected = limits.flatMap(({ unit, periods, ...most }) =>
      (['minutes', 'bookings'] as const).flatMap((measure) => {
        const first = periods.find((period) => period[measure] > most[measure]);
        return first ? [{ period: unit, measure: measure.toUpperCase(), limit: most[measure], count: first[measure] }] : [];
      }),
    );
    const range = { start: new Date(wanted.start).toISOString(), end: new Date(wanted.end).toISOString() };
    const { guides } = await rank(house.api, token, { input: { offerId, range }, filter: { guideIds: [guideId] } });
    const found = (guides[0]?.reasons ?? []).map(({ period, measure, limit, count }) => ({ period, measure, limit, count }));
    expect({ round, range, found }).toEqual({ round, range, found: expected });
    for (const { period, measure } of expected) kinds.add(`${period} ${measure}`);
  }
  expect([...kinds].toSorted()).toEqual(['DAY BOOKINGS', 'DAY MINUTES', 'MONTH BOOKINGS', 'MONTH MINUTES', 'WEEK BOOKINGS', 'WEEK MINUTES']);
});
