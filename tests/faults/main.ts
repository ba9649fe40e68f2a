import { randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { FaultRun } from './support/run.js';

const RUNS = 3;
const CHANGES = 3_400;
const MINUTES = 4;
/** Of the first house: those whose drains compete for one lock. */
const PROCESSES = 2;
const LONGEST_FAULT_MS = 6_000;
const QUIET_MS = 120_000;

const positive = (text: string): number => {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError('a number greater than 0');
  return number;
};

interface Options {
  seed?: number;
  runs?: number;
  changes: number;
  minutes: number;
}

/** One run by one seed; gives the number of its findings. */
async function runOnce(seed: number, { changes, minutes }: Options): Promise<number> {
  const log = (line: string): void => console.log(`[${seed}] ${line}`);
  log(`starts; repeat it with: npm run test:faults -- --seed ${seed} --changes ${changes} --minutes ${minutes}`);
  const file = join(tmpdir(), `lotse-faults-${seed}.jsonl`);
  const run = await FaultRun.start({ seed, changes, durationMs: minutes * 60_000, longestFaultMs: LONGEST_FAULT_MS, processes: PROCESSES, quietMs: QUIET_MS, log });
  // Whoever interrupts us gets his processes ended and his history all the same.
  const interrupted = (): void => void run.close().finally(() => process.exit(130));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    await run.run();
    run.recorder.find(await run.check());
    log(JSON.stringify(run.recorder.summary(), undefined, 1));
    const { findings } = run.recorder;
    for (const { check, house, detail } of findings.slice(0, 50)) log(`${check}${house === undefined ? '' : ` in ${house}`}: ${detail}`);
    log(findings.length === 0 ? `${run.recorder.changes} changes; everything is as it must be` : `${findings.length} findings`);
    return findings.length;
  } catch (error) {
    log(`broke off: ${error instanceof Error ? error.stack : String(error)}`);
    return run.recorder.findings.length + 1;
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await run.recorder.write(file, seed);
    log(`what was done and broken: ${file}`);
    await run.close();
  }
}

const program = new Command('test:faults')
  .description('Three houses and a gateway, each a process with a cluster of its own, are broken in every way while people work; then everything must be as if nothing had happened.')
  .option('--seed <number>', 'repeat one run', positive)
  .option('--runs <number>', `how many, one after the other (default: ${RUNS}, or 1 with --seed)`, positive)
  .option('--changes <number>', 'to be made in each run', positive, CHANGES)
  .option('--minutes <number>', 'for which things break in each run', positive, MINUTES);
const options = program.parse().opts<Options>();

let findings = 0;
const runs = options.runs ?? (options.seed === undefined ? RUNS : 1);
const first = options.seed ?? randomInt(1, 1_000_000);
for (let index = 0; index < runs; index += 1) findings += await runOnce(first + index, options);
process.exit(findings === 0 ? 0 : 1);
