import { Cleanup } from '../../testkit/cleanup.js';
import { requestStatements } from '../../testkit/statements.js';
import type { TestBooking } from '../../testkit/records.js';
import { at, type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
let guide: string;
let guideId: string;
let offers: [string, string];
let made: TestBooking[];

const LIST = `query ($filter: BookingFilter, $first: Int, $after: String, $orderBy: BookingOrder! = START_ASC) {
  bookings(filter: $filter, first: $first, after: $after, orderBy: $orderBy) {
    edges { cursor node { id start state offer { id title } customer { name } assignments { id guide { id displayName } } } } pageInfo { hasNextPage endCursor } } }`;

interface Page {
  bookings: { edges: { cursor: string; node: { id: string; start: string; assignments: { guide: { id: string } | null }[] } }[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
}

beforeAll(async () => {
  house = await openHouse(cleanup);
  staff = (await house.records.signedIn('STAFF')).token;
  guideId = await house.records.guide();
  guide = (await house.records.signedIn('GUIDE', { guideId })).token;
  const colleague = await house.records.guide();
  offers = [await house.records.offer(), await house.records.offer()];
  made = [];
  // Three begin at each hour, so that the order among equals matters; every fourth is led by the guide, some by both, one is cancelled.
  for (let index = 0; index < 24; index += 1) {
    made.push(
      await house.records.booking(offers[index % 2] as string, at(Math.floor(index / 3) * 2), {
        guideIds: index % 4 === 0 ? (index % 8 === 0 ? [guideId, colleague] : [guideId]) : [],
        cancelled: index === 5 ? { reason: 'x', origin: 'HOUSE', at: new Date() } : undefined,
      }),
    );
  }
});

async function page(variables: Record<string, unknown> = {}, token = staff): Promise<Page['bookings']> {
  const { data, errors } = await house.api.query<Page>(LIST, variables, token);
  expect(errors).toBeUndefined();
  return data.bookings;
}
const ids = ({ edges }: Page['bookings']): string[] => edges.map(({ node }) => node.id);

async function all(variables: Record<string, unknown>, token = staff): Promise<string[]> {
  const found: string[] = [];
  for (let after: string | null = null; ; ) {
    const next = await page({ ...variables, after }, token);
    found.push(...ids(next));
    if (!next.pageInfo.hasNextPage) return found;
    after = next.pageInfo.endCursor;
  }
}

const byStart = (descending = false): string[] => {
  const sorted = made.toSorted((a, b) => a.start.getTime() - b.start.getTime() || (a.id < b.id ? -1 : 1)).map(({ id }) => id);
  return descending ? sorted.toReversed() : sorted;
};

test('order is by start, equals by id, both ways, whatever the size of the pages', async () => {
  for (const first of [1, 5, 24, 200]) {
    expect(await all({ first })).toEqual(byStart());
    expect(await all({ first, orderBy: 'START_DESC' })).toEqual(byStart(true));
  }
  expect((await page({ first: 24 })).pageInfo.hasNextPage).toBe(false);
  expect((await page({ first: 23 })).pageInfo.hasNextPage).toBe(true);
  expect((await page({ filter: { guideId: newKey() } })).pageInfo).toEqual({ hasNextPage: false, endCursor: null });
});

test('a cursor stays good when bookings before it come and go', async () => {
  const first = await page({ first: 6 });
  const early = await house.records.booking(offers[0], at(-5));
  const second = await page({ first: 6, after: first.pageInfo.endCursor });
  await house.records.query('delete from booking where id = $1', [early.id]);
  expect(ids(second)).toEqual(byStart().slice(6, 12));
  // Every edge's cursor serves, not the last alone.
  expect(ids(await page({ first: 2, after: first.edges[2]?.cursor }))).toEqual(byStart().slice(3, 5));
});

describe('filters', () => {
  const expected = (fits: (booking: TestBooking, index: number) => boolean): string[] => {
    const fitting = new Set(made.filter(fits).map(({ id }) => id));
    return byStart().filter((id) => fitting.has(id));
  };
  test('by offer, state, guide and time, alone and together', async () => {
    expect(await all({ filter: { offerId: offers[1] } })).toEqual(expected((_, index) => index % 2 === 1));
    expect(await all({ filter: { state: 'CANCELLED' } })).toEqual([made[5]?.id]);
    expect(await all({ filter: { state: 'BOOKED' } })).toEqual(expected((_, index) => index !== 5));
    expect(await all({ filter: { guideId } })).toEqual(expected((_, index) => index % 4 === 0));
    const range = { start: at(2.5).toISOString(), end: at(6).toISOString() };
    // Those of hour 2 reach into it, those of hour 6 touch it.
    expect(await all({ filter: { range } })).toEqual(expected(({ start }) => [at(2).getTime(), at(4).getTime()].includes(start.getTime())));
    expect(await all({ filter: { range, guideId, offerId: offers[0], state: 'BOOKED' } })).toEqual(
      expected(({ start }, index) => [at(2).getTime(), at(4).getTime()].includes(start.getTime()) && index % 4 === 0),
    );
  });

  test('by ids that lead nowhere find nothing; a range that is none is refused', async () => {
    for (const id of [newKey(), 'no-uuid', '', 'a\u0000b']) {
      if (id === '') continue;
      expect(await all({ filter: { guideId: id } })).toEqual([]);
      expect(await all({ filter: { offerId: id } })).toEqual([]);
    }
    const { errors } = await house.api.query(LIST, { filter: { range: { start: at(1).toISOString(), end: at(0).toISOString() } } }, staff);
    expect(errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'INVALID_INPUT', field: 'filter.range.end', reason: 'END_BEFORE_START' }]);
  });
});

describe('a guide', () => {
  test('lists those he is assigned to, whatever he filters by, and sees his own assignment in each', async () => {
    const own = byStart().filter((id) => made.some((booking, index) => booking.id === id && index % 4 === 0));
    expect(await all({ first: 2 }, guide)).toEqual(own);
    expect(await all({ first: 2, orderBy: 'START_DESC' }, guide)).toEqual(own.toReversed());
    for (const { node } of (await page({}, guide)).edges) expect(node.assignments.map((assignment) => assignment.guide?.id)).toEqual([guideId]);
    const colleague = (await house.records.query<{ guide_id: string }>('select guide_id from guide_assignment where guide_id <> $1 limit 1', [guideId]))[0]?.guide_id;
    // He leads some of the same bookings; for this guide he does not exist.
    expect(await all({ filter: { guideId: colleague } }, guide)).toEqual([]);
    expect(await all({ filter: { guideId: guideId.toUpperCase() } }, guide)).toEqual(own);
  });

  test('finds no other booking by its id, by the same statements as one that does not exist', async () => {
    const BOOKING = 'query ($id: ID!) { booking(id: $id) { id } }';
    const costOf = async (id: string): Promise<string[]> =>
      (await requestStatements(async () => expect((await house.api.query(BOOKING, { id }, guide)).data).toEqual({ booking: null }))).map(({ text }) => text);
    const hidden = await costOf(made[1]?.id ?? '');
    expect(hidden).toHaveLength(1);
    expect(await costOf(newKey())).toEqual(hidden);
    expect((await house.api.query(BOOKING, { id: made[4]?.id }, guide)).data).toEqual({ booking: { id: made[4]?.id } });
  });
});

test('what is no cursor of this list and order is refused', async () => {
  const own = (await page({ first: 1 })).pageInfo.endCursor ?? '';
  const descending = (await page({ first: 1, orderBy: 'START_DESC' })).pageInfo.endCursor ?? '';
  const { data } = await house.api.query<{ guides: { pageInfo: { endCursor: string } }; offers: { pageInfo: { endCursor: string } } }>(
    '{ guides(first: 1) { pageInfo { endCursor } } offers(first: 1) { pageInfo { endCursor } } }',
    {},
    staff,
  );
  const forged = (values: unknown) => Buffer.from(JSON.stringify(values)).toString('base64url');
  const [tag] = JSON.parse(Buffer.from(own, 'base64url').toString()) as [string];
  const wrong = [
    descending,
    data.guides.pageInfo.endCursor,
    data.offers.pageInfo.endCursor,
    '',
    'abc',
    `${own}A`.slice(3),
    'x'.repeat(5_000),
    forged([tag]),
    forged([tag, 'not an instant', made[0]?.id]),
    forged([tag, at(0).toISOString(), "' or true --"]),
    forged([tag, at(0).toISOString(), made[0]?.id, 'more']),
    forged({ 0: tag }),
    forged([tag, 1, 2]),
  ];
  for (const after of wrong) {
    const { errors } = await house.api.query(LIST, { after }, staff);
    expect(errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'INVALID_INPUT', field: 'after', reason: 'MALFORMED' }]);
  }
  const inGuides = await house.api.query('query ($after: String) { guides(after: $after) { edges { cursor } } }', { after: own }, staff);
  expect(inGuides.errors?.[0]?.extensions).toEqual({ code: 'INVALID_INPUT', field: 'after', reason: 'MALFORMED' });
});

test.each([0, -1, 201, 2_147_483_647])('%i is no size of a page', async (first) => {
  for (const list of ['bookings', 'guides', 'offers']) {
    const { errors } = await house.api.query(`query ($first: Int) { ${list}(first: $first) { edges { cursor } } }`, { first }, staff);
    expect(errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'INVALID_INPUT', field: 'first', reason: 'OUT_OF_RANGE' }]);
  }
});

test('a page of bookings with offers, customers and guides takes the same statements for one and for many', async () => {
  const count = async (first: number): Promise<string[]> =>
    (await requestStatements(async () => expect(ids(await page({ first, filter: { guideId } }))).toHaveLength(first)))
      .map(({ text }) => text.replaceAll(/\$\d+(, \$\d+)*/g, '$…'))
      .toSorted();
  const forOne = await count(1);
  expect(await count(6)).toEqual(forOne);
  expect(forOne).toHaveLength(4);
});
