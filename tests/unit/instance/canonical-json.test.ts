import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { canonicalJson } from '../../../instance-server/platform/crypto.js';

/** As it comes from a request: no -0, no undefined. */
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown);

/** The same value with the members of every object in another order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, member]) => [key, reordered(member)] as const)
      .toReversed(),
  );
}

test('says the same as the value', () => {
  fc.assert(fc.property(json, (value) => expect(JSON.parse(canonicalJson(value))).toEqual(value)));
});

test('is the same whatever the order of members', () => {
  fc.assert(fc.property(json, (value) => expect(canonicalJson(reordered(value))).toBe(canonicalJson(value))));
});

test('differs where values differ', () => {
  fc.assert(fc.property(json, json, (one, other) => expect(canonicalJson(one) === canonicalJson(other)).toBe(isDeepStrictEqual(one, other))));
});

test('keeps the order of lists, tells null from missing, writes dates as JSON does', () => {
  expect(canonicalJson({ b: [2, 1], a: null, c: undefined, d: new Date(0) })).toBe('{"a":null,"b":[2,1],"d":"1970-01-01T00:00:00.000Z"}');
  expect(canonicalJson(undefined)).toBe('null');
});
