import type { FakeEntry, FakeGuide, FakeInstance } from './support/fake-instance.js';
import { TestFederation, coupledGuide, entries, wholeRange, type TestGateway } from './support/test-gateway.js';

interface Entry {
  id: string;
  start: string;
  origin: string;
  offerTitle: string | null;
  instance: { code: string; name: string; url: string };
  details: unknown;
}

const full = 'id start end origin offerTitle instance { code name url } details { bookingId customer { name email } }';
const ask = (selection: string) => `query ($range: TimeRangeInput!) { me { guide { calendar(range: $range) { ${selection} } } } }`;
const calendarOf = (data: unknown) => (data as { me: { guide: { calendar: Entry[] } } }).me.guide.calendar;

describe.each([{ executor: 'compiled' }, { executor: 'stock' }])('stitched lists, by the $executor executor', ({ executor }) => {
  const federation = new TestFederation();
  let gateway: TestGateway;
  let home: FakeInstance;
  let burg: FakeInstance;
  let chor: FakeInstance;
  let anna: FakeGuide;
  let token: string;

  beforeAll(async () => {
    [home, burg, chor] = (await federation.linkedInstances('ahof', 'burg', 'chor')) as [FakeInstance, FakeInstance, FakeInstance];
    [anna] = coupledGuide([home, burg, chor], 'anna', 4) as [FakeGuide, FakeGuide, FakeGuide];
    gateway = await federation.gateway({ COMPILED_EXECUTOR: String(executor === 'compiled'), BREAKER_FAILURES: '1000' });
    token = home.token(anna);
  });

  beforeEach(() => {
    for (const instance of [home, burg, chor]) {
      instance.misbehaviour = undefined;
      instance.requests.length = 0;
    }
    anna.entries = entries('anna-ahof', 4);
    anna.replicaAges = {};
  });

  afterAll(() => federation.close());

  test('own bookings come in full and foreign ones redacted, sorted by start', async () => {
    const { status, data, errors } = await gateway.ask({ query: ask(full), variables: { range: wholeRange } }, token);
    expect(status).toBe(200);
    expect(errors).toBeUndefined();
    const calendar = calendarOf(data);
    expect(calendar.map(({ id }) => id)).toEqual(
      [0, 1, 2, 3].flatMap((day) => ['ahof', 'burg', 'chor'].map((code) => `anna-${code}-00${day}`)),
    );
    expect(calendar[0]).toEqual({
      id: 'anna-ahof-000',
      start: '2026-05-01T09:00:00.000Z',
      end: '2026-05-01T10:00:00.000Z',
      origin: 'LOCAL',
      offerTitle: 'Tour anna-ahof 0',
      instance: { code: 'ahof', name: 'Museum ahof', url: 'https://ahof.example.org' },
      details: { bookingId: 'booking-anna-ahof-000', customer: { name: 'Customer of anna-ahof-000', email: 'c@example.org' } },
    });
    expect(calendar[1]).toEqual({
      id: 'anna-burg-000',
      start: '2026-05-01T11:00:00.000Z',
      end: '2026-05-01T12:00:00.000Z',
      origin: 'FOREIGN',
      offerTitle: 'Tour anna-burg 0',
      instance: { code: 'burg', name: 'Museum burg', url: 'https://burg.example.org' },
      details: null,
    });
  });

  test.each([
    ['only a title', 'offerTitle', { offerTitle: 'Tour anna-burg 0' }],
    ['start under an alias', 'from: start', { from: '2026-05-01T11:00:00.000Z' }],
    ['another field under the name of a key', 'id: offerTitle start: id', { id: 'Tour anna-burg 0', start: 'anna-burg-000' }],
    ['part of the instance', 'instance { url }', { instance: { url: 'https://burg.example.org' } }],
    ['the type alone', '__typename', { __typename: 'CalendarEntry' }],
    ['a fragment', '... on CalendarEntry { origin } ... { offerTitle }', { origin: 'FOREIGN', offerTitle: 'Tour anna-burg 0' }],
    ['the same key twice', 'instance { code } instance { name }', { instance: { code: 'burg', name: 'Museum burg' } }],
  ])('any selection works: %s', async (_name, selection, second) => {
    const { data, errors, text } = await gateway.ask({ query: ask(selection), variables: { range: wholeRange } }, token);
    expect(errors).toBeUndefined();
    expect(calendarOf(data)).toHaveLength(12);
    expect(calendarOf(data)[1]).toEqual(second);
    expect(text).not.toContain('_lotse');
  });

  test('one field twice with other ranges, in fragments, for a page of guides and under conditions', async () => {
    const query = `query ($a: TimeRangeInput!, $no: Boolean!) {
      guides(first: 1) { edges { node { ...Both ... @include(if: $no) { never: calendar(range: $a) { id } } } } }
    }
    fragment Both on Guide {
      first: calendar(range: $a) { id }
      rest: calendar(range: { start: "2026-05-03T12:00:00+02:00", end: "2026-05-09T00:00:00Z" }) { id details @skip(if: true) { notes } }
    }`;
    const variables = { a: { start: '2026-05-01T00:00:00Z', end: '2026-05-02T00:00:00Z' }, no: false };
    const { data, errors } = await gateway.ask({ query, variables }, token);
    expect(errors).toBeUndefined();
    expect(data).toEqual({
      guides: {
        edges: [
          {
            node: {
              first: ['ahof', 'burg', 'chor'].map((code) => ({ id: `anna-${code}-000` })),
              rest: [
                { id: 'anna-burg-002' },
                { id: 'anna-chor-002' },
                ...['ahof', 'burg', 'chor'].map((code) => ({ id: `anna-${code}-003` })),
              ],
            },
          },
        ],
      },
    });
    // Both lists of a partner come with one question.
    expect(burg.requests).toHaveLength(1);
  });

  test('a partner that answers replaces the copies home holds of it, one that does not keeps them', async () => {
    anna.entries = [...entries('anna-ahof', 1), ...entries('cancelled', 1, 2, 'burg'), ...entries('kept', 1, 4, 'chor')];
    chor.misbehaviour = () => ({ status: 503, body: 'down' });
    const { data, errors } = await gateway.ask({ query: ask('id origin instance { code }'), variables: { range: wholeRange } }, token);
    const ids = calendarOf(data).map(({ id }) => id);
    expect(ids).toEqual(['anna-ahof-000', 'anna-burg-000', 'kept-000', 'anna-burg-001', 'anna-burg-002', 'anna-burg-003']);
    expect(errors).toEqual([
      {
        message: 'The part of instance chor is missing.',
        path: ['me', 'guide', 'calendar'],
        extensions: { code: 'INSTANCE_UNAVAILABLE', instance: 'chor', reason: 'FAILED', replicaAge: null },
      },
    ]);
  });

  test('copies carry their age, and so does the error; what a house answers itself has none', async () => {
    anna.replicaAges = { burg: 3, chor: 75 };
    anna.entries = [...entries('anna-ahof', 1), ...entries('old', 2, 2, 'burg'), ...entries('kept', 1, 4, 'chor')];
    chor.misbehaviour = () => ({ status: 503, body: 'down' });
    const { data, errors } = await gateway.ask({ query: ask('id replicaAge'), variables: { range: wholeRange } }, token);
    expect(calendarOf(data)).toEqual([
      { id: 'anna-ahof-000', replicaAge: null },
      { id: 'anna-burg-000', replicaAge: null },
      { id: 'kept-000', replicaAge: 75 },
      { id: 'anna-burg-001', replicaAge: null },
      { id: 'anna-burg-002', replicaAge: null },
      { id: 'anna-burg-003', replicaAge: null },
    ]);
    expect(errors).toEqual([
      {
        message: 'The part of instance chor is a copy.',
        path: ['me', 'guide', 'calendar'],
        extensions: { code: 'INSTANCE_UNAVAILABLE', instance: 'chor', reason: 'FAILED', replicaAge: 75 },
      },
    ]);
  });

  describe('maxReplicaAge', () => {
    const aged = (selection: string) =>
      `query ($range: TimeRangeInput!, $age: Int) { me { guide { calendar(range: $range, maxReplicaAge: $age) { ${selection} } } } }`;
    const asked = () => [burg.requests.length, chor.requests.length];

    beforeEach(() => {
      anna.replicaAges = { burg: 30 };
      anna.entries = [...entries('copy', 1, 2, 'burg'), ...entries('partial', 1, 4, 'chor')];
    });

    test.each([
      ['of at least the copy\'s age', 30, ['copy-000 30'], [0, 1]],
      ['of a day', 86_400, ['copy-000 30'], [0, 1]],
      ['below the copy\'s age', 29, ['anna-burg-000 null'], [1, 1]],
      ['0', 0, ['anna-burg-000 null'], [1, 1]],
      ['null', null, ['anna-burg-000 null'], [1, 1]],
      ['not given', undefined, ['anna-burg-000 null'], [1, 1]],
    ])('%s: houses with so fresh a copy are not asked; one without a whole copy always is', async (_what, age, first, requests) => {
      const { data, errors } = await gateway.ask({ query: aged('id replicaAge instance { code }'), variables: { range: wholeRange, age } }, token);
      expect(errors).toBeUndefined();
      const ofBurg = calendarOf(data).filter(({ instance }) => instance.code === 'burg') as unknown as { id: string; replicaAge: number | null }[];
      expect(ofBurg.map(({ id, replicaAge }) => `${id} ${replicaAge}`).slice(0, 1)).toEqual(first);
      expect(ofBurg).toHaveLength(requests[0] === 0 ? 1 : 4);
      expect(calendarOf(data).filter(({ instance }) => instance.code === 'chor').map(({ id }) => id)).toEqual([0, 1, 2, 3].map((day) => `anna-chor-00${day}`));
      expect(asked()).toEqual(requests);
    });

    test('partners are not told of it, as a literal or as a variable', async () => {
      anna.replicaAges = {};
      await gateway.ask({ query: aged('id'), variables: { range: wholeRange, age: 77 } }, token);
      await gateway.ask({ query: aged('id').replace(', $age: Int', '').replace('$age', '77'), variables: { range: wholeRange } }, token);
      expect(burg.requests.map(({ query }) => query)).toEqual(
        Array.from({ length: 2 }, () => 'query ($_lotse_representations: [_Any!]!, $range: TimeRangeInput!) { _entities(representations: $_lotse_representations) { ... on Guide { list0: calendar(range: $range) { id start end } } } }'),
      );
      expect(JSON.stringify([...burg.requests, ...chor.requests].map(({ raw }) => raw))).not.toMatch(/77|axReplicaAge/u);
    });

    test.each([-1, 86_401])('%s is refused by home, and no more is said', async (age) => {
      const { data, errors } = await gateway.ask({ query: aged('id'), variables: { range: wholeRange, age } }, token);
      expect(data).toEqual({ me: { guide: null } });
      expect(errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'INVALID_INPUT', field: 'maxReplicaAge', reason: 'OUT_OF_RANGE' }]);
    });

    test('two lists: a house is asked once for both if either needs it, and a failure is told of that one alone', async () => {
      const query = `query ($range: TimeRangeInput!) { me { guide { copies: calendar(range: $range, maxReplicaAge: 60) { id } live: calendar(range: $range) { id } } } }`;
      const { data } = await gateway.ask({ query, variables: { range: wholeRange } }, token);
      const both = (data as { me: { guide: Record<'copies' | 'live', Entry[]> } }).me.guide;
      expect(both.copies).toEqual(both.live);
      expect(burg.requests).toHaveLength(1);
      burg.misbehaviour = () => ({ status: 500, body: '' });
      const failed = await gateway.ask({ query, variables: { range: wholeRange } }, token);
      expect(failed.errors?.map(({ path, extensions }) => [path?.at(-1), extensions['instance'], extensions['replicaAge']])).toEqual([['live', 'burg', 30]]);
      const kept = (failed.data as typeof data & { me: { guide: Record<'copies' | 'live', Entry[]> } }).me.guide;
      expect([kept.copies[0], kept.live[0]]).toEqual([{ id: 'copy-000' }, { id: 'copy-000' }]);
    });
  });

  test('what home has noted of its copy of an entry is shown of the live one', async () => {
    const [first, second] = entries('anna-burg', 2, 2, 'burg') as [FakeEntry, FakeEntry];
    anna.entries = [first, { ...second, disputed: true }];
    const { data } = await gateway.ask({ query: ask('id d: disputed kind'), variables: { range: wholeRange } }, token);
    const ofBurg = calendarOf(data).filter(({ id }) => id.includes('burg'));
    expect(ofBurg).toEqual([0, 1, 2, 3].map((day) => ({ id: `anna-burg-00${day}`, d: day === 1, kind: 'BOOKING' })));
    expect(burg.requests[0]?.query).toContain('{ id start end kind }');
  });

  test('copies of houses that are not coupled or not registered stay; the registry says how a house is called, where it knows it', async () => {
    const [copy] = entries('own', 1, 6, 'chor') as [FakeEntry];
    const misnamed: FakeEntry = { ...copy, instance: { code: 'chor', name: 'Another name', url: 'https://elsewhere.example.org', logo: null } };
    const unknown = entries('far', 1, 8, 'nowhere');
    anna.coupledIn.splice(anna.coupledIn.indexOf('chor'), 1);
    anna.entries = [misnamed, ...unknown];
    try {
      const { data, errors } = await gateway.ask({ query: ask('id instance { name url }'), variables: { range: wholeRange } }, token);
      expect(errors).toBeUndefined();
      expect(calendarOf(data).filter(({ id }) => !id.includes('burg'))).toEqual([
        { id: 'own-000', instance: { name: 'Museum chor', url: 'https://chor.example.org' } },
        { id: 'far-000', instance: { name: 'Museum nowhere', url: 'https://nowhere.example.org' } },
      ]);
      expect(chor.requests).toEqual([]);
    } finally {
      anna.coupledIn.push('chor');
    }
  });

  test('one id of two houses is two entries', async () => {
    anna.entries = [...entries('anna-burg', 1)];
    const { data } = await gateway.ask({ query: ask('id origin'), variables: { range: wholeRange } }, token);
    expect(calendarOf(data).filter(({ id }) => id === 'anna-burg-000').map(({ origin }) => origin)).toEqual(['LOCAL', 'FOREIGN']);
  });

  test('entries of one instance are there once', async () => {
    anna.entries = [...entries('anna-ahof', 1), ...entries('anna-ahof', 1)];
    const { data } = await gateway.ask({ query: ask('id'), variables: { range: wholeRange } }, token);
    expect(calendarOf(data).filter(({ id }) => id === 'anna-ahof-000')).toHaveLength(1);
  });

  test('origin, instance and details of foreign entries are the gateway\'s, whatever a partner says', async () => {
    burg.misbehaviour = (real) => ({
      body: JSON.stringify(real).replaceAll(
        '"offerTitle"',
        '"origin":"LOCAL","instance":{"code":"chor","name":"Lie","url":"https://evil.example.org"},"details":{"notes":"lie"},"offerTitle"',
      ),
    });
    const { data, text } = await gateway.ask({ query: ask(full), variables: { range: wholeRange } }, token);
    expect(text).not.toMatch(/lie|Lie|evil/u);
    expect(calendarOf(data)[1]).toMatchObject({ id: 'anna-burg-000', origin: 'FOREIGN', instance: { code: 'burg', name: 'Museum burg' }, details: null });
  });

  test('a partner is shown its grant and the range, and nothing else of the viewer or of what he asked', async () => {
    const query = `query Holiday($range: TimeRangeInput!) {
      me { guide { mine: calendar(range: $range) { ${full} } } } booking(id: "private-id") { title note: title }
    }`;
    await gateway.ask({ query, variables: { range: wholeRange, unused: 'unused-secret' } }, token);
    expect(burg.requests).toHaveLength(1);
    const [request] = burg.requests;
    expect(request?.query).toBe(
      'query ($_lotse_representations: [_Any!]!, $range: TimeRangeInput!) { _entities(representations: $_lotse_representations) ' +
        '{ ... on Guide { list0: calendar(range: $range) { id start end offerTitle } } } }',
    );
    expect(request?.variables).toEqual({
      _lotse_representations: [{ __typename: 'Guide', id: 'global-anna' }],
      range: wholeRange,
    });
    const shown = JSON.stringify(request);
    for (const hidden of [token, 'Holiday', 'mine', 'private-id', 'unused-secret', 'details', 'customer', 'anna@ahof']) {
      expect(shown).not.toContain(hidden);
    }
    expect(request?.headers['x-lotse-client-address']).toBeUndefined();
    expect(home.requests.at(-1)?.headers['authorization']).toBe(`Bearer ${token}`);
    expect(home.requests.at(-1)?.headers['x-lotse-client-address']).toBe('127.0.0.1');
    expect(JSON.stringify(home.requests)).not.toContain('unused-secret');
  });

  test('titles are not asked for abroad when the client does not want them', async () => {
    await gateway.ask({ query: ask('start'), variables: { range: wholeRange } }, token);
    expect(burg.requests[0]?.query).toContain('{ id start end }');
  });

  test('one operation, one question for each instance', async () => {
    await gateway.ask({ query: ask(full), variables: { range: wholeRange } }, token);
    expect(home.requests).toHaveLength(executor === 'compiled' ? 1 : 2);
    expect(burg.requests).toHaveLength(1);
    expect(chor.requests).toHaveLength(1);
  });

  test('viewers share nothing: each question goes out with its own token and gets its own answer', async () => {
    const staff = home.token(undefined, { role: 'STAFF' });
    const query = `query ($range: TimeRangeInput!) { guide(id: "anna@ahof") { calendar(range: $range) { id } } }`;
    const [mine, theirs] = await Promise.all([
      gateway.ask({ query, variables: { range: wholeRange } }, token),
      gateway.ask({ query, variables: { range: wholeRange } }, staff),
    ]);
    const lengthOf = (data: unknown) => (data as { guide: { calendar: unknown[] } }).guide.calendar.length;
    expect(lengthOf(mine.data)).toBe(12);
    expect(lengthOf(theirs.data)).toBe(4);
  });
});
