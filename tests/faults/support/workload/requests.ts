import type { Random } from '../../../../scripts/demo/random.js';
import type { RequestOp } from '../../checker/index.js';
import type { Account } from '../caller.js';
import { guideKey } from '../people.js';
import { choose } from './bookings.js';
import type { Action, KnownRequest, Scene } from './scene.js';

const ERROR = '... on UserError { code }';
const ASK = `mutation ($input: RequestGuidesInput!) { requestGuides(input: $input) { __typename ... on RequestGuidesPayload { requests { id guide { id } } } ${ERROR} } }`;
const closing = (name: string, input: string): string => `mutation ($input: ${input}!) { ${name}(input: $input) { __typename ... on GuideRequestPayload { request { id state } } ${ERROR} } }`;
const CLOSE = {
  accept: closing('acceptGuideRequest', 'AcceptGuideRequestInput'),
  decline: closing('declineGuideRequest', 'GuideRequestInput'),
  withdraw: closing('withdrawGuideRequest', 'GuideRequestInput'),
} as const;

const SLOT_MS = 15 * 60_000;

/** Several guides for one booking, more than it needs; the tour itself is the deadline. */
export const askGuides: Action = async (scene, random, house) => {
  const account = scene.staff(random, house);
  const known = await choose(scene, random, house, ({ state, assignments }) => state === 'BOOKED' && assignments.length < 2, account);
  if (!known) return;
  const { id: bookingId, version: expectedVersion, start, end } = known.facts;
  const guideIds = [...new Set(Array.from({ length: random.between(2, 5) }, () => random.pick(scene.guideIds(house))))];
  const middle = new Date((Math.round((Date.parse(start) + Date.parse(end)) / 2 / SLOT_MS)) * SLOT_MS).toISOString();
  const range = random.chance(0.75) ? undefined : random.pick([{ start, end: middle }, { start: middle, end }]);
  const input = { idempotencyKey: random.uuid(), bookingId, expectedVersion, guideIds, deadline: range?.start ?? start, ...(range && { range }) };
  const { base, outcome, payload } = await scene.change<{ requests: { id: string; guide: { id: string } }[] }>(random, account, ASK, input);
  scene.recorder.add({ ...base, subject: 'request', action: 'ask', mark: known.mark, guideIds, requestIds: payload?.requests.map(({ id }) => id) ?? [] });
  for (const { id, guide } of payload?.requests ?? []) scene.book(house).requests.set(id, { id, mark: known.mark, bookingId, guideId: guide.id });
  if (outcome.kind === 'refused' && outcome.code === 'STALE_VERSION') known.doubtful = true;
};

async function close(scene: Scene, random: Random, house: string, { id, mark, bookingId, guideId }: KnownRequest): Promise<void> {
  const action: Exclude<RequestOp['action'], 'ask'> = random.chance(0.7) ? 'accept' : random.pick(['decline', 'withdraw']);
  const person = scene.personsIn(house).find(({ guideIds }) => guideIds[house] === guideId);
  const account: Account | undefined = action === 'withdraw' ? scene.staff(random, house) : scene.people.guides.get(guideKey(house, person?.name ?? ''));
  if (!account) throw new Error(`guide ${guideId} has no account in ${house}`);
  const input = { requestId: id, ...(action === 'accept' && { idempotencyKey: random.uuid() }) };
  const { base, outcome } = await scene.change(random, account, CLOSE[action], input);
  scene.recorder.add({ ...base, subject: 'request', action, mark, guideIds: [guideId], requestIds: [id] });
  const known = scene.book(house).bookings.get(bookingId);
  if (known && action === 'accept' && outcome.kind !== 'refused') known.doubtful = true;
  // Who was not heard, or was taken at that time, may try again.
  const again = outcome.kind === 'refused' && !['REQUEST_CLOSED', 'NOT_FOUND'].includes(outcome.code);
  if (again && random.chance(0.5)) scene.book(house).requests.set(id, { id, mark, bookingId, guideId });
}

/** All that were asked for one booking answer at once; some requests are taken back meanwhile. */
export const answerRequests: Action = async (scene, random, house) => {
  const { requests } = scene.book(house);
  if (requests.size === 0) return;
  const { bookingId } = random.pick([...requests.values()]);
  const asked = [...requests.values()].filter((request) => request.bookingId === bookingId);
  for (const { id } of asked) requests.delete(id);
  await Promise.all(asked.map((request) => close(scene, random, house, request)));
};
