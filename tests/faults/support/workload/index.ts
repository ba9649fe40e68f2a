import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '../../../../scripts/demo/random.js';
import { createBlock, endBlock, moveBlock } from './blocks.js';
import { assignGuide, cancelBooking, changeContent, createBooking, deleteBooking, moveBooking, resetAssignment, swapGuides } from './bookings.js';
import { beAbsent, beBack, changeRule, setHolidays, setIndividual } from './availability.js';
import { pauseCoupling, renameBlocks, rotateKey, suspendLink } from './controls.js';
import { runCouplings } from './couplings.js';
import { dispute } from './disputes.js';
import { lookAround } from './looking.js';
import { changeProfile, decideOnBankData, renameOffer } from './profiles.js';
import { answerRequests, askGuides } from './requests.js';
import type { Action, Scene } from './scene.js';

export { openLinks, resumeCouplings } from './controls.js';
export { finishCouplings } from './couplings.js';
export { Scene } from './scene.js';

/** How often each is done, in relation to the others. */
const ACTIONS: readonly (readonly [number, Action])[] = [
  [26, createBooking],
  [14, moveBooking],
  [10, swapGuides],
  [4, changeContent],
  [12, assignGuide],
  [8, resetAssignment],
  [8, cancelBooking],
  [6, deleteBooking],
  [7, askGuides],
  [7, answerRequests],
  [14, changeProfile],
  [2, renameOffer],
  [5, createBlock],
  [3, moveBlock],
  [4, endBlock],
  [10, changeRule],
  [3, setIndividual],
  [2, beAbsent],
  [1.5, beBack],
  [1, setHolidays],
  [2.5, dispute],
  [0.8, decideOnBankData],
  [0.8, renameBlocks],
  [0.8, rotateKey],
  [0.6, pauseCoupling],
  [0.5, suspendLink],
  [10, lookAround],
];
const WEIGHT = ACTIONS.reduce((sum, [weight]) => sum + weight, 0);

/** Above this, houses only give bookings up. */
const MOST_BOOKINGS = 220;
const ACTORS = 9;

function nextAction(scene: Scene, random: Random, house: string): Action {
  if (scene.book(house).bookings.size > MOST_BOOKINGS) return random.pick([cancelBooking, deleteBooking, deleteBooking]);
  let rest = random.next() * WEIGHT;
  for (const [weight, action] of ACTIONS) {
    rest -= weight;
    if (rest < 0) return action;
  }
  return createBooking;
}

export interface WorkloadOptions {
  readonly seed: number;
  /** To be made for certain, spread over the time. */
  readonly changes: number;
  readonly durationMs: number;
  /** Of which one at least is to have worked, such as `booking create`; waited for twice as long at most. */
  readonly kinds?: readonly string[];
}

/** Several people in every house, each with a will of his own that follows from the seed. Ends when all changes are made, and not before its time. */
export async function runWorkload(scene: Scene, { seed, changes, durationMs, kinds = [] }: WorkloadOptions, stop: AbortSignal): Promise<void> {
  const houses = [...scene.books.keys()];
  const started = Date.now();
  const { recorder } = scene;
  const due = (): number => (changes * (Date.now() - started)) / durationMs;
  const haveWorked = (): boolean => {
    const summary = recorder.summary();
    return kinds.every((kind) => summary[kind]?.['ok']) || Date.now() - started >= 2 * durationMs;
  };
  const isOver = (): boolean => stop.aborted || (recorder.changes >= changes && Date.now() - started >= durationMs && haveWorked());
  const act = async (actor: number): Promise<void> => {
    const random = new Random(seed * 1_000 + actor);
    while (!isOver()) {
      if (recorder.changes > due()) {
        await pause(15);
        continue;
      }
      const house = random.pick(houses);
      await nextAction(scene, random, house)(scene, random, house);
    }
  };
  await Promise.all([...Array.from({ length: ACTORS }, (_, actor) => act(actor)), runCouplings(scene, { seed, durationMs }, isOver)]);
}
