import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../scripts/postgres/embedded.js';
import { type Federation, plantCoupling, startFederation } from '../../tests/testkit/federation.js';
import { wsClient } from '../../tests/testkit/socket.js';
import { median, printTable } from '../harness.js';
import { BareLoop, poll } from './bare-loop.js';

const CHANGES = 2_000;
/** As many bookings of each as a busy guide has ahead; the limits of partners are made for that. */
const GUIDES = 40;
const BOOKINGS_EACH = CHANGES / GUIDES;
const ROUNDS = 7;
const EVENTS_PER_BOOKING = 4;
/** Before every booking that the federation has already. */
const FIRST = '2030-01-01T00:00:00Z';
const OURS = `start_at < '2031-01-01'`;

/** Greta and others are coupled in alpha and beta: their bookings at beta, in alpha's replica. */
class Lotse {
  constructor(private readonly federation: Federation) {}

  async #guides(): Promise<string[]> {
    const { alpha, beta } = this.federation;
    const guideIds = [beta.guide('greta').id];
    while (guideIds.length < GUIDES) {
      const globalId = `g_${randomUUID()}`;
      const [here, there] = [await alpha.records.guide({ globalId }), await beta.records.guide({ globalId })];
      await plantCoupling(alpha, beta, globalId, [here, there]);
      guideIds.push(there);
    }
    return guideIds;
  }

  /** Bookings of ten minutes each quarter of an hour, by SQL: how they are made is not what is measured. */
  async plant(): Promise<void> {
    const { beta } = this.federation;
    const [offer] = beta.offers;
    await beta.records.query(
      `with slot as (select guide_id, gen_random_uuid() as booking, gen_random_uuid() as customer, timestamptz '${FIRST}' + n * interval '15 min' as start_at
                       from generate_series(1, $1::int) n, unnest($3::uuid[]) guide_id),
            c as (insert into customer (id, name) select customer, 'Invented Customer' from slot),
            b as (insert into booking (id, offer_id, customer_id, start_at, end_at, state, guide_demand)
                  select booking, $2::uuid, customer, start_at, start_at + interval '10 min', 'BOOKED', 1 from slot)
       insert into guide_assignment (id, guide_id, booking_id, start_at, end_at)
       select gen_random_uuid(), guide_id, booking, start_at, start_at + interval '10 min' from slot`,
      [BOOKINGS_EACH, offer?.id, await this.#guides()],
    );
    await this.applied(1);
  }

  async change(version: number): Promise<number> {
    const { records } = this.federation.beta;
    await records.query('begin');
    await records.query(`update guide_assignment set version = $1, start_at = start_at + interval '1 sec' where ${OURS}`, [version]);
    await records.query('commit');
    return performance.now();
  }

  async applied(version: number): Promise<void> {
    const { alpha, beta } = this.federation;
    await poll(async () => {
      const [found] = await alpha.records.query<{ count: number }>(
        `select count(*)::int as count from foreign_booking where version = $1 and ${OURS}`,
        [version],
      );
      return found?.count === CHANGES;
    });
    // The next round begins when the sender has heard the last acknowledgement too.
    await poll(async () => (await beta.records.query('select 1 from outbox limit 1')).length === 0);
  }

  /** Milliseconds from each commit at beta to its event on Greta's socket at the gateway, whose home is alpha. */
  async events(): Promise<number[]> {
    const { alpha, beta, gateway } = this.federation;
    const token = await alpha.guideToken('greta');
    const socket = wsClient(gateway.url, () => token);
    const { messages } = socket.subscribe<{ calendarChanged: { kind: string; entryId: string | null } }>(
      'subscription ($id: ID!) { calendarChanged(guideId: $id) { kind entryId entry { start offerTitle } } }',
      { id: alpha.guide('greta').id },
    );
    await poll(async () => (await alpha.records.query('select 1 from session_subscription')).length > 0);
    const rows = await beta.records.query<{ id: string }>(
      `select id from guide_assignment, generate_series(1, $2::int) round where ${OURS} and guide_id = $1 order by round, start_at`,
      [beta.guide('greta').id, EVENTS_PER_BOOKING],
    );
    const times: number[] = [];
    for (const { id } of rows) {
      await beta.records.query('begin');
      await beta.records.query(`update guide_assignment set version = version + 1, start_at = start_at + interval '1 sec' where id = $1`, [id]);
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
    await lotse.plant();
    const bare = await BareLoop.start(postgres.adminUrl, CHANGES);
    const found: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
    try {
      // In turns, one right after the other; the first round warms both up.
      for (let round = 0; round <= ROUNDS; round += 1) {
        const version = round + 2;
        for (const [contender, times] of [[lotse, found.ours], [bare, found.theirs]] as const) {
          const committed = await contender.change(version);
          await contender.applied(version);
          if (round > 0) times.push(performance.now() - committed);
        }
      }
    } finally {
      await bare.stop();
    }
    printTable([
      { contender: 'Lotse', 'ms for 2,000 changes': median(found.ours) },
      { contender: 'bare outbox loop', 'ms for 2,000 changes': median(found.theirs) },
    ]);
    const latencies = (await lotse.events()).sort((one, other) => one - other);
    printTable([{ 'commit to event': 'idle', 'median ms': median(latencies), 'p95 ms': latencies[Math.floor(latencies.length * 0.95)] ?? 0, 'most ms': latencies.at(-1) ?? 0 }]);
    const ratio = median(found.ours.map((ours, round) => ours / (found.theirs[round] ?? Number.NaN)));
    return { outbox: Number(ratio.toFixed(3)), medianMs: Number(median(latencies).toFixed(1)) };
  } finally {
    await federation.close();
    await postgres.stop('immediate');
    await rm(folder, { recursive: true, force: true });
  }
}
