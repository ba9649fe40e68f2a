import { randomUUID } from 'node:crypto';
import { Cleanup } from '../../testkit/cleanup.js';
import { until } from '../../testkit/until.js';
import { assignment, Correspondent, type Item } from './support/correspondent.js';
import { openReplicatingHouse, type ReplicatingHouse } from './support/houses.js';

/* What a partner delivers is taken once, in order, and only as far as it may say it. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: ReplicatingHouse;
let sender: Correspondent;
let couplingId: string;
let guideId: string;
beforeAll(async () => {
  house = await openReplicatingHouse(cleanup, 'alpha', { LIMIT_FOREIGN_BOOKINGS: '3' });
  await newSender();
});
beforeEach(async () => {
  ({ couplingId, guideId } = await sender.couple());
});

/** Whose first batch is yet to come. */
async function newSender(): Promise<void> {
  sender = await Correspondent.write(cleanup, house, `m${randomUUID().slice(0, 8)}`);
  ({ couplingId, guideId } = await sender.couple());
}

const essence = async () => (await sender.copies(couplingId)).map(({ id, incarnation, version, start_at, offer_title, ended }) => ({ id, incarnation, version, start_at, offer_title, ended }));
const refused = (item: number, reason: string, ...others: [number, string][]) => ({ status: 409, body: { code: 'ITEM_REFUSED', item, reason, ...(others.length > 0 && { others }) } });
const at = (hour: number) => ({ start: `2027-06-01T${String(hour).padStart(2, '0')}:00:00.000Z`, end: `2027-06-01T${String(hour + 1).padStart(2, '0')}:00:00.000Z` });

test('a batch is taken whole and answered with its number', async () => {
  await newSender();
  const items = [assignment(couplingId), assignment(couplingId, { ...at(14), booking: 'BLOCK', title: null })];
  expect(await sender.deliver(items)).toEqual({ status: 200, body: { number: 1, answers: [] } });
  expect(new Set((await sender.copies(couplingId)).map(({ id, kind, offer_title }) => [id, kind, offer_title].join()))).toEqual(
    new Set([[items[0]?.['recordId'], 'BOOKING', 'Sundial'].join(), [items[1]?.['recordId'], 'BLOCK', ''].join()]),
  );
});

test('a batch whose answer was lost is taken again under its number and id without a second effect', async () => {
  await newSender();
  const id = randomUUID();
  const item = assignment(couplingId);
  expect((await sender.deliver([item], { id })).status).toBe(200);
  const before = await house.records.query('select * from foreign_booking where coupling_id = $1', [couplingId]);
  expect(await sender.deliver([item], { id, number: 1 })).toEqual({ status: 200, body: { number: 1, answers: [] } });
  expect(await house.records.query('select * from foreign_booking where coupling_id = $1', [couplingId])).toEqual(before);
  // It may hold newer content by then.
  expect((await sender.deliver([{ ...item, version: 2, title: 'Moondial' }], { id, number: 1 })).status).toBe(200);
  expect(await essence()).toMatchObject([{ version: 2, offer_title: 'Moondial' }]);
});

test('within one incarnation a lower version changes nothing, in whatever order they come', async () => {
  const item = assignment(couplingId);
  await sender.deliver([{ ...item, version: 3, title: 'third' }]);
  for (const version of [1, 2, 3]) expect((await sender.deliver([{ ...item, version, title: 'late', ended: version === 2 }])).status).toBe(200);
  expect(await essence()).toMatchObject([{ version: 3, offer_title: 'third', ended: false }]);
});

test('an end leaves a tombstone, which nothing late revives', async () => {
  const item = assignment(couplingId);
  await sender.deliver([{ ...item, version: 2, ended: true, title: null }]);
  await sender.deliver([item]);
  expect(await essence()).toEqual([{ id: item['recordId'], incarnation: 1, version: 2, start_at: new Date('2027-06-01T12:00:00Z'), offer_title: null, ended: true }]);
});

test('a raised incarnation beats what was known, whatever its version', async () => {
  await newSender();
  const item = assignment(couplingId);
  await sender.deliver([{ ...item, version: 9, ended: true, title: null }]);
  sender.incarnation = 2;
  expect((await sender.deliver([{ ...item, version: 2, title: 'restored' }])).status).toBe(200);
  expect(await essence()).toMatchObject([{ incarnation: 2, version: 2, offer_title: 'restored', ended: false }]);
});

test('a number that was passed under another id, or an incarnation that was left, is the word of somebody who has forgotten', async () => {
  await newSender();
  const id = randomUUID();
  await sender.deliver([assignment(couplingId)]);
  await sender.deliver([assignment(couplingId, at(14))], { id });
  const known = { code: 'INCARNATION_UNKNOWN', incarnation: 1, number: 2, id };
  for (const number of [1, 2]) expect(await sender.deliver([assignment(couplingId, at(16))], { number })).toEqual({ status: 409, body: known });
  sender.incarnation = 4;
  const raised = randomUUID();
  expect((await sender.deliver([assignment(couplingId, at(18))], { number: 1, id: raised })).status).toBe(200);
  expect(await sender.deliver([assignment(couplingId, at(16))], { incarnation: 3, number: 2 })).toEqual({ status: 409, body: { ...known, incarnation: 4, number: 1, id: raised } });
  expect((await essence()).length).toBe(3);
  await newSender();
});

describe('refused as a whole, with the place and the reason, and nothing applied', () => {
  const wrong: [string, Item | string | null, string][] = [
    ['no item', 'item', 'MALFORMED'],
    ['nothing', null, 'MALFORMED'],
    ['a kind nobody knows', { kind: 'WISH' }, 'MALFORMED'],
    ['a member that is not listed', { notes: 'secret' }, 'MALFORMED'],
    ['no version', { version: undefined }, 'MALFORMED'],
    ['version 0', { version: 0 }, 'MALFORMED'],
    ['half a version', { version: 1.5 }, 'MALFORMED'],
    ['a version beyond all', { version: 2_147_483_648 }, 'MALFORMED'],
    ['an end before the start', { end: '2027-06-01T11:00:00.000Z' }, 'MALFORMED'],
    ['no time between', { end: '2027-06-01T12:00:00.000Z' }, 'MALFORMED'],
    ['a local time', { start: '2027-06-01T12:00:00' }, 'MALFORMED'],
    ['microseconds', { start: '2027-06-01T12:00:00.000001Z' }, 'MALFORMED'],
    ['the year 1969', { start: '1969-12-31T12:00:00.000Z', end: '1969-12-31T13:00:00.000Z' }, 'MALFORMED'],
    ['the year 2200', { start: '2200-01-01T12:00:00.000Z', end: '2200-01-01T13:00:00.000Z' }, 'MALFORMED'],
    ['more than 366 days', { end: '2028-06-02T12:00:00.001Z' }, 'MALFORMED'],
    ['a long title', { title: 'x'.repeat(201) }, 'MALFORMED'],
    ['a title with a control character', { title: 'a\u0007b' }, 'MALFORMED'],
    ['a record id that is none', { recordId: 'x' }, 'MALFORMED'],
    ['another kind of booking', { booking: 'HOLIDAY' }, 'MALFORMED'],
    ['more than 31 days', { end: '2027-07-02T12:00:00.001Z' }, 'LIMIT_EXCEEDED'],
    ['beyond five years', { start: '2040-06-01T12:00:00.000Z', end: '2040-06-01T13:00:00.000Z' }, 'LIMIT_EXCEEDED'],
    ['a coupling that does not exist', { couplingId: randomUUID() }, 'COUPLING_UNKNOWN'],
  ];
  test.each(wrong)('%s', async (_name, change, reason) => {
    const good = assignment(couplingId);
    const bad = change === null || typeof change === 'string' ? change : assignment(couplingId, { ...at(12), ...change });
    expect(await sender.deliver([good, bad])).toEqual(refused(1, reason));
    expect(await essence()).toEqual([]);
    // The others pass without it, under the same number.
    const { status, body } = await sender.deliver([good]);
    expect({ status, body }).toEqual({ status: 200, body: { number: sender.number, answers: [] } });
  });

  test('the same record twice', async () => {
    const item = assignment(couplingId);
    expect(await sender.deliver([item, { ...item, version: 2 }])).toEqual(refused(1, 'MALFORMED'));
    expect(await essence()).toEqual([]);
  });

  test('another partner’s coupling, which looks like none', async () => {
    const other = await Correspondent.write(cleanup, house, `n${randomUUID().slice(0, 8)}`);
    const theirs = await other.couple(guideId);
    const item = assignment(theirs.couplingId);
    expect(await sender.deliver([assignment(couplingId), item])).toEqual(refused(1, 'COUPLING_UNKNOWN'));
    expect((await other.deliver([item])).status).toBe(200);
    // Nor does the id of a record there give a hold on it.
    expect((await sender.deliver([{ ...item, couplingId, version: 7, ended: true, title: null }])).status).toBe(200);
    expect(await other.copies(theirs.couplingId)).toMatchObject([{ version: 1, ended: false }]);
  });

  test('several at once, each with its reason', async () => {
    const ended = await sender.couple();
    await house.records.query(`update coupling set state = 'ENDED' where id = $1`, [ended.couplingId]);
    const batch = [assignment(randomUUID()), assignment(couplingId), assignment(ended.couplingId)];
    expect(await sender.deliver(batch)).toEqual(refused(0, 'COUPLING_UNKNOWN', [2, 'COUPLING_ENDED']));
  });

  test('a coupling that has ended, is not active yet, or is paused', async () => {
    for (const [change, reason] of [
      [`state = 'ENDED'`, 'COUPLING_ENDED'],
      [`state = 'DECLINED'`, 'COUPLING_ENDED'],
      [`state = 'ACCEPTED'`, 'COUPLING_UNKNOWN'],
      [`state = 'ACTIVE', paused_here = true`, 'COUPLING_PAUSED'],
      [`paused_here = false, paused_there = true`, 'COUPLING_PAUSED'],
    ] as const) {
      await house.records.query(`update coupling set ${change} where id = $1`, [couplingId]);
      expect(await sender.deliver([assignment(couplingId)])).toEqual(refused(0, reason));
    }
    await house.records.query(`update coupling set paused_there = false where id = $1`, [couplingId]);
    expect((await sender.deliver([assignment(couplingId)])).status).toBe(200);
  });

  test('more future bookings of one guide than a partner may have; ends make room', async () => {
    const items = [12, 13, 14].map((hour) => assignment(couplingId, at(hour)));
    expect((await sender.deliver(items)).status).toBe(200);
    expect(await sender.deliver([assignment(couplingId, at(16))])).toEqual(refused(0, 'LIMIT_EXCEEDED'));
    // As many as are too many, all named at once, and not those that only change.
    const more = [assignment(couplingId, at(16)), { ...items[1], version: 2 }, assignment(couplingId, at(18))];
    expect(await sender.deliver(more)).toEqual(refused(0, 'LIMIT_EXCEEDED', [2, 'LIMIT_EXCEEDED']));
    // What is past takes no room, nor does another guide's.
    const second = await sender.couple();
    expect((await sender.deliver([assignment(couplingId, { start: '2020-01-01T12:00:00.000Z', end: '2020-01-01T13:00:00.000Z' }), assignment(second.couplingId)])).status).toBe(200);
    const swap = [{ ...items[0], version: 2, ended: true, title: null }, assignment(couplingId, at(16))];
    expect((await sender.deliver(swap)).status).toBe(200);
  });
});

describe('refused before it is looked at', () => {
  test.each<[string, Record<string, unknown>]>([
    ['no items', { items: [] }],
    ['more than four hundred', { items: Array.from({ length: 401 }, () => ({})) }],
    ['no list', { items: {} }],
    ['number 0', { number: 0 }],
    ['an incarnation that is none', { incarnation: -1 }],
    ['an id that is none', { id: 'x' }],
    ['a member that is not listed', { more: 1 }],
    ['nothing about completeness', { complete: undefined }],
  ])('%s', async (_name, change) => {
    expect(await sender.deliver([assignment(couplingId)], change)).toEqual({ status: 400, body: { code: 'MALFORMED' } });
  });

  test('a body larger than the server takes', async () => {
    expect(await sender.deliver([assignment(couplingId, { title: 'x'.repeat(220_000) })])).toEqual({ status: 413, body: { code: 'TOO_LARGE' } });
  });

  test('a call that comes twice', async () => {
    await newSender();
    const jti = randomUUID();
    const body = { incarnation: 1, number: 1, id: randomUUID(), items: [assignment(couplingId)], complete: true };
    expect((await sender.call('sync/deliver', body, { jti })).status).toBe(200);
    expect(await sender.call('sync/deliver', body, { jti })).toEqual({ status: 409, body: { code: 'REPLAYED' } });
  });

  test('a suspended link', async () => {
    await newSender();
    await house.operator.changeLink(sender.partner.code, 'suspend');
    expect(await sender.deliver([assignment(couplingId)])).toEqual({ status: 403, body: { code: 'LINK_NOT_OPEN' } });
    await newSender();
  });

  test('a clock that is two minutes ahead or behind: named as what it is, so that operators can mend it', async () => {
    const seconds = Math.floor(Date.now() / 1000);
    for (const offset of [120, -120]) {
      const claims = { iat: seconds + offset, exp: seconds + offset + 60 };
      expect(await sender.call('sync/deliver', { items: [] }, claims)).toEqual({ status: 401, body: { code: 'CLOCK_SKEWED' } });
    }
    expect(await sender.call('sync/deliver', {}, { iat: seconds - 120, exp: seconds - 60, aud: 'beta' })).toEqual({ status: 401, body: { code: 'UNAUTHENTICATED' } });
    expect(await sender.call('sync/deliver', {}, { iat: seconds - 4_000, exp: seconds - 60 })).toEqual({ status: 401, body: { code: 'UNAUTHENTICATED' } });
  });
});

test('a partner cannot make everything be exchanged more than twenty times within an hour; others can go on', async () => {
  const [mallory, other] = [await Correspondent.write(cleanup, house, 'mallet'), await Correspondent.write(cleanup, house, 'honest')];
  const say = (speaker: Correspondent, incarnation: number, received: Record<string, unknown> = {}) =>
    speaker.call('sync/heartbeat', { incarnation, release: 2, sent: { number: 0, id: null }, acked: 0, received: { incarnation: 1, number: 0, id: null, ...received }, complete: true });
  const incarnations = async () => {
    const [row] = await house.records.query<{ own: number; partner: number }>(
      `select y.incarnation as own, p.partner_incarnation as partner from sync_state y cross join sync_peer p join link l on l.id = p.link_id where l.partner_code = 'mallet'`,
    );
    return row ?? { own: 0, partner: 0 };
  };
  expect((await say(mallory, 1)).status).toBe(200);
  const { own } = await incarnations();
  // Its own restores, and those it says this house has gone through.
  for (let incarnation = 2; incarnation <= 19; incarnation += 1) expect((await say(mallory, incarnation)).status).toBe(200);
  for (const jump of [1, 3]) expect((await say(mallory, 19, { incarnation: own + jump })).status).toBe(200);
  const before = await incarnations();
  expect(before).toEqual({ own: own + 4, partner: 19 });
  const refusedThen = { status: 429, body: { code: 'TOO_MANY_REQUESTS' } };
  expect(await say(mallory, 20)).toEqual(refusedThen);
  expect(await say(mallory, 19, { incarnation: own + 5 })).toEqual(refusedThen);
  expect(await mallory.call('sync/deliver', { incarnation: 20, number: 1, id: randomUUID(), items: [assignment(randomUUID())], complete: true })).toEqual(refusedThen);
  expect(await incarnations()).toEqual(before);
  // What makes nothing be exchanged is heard all the same.
  expect((await say(mallory, 19)).status).toBe(200);
  for (const incarnation of [1, 2]) expect((await say(other, incarnation)).status).toBe(200);
});

test('events tell of real changes only, and name neither house nor title', async () => {
  const heard: string[] = [];
  const listener = house.records.seed.client;
  listener.on('notification', ({ payload = '' }) => heard.push(payload));
  await listener.query('listen lotse_event');
  const item = assignment(couplingId);
  await sender.deliver([item]);
  await sender.deliver([{ ...item, version: 2 }]);
  await sender.deliver([{ ...item, version: 3, title: 'Moondial' }]);
  await sender.deliver([{ ...item, version: 1, title: 'late' }]);
  await sender.deliver([{ ...item, version: 4, ended: true, title: null }]);
  await sender.deliver([{ ...item, version: 5, ended: true, title: null }]);
  await listener.query('unlisten lotse_event');
  const changes = heard.filter((payload) => payload.includes('"foreign"')).map((payload) => JSON.parse(payload) as unknown);
  expect(changes).toEqual(['CREATED', 'UPDATED', 'REMOVED'].map((change) => ({ kind: 'foreign', guideId, foreignId: item['recordId'], change })));
});

test('tombstones are kept for 90 days after their end was heard of, and living copies for ever', async () => {
  const [kept, old, living] = [assignment(couplingId), assignment(couplingId, at(14)), assignment(couplingId, { start: '2020-01-01T12:00:00.000Z', end: '2020-01-01T13:00:00.000Z' })];
  await sender.deliver([{ ...kept, ended: true, title: null }, { ...old, ended: true, title: null }, living]);
  const age = (item: Item, days: number) =>
    house.records.query(`update foreign_booking set ended_at = ended_at - make_interval(days => $2), received_at = received_at - make_interval(days => $2) where id = $1`, [item['recordId'], days]);
  await age(kept, 89);
  await age(old, 91);
  await age(living, 91);
  await house.records.query(`select enqueue_job('clean-up', '{}'::json, 'now')`);
  await until(async () => (await sender.copies(couplingId)).length === 2);
  expect((await sender.copies(couplingId)).map(({ id }) => id).toSorted()).toEqual([kept['recordId'], living['recordId']].toSorted());
});
