import { randomUUID } from 'node:crypto';
import { OperatorClient } from '../../scripts/operator/client.js';
import type { RoleName } from './client.js';
import type { Canaries } from './federation-canaries.js';
import type { ServerProcess } from './federation-processes.js';
import type { TestInstance } from './instance.js';
import { operatorKey } from './keys.js';
import type { Records, TestAccount } from './records.js';

/** All planted bookings lie on this day, in the future of every clock. */
export const DAY = '2031-05-05';
export const RANGE = { start: `${DAY}T00:00:00.000Z`, end: '2031-05-06T00:00:00.000Z' };

export const at = (hour: number, minute = 0): Date => new Date(Date.parse(RANGE.start) + (hour * 60 + minute) * 60_000);

export interface PlantedOffer {
  readonly id: string;
  readonly title: string;
}

export interface PlantedBooking {
  readonly id: string;
  readonly assignmentId: string | undefined;
  readonly start: string;
  readonly end: string;
  readonly offer: PlantedOffer;
  readonly customer: { name: string; email: string; phone: string };
  readonly partySize: number;
  readonly language: string;
  readonly notes: string;
  readonly cancellationReason: string | null;
}

/** A guide of one house, with his account there. */
export interface Person {
  readonly id: string;
  readonly globalId: string | null;
  readonly firstName: string;
  readonly lastName: string;
  readonly email: string;
  readonly phone: string;
  readonly account: TestAccount;
  readonly displayName: string;
  /** By start. */
  readonly bookings: PlantedBooking[];
  /** He is asked for the booking without a guide, and has not answered. */
  readonly requestId: string;
}

export interface CalendarEntry {
  id: string;
  start: string;
  end: string;
  origin: 'LOCAL' | 'FOREIGN';
  offerTitle: string;
  instance: { code: string; name: string; url: string };
  details: { bookingId: string; customer: PlantedBooking['customer']; partySize: number; language: string; notes: string } | null;
}

/** One instance of the federation: its process, its database, who and what is in it. */
export class House {
  readonly guides = new Map<string, Person>();
  readonly offers: PlantedOffer[] = [];
  /** Bookings without a guide, the cancelled one last. */
  readonly unassigned: PlantedBooking[] = [];
  /** Names of the accounts by their ids. */
  readonly accountNames = new Map<string, string>();
  readonly operator: OperatorClient;
  #signingIn: Promise<unknown> = Promise.resolve();
  staff!: TestAccount;
  administrator!: TestAccount;

  constructor(
    readonly instance: TestInstance,
    readonly server: ServerProcess,
    readonly records: Records,
    readonly canaries: Canaries,
    readonly mailDirectory: string,
  ) {
    this.operator = new OperatorClient(server.url, operatorKey);
  }

  get code(): string {
    return this.instance.code;
  }

  get url(): string {
    return this.server.url;
  }

  get info(): CalendarEntry['instance'] {
    return { code: this.code, name: `House ${this.code}`, url: `https://${this.code}.example` };
  }

  guide(name: string): Person {
    const guide = this.guides.get(name);
    if (!guide) throw new Error(`${this.code} has no guide ${name}`);
    return guide;
  }

  /** A session of its own. May be asked for by several at once, who then share one connection in turns. */
  token(account: TestAccount, role: RoleName = account.roles[0] ?? 'STAFF', now = new Date()): Promise<string> {
    const token = this.#signingIn.then(async () => (await this.records.signIn(account, role, now)).token);
    this.#signingIn = token.catch(() => undefined);
    return token;
  }

  staffToken(): Promise<string> {
    return this.token(this.staff);
  }

  guideToken(name: string): Promise<string> {
    return this.token(this.guide(name).account, 'GUIDE');
  }

  /** By start; those without a guide among them. */
  get bookings(): PlantedBooking[] {
    return [...this.guides.values()].flatMap(({ bookings }) => bookings).concat(this.unassigned).sort((one, other) => one.start.localeCompare(other.start));
  }

  /** As the guide himself and the staff of this house see it. */
  localEntry({ assignmentId = '', start, end, offer, id, customer, partySize, language, notes }: PlantedBooking): CalendarEntry {
    return { id: assignmentId, start, end, origin: 'LOCAL', offerTitle: offer.title, instance: this.info, details: { bookingId: id, customer, partySize, language, notes } };
  }

  /** As the guide sees it from another house. */
  foreignEntry(booking: PlantedBooking): CalendarEntry {
    return { ...this.localEntry(booking), origin: 'FOREIGN', details: null };
  }

  async plantStaff(): Promise<void> {
    this.staff = await this.#account(['STAFF'], 'staff');
    this.administrator = await this.#account(['ADMINISTRATOR'], 'administrator');
    for (const which of ['first', 'second']) {
      const title = `Tour ${this.canaries.plant(this.code, `${which} offer title`)}`;
      const description = this.canaries.plant(this.code, `${which} offer description`);
      this.offers.push({ id: await this.records.offer({ title, description }), title });
    }
    this.unassigned.push(await this.plantBooking('unassigned booking', undefined, at(3)), await this.plantBooking('cancelled booking', undefined, at(4), true));
  }

  /** `known`: of another house, for a guide who is one person in both. */
  async plantGuide(name: string, globalId: string | null, firstHour: number, known?: Person): Promise<Person> {
    const { canaries, code } = this;
    const shared = COUPLED[name] ?? [];
    const profile = known
      ? { firstName: known.firstName, lastName: known.lastName, email: known.email, phone: known.phone }
      : {
          firstName: `F${canaries.plant(code, `${name} first name`, shared)}`,
          lastName: `L${canaries.plant(code, `${name} last name`, shared)}`,
          email: canaries.email(code, `${name} profile email`, shared),
          phone: canaries.phone(code, `${name} phone`, shared),
        };
    const id = await this.records.guide({ ...profile, globalId: globalId ?? undefined, offerIds: this.offers.map((offer) => offer.id) });
    const account = await this.#account(['GUIDE'], name, id);
    const requestId = await this.#plantRequest(id, at(firstHour));
    const guide: Person = { id, globalId, ...profile, account, displayName: `${profile.firstName} ${profile.lastName}`, bookings: [], requestId };
    this.guides.set(name, guide);
    for (const hour of [firstHour, firstHour + 1]) guide.bookings.push(await this.plantBooking(`${name} booking at ${hour}`, id, at(hour)));
    return guide;
  }

  async #plantRequest(guideId: string, createdAt: Date): Promise<string> {
    const [booking] = this.unassigned;
    if (!booking) throw new Error('plant the staff first');
    const [planted] = await this.records.query<{ id: string }>(
      `insert into guide_request (id, booking_id, guide_id, offer_id, start_at, end_at, language, deadline, state, created_at)
       select gen_random_uuid(), b.id, $2, b.offer_id, b.start_at, b.end_at, b.language, b.start_at, 'OPEN', $3 from booking b where b.id = $1 returning id`,
      [booking.id, guideId, createdAt],
    );
    return planted?.id ?? '';
  }

  /** An hour long. */
  async plantBooking(what: string, guideId: string | undefined, start: Date, cancelled = false): Promise<PlantedBooking> {
    const { canaries, code } = this;
    const [offer] = this.offers;
    if (!offer) throw new Error('plant the offers first');
    const customer = { name: `C${canaries.plant(code, `${what}: customer name`)}`, email: canaries.email(code, `${what}: customer email`), phone: canaries.phone(code, `${what}: customer phone`) };
    const content = { partySize: 7, language: 'de', notes: `Note ${canaries.plant(code, `${what}: notes`)}` };
    const cancellationReason = cancelled ? canaries.plant(code, `${what}: cancellation reason`) : null;
    const planted = await this.records.booking(offer.id, start, {
      customer,
      ...content,
      guideIds: guideId === undefined ? [] : [guideId],
      ...(cancellationReason !== null && { cancelled: { reason: cancellationReason, origin: 'CUSTOMER', at: new Date() } }),
    });
    return { id: planted.id, assignmentId: planted.assignmentIds[0], start: planted.start.toISOString(), end: planted.end.toISOString(), offer, customer, ...content, cancellationReason };
  }

  async #account(roles: RoleName[], who: string, guideId?: string): Promise<TestAccount> {
    const account = await this.records.account(roles, { guideId, email: this.canaries.email(this.code, `${who} account email`) });
    const name = this.canaries.plant(this.code, `${who} account name`);
    await this.records.query('update account set display_name = $2 where id = $1', [account.id, name]);
    this.accountNames.set(account.id, name);
    return account;
  }
}

/** Every row of these tables of each house, as text: what a test says it has not changed. */
export async function contentsOf(houses: readonly House[], tables: readonly string[]): Promise<string[]> {
  const contents: string[] = [];
  for (const { records } of houses) {
    for (const table of tables) contents.push(JSON.stringify(await records.query(`select t::text as row from "${table}" t order by 1`)));
  }
  return contents;
}

/** A living coupling of one guide in two houses, in both their databases. Servers hear of it at once. */
export async function plantCoupling(one: House, other: House, globalId: string, guideIds: readonly [string, string]): Promise<string> {
  const id = randomUUID();
  await one.records.seed.coupling({ id, link: { partnerCode: other.code }, guideId: guideIds[0], globalId });
  await other.records.seed.coupling({ id, link: { partnerCode: one.code }, guideId: guideIds[1], globalId, requestedHere: false });
  return id;
}

/** Codes of the houses in which a guide is one person. */
export const COUPLED: Readonly<Record<string, readonly string[]>> = { greta: ['alpha', 'beta', 'gamma'], gwen: ['alpha', 'beta'] };

/** What a guide sees of himself at the gateway: his home's bookings in full, the others' redacted; by start, then id. */
export function wholeCalendar(name: string, home: House, others: readonly House[]): CalendarEntry[] {
  const entries = [
    ...home.guide(name).bookings.map((booking) => home.localEntry(booking)),
    ...others.flatMap((house) => house.guide(name).bookings.map((booking) => house.foreignEntry(booking))),
  ];
  return entries.sort((one, other) => one.start.localeCompare(other.start) || (one.id < other.id ? -1 : 1));
}
