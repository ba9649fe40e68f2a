import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { Refusal } from '../../../instance-server/platform/errors/user-error.js';
import { checkRange, DateTimeScalar, instantOfLocal, knownTimeZone, LocalDateTimeScalar } from '../../../instance-server/platform/time.js';

const HOUR = 3_600_000;
const ZONES = ['Europe/Berlin', 'America/New_York', 'America/Sao_Paulo', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Asia/Kathmandu', 'Pacific/Apia', 'UTC'] as const;

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

/** A second implementation: every instant at which the zone's clocks show this time. */
function instantsShowing(local: number, timeZone: string): number[] {
  const offsets = new Set<number>();
  for (let hours = -26; hours <= 26; hours += 1) {
    const instant = local + hours * HOUR;
    offsets.add(shownAt(instant, timeZone) - instant);
  }
  return [...offsets]
    .map((offset) => local - offset)
    .filter((instant) => shownAt(instant, timeZone) === local)
    .toSorted((a, b) => a - b);
}

function outcomeOf(work: () => Date): unknown {
  try {
    return work().getTime();
  } catch (error) {
    if (error instanceof Refusal && 'reason' in error.outcome) return error.outcome.reason;
    throw error;
  }
}

/** Any minute, and the early hours of the months in which clocks change more often than the rest. */
const minute = fc.oneof(
  fc.date({ min: new Date('2000-01-01'), max: new Date('2037-12-31'), noInvalidDate: true }).map((date) => Math.floor(date.getTime() / 60_000) * 60_000),
  fc
    .tuple(fc.integer({ min: 2000, max: 2037 }), fc.constantFrom(2, 3, 9, 10), fc.integer({ min: 1, max: 31 }), fc.integer({ min: 0, max: 4 * 60 }))
    .map(([year, month, day, minutes]) => Date.UTC(year, month, day) + minutes * 60_000),
);

test('a local time is the instant at which clocks show it; none and two are told apart', () => {
  const seen = { one: 0, LOCAL_TIME_SKIPPED: 0, LOCAL_TIME_AMBIGUOUS: 0 };
  fc.assert(
    fc.property(minute, fc.constantFrom(...ZONES), (local, zone) => {
      const [first, second] = instantsShowing(local, zone);
      const expected = first === undefined ? 'LOCAL_TIME_SKIPPED' : second === undefined ? first : 'LOCAL_TIME_AMBIGUOUS';
      expect(outcomeOf(() => instantOfLocal(new Date(local).toISOString().slice(0, 16), zone, 'field'))).toBe(expected);
      seen[typeof expected === 'number' ? 'one' : expected] += 1;
    }),
    { numRuns: 1_500, examples: ZONES.map((zone) => [Date.UTC(2027, 2, 28, 2, 30), zone] as [number, typeof zone]) },
  );
  expect(seen.one).toBeGreaterThan(1_000);
});

test.each([
  ['Europe/Berlin', '2027-03-28T01:59', '2027-03-28T00:59:00.000Z'],
  ['Europe/Berlin', '2027-03-28T02:00', 'LOCAL_TIME_SKIPPED'],
  ['Europe/Berlin', '2027-03-28T02:59:59', 'LOCAL_TIME_SKIPPED'],
  ['Europe/Berlin', '2027-03-28T03:00', '2027-03-28T01:00:00.000Z'],
  ['Europe/Berlin', '2027-10-31T01:59', '2027-10-30T23:59:00.000Z'],
  ['Europe/Berlin', '2027-10-31T02:00', 'LOCAL_TIME_AMBIGUOUS'],
  ['Europe/Berlin', '2027-10-31T02:59:59', 'LOCAL_TIME_AMBIGUOUS'],
  ['Europe/Berlin', '2027-10-31T03:00', '2027-10-31T02:00:00.000Z'],
  ['Australia/Lord_Howe', '2027-10-03T02:15', 'LOCAL_TIME_SKIPPED'],
  ['Australia/Lord_Howe', '2027-10-03T02:30', '2027-10-02T15:30:00.000Z'],
  ['Pacific/Apia', '2011-12-30T12:00', 'LOCAL_TIME_SKIPPED'],
  ['Europe/Berlin', '2027-02-29T12:00', 'MALFORMED'],
  ['Europe/Berlin', '2027-04-31T12:00', 'MALFORMED'],
  ['Europe/Berlin', '2027-13-01T12:00', 'MALFORMED'],
  ['Europe/Berlin', '2027-01-01T24:00', 'MALFORMED'],
  ['Europe/Berlin', '2027-01-01T12:60', 'MALFORMED'],
])('%s %s is %s', (zone, local, expected) => {
  const outcome = outcomeOf(() => instantOfLocal(local, zone, 'field'));
  expect(typeof outcome === 'number' ? new Date(outcome).toISOString() : outcome).toBe(expected);
});

describe('DateTime', () => {
  const parse = (text: unknown): unknown => {
    try {
      return DateTimeScalar.parseValue(text).getTime();
    } catch {
      return 'refused';
    }
  };
  const digits = (length: number, max: number) => fc.nat({ max }).map((number) => String(number).padStart(length, '0'));
  const text = fc
    .tuple(digits(4, 2_300), digits(2, 13), digits(2, 32), digits(2, 25), digits(2, 60), digits(2, 60), fc.constantFrom('Z', '+02:00', '-05:30', '+14:00', '+25:00'))
    .map(([year, month, day, hour, minutes, seconds, offset]) => `${year}-${month}-${day}T${hour}:${minutes}:${seconds}${offset}`);

  test('takes what Temporal takes, leap seconds and other centuries aside', () => {
    const expectedOf = (given: string): unknown => {
      try {
        const { epochMilliseconds } = Temporal.Instant.from(given);
        const inside = epochMilliseconds >= 0 && epochMilliseconds < Date.UTC(2200, 0, 1);
        return inside && given.slice(17, 19) !== '60' ? epochMilliseconds : 'refused';
      } catch {
        return 'refused';
      }
    };
    fc.assert(fc.property(text, (given) => expect({ given, parsed: parse(given) }).toEqual({ given, parsed: expectedOf(given) })), {
      numRuns: 2_000,
      examples: [['2027-02-28T24:00:00Z'], ['2028-02-29T00:00:00Z'], ['2027-02-29T00:00:00Z'], ['1970-01-01T00:00:00Z'], ['2199-12-31T23:59:59Z']],
    });
  });

  test('gives UTC with milliseconds, and back', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('2199-12-31'), noInvalidDate: true }), (date) => {
        const shown = DateTimeScalar.serialize(date);
        expect(shown).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        expect(parse(shown)).toBe(date.getTime());
      }),
    );
  });

  test('refuses what is no text of that form', () => {
    for (const wrong of [null, 5, '', '2027-06-01', '2027-06-01T12:00', '2027-06-01 12:00Z', '2027-06-01T12:00z', ' 2027-06-01T12:00Z', '2027-06-01T12:00Z\n', '+002027-06-01T12:00Z', '2027-06-01T12:00:00.1234567890Z']) {
      expect({ wrong, parsed: parse(wrong) }).toEqual({ wrong, parsed: 'refused' });
    }
    expect(parse('2027-06-01T12:00Z')).toBe(Date.UTC(2027, 5, 1, 12));
  });
});

test('LocalDateTime has no offset', () => {
  expect(LocalDateTimeScalar.parseValue('2027-06-01T12:00')).toBe('2027-06-01T12:00');
  for (const wrong of ['2027-06-01T12:00Z', '2027-06-01T12:00+02:00', '2027-06-01', 5, null]) expect(() => LocalDateTimeScalar.parseValue(wrong)).toThrow('LocalDateTime wants');
});

test('a range is half-open, not empty, and a year of 366 days at most', () => {
  const start = new Date('2027-06-01T12:00:00Z');
  const of = (ms: number) => () => checkRange({ start, end: new Date(start.getTime() + ms) }, 'range').end;
  expect(outcomeOf(of(1))).toBe(start.getTime() + 1);
  expect(outcomeOf(of(366 * 24 * HOUR))).toBe(start.getTime() + 366 * 24 * HOUR);
  expect([outcomeOf(of(0)), outcomeOf(of(-1)), outcomeOf(of(366 * 24 * HOUR + 1))]).toEqual(['END_BEFORE_START', 'END_BEFORE_START', 'RANGE_TOO_LONG']);
});

test('a zone is one of the IANA names, in the form the runtime prefers', () => {
  expect(knownTimeZone('europe/berlin')).toBe('Europe/Berlin');
  for (const zone of ZONES) {
    const known = knownTimeZone(zone) ?? '';
    expect(knownTimeZone(known)).toBe(known);
    // An older name of the same zone is as good.
    expect(instantOfLocal('2027-06-01T12:00', known, 'field')).toEqual(instantOfLocal('2027-06-01T12:00', zone, 'field'));
  }
  for (const wrong of ['', 'Europe/Atlantis', '+02:00', 'UTC+2', 'Europe/Berlin ', '../etc/passwd', 'Europe/Berlin\u0000']) expect(knownTimeZone(wrong)).toBeUndefined();
});
