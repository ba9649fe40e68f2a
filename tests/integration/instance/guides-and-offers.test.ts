import { Cleanup } from '../../testkit/cleanup.js';
import { type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
beforeAll(async () => {
  house = await openHouse(cleanup, { currency: 'CHF' });
  staff = (await house.records.signedIn('STAFF')).token;
});

const ERRORS = '... on UserError { code } ... on InvalidInputError { field reason } ... on NotFoundError { field }';
const GUIDE = 'id displayName firstName lastName email phone languages active version globalId offers { id }';
const OFFER = 'id title description durationMinutes languages guideDemand price { amount currency } active version';
const DOCUMENTS = {
  createGuide: `mutation ($input: CreateGuideInput!) { createGuide(input: $input) { __typename ... on GuidePayload { guide { ${GUIDE} } } ${ERRORS} } }`,
  updateGuide: `mutation ($input: UpdateGuideInput!) { updateGuide(input: $input) { __typename ... on GuidePayload { guide { ${GUIDE} } } ${ERRORS} ... on StaleVersionError { currentVersion } } }`,
  createOffer: `mutation ($input: CreateOfferInput!) { createOffer(input: $input) { __typename ... on OfferPayload { offer { ${OFFER} } } ... on UserError { code } ... on InvalidInputError { field reason } } }`,
  updateOffer: `mutation ($input: UpdateOfferInput!) { updateOffer(input: $input) { __typename ... on OfferPayload { offer { ${OFFER} } } ${ERRORS} ... on StaleVersionError { currentVersion } } }`,
} as const;

type Result = { __typename: string; guide?: Record<string, unknown>; offer?: Record<string, unknown> } & Record<string, unknown>;

async function run(mutation: keyof typeof DOCUMENTS, input: Record<string, unknown>, token = staff): Promise<Result> {
  const answer = await house.api.query<Record<string, Result>>(DOCUMENTS[mutation], { input }, token);
  const result = answer.data?.[mutation];
  if (!result) throw new Error(answer.text);
  return result;
}

const invalid = (field: string, reason: string) => ({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field, reason });

test('a guide is made with languages and offers; a repetition makes no second one', async () => {
  const offers = [await house.records.offer({ title: 'B' }), await house.records.offer({ title: 'A' })];
  const input = { idempotencyKey: newKey(), firstName: ' Gerda ', lastName: 'Guide', email: 'GERDA@Example.org', phone: ' ', languages: ['de', 'en-gb', 'de'], offerIds: offers };
  const made = await run('createGuide', input);
  expect(made).toEqual({
    __typename: 'GuidePayload',
    guide: {
      id: expect.any(String),
      displayName: 'Gerda Guide',
      firstName: 'Gerda',
      lastName: 'Guide',
      email: 'gerda@example.org',
      phone: null,
      languages: ['de', 'en-GB'],
      active: true,
      version: 1,
      globalId: null,
      offers: offers.toReversed().map((id) => ({ id })),
    },
  });
  expect(await run('createGuide', input)).toEqual(made);
  expect(await house.records.query('select 1 from guide where last_name = $1', ['Guide'])).toHaveLength(1);
  expect(await run('createGuide', { ...input, idempotencyKey: newKey(), offerIds: [newKey()] })).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.offerIds' });
  expect(await run('createGuide', { ...input, idempotencyKey: newKey(), firstName: '' })).toEqual(invalid('input.firstName', 'REQUIRED'));
  expect(await run('createGuide', { ...input, idempotencyKey: newKey(), languages: ['no language'] })).toEqual(invalid('input.languages.0', 'MALFORMED'));
});

describe('a profile', () => {
  test('is changed by the guide himself, but for what the house decides, and by nobody else’s guide', async () => {
    const [guideId, other] = [await house.records.guide(), await house.records.guide()];
    const { token } = await house.records.signedIn('GUIDE', { guideId });
    const target = { guideId, expectedVersion: 1 };
    expect(await run('updateGuide', { ...target, offerIds: [] }, token)).toEqual(invalid('input.offerIds', 'CONFLICTING'));
    expect(await run('updateGuide', { ...target, active: false }, token)).toEqual(invalid('input.active', 'CONFLICTING'));
    expect(await run('updateGuide', { ...target, phone: '+41 1', languages: ['it'] }, token)).toMatchObject({ guide: { phone: '+41 1', languages: ['it'], version: 2, active: true } });
    expect(await run('updateGuide', { ...target, guideId: other, phone: '+41 1' }, token)).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.guideId' });
    expect(await run('updateGuide', { ...target, guideId: newKey(), phone: '+41 1' }, token)).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.guideId' });
    expect(await house.records.query('select phone, version from guide where id = $1', [other])).toEqual([{ phone: null, version: 1 }]);
  });

  test('a change by staff is logged without contact data; a stale one is refused', async () => {
    const guideId = await house.records.guide();
    const offer = await house.records.offer();
    expect(await run('updateGuide', { guideId, expectedVersion: 1, email: 'canary@example.org', phone: '0-canary', offerIds: [offer], active: false })).toMatchObject({
      guide: { email: 'canary@example.org', offers: [{ id: offer }], active: false, version: 2 },
    });
    expect(await run('updateGuide', { guideId, expectedVersion: 1, phone: '1' })).toEqual({ __typename: 'StaleVersionError', code: 'STALE_VERSION', currentVersion: 2 });
    // An empty text removes.
    expect(await run('updateGuide', { guideId, expectedVersion: 2, phone: '' })).toMatchObject({ guide: { phone: null, email: 'canary@example.org' } });
    const logged = await house.records.query<{ action: string; after: { changed: string[] } }>('select action, before, after from audit_entry where subject_id = $1 order by at', [guideId]);
    expect(logged.map(({ action, after }) => [action, after.changed.toSorted()])).toEqual([
      ['guide.changed', ['active', 'email', 'offers', 'phone']],
      ['guide.changed', ['phone']],
    ]);
    expect(JSON.stringify(logged)).not.toContain('canary');
  });
});

test('an offer is made in the instance’s currency, changed by version, and seen by guides too', async () => {
  const input = { idempotencyKey: newKey(), title: 'Night Tour', durationMinutes: 45, languages: ['fr'], guideDemand: 2, priceAmount: 12_050, description: 'At night' };
  const made = await run('createOffer', input);
  const offer = { id: expect.any(String), title: 'Night Tour', description: 'At night', durationMinutes: 45, languages: ['fr'], guideDemand: 2, price: { amount: 12_050, currency: 'CHF' }, active: true, version: 1 };
  expect(made).toEqual({ __typename: 'OfferPayload', offer });
  expect(await run('createOffer', input)).toEqual(made);
  const offerId = made.offer?.id;
  expect(await run('updateOffer', { offerId, expectedVersion: 1, title: 'Late Tour', priceAmount: 0, active: false })).toEqual({
    __typename: 'OfferPayload',
    offer: { ...offer, id: offerId, title: 'Late Tour', price: { amount: 0, currency: 'CHF' }, active: false, version: 2 },
  });
  expect(await run('updateOffer', { offerId, expectedVersion: 1, title: 'x' })).toEqual({ __typename: 'StaleVersionError', code: 'STALE_VERSION', currentVersion: 2 });
  expect(await run('updateOffer', { offerId: newKey(), expectedVersion: 1 })).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.offerId' });
  for (const [given, field, reason] of [
    [{ durationMinutes: 4 }, 'input.durationMinutes', 'OUT_OF_RANGE'],
    [{ durationMinutes: 10_081 }, 'input.durationMinutes', 'OUT_OF_RANGE'],
    [{ guideDemand: 51 }, 'input.guideDemand', 'OUT_OF_RANGE'],
    [{ priceAmount: -1 }, 'input.priceAmount', 'OUT_OF_RANGE'],
    [{ priceAmount: 2_000_000_001 }, 'input.priceAmount', 'OUT_OF_RANGE'],
    [{ title: '' }, 'input.title', 'REQUIRED'],
    [{ title: 't'.repeat(201) }, 'input.title', 'TOO_LONG'],
  ] as const) {
    expect(await run('createOffer', { ...input, idempotencyKey: newKey(), ...given })).toEqual(invalid(field, reason));
  }
  const { token } = await house.records.signedIn('GUIDE', { guideId: await house.records.guide() });
  expect((await house.api.query(`query ($id: ID!) { offer(id: $id) { title active } }`, { id: offerId }, token)).data).toEqual({ offer: { title: 'Late Tour', active: false } });
});

test('lists of guides go by last name, first name and id, filtered by language, offer and state', async () => {
  const own = await openHouse(cleanup, { code: 'listed' });
  const { token } = await own.records.signedIn('STAFF');
  const offerId = await own.records.offer();
  const add = (firstName: string, lastName: string, given = {}) => own.records.guide({ firstName, lastName, ...given });
  const ids = [
    await add('Zoe', 'Abel', { languages: ['de'] }),
    await add('Ada', 'Berg', { languages: ['de', 'fr'], offerIds: [offerId] }),
    await add('Bob', 'Berg', { languages: ['en'], active: false }),
    await add('Eve', 'Cole', { languages: ['fr'], offerIds: [offerId] }),
  ];
  const LIST = 'query ($filter: GuideFilter, $first: Int, $after: String) { guides(filter: $filter, first: $first, after: $after) { edges { cursor node { id } } pageInfo { hasNextPage endCursor } } }';
  const list = async (variables: Record<string, unknown>): Promise<string[]> => {
    const { data } = await own.api.query<{ guides: { edges: { node: { id: string } }[] } }>(LIST, variables, token);
    return data.guides.edges.map(({ node }) => node.id);
  };
  expect(await list({})).toEqual(ids);
  const { data } = await own.api.query<{ guides: { edges: { cursor: string }[] } }>(LIST, {}, token);
  for (let index = 0; index < ids.length; index += 1) expect(await list({ after: data.guides.edges[index]?.cursor, first: 2 })).toEqual(ids.slice(index + 1, index + 3));
  expect(await list({ filter: { language: 'fr' } })).toEqual([ids[1], ids[3]]);
  expect(await list({ filter: { offerId } })).toEqual([ids[1], ids[3]]);
  expect(await list({ filter: { active: false } })).toEqual([ids[2]]);
  expect(await list({ filter: { active: true, language: 'de', offerId } })).toEqual([ids[1]]);
  expect(await list({ filter: { offerId: 'no-uuid' } })).toEqual([]);
});
