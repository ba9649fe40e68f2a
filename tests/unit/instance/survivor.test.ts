import fc from 'fast-check';
import { type GlobalIdentity, identityOf, mintGlobalId, survivor } from '../../../instance-server/modules/links/coupling.rules.js';

// Few moments and few ids, so that equals are frequent. An id is minted once: the same id has the same moment.
const identity: fc.Arbitrary<GlobalIdentity | undefined> = fc.option(
  fc.nat({ max: 8 }).map((id) => ({ globalId: `g_${id}`, mintedAt: new Date(id % 3) })),
  { nil: undefined },
);

test('both sides decide alike, in whatever order they learn of ids', () => {
  fc.assert(fc.property(identity, identity, (a, b) => expect(survivor(a, b)).toEqual(survivor(b, a))));
  fc.assert(fc.property(identity, identity, identity, (a, b, c) => expect(survivor(survivor(a, b), c)).toEqual(survivor(a, survivor(b, c)))));
  fc.assert(fc.property(identity, (a) => expect(survivor(a, a)).toEqual(a)));
});

test('the older id survives, of equally old ones the smaller; one alone survives', () => {
  fc.assert(
    fc.property(fc.array(identity, { minLength: 1, maxLength: 6 }), (all) => {
      const known = all.filter((one) => one !== undefined);
      const [expected] = known.toSorted((a, b) => a.mintedAt.getTime() - b.mintedAt.getTime() || (a.globalId < b.globalId ? -1 : 1));
      expect(all.reduce(survivor, undefined)).toEqual(expected);
    }),
  );
});

test('a global id is never the form of a local one, and needs its moment', () => {
  const coupling = '0b2b5ad6-4d8c-4a3f-9c52-6f5d6a1c2e10';
  expect(mintGlobalId(coupling, new Date(5))).toEqual({ globalId: `g_${coupling}`, mintedAt: new Date(5) });
  expect([identityOf(null, new Date(5)), identityOf('g_1', null)]).toEqual([undefined, undefined]);
  expect(identityOf('g_1', new Date(5))).toEqual({ globalId: 'g_1', mintedAt: new Date(5) });
});
