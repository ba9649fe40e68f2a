import { randomUUID } from 'node:crypto';
import { type Answer, client } from '../../testkit/client.js';
import { at, type CalendarEntry, type Federation, RANGE, startFederation, until, wholeCalendar } from '../../testkit/federation.js';
import { PASSWORD } from '../../testkit/records.js';

let federation: Federation;
/** What Greta was called at alpha before two couplings became one person. */
const FORMER_ID = `g_${randomUUID()}`;
beforeAll(async () => {
  federation = await startFederation();
  const { records } = federation.alpha;
  await records.query('insert into guide_alias (global_id, guide_id) values ($1, $2)', [FORMER_ID, federation.alpha.guide('greta').id]);
});
afterAll(() => federation?.close());

const ENTRY = 'id start end origin offerTitle instance { code name url } details { bookingId customer { name email phone } partySize language notes }';
const CALENDAR = `query ($range: TimeRangeInput!) { me { guide { calendar(range: $range) { ${ENTRY} } } } }`;

const ask = <Data = Record<string, unknown>>(document: string, variables: Record<string, unknown>, token?: string): Promise<Answer<Data>> =>
  client(federation.gateway.url).query<Data>(document, variables, token);

async function calendarOf(token: string): Promise<{ entries: CalendarEntry[]; errors: Answer['errors'] }> {
  const { data, errors } = await ask<{ me: { guide: { calendar: CalendarEntry[] } } }>(CALENDAR, { range: RANGE }, token);
  return { entries: data.me.guide.calendar, errors };
}

/** What Greta sees at alpha. */
const greta = (): CalendarEntry[] => wholeCalendar('greta', federation.alpha, [federation.beta, federation.gamma]);

describe('the calendar of a guide who is coupled in three houses is complete and redacted', () => {
  test.each(['alpha', 'beta', 'gamma'] as const)('for Greta of %s', async (home) => {
    const { alpha, beta, gamma } = federation;
    const others = [alpha, beta, gamma].filter(({ code }) => code !== home);
    const answer = await calendarOf(await federation[home].guideToken('greta'));
    expect(answer).toEqual({ entries: wholeCalendar('greta', federation[home], others), errors: undefined });
  });

  const pick = (keys: Record<string, (entry: CalendarEntry) => unknown>) => () =>
    greta().map((entry) => Object.fromEntries(Object.entries(keys).map(([key, read]) => [key, read(entry)])));
  const guide = (calendar: () => unknown) => () => ({ guide: { calendar: calendar() } });
  const title = pick({ offerTitle: ({ offerTitle }) => offerTitle });
  const morning = { start: at(8).toISOString(), end: at(11).toISOString() };
  const noon = { start: at(11).toISOString(), end: at(13).toISOString() };
  const isIn = (range: typeof noon) => ({ start, end }: CalendarEntry) => start < range.end && end > range.start;

  const selections: [string, string, () => unknown][] = [
    ['the title alone', 'guide(id: $id) { calendar(range: $range) { offerTitle } }', guide(title)],
    ['the start under another name', 'guide(id: $id) { calendar(range: $range) { begins: start } }', guide(pick({ begins: ({ start }) => start }))],
    ['names that lead astray', 'guide(id: $id) { calendar(range: $range) { id: offerTitle start: end origin: id } }', guide(pick({ id: ({ offerTitle }) => offerTitle, start: ({ end }) => end, origin: ({ id }) => id }))],
    ['the type’s name alone', 'guide(id: $id) { calendar(range: $range) { __typename } }', guide(pick({ __typename: () => 'CalendarEntry' }))],
    ['details alone', 'guide(id: $id) { calendar(range: $range) { details { notes } } }', guide(pick({ details: ({ details }) => details && { notes: details.notes } }))],
    [
      'twice, with other ranges',
      'guide(id: $id) { morning: calendar(range: $morning) { id } noon: calendar(range: $noon) { offerTitle start } }',
      () => ({ guide: { morning: greta().filter(isIn(morning)).map(({ id }) => ({ id })), noon: greta().filter(isIn(noon)).map(({ offerTitle, start }) => ({ offerTitle, start })) } }),
    ],
    ['in a named fragment', 'guide(id: $id) { ...Times }', guide(pick({ start: ({ start }) => start, instance: ({ instance }) => ({ code: instance.code }) }))],
    ['in inline fragments', 'guide(id: $id) { ... on Guide { ... { calendar(range: $range) { ... on CalendarEntry { origin } } } } }', guide(pick({ origin: ({ origin }) => origin }))],
    ['without what is skipped', 'guide(id: $id) { calendar(range: $range) { offerTitle start @skip(if: $yes) end @include(if: $no) } }', guide(title)],
    ['with what is included', 'guide(id: $id) { calendar(range: $range) @include(if: $yes) { offerTitle @skip(if: $no) } }', guide(title)],
    ['skipped altogether', 'guide(id: $id) { id calendar(range: $range) @skip(if: $yes) { offerTitle } }', () => ({ guide: { id: federation.alpha.guide('greta').id } })],
    ['by the global id', 'guide(id: $global) { calendar(range: $range) { offerTitle } }', guide(title)],
    ['by a global id that she had before', 'guide(id: $former) { id globalId calendar(range: $range) { offerTitle } }', () => ({ guide: { id: federation.alpha.guide('greta').id, globalId: federation.alpha.guide('greta').globalId, calendar: title() } })],
    ['through two roads at once', 'guide(id: $id) { calendar(range: $range) { offerTitle } } me { guide { calendar(range: $noon) { id } } }', () => ({ guide: { calendar: title() }, me: { guide: { calendar: greta().filter(isIn(noon)).map(({ id }) => ({ id })) } } })],
    [
      'through her bookings',
      'bookings(first: 1) { edges { node { assignments { guide { calendar(range: $range) { offerTitle } } } } } }',
      () => ({ bookings: { edges: [{ node: { assignments: [{ guide: { calendar: title() } }] } }] } }),
    ],
  ];
  test.each(selections)('%s', async (_name, selection, expected) => {
    const { id, globalId } = federation.alpha.guide('greta');
    const spread = selection.includes('...Times') ? 'fragment Times on Guide { calendar(range: $range) { start instance { code } } }' : '';
    const declared: [string, string, unknown][] = [['id', 'ID!', id], ['global', 'ID!', globalId], ['former', 'ID!', FORMER_ID], ['range', 'TimeRangeInput!', RANGE], ['morning', 'TimeRangeInput!', morning], ['noon', 'TimeRangeInput!', noon], ['yes', 'Boolean!', true], ['no', 'Boolean!', false]];
    const used = declared.filter(([name]) => new RegExp(`\\$${name}\\b`).test(selection + spread));
    const head = used.map(([name, type]) => `$${name}: ${type}`).join(', ');
    const variables = Object.fromEntries(used.map(([name, , value]) => [name, value]));
    const { data, errors } = await ask(`query (${head}) { ${selection} } ${spread}`, variables, await federation.alpha.guideToken('greta'));
    expect({ data, errors }).toEqual({ data: expected(), errors: undefined });
  });

  test('not in the answer of the log-in itself, which says so: it is asked for with the token that the log-in gives', async () => {
    const { alpha } = federation;
    const document = `mutation ($input: LoginInput!, $range: TimeRangeInput!) { login(input: $input) { ... on LoginPayload { viewer { role guide { calendar(range: $range) { ${ENTRY} } } } } } }`;
    const { data, errors } = await ask(document, { input: { instance: 'alpha', email: alpha.guide('greta').account.email, password: PASSWORD }, range: RANGE });
    const reasons = errors?.map(({ path, extensions }) => ({ path, extensions }));
    expect({ data, reasons }).toEqual({
      data: { login: { viewer: { role: 'GUIDE', guide: null } } },
      reasons: [{ path: ['login', 'viewer', 'guide'], extensions: { code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' } }],
    });
  });
});

test('a page of guides gives staff the entries of their own house alone, sorted', async () => {
  const { alpha } = federation;
  const { data, errors } = await ask(`query ($range: TimeRangeInput!) { guides { edges { node { id calendar(range: $range) { ${ENTRY} } } } } }`, { range: RANGE }, await alpha.staffToken());
  const guides = [...alpha.guides.keys()].map((name) => alpha.guide(name)).sort((one, other) => (one.lastName < other.lastName ? -1 : 1));
  const expected = guides.map(({ id, bookings }) => ({ node: { id, calendar: bookings.map((booking) => alpha.localEntry(booking)) } }));
  expect({ data, errors }).toEqual({ data: { guides: { edges: expected } }, errors: undefined });
});

test('changes and questions go to the viewer’s home, and nowhere else', async () => {
  const { alpha, beta, gamma, delta } = federation;
  const all = [alpha, beta, gamma, delta];
  const count = async (): Promise<number[]> => Promise.all(all.map(async ({ records }) => Number((await records.query<{ count: string }>('select count(*) from booking'))[0]?.count)));
  const before = await count();
  for (const house of all) {
    const input = { idempotencyKey: randomUUID(), offerId: house.offers[0]?.id, customer: { name: 'Somebody' }, time: { start: at(1).toISOString() } };
    const { data } = await ask(`mutation ($input: CreateBookingInput!) { createBooking(input: $input) { __typename } }`, { input }, await house.staffToken());
    expect(data).toEqual({ createBooking: { __typename: 'BookingPayload' } });
    const asked = await ask('{ me { instance { code } } instanceSettings { code } offers { edges { node { title } } } }', {}, await house.staffToken());
    const titles = house.offers.map(({ title }) => title).sort();
    expect(asked.data).toEqual({ me: { instance: { code: house.code } }, instanceSettings: { code: house.code }, offers: { edges: titles.map((title) => ({ node: { title } })) } });
  }
  expect(await count()).toEqual(before.map((bookings) => bookings + 1));
});

test('over a suspended link nobody is asked: what the other house holds is a copy within a second, on both sides, and live again when it is resumed', async () => {
  const { alpha, beta, gamma } = federation;
  const tokens = [await alpha.guideToken('greta'), await beta.guideToken('greta')] as const;
  const AGED = CALENDAR.replace('details', 'replicaAge details');
  const sees = async (token: string, expected: CalendarEntry[], copyOf: string | undefined): Promise<boolean> => {
    const { data, errors } = await ask<{ me: { guide: { calendar: (CalendarEntry & { replicaAge: number | null })[] } } }>(AGED, { range: RANGE }, token);
    const isMarked = data.me.guide.calendar.every(({ instance, replicaAge }) => (replicaAge !== null) === (instance.code === copyOf));
    const entries = JSON.stringify(data.me.guide.calendar, (key, value: unknown) => (key === 'replicaAge' ? undefined : value));
    return errors === undefined && isMarked && entries === JSON.stringify(expected);
  };
  const atAlpha = (copyOf?: string) => () => sees(tokens[0], wholeCalendar('greta', alpha, [beta, gamma]), copyOf);
  const atBeta = (copyOf?: string) => () => sees(tokens[1], wholeCalendar('greta', beta, [alpha, gamma]), copyOf);
  for (const [suspending, partner] of [[alpha, 'beta'], [beta, 'alpha']] as const) {
    await suspending.operator.changeLink(partner, 'suspend');
    await Promise.all([until(atAlpha('beta'), 'alpha shows its copy of beta', 1_000), until(atBeta('alpha'), 'beta shows its copy of alpha', 1_000)]);
    await suspending.operator.changeLink(partner, 'resume');
    await Promise.all([until(atAlpha(), 'alpha shows what beta says', 1_000), until(atBeta(), 'beta shows what alpha says', 1_000)]);
  }
});

describe('a coupling from the request to its end', () => {
  const RESULT = '__typename ... on CouplingPayload { coupling { id state } } ... on UserError { code } ... on NotFoundError { field }';
  type Outcome = { coupling?: { id: string; state: string }; code?: string };
  const change = async (mutation: string, input: Record<string, unknown>, token: string): Promise<Outcome> => {
    const type = mutation === 'requestCoupling' || mutation === 'acceptCoupling' ? `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input` : 'CouplingInput';
    const { data } = await ask<Record<string, Outcome>>(`mutation ($input: ${type}!) { ${mutation}(input: $input) { ${RESULT} } }`, { input }, token);
    return data[mutation] ?? {};
  };

  test('a house without a link cannot be asked', async () => {
    const { alpha } = federation;
    const input = { guideId: alpha.guide('solo').id, instance: 'delta', idempotencyKey: randomUUID() };
    expect(await change('requestCoupling', input, await alpha.staffToken())).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.instance' });
  });

  test('entries appear when both houses’ staff, and the guide in both, have agreed, not before, and vanish within a second of its end', async () => {
    const { alpha, beta } = federation;
    const [here, there] = [await alpha.guideToken('solo'), await beta.guideToken('solo')];
    const alone = async (): Promise<void> => {
      expect(await calendarOf(here)).toEqual({ entries: wholeCalendar('solo', alpha, []), errors: undefined });
      expect(await calendarOf(there)).toEqual({ entries: wholeCalendar('solo', beta, []), errors: undefined });
    };
    const requested = await change('requestCoupling', { guideId: alpha.guide('solo').id, instance: 'beta', idempotencyKey: randomUUID() }, await alpha.staffToken());
    const couplingId = requested.coupling?.id ?? '';
    expect(requested.coupling?.state).toBe('REQUESTED');
    await alone();

    const waiting = await ask('{ couplingRequests { id requestedName requestedHere instance { code } guide { id } } }', {}, await beta.staffToken());
    const { firstName, lastName } = alpha.guide('solo');
    expect(waiting.data).toEqual({ couplingRequests: [{ id: couplingId, requestedName: `${firstName} ${lastName}`, requestedHere: false, instance: { code: 'alpha' }, guide: null }] });
    expect((await change('confirmCoupling', { couplingId }, here)).code).toBe('NOT_FOUND');
    const accepted = await change('acceptCoupling', { couplingId, guideId: beta.guide('solo').id }, await beta.staffToken());
    expect(accepted.coupling?.state).toBe('ACCEPTED');
    await alone();

    expect((await change('confirmCoupling', { couplingId }, await alpha.guideToken('greta'))).code).toBe('NOT_FOUND');
    expect((await change('confirmCoupling', { couplingId }, here)).coupling).toEqual({ id: couplingId, state: 'ACCEPTED' });
    await alone();
    expect((await change('confirmCoupling', { couplingId }, there)).coupling).toEqual({ id: couplingId, state: 'ACTIVE' });
    expect(await calendarOf(here)).toEqual({ entries: wholeCalendar('solo', alpha, [beta]), errors: undefined });
    expect(await calendarOf(there)).toEqual({ entries: wholeCalendar('solo', beta, [alpha]), errors: undefined });
    const ids = await Promise.all([here, there].map((token) => ask<{ me: { guide: { globalId: string } } }>('{ me { guide { globalId } } }', {}, token)));
    expect(ids[0]?.data.me.guide.globalId).toMatch(/^g_[0-9a-f-]{36}$/);
    expect(ids[1]?.data).toEqual(ids[0]?.data);

    expect((await change('endCoupling', { couplingId }, await beta.staffToken())).coupling?.state).toBe('ENDED');
    await until(async () => (await calendarOf(here)).entries.length === 2 && (await calendarOf(there)).entries.length === 2, 'both see their own alone', 1_000);
    await alone();
  });

  test('a further house that knows the guide by an older global id leaves the coupling he has as it is', async () => {
    const { alpha, beta, gamma } = federation;
    const elder = `g_${randomUUID()}`;
    await gamma.records.query('update guide set global_id = $2, global_id_minted_at = $3 where id = $1', [gamma.guide('solo').id, elder, new Date('2001-01-01T00:00:00Z')]);
    const requested = await change('requestCoupling', { guideId: alpha.guide('gwen').id, instance: 'gamma', idempotencyKey: randomUUID() }, await alpha.staffToken());
    const couplingId = requested.coupling?.id ?? '';
    await change('acceptCoupling', { couplingId, guideId: gamma.guide('solo').id }, await gamma.staffToken());
    const token = await alpha.guideToken('gwen');
    await change('confirmCoupling', { couplingId }, token);
    expect((await change('confirmCoupling', { couplingId }, await gamma.guideToken('solo'))).coupling).toEqual({ id: couplingId, state: 'ACTIVE' });

    const further = gamma.guide('solo').bookings.map((booking) => gamma.foreignEntry(booking));
    const all = [...wholeCalendar('gwen', alpha, [beta]), ...further].sort((one, other) => one.start.localeCompare(other.start));
    expect(await calendarOf(token)).toEqual({ entries: all, errors: undefined });
    expect(await calendarOf(await beta.guideToken('gwen'))).toEqual({ entries: wholeCalendar('gwen', beta, [alpha]), errors: undefined });
    const { data } = await ask<{ guide: { globalId: string } }>('query ($id: ID!) { guide(id: $id) { globalId } }', { id: alpha.guide('gwen').globalId }, token);
    expect(data.guide.globalId).toBe(elder);
  });
});
