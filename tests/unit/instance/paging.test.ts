import fc from 'fast-check';
import { Refusal } from '../../../instance-server/platform/errors/user-error.js';
import { decodeCursor, encodeCursor, pageLimits, pageSize, toPage } from '../../../instance-server/platform/paging.js';

const MALFORMED = { code: 'INVALID_INPUT', field: 'after', reason: 'MALFORMED' };

function refusal(work: () => unknown): unknown {
  try {
    return { gave: work() };
  } catch (error) {
    return error instanceof Refusal ? error.outcome : error;
  }
}

const instant = fc.date({ min: new Date('1970-01-01'), max: new Date('2199-12-31'), noInvalidDate: true }).map((date) => date.toISOString());
/** The longest names a guide can have, of any script. */
const name = fc.string({ unit: 'grapheme', maxLength: 100 }).filter((text) => text.length <= 100 && !text.includes('\u0000'));

test('a cursor gives back what it was made of', () => {
  fc.assert(fc.property(instant, fc.uuid(), (at, id) => expect(decodeCursor('bookings', encodeCursor('bookings', [at, id]), ['instant', 'uuid'])).toEqual([at, id])));
  fc.assert(fc.property(name, name, fc.uuid(), (last, first, id) => expect(decodeCursor('guides', encodeCursor('guides', [last, first, id]), ['text', 'text', 'uuid'])).toEqual([last, first, id])));
});

test('another list’s cursor is refused, whatever is in it', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), instant, fc.uuid(), (list, other, at, id) => {
      fc.pre(list !== other);
      expect(refusal(() => decodeCursor(other, encodeCursor(list, [at, id]), ['instant', 'uuid']))).toMatchObject(MALFORMED);
    }),
  );
});

test('any other text is refused, and nothing else happens', () => {
  const forged = fc.json().map((text) => Buffer.from(text).toString('base64url'));
  fc.assert(fc.property(fc.oneof(fc.string(), fc.base64String(), forged), (text) => expect(refusal(() => decodeCursor('bookings', text, ['instant', 'uuid']))).toMatchObject(MALFORMED)));
});

test('a changed cursor is refused or names values of the right form, never anything else', () => {
  const cursor = encodeCursor('bookings', ['2027-06-01T12:00:00.000Z', '6f1c9f5e-0000-4000-8000-000000000000']);
  fc.assert(
    fc.property(fc.nat({ max: cursor.length - 1 }), fc.constantFrom(...'ABCXYZabcxyz019-_'), (position, character) => {
      const outcome = refusal(() => decodeCursor('bookings', cursor.slice(0, position) + character + cursor.slice(position + 1), ['instant', 'uuid']));
      const gave = (outcome as { gave?: string[] }).gave;
      if (!gave) return void expect(outcome).toMatchObject(MALFORMED);
      expect(Number.isNaN(Date.parse(gave[0] ?? ''))).toBe(false);
      expect(gave[1]).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i);
    }),
  );
});

test('whole numbers are taken as they are encoded and not otherwise', () => {
  for (const value of ['0', '7', '999999999']) expect(decodeCursor('ranking', encodeCursor('ranking', [value]), ['integer'])).toEqual([value]);
  for (const value of ['', '-1', '+1', '07', '1.5', '1e3', ' 1', '1000000000', '٣']) expect(refusal(() => decodeCursor('ranking', encodeCursor('ranking', [value]), ['integer']))).toMatchObject(MALFORMED);
});

test('no cursor is the beginning', () => {
  expect(decodeCursor('bookings', null, ['uuid'])).toBeUndefined();
  expect(decodeCursor('bookings', undefined, ['uuid'])).toBeUndefined();
});

test('the size of a page lies between 1 and 200, and is 50 unless given', () => {
  expect([pageSize(null), pageSize(undefined), pageSize(1), pageSize(200)]).toEqual([50, 50, 1, 200]);
  for (const wrong of [0, -1, 201, 1.5, Number.NaN]) expect(refusal(() => pageSize(wrong))).toMatchObject({ code: 'INVALID_INPUT', field: 'first', reason: 'OUT_OF_RANGE' });
});

test('a page holds what was asked for and knows whether more follows', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { maxLength: 20 }), fc.integer({ min: 1, max: 20 }), (rows, first) => {
      const page = toPage(rows.slice(0, first + 1), first, String);
      expect(page.edges).toEqual(rows.slice(0, first).map((node) => ({ node, cursor: String(node) })));
      expect(page.pageInfo).toEqual({ hasNextPage: rows.length > first, endCursor: rows.length === 0 ? null : String(rows[Math.min(first, rows.length) - 1]) });
    }),
  );
});

test('the most entries of a page are a setting, and the usual number never exceeds it', () => {
  expect([pageSize(null), pageSize(200)]).toEqual([50, 200]);
  expect(() => pageSize(201)).toThrow(Refusal);
  pageLimits.most = 20;
  try {
    expect([pageSize(null), pageSize(20)]).toEqual([20, 20]);
    expect(() => pageSize(21)).toThrow(Refusal);
  } finally {
    pageLimits.most = 200;
  }
});
