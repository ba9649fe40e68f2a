import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../scripts/postgres/embedded.js';
import { type Federation, startFederation } from '../../tests/testkit/federation.js';
import { wsClient } from '../../tests/testkit/socket.js';
import { median, printTable } from '../harness.js';
import { BareLoop, poll } from './bare-loop.js';

const CHANGES = 2_000;
const ROUNDS = 7;
const EVENTS = 200;
/** Far from every planted booking. */
const FIRST = '2033-01-01T00:00:00Z';

/** Greta is coupled in alpha and beta: her bookings at beta, in alpha's replica. */
class Lotse {
  constructor(private readonly federation: Federation) {}

  /** Bookings of ten minutes each quarter of an hour, by SQL: how they are made is not what is measured. */
  async plant(count: number): Promise<void> {
    const { beta } = this.federation;
    const [offer] = beta.offers;
    await beta.records.query(
      `with slot as (select n, gen_random_uuid() as booking, gen_random_uuid() as customer, timestamptz '${FIRST}' + n * interval '15 min' as start_at from generate_series(1, $1::int) n),
            c as (insert into customer (id, name) select customer, 'Invented Customer' from slot),
            b as (insert into booking (id, offer_id, customer_id, start_at, end_at, state, guide_demand)
                  select booking, $2::uuid, customer, start_at, start_at + interval '10 min', 'BOOKED', 1 from slot)
       insert into guide_assignment (id, guide_id, booking_id, start_at, end_at)
       select gen_random_uuid(), $3::uuid, booking, start_at, start_at + interval '10 min' from slot`,
      [count, offer?.id, beta.guide('greta').id],
    );
    await this.applied(1, count);
  }

  async change(version: number): Promise<number> {
    const { records } = this.federation.beta;
    await records.query('begin');
    await records.query(`update guide_assignment set version = $1, start_at = start_at + interval '1 sec' where start_at > '${FIRST}'`, [version]);
    await records.query('commit');
    return performance.now();
  }

  async applied(version: number, count: number): Promise<void> {
    const { alpha, beta } = this.federation;
    const coupling = this.federation.couplings['greta alpha-beta'];
    await poll(async () => {
      const [found] = await alpha.records.query<{ count: number }>(
        `select count(*)::int as count from foreign_booking where coupling_id = $1 and version = $2 and start_at > '${FIRST}'`,
        [coupling, version],
      );
      return found?.count === count;
    });
    // The next round begins when the sender has heard the last acknowledgement too.
    await poll(async () => (await beta.records.query('select 1 from outbox limit 1')).length === 0);
  }

  /** Milliseconds from each commit at beta to its event on Greta's socket at the gateway, whose home is alpha. */
  async events(count: number): Promise<number[]> {
    const { alpha, beta, gateway } = this.federation;
    const token = await alpha.guideToken('greta');
    const socket = wsClient(gateway.url, () => token);
    const { messages } = socket.subscribe<{ calendarChanged: { kind: string; entryId: string | null } }>(
      'subscription ($id: ID!) { calendarChanged(guideId: $id) { kind entryId entry { start offerTitle } } }',
      { id: alpha.guide('greta').id },
    );
    await poll(async () => (await alpha.records.query('select 1 from session_subscription')).length > 0);
    const rows = await beta.records.query<{ id: string }>(`select id from guide_assignment where start_at > '${FIRST}' order by start_at limit $1`, [count]);
    const times: number[] = [];
    for (const { id } of rows) {
      await beta.records.query('begin');
      await beta.records.query('update guide_assignment set version = version + 1 where id = $1', [id]);
      const committing = performance.now();
      await beta.records.query('commit');
      await messages.waitFor(({ data }) => data.calendarChanged.entryId === id, 10_000);
      times.push(performance.now() - committing);
      // Idle again before the next one.
      await poll(async () => (await beta.records.query('select 1 from outbox limit 1')).length === 0);
    }
    await socket.dispose();
    return times;
  }
}

/** A change on its way from one house into another's replica, against an outbox loop without anything around it. */
export async function run(): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'lotse-bench-'));
  await chmod(folder, 0o711);
  const postgres = await startEmbeddedPostgres({ dataDirectory: join(folder, 'data'), durable: false, temporary: true, settings: { autovacuum: 'off' } });
  process.env['LOTSE_TEST_ADMIN_URL'] = postgres.adminUrl;
  const federation = await startFederation({ gateway: { LOG_LEVEL: 'error' }, instance: { LOG_LEVEL: 'error' } });
  try {
    const lotse = new Lotse(federation);
    await lotse.plant(CHANGES);
    const bare = await BareLoop.start(postgres.adminUrl, CHANGES);
    const found: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
    try {
      // In turns, one right after the other; the first round warms both up.
      for (let round = 0; round <= ROUNDS; round += 1) {
        const version = round + 2;
        for (const [contender, times] of [[lotse, found.ours], [bare, found.theirs]] as const) {
          const committed = await contender.change(version);
          await contender.applied(version, CHANGES);
          if (round > 0) times.push(performance.now() - committed);
        }
      }
    } finally {
      await bare.stop();
    }
    const latencies = (await lotse.events(EVENTS)).sort((one, other) => one - other);
    printTable([
      { contender: 'Lotse', 'ms for 2,000 changes': median(found.ours) },
      { contender: 'bare outbox loop', 'ms for 2,000 changes': median(found.theirs) },
    ]);
    printTable([{ 'commit to event': 'idle', 'median ms': median(latencies), 'p95 ms': latencies[Math.floor(EVENTS * 0.95)] ?? 0, 'most ms': latencies.at(-1) ?? 0 }]);
    const ratio = median(found.ours.map((ours, round) => ours / (found.theirs[round] ?? Number.NaN)));
    return { outbox: Number(ratio.toFixed(3)), medianMs: Number(median(latencies).toFixed(1)) };
  } finally {
    await federation.close();
    await postgres.stop('immediate');
    await rm(folder, { recursive: true, force: true });
  }
}
