import { Cleanup } from '../../testkit/cleanup.js';
import { until } from '../../testkit/until.js';
import { holdDeliveries } from '../claims/support/houses.js';
import { coupleGuide, type Pair, type ReplicatingHouse } from './support/houses.js';
import { agreed, changeRule, ThreeHouses } from './support/profiles.js';

/* Availability rules are made, changed and deleted in any house of a guide, and are the same in all of them after quiet. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let houses: ThreeHouses;
let pair: Pair;
let gamma: ReplicatingHouse;
beforeAll(async () => {
  houses = await ThreeHouses.open(cleanup);
  ({ pair, gamma } = houses);
});

const RULE = { startTime: '09:00', durationMinutes: 180, rrule: 'FREQ=WEEKLY;BYDAY=MO,WE', validFrom: '2027-01-04', skipsHolidays: true };

const rowOf = async (house: ReplicatingHouse, id: string | undefined) => {
  const [row] = await house.records.query(
    `select origin, time_zone, start_time, duration_minutes, rrule, exdates::text[], holidays::text[], deleted, version from availability_rule where id = $1`,
    [id],
  );
  return row;
};

/** The only holiday of its year. */
async function setHolidays(house: ReplicatingHouse, date: string): Promise<void> {
  const set = await house.api.query<{ setHolidays: { __typename: string } }>(
    'mutation ($input: SetHolidaysInput!) { setHolidays(input: $input) { __typename } }',
    { input: { year: Number(date.slice(0, 4)), holidays: [{ date, name: 'Epiphany' }] } },
    (await house.records.signedIn('ADMINISTRATOR')).token,
  );
  expect(set.data?.setHolidays.__typename).toBe('SetHolidaysPayload');
}

const logged = (house: ReplicatingHouse, id: string | undefined) =>
  house.records.query<{ actor_id: string; before: { startTime?: string } | null; after: { startTime?: string; deleted?: boolean } }>(
    `select actor_id, before, after from audit_entry where action = 'availability-rule.merged' and subject_id = $1 order by at, id`,
    [id],
  );

test('a rule made in one house is in all of them, with its origin’s zone and holidays; edited in the second, deleted in the first', async () => {
  const { alpha, beta } = pair;
  const { at, places } = await houses.everywhere();
  await alpha.records.query(`insert into holiday (date, name) values ('2027-05-17', 'Whit Monday') on conflict do nothing`);
  const made = await changeRule(alpha, 'createAvailabilityRule', { guideId: at(alpha), ...RULE });
  await agreed(places);
  expect(await rowOf(gamma, made?.id)).toEqual({
    origin: 'alpha', time_zone: 'Europe/Berlin', start_time: '09:00', duration_minutes: 180, rrule: 'FREQ=WEEKLY;BYDAY=MO,WE', exdates: [], holidays: ['2027-05-17'], deleted: false, version: 3,
  });
  await changeRule(beta, 'updateAvailabilityRule', { ruleId: made?.id, expectedVersion: (await rowOf(beta, made?.id))?.['version'], startTime: '10:00', exceptDates: ['2027-02-01'] });
  await agreed(places);
  expect(await rowOf(alpha, made?.id)).toMatchObject({ origin: 'alpha', start_time: '10:00', exdates: ['2027-02-01'], holidays: ['2027-05-17'] });
  expect(await logged(alpha, made?.id)).toMatchObject([{ actor_id: 'beta', before: { startTime: '09:00' }, after: { startTime: '10:00' } }]);
  await changeRule(alpha, 'deleteAvailabilityRule', { ruleId: made?.id, expectedVersion: (await rowOf(alpha, made?.id))?.['version'] });
  await agreed(places);
  for (const house of [alpha, beta, gamma]) expect(await rowOf(house, made?.id)).toMatchObject({ deleted: true });
  expect((await logged(gamma, made?.id)).at(-1)).toMatchObject({ actor_id: 'alpha', before: { startTime: '10:00' }, after: { deleted: true } });
});

test('two houses change a rule at once: the later one wins in all three, and both have both in their action logs (chosen)', async () => {
  const { alpha, beta } = pair;
  const { at, places } = await houses.everywhere();
  const made = await changeRule(alpha, 'createAvailabilityRule', { guideId: at(alpha), ...RULE });
  await agreed(places);
  const [ours, theirs] = [await rowOf(alpha, made?.id), await rowOf(beta, made?.id)];
  let release = (): Promise<void> => Promise.resolve();
  await houses.apart(async () => {
    await changeRule(alpha, 'updateAvailabilityRule', { ruleId: made?.id, expectedVersion: ours?.['version'], startTime: '11:00' });
    await changeRule(beta, 'updateAvailabilityRule', { ruleId: made?.id, expectedVersion: theirs?.['version'], startTime: '12:00' });
    release = await holdDeliveries(beta, 'alpha');
  });
  // What is overwritten before it was told is in its own house's log alone, so the loser speaks first.
  await until(async () => (await logged(beta, made?.id)).some(({ before }) => before?.startTime === '11:00'));
  await release();
  await agreed(places);
  expect(await rowOf(gamma, made?.id)).toMatchObject({ start_time: '12:00' });
  const lost = { before: { startTime: '11:00' }, after: { startTime: '12:00' } };
  expect((await logged(alpha, made?.id)).at(-1)).toMatchObject({ actor_id: 'beta', ...lost });
  expect((await logged(beta, made?.id)).at(-1)).toMatchObject({ actor_id: 'alpha', ...lost });
});

test('an edit that is later than a deletion it did not know of brings the rule back, with the holidays of now', async () => {
  const { alpha, beta } = pair;
  const { at, places } = await houses.everywhere();
  const made = await changeRule(alpha, 'createAvailabilityRule', { guideId: at(alpha), ...RULE });
  await agreed(places);
  const [ours, theirs] = [await rowOf(alpha, made?.id), await rowOf(beta, made?.id)];
  await houses.apart(async () => {
    await changeRule(alpha, 'deleteAvailabilityRule', { ruleId: made?.id, expectedVersion: ours?.['version'] });
    await changeRule(beta, 'updateAvailabilityRule', { ruleId: made?.id, expectedVersion: theirs?.['version'], durationMinutes: 60 });
    await setHolidays(alpha, '2029-01-06');
  });
  await agreed(places);
  for (const house of [alpha, beta, gamma]) {
    expect(await rowOf(house, made?.id)).toMatchObject({ deleted: false, duration_minutes: 60, holidays: expect.arrayContaining(['2029-01-06']) as unknown });
  }
});

test('new holidays of the origin and a change of the rule elsewhere do not touch one another', async () => {
  const { alpha, beta } = pair;
  const { at, places } = await houses.everywhere();
  const made = await changeRule(alpha, 'createAvailabilityRule', { guideId: at(alpha), ...RULE });
  await agreed(places);
  const theirs = await rowOf(beta, made?.id);
  await houses.apart(async () => {
    await setHolidays(alpha, '2028-01-06');
    await changeRule(beta, 'updateAvailabilityRule', { ruleId: made?.id, expectedVersion: theirs?.['version'], startTime: '14:00' });
  });
  await agreed(places);
  const row = await rowOf(gamma, made?.id);
  expect(row).toMatchObject({ start_time: '14:00' });
  expect(row?.['holidays']).toContain('2028-01-06');
});

test('when a coupling begins, each side’s rules go to the other; when it ends, those made there go (chosen), and what was changed there stays', async () => {
  const { alpha, beta } = pair;
  const [one, other] = [await alpha.records.guide(), await beta.records.guide()];
  const ours = await changeRule(alpha, 'createAvailabilityRule', { guideId: one, ...RULE });
  const theirs = await changeRule(beta, 'createAvailabilityRule', { guideId: other, ...RULE, startTime: '15:00' });
  const { couplingId } = await coupleGuide(alpha, beta, { alpha: one, beta: other });
  await agreed([[alpha, one], [beta, other]]);
  expect(await rowOf(alpha, theirs?.id)).toMatchObject({ origin: 'beta', start_time: '15:00', deleted: false });
  await changeRule(beta, 'updateAvailabilityRule', { ruleId: ours?.id, expectedVersion: (await rowOf(beta, ours?.id))?.['version'], startTime: '08:00' });
  await agreed([[alpha, one], [beta, other]]);
  for (const house of [alpha, beta]) await house.records.query(`update coupling set state = 'ENDED' where id = $1`, [couplingId]);
  expect(await rowOf(alpha, theirs?.id)).toBeUndefined();
  expect(await rowOf(alpha, ours?.id)).toMatchObject({ start_time: '08:00', deleted: false });
  expect(await rowOf(beta, ours?.id)).toBeUndefined();
});

const couplingIn = async (house: ReplicatingHouse, other: ReplicatingHouse, guideId: string): Promise<string> => {
  const [coupling] = await house.records.query<{ id: string }>(
    `select c.id from coupling c join link l on l.id = c.link_id where c.guide_id = $1 and l.partner_code = $2 and c.state = 'ACTIVE'`,
    [guideId, other.code],
  );
  return coupling?.id ?? '';
};

async function endCoupling(house: ReplicatingHouse, other: ReplicatingHouse, guideId: string): Promise<void> {
  const couplingId = await couplingIn(house, other, guideId);
  await house.operator.call('couplings/end', { couplingId });
  await until(async () => (await other.records.query(`select 1 from coupling where id = $1 and state = 'ENDED'`, [couplingId])).length === 1);
}

/** A rule as another house changed it, of which alpha has heard and its origin has not. */
async function heardByAlpha(origin: ReplicatingHouse, author: ReplicatingHouse) {
  const { at, places } = await houses.everywhere();
  const made = await changeRule(origin, 'createAvailabilityRule', { guideId: at(origin), ...RULE });
  await agreed(places);
  const release = await holdDeliveries(author, origin.code);
  await changeRule(author, 'updateAvailabilityRule', { ruleId: made?.id, expectedVersion: (await rowOf(author, made?.id))?.['version'], startTime: '16:00' });
  await until(async () => (await rowOf(pair.alpha, made?.id))?.['start_time'] === '16:00');
  return { at, places, ruleId: made?.id, release };
}

/** Gamma's rule, as changed last in beta, which alpha has heard and gamma has not when its coupling with beta ends. */
async function heardByOne() {
  const { beta } = pair;
  const { at, places, ruleId, release } = await heardByAlpha(gamma, beta);
  await endCoupling(beta, gamma, at(beta));
  await release();
  expect([await rowOf(beta, ruleId), (await rowOf(gamma, ruleId))?.['start_time']]).toEqual([undefined, '09:00']);
  return { at, places, ruleId };
}

test('what was changed before a coupling ended and heard by a third house alone is everywhere once it is coupled again', async () => {
  const { at, places, ruleId } = await heardByOne();
  await coupleGuide(pair.beta, gamma, { beta: at(pair.beta), gamma: at(gamma) });
  await agreed(places);
  expect(await rowOf(gamma, ruleId)).toMatchObject({ start_time: '16:00', origin: 'gamma' });
});

test('what a third house changed in a rule comes again with it, when it went with a coupling and the guide is coupled there again', async () => {
  const { alpha, beta } = pair;
  const { at, places, ruleId, release } = await heardByAlpha(beta, gamma);
  await endCoupling(alpha, beta, at(alpha));
  expect(await rowOf(alpha, ruleId)).toBeUndefined();
  await coupleGuide(alpha, beta, { alpha: at(alpha), beta: at(beta) });
  await until(async () => (await rowOf(alpha, ruleId))?.['start_time'] !== undefined);
  await release();
  await agreed(places);
  expect(await rowOf(alpha, ruleId)).toMatchObject({ start_time: '16:00', origin: 'beta' });
});

test('a rule that went with a coupling does not come back by what was changed in it here', async () => {
  const { alpha, beta } = pair;
  const { at, ruleId } = await heardByOne();
  const couplingId = await couplingIn(alpha, beta, at(alpha));
  // As after a restore of beta.
  await alpha.records.query('select outbox_fill_coupling($1)', [couplingId]);
  await until(async () => (await alpha.records.query('select 1 from outbox where coupling_id = $1', [couplingId])).length === 0);
  expect(await rowOf(beta, ruleId)).toBeUndefined();
});

test('after a restore a house gets back what it changed in a rule of a house in which its guide never was coupled', async () => {
  const { alpha, beta } = pair;
  const { ids, couplingId } = await coupleGuide(alpha, beta);
  const third = await coupleGuide(alpha, gamma, { alpha: ids['alpha'] });
  const made = await changeRule(gamma, 'createAvailabilityRule', { guideId: third.ids['gamma'], ...RULE });
  await until(async () => (await rowOf(alpha, made?.id))?.['start_time'] === '09:00');
  await changeRule(alpha, 'updateAvailabilityRule', { ruleId: made?.id, expectedVersion: (await rowOf(alpha, made?.id))?.['version'], startTime: '10:00' });
  await until(async () => (await rowOf(beta, made?.id))?.['start_time'] === '10:00');
  await changeRule(beta, 'updateAvailabilityRule', { ruleId: made?.id, expectedVersion: (await rowOf(beta, made?.id))?.['version'], startTime: '11:00' });
  await until(async () => (await rowOf(alpha, made?.id))?.['start_time'] === '11:00');
  await beta.records.query('delete from availability_rule where id = $1', [made?.id]);
  await alpha.records.query('select outbox_fill_coupling($1)', [couplingId]);
  await until(async () => (await rowOf(beta, made?.id))?.['start_time'] === '11:00');
});

test('individual entries and absences do not travel', async () => {
  const { alpha, beta } = pair;
  const { at, places } = await houses.everywhere();
  await alpha.records.query(`insert into individual_availability (id, guide_id, start_at, end_at, available, note) values (gen_random_uuid(), $1, '2027-01-04T08:00Z', '2027-01-04T09:00Z', true, 'here')`, [at(alpha)]);
  await alpha.records.query(`insert into absence (id, guide_id, start_at, end_at, reason, created_at) values (gen_random_uuid(), $1, '2027-01-04T08:00Z', '2027-01-04T09:00Z', 'ill', now())`, [at(alpha)]);
  await changeRule(alpha, 'createAvailabilityRule', { guideId: at(alpha), ...RULE });
  await agreed(places);
  for (const table of ['individual_availability', 'absence']) expect(await beta.records.query(`select 1 from ${table} where guide_id = $1`, [at(beta)])).toEqual([]);
});
