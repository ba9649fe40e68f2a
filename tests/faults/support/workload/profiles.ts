import type { Random } from '../../../../scripts/demo/random.js';
import type { Person } from '../../checker/index.js';
import { guideKey } from '../people.js';
import type { Action, Scene } from './scene.js';

const READ_GUIDE = 'query ($id: ID!) { guide(id: $id) { id version languages } }';
const UPDATE_GUIDE = 'mutation ($input: UpdateGuideInput!) { updateGuide(input: $input) { __typename ... on GuidePayload { guide { id version } } ... on UserError { code } } }';
const UPDATE_OFFER = 'mutation ($input: UpdateOfferInput!) { updateOffer(input: $input) { __typename ... on OfferPayload { offer { id version } } ... on UserError { code } } }';

const LANGUAGES = ['de', 'en', 'fr', 'it', 'pl', 'cs', 'nl', 'sv'];

/** Any valid one: it is by its holder that an account is known here. */
const IBAN = 'DE89370400440532013000';

type Value = string | string[] | { accountHolder: string; iban: string };

/** What becomes of it in the database, as one text. */
const textOf = (value: Value): string => (typeof value === 'string' ? value : Array.isArray(value) ? value.join(' ') : value.accountHolder);

function someValues(scene: Scene, random: Random, house: string, person: Person, byGuide: boolean): Record<string, Value> {
  const whose = scene.readersOf(person, house);
  const plant = (field: string) => scene.traces.plant(house, 'profile', field, whose);
  const all: Record<string, () => Value> = {
    firstName: () => plant('first name'),
    lastName: () => plant('last name'),
    email: () => `${plant('profile address')}@post.example`,
    phone: () => `+49 ${plant('telephone')}`,
    languages: () => LANGUAGES.filter(() => random.chance(0.4)),
    ...(byGuide && { bankData: () => ({ accountHolder: scene.sharesBankData(person, house) ? plant('account holder') : scene.traces.plant(house, 'private', 'account holder'), iban: IBAN }) }),
  };
  const chosen = Object.keys(all).filter(() => random.chance(0.4));
  return Object.fromEntries((chosen.length > 0 ? chosen : ['phone']).map((field) => [field, all[field]?.() ?? '']));
}

/** He decides anew whether this house may tell his others of his account: once, so that it is known what may be where. */
export const decideOnBankData: Action = async (scene, random, house) => {
  const { decided } = scene.book(house);
  const undecided = scene.personsIn(house).filter(({ name, decidesOnBankData }) => decidesOnBankData && !decided.has(name));
  if (undecided.length === 0) return;
  const person = random.pick(undecided);
  const guideId = person.guideIds[house] as string;
  const account = scene.people.guides.get(guideKey(house, person.name));
  if (!account) throw new Error(`${person.name} has no account in ${house}`);
  const reply = await scene.caller.ask(account, scene.via(random)(), READ_GUIDE, { id: guideId });
  const guide = reply.kind === 'data' ? (reply.data['guide'] as { version: number } | null) : null;
  if (!guide) return;
  const sharesBankData = !person.sharesBankData;
  const { base, outcome, payload, clockAtLeast } = await scene.change<{ guide: { version: number } }>(random, account, UPDATE_GUIDE, { guideId, expectedVersion: guide.version, sharesBankData });
  const values = { sharesBankData: String(sharesBankData) };
  scene.recorder.add({ ...base, subject: 'profile', guideId, values, expectedVersion: guide.version, clockAtLeast, ...(payload && { answerVersion: payload.guide.version }) });
  if (outcome.kind === 'ok') decided.add(person.name);
};

/** By staff or by the guide himself, in any of his houses. */
export const changeProfile: Action = async (scene, random, house) => {
  const persons = scene.personsIn(house);
  // One of them is changed by everybody.
  const person = random.chance(0.4) && persons[0] ? persons[0] : random.pick(persons);
  const guideId = person.guideIds[house] as string;
  const byGuide = random.chance(0.4);
  const account = byGuide ? scene.people.guides.get(guideKey(house, person.name)) : scene.staff(random, house);
  if (!account) throw new Error(`${person.name} has no account in ${house}`);
  const reply = await scene.caller.ask(account, scene.via(random)(), READ_GUIDE, { id: guideId });
  const guide = reply.kind === 'data' ? (reply.data['guide'] as { version: number; languages: string[] } | null) : null;
  if (!guide) return;
  const given = someValues(scene, random, house, person, byGuide);
  // Who says what stands already changes nothing.
  if (String(given['languages']) === String(guide.languages)) given['languages'] = [...guide.languages, 'da'];
  const { base, payload, clockAtLeast } = await scene.change<{ guide: { version: number } }>(random, account, UPDATE_GUIDE, { guideId, expectedVersion: guide.version, ...given });
  const values = Object.fromEntries(Object.entries(given).map(([field, value]) => [field, textOf(value)]));
  scene.recorder.add({ ...base, subject: 'profile', guideId, values, expectedVersion: guide.version, clockAtLeast, ...(payload && { answerVersion: payload.guide.version }) });
};

/** Another public title, which every house that couples its guides learns. */
export const renameOffer: Action = async (scene, random, house) => {
  const offer = random.pick(scene.book(house).offers);
  const title = `Tour ${scene.traces.plant(house, 'title', 'offer title')}`;
  const expectedVersion = offer.version;
  const { base, payload } = await scene.change<{ offer: { version: number } }>(random, scene.staff(random, house), UPDATE_OFFER, { offerId: offer.id, expectedVersion, title });
  scene.recorder.add({ ...base, subject: 'offer', offerId: offer.id, title, expectedVersion, ...(payload && { answerVersion: payload.offer.version }) });
  if (payload) offer.version = Math.max(offer.version, payload.offer.version);
  else await readOffer(scene, random, house, offer);
};

const OFFERS = 'query { offers(first: 50) { edges { node { id version } } } }';

async function readOffer(scene: Scene, random: Random, house: string, offer: { id: string; version: number }): Promise<void> {
  const reply = await scene.caller.ask(scene.staff(random, house), 'direct', OFFERS, {});
  if (reply.kind !== 'data') return;
  const { edges } = reply.data['offers'] as { edges: { node: { id: string; version: number } }[] };
  const found = edges.find(({ node }) => node.id === offer.id);
  if (found) offer.version = found.node.version;
}
