import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InstanceSecret } from '../../instance-server/platform/crypto.js';
import { roleUrl } from '../../instance-server/platform/database/roles.js';
import { projectRoot } from '../../instance-server/platform/project-root.js';
import { startEmbeddedPostgres } from '../../scripts/postgres/embedded.js';
import { openSeed } from '../../scripts/seed/seed.js';
import { provision } from '../../scripts/setup/provision.js';
import { type Load, type Measurement, measure, median, startPinned } from '../harness.js';
import { accessTokens, ENTRIES, entriesOf, QUERY, type HomeKey } from './data.js';

const ROUNDS = 7;
const REQUESTS = 700;
const WARM_UP = 1_000;

/** CPU of the instance server for a guide's calendar of 20 entries, against the same SQL through bare pg. */
export async function compareWithBareSql(): Promise<{ ours: Measurement; theirs: Measurement; ratio: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'lotse-bench-'));
  const postgres = await startEmbeddedPostgres({ dataDirectory: join(folder, 'data'), durable: false, temporary: true });
  const stopping: (() => Promise<unknown>)[] = [];
  try {
    const secret = randomBytes(32).toString('hex');
    const { url } = await provision(postgres.adminUrl, 'bench', secret, { code: 'bench', name: 'Bench', url: 'https://bench.example.org', timeZone: 'Europe/Berlin', locale: 'de', currency: 'EUR' });
    const seed = await openSeed(url, secret);
    const guide = await seed.guide({ firstName: 'Greta', lastName: 'Guide' });
    const offer = await seed.offer({ title: 'Tour', durationMinutes: 45 });
    const account = await seed.account({ email: 'greta@example.org', password: 'not used here at all', displayName: 'Greta Guide', roles: ['GUIDE'], guideId: guide.id });
    await seed.bookings(
      entriesOf(0, 1).map(({ start, end }) => ({ offerId: offer.id, start, end, customer: { name: 'Group', email: 'group@example.org' }, partySize: 12, language: 'de', guideIds: [guide.id] })),
    );
    const session = randomUUID();
    await seed.client.query("insert into session (id, account_id, role, created_at, expires_at) values ($1, $2, 'GUIDE', now(), now() + interval '1 day')", [session, account.id]);

    const env = { DATABASE_URL: url, INSTANCE_SECRET: secret, PORT: '0', NODE_ENV: 'production', LOG_LEVEL: 'error' };
    const ours = await startPinned(join(projectRoot, 'dist/instance-server/main.js'), env);
    stopping.push(() => ours.stop());
    const stored = await seed.client.query<{ kid: string; private_key_encrypted: string; public_jwk: object }>('select * from signing_key');
    const row = stored.rows[0];
    if (!row) throw new Error('the server made no key');
    const key: HomeKey = { kid: row.kid, privatePem: new InstanceSecret(secret).decrypt(row.private_key_encrypted), publicJwk: row.public_jwk };
    await seed.close();
    const theirs = await startPinned(join(projectRoot, 'dist/bench/guide-query/bare-sql.js'), { GUIDE_URL: roleUrl(url, 'guide', new InstanceSecret(secret)), PUBLIC_JWK: JSON.stringify(key.publicJwk) });
    stopping.push(() => theirs.stop());


    const body = JSON.stringify({ query: QUERY, variables: { id: guide.id, range: { start: '2026-06-01T00:00:00.000Z', end: '2026-12-01T00:00:00.000Z' } } });
    const load = (requests: number): Load => ({
      body,
      path: '/graphql',
      tokens: accessTokens(key, 'bench', requests, { sub: account.id, sid: session, guide: guide.id }),
      concurrency: 8,
      check(answer) {
        const { data } = answer as { data: { guide: { calendar: unknown[] } } };
        if (data.guide.calendar.length !== ENTRIES) throw new Error('a contender answered wrongly');
      },
    });
    const found: Record<'ours' | 'theirs', Measurement[]> = { ours: [], theirs: [] };
    for (const contender of [ours, theirs]) await measure(contender, load(WARM_UP));
    for (let round = 0; round < ROUNDS; round += 1) {
      found.ours.push(await measure(ours, load(REQUESTS)));
      found.theirs.push(await measure(theirs, load(REQUESTS)));
    }
    const summary = (all: Measurement[]): Measurement => {
      const of = (pick: (one: Measurement) => number) => median(all.map(pick));
      return { requests: REQUESTS * ROUNDS, cpuMs: of((one) => one.cpuMs), requestsPerSecond: of((one) => one.requestsPerSecond), p99Ms: of((one) => one.p99Ms), memoryMb: of((one) => one.memoryMb) };
    };
    // Of rounds in which both were measured one right after the other.
    const ratio = median(found.ours.map((one, round) => one.cpuMs / (found.theirs[round]?.cpuMs ?? Number.NaN)));
    return { ours: summary(found.ours), theirs: summary(found.theirs), ratio };
  } finally {
    for (const stop of stopping) await stop();
    await postgres.stop('immediate');
    await rm(folder, { recursive: true, force: true });
  }
}
