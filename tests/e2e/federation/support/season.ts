import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { client } from '../../../testkit/client.js';
import { at, type Federation, type House, RANGE, until } from '../../../testkit/federation.js';
import { PASSWORD } from '../../../testkit/records.js';
import { OPERATIONS } from './operations.js';

/** Hears every answer; `who` is `staff`, `administrator`, `guide` or `nobody` of the house. */
export type Hear = (house: House, who: string, operation: string, text: string) => void;

type Result = { __typename: string } & Record<string, unknown>;

interface Tokens {
  accessToken: string;
  refreshToken: string;
}

/**
 * What happens in a house in the course of a season, through the gateway, with a new canary in every text that is written:
 * every documented operation at least once, all of them with success.
 */
export class Season {
  readonly used = new Set<string>();

  constructor(
    private readonly federation: Federation,
    private readonly house: House,
    private readonly hear: Hear,
  ) {}

  async #run<Data>(who: string, operation: string, variables: Record<string, unknown>, token?: string): Promise<Data> {
    this.used.add(operation);
    const answer = await client(this.federation.gateway.url).query<Data>(OPERATIONS.get(operation) ?? '', variables, token);
    this.hear(this.house, who, operation, answer.text);
    if (answer.errors !== undefined) throw new Error(`${operation} in ${this.house.code}: ${answer.text}`);
    return answer.data;
  }

  /** A mutation that answers with a union. @throws when that is an error */
  async #change<Payload>(who: string, operation: string, input: Record<string, unknown>, token?: string): Promise<Payload> {
    const data = await this.#run<Record<string, Result>>(who, operation, { input }, token);
    const [result] = Object.values(data);
    if (!result?.__typename.endsWith('Payload')) throw new Error(`${operation} in ${this.house.code}: ${JSON.stringify(result)}`);
    return result as unknown as Payload;
  }

  #plant = (field: string): string => this.house.canaries.plant(this.house.code, `season: ${field}`);
  #secret = (field: string): string => this.house.canaries.plant('nobody', `${this.house.code}: ${field}`);

  #customer = () => ({ name: this.#plant('customer name'), email: `${this.#plant('customer email')}@post.example`, phone: this.#plant('customer phone') });

  async run(partner: House | undefined): Promise<void> {
    const { house } = this;
    const staff = await house.staffToken();
    const { guideId, offerId } = await this.#catalogue(staff);
    const guide = await this.#newcomer(guideId, staff);
    await this.#bankData(guideId, guide);
    await this.#bookings(guideId, offerId, staff);
    await this.#availability(guideId, guide, staff);
    await this.#blocks(guideId, staff);
    await this.#requests(guideId, offerId, staff, guide);
    await this.#administrate();
    for (const [who, token] of [['staff', staff], ['guide', guide]] as const) await this.#look(who, guideId, token);
    if (partner) await this.#couple(partner, guideId, guide, staff);
    await this.#run('guide', 'logout', { allSessions: true }, guide);
  }

  async #catalogue(staff: string): Promise<{ guideId: string; offerId: string }> {
    const idempotencyKey = randomUUID();
    const made = await this.#change<{ offer: { id: string; version: number } }>(
      'staff',
      'create-offer',
      { idempotencyKey, title: this.#plant('offer title'), description: this.#plant('offer description'), durationMinutes: 60, languages: ['de'], priceAmount: 900 },
      staff,
    );
    const offerId = made.offer.id;
    await this.#change('staff', 'update-offer', { offerId, expectedVersion: made.offer.version, title: this.#plant('offer title'), description: this.#plant('offer description') }, staff);
    const { guide } = await this.#change<{ guide: { id: string; version: number } }>(
      'staff',
      'create-guide',
      { idempotencyKey, firstName: this.#plant('first name'), lastName: this.#plant('last name'), email: `${this.#plant('profile email')}@post.example`, phone: this.#plant('phone'), languages: ['de'], offerIds: [offerId] },
      staff,
    );
    await this.#change('staff', 'update-guide', { guideId: guide.id, expectedVersion: guide.version, firstName: this.#plant('first name'), lastName: this.#plant('last name'), phone: this.#plant('phone') }, staff);
    const target = (version: number) => ({ guideId: guide.id, expectedVersion: guide.version + version });
    await this.#change('staff', 'set-guide-releases', { ...target(1), releases: [{ offerId, languages: ['de'], ageGroups: ['ADULTS'] }] }, staff);
    await this.#change('staff', 'set-guide-limits', { ...target(2), perDay: { minutes: 480 }, perMonth: { bookings: 40 } }, staff);
    return { guideId: guide.id, offerId };
  }

  /** Is invited, sets a password, changes it, forgets it, sets another one and signs in with that; gives his token. */
  async #newcomer(guideId: string, staff: string): Promise<string> {
    const email = `${this.#plant('account email')}@post.example`;
    await this.#change('staff', 'invite-guide', { idempotencyKey: randomUUID(), email, guideId }, staff);
    const password = this.#secret('password');
    const accepted = await this.#change<Tokens>('guide', 'accept-invitation', { token: await this.#mailed(email, 'invitation'), password });
    const changed = this.#secret('new password');
    await this.#change('guide', 'change-password', { currentPassword: password, newPassword: changed }, accepted.accessToken);
    await this.#change('nobody', 'request-password-reset', { instance: this.house.code, email });
    const remembered = this.#secret('remembered password');
    await this.#change('guide', 'reset-password', { token: await this.#mailed(email, 'reset-password'), password: remembered });
    const { accessToken, refreshToken } = await this.#change<Tokens>('guide', 'login', { instance: this.house.code, email, password: remembered });
    await this.#run('guide', 'me', {}, accessToken);
    return (await this.#change<Tokens>('guide', 'refresh-session', { refreshToken })).accessToken;
  }

  async #bankData(guideId: string, guide: string): Promise<void> {
    const bankData = { accountHolder: this.#plant('account holder'), iban: 'DE89 3704 0044 0532 0130 00', bic: 'COBADEFF' };
    const before = await this.#run<{ guide: { version: number } }>('guide', 'guide-bank-data', { id: guideId }, guide);
    await this.#change('guide', 'update-guide', { guideId, expectedVersion: before.guide.version, bankData, sharesBankData: true }, guide);
    await this.#run('guide', 'guide-bank-data', { id: guideId }, guide);
  }

  /** The token of a mail to this address. */
  async #mailed(email: string, page: 'invitation' | 'reset-password'): Promise<string> {
    let token: string | undefined;
    await until(async () => {
      const mails = await readdir(this.house.mailDirectory).catch(() => []);
      for (const name of mails) {
        const text = (await readFile(join(this.house.mailDirectory, name), 'utf8')).replaceAll(/=\r?\n/g, '').replaceAll('=3D', '=');
        if (text.includes(email)) token ??= new RegExp(`/${page}#(\\S+)`).exec(text)?.[1];
      }
      return token !== undefined;
    }, `the mail of ${page} has come`);
    return token ?? '';
  }

  async #bookings(guideId: string, offerId: string, staff: string): Promise<void> {
    type Booked = { booking: { id: string; version: number; assignments: { id: string }[] } };
    const create = (hour: number, guideIds: string[]) =>
      this.#change<Booked>('staff', 'create-booking', { idempotencyKey: randomUUID(), offerId, customer: this.#customer(), notes: this.#plant('notes'), guideIds, partySize: 2, language: 'de', time: { start: at(hour).toISOString() } }, staff);
    const { booking } = await create(1, []);
    const input = () => ({ idempotencyKey: randomUUID(), bookingId: booking.id });
    const assigned = await this.#change<Booked>('staff', 'assign-guide', { ...input(), guideId, expectedVersion: booking.version }, staff);
    const moved = await this.#change<Booked>(
      'staff',
      'rebook-booking',
      { ...input(), expectedVersion: assigned.booking.version, customer: this.#customer(), notes: this.#plant('notes'), time: { start: at(2).toISOString() } },
      staff,
    );
    const [assignment] = moved.booking.assignments;
    const reset = await this.#change<Booked>('staff', 'reset-assignment', { idempotencyKey: randomUUID(), assignmentId: assignment?.id, expectedVersion: moved.booking.version }, staff);
    await this.#change('staff', 'cancel-booking', { ...input(), expectedVersion: reset.booking.version, reason: this.#plant('cancellation reason'), origin: 'CUSTOMER' }, staff);
    const mistake = await create(3, []);
    await this.#change('staff', 'delete-booking', { idempotencyKey: randomUUID(), bookingId: mistake.booking.id, expectedVersion: mistake.booking.version }, staff);
    const lasting = await create(4, [guideId]);
    await this.#run('staff', 'booking', { id: lasting.booking.id }, staff);
    await this.#change('staff', 'recheck-assignment', { assignmentId: lasting.booking.assignments[0]?.id }, staff);
  }

  /** The guide is asked three times: he accepts, declines, and is asked no more. */
  async #requests(guideId: string, offerId: string, staff: string, guide: string): Promise<void> {
    const month = Date.now() + 30 * 86_400_000;
    const ask = async (hour: number): Promise<{ requestId: string }> => {
      const start = new Date(month + hour * 3_600_000).toISOString();
      const { booking } = await this.#change<{ booking: { id: string } }>('staff', 'create-booking', { idempotencyKey: randomUUID(), offerId, customer: this.#customer(), notes: this.#plant('notes'), time: { start } }, staff);
      const { requests } = await this.#change<{ requests: { id: string }[] }>('staff', 'request-guides', { idempotencyKey: randomUUID(), bookingId: booking.id, expectedVersion: 1, guideIds: [guideId], deadline: start }, staff);
      return { requestId: requests[0]?.id ?? '' };
    };
    const [taken, declined, withdrawn] = [await ask(1), await ask(3), await ask(5)];
    await this.#run('staff', 'eligible-guides', { input: { offerId, range: RANGE, language: 'fr', ageGroup: 'SENIORS' }, first: 200 }, staff);
    for (const [who, token] of [['guide', guide], ['staff', staff]] as const) await this.#run(who, 'guide-requests', { first: 200 }, token);
    await this.#run('guide', 'my-requests', {}, guide);
    await this.#change('guide', 'accept-guide-request', { ...taken, idempotencyKey: randomUUID() }, guide);
    await this.#change('guide', 'decline-guide-request', declined, guide);
    await this.#change('staff', 'withdraw-guide-request', withdrawn, staff);
  }

  /** Notes and reasons by the guide, rules by staff, holidays. What is written last stays. */
  async #availability(guideId: string, guide: string, staff: string): Promise<void> {
    const key = () => ({ idempotencyKey: randomUUID() });
    await this.#change('staff', 'set-holidays', { year: 2031, holidays: [{ date: '2031-05-01', name: this.#plant('holiday name') }] }, staff);
    await this.#run('guide', 'holidays', { year: 2031 }, guide);
    type Made = { rule: { id: string; version: number } };
    const rule = () => this.#change<Made>('staff', 'create-availability-rule', { ...key(), guideId, startTime: '09:00', durationMinutes: 480, rrule: 'FREQ=DAILY', validFrom: '2031-01-01', skipsHolidays: true }, staff);
    const lasting = await rule();
    await this.#change('guide', 'update-availability-rule', { ruleId: lasting.rule.id, expectedVersion: lasting.rule.version, durationMinutes: 240 }, guide);
    const mistake = await rule();
    await this.#change('guide', 'delete-availability-rule', { ruleId: mistake.rule.id, expectedVersion: mistake.rule.version }, guide);
    await this.#change('guide', 'set-availability', { ...key(), guideId, range: { start: at(14).toISOString(), end: at(15).toISOString() }, setting: 'UNAVAILABLE', note: this.#plant('availability note') }, guide);
    await this.#change('staff', 'generate-availabilities', { ...key(), guideId, from: '2031-05-06', until: '2031-05-12', weekdays: ['TUESDAY'], startTime: '18:00', endTime: '20:00', note: this.#plant('availability note') }, staff);
    const absence = () => this.#change<{ absence: { id: string; version: number } }>('guide', 'create-absence', { ...key(), guideId, range: { start: at(20).toISOString(), end: at(21).toISOString() }, reason: this.#plant('absence reason') }, guide);
    const away = await absence();
    await this.#change('staff', 'update-absence', { absenceId: away.absence.id, expectedVersion: away.absence.version, reason: this.#plant('absence reason') }, staff);
    const cancelled = await absence();
    await this.#change('guide', 'delete-absence', { absenceId: cancelled.absence.id, expectedVersion: cancelled.absence.version }, guide);
  }

  async #blocks(guideId: string, staff: string): Promise<void> {
    type Blocked = { block: { id: string; version: number } };
    const range = (hour: number) => ({ start: at(hour).toISOString(), end: at(hour, 30).toISOString() });
    const create = (hour: number) => this.#change<Blocked>('staff', 'create-guide-block', { idempotencyKey: randomUUID(), guideId, range: range(hour), note: this.#plant('note of a block') }, staff);
    const { block } = await create(22);
    const target = { idempotencyKey: randomUUID(), blockId: block.id };
    const { block: changed } = await this.#change<Blocked>('staff', 'update-guide-block', { ...target, expectedVersion: block.version, range: range(23), note: this.#plant('note of a block') }, staff);
    await this.#change('staff', 'end-guide-block', { ...target, expectedVersion: changed.version }, staff);
    await create(22);
    await this.#run('staff', 'guide-blocks', { id: guideId, range: RANGE }, staff);
  }

  async #administrate(): Promise<void> {
    const { house } = this;
    const administrator = await house.token(house.administrator);
    const { accountId } = await this.#change<{ accountId: string }>('administrator', 'invite-account', { idempotencyKey: randomUUID(), email: `${this.#plant('colleague email')}@post.example`, displayName: this.#plant('colleague name'), roles: ['STAFF'] }, administrator);
    await this.#run('administrator', 'accounts', { first: 200 }, administrator);
    await this.#change('administrator', 'update-account', { accountId, expectedVersion: 1, disabled: true }, administrator);
    const entries = await this.#run<{ auditEntries: { edges: unknown[] } }>('administrator', 'audit-entries', { first: 200 }, administrator);
    if (entries.auditEntries.edges.length === 0) throw new Error('nothing is in the action log');
    // An address that is taken: refused without a word of it in anybody's log.
    await this.#run('administrator', 'invite-account', { input: { idempotencyKey: randomUUID(), email: house.staff.email, displayName: this.#plant('twin'), roles: ['STAFF'] } }, administrator);
    await this.#run('nobody', 'login', { input: { instance: house.code, email: house.staff.email, password: `${PASSWORD}!` } });
    await this.#run('nobody', 'instances', {});
  }

  async #look(who: string, guideId: string, token: string): Promise<void> {
    await this.#run(who, 'guide-calendar', { id: guideId, range: RANGE }, token);
    await this.#run(who, 'guide-profile', { id: guideId }, token);
    await this.#run(who, 'guide-availability', { id: guideId, range: RANGE }, token);
    const { guide } = await this.#run<{ guide: { version: number } }>(who, 'guide-terms', { id: guideId }, token);
    if (who === 'guide') await this.#change(who, 'set-foreign-bookings-counted', { guideId, expectedVersion: guide.version, counted: true }, token);
    await this.#run(who, 'bookings', { first: 200 }, token);
    await this.#run(who, 'offers', {}, token);
    await this.#run(who, 'my-availability', { range: RANGE }, token);
    await this.#run(who, 'my-calendar', { range: RANGE, maxReplicaAge: 0 }, token);
    if (who === 'staff') await this.#run(who, 'guide-conflicts', { first: 200 }, token);
    // His house sends and receives no other house's: the answer is as for any id that leads nowhere.
    else for (const operation of ['dispute-foreign-booking', 'withdraw-dispute']) await this.#run(who, operation, { input: { foreignBookingId: randomUUID() } }, token);
    if (who === 'staff') await this.#run(who, 'guides', { first: 200, range: RANGE }, token);
  }

  /** All the way to an active coupling, and its end. */
  async #couple(partner: House, guideId: string, guide: string, staff: string): Promise<void> {
    const requested = await this.#change<{ coupling: { id: string } }>('staff', 'request-coupling', { idempotencyKey: randomUUID(), guideId, instance: partner.code }, staff);
    const couplingId = requested.coupling.id;
    const there = new Season(this.federation, partner, this.hear);
    const thereStaff = await partner.staffToken();
    await there.#run('staff', 'coupling-requests', {}, thereStaff);
    const counterpart = partner.guides.get(`for ${this.house.code}`) ?? partner.guide('solo');
    await there.#change('staff', 'accept-coupling', { couplingId, guideId: counterpart.id }, thereStaff);
    await this.#change('guide', 'confirm-coupling', { couplingId }, guide);
    await there.#change('guide', 'confirm-coupling', { couplingId }, await partner.token(counterpart.account, 'GUIDE'));
    await this.#run('guide', 'my-calendar', { range: RANGE }, guide);
    await this.#lost(couplingId, guideId, staff);
    await this.#change('staff', 'pause-coupling', { couplingId }, staff);
    await this.#change('staff', 'resume-coupling', { couplingId }, staff);
    await this.#change('staff', 'end-coupling', { couplingId }, staff);
    for (const operation of there.used) this.used.add(operation);
  }

  /** As after a restore: a partner has told back what it still holds of this house. */
  async #lost(couplingId: string, guideId: string, staff: string): Promise<void> {
    const id = randomUUID();
    await this.house.records.query(
      `insert into lost_booking (coupling_id, id, guide_id, start_at, end_at, offer_title, kind, version, incarnation, found_at) values ($1, $2, $3, $4, $5, $6, 'BOOKING', 1, 0, now())`,
      [couplingId, id, guideId, RANGE.start, RANGE.end, this.#plant('title of a lost booking')],
    );
    await this.#run('staff', 'lost-bookings', {}, staff);
    await this.#change('staff', 'release-lost-booking', { lostBookingId: id }, staff);
  }
}
