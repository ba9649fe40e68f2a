import { Cleanup } from '../../testkit/cleanup.js';
import { until } from '../../testkit/until.js';
import { holdDeliveries } from '../claims/support/houses.js';
import { coupleGuide, type Pair, type ReplicatingHouse } from './support/houses.js';
import { agreed, changeProfile, profileAt, ThreeHouses, waitingAt } from './support/profiles.js';

/* A guide's profile is changed in every house he is coupled in, and is the same in all of them after quiet. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let houses: ThreeHouses;
let pair: Pair;
let gamma: ReplicatingHouse;
beforeAll(async () => {
  houses = await ThreeHouses.open(cleanup);
  ({ pair, gamma } = houses);
});

const merges = (house: ReplicatingHouse, guideId: string) =>
  house.records.query<{ actor_id: string; before: Record<string, unknown>; after: Record<string, unknown> }>(
    `select actor_id, before, after from audit_entry where action = 'guide.merged' and subject_id = $1 order by at, id`,
    [guideId],
  );

test('the guide edits his profile in one house: it arrives in the others, with a new version and both values in the action log', async () => {
  const { alpha, beta } = pair;
  const { at, places } = await houses.everywhere();
  const before = await profileAt(beta, at(beta));
  const { token } = await alpha.records.signedIn('GUIDE', { guideId: at(alpha) });
  await changeProfile(alpha, at(alpha), { phone: '+49 1', email: 'g@example.org', languages: ['fr', 'de'] }, token);
  await agreed(places);
  expect(await profileAt(beta, at(beta))).toEqual({ ...before, phone: '+49 1', email: 'g@example.org', languages: ['fr', 'de'], version: before.version + 1 });
  expect((await merges(beta, at(beta))).at(-1)).toEqual({
    actor_id: 'alpha',
    before: { email: null, phone: null, languages: ['de', 'en'] },
    after: { email: 'g@example.org', phone: '+49 1', languages: ['fr', 'de'] },
  });
  // What an editor had open is out of date now.
  const stale = { guideId: at(beta), expectedVersion: before.version, phone: '2' };
  const { text } = await beta.api.query('mutation ($input: UpdateGuideInput!) { updateGuide(input: $input) { ... on StaleVersionError { currentVersion } } }', { input: stale }, await beta.staff());
  expect(JSON.parse(text)).toEqual({ data: { updateGuide: { currentVersion: before.version + 1 } } });
});

test('two houses change different fields at once: both stay', async () => {
  const { alpha, beta } = pair;
  const { at, places } = await houses.everywhere();
  await houses.apart(async () => {
    await changeProfile(alpha, at(alpha), { phone: '+49 2' });
    await changeProfile(beta, at(beta), { lastName: 'Married' });
  });
  await agreed(places);
  expect(await profileAt(gamma, at(gamma))).toMatchObject({ phone: '+49 2', last_name: 'Married' });
});

test('two houses change the same field at once: the later one wins everywhere, and each house has both values in its action log (chosen)', async () => {
  const { alpha, beta } = pair;
  const { at, places } = await houses.everywhere();
  let release = (): Promise<void> => Promise.resolve();
  await houses.apart(async () => {
    await changeProfile(alpha, at(alpha), { phone: 'earlier' });
    await changeProfile(beta, at(beta), { phone: 'later' });
    release = await holdDeliveries(beta, 'alpha');
  });
  // What is overwritten before it was told is in its own house's log alone, so the loser speaks first.
  await until(async () => (await merges(beta, at(beta))).some(({ before }) => JSON.stringify(before).includes('earlier')));
  await release();
  await agreed(places);
  for (const [house, guideId] of places) expect((await profileAt(house, guideId)).phone).toBe('later');
  expect((await merges(alpha, at(alpha))).find(({ after }) => after['phone'] === 'later')).toEqual({ actor_id: 'beta', before: { phone: 'earlier' }, after: { phone: 'later' } });
  expect((await merges(beta, at(beta))).find(({ after }) => after['phone'] === 'later')).toEqual({ actor_id: 'alpha', before: { phone: 'earlier' }, after: { phone: 'later' } });
});

test('what was received is not passed on, and what is told twice has no second effect', async () => {
  const { alpha, beta } = pair;
  const { ids } = await coupleGuide(alpha, beta);
  const third = await coupleGuide(beta, gamma, { beta: ids['beta'] });
  await until(async () => (await waitingAt(beta)).length + (await waitingAt(gamma)).length + (await waitingAt(alpha)).length === 0);
  const before = await profileAt(gamma, third.ids['gamma'] ?? '');
  await changeProfile(alpha, ids['alpha'] ?? '', { phone: 'for beta alone' });
  await until(async () => (await profileAt(beta, ids['beta'] ?? '')).phone === 'for beta alone');
  expect(await waitingAt(beta)).toEqual([]);
  await alpha.records.query(`select outbox_put(link_id, id, 'PROFILE', id) from coupling where guide_id = $1`, [ids['alpha']]);
  await until(async () => (await waitingAt(alpha)).length === 0);
  expect((await merges(beta, ids['beta'] ?? '')).filter(({ after }) => after['phone'] === 'for beta alone')).toHaveLength(1);
  expect(await profileAt(gamma, third.ids['gamma'] ?? '')).toEqual(before);
});

test('what a house does not share stays: limits, offers, state and log-in', async () => {
  const { alpha, beta } = pair;
  const { at, places } = await houses.everywhere();
  const account = await beta.records.signedIn('GUIDE', { guideId: at(beta) });
  await changeProfile(alpha, at(alpha), { active: false, offerIds: [await alpha.records.offer()], email: 'new@example.org' });
  await agreed(places);
  expect(await beta.records.query('select active, email from guide where id = $1', [at(beta)])).toEqual([{ active: true, email: 'new@example.org' }]);
  expect(await beta.records.query('select 1 from guide_offer where guide_id = $1', [at(beta)])).toEqual([]);
  expect(await beta.records.query('select email from account where id = $1', [account.id])).toEqual([{ email: account.email }]);
});

test('a paused coupling keeps changes waiting', async () => {
  const { alpha, beta } = pair;
  const { couplingId, ids } = await coupleGuide(alpha, beta);
  await agreed([[alpha, ids['alpha'] ?? ''], [beta, ids['beta'] ?? '']]);
  const coupling = async (mutation: 'pauseCoupling' | 'resumeCoupling') =>
    (await alpha.api.query(`mutation ($id: ID!) { ${mutation}(input: { couplingId: $id }) { __typename } }`, { id: couplingId }, await alpha.staff())).data;
  expect(await coupling('pauseCoupling')).toEqual({ pauseCoupling: { __typename: 'CouplingPayload' } });
  await changeProfile(alpha, ids['alpha'] ?? '', { phone: 'waits' });
  await until(async () => (await waitingAt(alpha)).map(({ kind }) => kind).join() === 'PROFILE');
  expect((await profileAt(beta, ids['beta'] ?? '')).phone).toBeNull();
  expect(await coupling('resumeCoupling')).toEqual({ resumeCoupling: { __typename: 'CouplingPayload' } });
  await agreed([[alpha, ids['alpha'] ?? ''], [beta, ids['beta'] ?? '']]);
  expect((await profileAt(beta, ids['beta'] ?? '')).phone).toBe('waits');
});

describe('when a coupling begins', () => {
  test('profiles that differ become one: what was said later stands, an empty field says nothing, and both values are in the log', async () => {
    const { alpha, beta } = pair;
    const one = await alpha.records.guide({ firstName: 'Gretchen', lastName: 'Guide', phone: '+49 alpha' });
    const other = await beta.records.guide({ firstName: 'Greta', lastName: 'Guide', email: 'g@beta.example' });
    await alpha.records.query(`update guide set created_at = '2020-01-01T00:00:00Z' where id = $1`, [one]);
    await beta.records.query(`update guide set created_at = '2021-01-01T00:00:00Z' where id = $1`, [other]);
    await changeProfile(alpha, one, { lastName: 'Guide-Alpha' });
    await coupleGuide(alpha, beta, { alpha: one, beta: other });
    await agreed([[alpha, one], [beta, other]]);
    expect(await profileAt(alpha, one)).toMatchObject({ first_name: 'Greta', last_name: 'Guide-Alpha', email: 'g@beta.example', phone: '+49 alpha' });
    expect(await merges(alpha, one)).toMatchObject([{ actor_id: 'beta', before: { firstName: 'Gretchen', email: null }, after: { firstName: 'Greta', email: 'g@beta.example' } }]);
    const [there] = await merges(beta, other);
    expect(there?.before).toMatchObject({ lastName: 'Guide', phone: null });
    expect(there?.after).toMatchObject({ lastName: 'Guide-Alpha', phone: '+49 alpha' });
  });

  test('a guide who was entered for it only repeats the partner', async () => {
    const { alpha, beta } = pair;
    const one = await alpha.records.guide({ firstName: 'Anna Maria', lastName: 'Huber' });
    await alpha.records.query(`update guide set created_at = '2020-01-01T00:00:00Z' where id = $1`, [one]);
    const other = await beta.records.guide({ firstName: 'Anna', lastName: 'Maria Huber' });
    await beta.records.query(`update guide set created_at = now() + interval '1 minute' where id = $1`, [other]);
    await coupleGuide(alpha, beta, { alpha: one, beta: other });
    await agreed([[alpha, one], [beta, other]]);
    expect(await profileAt(beta, other)).toMatchObject({ first_name: 'Anna Maria', last_name: 'Huber' });
  });

  test('a house vouches for what it has, even where a third house said it', async () => {
    const { alpha, beta } = pair;
    const { ids } = await coupleGuide(alpha, beta);
    await changeProfile(alpha, ids['alpha'] ?? '', { phone: 'of alpha' });
    await agreed([[alpha, ids['alpha'] ?? ''], [beta, ids['beta'] ?? '']]);
    const third = await coupleGuide(beta, gamma, { beta: ids['beta'] });
    await agreed([[beta, ids['beta'] ?? ''], [gamma, third.ids['gamma'] ?? '']]);
    expect(await profileAt(gamma, third.ids['gamma'] ?? '')).toMatchObject({ phone: 'of alpha' });
  });
});

test('when a coupling ends, profile values stay (chosen), and are this house’s own from then on', async () => {
  const { alpha, beta } = pair;
  const { at } = await houses.everywhere();
  await changeProfile(gamma, at(gamma), { phone: 'of gamma' });
  await until(async () => (await profileAt(alpha, at(alpha))).phone === 'of gamma' && (await profileAt(beta, at(beta))).phone === 'of gamma');
  for (const house of [alpha, beta, gamma]) {
    await house.records.query(
      `with ended as (update coupling c set state = 'ENDED' from link l where l.id = c.link_id and c.guide_id = $1 and (l.partner_code = 'gamma' or $2 = 'gamma'))
       select pg_notify('lotse_event', '{"kind":"links"}')`,
      [at(house), house.code],
    );
  }
  await agreed([[alpha, at(alpha)], [beta, at(beta)]]);
  expect((await profileAt(alpha, at(alpha))).phone).toBe('of gamma');
  expect(await alpha.records.query(`select field from profile_stamp where guide_id = $1 and stamp like '%-gamma'`, [at(alpha)])).toEqual([]);
});

describe('bank data', () => {
  const ACCOUNT = { accountHolder: 'Greta Guide', iban: 'DE89370400440532013000', bic: 'COBADEFFXXX' };

  test('leave the house while the guide lets them, go no further when he does not, and are in the log without their number', async () => {
    const { alpha, beta } = pair;
    const { at, places } = await houses.everywhere();
    const iban = async () => Promise.all(places.map(async ([house, guideId]) => (await profileAt(house, guideId)).iban));
    const { token } = await alpha.records.signedIn('GUIDE', { guideId: at(alpha) });
    await changeProfile(alpha, at(alpha), { bankData: ACCOUNT, phone: 'one' }, token);
    await until(async () => (await profileAt(gamma, at(gamma))).phone === 'one');
    await until(async () => (await profileAt(beta, at(beta))).phone === 'one');
    expect(await iban()).toEqual([ACCOUNT.iban, null, null]);
    await changeProfile(alpha, at(alpha), { sharesBankData: true }, token);
    await agreed(places);
    expect(await iban()).toEqual([ACCOUNT.iban, ACCOUNT.iban, ACCOUNT.iban]);
    expect(await beta.records.query('select shares_bank_data from guide where id = $1', [at(beta)])).toEqual([{ shares_bank_data: false }]);
    const last = (await merges(beta, at(beta))).at(-1);
    expect(last).toEqual({ actor_id: 'alpha', before: { bankData: null }, after: { bankData: { iban: 'DE…3000' } } });

    await changeProfile(alpha, at(alpha), { sharesBankData: false }, token);
    await changeProfile(alpha, at(alpha), { bankData: { ...ACCOUNT, iban: 'AT611904300234573201' }, phone: 'two' }, token);
    await until(async () => (await profileAt(gamma, at(gamma))).phone === 'two');
    await until(async () => (await profileAt(beta, at(beta))).phone === 'two');
    expect(await iban()).toEqual(['AT611904300234573201', ACCOUNT.iban, ACCOUNT.iban]);

    // What they are elsewhere is the guide's to say there: beta sends nothing while he has not said so in it.
    const there = await beta.records.signedIn('GUIDE', { guideId: at(beta) });
    await changeProfile(beta, at(beta), { bankData: { ...ACCOUNT, iban: 'NO9386011117947' } }, there.token);
    await changeProfile(beta, at(beta), { sharesBankData: true }, there.token);
    await until(async () => (await iban()).every((each) => each === 'NO9386011117947'));
  });
});
