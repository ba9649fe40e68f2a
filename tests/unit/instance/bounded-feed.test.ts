import fc from 'fast-check';
import { BoundedFeed, resolved } from '../../../instance-server/platform/events/bounded-feed.js';

const OVERFLOW = -1;

function feedOf(limit: number): { feed: BoundedFeed<number>; ends: () => number } {
  let ends = 0;
  const feed = new BoundedFeed<number>(
    limit,
    () => OVERFLOW,
    () => {
      ends += 1;
    },
  );
  return { feed, ends: () => ends };
}

test('gives everything in order, or one mark in place of all that was waiting, and never holds more than its limit', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(fc.constantFrom('push', 'next'), { maxLength: 60 }), async (limit, steps) => {
      const { feed } = feedOf(limit);
      // What the contract says should wait, in plain steps.
      let waiting: number[] = [];
      let readers = 0;
      const expected: number[] = [];
      const results: Promise<IteratorResult<number>>[] = [];
      let number = 0;
      for (const step of steps) {
        if (step === 'push') {
          feed.push((number += 1));
          if (readers > 0) {
            readers -= 1;
            expected.push(number);
          } else if (waiting.length >= limit) waiting = [OVERFLOW];
          else waiting.push(number);
        } else if (readers === 0) {
          // One reader at a time, as `for await` reads.
          results.push(feed.next());
          const item = waiting.shift();
          if (item === undefined) readers += 1;
          else expected.push(item);
        }
      }
      await feed.return();
      const given = await Promise.all(results);
      expect(given.filter(({ done }) => !done).map(({ value }) => value as number)).toEqual(expected);
      expect(given.filter(({ done }) => done)).toHaveLength(readers);
    }),
  );
});

test('after the mark everything later follows', async () => {
  const { feed } = feedOf(2);
  for (const item of [1, 2, 3]) feed.push(item);
  expect((await feed.next()).value).toBe(OVERFLOW);
  feed.push(4);
  feed.push(5);
  expect([(await feed.next()).value, (await feed.next()).value]).toEqual([4, 5]);
});

test('ends once: a waiting reader is told, what waited is dropped, what comes later is not kept', async () => {
  const { feed, ends } = feedOf(2);
  const waiting = feed.next();
  await feed.return();
  await feed.return();
  expect(ends()).toBe(1);
  feed.push(1);
  expect(await waiting).toEqual({ value: undefined, done: true });
  expect(await feed.next()).toEqual({ value: undefined, done: true });

  const other = feedOf(2);
  other.feed.push(1);
  const read: number[] = [];
  for await (const item of other.feed) {
    read.push(item);
    break;
  }
  expect([read, other.ends()]).toEqual([[1], 1]);
});

test('what cannot be read is told as the word to start over, drops what waits with it, and ends nothing', async () => {
  let ends = 0;
  const feed = new BoundedFeed<() => Promise<number | undefined>>(
    4,
    () => () => Promise.resolve(OVERFLOW),
    () => void (ends += 1),
  );
  const read = resolved(feed, OVERFLOW);
  feed.push(() => Promise.resolve(1));
  feed.push(() => Promise.resolve(undefined));
  feed.push(() => Promise.reject(new Error('away')));
  feed.push(() => Promise.resolve(2));
  expect([(await read.next()).value, (await read.next()).value]).toEqual([1, OVERFLOW]);
  feed.push(() => Promise.resolve(3));
  expect(await read.next()).toEqual({ value: 3, done: false });
  await read.return?.();
  expect([await read.next(), ends]).toEqual([{ value: undefined, done: true }, 1]);
});
