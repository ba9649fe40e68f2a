import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '../../../scripts/demo/random.js';
import { checkAll, checkDoubleBookings, type Finding, leaksInAnswer, leaksInDatabase, leaksInLog, type Snapshots, steady, Traces, type World } from '../checker/index.js';
import { Caller } from './caller.js';
import { calendarsOf } from './calendars.js';
import { type FaultFederation, startFaultFederation } from './federation.js';
import { Injector } from './injector.js';
import { type People, populate } from './people.js';
import { HOUSES } from './persons.js';
import { untilQuiet } from './quiet.js';
import { Recorder } from './recorder.js';
import { finishCouplings, openLinks, resumeCouplings, runWorkload, Scene } from './workload/index.js';

export interface FaultRunOptions {
  readonly seed: number;
  /** To be made for certain. */
  readonly changes: number;
  /** While things break. */
  readonly durationMs: number;
  /** Of which one at least is to have worked. */
  readonly kinds?: readonly string[];
  readonly longestFaultMs: number;
  /** Processes of the first house; 1 unless said. */
  readonly processes?: number;
  /** How long quiet may take to come once everything runs again. */
  readonly quietMs: number;
  readonly log?: (line: string) => void;
}

/** Between two looks at what must hold at every moment. */
const LOOK_MS = 2_000;
const OPEN_LINKS_MS = 30_000;
const FINISH_COUPLINGS_MS = 120_000;
/** Houses take each other's stamps up to a minute ahead. */
const FORGIVEN_AHEAD_MS = 55_000;

/** A federation with people in it, whose answers are heard, and everything that is needed to break it and to judge it. */
export class FaultRun {
  readonly recorder = new Recorder();
  readonly #random: Random;
  readonly #ways: Random;
  readonly traces: Traces;
  readonly caller: Caller;
  people!: People;
  scene!: Scene;

  private constructor(
    readonly federation: FaultFederation,
    private readonly options: FaultRunOptions,
  ) {
    this.#random = new Random(options.seed);
    this.#ways = new Random(options.seed + 2);
    const tokens = new Random(options.seed + 1);
    this.traces = new Traces((limit) => tokens.between(0, limit - 1));
    this.caller = new Caller({ direct: (house) => this.#ways.pick(federation.house(house).servers).url, gateway: () => federation.gateway.url }, (text, viewer) =>
      this.recorder.find(leaksInAnswer(text, viewer, this.world, this.traces)),
    );
  }

  static async start(options: FaultRunOptions): Promise<FaultRun> {
    const federation = await startFaultFederation({ seed: options.seed, processes: options.processes });
    const run = new FaultRun(federation, options);
    try {
      run.people = await populate(federation, run.caller, run.traces);
      run.scene = new Scene(federation, run.people, run.caller, run.traces, run.recorder);
      return run;
    } catch (error) {
      await federation.close();
      throw error;
    }
  }

  get world(): World {
    return { houses: HOUSES, persons: this.people?.persons ?? [] };
  }

  /** Those whose couplings last. Whoever is coupled anew may be taken in both houses, until they have agreed on who keeps his claims. */
  get #lasting(): World {
    return { ...this.world, persons: this.world.persons.filter(({ ends }) => ends === undefined) };
  }

  /** Things are done and broken; then everything runs again and falls quiet. */
  async run(): Promise<void> {
    const { seed, changes, durationMs, kinds = [], longestFaultMs, log = () => undefined } = this.options;
    const over = new AbortController();
    const injector = new Injector(this.federation, this.#random, this.recorder, longestFaultMs);
    const broken = injector.run(over.signal);
    const looked = this.#look(over.signal);
    // Whatever could not be mended ends the rest.
    const stopped = broken.catch(() => over.abort());
    await runWorkload(this.scene, { seed, changes, durationMs, kinds }, over.signal).finally(() => over.abort());
    await Promise.all([stopped, looked]);
    await broken;
    log(`${this.recorder.changes} changes were made, ${this.recorder.faults.length} things broken, in ${Math.round(this.recorder.now() / 1_000)} s; waiting for quiet`);
    await this.settle().catch(async (error: Error) => {
      const doing = (await Promise.all(this.federation.houses.map((house) => house.doing()))).flat();
      throw new Error([error.message, ...doing].join('\n'), { cause: error });
    });
    log(`quiet after ${Math.round(this.recorder.now() / 1_000)} s`);
  }

  async settle(): Promise<void> {
    await openLinks(this.scene, OPEN_LINKS_MS);
    await finishCouplings(this.scene, FINISH_COUPLINGS_MS);
    await resumeCouplings(this.scene, OPEN_LINKS_MS);
    // What operators do once they have set a clock right that was too far ahead: until then partners wait for its time to come.
    for (const { clock, operator } of this.federation.houses) if (clock.furthestAhead > FORGIVEN_AHEAD_MS) await operator.call('sync/restamp');
    const problem = await untilQuiet(this.federation, this.options.quietMs, (waiting) => this.recorder.fault('not quiet', 'federation', waiting)());
    if (problem !== undefined) this.recorder.find([{ check: 'quiet', detail: problem }]);
  }

  /** What must hold at every moment, while things break. */
  async #look(stop: AbortSignal): Promise<void> {
    let before: Snapshots | undefined;
    while (!stop.aborted) {
      await pause(LOOK_MS, undefined, { signal: stop }).catch(() => undefined);
      const after = await this.federation.snapshots().catch(() => undefined);
      if (before && after) this.recorder.find(checkDoubleBookings(this.#lasting, steady(before, after, this.scene.disputed)));
      before = after;
    }
  }

  /** Everything that must hold after quiet. Snapshots of one's own may be judged instead of what is there. */
  async check(snapshots?: Snapshots): Promise<Finding[]> {
    const { federation, world, traces } = this;
    const now = snapshots ?? (await federation.snapshots());
    this.options.log?.(proportions(now));
    const findings = checkAll(world, this.recorder.ops, now);
    for (const house of federation.houses) {
      findings.push(...(await house.asSuperuser((client) => leaksInDatabase(client, house.code, world, traces))));
      for (const { logFile } of house.servers) findings.push(...leaksInLog(await readFile(logFile, 'utf8'), house.code, traces));
    }
    findings.push(...leaksInLog(await readFile(federation.gateway.logFile, 'utf8'), 'gateway', traces));
    for (const relay of federation.partnerRelays.values()) {
      for (const path of relay.counts.replaysAccepted) findings.push({ check: 'replay', detail: `${relay.name}: a message to ${path} was accepted twice` });
    }
    findings.push(...(await calendarsOf(this.scene, now)));
    return findings;
  }

  async close(): Promise<void> {
    await this.federation.close();
  }
}

/** What there is to judge: a run in which nothing came into conflict has not tried much. */
function proportions(snapshots: Snapshots): string {
  const all = Object.values(snapshots);
  const living = all.flatMap(({ assignments }) => assignments.filter(({ ended }) => !ended));
  const decided = ['VERIFIED', 'CONFLICT', 'NOT_NEEDED'].map((verification) => `${living.filter((row) => row.verification === verification).length} ${verification}`);
  const copies = all.reduce((sum, { foreign }) => sum + foreign.length, 0);
  const rules = all.reduce((sum, snapshot) => sum + snapshot.rules.length, 0);
  return `${living.length} living assignments (${decided.join(', ')}), ${copies} foreign bookings, ${rules} copies of rules`;
}
