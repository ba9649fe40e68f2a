import fc from 'fast-check';
import { carve, type Entry, intersect, type Span, subtract, union } from '../../../instance-server/modules/availability/spans.js';

/** A second implementation: spans as the set of the minutes in them. */
const minutesIn = (spans: readonly Span[]): Set<number> => new Set(spans.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, index) => start + index)));
const sorted = (minutes: Iterable<number>): number[] => [...minutes].sort((one, other) => one - other);

/** Longest runs of a set of minutes: the one form in which sorted spans without overlaps and touching can say it. */
function runsOf(minutes: ReadonlySet<number>): Span[] {
  const all = sorted(minutes);
  return all
    .filter((minute) => !minutes.has(minute - 1))
    .map((start) => {
      let end = start + 1;
      while (minutes.has(end)) end += 1;
      return { start, end };
    });
}

const span = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 20 })).map(([start, length]) => ({ start, end: start + length }));
const spans = fc.array(span, { maxLength: 12 });
const disjoint = spans.map(union);

/** Sorted, none empty, none overlapping. */
function expectInOrder(found: readonly Span[]): void {
  for (const [index, { start, end }] of found.entries()) {
    expect(start).toBeLessThan(end);
    if (index > 0) expect((found[index - 1] as Span).end).toBeLessThanOrEqual(start);
  }
}

test('union, intersection and difference are those of the sets of minutes', () => {
  fc.assert(
    fc.property(spans, (given) => {
      expect(union(given)).toEqual(runsOf(minutesIn(given)));
    }),
    { numRuns: 1_000 },
  );
  fc.assert(
    fc.property(disjoint, disjoint, (ones, others) => {
      const [a, b] = [minutesIn(ones), minutesIn(others)];
      const both = intersect(ones, others);
      const rest = subtract(ones, others);
      expectInOrder(both);
      expectInOrder(rest);
      expect(sorted(minutesIn(both))).toEqual(sorted(a).filter((minute) => b.has(minute)));
      expect(sorted(minutesIn(rest))).toEqual(sorted(a).filter((minute) => !b.has(minute)));
    }),
    { numRuns: 2_000, examples: [[[{ start: 0, end: 10 }], [{ start: 10, end: 20 }]], [[{ start: 0, end: 10 }, { start: 10, end: 20 }], [{ start: 5, end: 15 }]]] },
  );
});

const setting = fc.record({ available: fc.boolean(), note: fc.constantFrom(null, 'by train') });
/** Entries as they come about: one setting after the other. */
const changes = fc.array(fc.tuple(disjoint, fc.option(setting)), { maxLength: 6 });

test('entries are what was set last for every minute, in as few pieces as that can be said', () => {
  fc.assert(
    fc.property(changes, (made) => {
      const model = new Map<number, { available: boolean; note: string | null }>();
      let entries: Entry[] = [];
      for (const [at, value] of made) {
        entries = carve(entries, at, value);
        for (const minute of minutesIn(at)) {
          if (value) model.set(minute, value);
          else model.delete(minute);
        }
        expectInOrder(entries);
        const said = entries.flatMap((entry) => sorted(minutesIn([entry])).map((minute) => [minute, { available: entry.available, note: entry.note }]));
        expect(said).toEqual([...model].sort(([one], [other]) => one - other));
        for (const [index, entry] of entries.entries()) {
          const before = entries[index - 1];
          if (before?.end === entry.start) expect([before.available, before.note]).not.toEqual([entry.available, entry.note]);
        }
      }
    }),
    { numRuns: 1_000 },
  );
});
