import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '../../../../scripts/demo/random.js';
import type { PersonCoupling } from '../../checker/index.js';
import type { Account } from '../caller.js';
import { ACCEPT_COUPLING, CONFIRM_COUPLING, guideKey, type People, REQUEST_COUPLING } from '../people.js';
import { PAIRS } from '../persons.js';
import { endAsOperator } from './controls.js';
import type { Scene } from './scene.js';

/*
 * Couplings end and are made anew, of a few persons who are there for that: of all others what was sent is compared to the last record.
 */

type Someone = People['persons'][number];
type Pair = readonly [string, string];

const END_COUPLING = 'mutation ($input: CouplingInput!) { endCoupling(input: $input) { __typename ... on CouplingPayload { coupling { id } } ... on UserError { code } } }';
const STEP_MS = 250;

interface Row {
  readonly id: string;
  readonly state: string;
  readonly requested_here: boolean;
  readonly confirmed_here: boolean;
}

/** The coupling with that partner that is not over, as one house has it. One that was asked for there has no guide yet. */
async function livingIn(scene: Scene, someone: Someone, house: string, partner: string): Promise<Row | undefined> {
  const statement = `select c.id, c.state, c.requested_here, c.confirmed_here from coupling c join link l on l.id = c.link_id
    where l.partner_code = $1 and c.guide_id = $2 and c.state not in ('ENDED', 'DECLINED')`;
  return (await scene.federation.house(house).asSuperuser((client) => client.query<Row>(statement, [partner, someone.guideIds[house]]))).rows[0];
}

async function rowIn(scene: Scene, house: string, id: string): Promise<Row | undefined> {
  const statement = 'select id, state, requested_here, confirmed_here from coupling where id = $1';
  return (await scene.federation.house(house).asSuperuser((client) => client.query<Row>(statement, [id]))).rows[0];
}

const accountOf = (scene: Scene, house: string, someone: Someone): Account => {
  const account = scene.people.guides.get(guideKey(house, someone.name));
  if (!account) throw new Error(`${someone.name} has no account in ${house}`);
  return account;
};

async function ask(scene: Scene, random: Random, account: Account, action: string, of: string, document: string, input: Record<string, unknown>): Promise<string | undefined> {
  const { base, payload } = await scene.change<{ coupling: { id: string } }>(random, account, document, input);
  scene.recorder.add({ ...base, subject: 'coupling', action, of: payload?.coupling.id ?? of });
  return payload?.coupling.id;
}

/** Whoever wants it: the guide, staff or an operator, in either house. True once it was answered with ok. */
async function end(scene: Scene, random: Random, someone: Someone, { id, houses }: PersonCoupling): Promise<boolean> {
  const house = random.pick(houses);
  const by = random.pick(['GUIDE', 'STAFF', 'OPERATOR']);
  if (by !== 'OPERATOR') return (await ask(scene, random, by === 'GUIDE' ? accountOf(scene, house, someone) : scene.staff(random, house), 'end', id, END_COUPLING, { couplingId: id })) !== undefined;
  return endAsOperator(scene, house, id);
}

/** Asked for and not answered yet, so that asking again asks for the same. */
interface Wish {
  readonly asker: string;
  readonly input: Record<string, unknown>;
}

/** Couples one person in two houses, step by step, as far as each has come. */
class Matchmaker {
  #wish: Wish | undefined;

  constructor(
    private readonly scene: Scene,
    private readonly random: Random,
    private readonly someone: Someone,
    private readonly pair: Pair,
  ) {}

  /** The coupling, once it is in force in both houses. One step otherwise, which may come to nothing. */
  async step(): Promise<PersonCoupling | undefined> {
    const { scene, random, someone, pair } = this;
    const [one, other] = pair;
    const rows = [await livingIn(scene, someone, one, other), await livingIn(scene, someone, other, one)];
    const asked = rows.findIndex((row) => row?.requested_here);
    const row = rows[asked];
    if (!row) {
      // One side has not heard of the end yet.
      if (rows.some((each) => each !== undefined)) return undefined;
      await this.#request();
      return undefined;
    }
    this.#wish = undefined;
    const asker = pair[asked] as string;
    const answerer = pair[1 - asked] as string;
    const there = await rowIn(scene, answerer, row.id);
    if (there?.state === 'REQUESTED') {
      await ask(scene, random, scene.staff(random, answerer), 'accept', row.id, ACCEPT_COUPLING, { couplingId: row.id, guideId: someone.guideIds[answerer] });
      return undefined;
    }
    if (row.state === 'ACTIVE' && there?.state === 'ACTIVE') return { id: row.id, houses: [asker, answerer] };
    for (const [house, at] of [[asker, row], [answerer, there]] as const) {
      if (at?.state === 'ACCEPTED') await ask(scene, random, accountOf(scene, house, someone), 'confirm', row.id, CONFIRM_COUPLING, { couplingId: row.id });
    }
    return undefined;
  }

  async #request(): Promise<void> {
    const { scene, random, someone, pair } = this;
    const asker = random.pick(pair);
    this.#wish ??= { asker, input: { idempotencyKey: random.uuid(), guideId: someone.guideIds[asker], instance: pair[0] === asker ? pair[1] : pair[0] } };
    // The same account: the key is its own.
    const [account] = scene.people.staff.get(this.#wish.asker) ?? [];
    if (!account) throw new Error(`nobody works in ${this.#wish.asker}`);
    await ask(scene, random, account, 'request', '', REQUEST_COUPLING, this.#wish.input);
  }
}

const isOf = (pair: Pair, { houses }: PersonCoupling): boolean => houses.every((house) => pair.includes(house));

const replace = (someone: Someone, pair: Pair, coupling?: PersonCoupling): void => {
  someone.couplings = [...someone.couplings.filter((each) => !isOf(pair, each)), ...(coupling ? [coupling] : [])];
};

/** Couples in every pair of his houses. @throws after `deadline` */
async function couple(scene: Scene, random: Random, someone: Someone, pair: Pair, isOver: () => boolean): Promise<boolean> {
  const matchmaker = new Matchmaker(scene, random, someone, pair);
  for (;;) {
    // A database may be away at present.
    const coupling = await matchmaker.step().catch(() => undefined);
    if (coupling) {
      replace(someone, pair, coupling);
      return true;
    }
    if (isOver()) return false;
    await pause(STEP_MS);
  }
}

/** What becomes of one person's couplings while people work. */
async function live(scene: Scene, random: Random, someone: Someone, durationMs: number, isOver: () => boolean): Promise<void> {
  // Long enough for something to have been exchanged.
  await pause(durationMs * (someone.ends === 'FOR_GOOD' ? 0.3 + 0.4 * random.next() : 0.1));
  while (!isOver() && someone.couplings.length > 0) {
    const coupling = random.pick(someone.couplings);
    const isEnded = await end(scene, random, someone, coupling);
    if (isEnded && someone.ends === 'FOR_GOOD') replace(someone, coupling.houses);
    if (isEnded && someone.ends === 'AGAIN') {
      await pause(random.between(0, 3_000));
      if (!(await couple(scene, random, someone, coupling.houses, isOver))) return;
    }
    await pause(random.between(500, 4_000));
  }
}

/** Of everybody whose couplings end. */
export async function runCouplings(scene: Scene, { seed, durationMs }: { seed: number; durationMs: number }, isOver: () => boolean): Promise<void> {
  const persons = scene.people.persons.filter(({ ends }) => ends !== undefined);
  await Promise.all(persons.map((someone, index) => live(scene, new Random(seed * 1_000 + 500 + index), someone, durationMs, isOver)));
}

/** Until everybody is coupled who is to be, and nobody who is not. @throws after `timeoutMs` */
export async function finishCouplings(scene: Scene, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  const random = new Random(2);
  const isOver = (): boolean => Date.now() > deadline;
  for (const someone of scene.people.persons) {
    while (someone.ends === 'FOR_GOOD' && someone.couplings[0]) {
      const [coupling] = someone.couplings;
      if (await end(scene, random, someone, coupling)) replace(someone, coupling.houses);
      if (isOver()) throw new Error(`the couplings of ${someone.name} could not be ended`);
    }
    if (someone.ends !== 'AGAIN') continue;
    for (const pair of PAIRS.filter((each) => each.every((house) => someone.guideIds[house] !== undefined))) {
      if (!(await couple(scene, random, someone, pair, isOver))) throw new Error(`${someone.name} could not be coupled in ${pair.join(' and ')} again`);
    }
  }
}
