import { sql } from 'kysely';
import { InstanceSecret } from '../../../instance-server/platform/crypto.js';
import { Database } from '../../../instance-server/platform/database/database.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { createInstance, type TestInstance } from '../../testkit/instance.js';
import { Session } from '../../testkit/session.js';

/* What is left of a pool when the database has gone away in the midst of transactions. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let instance: TestInstance;
let database: Database;
let endings = 0;
beforeAll(async () => {
  instance = cleanup.own(await createInstance({ code: 'alpha' }), (made) => made.drop());
  const options = { url: instance.databaseUrl, secret: new InstanceSecret(instance.secret), poolSize: 2, statementTimeoutMs: 10_000 };
  database = cleanup.own(await Database.open(options), (opened) => opened.close());
});

const ROLES = ['app', 'worker'] as const;
type Work = (database: Database, role: (typeof ROLES)[number]) => Promise<unknown>;

/** All sessions of a role end, as with a database that stops at once. */
async function away(role: string): Promise<void> {
  const session = await Session.begin(instance.database);
  const ended = await session.run(`select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and application_name = $1`, [`lotse-${role}`]);
  await session.end();
  endings += ended.length;
}
const one = sql<{ one: number }>`select 1 as one`;

describe.each(ROLES)('the database goes away for the pool of %s', (role) => {
  test.each<[string, Work]>([
    ['before a transaction begins', async (of) => {
      // Two connections wait in the pool, and it has not heard yet that they are none any more.
      await Promise.all([of[role].transaction((tx) => sql`select pg_sleep(0.1)`.execute(tx)), of[role].transaction((tx) => sql`select pg_sleep(0.1)`.execute(tx))]);
      const gone = away(role);
      await Promise.allSettled([of[role].transaction((tx) => one.execute(tx)), of[role].transaction((tx) => one.execute(tx))]);
      await gone;
    }],
    ['in the midst of a transaction', (of) => of[role].transaction(async (tx) => one.execute(tx).then(() => away(role)).then(() => one.execute(tx)))],
    ['before a transaction is committed', (of) => of[role].transaction(async (tx) => one.execute(tx).then(() => away(role)))],
    ['in the midst of reading', (of) => of[role].snapshot(async (tx) => one.execute(tx).then(() => away(role)).then(() => one.execute(tx)))],
  ])('%s: no connection is lost', async (_when, work) => {
    const before = endings;
    for (let time = 0; time < 3; time += 1) await Promise.resolve(work(database, role)).catch(() => undefined);
    expect(endings - before).toBeGreaterThanOrEqual(3);
    const answers = await Promise.all([1, 2].map(() => database[role].transaction((tx) => one.execute(tx))));
    expect(answers.map(({ rows }) => rows)).toEqual([[{ one: 1 }], [{ one: 1 }]]);
  });
});
