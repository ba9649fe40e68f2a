import { randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'pg';
import { FaultRun } from './support/run.js';

/*
 * The short form of `npm run test:faults`: one seed, less than a minute of faults. Then the checker is shown what it must find in the same
 * running system.
 */

/** To repeat a failure: FAULTS_SEED=<the printed one>. */
const SEED = Number(process.env['FAULTS_SEED'] ?? randomInt(1, 1_000_000));
const CHANGES = 350;
const DURATION_MS = 40_000;
const QUIET_MS = 90_000;
const START_MS = 60_000;
/** A run without any of these has shown nothing. */
const DONE = ['booking create', 'booking rebook', 'booking assign', 'block create', 'request ask', 'request accept', 'profile', 'rule create', 'coupling end', 'coupling request'];

let run: FaultRun;
beforeAll(async () => {
  console.log(`faults of seed ${SEED}`);
  run = await FaultRun.start({ seed: SEED, changes: CHANGES, durationMs: DURATION_MS, kinds: DONE, longestFaultMs: 2_500, quietMs: QUIET_MS });
}, START_MS);
afterAll(() => run?.close());

test('after processes, databases, networks and clocks have failed for a while, everything is as if nothing had happened', async () => {
  const file = join(tmpdir(), `lotse-faults-${SEED}.jsonl`);
  try {
    await run.run();
    run.recorder.find(await run.check());
  } finally {
    if (run.recorder.findings.length > 0 || run.recorder.changes < CHANGES) {
      await run.recorder.write(file, SEED);
      console.log(`what was done and broken by seed ${SEED}: ${file}`);
    }
  }
  expect(run.recorder.findings).toEqual([]);
  const summary = run.recorder.summary();
  expect(DONE.filter((kind) => !summary[kind]?.['ok'])).toEqual([]);
  expect(run.recorder.changes).toBeGreaterThanOrEqual(CHANGES);
}, START_MS + DURATION_MS * 3 + QUIET_MS);

describe('what is planted in the running system is found', () => {
  /** Past all triggers and constraints of the product, as a fault of its own would be. */
  const plant = (house: string, statement: string, values: unknown[] = []): Promise<number> =>
    run.federation.house(house).asSuperuser(async (client: Client) => {
      await client.query('set session_replication_role = replica');
      return (await client.query(statement, values)).rowCount ?? 0;
    });
  const anna = () => run.world.persons[0] as (typeof run.world.persons)[number];
  const found = async (): Promise<string[]> => [...new Set((await run.check()).map(({ check }) => check))];

  test('a loss: of a copy', async () => {
    expect(await plant('beta', 'delete from foreign_booking where ctid = (select ctid from foreign_booking where not ended limit 1)')).toBe(1);
    expect(await found()).toContain('replica');
  });

  test('a loss: of a booking', async () => {
    // Several, since of one that somebody tried to delete without an answer nothing could be said.
    const statement = `with gone as (delete from booking where id in (select id from booking where state = 'BOOKED' order by version limit 5) returning id)
      update guide_assignment a set ended_at = now(), booking_id = null from gone where a.booking_id = gone.id`;
    await plant('gamma', statement);
    expect(await found()).toContain('lost effect');
  });

  test('a duplicate: of a booking', async () => {
    const columns = 'offer_id, customer_id, start_at, end_at, state, party_size, language, notes, guide_demand, version';
    expect(await plant('alpha', `insert into booking (id, ${columns}) select gen_random_uuid(), ${columns} from booking limit 1`)).toBe(1);
    expect(await found()).toContain('duplicated effect');
  });

  test('a leak: of another house’s customer', async () => {
    const [name] = await run.federation.house('alpha').asSuperuser(async (client) => (await client.query<{ name: string }>('select name from customer limit 1')).rows);
    expect(await plant('beta', `update settings set homepage = 'https://x.example/' || $1`, [name?.name])).toBe(1);
    expect(await found()).toContain('leak');
  });

  test('a double booking: one guide verified in two houses at once', async () => {
    // Planted in both houses: which assignments of a guide are verified when all is quiet depends on the seed.
    const statement = `insert into guide_assignment (id, guide_id, start_at, end_at, kind, verification)
      values (gen_random_uuid(), $1, now() + interval '200 days', now() + interval '201 days', 'BLOCK', 'VERIFIED')`;
    for (const house of ['alpha', 'beta']) expect(await plant(house, statement, [anna().guideIds[house]])).toBe(1);
    expect(await found()).toContain('double booking');
  });
});
