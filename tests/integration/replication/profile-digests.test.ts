import { ProfileKind } from '../../../instance-server/modules/convergence/index.js';
import { InstanceSecret } from '../../../instance-server/platform/crypto.js';
import { Database } from '../../../instance-server/platform/database/database.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { recordStatements } from '../../testkit/statements.js';
import { until } from '../../testkit/until.js';
import { coupleGuide, openPair, type Pair } from './support/houses.js';
import { agreed, changeProfile, changeRule, profileAt, waitingAt } from './support/profiles.js';

/* Profiles and rules that were lost without anybody's doing are found by comparison, and told again. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let pair: Pair;
let [one, other] = ['', ''];
beforeAll(async () => {
  pair = await openPair(cleanup, { beta: { SYNC_DIGEST_MS: '1000' }, alpha: { SYNC_DIGEST_MS: '3600000' } });
  const { ids } = await coupleGuide(pair.alpha, pair.beta);
  [one, other] = [ids['alpha'] ?? '', ids['beta'] ?? ''];
  await changeProfile(pair.beta, other, { phone: 'of beta' });
  await agreed([[pair.alpha, one], [pair.beta, other]]);
});

/* A value under the stamp of a later one would look equal for ever: no comparison finds it. */
test('a profile is read with its stamps at one moment, whoever changes it meanwhile', async () => {
  const { instance, records } = pair.beta;
  const secret = new InstanceSecret(instance.secret);
  const database = cleanup.own(await Database.open({ url: instance.databaseUrl, secret, poolSize: 1, statementTimeoutMs: 5_000 }), (opened) => opened.close());
  const [row] = await records.query<{ id: string; link_id: string }>('select id, link_id from coupling where guide_id = $1', [other]);
  const kind = new ProfileKind(undefined as never, undefined as never, 'beta');
  const link = { id: row?.link_id, partnerCode: 'alpha' } as Parameters<typeof kind.project>[1];
  let items: unknown[] = [];
  const statements = await recordStatements(async () => {
    items = await kind.project(database.worker.sql, link, [{ couplingId: row?.id ?? '', recordId: row?.id ?? '' }]);
  });
  expect(items).toMatchObject([{ fields: { phone: { value: 'of beta' } } }]);
  // Comparisons go on by the clock.
  expect(statements.filter(({ text }) => /profile/.test(text) && !text.includes('digest'))).toHaveLength(1);
});

const result = async () => (await pair.beta.records.query<{ last_digest_result: string | null }>('select last_digest_result from sync_peer'))[0]?.last_digest_result ?? '';
const mended = () => until(async () => (await result()).startsWith('REPAIRED'));
const equalAgain = () => until(async () => (await result()) === 'EQUAL');

test('a field that fell back is told again', async () => {
  await equalAgain();
  await pair.alpha.records.query(`update guide set phone = 'of long ago' where id = $1`, [one]);
  await pair.alpha.records.query(`update profile_stamp set stamp = '000000000000001-00000000-beta' where guide_id = $1 and field = 'phone'`, [one]);
  await mended();
  await agreed([[pair.alpha, one], [pair.beta, other]]);
  expect((await profileAt(pair.alpha, one)).phone).toBe('of beta');
  await equalAgain();
});

test('a rule that is gone is told again, as what it is', async () => {
  await equalAgain();
  const made = await changeRule(pair.beta, 'createAvailabilityRule', { guideId: other, startTime: '09:00', durationMinutes: 60, rrule: 'FREQ=DAILY', validFrom: '2027-01-04' });
  await agreed([[pair.alpha, one], [pair.beta, other]]);
  await equalAgain();
  await pair.alpha.records.query('delete from availability_rule where id = $1', [made?.id]);
  await mended();
  await agreed([[pair.alpha, one], [pair.beta, other]]);
  expect(await pair.alpha.records.query('select deleted from availability_rule where id = $1', [made?.id])).toEqual([{ deleted: false }]);
  await equalAgain();
});

test('what the other side changed later is no difference to mend', async () => {
  await equalAgain();
  await changeProfile(pair.beta, other, { phone: 'of beta again' });
  await agreed([[pair.alpha, one], [pair.beta, other]]);
  await equalAgain();
  await pair.alpha.records.query(
    `update profile_stamp set stamp = lpad((left(stamp, 15)::bigint + 1)::text, 15, '0') || '-00000000-gamma' where guide_id = $1 and field = 'phone'`,
    [one],
  );
  const seen: string[] = [];
  await until(async () => {
    const now = await result();
    if (seen.at(-1) !== now) seen.push(now);
    return seen.join() === 'EQUAL,DIFFERENT 1,EQUAL';
  });
  expect(await waitingAt(pair.beta)).toEqual([]);
});
