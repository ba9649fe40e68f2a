import fc from 'fast-check';
import { formatStamp, isLater, isTooFarAhead, nextAfter, parseStamp } from '../../../instance-server/platform/stamps.js';

const NOW = new Date('2026-06-01T08:00:00.000Z');
const stamps = fc.record({ milliseconds: fc.integer({ min: 0, max: 7_258_118_400_000 }), counter: fc.integer({ min: 0, max: 99_999_999 }), code: fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/) });

test('a stamp is read as it was written', () => {
  fc.assert(fc.property(stamps, (stamp) => expect(parseStamp(formatStamp(stamp))).toEqual(stamp)));
});

test('texts compare as time, then counter, then code', () => {
  fc.assert(
    fc.property(stamps, stamps, (one, other) => {
      const byParts = one.milliseconds - other.milliseconds || one.counter - other.counter || Number(one.code > other.code) - Number(one.code < other.code);
      expect(isLater(formatStamp(one), formatStamp(other))).toBe(byParts > 0);
    }),
  );
});

test('the next stamp is later than the last, whatever the clock says', () => {
  fc.assert(
    fc.property(stamps, fc.date({ min: new Date(0), max: new Date('2199-12-31T00:00:00Z'), noInvalidDate: true }), (last, now) => {
      const next = nextAfter(formatStamp({ ...last, counter: Math.min(last.counter, 99_999_998) }), now, 'spree');
      expect(isLater(next, formatStamp({ ...last, counter: Math.min(last.counter, 99_999_998) }))).toBe(true);
    }),
  );
});

test.each([
  ['the first', '', '001780300800000-00000000-spree'],
  ['after an older one', '001780300799999-00000007-donau', '001780300800000-00000000-spree'],
  ['within the same millisecond', '001780300800000-00000007-donau', '001780300800000-00000008-spree'],
  ['after a clock that was ahead', '001780300859999-00000000-donau', '001780300859999-00000001-spree'],
])('%s', (_what, last, next) => {
  expect(nextAfter(last, NOW, 'spree')).toBe(next);
});

test('sixty seconds ahead is accepted, a millisecond more is not', () => {
  const at = (ahead: number): string => formatStamp({ milliseconds: NOW.getTime() + ahead, counter: 0, code: 'spree' });
  expect([at(60_000), at(60_001)].map((stamp) => isTooFarAhead(stamp, NOW))).toEqual([false, true]);
});

test.each(['', '1780300800000-0-spree', '001780300800000-00000000-', '001780300800000-00000000-Spree', '001780300800000-00000000-spree '])('%j is no stamp', (text) => {
  expect(parseStamp(text)).toBeUndefined();
});
