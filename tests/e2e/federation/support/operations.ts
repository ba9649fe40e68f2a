import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../../../instance-server/platform/project-root.js';
import { at, type Federation, type House, RANGE } from '../../../testkit/federation.js';

const folder = join(projectRoot, 'schema', 'operations');

/** Every documented operation, by the name of its file. */
export const OPERATIONS: ReadonlyMap<string, string> = new Map(
  readdirSync(folder)
    .sort()
    .map((file) => [file.replace('.graphql', ''), readFileSync(join(folder, file), 'utf8')]),
);

export const SUBSCRIPTIONS = ['calendar-changed', 'guide-requests-changed'];

type Variables = Record<string, unknown>;

/** Gives a text for a field of an input: what the caller wants to find again, or never. */
export type Texts = (field: string) => string;

/** Sensible variables about this house, above all about Greta or, where she is not, the guide `solo`. */
export function variablesAbout(house: House, { couplings }: Federation, texts: Texts): Readonly<Record<string, Variables>> {
  const key = randomUUID();
  const guide = house.guides.get('greta') ?? house.guide('solo');
  const [booking] = guide.bookings;
  const [offer] = house.offers;
  const range = RANGE;
  const offerId = offer?.id;
  const guideId = guide.id;
  const bookingId = booking?.id;
  const customer = { name: texts('name'), email: `${texts('email')}@post.example`, phone: texts('phone') };
  const couplingId = house.code === 'gamma' ? couplings['gwen alpha-beta'] : couplings['greta alpha-gamma'];
  const input = (members: Variables): Variables => ({ input: members });
  return {
    'accept-coupling': input({ couplingId, guideId }),
    'accept-guide-request': input({ requestId: guide.requestId, idempotencyKey: key }),
    'accounts': { first: 200 },
    'accept-invitation': input({ token: `${house.code}.${texts('token')}`, password: texts('password') }),
    'assign-guide': input({ bookingId, guideId, expectedVersion: 1, idempotencyKey: key }),
    'audit-entries': { filter: { subjectId: bookingId }, first: 200 },
    'booking': { id: bookingId },
    'bookings': { filter: { guideId, offerId, range }, first: 200, orderBy: 'START_DESC' },
    'calendar-changed': { guideId },
    'cancel-booking': input({ bookingId, expectedVersion: 1, idempotencyKey: key, origin: 'GUIDE', reason: texts('reason') }),
    'change-password': input({ currentPassword: texts('old password'), newPassword: texts('password') }),
    'confirm-coupling': input({ couplingId }),
    'coupling-requests': {},
    'create-absence': input({ idempotencyKey: key, guideId, range, reason: texts('reason') }),
    'create-availability-rule': input({ idempotencyKey: key, guideId, startTime: '09:00', durationMinutes: 60, rrule: 'FREQ=DAILY', validFrom: '2031-01-01' }),
    'create-booking': input({ idempotencyKey: key, offerId, customer, guideIds: [guideId], notes: texts('notes'), partySize: 3, language: 'de', time: { start: at(6).toISOString() } }),
    'create-guide-block': input({ idempotencyKey: key, guideId, range, note: texts('note') }),
    'create-guide': input({ idempotencyKey: key, firstName: texts('first name'), lastName: texts('last name'), email: customer.email, phone: customer.phone, languages: ['de'], offerIds: [offerId] }),
    'create-offer': input({ idempotencyKey: key, title: texts('title'), description: texts('description'), durationMinutes: 60, languages: ['de'], priceAmount: 100 }),
    'decline-guide-request': input({ requestId: guide.requestId }),
    'delete-absence': input({ absenceId: key, expectedVersion: 1 }),
    'delete-availability-rule': input({ ruleId: key, expectedVersion: 1 }),
    'delete-booking': input({ bookingId, expectedVersion: 1, idempotencyKey: key }),
    'end-guide-block': input({ idempotencyKey: key, blockId: booking?.assignmentId, expectedVersion: 1 }),
    'dispute-foreign-booking': input({ foreignBookingId: booking?.assignmentId }),
    'end-coupling': input({ couplingId }),
    'generate-availabilities': input({ idempotencyKey: key, guideId, from: '2031-05-05', until: '2031-05-12', weekdays: ['MONDAY'], startTime: '09:00', endTime: '10:00', note: texts('note') }),
    'guide-availability': { id: guideId, range },
    'guide-bank-data': { id: guideId },
    'guide-blocks': { id: guideId, range },
    'guide-calendar': { id: guide.globalId ?? guideId, range },
    'guide-conflicts': { guideId, first: 200 },
    'guide-profile': { id: guideId },
    'eligible-guides': { input: { bookingId }, filter: { guideIds: [guideId] }, first: 200 },
    'guide-requests': { filter: { guideId, bookingId, state: 'OPEN' }, first: 200 },
    'guide-terms': { id: guideId },
    'guides': { filter: { offerId }, first: 200, range },
    'holidays': { year: 2031 },
    'instances': {},
    'invite-account': input({ idempotencyKey: key, email: customer.email, displayName: texts('display name'), roles: ['STAFF'] }),
    'invite-guide': input({ idempotencyKey: key, email: customer.email, guideId }),
    'login': input({ instance: house.code, email: house.staff.email, password: texts('password') }),
    'lost-bookings': {},
    'release-lost-booking': input({ lostBookingId: booking?.assignmentId }),
    'logout': { allSessions: true },
    'me': {},
    'my-availability': { range },
    'my-calendar': { range, maxReplicaAge: 60 },
    'my-requests': {},
    'offers': { first: 200 },
    'rebook-booking': input({ bookingId, expectedVersion: 1, idempotencyKey: key, customer, notes: texts('notes'), offerId, guideIds: [guideId], time: { start: at(7).toISOString() } }),
    'pause-coupling': input({ couplingId }),
    'recheck-assignment': input({ assignmentId: booking?.assignmentId }),
    'refresh-session': input({ refreshToken: `${house.code}.${texts('token')}` }),
    'request-coupling': input({ guideId, instance: house.code, idempotencyKey: key }),
    'request-guides': input({ bookingId, guideIds: [guideId], expectedVersion: 1, idempotencyKey: key, deadline: at(0).toISOString() }),
    'request-password-reset': input({ instance: house.code, email: house.staff.email }),
    'resume-coupling': input({ couplingId }),
    'reset-password': input({ token: `${house.code}.${texts('token')}`, password: texts('password') }),
    'reset-assignment': input({ assignmentId: booking?.assignmentId, expectedVersion: 1, idempotencyKey: key }),
    'set-foreign-bookings-counted': input({ guideId, expectedVersion: 1, counted: true }),
    'set-guide-limits': input({ guideId, expectedVersion: 1, perDay: { minutes: 60 } }),
    'set-guide-releases': input({ guideId, expectedVersion: 1, releases: [{ offerId, languages: ['de'], ageGroups: ['YOUTH'] }] }),
    'set-availability': input({ idempotencyKey: key, guideId, range, setting: 'AVAILABLE', note: texts('note') }),
    'set-holidays': input({ year: 2031, holidays: [{ date: '2031-05-01', name: texts('name') }] }),
    'update-absence': input({ absenceId: key, expectedVersion: 1, reason: texts('reason') }),
    'update-account': input({ accountId: house.staff.id, expectedVersion: 1, disabled: true }),
    'update-availability-rule': input({ ruleId: key, expectedVersion: 1, rrule: 'FREQ=WEEKLY' }),
    'update-guide-block': input({ idempotencyKey: key, blockId: booking?.assignmentId, expectedVersion: 1, range, note: texts('note') }),
    'update-guide': input({ guideId, expectedVersion: 1, firstName: texts('first name'), email: customer.email, offerIds: [offerId] }),
    'withdraw-dispute': input({ foreignBookingId: booking?.assignmentId }),
    'withdraw-guide-request': input({ requestId: guide.requestId }),
    'update-offer': input({ offerId, expectedVersion: 1, title: texts('title'), description: texts('description') }),
  };
}

/** The same with every text and instant made useless in a way that parsers and databases like to repeat in their complaints. */
export function spoiled(value: unknown, texts: Texts, key = ''): unknown {
  if (typeof value === 'string') return key === 'instance' || key === 'token' || key === 'refreshToken' ? value : `${texts('garbage')}'"\u0000\\`;
  if (Array.isArray(value)) return value.map((member) => spoiled(member, texts));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, spoiled(member, texts, name)]));
}
