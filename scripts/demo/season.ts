import { Temporal } from 'temporal-polyfill';
import type { SeedAccount, SeedAvailabilityRule, SeedBooking, SeedCoupling, SeedGuide, SeedOffer } from '../seed/records.js';
import { type House, HOUSES, LINKED_PAIRS } from './houses.js';
import { customerOf, emailOf, NOTES, PEOPLE, type Person, phoneOf } from './people.js';
import { Random } from './random.js';

/** The password of every account of the demo, in the documentation for everybody to read. */
export const DEMO_PASSWORD = 'lotse-demo-password';

const SEED = 20_240_607;
const DAYS_BACK = 182;
const DAYS = 365;
/** Time a guide needs between two groups. */
const BREAK_MINUTES = 15;
const GRID_MINUTES = 15;
const ATTEMPTS = 40;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

type With<T, K extends keyof T> = T & Required<Pick<T, K>>;

/** What is planted in one house. */
export interface HousePlan {
  house: House;
  guides: With<SeedGuide, 'id' | 'email'>[];
  offers: With<SeedOffer, 'id'>[];
  accounts: SeedAccount[];
  bookings: SeedBooking[];
  rules: SeedAvailabilityRule[];
  /** Towards each linked house; the link is known when it has been made. */
  couplings: (Omit<SeedCoupling, 'link'> & { partnerCode: string })[];
}

interface Guide {
  person: Person;
  record: HousePlan['guides'][number];
  /** When he is taken, in any house: all of his records share it. */
  taken: Interval[];
}

interface Interval {
  start: number;
  end: number;
}

const key = (person: Person): string => `${person.firstName} ${person.lastName}`;

/**
 * A season of a year around `today` (ISO date): guides, offers, accounts and bookings of all houses. The same date gives
 * the same season, ids included.
 */
export function planSeason(today: string): HousePlan[] {
  const random = new Random(SEED);
  const mintedAt = new Date(Date.parse(today) - 400 * DAY_MS);
  const identities = new Map(PEOPLE.map((person) => [key(person), { globalId: `g_${random.uuid()}`, phone: '', taken: [] as Interval[] }]));
  const crews = new Map<string, Guide[]>();

  const plans = HOUSES.map((house): HousePlan => {
    const offers = house.offers.map((offer) => ({ id: random.uuid(), ...offer, description: undefined }));
    const crew = PEOPLE.filter((person) => person.houses.includes(house.code)).map((person): Guide => {
      const identity = identities.get(key(person));
      if (identity === undefined) throw new Error('a guide without identity');
      identity.phone ||= phoneOf(random, house.locale);
      const record = {
        id: random.uuid(),
        firstName: person.firstName,
        lastName: person.lastName,
        email: emailOf(person.firstName, person.lastName),
        phone: identity.phone,
        languages: person.languages,
        ...(person.houses.length > 1 && { globalId: identity.globalId, globalIdMintedAt: mintedAt }),
        offerIds: offers.filter((offer) => offer.languages.some((language) => person.languages.includes(language)) && random.chance(0.85)).map(({ id }) => id),
      };
      return { person, record, taken: identity.taken };
    });
    crews.set(house.code, crew);
    return {
      house,
      guides: crew.map(({ record }) => record),
      offers,
      accounts: planAccounts(house, crew),
      bookings: planBookings(house, offers, crew, today, random),
      rules: [],
      couplings: [],
    };
  });
  planCouplings(plans, crews, mintedAt, random);
  for (const plan of plans) plan.rules.push(...planRules(plan, today, random));
  return plans;
}

const WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];

/** Whoever guides in a house is available while it is open, holidays aside. */
function planRules({ house, guides }: HousePlan, today: string, random: Random): SeedAvailabilityRule[] {
  const first = Temporal.PlainDate.from(today).subtract({ days: DAYS_BACK });
  return guides.map(({ id }) => ({
    id: random.uuid(),
    guideId: id,
    startTime: `${String(house.opensAt).padStart(2, '0')}:00`,
    durationMinutes: (house.closesAt - house.opensAt) * 60,
    rrule: `FREQ=WEEKLY;BYDAY=${WEEKDAYS.filter((_, index) => index + 1 !== house.closedOn).join(',')}`,
    validFrom: first.toString(),
    skipsHolidays: true,
    createdAt: new Date(Date.parse(today) - DAY_MS),
  }));
}

/** One administrator, two staff, every coupled guide and the first three of the others. */
function planAccounts(house: House, crew: readonly Guide[]): SeedAccount[] {
  const backend = (['ADMINISTRATOR', 'STAFF', 'STAFF'] as const).map((role, index): SeedAccount => {
    const name = role === 'ADMINISTRATOR' ? 'admin' : `staff${index}`;
    return { email: `${name}@${house.code}.example`, displayName: `${house.name}, ${name}`, roles: [role], password: DEMO_PASSWORD };
  });
  const isCoupled = ({ person }: Guide): boolean => person.houses.length > 1;
  const guides = [...crew.filter(isCoupled), ...crew.filter((guide) => !isCoupled(guide)).slice(0, 3)].map(
    ({ person, record }): SeedAccount => ({ email: record.email, displayName: key(person), roles: ['GUIDE'], password: DEMO_PASSWORD, guideId: record.id }),
  );
  return [...backend, ...guides];
}

function planCouplings(plans: readonly HousePlan[], crews: ReadonlyMap<string, Guide[]>, since: Date, random: Random): void {
  const planOf = new Map(plans.map((plan) => [plan.house.code, plan]));
  for (const [a, b] of LINKED_PAIRS) {
    for (const here of crews.get(a.code) ?? []) {
      const there = crews.get(b.code)?.find(({ person }) => person === here.person);
      const { globalId } = here.record;
      if (there === undefined || globalId === undefined) continue;
      const id = random.uuid();
      const shared = { id, globalId, globalIdMintedAt: since, since };
      planOf.get(a.code)?.couplings.push({ ...shared, partnerCode: b.code, guideId: here.record.id, requestedHere: true });
      planOf.get(b.code)?.couplings.push({ ...shared, partnerCode: a.code, guideId: there.record.id, requestedHere: false });
    }
  }
}

interface OpenDay {
  /** Of the opening, milliseconds. Clocks change at night, so minutes can be counted from here. */
  opens: number;
  week: number;
}

function openDays(house: House, today: string): OpenDay[] {
  const first = Temporal.PlainDate.from(today).subtract({ days: DAYS_BACK });
  return Array.from({ length: DAYS }, (_, index) => first.add({ days: index }))
    .filter((day) => day.dayOfWeek !== house.closedOn)
    .map((day) => ({
      opens: day.toZonedDateTime({ timeZone: house.timeZone, plainTime: Temporal.PlainTime.from({ hour: house.opensAt }) }).epochMilliseconds,
      // Weeks since a Monday long ago, the same in every house.
      week: Math.floor(Temporal.PlainDate.from('2020-01-06').until(day).days / 7),
    }));
}

/** A coupled guide spends each week in one of his houses; not all of them in the same one. */
const isInHouse = ({ person }: Guide, house: House, week: number): boolean =>
  person.houses[(week + PEOPLE.indexOf(person)) % person.houses.length] === house.code;

const isFree = ({ taken }: Guide, { start, end }: Interval): boolean =>
  taken.every((other) => end + BREAK_MINUTES * MINUTE_MS <= other.start || other.end + BREAK_MINUTES * MINUTE_MS <= start);

function planBookings(house: House, offers: HousePlan['offers'], crew: readonly Guide[], today: string, random: Random): SeedBooking[] {
  const days = openDays(house, today);
  const now = Date.parse(today);
  return Array.from({ length: house.bookings }, (_, number) => {
    const isUnassigned = random.chance(0.07);
    for (let attempt = 1; ; attempt += 1) {
      const offer = random.pick(offers);
      const interval = slotOf(house, offer, random.pick(days), random);
      const language = random.pick(offer.languages ?? []);
      const isAble = (guide: Guide): boolean =>
        (guide.record.offerIds ?? []).includes(offer.id) && guide.person.languages.includes(language) && isInHouse(guide, house, interval.week) && isFree(guide, interval);
      const chosen = isUnassigned ? [] : someOf(crew.filter(isAble), offer.guideDemand ?? 1, random);
      // A day on which all are taken: this group comes on another, in the end without a guide.
      if (chosen.length < (offer.guideDemand ?? 1) && !isUnassigned && attempt < ATTEMPTS) continue;
      return bookingOf(house, offer.id, interval, language, chosen, number, now, random);
    }
  });
}

function slotOf(house: House, offer: SeedOffer, day: OpenDay, random: Random): Interval & { week: number } {
  const length = offer.durationMinutes ?? 60;
  const latest = ((house.closesAt - house.opensAt) * 60 - length) / GRID_MINUTES;
  const start = day.opens + random.between(0, Math.floor(latest)) * GRID_MINUTES * MINUTE_MS;
  return { start, end: start + length * MINUTE_MS, week: day.week };
}

function someOf(able: readonly Guide[], count: number, random: Random): Guide[] {
  // Coupled guides are what the demo is about: mostly they are asked first.
  const coupled = able.filter(({ person }) => person.houses.length > 1);
  const from = coupled.length >= count && random.chance(0.75) ? coupled : able;
  const shuffled = from.map((guide) => ({ guide, order: random.next() })).sort((a, b) => a.order - b.order);
  return shuffled.slice(0, count).map(({ guide }) => guide);
}

function bookingOf(house: House, offerId: string, interval: Interval, language: string, guides: readonly Guide[], number: number, now: number, random: Random): SeedBooking {
  const { partySize, ...customer } = customerOf(random, house.locale, number);
  const createdAt = Math.min(interval.start - random.between(5, 90) * DAY_MS, now - random.between(1, 30) * DAY_MS);
  const isCancelled = random.chance(0.07);
  if (!isCancelled) for (const { taken } of guides) taken.push({ start: interval.start, end: interval.end });
  return {
    id: random.uuid(),
    offerId,
    start: new Date(interval.start),
    end: new Date(interval.end),
    customer: { id: random.uuid(), ...customer },
    partySize,
    language,
    ...(random.chance(0.15) && { notes: random.pick(NOTES) }),
    guideIds: guides.map(({ record }) => record.id),
    assignmentIds: guides.map(() => random.uuid()),
    createdAt: new Date(createdAt),
    ...(isCancelled && {
      cancelled: {
        reason: random.pick(['The group is ill.', 'The coach broke down.', 'The room is being repaired.']),
        origin: random.pick(['CUSTOMER', 'HOUSE'] as const),
        at: new Date(createdAt + DAY_MS / 2),
      },
    }),
  };
}
