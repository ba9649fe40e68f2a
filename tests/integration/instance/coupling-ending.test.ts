import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { Cleanup } from '../../testkit/cleanup.js';
import { until } from '../../testkit/until.js';
import { connect, couple, Deliveries, type Guide, openPair, plantForeign, Side } from './support/pair.js';
import { at } from './support/house.js';

/* Pauses and ends of couplings and links, while the partner is down, calls are lost or come late. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let a: Side;
let b: Side;
let deliveries: Deliveries;
beforeAll(async () => {
  ({ a, b } = await openPair(cleanup));
  deliveries = await Deliveries.open(cleanup, a, b);
});
afterEach(() => {
  a.way.fate = 'pass';
  b.way.fate = 'pass';
});

async function coupled(): Promise<{ one: Guide; other: Guide; couplingId: string }> {
  const [one, other] = [await a.guide(), await b.guide()];
  return { one, other, couplingId: await couple(a, b, one, other) };
}
const states = async (id: string): Promise<(string | undefined)[]> => [(await a.coupling(id))?.state, (await b.coupling(id))?.state];
const paused = async (id: string): Promise<unknown[]> => [a, b].map((side) => side.coupling(id)).reduce<Promise<unknown[]>>(async (all, row) => [...(await all), [(await row)?.paused_here, (await row)?.paused_there]], Promise.resolve([]));

describe('a pause', () => {
  test('is told at once, shown on both sides, and taken back by the side that made it', async () => {
    const { couplingId, one } = await coupled();
    const held = await a.change('pauseCoupling', { couplingId });
    expect(held.coupling).toMatchObject({ state: 'PAUSED', health: 'PAUSED', pausedHere: true, pausedThere: false });
    expect(await paused(couplingId)).toEqual([[true, false], [false, true]]);
    expect((await b.change('resumeCoupling', { couplingId })).coupling).toMatchObject({ state: 'PAUSED', pausedHere: false, pausedThere: true });
    const { data } = await b.api.query<{ guide: { couplings: unknown } }>(`query ($id: ID!) { guide(id: $id) { couplings { state health } } }`, { id: `g_${couplingId}` }, b.staff);
    expect(data.guide.couplings).toEqual([{ state: 'PAUSED', health: 'PAUSED' }]);
    expect((await a.change('resumeCoupling', { couplingId })).coupling?.state).toBe('ACTIVE');
    expect(await paused(couplingId)).toEqual([[false, false], [false, false]]);
    expect((await a.api.query(`mutation ($input: CouplingInput!) { pauseCoupling(input: $input) { __typename } }`, { input: { couplingId } }, one.token)).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });

  test('by both sides lasts until both have resumed', async () => {
    const { couplingId } = await coupled();
    await Promise.all([a.change('pauseCoupling', { couplingId }), b.change('pauseCoupling', { couplingId })]);
    expect(await paused(couplingId)).toEqual([[true, true], [true, true]]);
    expect((await a.change('resumeCoupling', { couplingId })).coupling?.state).toBe('PAUSED');
    expect((await b.change('resumeCoupling', { couplingId })).coupling?.state).toBe('ACTIVE');
  });

  test.each(['lose call', 'lose answer'] as const)('with a way that says "%s" counts here, and there when it is delivered', async (fate) => {
    const { couplingId } = await coupled();
    b.way.fate = fate;
    expect((await a.change('pauseCoupling', { couplingId })).coupling?.state).toBe('PAUSED');
    expect((await b.coupling(couplingId))?.paused_there).toBe(fate === 'lose answer');
    b.way.fate = 'pass';
    await deliveries.deliver(a, b);
    await until(async () => (await b.coupling(couplingId))?.paused_there);
  });

  test('that comes late does not undo what is newer, and one of a higher incarnation counts whatever its version', async () => {
    const { couplingId } = await coupled();
    b.way.fate = 'lose call';
    await a.change('pauseCoupling', { couplingId });
    const late = await deliveries.waiting(a, b);
    expect(late.map((item) => [item.couplingId === couplingId, item.paused])).toContainEqual([true, true]);
    await a.change('resumeCoupling', { couplingId });
    b.way.fate = 'pass';
    await deliveries.deliver(a, b);
    await deliveries.deliver(a, b, late);
    expect(await paused(couplingId)).toEqual([[false, false], [false, false]]);
    const restored = late.map((item) => Object.assign(item, { version: 1 }));
    await deliveries.deliver(a, b, restored, 2);
    expect((await b.coupling(couplingId))?.paused_there).toBe(true);
    await deliveries.deliver(a, b, late.map((item) => Object.assign(item, { version: 90, paused: false })), 1);
    expect((await b.coupling(couplingId))?.paused_there).toBe(true);
  });

  test('keeps changes waiting on both sides, and lets them go when both have resumed', async () => {
    const { couplingId, one, other } = await coupled();
    await deliveries.quiet(a, b);
    await Promise.all([a.change('pauseCoupling', { couplingId }), b.change('pauseCoupling', { couplingId })]);
    const made = async (side: Side, guideId: string) => (await side.records.booking(await side.records.offer(), at(3), { guideIds: [guideId] })).assignmentIds;
    const [fromA, fromB] = [await made(a, one.guideId), await made(b, other.guideId)];
    await a.change('resumeCoupling', { couplingId });
    await deliveries.quiet(a, b);
    expect([await a.count('foreign_booking', couplingId), await b.count('foreign_booking', couplingId)]).toEqual([0, 0]);
    const waiting = (side: Side) => side.records.query(`select record_id as id from outbox where coupling_id = $1 and kind = 'ASSIGNMENT'`, [couplingId]);
    expect([await waiting(a), await waiting(b)]).toEqual([[{ id: fromA[0] }], [{ id: fromB[0] }]]);
    await b.change('resumeCoupling', { couplingId });
    const received = (side: Side) => side.records.query(`select id from foreign_booking where coupling_id = $1`, [couplingId]);
    await until(async () => (await received(a)).length + (await received(b)).length === 2);
    expect([await received(a), await received(b)]).toEqual([[{ id: fromB[0] }], [{ id: fromA[0] }]]);
  });

  test('is for active couplings alone', async () => {
    const guide = await a.guide();
    const { coupling } = await a.change('requestCoupling', { idempotencyKey: randomUUID(), guideId: guide.guideId, instance: 'beta' });
    expect(await a.change('pauseCoupling', { couplingId: coupling?.id })).toEqual({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field: 'input.couplingId', reason: 'CONFLICTING' });
    expect(await a.change('pauseCoupling', { couplingId: randomUUID() })).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.couplingId' });
  });
});

/** Of both sides: what was received, rules made there and here, and what else waits. */
async function furnish({ couplingId, one, other }: { couplingId: string; one: Guide; other: Guide }): Promise<void> {
  for (const [side, guide, there] of [[a, one, 'beta'], [b, other, 'alpha']] as const) {
    await plantForeign(side, couplingId, guide.guideId, at(2));
    for (const origin of [side.code, there, 'gamma']) {
      await side.records.query(
        `insert into availability_rule (id, guide_id, origin, time_zone, start_time, duration_minutes, rrule, valid_from, stamp, holidays_stamp, created_at, updated_at)
         values ($1, $2, $3, 'Europe/Berlin', '09:00', 60, 'FREQ=WEEKLY', '2027-01-01', '', '', now(), now())`,
        [randomUUID(), guide.guideId, origin],
      );
    }
    await side.records.query(`select outbox_put(link_id, id, 'PROFILE', guide_id) from coupling where id = $1`, [couplingId]);
    await side.records.query(`update guide set phone = '+49 1' where id = $1`, [guide.guideId]);
  }
}

async function left(side: Side, couplingId: string, guide: Guide): Promise<unknown> {
  const { records } = side;
  const one = async (text: string, value: string) => (await records.query<{ value: unknown }>(text, [value]))[0]?.value;
  return {
    foreign: await side.count('foreign_booking', couplingId),
    rules: await one(`select array_agg(origin order by origin) as value from availability_rule where guide_id = $1`, guide.guideId),
    waiting: await one(`select coalesce(array_agg(kind::text), '{}') as value from outbox where coupling_id = $1 and kind <> 'COUPLING'`, couplingId),
    phone: await one('select phone as value from guide where id = $1', guide.guideId),
    globalId: await one('select global_id as value from guide where id = $1', guide.guideId),
  };
}
const purged = (code: string, couplingId: string) => ({ foreign: 0, rules: [code, 'gamma'].sort(), waiting: [], phone: '+49 1', globalId: `g_${couplingId}` });

describe('an end', () => {
  const enders: [string, (ready: { couplingId: string; one: Guide; other: Guide }) => Promise<unknown>][] = [
    ['staff of the house that asked', ({ couplingId }) => a.change('endCoupling', { couplingId })],
    ['staff of the other house', ({ couplingId }) => b.change('endCoupling', { couplingId })],
    ['the guide', ({ couplingId, other }) => b.change('endCoupling', { couplingId }, other.token)],
    ['both at once', ({ couplingId }) => Promise.all([a.change('endCoupling', { couplingId }), b.change('endCoupling', { couplingId })])],
    ['an operator', ({ couplingId }) => a.operator('couplings/end', { couplingId })],
    ['the end of the link', () => b.operator('links/end', { partner: 'alpha' })],
  ];
  test.each(enders)('by %s purges what was received in both houses; profiles, own rules and those of others stay', async (who, end) => {
    const ready = await coupled();
    await furnish(ready);
    await end(ready);
    expect(await states(ready.couplingId)).toEqual(['ENDED', 'ENDED']);
    expect(await left(a, ready.couplingId, ready.one)).toEqual(purged('alpha', ready.couplingId));
    expect(await left(b, ready.couplingId, ready.other)).toEqual(purged('beta', ready.couplingId));
    if (who === 'the end of the link') await connect(a, b);
  });

  test('and a refusal are seen by the staff who asked and by the guide, on demand; everywhere else they are gone', async () => {
    const { couplingId, one } = await coupled();
    await b.change('endCoupling', { couplingId });
    const { coupling } = await a.change('requestCoupling', { idempotencyKey: randomUUID(), guideId: one.guideId, instance: 'beta' });
    await b.change('endCoupling', { couplingId: coupling?.id });
    const ask = async (token: string) =>
      (await a.api.query<{ guide: unknown }>(`query ($id: ID!) { guide(id: $id) { couplings { id } all: couplings(includeEnded: true) { id state health instance { code } } } }`, { id: one.guideId }, token)).data.guide;
    const beta = { health: null, instance: { code: 'beta' } };
    const expected = { couplings: [], all: [{ id: coupling?.id, state: 'DECLINED', ...beta }, { id: couplingId, state: 'ENDED', ...beta }] };
    expect([await ask(a.staff), await ask(one.token)]).toEqual([expected, expected]);
  });

  test('of one the guide is not in is none of his', async () => {
    const { couplingId } = await coupled();
    const stranger = await a.guide();
    expect(await a.change('endCoupling', { couplingId }, stranger.token)).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.couplingId' });
    expect(await states(couplingId)).toEqual(['ACTIVE', 'ACTIVE']);
  });

  test.each(['lose call', 'lose answer'] as const)('with a way that says "%s" counts here at once, and there when it is delivered; nothing late revives it', async (fate) => {
    const ready = await coupled();
    const { couplingId } = ready;
    await furnish(ready);
    b.way.fate = 'lose call';
    await a.change('pauseCoupling', { couplingId });
    const late = await deliveries.waiting(a, b);
    b.way.fate = fate;
    expect((await a.change('endCoupling', { couplingId })).coupling?.state).toBe('ENDED');
    expect((await b.coupling(couplingId))?.state).toBe(fate === 'lose call' ? 'ACTIVE' : 'ENDED');
    b.way.fate = 'pass';
    await deliveries.deliver(a, b);
    await until(async () => (await states(couplingId)).join() === 'ENDED,ENDED');
    expect(await deliveries.deliver(a, b, late)).toContainEqual({ state: 'ENDED' });
    expect(await states(couplingId)).toEqual(['ENDED', 'ENDED']);
    expect(await left(b, couplingId, ready.other)).toEqual(purged('beta', couplingId));
  });

  test('while the partner’s server is down for as long as it takes is told when it is back', async () => {
    const ready = await coupled();
    await furnish(ready);
    await b.stop();
    expect((await a.change('endCoupling', { couplingId: ready.couplingId })).coupling?.state).toBe('ENDED');
    expect((await deliveries.waiting(a, b)).filter((item) => item.couplingId === ready.couplingId)).toMatchObject([{ state: 'ENDED', paused: false, confirmed: false, coupledWith: [] }]);
    await b.start();
    expect((await b.coupling(ready.couplingId))?.state).toBe('ACTIVE');
    await deliveries.deliver(a, b);
    await until(async () => (await b.coupling(ready.couplingId))?.state === 'ENDED');
    expect(await left(b, ready.couplingId, ready.other)).toEqual(purged('beta', ready.couplingId));
  });

  test('is learned by a house that was restored from before it, as soon as it speaks of the coupling', async () => {
    const { couplingId } = await coupled();
    await a.change('endCoupling', { couplingId });
    // Nothing of beta's own is on its way that would tell it.
    await deliveries.quiet(a, b);
    await a.records.query(`update coupling set state = 'ACTIVE' where id = $1`, [couplingId]);
    await a.records.query(`delete from outbox where coupling_id = $1`, [couplingId]);
    await a.records.query(`select outbox_put(link_id, id, 'COUPLING', id) from coupling where id = $1`, [couplingId]);
    await deliveries.deliver(a, b);
    await until(async () => (await a.coupling(couplingId))?.state === 'ENDED');
  });

  test('tells the guide’s sockets of every foreign booking that goes, and of no other', async () => {
    const { couplingId, one } = await coupled();
    const [gone, ended] = [await plantForeign(a, couplingId, one.guideId, at(1)), await plantForeign(a, couplingId, one.guideId, at(5))];
    await a.records.query('update foreign_booking set ended = true where id = $1', [ended]);
    const listener = cleanup.own(new Client({ connectionString: a.instance.roleUrl('worker') }), (client) => client.end());
    await listener.connect();
    await listener.query('listen lotse_event');
    const heard: { kind: string }[] = [];
    listener.on('notification', ({ payload }) => heard.push(JSON.parse(payload ?? '{}') as { kind: string }));
    await a.change('endCoupling', { couplingId });
    await until(async () => heard.some(({ kind }) => kind === 'links'));
    expect(heard.filter(({ kind }) => kind === 'foreign')).toEqual([{ kind: 'foreign', guideId: one.guideId, foreignId: gone, change: 'REMOVED' }]);
  });

  test('is final: the next coupling of the two has a new id, and calls about the old one change nothing', async () => {
    const { couplingId, one, other } = await coupled();
    await a.change('endCoupling', { couplingId });
    const next = await couple(a, b, one, other);
    expect(next).not.toBe(couplingId);
    for (const [mutation, code] of [['confirmCoupling', 'NOT_FOUND'], ['pauseCoupling', 'INVALID_INPUT']] as const) {
      expect((await a.change(mutation, { couplingId }, mutation === 'confirmCoupling' ? one.token : undefined)).code).toBe(code);
    }
    expect((await a.change('endCoupling', { couplingId })).coupling?.state).toBe('ENDED');
    expect(await states(couplingId)).toEqual(['ENDED', 'ENDED']);
    expect(await states(next)).toEqual(['ACTIVE', 'ACTIVE']);
    expect(await a.records.query(`select global_id from guide where id = $1`, [one.guideId])).toEqual([{ global_id: `g_${couplingId}` }]);
  });
});

describe('the suspension of a link', () => {
  const there = async (): Promise<boolean> => (await b.records.query<{ suspended_there: boolean }>(`select suspended_there from link where state = 'ACTIVE'`))[0]?.suspended_there ?? false;
  const tellPartners = (side: Side) => side.records.query(`select enqueue_job('tell-partners', '{}', 'tell-partners-now')`);
  const logged = async (): Promise<string[]> => (await b.records.query<{ action: string }>(`select action from audit_entry where action in ('link.suspended', 'link.resumed') order by at, id`)).map(({ action }) => action);

  test.each(['suspend', 'resume'] as const)('reaches a partner who did not hear of it: %s', async (action) => {
    if (action === 'resume') await a.operator('links/suspend', { partner: 'beta' });
    b.way.fate = 'lose call';
    expect((await a.operator(`links/${action}`, { partner: 'beta' }))['partnerTold']).toBe(false);
    expect(await there()).toBe(action === 'resume');
    b.way.fate = 'pass';
    await until(async () => {
      await tellPartners(a);
      return (await there()) === (action === 'suspend');
    }, 20_000);
    await a.operator('links/resume', { partner: 'beta' });
    expect(await there()).toBe(false);
  });

  test('that comes late does not stay, and is one entry of the action log however often it is told', async () => {
    const before = (await logged()).length;
    const link = `update link set suspended_there = true where state = 'ACTIVE'`;
    await b.records.query(link);
    await b.records.query(`select pg_notify('lotse_event', '{"kind":"links"}')`);
    await until(async () => {
      await tellPartners(a);
      return !(await there());
    }, 20_000);
    for (let time = 0; time < 3; time += 1) expect((await a.operator('links/suspend', { partner: 'beta' }))['partnerTold']).toBe(true);
    for (let time = 0; time < 3; time += 1) expect((await a.operator('links/resume', { partner: 'beta' }))['partnerTold']).toBe(true);
    expect((await logged()).slice(before)).toEqual(['link.resumed', 'link.suspended', 'link.resumed']);
  });
});

describe('the end of a link', () => {
  const status = (side: Side) => side.records.query<{ state: string; told: boolean; keys: number }>(
    `select state, end_notice_at is null as told, (select count(*)::int from link_key k where k.link_id = l.id and side = 'OWN') as keys from link l order by created_at desc limit 1`,
  );
  const tellPartners = (side: Side) => side.records.query(`select enqueue_job('tell-partners', '{}', 'tell-partners-now')`);

  test.each(['lose call', 'lose answer', 'down'] as const)('reaches a partner whose way says "%s", later', async (fate) => {
    const { couplingId } = await coupled();
    if (fate === 'down') await b.stop();
    else b.way.fate = fate;
    expect((await a.operator('links/end', { partner: 'beta' }))['partnerTold']).toBe(false);
    expect(await status(a)).toEqual([{ state: 'ENDED', told: false, keys: 1 }]);
    expect((await a.coupling(couplingId))?.state).toBe('ENDED');
    expect((await b.coupling(couplingId))?.state).toBe(fate === 'lose answer' ? 'ENDED' : 'ACTIVE');
    if (fate === 'down') await b.start();
    b.way.fate = 'pass';
    a.clock.advance({ minutes: 2 });
    b.clock.advance({ minutes: 2 });
    await tellPartners(a);
    await until(async () => (await status(a))[0]?.told);
    a.clock.reset();
    b.clock.reset();
    expect(await status(a)).toEqual([{ state: 'ENDED', told: true, keys: 0 }]);
    expect(await states(couplingId)).toEqual(['ENDED', 'ENDED']);
    expect((await status(b))[0]?.state).toBe('ENDED');
    await connect(a, b);
  });

  test('by both sides at once is heard by both', async () => {
    const { couplingId } = await coupled();
    const told = await Promise.all([a.operator('links/end', { partner: 'beta' }), b.operator('links/end', { partner: 'alpha' })]);
    expect(told.map((answer) => answer['partnerTold'])).toEqual([true, true]);
    expect(await states(couplingId)).toEqual(['ENDED', 'ENDED']);
    await connect(a, b);
  });

  test('is the last word: over a link that has ended nothing is heard but that', async () => {
    const { couplingId } = await coupled();
    b.way.fate = 'lose call';
    await a.operator('links/end', { partner: 'beta' });
    expect((await b.change('pauseCoupling', { couplingId })).coupling?.state).toBe('PAUSED');
    expect(await a.coupling(couplingId)).toMatchObject({ state: 'ENDED', paused_there: false });
    b.way.fate = 'pass';
  });
});
