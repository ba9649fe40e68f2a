import { randomUUID } from 'node:crypto';
import { Cleanup } from '../../testkit/cleanup.js';
import { wsClient } from '../../testkit/socket.js';
import { until } from '../../testkit/until.js';
import { couple, type Guide, openPair, type Side } from './support/pair.js';

/* What is shown of a coupled guide: his couplings and their health; his ids, old and new. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let a: Side;
let b: Side;
let guide: Guide;
let other: Guide;
let couplingId: string;
beforeAll(async () => {
  ({ a, b } = await openPair(cleanup));
  [guide, other] = [await a.guide(), await b.guide()];
  couplingId = await couple(a, b, guide, other);
});
afterEach(() => a.clock.reset());

describe('operators', () => {
  test('list the couplings of a link, pause, resume and end them', async () => {
    const [one, there] = [await a.guide(), await b.guide()];
    const id = await couple(a, b, one, there);
    const listed = async (side: Side, partner: string) => ((await side.operator('couplings/list', { partner })) as unknown as { id: string }[]).find((coupling) => coupling.id === id);
    const status = { id, guideId: one.guideId, state: 'ACTIVE', pausedHere: false, pausedThere: false, since: expect.any(String) };
    expect(await listed(a, 'beta')).toEqual(status);
    expect(await a.operator('couplings/pause', { couplingId: id })).toEqual({ ...status, pausedHere: true });
    expect(await listed(b, 'alpha')).toEqual({ ...status, guideId: there.guideId, pausedThere: true });
    expect(await a.operator('couplings/resume', { couplingId: id })).toEqual(status);
    expect(await a.operator('couplings/end', { couplingId: id })).toEqual({ ...status, state: 'ENDED' });
    expect(await listed(b, 'alpha')).toEqual({ ...status, guideId: there.guideId, state: 'ENDED' });
    const logged = await a.records.query(`select action, actor_kind from audit_entry where subject_id = $1 and actor_kind = 'OPERATOR' order by at, action`, [id]);
    expect(logged.map(({ action }) => action as string).toSorted()).toEqual(['coupling.ended', 'coupling.paused', 'coupling.resumed']);
  });
});

describe('a guide with a global id on both sides', () => {
  test('keeps his local id; the older global id survives, the other resolves to him everywhere', async () => {
    const [one, there] = [await a.guide(), await b.guide()];
    const [older, younger] = [`g_${randomUUID()}`, `g_${randomUUID()}`];
    await a.records.query(`update guide set global_id = $2, global_id_minted_at = '2025-01-01' where id = $1`, [one.guideId, younger]);
    await b.records.query(`update guide set global_id = $2, global_id_minted_at = '2024-01-01' where id = $1`, [there.guideId, older]);
    await couple(a, b, one, there);
    for (const [side, person, token] of [[a, one, one.token], [a, one, a.staff], [b, there, b.staff]] as const) {
      for (const id of [person.guideId, older, ...(side === a ? [younger] : [])]) {
        const { data } = await side.api.query<{ guide: unknown }>('query ($id: ID!) { guide(id: $id) { id globalId } }', { id }, token);
        expect(data.guide).toEqual({ id: person.guideId, globalId: older });
      }
    }
    // A session that follows him by the id that lost hears of his next booking.
    const socket = wsClient(a.server.url, () => one.token);
    const { messages } = socket.subscribe('subscription ($id: ID!) { calendarChanged(guideId: $id) { kind entryId } }', { id: younger });
    await until(async () => (await a.records.query('select 1 from session_subscription where guide_id = $1', [one.guideId])).length === 1);
    const offerId = await a.records.offer();
    const { data } = await a.api.query<{ createBooking: { booking: { assignments: { id: string }[] } } }>(
      `mutation ($input: CreateBookingInput!) { createBooking(input: $input) { ... on BookingPayload { booking { assignments { id } } } } }`,
      { input: { idempotencyKey: randomUUID(), offerId, customer: { name: 'Customer' }, guideIds: [one.guideId], time: { start: '2027-06-01T10:00:00Z' } } },
      a.staff,
    );
    const [assignment] = data.createBooking.booking.assignments;
    await until(async () => messages.items.length > 0);
    expect(messages.items).toMatchObject([{ data: { calendarChanged: { kind: 'CREATED', entryId: assignment?.id } } }]);
    await socket.dispose();
  });
});

describe('the health of a coupling', () => {
  const health = async (token = a.staff): Promise<unknown> => {
    const { data } = await a.api.query<{ guide: { couplings: { health: unknown }[] } }>(`query ($id: ID!) { guide(id: $id) { couplings { health } } }`, { id: guide.guideId }, token);
    return data.guide.couplings.map((coupling) => coupling.health);
  };
  /** The partner is heard no more, and was heard so many seconds ago. */
  const silentFor = async (seconds: number): Promise<void> => {
    await a.records.query('update sync_peer set last_contact_at = $1', [new Date(a.clock.now().getTime() - seconds * 1_000)]);
  };
  beforeAll(() => b.stop());
  test.each([
    [1, 'LIVE'],
    [50, 'LIVE'],
    [70, 'DELAYED'],
    [590, 'DELAYED'],
    [610, 'UNREACHABLE'],
    [100_000, 'UNREACHABLE'],
  ])('%i s after the last sign of life it is %s, for staff and for the guide', async (seconds, expected) => {
    await silentFor(seconds);
    expect([await health(), await health(guide.token)]).toEqual([[expected], [expected]]);
  });

  test('before any sign of life it is DELAYED, and after ten minutes UNREACHABLE', async () => {
    await a.records.query('update sync_peer set last_contact_at = null');
    expect(await health()).toEqual(['DELAYED']);
    await a.records.query(`update link set updated_at = updated_at - interval '11 minutes'`);
    expect(await health()).toEqual(['UNREACHABLE']);
  });

  test('a pause counts more than silence, a suspension more than a pause', async () => {
    await silentFor(700);
    await a.change('pauseCoupling', { couplingId });
    expect(await health()).toEqual(['PAUSED']);
    await a.operator('links/suspend', { partner: 'beta' });
    expect(await health()).toEqual(['SUSPENDED']);
    await a.change('resumeCoupling', { couplingId });
    expect(await health()).toEqual(['SUSPENDED']);
    await a.operator('links/resume', { partner: 'beta' });
    expect(await health()).toEqual(['UNREACHABLE']);
  });

  test('is null while nothing is in force, and one statement for a page of guides', async () => {
    const [single] = await a.records.query<{ id: string }>('select id from link');
    const asked = await a.guide();
    await a.records.query(
      `insert into coupling (id, link_id, guide_id, state, requested_here, created_at, updated_at) values ($1, $2, $3, 'REQUESTED', true, now(), now())`,
      [randomUUID(), single?.id, asked.guideId],
    );
    const { data } = await a.api.query<{ guide: { couplings: unknown } }>(`query ($id: ID!) { guide(id: $id) { couplings { state health } } }`, { id: asked.guideId }, a.staff);
    expect(data.guide.couplings).toEqual([{ state: 'REQUESTED', health: null }]);
  });
});
