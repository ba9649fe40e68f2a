import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../scripts/postgres/embedded.js';
import { type Federation, startFederation } from '../../tests/testkit/federation.js';
import { wsClient } from '../../tests/testkit/socket.js';
import { median, printTable } from '../harness.js';
import { BareLoop } from './bare-loop.js';
import { Houses, OURS, poll } from './houses.js';

const CHANGES = 2_000;
/** Fifty bookings of each, as a busy guide has ahead; the limits of partners are made for that. */
const GUIDES = 40;
const ROUNDS = 9;
const EVENTS_PER_BOOKING = 4;

/** Milliseconds from each commit at beta to its event on Greta's socket at the gateway, whose home is alpha. */
async function events({ alpha, beta, gateway }: Federation): Promise<number[]> {
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

/** A change on its way from one house into another's replica, against an outbox loop with the same effect and nothing around it. */
export async function run(): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'lotse-bench-'));
  await chmod(folder, 0o711);
  const postgres = await startEmbeddedPostgres({ dataDirectory: join(folder, 'data'), durable: false, temporary: true, settings: { autovacuum: 'off' } });
  process.env['LOTSE_TEST_ADMIN_URL'] = postgres.adminUrl;
  const federation = await startFederation({ gateway: { LOG_LEVEL: 'error' }, instance: { LOG_LEVEL: 'error' } });
  try {
    const { alpha, beta } = federation;
    const lotse = new Houses(beta, alpha, CHANGES);
    const bareLoop = await BareLoop.start(CHANGES);
    const bare = bareLoop.houses;
    const ours: number[] = [];
    const theirs: number[] = [];
    try {
      const guides = [[beta.guide('greta').id], []] as [string[], string[]];
      while (guides[0].length < GUIDES) guides[0].push(await lotse.couple());
      while (guides[1].length < GUIDES) guides[1].push(await bare.couple());
      await lotse.plant(guides[0], beta.offers[0]?.id ?? '');
      await bare.plant(guides[1], await bare.origin.records.offer());
      // In turns, one right after the other; the first round warms both up.
      for (let round = 0; round <= ROUNDS; round += 1) {
        const version = round + 2;
        for (const [contender, times] of [[lotse, ours], [bare, theirs]] as const) {
          const committed = await contender.change(version);
          await contender.applied(version);
          if (round > 0) times.push(performance.now() - committed);
          await contender.settle();
        }
      }
    } finally {
      await bareLoop.stop();
    }
    printTable([
      { contender: 'Lotse', 'ms for 2,000 changes': median(ours) },
      { contender: 'bare outbox loop', 'ms for 2,000 changes': median(theirs) },
    ]);
    const latencies = (await events(federation)).sort((one, other) => one - other);
    printTable([{ 'commit to event': 'idle', 'median ms': median(latencies), 'p95 ms': latencies[Math.floor(latencies.length * 0.95)] ?? 0, 'most ms': latencies.at(-1) ?? 0 }]);
    const ratio = median(ours.map((own, round) => own / (theirs[round] ?? Number.NaN)));
    return { outbox: Number(ratio.toFixed(3)), medianMs: Number(median(latencies).toFixed(1)) };
  } finally {
    await federation.close();
    await postgres.stop('immediate');
    await rm(folder, { recursive: true, force: true });
  }
}
