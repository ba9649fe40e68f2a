import { guideKey } from '../people.js';
import type { Action, Scene } from './scene.js';

/*
 * Nothing is changed here: answers are heard, for what must not be in them.
 */

const CALENDAR = `query ($range: TimeRangeInput!) { me { displayName guide { id firstName lastName email phone bankData { accountHolder } calendar(range: $range) {
  id start end origin offerTitle instance { code name url } details { bookingId customer { name email phone } partySize language notes } } } } }`;
const GUIDES = `query ($range: TimeRangeInput!) { guides(first: 50) { edges { node { id firstName lastName email phone languages
  calendar(range: $range) { id start end origin offerTitle instance { code } details { bookingId customer { name } notes } } } } } }`;
const BOOKINGS = 'query { bookings(first: 100) { edges { cursor node { id start end state notes customer { name email phone } offer { title } assignments { id guide { firstName lastName } } } } pageInfo { endCursor } } }';

const DAY_MS = 86_400_000;

const someRange = (scene: Scene, first: number): { start: string; end: string } => ({
  start: new Date(scene.firstSlot + first * DAY_MS).toISOString(),
  end: new Date(scene.firstSlot + (first + 10) * DAY_MS).toISOString(),
});

export const lookAround: Action = async (scene, random, house) => {
  const range = someRange(scene, random.between(0, 30));
  const via = scene.via(random)();
  const person = random.pick(scene.personsIn(house));
  const guide = scene.people.guides.get(guideKey(house, person.name));
  if (guide && random.chance(0.5)) await scene.caller.ask(guide, via, CALENDAR, { range });
  else if (random.chance(0.5)) await scene.caller.ask(scene.staff(random, house), via, GUIDES, { range });
  else await scene.caller.ask(guide && random.chance(0.4) ? guide : scene.staff(random, house), via, BOOKINGS, {});
};
