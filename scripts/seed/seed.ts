import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
// Not through the module's index: that would load every GraphQL type for one function.
import { hashPassword } from '../../instance-server/modules/identity/passwords.js';
import { InstanceSecret } from '../../instance-server/platform/crypto.js';
import { roleUrl } from '../../instance-server/platform/database/roles.js';
import type { Planted, PlantedBooking, SeedAccount, SeedAvailabilityRule, SeedBooking, SeedCoupling, SeedGuide, SeedOffer } from './records.js';
import { ACCOUNTS, ASSIGNMENTS, AVAILABILITY_RULES, BOOKINGS, COUPLINGS, COUPLING_CHECK, COUPLED_GUIDES, CUSTOMERS, GUIDE_OFFERS, GUIDES, LINKS_CHANGED, OFFERS, ROLES } from './statements.js';

export type * from './records.js';

/**
 * Plants records straight into one instance's database. Each method takes one record, its plural thousands; results are
 * in the order given. Every call is all or nothing; {@link Seed.transaction} makes one of many. Calls of one seed are to
 * be awaited one after the other.
 *
 * Nothing is written to the action log. Running servers of the instance hear of couplings at once; they need not hear of
 * the rest, which they read when asked (open calendar subscriptions are not told).
 */
export interface Seed {
  guide(guide: SeedGuide): Promise<Planted>;
  guides(guides: readonly SeedGuide[]): Promise<Planted[]>;
  offer(offer: SeedOffer): Promise<Planted>;
  offers(offers: readonly SeedOffer[]): Promise<Planted[]>;
  account(account: SeedAccount): Promise<Planted>;
  accounts(accounts: readonly SeedAccount[]): Promise<Planted[]>;
  booking(booking: SeedBooking): Promise<PlantedBooking>;
  bookings(bookings: readonly SeedBooking[]): Promise<PlantedBooking[]>;
  availabilityRules(rules: readonly SeedAvailabilityRule[]): Promise<Planted[]>;
  /** @throws when the instance has no such link */
  coupling(coupling: SeedCoupling): Promise<Planted>;
  couplings(couplings: readonly SeedCoupling[]): Promise<Planted[]>;
  /** One question after the other, whoever asks. */
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<Row>>;
  /** Commits when `work` resolves, plants nothing when it rejects. Not to be nested. */
  transaction<T>(work: () => Promise<T>): Promise<T>;
  /** The connection, for what this interface does not offer. */
  readonly client: pg.Client;
  close(): Promise<void>;
}

/** Rows of one statement: bounds the memory of a call with hundreds of thousands of records. */
const BATCH = 5_000;

const hashes = new Map<string, Promise<string>>();

/** The hash of a password, made once in a process. */
export function sharedHash(password: string): Promise<string> {
  let hash = hashes.get(password);
  if (!hash) {
    hash = hashPassword(password);
    hashes.set(password, hash);
  }
  return hash;
}

/**
 * Connects as the owner of an instance's database, which must have been provisioned (scripts/setup/provision.ts).
 * `databaseUrl` needs host, port and database only; the role and its password follow from the secret.
 */
export async function openSeed(databaseUrl: string, secretText: string): Promise<Seed> {
  const client = new pg.Client({ connectionString: roleUrl(databaseUrl, 'owner', new InstanceSecret(secretText)) });
  await client.connect();
  return new DatabaseSeed(client);
}

class DatabaseSeed implements Seed {
  readonly #inTransaction = new AsyncLocalStorage<true>();
  /** There is one connection: who comes meanwhile waits, a transaction is one turn. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(readonly client: pg.Client) {}

  query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<pg.QueryResult<Row>> {
    return this.#inTurn(() => this.client.query<Row>(text, values));
  }

  async transaction<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inTransaction.getStore()) throw new Error('transactions of a seed are not nested');
    return this.#inTurn(() => this.#inTransaction.run(true, () => this.#transaction(work)));
  }

  async #transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.client.query('begin');
    try {
      const result = await work();
      await this.client.query('commit');
      return result;
    } catch (error) {
      await this.client.query('rollback');
      throw error;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inTransaction.getStore()) return work();
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async guide(guide: SeedGuide): Promise<Planted> {
    return only(await this.guides([guide]));
  }

  guides(guides: readonly SeedGuide[]): Promise<Planted[]> {
    const rows = guides.map((guide) => ({
      id: guide.id ?? randomUUID(),
      first_name: guide.firstName,
      last_name: guide.lastName,
      email: guide.email,
      phone: guide.phone,
      languages: guide.languages ?? [],
      global_id: guide.globalId,
      global_id_minted_at: guide.globalId === undefined ? undefined : (guide.globalIdMintedAt ?? new Date()),
      active: guide.active ?? true,
    }));
    const offers = guides.flatMap((guide, index) => (guide.offerIds ?? []).map((offerId) => ({ guide_id: rows[index]?.id, offer_id: offerId })));
    return this.#whole(async () => {
      await this.#insert(GUIDES, rows);
      await this.#insert(GUIDE_OFFERS, offers);
      return rows.map(({ id }) => ({ id }));
    });
  }

  async offer(offer: SeedOffer): Promise<Planted> {
    return only(await this.offers([offer]));
  }

  offers(offers: readonly SeedOffer[]): Promise<Planted[]> {
    const rows = offers.map((offer) => ({
      id: offer.id ?? randomUUID(),
      title: offer.title,
      description: offer.description,
      duration_minutes: offer.durationMinutes ?? 60,
      languages: offer.languages ?? [],
      guide_demand: offer.guideDemand ?? 1,
      price_amount: offer.priceAmount ?? 0,
      price_currency: offer.priceCurrency,
      active: offer.active ?? true,
    }));
    return this.#whole(async () => {
      await this.#insert(OFFERS, rows);
      return rows.map(({ id }) => ({ id }));
    });
  }

  async account(account: SeedAccount): Promise<Planted> {
    return only(await this.accounts([account]));
  }

  async accounts(accounts: readonly SeedAccount[]): Promise<Planted[]> {
    const rows = await Promise.all(
      accounts.map(async (account) => {
        const hash = account.passwordHash ?? (account.password === undefined ? undefined : await sharedHash(account.password));
        return {
          id: account.id ?? randomUUID(),
          email: account.email.toLowerCase(),
          display_name: account.displayName,
          password_hash: hash,
          state: hash === undefined ? 'INVITED' : 'ACTIVE',
          guide_id: account.guideId,
        };
      }),
    );
    const roles = accounts.flatMap((account, index) => account.roles.map((role) => ({ account_id: rows[index]?.id, role })));
    return this.#whole(async () => {
      await this.#insert(ACCOUNTS, rows);
      await this.#insert(ROLES, roles);
      return rows.map(({ id }) => ({ id }));
    });
  }

  async booking(booking: SeedBooking): Promise<PlantedBooking> {
    return only(await this.bookings([booking]));
  }

  bookings(bookings: readonly SeedBooking[]): Promise<PlantedBooking[]> {
    const planned = bookings.map(planBooking);
    return this.#whole(async () => {
      for (let at = 0; at < planned.length; at += BATCH) {
        const batch = planned.slice(at, at + BATCH);
        await this.#insert(CUSTOMERS, batch.map(({ customer }) => customer));
        await this.#insert(BOOKINGS, batch.map(({ booking }) => booking));
        await this.#insert(ASSIGNMENTS, batch.flatMap(({ assignments }) => assignments));
      }
      return planned.map(({ booking, assignments }) => ({ id: booking.id, assignmentIds: assignments.map(({ id }) => id) }));
    });
  }

  availabilityRules(rules: readonly SeedAvailabilityRule[]): Promise<Planted[]> {
    const rows = rules.map((rule) => ({
      id: rule.id ?? randomUUID(),
      guide_id: rule.guideId,
      start_time: rule.startTime,
      duration_minutes: rule.durationMinutes,
      rrule: rule.rrule,
      valid_from: rule.validFrom,
      skips_holidays: rule.skipsHolidays ?? false,
      created_at: rule.createdAt ?? new Date(),
    }));
    return this.#whole(async () => {
      await this.#insert(AVAILABILITY_RULES, rows);
      return rows.map(({ id }) => ({ id }));
    });
  }

  async coupling(coupling: SeedCoupling): Promise<Planted> {
    return only(await this.couplings([coupling]));
  }

  couplings(couplings: readonly SeedCoupling[]): Promise<Planted[]> {
    const rows = couplings.map((coupling) => {
      const since = coupling.since ?? new Date();
      const minted = coupling.globalIdMintedAt ?? since;
      return {
        id: coupling.id,
        link_id: 'id' in coupling.link ? coupling.link.id : undefined,
        partner_code: 'id' in coupling.link ? undefined : coupling.link.partnerCode,
        guide_id: coupling.guideId,
        global_id: coupling.globalId,
        minted_at: minted,
        requested_here: coupling.requestedHere ?? true,
        since,
      };
    });
    return this.#whole(async () => {
      const missing = await this.query<{ link: string }>(COUPLING_CHECK, [JSON.stringify(rows)]);
      if (missing.rows[0]) throw new Error(`this instance has no living link ${missing.rows[0].link}`);
      await this.#insert(COUPLED_GUIDES, rows);
      await this.#insert(COUPLINGS, rows);
      await this.query(LINKS_CHANGED);
      return rows.map(({ id }) => ({ id }));
    });
  }

  close(): Promise<void> {
    return this.client.end();
  }

  #whole<T>(work: () => Promise<T>): Promise<T> {
    return this.#inTransaction.getStore() ? work() : this.transaction(work);
  }

  async #insert(statement: string, rows: readonly object[]): Promise<void> {
    for (let at = 0; at < rows.length; at += BATCH) {
      await this.query(statement, [JSON.stringify(rows.slice(at, at + BATCH))]);
    }
  }
}

function only<T>(planted: readonly T[]): T {
  const [first] = planted;
  if (first === undefined) throw new Error('nothing was planted');
  return first;
}

function planBooking(given: SeedBooking) {
  const createdAt = given.createdAt ?? new Date();
  const customer = { id: given.customer.id ?? randomUUID(), name: given.customer.name, email: given.customer.email, phone: given.customer.phone, created_at: createdAt };
  const booking = {
    id: given.id ?? randomUUID(),
    offer_id: given.offerId,
    customer_id: customer.id,
    start_at: given.start,
    end_at: given.end,
    state: given.cancelled ? 'CANCELLED' : 'BOOKED',
    party_size: given.partySize,
    language: given.language,
    notes: given.notes,
    guide_demand: given.guideDemand,
    cancel_reason: given.cancelled?.reason,
    cancel_origin: given.cancelled?.origin,
    cancelled_at: given.cancelled?.at,
    created_at: createdAt,
    updated_at: given.cancelled?.at ?? createdAt,
  };
  const assignments = (given.guideIds ?? []).map((guideId, index) => ({
    id: given.assignmentIds?.[index] ?? randomUUID(),
    guide_id: guideId,
    booking_id: booking.id,
    start_at: given.start,
    end_at: given.end,
    ended_at: given.cancelled?.at,
    created_at: createdAt,
  }));
  return { customer, booking, assignments };
}
