import { guideKey } from '../people.js';
import type { Action } from './scene.js';

const FOREIGN = 'query ($range: TimeRangeInput!) { me { guide { calendar(range: $range) { id origin } } } }';
const change = (name: string): string => `mutation ($input: ForeignBookingInput!) { ${name}(input: $input) { __typename ... on ForeignBookingDisputePayload { foreignBookingId } ... on UserError { code } } }`;
const DISPUTE = change('disputeForeignBooking');
const WITHDRAW = change('withdrawDispute');
const SPAN_MS = 30 * 86_400_000;
/** Beside this many in a house, guides take disputes back. */
const MOST = 4;

/** A guide says that a foreign booking is none of his, or takes that back. Each is disputed once at the most, so that it is known what he said last. */
export const dispute: Action = async (scene, random, house) => {
  const { disputes } = scene.book(house);
  const [id, name] = disputes.size > 0 && (disputes.size >= MOST || random.chance(0.4)) ? random.pick([...disputes]) : [];
  if (id !== undefined && name !== undefined) {
    const account = scene.people.guides.get(guideKey(house, name));
    if (!account) throw new Error(`${name} has no account in ${house}`);
    disputes.delete(id);
    const { base } = await scene.change(random, account, WITHDRAW, { foreignBookingId: id });
    scene.recorder.add({ ...base, subject: 'dispute', action: 'withdraw', of: id });
    return;
  }
  // With a coupling go its disputes.
  const person = random.pick(scene.personsIn(house).filter(({ couplings, ends }) => ends === undefined && couplings.some(({ houses }) => houses.includes(house))));
  const account = scene.people.guides.get(guideKey(house, person.name));
  if (!account) throw new Error(`${person.name} has no account in ${house}`);
  const range = { start: new Date(scene.firstSlot - SPAN_MS).toISOString(), end: new Date(scene.firstSlot + SPAN_MS).toISOString() };
  const reply = await scene.caller.ask(account, 'direct', FOREIGN, { range });
  const { guide } = (reply.kind === 'data' ? reply.data['me'] : { guide: { calendar: [] } }) as { guide: { calendar: { id: string; origin: string }[] } };
  const foreign = guide.calendar.filter((entry) => entry.origin === 'FOREIGN' && !scene.disputed.has(entry.id));
  if (foreign.length === 0) return;
  const wanted = random.pick(foreign).id;
  scene.disputed.add(wanted);
  const { base, outcome } = await scene.change(random, account, DISPUTE, { foreignBookingId: wanted });
  scene.recorder.add({ ...base, subject: 'dispute', action: 'dispute', of: wanted });
  if (outcome.kind === 'ok') disputes.set(wanted, person.name);
};
