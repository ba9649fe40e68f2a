import { randomUUID } from 'node:crypto';
import { Cleanup } from '../../testkit/cleanup.js';
import { Session } from '../../testkit/session.js';
import { until } from '../../testkit/until.js';
import { connect, couple, Deliveries, type Guide, openPair, Side } from './support/pair.js';

/* Two houses that ask, accept and confirm, while calls and answers between them are lost. */

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

const key = (): string => randomUUID();
const rows = (side: Side, name: string) => side.records.query(`select state from coupling where requested_name = $1 or guide_id in (select id from guide where first_name || ' ' || last_name = $1)`, [name]);
const nameOf = async (side: Side, guideId: string): Promise<string> => (await side.records.query<{ name: string }>(`select first_name || ' ' || last_name as name from guide where id = $1`, [guideId]))[0]?.name ?? '';

async function requested(guide: Guide): Promise<string> {
  const { coupling } = await a.change('requestCoupling', { idempotencyKey: key(), guideId: guide.guideId, instance: 'beta' });
  return coupling?.id ?? '';
}

/** Requests that beta has and of which alpha knows nothing. */
async function orphans(): Promise<string[]> {
  const there = await b.records.query<{ id: string }>(`select id from coupling where state = 'REQUESTED' and not requested_here`);
  const here = new Set((await a.records.query<{ id: string }>('select id from coupling')).map(({ id }) => id));
  return there.map(({ id }) => id).filter((id) => !here.has(id));
}

describe('a request', () => {
  test.each([
    ['lose call', 0],
    ['lose answer', 1],
  ] as const)('whose way says "%s" is repeated and made once', async (fate, there) => {
    const guide = await a.guide();
    const name = await nameOf(a, guide.guideId);
    const input = { idempotencyKey: key(), guideId: guide.guideId, instance: 'beta' };
    b.way.fate = fate;
    expect(await a.change('requestCoupling', input)).toEqual({ __typename: 'PartnerUnavailableError', code: 'PARTNER_UNAVAILABLE' });
    expect([await rows(a, name), (await rows(b, name)).length]).toEqual([[], there]);
    b.way.fate = 'pass';
    const made = await a.change('requestCoupling', input);
    expect(made.coupling?.state).toBe('REQUESTED');
    expect((await a.change('requestCoupling', input)).coupling?.id).toBe(made.coupling?.id);
    expect([await rows(a, name), await rows(b, name)]).toEqual([[{ state: 'REQUESTED' }], [{ state: 'REQUESTED' }]]);
  });

  test('for a guide who is coupled with that house is refused, and the other house hears that it is over even if the call is lost', async () => {
    const guide = await a.guide();
    const other = await b.guide();
    await couple(a, b, guide, other);
    b.way.fate = (path) => (path === '/partner/v1/couplings/request' ? 'pass' : 'lose call');
    const refused = await a.change('requestCoupling', { idempotencyKey: key(), guideId: guide.guideId, instance: 'beta' });
    expect(refused).toEqual({ __typename: 'AlreadyExistsError', code: 'ALREADY_EXISTS' });
    expect(await orphans()).toHaveLength(1);
    b.way.fate = 'pass';
    await deliveries.deliver(a, b);
    expect(await orphans()).toEqual([]);
  });

  describe('of which the other house has heard and this one knows nothing', () => {
    /** The answer is lost; the process might as well have died. */
    async function halfAsked() {
      const guide = await a.guide();
      const input = { idempotencyKey: key(), guideId: guide.guideId, instance: 'beta' };
      b.way.fate = 'lose answer';
      expect((await a.change('requestCoupling', input)).code).toBe('PARTNER_UNAVAILABLE');
      b.way.fate = 'pass';
      const [id = '', ...others] = await orphans();
      expect(others).toEqual([]);
      return { input, id };
    }

    test('is over there after half a minute; repeated after that it is another one', async () => {
      const { input, id } = await halfAsked();
      const [waiting] = await a.records.query<{ retry_at: Date }>(`select retry_at from outbox where coupling_id = $1 and kind = 'COUPLING'`, [id]);
      expect(waiting?.retry_at.getTime()).toBeGreaterThan(a.clock.now().getTime() + 20_000);
      expect((await b.coupling(id))?.state).toBe('REQUESTED');
      a.clock.advance({ seconds: 31 });
      await until(async () => (await b.coupling(id))?.state === 'DECLINED', 40_000);
      a.clock.advance({ seconds: -31 });
      // What the other house says of that end is not taken for an answer to what is asked anew.
      await deliveries.deliver(b, a);
      expect(await a.coupling(id)).toMatchObject({ state: 'DECLINED' });
      const { coupling } = await a.change('requestCoupling', input);
      expect(coupling?.id).not.toBe(id);
      expect([(await a.coupling(coupling?.id ?? ''))?.state, (await b.coupling(coupling?.id ?? ''))?.state, await orphans()]).toEqual(['REQUESTED', 'REQUESTED', []]);
      expect((await a.change('requestCoupling', input)).coupling?.id).toBe(coupling?.id);
    });

    test('is this one, where it is repeated before that; nothing ends it then', async () => {
      const { input, id } = await halfAsked();
      expect((await a.change('requestCoupling', input)).coupling?.id).toBe(id);
      // Told at once: had it been heard meanwhile that there is none, it would be over in both.
      expect(await a.records.query('select 1 from outbox where coupling_id = $1 and retry_at is not null', [id])).toEqual([]);
      await deliveries.deliver(a, b);
      await deliveries.deliver(a, b);
      expect([(await a.coupling(id))?.state, (await b.coupling(id))?.state]).toEqual(['REQUESTED', 'REQUESTED']);
    });

    test('is over in both where it comes to be kept here after that', async () => {
      const { input, id } = await halfAsked();
      await deliveries.deliver(a, b);
      expect((await b.coupling(id))?.state).toBe('DECLINED');
      await b.records.query('delete from outbox where coupling_id = $1', [id]);
      // As a process does that was stopped after it had its answer. In one statement: the end may still be on its way here.
      await a.records.query(`
        insert into coupling (id, link_id, guide_id, state, requested_here, created_at, updated_at)
          select $1, id, $2, 'REQUESTED', true, now(), now() from link where partner_code = 'beta'
          on conflict (id) do update set guide_id = excluded.guide_id, state = excluded.state, requested_here = true`, [id, input.guideId]);
      await a.records.query(`select outbox_put(link_id, id, 'COUPLING', id) from coupling where id = $1`, [id]);
      await deliveries.deliver(a, b);
      await until(async () => (await a.coupling(id))?.state === 'DECLINED');
    });

    test('and that comes after its end is not one any more', async () => {
      const { id } = await halfAsked();
      await b.records.query('delete from coupling where id = $1', [id]);
      await deliveries.deliver(a, b);
      expect(await b.coupling(id)).toMatchObject({ state: 'DECLINED', guide_id: null });
      expect(await b.count('outbox', id)).toBe(0);
      // The other house is spared what nobody here has ever seen, and forgets it when nothing can be as late.
      expect(JSON.stringify(await b.operator('couplings/list', { partner: 'alpha' }))).not.toContain(id);
      await b.records.query(`select forget_buried_couplings(now() - interval '1 hour')`);
      expect(await b.coupling(id)).toBeDefined();
      await b.records.query('select forget_buried_couplings($1)', [new Date(b.clock.now().getTime() + 1_000)]);
      expect(await b.coupling(id)).toBeUndefined();
    });

    test('and whose end comes at the same moment is over', async () => {
      const couplingId = randomUUID();
      const [link] = await b.records.query<{ id: string }>(`select id from link where partner_code = 'alpha'`);
      const slow = await Session.begin(b.instance.database);
      await slow.run(`insert into coupling (id, link_id, state, requested_here, requested_name, created_at, updated_at) values ($1, $2, 'REQUESTED', false, 'N', now(), now())`, [couplingId, link?.id]);
      await a.records.query(`select outbox_put(id, $1, 'COUPLING', $1) from link where partner_code = 'beta'`, [couplingId]);
      const delivered = deliveries.deliver(a, b);
      await slow.isWaitedFor().finally(() => slow.end());
      await delivered;
      expect((await b.coupling(couplingId))?.state).toBe('DECLINED');
    });

    test('leaves nothing behind where the other house says no', async () => {
      const guide = await a.guide();
      await connect(a, await Side.open(cleanup, 'theta'));
      await a.records.seed.coupling({ id: randomUUID(), link: { partnerCode: 'theta' }, guideId: guide.guideId, globalId: `g_${randomUUID()}` });
      const refused = await a.change('requestCoupling', { idempotencyKey: key(), guideId: guide.guideId, instance: 'beta' });
      expect(refused.reason).toBe('CONFLICTING');
      expect(await a.records.query(`select 1 from outbox where kind = 'COUPLING' and retry_at is not null`)).toEqual([]);
    });
  });

  test.each([
    ['whose key was used for another one', true],
    ['whose key is none', false],
  ])('%s is refused, and the other house is not left with it', async (_what, isReused) => {
    const [guide, another] = [await a.guide(), await a.guide()];
    const idempotencyKey = isReused ? key() : '';
    if (isReused) await a.change('requestCoupling', { idempotencyKey, guideId: guide.guideId, instance: 'beta' });
    expect((await a.change('requestCoupling', { idempotencyKey, guideId: another.guideId, instance: 'beta' })).code).toBe(isReused ? 'IDEMPOTENCY_KEY_REUSED' : 'INVALID_INPUT');
    await deliveries.deliver(a, b);
    expect(await orphans()).toEqual([]);
  });
});

describe('an acceptance', () => {
  test('whose answer is lost is repeated, and repeated again without effect', async () => {
    const [guide, other] = [await a.guide(), await b.guide()];
    const couplingId = await requested(guide);
    await deliveries.deliver(a, b);
    const { version: before = 0 } = (await b.coupling(couplingId)) ?? {};
    const input = { couplingId, guideId: other.guideId };
    a.way.fate = 'lose answer';
    expect((await b.change('acceptCoupling', input)).code).toBe('PARTNER_UNAVAILABLE');
    expect([(await a.coupling(couplingId))?.state, (await b.coupling(couplingId))?.state]).toEqual(['ACCEPTED', 'REQUESTED']);
    a.way.fate = 'pass';
    const accepted = await b.change('acceptCoupling', input);
    expect(accepted.coupling).toMatchObject({ state: 'ACCEPTED', guide: { id: other.guideId } });
    expect(await b.change('acceptCoupling', input)).toEqual(accepted);
    const { version } = (await b.coupling(couplingId)) ?? {};
    expect(version).toBe(before + 1);
    expect(await b.change('acceptCoupling', { couplingId, guideId: (await b.guide()).guideId })).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.couplingId' });
  });

  test('makes the guide from the request, once, however often and by how many at once it is asked for', async () => {
    const guideId = await a.records.guide({ firstName: 'Anna Maria', lastName: 'Berg' });
    const { coupling } = await a.change('requestCoupling', { idempotencyKey: key(), guideId, instance: 'beta' });
    const input = { couplingId: coupling?.id, createGuide: { languages: ['it'] } };
    const answers = await Promise.all([1, 2, 3].map(() => b.change('acceptCoupling', input)));
    expect(new Set(answers.map((answer) => answer.coupling?.guide?.id)).size).toBe(1);
    expect(answers.map((answer) => answer.coupling?.guide?.displayName)).toEqual(['Anna Maria Berg', 'Anna Maria Berg', 'Anna Maria Berg']);
    const made = await b.records.query(`select first_name, last_name, languages from guide where last_name = 'Berg'`);
    expect(made).toEqual([{ first_name: 'Anna Maria', last_name: 'Berg', languages: ['it'] }]);
    expect((await b.coupling(coupling?.id ?? ''))?.state).toBe('ACCEPTED');
  });

  test('takes the names that staff give, and refuses what is no guide', async () => {
    const guideId = await a.records.guide({ firstName: 'Li', lastName: 'Wei' });
    const { coupling } = await a.change('requestCoupling', { idempotencyKey: key(), guideId, instance: 'beta' });
    const couplingId = coupling?.id;
    const refused = async (rest: Record<string, unknown>) => {
      const { code, field, reason } = await b.change('acceptCoupling', { couplingId, ...rest });
      return [code, field, reason];
    };
    expect(await refused({})).toEqual(['INVALID_INPUT', 'input.guideId', 'CONFLICTING']);
    expect(await refused({ guideId: (await b.guide()).guideId, createGuide: {} })).toEqual(['INVALID_INPUT', 'input.guideId', 'CONFLICTING']);
    expect(await refused({ createGuide: { firstName: '  ' } })).toEqual(['INVALID_INPUT', 'input.createGuide.firstName', 'REQUIRED']);
    expect(await refused({ createGuide: { offerIds: ['none'] } })).toEqual(['NOT_FOUND', 'input.createGuide.offerIds.0', undefined]);
    expect(await refused({ createGuide: { offerIds: [randomUUID()] } })).toEqual(['NOT_FOUND', 'input.createGuide.offerIds', undefined]);
    expect(await b.records.query(`select id from guide where last_name = 'Wei'`)).toEqual([]);
    const accepted = await b.change('acceptCoupling', { couplingId, createGuide: { firstName: 'Wei', lastName: 'Li' } });
    expect(accepted.coupling?.guide?.displayName).toBe('Wei Li');
  });
});

describe('the guide’s own agreement', () => {
  test.each([
    ['lose call', 'lose call'],
    ['lose call', 'pass'],
    ['pass', 'lose call'],
    ['lose answer', 'lose answer'],
    ['pass', 'lose answer'],
  ] as const)('makes it active in both houses though the ways say "%s" and "%s"', async (toB, toA) => {
    const [guide, other] = [await a.guide(), await b.guide()];
    const couplingId = await requested(guide);
    await b.change('acceptCoupling', { couplingId, guideId: other.guideId });
    b.way.fate = toB;
    await a.change('confirmCoupling', { couplingId }, guide.token);
    a.way.fate = toA;
    await b.change('confirmCoupling', { couplingId }, other.token);
    a.way.fate = 'pass';
    b.way.fate = 'pass';
    await deliveries.deliver(a, b);
    await deliveries.deliver(b, a);
    await until(async () => (await a.coupling(couplingId))?.state === 'ACTIVE' && (await b.coupling(couplingId))?.state === 'ACTIVE');
    const globalId = (side: Side, id: string) => side.records.query(`select global_id from guide where id = $1`, [id]);
    expect(await globalId(a, guide.guideId)).toEqual([{ global_id: `g_${couplingId}` }]);
    expect(await globalId(b, other.guideId)).toEqual([{ global_id: `g_${couplingId}` }]);
  });

  test('is never replaced by what the other house says', async () => {
    const [guide, other] = [await a.guide(), await b.guide()];
    const couplingId = await requested(guide);
    await b.change('acceptCoupling', { couplingId, guideId: other.guideId });
    await a.change('confirmCoupling', { couplingId }, guide.token);
    await deliveries.deliver(a, b);
    const [item] = await deliveries.deliver(a, b, [{ kind: 'COUPLING', couplingId, recordId: couplingId, state: 'OPEN', version: 99, paused: false, confirmed: true, coupledWith: [] }]);
    expect(item).toEqual({ state: 'OPEN' });
    expect((await b.coupling(couplingId))?.state).toBe('ACCEPTED');
  });
});

describe('houses of one guide that are not all linked', () => {
  let c: Side;
  let coupledOne: Guide;
  beforeAll(async () => {
    c = await Side.open(cleanup, 'gamma');
    await connect(a, c);
    coupledOne = await a.guide();
    await couple(a, b, coupledOne, await b.guide());
  });

  test('refuse at the request', async () => {
    expect(await a.change('requestCoupling', { idempotencyKey: key(), guideId: coupledOne.guideId, instance: 'gamma' })).toEqual({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field: 'input', reason: 'CONFLICTING' });
  });

  test('refuse at the acceptance what was not so at the request: the asking house says whom it has coupled since', async () => {
    const other = await a.guide();
    const early = await a.change('requestCoupling', { idempotencyKey: key(), guideId: other.guideId, instance: 'gamma' });
    await couple(a, b, other, await b.guide());
    const accepted = await c.change('acceptCoupling', { couplingId: early.coupling?.id, createGuide: {} });
    expect(accepted).toEqual({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field: 'input', reason: 'CONFLICTING' });
    expect((await c.coupling(early.coupling?.id ?? ''))?.state).toBe('REQUESTED');
  });

  /** One guide asked for in beta and gamma, accepted in both before either was known to the other. */
  async function crossed() {
    const [one, other, third] = [await a.guide(), await b.guide(), await c.guide()];
    const toB = await a.change('requestCoupling', { idempotencyKey: key(), guideId: one.guideId, instance: 'beta' });
    const toC = await a.change('requestCoupling', { idempotencyKey: key(), guideId: one.guideId, instance: 'gamma' });
    const [first, second] = [toB.coupling?.id ?? '', toC.coupling?.id ?? ''];
    await b.change('acceptCoupling', { couplingId: first, guideId: other.guideId });
    await a.records.query(`update coupling set state = 'REQUESTED' where id = $1`, [first]);
    await c.change('acceptCoupling', { couplingId: second, guideId: third.guideId });
    await a.records.query(`update coupling set state = 'ACCEPTED' where id = $1`, [first]);
    return { one, other, third, first, second };
  }
  const states = async (id: string, ...sides: Side[]) => Promise.all(sides.map(async (side) => (await side.coupling(id))?.state));

  test('refuse at the confirmation two that came about at once, whoever confirms first', async () => {
    const { one, other, first } = await crossed();
    expect((await a.change('confirmCoupling', { couplingId: first }, one.token)).reason).toBe('CONFLICTING');
    // Alpha's answer names gamma, which beta is not linked with.
    expect((await b.change('confirmCoupling', { couplingId: first }, other.token)).reason).toBe('CONFLICTING');
    expect((await a.change('confirmCoupling', { couplingId: first }, one.token)).reason).toBe('CONFLICTING');
    await deliveries.quiet(a, b);
    for (const state of await states(first, a, b)) expect(state).not.toBe('ACTIVE');
  });

  test('take back what is active by a consent that was heard too late', async () => {
    await connect(b, await Side.open(cleanup, 'epsilon'));
    const [one, other] = [await a.guide(), await b.guide()];
    const first = await requested(one);
    await b.change('acceptCoupling', { couplingId: first, guideId: other.guideId });
    a.way.fate = 'lose call';
    await b.change('confirmCoupling', { couplingId: first }, other.token);
    // Coupled in beta with a house that alpha does not know, without alpha having been asked.
    await b.records.seed.coupling({ id: randomUUID(), link: { partnerCode: 'epsilon' }, guideId: other.guideId, globalId: `g_${randomUUID()}` });
    expect((await a.change('confirmCoupling', { couplingId: first }, one.token)).reason).toBe('CONFLICTING');
    expect(await states(first, a)).toEqual(['DECLINED']);
    a.way.fate = 'pass';
    await deliveries.deliver(a, b);
    await until(async () => (await states(first, b))[0] === 'ENDED');
  });

  test('take back what a delivery would make active', async () => {
    await connect(b, await Side.open(cleanup, 'zeta'));
    const [guide, other] = [await a.guide(), await b.guide()];
    const couplingId = await requested(guide);
    await b.change('acceptCoupling', { couplingId, guideId: other.guideId });
    b.way.fate = 'lose call';
    await a.change('confirmCoupling', { couplingId }, guide.token);
    a.way.fate = 'lose call';
    await b.change('confirmCoupling', { couplingId }, other.token);
    // Nothing that beta said before it was coupled with zeta is on its way any more.
    await b.stop();
    await b.records.seed.coupling({ id: randomUUID(), link: { partnerCode: 'zeta' }, guideId: other.guideId, globalId: `g_${randomUUID()}` });
    a.way.fate = 'pass';
    b.way.fate = 'pass';
    await deliveries.deliver(a, b);
    expect(await states(couplingId, a, b)).toEqual(['ACCEPTED', 'ACTIVE']);
    await b.start();
    await until(async () => (await states(couplingId, a, b)).join() === 'DECLINED,ENDED', 40_000);
  });

  test('an operator may end the link of two of them: that coupling ends, the others stay, and no further one comes about', async () => {
    await connect(b, c);
    const [one, other, third] = [await a.guide(), await b.guide(), await c.guide()];
    const ab = await couple(a, b, one, other);
    const ac = await couple(a, c, one, third);
    const bc = await couple(b, c, other, third);
    await b.operator('links/end', { partner: 'gamma' });
    expect([await states(bc, b, c), await states(ab, a, b), await states(ac, a, c)]).toEqual([['ENDED', 'ENDED'], ['ACTIVE', 'ACTIVE'], ['ACTIVE', 'ACTIVE']]);
    const d = await Side.open(cleanup, 'delta');
    await connect(a, d);
    await connect(b, d);
    expect((await a.change('requestCoupling', { idempotencyKey: key(), guideId: one.guideId, instance: 'delta' })).reason).toBe('CONFLICTING');
  });
});
