import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../../../../scripts/demo/random.js';
import { OperatorRefusal } from '../../../../scripts/operator/client.js';
import type { Outcome } from '../../checker/index.js';
import { PAIRS } from '../persons.js';
import type { Action, Scene } from './scene.js';

/*
 * What stops the exchange on purpose and lets it go on: an operator's suspension of a link.
 */

async function changeLink(scene: Scene, house: string, partner: string, action: 'suspend' | 'resume'): Promise<boolean> {
  const n = scene.recorder.number();
  const startedAt = scene.recorder.now();
  let outcome: Outcome;
  let told = false;
  try {
    told = (await scene.federation.house(house).operator.changeLink(partner, action)).partnerTold;
    outcome = { kind: 'ok' };
  } catch (error) {
    outcome = error instanceof OperatorRefusal && error.status < 500 ? { kind: 'refused', code: error.code } : { kind: 'unknown', why: 'UNREACHABLE' };
  }
  scene.recorder.add({ n, house, startedAt, endedAt: scene.recorder.now(), attempts: 1, outcome, subject: 'link', action, of: partner });
  return outcome.kind === 'ok' && told;
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

/** Until every link is open on both sides, and both sides know. @throws after `timeoutMs` */
export async function openLinks(scene: Scene, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (const [one, other] of PAIRS) {
    for (const [house, partner] of [[one, other], [other, one]] as const) {
      while (!(await changeLink(scene, house, partner, 'resume'))) {
        if (Date.now() > deadline) throw new Error(`${house} could not resume its link with ${partner}`);
        await pause(300);
      }
    }
  }
}
