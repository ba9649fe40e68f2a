import { Cleanup } from '../../testkit/cleanup.js';
import { until } from '../../testkit/until.js';
import { holdDeliveries } from '../claims/support/houses.js';
import { Correspondent } from './support/correspondent.js';
import { coupleGuide, openPair, openReplicatingHouse, type Pair } from './support/houses.js';
import { agreed, changeProfile, changeRule, profileAt, waitingAt } from './support/profiles.js';

/* One house's clock is wrong. Signed calls between houses bear a minute; stamps bear a minute; what is beyond waits. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let pair: Pair;
beforeAll(async () => {
  pair = await openPair(cleanup);
});
afterEach(() => pair.beta.server.clock.reset());

const RULE = { startTime: '09:00', durationMinutes: 180, rrule: 'FREQ=WEEKLY;BYDAY=MO', validFrom: '2027-01-04' };

/** Changes made while the clock of beta is ahead, which is right again before anything is delivered: calls are signed by the clock too. */
async function whileAhead(by: { seconds?: number; hours?: number }, work: () => Promise<void>): Promise<void> {
  const { alpha, beta } = pair;
  await alpha.operator.changeLink('beta', 'suspend');
  await until(async () => (await beta.records.query(`select 1 from link where partner_code = 'alpha' and suspended_there`)).length === 1);
  beta.server.clock.advance(by);
  await work();
  beta.server.clock.reset();
  await alpha.operator.changeLink('beta', 'resume');
}

async function coupled(): Promise<{ one: string; other: string }> {
  const { ids } = await coupleGuide(pair.alpha, pair.beta);
  const [one, other] = [ids['alpha'] ?? '', ids['beta'] ?? ''];
  await agreed([[pair.alpha, one], [pair.beta, other]]);
  return { one, other };
}

const stampOf = async (guideId: string): Promise<string> =>
  (await pair.beta.records.query<{ stamp: string }>(`select stamp from profile_stamp where guide_id = $1 and field = 'phone'`, [guideId]))[0]?.stamp ?? '';
const signedInAhead = (hours: number) => pair.beta.records.signedIn('STAFF', { now: new Date(Date.now() + hours * 3_600_000) });

test('a clock less than a minute ahead is accepted, and the receiver’s own changes are later all the same', async () => {
  const { alpha, beta } = pair;
  const { one, other } = await coupled();
  await whileAhead({ seconds: 50 }, () => changeProfile(beta, other, { phone: 'ahead' }));
  await agreed([[alpha, one], [beta, other]]);
  expect((await profileAt(alpha, one)).phone).toBe('ahead');
  await changeProfile(alpha, one, { phone: 'after it' });
  await agreed([[alpha, one], [beta, other]]);
  expect((await profileAt(beta, other)).phone).toBe('after it');
  // The own clock goes with it, never beyond: a stamp of that very millisecond, and the next number.
  const [state] = await alpha.records.query<{ last_stamp: string }>('select last_stamp from sync_state');
  expect(Number(state?.last_stamp.slice(0, 15))).toBeLessThanOrEqual(Date.now() + 60_000);
});

test('a clock far ahead: changes wait, say why, and hold up nothing else; after a restamp they are delivered', async () => {
  const { alpha, beta } = pair;
  const { one, other } = await coupled();
  const bystander = await coupled();
  const before = await profileAt(alpha, one);
  const { token } = await signedInAhead(2);
  let ruleId: string | undefined;
  await whileAhead({ hours: 2 }, async () => {
    await changeProfile(beta, other, { phone: 'first' }, token);
    await changeProfile(beta, other, { phone: 'two hours ahead' }, token);
    const [made] = await beta.records.query<{ id: string }>(
      `insert into availability_rule (id, guide_id, origin, time_zone, start_time, duration_minutes, rrule, valid_from, stamp, holidays_stamp, created_at, updated_at)
       select gen_random_uuid(), $1, 'beta', 'Europe/Berlin', '09:00', 60, 'FREQ=DAILY', '2027-01-01', last_stamp, last_stamp, now(), now() from sync_state returning id`,
      [other],
    );
    ruleId = made?.id;
  });
  await until(async () => (await waitingAt(beta)).filter(({ refused_code }) => refused_code === 'CLOCK_AHEAD').length === 2);
  expect(await profileAt(alpha, one)).toEqual(before);
  expect(await alpha.records.query('select 1 from availability_rule where id = $1', [ruleId])).toEqual([]);
  const made = await changeRule(alpha, 'createAvailabilityRule', { guideId: bystander.one, ...RULE });
  await until(async () => (await beta.records.query('select 1 from availability_rule where id = $1', [made?.id])).length === 1);

  const old = await stampOf(other);
  expect(await beta.operator.restamp()).toEqual({ profileFields: 1, rules: 1 });
  await agreed([[alpha, one], [beta, other]]);
  expect((await profileAt(alpha, one)).phone).toBe('two hours ahead');
  expect(await alpha.records.query('select start_time from availability_rule where id = $1', [ruleId])).toEqual([{ start_time: '09:00' }]);
  expect((await stampOf(other)) < old).toBe(true);
  expect(await beta.records.query(`select after from audit_entry where action = 'stamps.renewed'`)).toEqual([{ after: { profileFields: 1, rules: 1 } }]);
  // From here on everybody's changes count by the right time again.
  await changeProfile(alpha, one, { phone: 'at alpha, a moment later' });
  await agreed([[alpha, one], [beta, other]]);
  await changeProfile(beta, other, { phone: 'at beta, after that' });
  await agreed([[alpha, one], [beta, other]]);
  expect((await profileAt(alpha, one)).phone).toBe('at beta, after that');
  expect(await beta.operator.restamp()).toEqual({ profileFields: 0, rules: 0 });
});

test('what a partner took whose own clock was ahead as well is outrun by a restamp', async () => {
  const { alpha, beta } = pair;
  const { one, other } = await coupled();
  await whileAhead({ seconds: 90 }, async () => {
    await changeProfile(beta, other, { phone: 'taken by a clock that is ahead' });
    alpha.server.clock.advance({ seconds: 45 });
  });
  await until(async () => (await profileAt(alpha, one)).phone === 'taken by a clock that is ahead', 20_000);
  alpha.server.clock.reset();
  const release = await holdDeliveries(beta, 'alpha');
  await whileAhead({ seconds: 88 }, () => changeProfile(beta, other, { phone: 'after it' }));
  expect(await beta.operator.restamp()).toEqual({ profileFields: 1, rules: 0 });
  // As late as it must be, which alpha takes when its time has come.
  for (const house of [alpha, beta]) house.server.clock.advance({ seconds: 50 });
  await release();
  await agreed([[alpha, one], [beta, other]], 40_000);
  expect((await profileAt(alpha, one)).phone).toBe('after it');
  alpha.server.clock.reset();
});

test('a partner who says that he holds what was never given is not believed by a restamp', async () => {
  const house = await openReplicatingHouse(cleanup, 'gamma');
  const partner = await Correspondent.write(cleanup, house, 'liar');
  const { couplingId, guideId } = await partner.couple();
  const ahead = Date.now() + 3_600_000;
  await house.records.query(`update profile_stamp set stamp = $2 where guide_id = $1`, [guideId, `${String(ahead).padStart(15, '0')}-00000000-gamma`]);
  await house.records.query('update sync_state set last_stamp = $1', [`${String(ahead).padStart(15, '0')}-00000000-gamma`]);
  let asked = 0;
  const lie = { recordId: couplingId, moments: { firstName: '999999999999999-00000000' } };
  partner.partner.speak = (action) => (action === 'sync/inventory' ? { status: 200, body: { records: asked++ === 0 ? [lie] : [] } } : undefined);
  expect((await house.operator.restamp()).profileFields).toBeGreaterThan(0);
  expect(asked).toBeGreaterThan(0);
  const [state] = await house.records.query<{ last_stamp: string }>('select last_stamp from sync_state');
  expect(Number(state?.last_stamp.slice(0, 15))).toBeLessThanOrEqual(Date.now() + 60_000);
});

test('without a restamp they are taken once their time has come', async () => {
  const { alpha, beta } = pair;
  const { one, other } = await coupled();
  await whileAhead({ seconds: 90 }, () => changeProfile(beta, other, { phone: 'early' }));
  await until(async () => (await waitingAt(beta)).some(({ refused_code }) => refused_code === 'CLOCK_AHEAD'));
  for (const house of [alpha, beta]) house.server.clock.advance({ seconds: 60 });
  await beta.records.query(`update outbox set retry_at = null`);
  await beta.records.query(`select pg_notify('lotse_event', '{"kind":"links"}')`);
  await agreed([[alpha, one], [beta, other]]);
  expect((await profileAt(alpha, one)).phone).toBe('early');
  alpha.server.clock.reset();
});
