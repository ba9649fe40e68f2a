import { Cleanup } from '../../testkit/cleanup.js';
import { createInstance, startInstanceProcess, type TestInstance } from '../../testkit/instance.js';
import { Session } from '../../testkit/session.js';
import { until } from '../../testkit/until.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let instance: TestInstance;
beforeAll(async () => {
  instance = cleanup.own(await createInstance({ code: 'jobs' }), (made) => made.drop());
});

async function committed<T>(sql: string): Promise<T[]> {
  const session = await Session.begin(instance.database);
  try {
    return await session.run<T>(sql);
  } finally {
    await session.end();
  }
}

/** Resolves when a job that was asked for now has had its effect. */
async function jobDone(): Promise<void> {
  await committed(`insert into used_token (issuer, jti, expires_at) values ('operator', 'old', now() - interval '1 day')`);
  await committed(`select graphile_worker.add_job('clean-up')`);
  await until(async () => (await committed(`select 1 from used_token where jti = 'old'`)).length === 0, 20_000);
}

test('a job whose end the database does not take stops neither the process nor the jobs after it', async () => {
  const server = cleanup.own(await startInstanceProcess(instance), (started) => started.stop());
  await committed(`create function lose() returns trigger language plpgsql as $$ begin raise exception 'INTERNAL-DETAIL'; end $$`);
  // Which is told after the work was done, as when the connection goes in between.
  await committed('create trigger lose before delete on graphile_worker._private_jobs for each row execute function lose()');
  await jobDone();
  await until(async () => server.log.some((line) => line.includes('background jobs had stopped')));
  await committed('drop trigger lose on graphile_worker._private_jobs');
  await jobDone();
  expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
  expect(server.log.filter((line) => line.includes('INTERNAL-DETAIL'))).toEqual([]);
});
