import { join } from 'node:path';
import { projectRoot } from '../../instance-server/platform/project-root.js';
import { type Contender, type Load, type Measurement, measure, median, printTable, startPinned } from '../harness.js';
import { accessTokens, BODY, codeOf, ENTRIES, gatewayKey, GUIDE_ID, type HomeKey, newKey } from './data.js';
import { compareWithBareSql } from './instance.js';

/** Another list of sizes, such as `SIZES=3`, for a quick look. */
const SIZES = (process.env.SIZES ?? '1,3,8,16').split(',').map(Number);
const ROUNDS = 7;
const REQUESTS = 700;
const WARM_UP = 1_000;
const CONCURRENCY = 16;

const dist = (path: string): string => join(projectRoot, 'dist', path);

type Name = 'lotse' | 'fanout' | 'stock';

async function contenders(endpoints: string[], key: HomeKey): Promise<Record<Name, Contender>> {
  const registry = JSON.stringify({ instances: endpoints.map((endpoint, index) => ({ code: codeOf(index), endpoint })) });
  const gateway = (compiled: boolean) =>
    startPinned(dist('gateway/main.js'), {
      PORT: '0',
      REGISTRY: registry,
      GATEWAY_PRIVATE_KEY: JSON.stringify(gatewayKey()),
      SUPERGRAPH_FILE: join(projectRoot, 'schema/supergraph.graphql'),
      NODE_ENV: 'production',
      LOG_LEVEL: 'error',
      COMPILED_EXECUTOR: String(compiled),
    });
  const fanout = startPinned(dist('bench/guide-query/fanout.js'), { ENDPOINTS: JSON.stringify(endpoints), PUBLIC_JWK: JSON.stringify(key.publicJwk) });
  const [lotse, stock] = await Promise.all([gateway(true), gateway(false)]);
  return { lotse, fanout: await fanout, stock };
}

/** What every contender must answer: complete, sorted, foreign entries without details. */
function checkAnswer(count: number): Load['check'] {
  return (answer) => {
    const { data, errors } = answer as { data: { guide: { calendar: { start: string; origin: string; details: unknown }[] } }; errors?: unknown };
    const entries = data.guide.calendar;
    const sorted = entries.every((entry, index) => index === 0 || (entries[index - 1]?.start ?? '') <= entry.start);
    const redacted = entries.every((entry) => (entry.origin === 'FOREIGN') === (entry.details === null));
    if (errors || entries.length !== count * ENTRIES || !sorted || !redacted) throw new Error('a contender answered wrongly');
  };
}

interface Comparison {
  summary: Record<Name, Measurement>;
  /** Our CPU by theirs: the median over rounds in which both were measured one right after the other. */
  ratio(to: Name): number;
}

async function compare(count: number): Promise<Comparison> {
  const key = newKey();
  const upstream = await startPinned(dist('bench/guide-query/upstream.js'), { INSTANCES: String(count), PUBLIC_JWK: JSON.stringify(key.publicJwk) }, 1);
  const running = await contenders(JSON.parse(upstream.url) as string[], key);
  try {
    const names = Object.keys(running) as Name[];
    const found: Record<Name, Measurement[]> = { lotse: [], fanout: [], stock: [] };
    const load = (tokens: string[]): Load => ({
      body: BODY,
      path: '/graphql',
      tokens,
      concurrency: CONCURRENCY,
      check: checkAnswer(count),
    });
    const tokens = (requests: number) => accessTokens(key, codeOf(0), requests, { sub: GUIDE_ID, sid: 'session', guide: GUIDE_ID });
    for (const name of names) await measure(running[name], load(tokens(WARM_UP)));
    // In turns, so that whatever else the machine does meets all of them.
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const name of names) found[name].push(await measure(running[name], load(tokens(REQUESTS))));
    }
    const summary = (name: Name): Measurement => {
      const all = found[name];
      const of = (pick: (one: Measurement) => number) => median(all.map(pick));
      return { requests: REQUESTS * ROUNDS, cpuMs: of((one) => one.cpuMs), requestsPerSecond: of((one) => one.requestsPerSecond), p99Ms: of((one) => one.p99Ms), memoryMb: of((one) => one.memoryMb) };
    };
    return {
      summary: { lotse: summary('lotse'), fanout: summary('fanout'), stock: summary('stock') },
      ratio: (to) => median(found.lotse.map((one, round) => one.cpuMs / (found[to][round]?.cpuMs ?? Number.NaN))),
    };
  } finally {
    await Promise.all(Object.values(running).map((contender) => contender.stop()));
    upstream.process.disconnect();
  }
}

/** Federated guide query over N instances, and one instance's calendar against bare SQL. */
export async function run(): Promise<Record<string, number>> {
  const rows: Record<string, string | number>[] = [];
  const ratios: Record<string, number> = {};
  for (const count of SIZES) {
    const { summary, ratio } = await compare(count);
    for (const [name, one] of Object.entries(summary)) {
      rows.push({ contender: `${name}, N=${count}`, 'CPU ms': one.cpuMs, 'requests/s': one.requestsPerSecond, 'p99 ms': one.p99Ms, 'MB': one.memoryMb, 'CPU of fanout': one.cpuMs / summary.fanout.cpuMs });
    }
    if (count === 3) {
      ratios.fanout = round(ratio('fanout'));
      ratios.stock = round(ratio('stock'));
    }
  }
  const { ours, theirs, ratio: sql } = await compareWithBareSql();
  rows.push({ contender: 'instance server', 'CPU ms': ours.cpuMs, 'requests/s': ours.requestsPerSecond, 'p99 ms': ours.p99Ms, MB: ours.memoryMb, 'CPU of fanout': '' });
  rows.push({ contender: 'bare pg', 'CPU ms': theirs.cpuMs, 'requests/s': theirs.requestsPerSecond, 'p99 ms': theirs.p99Ms, MB: theirs.memoryMb, 'CPU of fanout': '' });
  ratios.sql = round(sql);
  printTable(rows);
  return ratios;
}

const round = (value: number): number => Number(value.toFixed(3));
