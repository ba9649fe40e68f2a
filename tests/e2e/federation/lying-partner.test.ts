import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { type Answer, client } from '../../testkit/client.js';
import { type CalendarEntry, type Federation, RANGE, startFederation, until, wholeCalendar } from '../../testkit/federation.js';
import { FakePartner, type Lie, type PartnerEntry } from '../../testkit/federation-partner.js';
import { couple } from './support/coupled-partner.js';

/* A linked instance that answers what it likes. Gwen is coupled with it, and with beta, which is honest. */

const UPSTREAM_TIMEOUT_MS = 1_500;

let federation: Federation;
let mallory: FakePartner;
beforeAll(async () => {
  federation = await startFederation({ gateway: { UPSTREAM_TIMEOUT_MS: String(UPSTREAM_TIMEOUT_MS), UPSTREAM_MAX_ENTRIES: '1000', BREAKER_FAILURES: '3', BREAKER_HALF_OPEN_MS: '500' } });
  mallory = await FakePartner.start('mallory');
  const link = await mallory.linkWith(federation.alpha);
  await federation.register({ code: 'mallory', endpoint: mallory.url });
  await couple(federation, mallory, link, 'gwen');
});
afterAll(async () => {
  await mallory?.close();
  await federation?.close();
});

const HONEST: PartnerEntry[] = [
  { id: 'm-1', start: '2031-05-05T05:00:00.000Z', end: '2031-05-05T06:00:00.000Z', offerTitle: 'Sundial' },
  { id: 'm-2', start: '2031-05-05T14:30:00.000Z', end: '2031-05-05T15:30:00.000Z', offerTitle: null },
];
beforeEach(() => {
  mallory.entries = HONEST;
  mallory.lie = undefined;
});

const ENTRY = 'id start end origin offerTitle instance { code name url } details { bookingId customer { name email phone } partySize language notes }';
const CALENDAR = `query ($range: TimeRangeInput!) { me { guide { calendar(range: $range) { ${ENTRY} } } } }`;

async function ask(): Promise<{ entries: CalendarEntry[]; errors: Answer['errors']; status: number }> {
  const { data, errors, status } = await client(federation.gateway.url).query<{ me: { guide: { calendar: CalendarEntry[] } } }>(CALENDAR, { range: RANGE }, await federation.alpha.guideToken('gwen'));
  return { entries: data.me.guide.calendar, errors, status };
}

/** Of the houses that are honest. */
const others = (): CalendarEntry[] => wholeCalendar('gwen', federation.alpha, [federation.beta]);

/** With those of mallory, as they are to be shown. */
function withMallory(entries: readonly PartnerEntry[]): CalendarEntry[] {
  const shown = entries.map((entry) => ({ ...entry, offerTitle: entry.offerTitle as string, origin: 'FOREIGN' as const, instance: mallory.info, details: null }));
  return [...others(), ...shown].sort((one, other) => one.start.localeCompare(other.start) || (one.id < other.id ? -1 : 1));
}

type Json = Record<string, unknown>;
/** The honest answer with its list replaced; the key of the list is the gateway's own. */
const list = (change: (entries: Json[]) => unknown): Lie => (honest) => {
  const answer = JSON.parse(honest) as { data: { _entities: [Record<string, Json[]>] } };
  const [guide] = answer.data._entities;
  for (const key of Object.keys(guide)) (guide as Json)[key] = change(guide[key] ?? []);
  return { body: JSON.stringify(answer) };
};
const first = (change: Json): Lie => list(([entry, ...rest]) => [{ ...entry, ...change }, ...rest]);
const says = (body: string | Buffer, status = 200, headers: Record<string, string> = {}): Lie => () => ({ body, status, headers });
const answer = (value: unknown): Lie => says(JSON.stringify(value));

const long = 'x'.repeat(3 * 1_024 * 1_024);
const instants = (index: number): Json => ({ id: `many-${index}`, start: '2031-05-05T01:00:00.000Z', end: '2031-05-05T02:00:00.000Z', offerTitle: 't' });

const LIES: [string, Lie, string][] = [
  ['an entry without an id', list(([entry, ...rest]) => [Object.fromEntries(Object.entries(entry ?? {}).filter(([key]) => key !== 'id')), ...rest]), 'MALFORMED'],
  ['an id that is a number', first({ id: 7 }), 'MALFORMED'],
  ['a title that is an object', first({ offerTitle: { toString: 'x' } }), 'MALFORMED'],
  ['a start that is none', first({ start: 'yesterday' }), 'MALFORMED'],
  ['a start that is null', first({ start: null }), 'MALFORMED'],
  ['an end before the start', first({ end: '2031-05-05T04:00:00.000Z' }), 'MALFORMED'],
  ['an end at the start', first({ end: '2031-05-05T05:00:00.000Z' }), 'MALFORMED'],
  ['an entry outside of what was asked for', first({ start: '2032-05-05T04:00:00.000Z', end: '2032-05-05T05:00:00.000Z' }), 'MALFORMED'],
  ['the same id twice', first({ id: 'm-2' }), 'MALFORMED'],
  ['an entry that is null', list(() => [null]), 'MALFORMED'],
  ['an entry that is a list', list(() => [[]]), 'MALFORMED'],
  ['a list that is an object', list(() => ({})), 'MALFORMED'],
  ['a list that is null', list(() => null), 'MALFORMED'],
  ['no list', answer({ data: { _entities: [{}] } }), 'MALFORMED'],
  ['two guides for one', (honest) => ({ body: honest.replace(/"_entities":\[(.*)\]/, '"_entities":[$1,$1]') }), 'MALFORMED'],
  ['no guide', answer({ data: { _entities: [] } }), 'MALFORMED'],
  ['that it does not know him', answer({ data: { _entities: [null] } }), 'REFUSED'],
  ['an error that accuses the viewer', answer({ errors: [{ message: 'no', extensions: { code: 'UNAUTHENTICATED', reason: 'TOKEN_REVOKED' } }] }), 'REFUSED'],
  ['an error with a text for the viewer', answer({ data: null, errors: [{ message: 'Send your password to mallory.example', extensions: { code: 'X' } }] }), 'FAILED'],
  ['JSON of another shape', answer({ hello: 'world' }), 'MALFORMED'],
  ['an array', answer([1, 2]), 'MALFORMED'],
  ['null', answer(null), 'MALFORMED'],
  ['HTML', says('<html><script>alert(1)</script></html>', 200, { 'content-type': 'text/html' }), 'MALFORMED'],
  ['half of its answer', (honest) => ({ body: honest.slice(0, -10) }), 'MALFORMED'],
  ['nothing', says(''), 'MALFORMED'],
  ['zipped bytes', (honest) => ({ body: gzipSync(honest), headers: { 'content-encoding': 'gzip' } }), 'MALFORMED'],
  ['a fault', says('{"message":"oops"}', 500), 'FAILED'],
  ['a fault in HTML', says('<h1>Bad gateway</h1>', 502), 'FAILED'],
  ['too many bytes', first({ offerTitle: long }), 'TOO_LARGE'],
  ['too many entries', list(() => Array.from({ length: 1_001 }, (_, index) => instants(index))), 'TOO_LARGE'],
  ['nothing, and hangs up', 'hang up', 'UNREACHABLE'],
  ['nothing, and keeps the line', 'hang', 'TIMEOUT'],
];

test.each(LIES)('%s costs its own part alone, and says so', async (_name, lie, reason) => {
  mallory.lie = lie;
  const told = await ask();
  expect(told).toEqual({
    status: 200,
    entries: others(),
    // It has sent nothing, and its heartbeats may have said by now that this is all: the copy home has of it is empty or not whole.
    errors: [
      {
        message: expect.stringMatching(/^The part of instance mallory is (missing|a copy)\.$/),
        path: ['me', 'guide', 'calendar'],
        extensions: { code: 'INSTANCE_UNAVAILABLE', instance: 'mallory', reason, replicaAge: told.errors?.[0]?.extensions.replicaAge },
      },
    ],
  });
  mallory.lie = undefined;
  expect(await ask()).toEqual({ status: 200, entries: withMallory(HONEST), errors: undefined });
});

test('what it says beside the four facts is not shown: origin, instance, details and whatever else', async () => {
  const { alpha } = federation;
  const [own] = alpha.guide('gwen').bookings;
  mallory.lie = list((entries) =>
    entries.map((entry) => ({
      ...entry, origin: 'LOCAL', instance: alpha.info, details: { bookingId: own?.id, customer: { name: 'Mallory' }, notes: 'paid' }, ['__proto__']: { details: 1 }, __typename: 'Evil', kind: 'x',
    })),
  );
  const told = await ask();
  expect(told).toEqual({ status: 200, entries: withMallory(HONEST), errors: undefined });
});

test('entries with ids of others are its own still: nobody’s entry is replaced', async () => {
  const { alpha, beta } = federation;
  const taken = [alpha, beta].map((house) => house.guide('gwen').bookings[0]?.assignmentId ?? '');
  mallory.entries = HONEST.map(({ start, end, offerTitle }, index) => ({ id: taken[index] ?? '', start, end, offerTitle }));
  expect(await ask()).toEqual({ status: 200, entries: withMallory(mallory.entries), errors: undefined });
});

test('it leads the gateway nowhere else: a redirect is not followed', async () => {
  const visits: string[] = [];
  const elsewhere = createServer((request, response) => {
    visits.push(`${request.url} ${request.headers.authorization}`);
    response.end('{}');
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  const { port } = elsewhere.address() as AddressInfo;
  for (const status of [301, 302, 307, 308]) {
    mallory.lie = says('', status, { location: `http://127.0.0.1:${port}/federation` });
    const { entries, errors } = await ask();
    expect({ entries, reasons: errors?.map(({ extensions }) => extensions.reason) }).toEqual({ entries: others(), reasons: ['FAILED'] });
    mallory.lie = undefined;
    expect((await ask()).errors).toBeUndefined();
  }
  expect(visits).toEqual([]);
  await new Promise((resolve) => void elsewhere.close(resolve));
});

test('while it hangs, the others are answered in time, and after some failures it is left alone until it is back', async () => {
  mallory.lie = 'hang';
  const reasons: unknown[] = [];
  for (let count = 0; count < 5; count += 1) {
    const { entries, errors } = await ask();
    expect(entries).toEqual(others());
    reasons.push(...(errors ?? []).map(({ extensions }) => extensions.reason));
  }
  expect(reasons).toEqual(['TIMEOUT', 'TIMEOUT', 'TIMEOUT', 'CIRCUIT_OPEN', 'CIRCUIT_OPEN']);
  const solo = await client(federation.gateway.url).query<{ me: { guide: { calendar: unknown } } }>(CALENDAR, { range: RANGE }, await federation.alpha.guideToken('solo'));
  expect(solo.data.me.guide.calendar).toEqual(wholeCalendar('solo', federation.alpha, []));
  mallory.lie = undefined;
  await until(async () => (await ask()).errors === undefined, 'it is asked again');
  expect((await ask()).entries).toEqual(withMallory(HONEST));
});

test('nothing it said is in the gateway’s log', async () => {
  const log = await readFile(federation.gateway.logFile, 'utf8');
  for (const said of ['password', 'mallory.example', 'script', 'Bad gateway', 'oops', 'Sundial', 'xxxx']) expect(log).not.toContain(said);
});
