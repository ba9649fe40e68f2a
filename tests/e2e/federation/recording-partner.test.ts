import { randomUUID } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';
import { client } from '../../testkit/client.js';
import { contentsOf, type Federation, RANGE, startFederation, until, wholeCalendar } from '../../testkit/federation.js';
import { FakePartner, type PartnerLink } from '../../testkit/federation-partner.js';
import { gatewayCredential, sign } from '../../testkit/keys.js';
import { wsClient } from '../../testkit/socket.js';
import { changeCoupling, couple, halfCouple } from './support/coupled-partner.js';
import { showEverywhere, type Try } from './support/replay.js';
import { tampered } from './support/viewers.js';

/* A partner that keeps everything it was ever sent and tries all of it on everybody. */

let federation: Federation;
let mallory: FakePartner;
let link: PartnerLink;
let coupling: string;
beforeAll(async () => {
  // Often enough for a comparison to come while it is coupled.
  federation = await startFederation({ instance: { SYNC_DIGEST_MS: '2000' } });
  mallory = await FakePartner.start('mallory');
  link = await mallory.linkWith(federation.alpha);
  await federation.register({ code: 'mallory', endpoint: mallory.url });
  coupling = await couple(federation, mallory, link, 'gwen');
});
afterAll(async () => {
  await mallory?.close();
  await federation?.close();
});

const ENTRY = 'id start end origin offerTitle instance { code name url } details { bookingId customer { name email phone } partySize language notes }';
const CALENDAR = `query ($range: TimeRangeInput!) { me { guide { calendar(range: $range) { ${ENTRY} } } } }`;

const bearerOf = (header: string | undefined): string => (header ?? '').replace('Bearer ', '');

/** What must not change: everything but sessions and the marks of used tokens. */
const contents = (): Promise<string[]> => contentsOf(federation.houses, ['booking', 'customer', 'guide', 'guide_assignment', 'offer', 'coupling', 'link', 'link_key', 'account', 'account_role', 'invitation', 'settings']);

/** Refused over HTTP before anything was looked at, or closed with the code for refused tokens. */
const isRefused = ({ what, outcome }: Try): boolean => (what.includes('WebSocket') ? outcome === '4403' : outcome === '401');

test('it is sent a grant, a credential of the gateway and the profile of the guide it is coupled with, and not a word more', async () => {
  const { alpha, beta, gateway, canaries } = federation;
  const token = await alpha.guideToken('gwen');
  const documents: [string, Record<string, unknown>][] = [
    [CALENDAR, { range: RANGE }],
    // Other arguments and variables of the same operation are nobody's business there.
    [
      `query ($range: TimeRangeInput!, $guide: ID!, $offer: ID) { guide(id: $guide) { email phone calendar(range: $range) { offerTitle } } bookings(filter: { offerId: $offer }) { edges { node { notes customer { name } } } } }`,
      { range: RANGE, guide: alpha.guide('gwen').id, offer: alpha.offers[0]?.id },
    ],
  ];
  for (const [document, variables] of documents) {
    const { status, errors } = await client(gateway.url).query(document, variables, token);
    expect({ status, errors }).toEqual({ status: 200, errors: undefined });
  }
  const socket = wsClient(gateway.url, () => token);
  const changes = socket.subscribe<{ calendarChanged: { kind: string } }>('subscription ($id: ID!) { calendarChanged(guideId: $id) { kind } }', { id: alpha.guide('gwen').id });
  await socket.connections.waitFor();
  changes.unsubscribe();
  await socket.dispose();

  await until(() => mallory.received.some(({ path }) => path === '/partner/v1/sync/deliver'), 'the guide’s bookings and profile were delivered');
  await until(() => mallory.received.some(({ path }) => path === '/partner/v1/sync/digest'), 'they were compared');
  const all = JSON.stringify(mallory.received);
  expect(canaries.in(all).map(({ house, field }) => [house, field])).toEqual([['alpha', 'first offer title'], ['alpha', 'gwen first name'], ['alpha', 'gwen last name'], ['alpha', 'gwen profile email'], ['alpha', 'gwen phone']]);
  for (const secret of [alpha.guide('gwen').id, alpha.guide('gwen').account.id, alpha.guide('gwen').account.email, alpha.offers[0]?.id ?? '', beta.guide('gwen').id, token]) expect(all).not.toContain(secret);
  const asked = mallory.received.filter(({ path }) => path === '/federation');
  expect(asked.length).toBe(2);
  for (const { headers, body } of asked) {
    expect(Object.keys(headers).sort()).toEqual(['accept', 'authorization', 'connection', 'content-length', 'content-type', 'host', 'x-lotse-gateway', 'x-request-id']);
    const { variables } = JSON.parse(body) as { variables: Record<string, unknown> };
    expect(Object.values(variables)).toEqual([[{ __typename: 'Guide', id: alpha.guide('gwen').globalId }], RANGE]);
    expect(jsonwebtoken.decode(bearerOf(headers.authorization))).toEqual({
      iss: 'alpha', aud: 'mallory', sub: alpha.guide('gwen').globalId, link: link.id, coupling, scope: 'linked:read', iat: expect.any(Number), exp: expect.any(Number),
    });
    expect(jsonwebtoken.decode(String(headers['x-lotse-gateway']))).toEqual({ iss: 'gateway', aud: 'mallory', iat: expect.any(Number), exp: expect.any(Number) });
  }
  expect([...new Set(mallory.received.map(({ path }) => path))].sort()).toEqual(['/federation', '/partner/v1/couplings/confirm', '/partner/v1/couplings/request', '/partner/v1/sync/deliver', '/partner/v1/sync/digest', '/partner/v1/sync/heartbeat']);
});

test('nothing it was sent opens anything, anywhere, as anything', async () => {
  const { alpha, houses } = federation;
  const before = await contents();
  const asked = mallory.received.findLast(({ path }) => path === '/federation');
  const [grant, credential] = [bearerOf(asked?.headers.authorization), String(asked?.headers['x-lotse-gateway'])];
  const recordedCalls = mallory.received.filter(({ path }) => path !== '/federation').map(({ path, body, headers }) => ({ path, body, token: bearerOf(headers.authorization) }));
  const calls = [...new Map(recordedCalls.map((call) => [call.path, call])).values()];
  expect(calls.map(({ path }) => path).sort()).toEqual(['/partner/v1/couplings/confirm', '/partner/v1/couplings/request', '/partner/v1/sync/deliver', '/partner/v1/sync/digest', '/partner/v1/sync/heartbeat']);
  const guides = [alpha.guide('gwen').globalId ?? '', alpha.guide('greta').globalId ?? ''];

  const recorded: [string, string, (typeof calls)[number]?][] = [['grant', grant], ['credential', credential], ...calls.map((call): [string, string, typeof call] => [`call of ${call.path}`, call.token, call])];
  const staff = { sub: alpha.staff.id, sid: randomUUID(), role: 'ADMINISTRATOR' };
  const changed = recorded.flatMap(([name, token]): [string, string][] => [
    [`${name} for alpha`, tampered(token, { aud: 'alpha' })],
    [`${name} from beta`, tampered(token, { iss: 'beta', aud: 'alpha' })],
    [`${name} as an access token`, tampered(token, { iss: 'alpha', aud: 'alpha', ...staff }, { typ: 'lotse-access+jwt' })],
    [`${name} as the operator’s`, tampered(token, { iss: 'operator', aud: 'alpha' }, { typ: 'lotse-operator+jwt' })],
    [`${name} as a credential for alpha`, tampered(token, { iss: 'gateway', aud: 'alpha' }, { typ: 'lotse-gateway+jwt' })],
    [`${name} for another guide`, tampered(token, { aud: 'beta', sub: guides[1] })],
    [`${name} for ever`, tampered(token, { exp: 4_102_444_800 })],
  ]);
  const opened: string[] = [];
  let count = 0;
  for (const [name, token, call] of [...recorded, ...changed.map(([changedName, changedToken]): [string, string] => [changedName, changedToken])]) {
    const tries = await showEverywhere(federation, token, { credentials: name === 'grant' ? [credential] : [credential, grant], guides, call });
    count += tries.length;
    opened.push(...tries.filter((one) => !isRefused(one)).map(({ what, outcome, text }) => `${name} at ${what}: ${outcome} ${text.slice(0, 200)}`));
    for (const { text } of tries) expect(federation.canaries.in(text)).toEqual([]);
  }
  expect(opened).toEqual([]);
  expect(count).toBeGreaterThan(2_000);
  // With a true credential of the gateway beside it, as if that were an accomplice, the grant is still for nobody here.
  for (const house of houses) {
    const tries = await showEverywhere({ ...federation, houses: [house] }, grant, { credentials: [gatewayCredential(house.code)], guides });
    const inside = tries.filter((one) => !isRefused(one)).map(({ what, outcome }) => `${what}: ${outcome}`);
    // The credential itself is good; it opens the endpoint, and nothing is there without a viewer.
    expect(inside).toEqual([`${house.code} /federation without a viewer, credential 2: 200`, `${house.code} /federation by WebSocket, credential 2: acknowledged`]);
  }
  expect(await contents()).toEqual(before);
});

describe('with its own keys', () => {
  const redacted = `query ($ids: [_Any!]!, $range: TimeRangeInput!) { _entities(representations: $ids) { ... on Guide { calendar(range: $range) { id start end offerTitle } } } }`;
  const grantFor = (claims: Record<string, unknown>, life = 60): string =>
    sign({ typ: 'lotse-grant+jwt', key: link.key, life, claims: { iss: 'mallory', aud: 'alpha', sub: federation.alpha.guide('gwen').globalId, link: link.id, coupling, scope: 'linked:read', ...claims } });
  const ask = (token: string, code = 'alpha', credential: string | undefined = gatewayCredential(code)) => {
    const house = federation.houses.find((one) => one.code === code);
    const ids = ['gwen', 'greta', 'solo'].flatMap((name) => { const { id, globalId } = federation.alpha.guide(name); return [id, globalId]; }).filter((id) => id !== null).map((id) => ({ __typename: 'Guide', id }));
    return client(house?.url ?? '', { path: '/federation', headers: credential === undefined ? {} : { 'x-lotse-gateway': credential } }).query<{ _entities: ({ calendar: unknown } | null)[] }>(redacted, { ids, range: RANGE }, token);
  };

  test('it sees, through the gateway, what the coupling gives it: one guide’s redacted entries', async () => {
    const { alpha } = federation;
    const { data } = await ask(grantFor({}));
    const entries = alpha.guide('gwen').bookings.map((booking) => alpha.foreignEntry(booking)).map(({ id, start, end, offerTitle }) => ({ id, start, end, offerTitle }));
    expect(data._entities.filter((entity) => entity !== null)).toEqual([{ calendar: entries }]);
  });

  test('it cannot write itself another grant', async () => {
    const { alpha, couplings } = federation;
    const [{ id: foreignLink } = { id: '' }] = await alpha.records.query<{ id: string }>(`select id from link where partner_code = 'beta'`);
    const greta = alpha.guide('greta').globalId;
    const grants: [string, string, string?][] = [
      ['for Greta with Gwen’s coupling', grantFor({ sub: greta })],
      ['for Greta with hers of beta', grantFor({ sub: greta, coupling: couplings['greta alpha-beta'] })],
      ['over the link of beta', grantFor({ sub: greta, coupling: couplings['greta alpha-beta'], link: foreignLink })],
      ['in the name of beta', grantFor({ iss: 'beta', sub: greta, coupling: couplings['greta alpha-beta'], link: foreignLink })],
      ['by the local id', grantFor({ sub: alpha.guide('gwen').id })],
      ['for another scope', grantFor({ scope: 'linked:write' })],
      ['for more scopes', grantFor({ scope: 'linked:read admin' })],
      ['without a coupling', grantFor({ coupling: undefined })],
      ['with nobody’s coupling', grantFor({ coupling: randomUUID() })],
      ['for an hour', grantFor({}, 3_600)],
      ['that has ended', grantFor({ iat: 1, exp: 61 })],
      ['for beta', grantFor({ aud: 'beta' }), 'beta'],
      ['for beta about Gwen of both', grantFor({ aud: 'beta', coupling: couplings['gwen alpha-beta'] }), 'beta'],
      ['for gamma', grantFor({ aud: 'gamma' }), 'gamma'],
      ['for delta', grantFor({ aud: 'delta' }), 'delta'],
      ['as an access token', sign({ typ: 'lotse-access+jwt', key: link.key, claims: { iss: 'alpha', aud: 'alpha', sub: alpha.staff.id, sid: randomUUID(), role: 'STAFF' } })],
    ];
    for (const [name, token, code] of grants) {
      const { status, data, errors, text } = await ask(token, code);
      expect({ name, status, data, code: errors?.[0]?.extensions.code }).toEqual({ name, status: 401, data: undefined, code: 'UNAUTHENTICATED' });
      expect(federation.canaries.in(text)).toEqual([]);
    }
    const recorded = String(mallory.received.find(({ path }) => path === '/federation')?.headers['x-lotse-gateway']);
    for (const credential of [undefined, recorded, grantFor({}), sign({ typ: 'lotse-gateway+jwt', key: link.key, claims: { iss: 'gateway', aud: 'alpha' } })]) {
      expect((await ask(grantFor({}), 'alpha', credential ?? '')).status).toBe(401);
    }
  });

  test('it cannot speak about couplings of others, repeat itself, or be somebody else', async () => {
    const { alpha, beta, couplings } = federation;
    const before = await contents();
    const end = (couplingId: string | undefined) => mallory.call(link, 'couplings/end', { couplingId });
    for (const id of [couplings['greta alpha-beta'], couplings['greta beta-gamma'], randomUUID()]) expect(await end(id)).toEqual({ status: 404, body: { code: 'NOT_FOUND' } });
    const confirm = { couplingId: couplings['greta alpha-gamma'], globalId: `g_${randomUUID()}`, globalIdMintedAt: '2020-01-01T00:00:00.000Z', coupledWith: [] };
    expect(await mallory.call(link, 'couplings/confirm', confirm)).toEqual({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await mallory.call(link, 'couplings/request', { couplingId: couplings['greta alpha-beta'], name: 'X', coupledWith: [] })).toEqual({ status: 404, body: { code: 'NOT_FOUND' } });
    const refused = { status: 401, body: { code: 'UNAUTHENTICATED' } };
    const wrong: Record<string, unknown>[] = [{ path: '/partner/v1/link/end' }, { body: 'x' }, { link: randomUUID() }, { iss: 'beta' }, { iss: 'nobody' }, { aud: 'beta' }, { jti: undefined }, { exp: 4_102_444_800 }, { exp: 1 }];
    for (const claims of wrong) expect({ claims, answer: await mallory.call(link, 'couplings/end', { couplingId: coupling }, claims) }).toEqual({ claims, answer: refused });
    expect(await mallory.call({ ...link, house: beta }, 'couplings/end', { couplingId: coupling })).toEqual(refused);
    for (const [action, input] of [['couplings/end', { couplingId: coupling, more: 1 }], ['couplings/end', { couplingId: "'; drop table guide" }], ['couplings/accept', { couplingId: coupling, coupledWith: 'alpha' }]] as const) {
      expect(await mallory.call(link, action, input)).toEqual({ status: 400, body: { code: 'MALFORMED' } });
    }
    expect(await mallory.call(link, 'links/end', {})).toEqual({ status: 404, body: { code: 'UNKNOWN_ACTION' } });
    expect(await contents()).toEqual(before);

    const jti = randomUUID();
    expect((await mallory.call(link, 'link/resume', {}, { jti })).status).toBe(200);
    expect(await mallory.call(link, 'link/resume', {}, { jti })).toEqual({ status: 409, body: { code: 'REPLAYED' } });
    expect((await alpha.operator.links()).map(({ partnerCode, state, suspendedThere }) => [partnerCode, state, suspendedThere]).sort()).toEqual([['beta', 'ACTIVE', false], ['gamma', 'ACTIVE', false], ['mallory', 'ACTIVE', false]]);
  });

  test('it cannot take a guide’s identity for another one, nor break the couplings he has', async () => {
    const { alpha, beta, gamma, gateway } = federation;
    const whole = async (): Promise<unknown> => (await client(gateway.url).query<{ me: { guide: { calendar: unknown } } }>(CALENDAR, { range: RANGE }, await alpha.guideToken('greta'))).data.me.guide.calendar;
    const early = '2001-01-01T00:00:00.000Z';
    const stolen = await halfCouple(federation, mallory, link, alpha, 'solo');
    const greta = alpha.guide('greta').globalId;
    expect(await mallory.call(link, 'couplings/confirm', { couplingId: stolen, globalId: greta, globalIdMintedAt: early, coupledWith: [] })).toEqual({ status: 409, body: { code: 'GLOBAL_ID_TAKEN' } });
    const invented = await halfCouple(federation, mallory, link, alpha, 'greta');
    await mallory.call(link, 'couplings/confirm', { couplingId: invented, globalId: `g_${randomUUID()}`, globalIdMintedAt: early, coupledWith: [] });
    expect(await whole()).toEqual(wholeCalendar('greta', alpha, [beta, gamma]));
    const found = await client(gateway.url).query('query ($id: ID!) { guide(id: $id) { id } }', { id: greta }, await alpha.staffToken());
    expect(found.data).toEqual({ guide: { id: alpha.guide('greta').id } });
  });

  test('it cannot keep a guide in a coupling by not hearing that he leaves', async () => {
    const { alpha } = federation;
    expect((await ask(grantFor({}))).status).toBe(200);
    await mallory.close();
    const ended = await changeCoupling(federation, 'endCoupling', 'CouplingInput', { couplingId: coupling }, await alpha.guideToken('gwen'));
    expect(ended.coupling).toEqual({ id: coupling, state: 'ENDED' });
    expect((await ask(grantFor({}))).status).toBe(401);
  });
});
