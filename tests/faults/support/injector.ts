import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../../../scripts/demo/random.js';
import type { FaultFederation } from './federation.js';
import type { PartnerRelay } from './partner-relay.js';
import type { Recorder } from './recorder.js';

interface Fault {
  readonly weight: number;
  readonly kind: string;
  /** What no two faults may be at, at once. */
  readonly locks: readonly string[];
  readonly of: string;
  run(lasts: () => Promise<unknown>): Promise<string | undefined>;
}

const SECONDS = 1_000;
/** At once. */
const MOST = 3;

/** Breaks things by the seed and mends each again after a while; nothing is broken for ever. */
export class Injector {
  readonly #held = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  readonly #faults: readonly Fault[];
  readonly #problems: unknown[] = [];

  constructor(
    private readonly federation: FaultFederation,
    private readonly random: Random,
    private readonly recorder: Recorder,
    /** The longest a fault lasts. */
    private readonly longestMs: number,
  ) {
    this.#faults = [...federation.houses.flatMap((house) => this.#ofHouse(house.code)), ...this.#ofGateway(), ...[...federation.partnerRelays.values()].flatMap((relay) => this.#ofRelay(relay))];
  }

  /** Until told to stop; resolves when everything runs again. @throws when something could not be mended */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted && this.#problems.length === 0) {
      await pause(this.random.between(100, 1_200), undefined, { signal: stop }).catch(() => undefined);
      if (stop.aborted) break;
      if (this.#running.size < MOST) this.#start(this.#choose());
    }
    await Promise.all(this.#running);
    await this.#heal();
    if (this.#problems.length > 0) throw this.#problems[0];
  }

  #choose(): Fault | undefined {
    const free = this.#faults.filter(({ locks }) => !locks.some((lock) => this.#held.has(lock)));
    let rest = this.random.next() * free.reduce((sum, { weight }) => sum + weight, 0);
    return free.find(({ weight }) => (rest -= weight) < 0);
  }

  #start(fault: Fault | undefined): void {
    if (!fault) return;
    for (const lock of fault.locks) this.#held.add(lock);
    const lasts = this.random.between(300, this.longestMs);
    const ended = this.recorder.fault(fault.kind, fault.of, `${lasts} ms`);
    const running = fault
      .run(() => pause(lasts))
      .then(ended, (error: unknown) => {
        this.#problems.push(error);
        ended('could not be mended');
      })
      .finally(() => {
        for (const lock of fault.locks) this.#held.delete(lock);
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  #ofHouse(code: string): Fault[] {
    const { servers, cluster, clock } = this.federation.house(code);
    const processes = [`house ${code}`];
    const relay = this.federation.gatewayRelays.get(code);
    const partners = [...this.federation.partnerRelays].filter(([name]) => name.split('>').includes(code));
    return [
      ...servers.flatMap((server): Fault[] => [
        { weight: 5 / servers.length, kind: 'SIGKILL', of: server.name, locks: processes, run: async (lasts) => this.#killAndRestart(server, lasts) },
        { weight: 4 / servers.length, kind: 'SIGSTOP', of: server.name, locks: processes, run: async (lasts) => freeze(server, lasts) },
      ]),
      {
        weight: 4,
        kind: 'PostgreSQL stops at once',
        of: code,
        locks: processes,
        run: async (lasts) => {
          await cluster.crash();
          await lasts();
          await cluster.start();
          return undefined;
        },
      },
      {
        weight: 2,
        kind: 'PostgreSQL and the instance die together',
        of: code,
        locks: processes,
        run: async (lasts) => {
          await Promise.all([cluster.crash(), ...servers.map((server) => server.kill())]);
          await lasts();
          await cluster.start();
          await Promise.all(servers.map((server) => server.start()));
          return undefined;
        },
      },
      {
        weight: 3,
        kind: 'sessions of the worker end',
        of: code,
        locks: processes,
        run: async () => {
          await this.federation.house(code).asSuperuser((client) => client.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename like '%worker%'`));
          return undefined;
        },
      },
      { weight: 4, kind: 'clock', of: code, locks: [`clock ${code}`], run: async (lasts) => shift(clock, this.#offset(), lasts) },
      {
        weight: 2,
        kind: 'cut off from partners',
        of: code,
        locks: partners.map(([name]) => `net ${name}`),
        run: async (lasts) => {
          for (const [, each] of partners) each.set({ cut: true });
          await lasts();
          for (const [, each] of partners) each.heal();
          return undefined;
        },
      },
      { weight: 1, kind: 'gateway cut off', of: code, locks: [`gateway net ${code}`], run: async (lasts) => onLine(relay, { cut: true }, lasts) },
      { weight: 1, kind: 'gateway slow', of: code, locks: [`gateway net ${code}`], run: async (lasts) => onLine(relay, { delayMs: this.random.between(20, 400), pieceBytes: 2_000 }, lasts) },
    ];
  }

  #ofGateway(): Fault[] {
    const { gateway, gatewayClock } = this.federation;
    return [
      { weight: 3, kind: 'SIGKILL', of: 'gateway', locks: ['gateway'], run: async (lasts) => this.#killAndRestart(gateway, lasts) },
      { weight: 2, kind: 'SIGSTOP', of: 'gateway', locks: ['gateway'], run: async (lasts) => freeze(gateway, lasts) },
      { weight: 1, kind: 'clock', of: 'gateway', locks: ['clock gateway'], run: async (lasts) => shift(gatewayClock, this.#offset(), lasts) },
    ];
  }

  #ofRelay(relay: PartnerRelay): Fault[] {
    const locks = [`net ${relay.name}`];
    const fault = (weight: number, kind: string, set: () => void): Fault => ({
      weight,
      kind,
      of: relay.name,
      locks,
      run: async (lasts) => {
        set();
        await lasts();
        relay.heal();
        return undefined;
      },
    });
    return [
      fault(1.5, 'cut', () => relay.set({ cut: true })),
      fault(1.5, 'slow', () => relay.set({ delayMs: this.random.between(20, 600), pieceBytes: this.random.between(300, 4_000) })),
      fault(2, 'answers lost', () => relay.set({}, { loseAnswer: 0.6 })),
      fault(1, 'messages torn', () => relay.set({}, { tear: 0.5 })),
      fault(1.5, 'messages out of order', () => relay.set({ delayMs: 5 }, { hold: 0.6, loseAnswer: 0.2 })),
      { weight: 2, kind: 'messages repeated', of: relay.name, locks: [`replay ${relay.name}`], run: async () => `${await relay.replay()}` },
    ];
  }

  /** Mostly within what houses forgive each other, sometimes beyond. */
  #offset(): number {
    return (this.random.chance(0.75) ? this.random.between(2, 50) : this.random.between(70, 200)) * SECONDS * this.random.pick([-1, 1]);
  }

  async #killAndRestart(server: { kill(): Promise<void>; start(): Promise<void> }, lasts: () => Promise<unknown>): Promise<undefined> {
    await server.kill();
    await lasts();
    await server.start();
  }

  async #heal(): Promise<void> {
    const { houses, gatewayClock, partnerRelays, gatewayRelays } = this.federation;
    for (const relay of [...partnerRelays.values(), ...gatewayRelays.values()]) relay.heal();
    await Promise.all([gatewayClock.set(0), ...houses.map(({ clock }) => clock.set(0))]);
  }
}

async function freeze(server: { freeze(): void; thaw(): void }, lasts: () => Promise<unknown>): Promise<undefined> {
  server.freeze();
  await lasts();
  server.thaw();
}

async function shift(clock: { set(offset: number): Promise<void> }, offset: number, lasts: () => Promise<unknown>): Promise<string> {
  await clock.set(offset);
  await lasts();
  await clock.set(0);
  return `${offset} ms`;
}

async function onLine(relay: { set(line: object): void; heal(): void } | undefined, line: object, lasts: () => Promise<unknown>): Promise<undefined> {
  relay?.set(line);
  await lasts();
  relay?.heal();
}
