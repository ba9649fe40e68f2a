import type { Random } from '../../../../scripts/demo/random.js';
import { type BlockFacts, type BookingFacts, isCoupledIn, type Outcome, type Person, type Traces } from '../../checker/index.js';
import { type Account, type Caller, change, type Changed, type Via } from '../caller.js';
import type { FaultFederation } from '../federation.js';
import type { People } from '../people.js';
import type { Recorder } from '../recorder.js';

/** How long a process may go on by an older setting of its clock: it may have been frozen meanwhile. */
const CLOCK_STALE_MS = 20_000;

/** A record as the workload last saw it. */
export interface Known<Facts> {
  readonly mark: string;
  facts: Facts;
  /** Somebody is changing it. */
  busy: boolean;
  /** It may be otherwise by now: to be read before it is changed again. */
  doubtful: boolean;
  changedAt: number;
}

/** A request to a guide that nobody has closed yet, as far as is known. */
export interface KnownRequest {
  readonly id: string;
  /** The booking's. */
  readonly mark: string;
  readonly bookingId: string;
  readonly guideId: string;
}

/** Whoever has just changed something often changes it again at once: while the first change is still on its way. */
const AGAIN = 0.45;

export function pickKnown<Facts>(random: Random, from: readonly Known<Facts>[]): Known<Facts> | undefined {
  if (from.length === 0) return undefined;
  return random.chance(AGAIN) ? from.reduce((latest, known) => (known.changedAt > latest.changedAt ? known : latest)) : random.pick(from);
}

/** What the workload believes of one house. */
export class Book {
  readonly bookings = new Map<string, Known<BookingFacts>>();
  readonly blocks = new Map<string, Known<BlockFacts>>();
  readonly requests = new Map<string, KnownRequest>();
  /** Foreign bookings that guides dispute here, as far as is known, with the guide's name. */
  readonly disputes = new Map<string, string>();
  /** Persons who have decided here on their bank data. */
  readonly decided = new Set<string>();
  /** Absences, with the account that entered each. */
  readonly absences = new Map<string, Account>();
  /** An operator is changing the settings. */
  isBeingSet = false;
  /** Somebody is changing the holidays. */
  isBeingCelebrated = false;
  readonly offers: { id: string; version: number }[];

  constructor(
    readonly house: string,
    offers: readonly { id: string; version: number }[],
  ) {
    this.offers = offers.map((offer) => ({ ...offer }));
  }
}

const SLOT_MS = 15 * 60_000;
const DAY_MS = 86_400_000;
const FIRST_DAY = 3;
const DAYS = 16;
/** Of ten requests, this many go to the house itself. */
const DIRECT = 0.7;

/** Everything an actor of the workload needs. */
export class Scene {
  readonly books: ReadonlyMap<string, Book>;
  /** How many times of rules have been given out. */
  ruleTimes = 0;
  /** Assignments that a guide has disputed, or is about to. */
  readonly disputed = new Set<string>();
  readonly firstSlot = Math.floor(Date.now() / DAY_MS + FIRST_DAY) * DAY_MS;

  constructor(
    readonly federation: FaultFederation,
    readonly people: People,
    readonly caller: Caller,
    readonly traces: Traces,
    readonly recorder: Recorder,
  ) {
    this.books = new Map([...people.offers].map(([house, offers]) => [house, new Book(house, offers)]));
  }

  book(house: string): Book {
    const book = this.books.get(house);
    if (!book) throw new Error(`there is no house ${house}`);
    return book;
  }

  staff(random: Random, house: string): Account {
    return random.pick(this.people.staff.get(house) ?? []);
  }

  personsIn(house: string): Person[] {
    return this.people.persons.filter(({ guideIds }) => guideIds[house] !== undefined);
  }

  /** For whom a profile's text of this house is: what is written where nobody couples him, or couples him no more, stays there. */
  readersOf(person: Person, house: string): string {
    const isShared = isCoupledIn(person, house) || person.ends === 'AGAIN';
    return isShared ? person.name : `${person.name} of ${house}`;
  }

  /** Whether his account holder written in this house may get to his others. One who shares no longer has said so before it is written. */
  sharesBankData(person: Person, house: string): boolean {
    return person.decidesOnBankData ? !(person.sharesBankData && this.book(house).decided.has(person.name)) : person.sharesBankData;
  }

  guideIds(house: string): string[] {
    return this.personsIn(house).map(({ guideIds }) => guideIds[house] as string);
  }

  /** Anywhere within the days of the run. */
  interval(random: Random): { start: string; end: string } {
    const start = this.firstSlot + random.between(0, (DAYS * DAY_MS) / SLOT_MS - 20) * SLOT_MS;
    return { start: new Date(start).toISOString(), end: new Date(start + random.between(2, 14) * SLOT_MS).toISOString() };
  }

  via(random: Random): () => Via {
    return () => (random.chance(DIRECT) ? 'direct' : 'gateway');
  }

  /** One change with its retries, and when it was. Some are given up without knowing. */
  async change<Payload>(
    random: Random,
    account: Account,
    document: string,
    input: Record<string, unknown>,
  ): Promise<Changed<Payload> & { base: { n: number; house: string; startedAt: number; endedAt: number; attempts: number; outcome: Outcome }; clockAtLeast: number }> {
    const n = this.recorder.number();
    const startedAt = this.recorder.now();
    const moment = Date.now();
    const changed = await change<Payload>(this.caller, account, this.via(random), { document, input }, random.between(1, 4));
    const clockAtLeast = this.federation.house(account.house).clock.atLeast(moment, CLOCK_STALE_MS);
    const base = { n, house: account.house, startedAt, endedAt: this.recorder.now(), attempts: changed.attempts, outcome: changed.outcome };
    return { ...changed, base, clockAtLeast };
  }
}

/** One thing somebody does; resolves when it is over, whatever came of it. */
export type Action = (scene: Scene, random: Random, house: string) => Promise<void>;
