import { Cleanup } from '../../testkit/cleanup.js';
import { requestStatements } from '../../testkit/statements.js';
import { type WsSubscription, wsClient, type WsTestClient } from '../../testkit/socket.js';
import { at, type House, openHouse } from './support/house.js';
import { PartnerCopies, type PlantedPartner } from './support/partner-copies.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let copies: PartnerCopies;
let beta: PlantedPartner;
let gamma: PlantedPartner;
let offerId: string;
beforeAll(async () => {
  house = await openHouse(cleanup, { name: 'City Museum' });
  house.server.clock.stop();
  copies = new PartnerCopies(house);
  offerId = await house.records.offer({ title: 'Night Tour' });
  [beta, gamma] = [await copies.partner('beta'), await copies.partner('gamma')];
});

const ENTRY = 'id start end origin kind offerTitle replicaAge disputed instance { code name url logo } details { bookingId customer { name } notes }';
const CALENDAR = `query ($id: ID!, $range: TimeRangeInput!, $age: Int) { guide(id: $id) { calendar(range: $range, maxReplicaAge: $age) { ${ENTRY} } } }`;
const range = (from: number, to: number) => ({ start: at(from).toISOString(), end: at(to).toISOString() });

async function calendar(token: string, id: string, of = range(-24, 24), age?: number): Promise<Record<string, unknown>[]> {
  const { data, errors } = await house.api.query<{ guide: { calendar: Record<string, unknown>[] } }>(CALENDAR, { id, range: of, age }, token);
  expect(errors).toBeUndefined();
  return data.guide.calendar;
}

async function coupledGuide() {
  const guideId = await house.records.guide();
  const [staff, guide] = [await house.records.signedIn('STAFF'), await house.records.signedIn('GUIDE', { guideId })];
  const since = new Date(house.server.clock.now().getTime() - 3_600_000);
  return { guideId, staff, guide, couplings: { beta: await copies.coupling(beta, guideId, since), gamma: await copies.coupling(gamma, guideId, since) } };
}

const ago = (seconds: number): Date => new Date(house.server.clock.now().getTime() - seconds * 1_000);

test('the guide sees his house in full and copies of the others, by start; staff see their house alone', async () => {
  const { guideId, staff, guide, couplings } = await coupledGuide();
  await copies.complete(beta, ago(90));
  await copies.complete(gamma, null);
  const own = await house.records.booking(offerId, at(2), { guideIds: [guideId], customer: { name: 'Ada' }, notes: 'Wheelchair' });
  const later = await copies.copy({ couplingId: couplings.beta, guideId, hours: [4, 5], title: 'Canal Walk', receivedAt: ago(1_000) });
  const earlier = await copies.copy({ couplingId: couplings.gamma, guideId, hours: [0, 1], title: 'Closed', kind: 'BLOCK', disputed: true, receivedAt: ago(30) });
  await copies.copy({ couplingId: couplings.beta, guideId, hours: [6, 7], ended: true });
  await copies.copy({ couplingId: couplings.beta, guideId, hours: [30, 31] });
  const local = {
    id: own.assignmentIds[0],
    ...range(2, 3),
    origin: 'LOCAL',
    kind: 'BOOKING',
    offerTitle: 'Night Tour',
    replicaAge: null,
    disputed: false,
    instance: { code: 'museum', name: 'City Museum', url: 'https://museum.example', logo: null },
    details: { bookingId: own.id, customer: { name: 'Ada' }, notes: 'Wheelchair' },
  };
  const foreign = { origin: 'FOREIGN', details: null };
  expect(await calendar(guide.token, guideId)).toEqual([
    // Gamma's copies have never been whole: each is as old as its receipt.
    { ...foreign, id: earlier, ...range(0, 1), kind: 'BLOCK', offerTitle: 'Closed', replicaAge: 30, disputed: true, instance: { ...gamma.info, logo: null } },
    local,
    { ...foreign, id: later, ...range(4, 5), kind: 'BOOKING', offerTitle: 'Canal Walk', replicaAge: 90, disputed: false, instance: { ...beta.info, logo: null } },
  ]);
  expect(await calendar(staff.token, guideId)).toEqual([local]);
  expect(await calendar((await house.records.signedIn('ADMINISTRATOR')).token, guideId)).toEqual([local]);
});

test('half-open: what only touches the range is not in it', async () => {
  const { guideId, guide, couplings } = await coupledGuide();
  await copies.copy({ couplingId: couplings.beta, guideId, hours: [0, 1] });
  const inside = await copies.copy({ couplingId: couplings.beta, guideId, hours: [1, 2] });
  await copies.copy({ couplingId: couplings.beta, guideId, hours: [2, 3] });
  expect((await calendar(guide.token, guideId, range(1, 2))).map(({ id }) => id)).toEqual([inside]);
});

test('while a coupling is paused its copies are as old as their receipt: what changes over there waits', async () => {
  const { guideId, guide, couplings } = await coupledGuide();
  await copies.complete(beta, ago(1));
  await copies.copy({ couplingId: couplings.beta, guideId, hours: [0, 1], receivedAt: ago(500) });
  const age = async () => (await calendar(guide.token, guideId)).map(({ replicaAge }) => replicaAge);
  expect(await age()).toEqual([1]);
  for (const side of ['paused_here', 'paused_there']) {
    await house.records.query(`update coupling set ${side} = true where id = $1`, [couplings.beta]);
    expect(await age()).toEqual([500]);
    await house.records.query(`update coupling set ${side} = false where id = $1`, [couplings.beta]);
  }
});

test('another guide sees none of it, and one statement answers with copies as without', async () => {
  const { guideId, guide, couplings } = await coupledGuide();
  const other = await coupledGuide();
  const cost = async () => (await requestStatements(async () => void (await calendar(guide.token, guideId)))).map(({ role, text }) => `${role}: ${text}`);
  await cost();
  const without = await cost();
  for (let hour = 0; hour < 20; hour += 1) await copies.copy({ couplingId: couplings.beta, guideId, hours: [hour, hour + 1] });
  expect(await cost()).toEqual(without);
  expect(without.filter((text) => text.includes('calendar_of_guide('))).toHaveLength(1);
  expect(await calendar(guide.token, guideId)).toHaveLength(20);
  expect(await calendar(other.guide.token, other.guideId)).toEqual([]);
});

test.each([-1, 86_401])('a wish for copies of %s seconds is refused', async (age) => {
  const { guideId, staff, guide } = await coupledGuide();
  for (const { token } of [staff, guide]) {
    const { errors } = await house.api.query(CALENDAR, { id: guideId, range: range(0, 1), age }, token);
    expect(errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'INVALID_INPUT', field: 'maxReplicaAge', reason: 'OUT_OF_RANGE' }]);
  }
  expect(await calendar(guide.token, guideId, range(0, 1), 86_400)).toEqual([]);
});

describe('changes', () => {
  interface Change {
    calendarChanged: { kind: string; entryId: string | null; instance: { code: string } | null; entry: Record<string, unknown> | null };
  }
  const FOLLOW = `subscription ($guideId: ID!) { calendarChanged(guideId: $guideId) { kind entryId instance { code } entry { ${ENTRY} } } }`;
  const REFETCH = { kind: 'REFETCH', entryId: null, instance: null, entry: null };

  const connect = (token: string): WsTestClient => cleanup.own(wsClient(house.server.url, () => token), (opened) => opened.dispose());

  async function follow({ token, sessionId }: { token: string; sessionId: string }, guideId: string): Promise<WsSubscription<Change>> {
    const subscription = connect(token).subscribe<Change>(FOLLOW, { guideId });
    while ((await house.records.query('select 1 from session_subscription where session_id = $1', [sessionId])).length === 0);
    return subscription;
  }
  const next = async (subscription: WsSubscription<Change>) => (await subscription.waitForMessage()).calendarChanged;

  test('the guide hears of foreign bookings with the copy as it is then; staff hear nothing of them', async () => {
    const { guideId, guide, staff, couplings } = await coupledGuide();
    await copies.complete(beta, ago(5));
    const [his, theirs] = [await follow(guide, guideId), await follow(staff, guideId)];
    const target = { couplingId: couplings.beta, guideId };
    const id = await copies.copy({ ...target, hours: [0, 1], title: 'Canal Walk' });
    await copies.tell(guideId, id, 'CREATED');
    const entry = { id, ...range(0, 1), origin: 'FOREIGN', kind: 'BOOKING', offerTitle: 'Canal Walk', replicaAge: 5, disputed: false, instance: { ...beta.info, logo: null }, details: null };
    expect(await next(his)).toEqual({ kind: 'CREATED', entryId: id, instance: { code: 'beta' }, entry });
    await copies.copy({ ...target, id, hours: [2, 3], title: 'Canal Walk' });
    await copies.tell(guideId, id, 'UPDATED');
    expect(await next(his)).toEqual({ kind: 'UPDATED', entryId: id, instance: { code: 'beta' }, entry: { ...entry, ...range(2, 3) } });
    await copies.copy({ ...target, id, hours: [2, 3], ended: true });
    await copies.tell(guideId, id, 'REMOVED');
    expect(await next(his)).toEqual({ kind: 'REMOVED', entryId: id, instance: { code: 'beta' }, entry: null });
    // Events come in order: had staff been told anything, it would be here before this.
    const { assignmentIds } = await house.records.booking(offerId, at(9), { guideIds: [guideId] });
    await house.records.query(`select pg_notify('lotse_event', $1)`, [JSON.stringify({ kind: 'calendar', guideId, assignmentId: assignmentIds[0], change: 'CREATED' })]);
    for (const subscription of [his, theirs]) expect(await next(subscription)).toMatchObject({ kind: 'CREATED', entryId: assignmentIds[0], instance: { code: 'museum' }, entry: { origin: 'LOCAL' } });
    expect(theirs.messages.items).toHaveLength(1);
    expect(his.messages.items).toHaveLength(4);
  });

  test('another guide’s are not told, and what was ended meanwhile is told once, as removed', async () => {
    const { guideId, guide, couplings } = await coupledGuide();
    const other = await coupledGuide();
    const his = await follow(guide, guideId);
    await copies.tell(other.guideId, await copies.copy({ couplingId: other.couplings.beta, guideId: other.guideId, hours: [0, 1] }), 'CREATED');
    const id = await copies.copy({ couplingId: couplings.beta, guideId, hours: [0, 1], ended: true });
    await copies.tell(guideId, id, 'CREATED');
    await copies.tell(guideId, id, 'UPDATED');
    await copies.tell(guideId, id, 'REMOVED');
    expect(await next(his)).toEqual({ kind: 'REMOVED', entryId: id, instance: { code: 'beta' }, entry: null });
    expect(his.messages.items).toHaveLength(1);
  });

  test('an id that two houses use cannot pass for the other’s: load again', async () => {
    const { guideId, guide, couplings } = await coupledGuide();
    const his = await follow(guide, guideId);
    const id = await copies.copy({ couplingId: couplings.beta, guideId, hours: [0, 1] });
    await copies.copy({ id, couplingId: couplings.gamma, guideId, hours: [2, 3], ended: true });
    await copies.tell(guideId, id, 'REMOVED');
    expect(await next(his)).toEqual(REFETCH);
  });

  test('copies that go with their coupling are one REFETCH, however many they were', async () => {
    const { guideId, guide, couplings } = await coupledGuide();
    const his = await follow(guide, guideId);
    await house.records.query(
      `select pg_notify('lotse_event', json_build_object('kind', 'foreign', 'guideId', $1::text, 'foreignId', gen_random_uuid(), 'change', 'REMOVED')::text) from generate_series(1, 60)`,
      [guideId],
    );
    expect(await next(his)).toEqual(REFETCH);
    const id = await copies.copy({ couplingId: couplings.beta, guideId, hours: [0, 1] });
    await copies.tell(guideId, id, 'CREATED');
    expect(await next(his)).toMatchObject({ kind: 'CREATED', entryId: id });
    expect(his.messages.items).toHaveLength(2);
  });
});
