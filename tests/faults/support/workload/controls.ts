import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '../../../../scripts/demo/random.js';
import { OperatorRefusal } from '../../../../scripts/operator/client.js';
import type { Outcome } from '../../checker/index.js';
import { PAIRS } from '../persons.js';
import type { Action, Scene } from './scene.js';

/*
 * What stops the exchange on purpose and lets it go on: an operator's suspension of a link, the staff's pause of a coupling.
 */

const change = (name: string): string => `mutation ($input: CouplingInput!) { ${name}(input: $input) { __typename ... on CouplingPayload { coupling { id } } ... on UserError { code } } }`;
const PAUSE = change('pauseCoupling');
const RESUME = change('resumeCoupling');

/** By an operator, at one house. */
async function operate(scene: Scene, house: string, work: () => Promise<unknown>): Promise<{ n: number; house: string; startedAt: number; endedAt: number; attempts: number; outcome: Outcome }> {
  const n = scene.recorder.number();
  const startedAt = scene.recorder.now();
  const outcome = await work().then(
    (): Outcome => ({ kind: 'ok' }),
    (error: unknown): Outcome => (error instanceof OperatorRefusal && error.status < 500 ? { kind: 'refused', code: error.code } : { kind: 'unknown', why: 'UNREACHABLE' }),
  );
  return { n, house, startedAt, endedAt: scene.recorder.now(), attempts: 1, outcome };
}

async function changeLink(scene: Scene, house: string, partner: string, action: 'suspend' | 'resume'): Promise<boolean> {
  let told = false;
  const done = await operate(scene, house, async () => {
    told = (await scene.federation.house(house).operator.changeLink(partner, action)).partnerTold;
  });
  scene.recorder.add({ ...done, subject: 'link', action, of: partner });
  return done.outcome.kind === 'ok' && told;
}

const partnerOf = (random: Random, house: string): string => {
  const [one, other] = random.pick(PAIRS.filter((pair) => pair.includes(house)));
  return one === house ? other : one;
};

/** For some seconds; whether it worked or not, it is resumed. */
export const suspendLink: Action = async (scene, random, house) => {
  const partner = partnerOf(random, house);
  await changeLink(scene, house, partner, 'suspend');
  await pause(random.between(500, 4_000));
  await changeLink(scene, house, partner, 'resume');
};

/** A new key for one side of a link. */
export const rotateKey: Action = async (scene, random, house) => {
  const partner = partnerOf(random, house);
  const done = await operate(scene, house, () => scene.federation.house(house).operator.rotateLinkKey(partner));
  scene.recorder.add({ ...done, subject: 'link', action: 'rotate', of: partner });
};

/** Another title for the blocks of a house, which every house that couples its guides learns. */
export const renameBlocks: Action = async (scene, _random, house) => {
  const book = scene.book(house);
  // Settings have no version: who sets them last must be known.
  if (book.isBeingSet) return;
  book.isBeingSet = true;
  const blockTitle = `Held ${scene.traces.plant(house, 'title', 'title of blocks')}`;
  const done = await operate(scene, house, () => scene.federation.house(house).operator.changeSettings({ blockTitle }));
  scene.recorder.add({ ...done, subject: 'setting', blockTitle });
  book.isBeingSet = false;
};

export async function endAsOperator(scene: Scene, house: string, couplingId: string): Promise<boolean> {
  const done = await operate(scene, house, () => scene.federation.house(house).operator.changeCoupling(couplingId, 'end'));
  scene.recorder.add({ ...done, subject: 'coupling', action: 'end', of: couplingId });
  return done.outcome.kind === 'ok';
}

async function changeCoupling(scene: Scene, random: Random, house: string, couplingId: string, action: 'pause' | 'resume'): Promise<void> {
  const { base } = await scene.change(random, scene.staff(random, house), action === 'pause' ? PAUSE : RESUME, { couplingId });
  scene.recorder.add({ ...base, subject: 'coupling', action, of: couplingId });
}

/** For some seconds; it may come to be paused in both houses, each of which has to take its own pause back. */
export const pauseCoupling: Action = async (scene, random, house) => {
  const couplings = scene.people.persons.flatMap((person) => person.couplings.filter(({ houses }) => houses.includes(house)));
  const { id } = random.pick(couplings);
  await changeCoupling(scene, random, house, id, 'pause');
  await pause(random.between(500, 4_000));
  await changeCoupling(scene, random, house, id, 'resume');
};

/** Until no house holds any coupling up. @throws after `timeoutMs` */
export async function resumeCouplings(scene: Scene, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  const random = new Random(1);
  for (const house of scene.federation.houses) {
    for (;;) {
      const paused = await house.asSuperuser((client) => client.query<{ id: string }>(`select id from coupling where paused_here and state = 'ACTIVE'`));
      if (paused.rows.length === 0) break;
      if (Date.now() > deadline) throw new Error(`${house.code} could not resume its couplings`);
      for (const { id } of paused.rows) await changeCoupling(scene, random, house.code, id, 'resume');
    }
  }
}

/** Until every link is open on both sides, and both sides know. @throws after `timeoutMs` */
export async function openLinks(scene: Scene, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (const [one, other] of PAIRS) {
    for (const [house, partner] of [[one, other], [other, one]] as const) {
      while (!(await changeLink(scene, house, partner, 'resume'))) {
        if (Date.now() > deadline) {
          const status = await scene.federation.house(house).operator.call<{ partner: string }[]>('sync/status');
          throw new Error(`${house} could not resume its link with ${partner}: ${JSON.stringify(status.find((each) => each.partner === partner))}`);
        }
        await pause(300);
      }
    }
  }
}
