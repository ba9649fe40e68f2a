import { randomUUID } from 'node:crypto';
import { PASSWORD, Records } from '../../testkit/records.js';
import { until } from '../../testkit/until.js';
import type { Person, PersonCoupling, Traces } from '../checker/index.js';
import { type Account, type Caller, change } from './caller.js';
import type { FaultFederation } from './federation.js';
import type { FaultHouse } from './fault-house.js';
import { PAIRS, PERSONS, type PersonPlan } from './persons.js';

/** Who acts and what there is to act upon when the run begins: made through the API, as people would. */
export interface People {
  readonly persons: readonly (Person & { couplings: readonly PersonCoupling[] })[];
  /** Two by house. */
  readonly staff: ReadonlyMap<string, readonly Account[]>;
  /** By house and name. */
  readonly guides: ReadonlyMap<string, Account>;
  readonly offers: ReadonlyMap<string, readonly { id: string; version: number }[]>;
}

export const guideKey = (house: string, name: string): string => `${house}/${name}`;

const CREATE_OFFER = `mutation ($input: CreateOfferInput!) { createOffer(input: $input) { __typename ... on OfferPayload { offer { id version } } ... on UserError { code message } } }`;
const UPDATE_GUIDE = `mutation ($input: UpdateGuideInput!) { updateGuide(input: $input) { __typename ... on GuidePayload { guide { id } } ... on UserError { code message } } }`;
const CREATE_GUIDE = `mutation ($input: CreateGuideInput!) { createGuide(input: $input) { __typename ... on GuidePayload { guide { id } } ... on UserError { code message } } }`;
export const REQUEST_COUPLING = `mutation ($input: RequestCouplingInput!) { requestCoupling(input: $input) { __typename ... on CouplingPayload { coupling { id } } ... on UserError { code message } } }`;
export const ACCEPT_COUPLING = `mutation ($input: AcceptCouplingInput!) { acceptCoupling(input: $input) { __typename ... on CouplingPayload { coupling { id state } } ... on UserError { code message } } }`;
export const CONFIRM_COUPLING = `mutation ($input: CouplingInput!) { confirmCoupling(input: $input) { __typename ... on CouplingPayload { coupling { id state } } ... on UserError { code message } } }`;

/** Of offers: how many guides each needs. */
const DEMANDS = [1, 1, 2, 3];
const COUPLING_MS = 15_000;

/** One change that must succeed. */
export async function must<Payload>(caller: Caller, account: Account, document: string, input: Record<string, unknown>): Promise<Payload> {
  const { outcome, payload } = await change<Payload>(caller, account, () => 'direct', { document, input }, 3);
  if (!payload) throw new Error(`${account.role} of ${account.house} could not: ${document.slice(0, 60)} (${JSON.stringify(outcome)})`);
  return payload;
}

async function openHouse(house: FaultHouse, caller: Caller, traces: Traces): Promise<{ staff: Account[]; offers: { id: string; version: number }[] }> {
  const records = await Records.open(house);
  try {
    const staff: Account[] = [];
    for (const which of ['first', 'second']) {
      const email = `${traces.plant(house.code, 'private', 'account address')}@post.example`;
      const { id } = await records.account(['STAFF'], { email });
      await records.query('update account set display_name = $2 where id = $1', [id, traces.plant(house.code, 'private', `${which} account name`)]);
      staff.push({ house: house.code, role: 'STAFF', email, password: PASSWORD });
    }
    const [first] = staff as [Account];
    const offers: { id: string; version: number }[] = [];
    for (const guideDemand of DEMANDS) {
      const title = `Tour ${traces.plant(house.code, 'title', 'offer title')}`;
      const description = traces.plant(house.code, 'private', 'offer description');
      const input = { idempotencyKey: randomUUID(), title, description, durationMinutes: 60, languages: ['de'], priceAmount: 900, guideDemand };
      offers.push((await must<{ offer: { id: string; version: number } }>(caller, first, CREATE_OFFER, input)).offer);
    }
    return { staff, offers };
  } finally {
    await records.close();
  }
}

/** A guide of one house, who can sign in there. */
async function employ(plan: PersonPlan, house: FaultHouse, staff: Account, caller: Caller, traces: Traces): Promise<{ id: string; account: Account }> {
  const plant = (field: string) => traces.plant(house.code, 'profile', field, plan.name);
  const profile = { firstName: plant('first name'), lastName: plant('last name'), email: `${plant('profile address')}@post.example`, phone: `+49 ${plant('telephone')}` };
  const { guide } = await must<{ guide: { id: string } }>(caller, staff, CREATE_GUIDE, { idempotencyKey: randomUUID(), ...profile, languages: ['de'], offerIds: [] });
  const records = await Records.open(house);
  try {
    const email = `${traces.plant(house.code, 'private', 'account address')}@post.example`;
    const { id } = await records.account(['GUIDE'], { guideId: guide.id, email });
    await records.query('update account set display_name = $2 where id = $1', [id, traces.plant(house.code, 'private', 'account name')]);
    const account: Account = { house: house.code, role: 'GUIDE', person: plan.name, email, password: PASSWORD };
    if (plan.sharesBankData) await must(caller, account, UPDATE_GUIDE, { guideId: guide.id, expectedVersion: 1, sharesBankData: true });
    return { id: guide.id, account };
  } finally {
    await records.close();
  }
}

interface Side {
  readonly house: FaultHouse;
  readonly staff: Account;
  readonly guide: Account;
  readonly guideId: string;
}

/** Asked for in one house, accepted in the other, confirmed by the guide in both. */
async function couple(caller: Caller, one: Side, other: Side): Promise<PersonCoupling> {
  const { coupling } = await must<{ coupling: { id: string } }>(caller, one.staff, REQUEST_COUPLING, { idempotencyKey: randomUUID(), guideId: one.guideId, instance: other.staff.house });
  const couplingId = coupling.id;
  await must(caller, other.staff, ACCEPT_COUPLING, { couplingId, guideId: other.guideId });
  await must(caller, one.guide, CONFIRM_COUPLING, { couplingId });
  await must(caller, other.guide, CONFIRM_COUPLING, { couplingId });
  await until(async () => {
    const states = await Promise.all(
      [one, other].map(({ house }) => house.asSuperuser((client) => client.query<{ state: string }>('select state from coupling where id = $1', [couplingId]))),
    );
    return states.every(({ rows }) => rows[0]?.state === 'ACTIVE');
  }, COUPLING_MS);
  return { id: couplingId, houses: [one.staff.house, other.staff.house] };
}

export async function populate(federation: FaultFederation, caller: Caller, traces: Traces): Promise<People> {
  const staff = new Map<string, Account[]>();
  const offers = new Map<string, { id: string; version: number }[]>();
  for (const house of federation.houses) {
    const opened = await openHouse(house, caller, traces);
    staff.set(house.code, opened.staff);
    offers.set(house.code, opened.offers);
  }
  const staffOf = (house: string): Account => (staff.get(house) as [Account])[0];
  const guides = new Map<string, Account>();
  const persons: (Person & { couplings: PersonCoupling[] })[] = [];
  for (const [number, plan] of PERSONS.entries()) {
    const guideIds: Record<string, string> = {};
    for (const code of plan.houses) {
      const { id, account } = await employ(plan, federation.house(code), staffOf(code), caller, traces);
      guideIds[code] = id;
      guides.set(guideKey(code, plan.name), account);
    }
    const side = (house: string): Side => ({ house: federation.house(house), staff: staffOf(house), guide: guides.get(guideKey(house, plan.name)) as Account, guideId: guideIds[house] as string });
    const couplings: PersonCoupling[] = [];
    for (const [one, other] of PAIRS) {
      if (!plan.coupled || !plan.houses.includes(one) || !plan.houses.includes(other)) continue;
      // Whoever asks first keeps the claims: each house is to keep those of somebody.
      couplings.push(await (number % 2 === 0 ? couple(caller, side(one), side(other)) : couple(caller, side(other), side(one))));
    }
    persons.push({ name: plan.name, guideIds, couplings, sharesBankData: plan.sharesBankData, ...(plan.ends && { ends: plan.ends }), ...(plan.decidesOnBankData && { decidesOnBankData: true }) });
  }
  return { persons, staff, guides, offers };
}
