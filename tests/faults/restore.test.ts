import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { until } from '../testkit/until.js';
import { checkClaims, checkDoubleBookings, checkProfiles, type Snapshot, type Snapshots } from './checker/index.js';
import { guideKey, must } from './support/people.js';
import { untilQuiet } from './support/quiet.js';
import { FaultRun } from './support/run.js';

/*
 * One house is put back to an older copy of its data directory. Source: DOMAIN §2 "Convergence", last sentence.
 */

const copy = (from: string, to: string) => promisify(execFile)('cp', ['-a', from, to]);

const HOUR_MS = 3_600_000;
const DAY = Math.floor(Date.now() / (24 * HOUR_MS) + 10) * 24 * HOUR_MS;
const time = (hour: number) => ({ start: new Date(DAY + hour * HOUR_MS).toISOString(), end: new Date(DAY + (hour + 1) * HOUR_MS).toISOString() });
const QUIET_MS = 90_000;

interface Booking {
  id: string;
  version: number;
  assignments: { id: string }[];
}

const PAYLOAD = '__typename ... on BookingPayload { booking { id version assignments { id } } } ... on UserError { code }';
const CREATE = `mutation ($input: CreateBookingInput!) { createBooking(input: $input) { ${PAYLOAD} } }`;
const REBOOK = `mutation ($input: RebookBookingInput!) { rebookBooking(input: $input) { ${PAYLOAD} } }`;
const CANCEL = `mutation ($input: CancelBookingInput!) { cancelBooking(input: $input) { ${PAYLOAD} } }`;
const UPDATE_GUIDE = 'mutation ($input: UpdateGuideInput!) { updateGuide(input: $input) { __typename ... on GuidePayload { guide { id version } } ... on UserError { code } } }';
const CREATE_RULE = 'mutation ($input: CreateAvailabilityRuleInput!) { createAvailabilityRule(input: $input) { __typename ... on AvailabilityRulePayload { rule { id version } } ... on UserError { code } } }';
const LOST = 'query { lostBookings { id start end guide { id } } }';
const GUIDE = 'query ($id: ID!) { guide(id: $id) { version } }';

let run: FaultRun;
let lost: { kept: Booking; moved: Booking; ended: Booking; made: Booking; elsewhere: Booking; early: Booking; madeOfBela: Booking };
let before: Snapshots;
let after: Snapshots;

/** Alpha keeps Anna's claims, beta those of Bela: each asked for the first coupling. */
const guideIn = (house: string, name: string): string => run.world.persons.find((person) => person.name === name)?.guideIds[house] as string;
const annaIn = (house: string): string => guideIn(house, 'anna');
const assignmentOf = ({ assignments }: Booking): string => assignments[0]?.id as string;
const row = (snapshots: Snapshots, house: string): Snapshot => snapshots[house] as Snapshot;
const copyOf = (snapshots: Snapshots, house: string, booking: Booking) => row(snapshots, house).foreign.find(({ id }) => id === assignmentOf(booking));

const staff = (house: string) => run.people.staff.get(house)?.[0] as NonNullable<ReturnType<typeof run.people.staff.get>>[0];

async function book(house: string, hour: number, name = 'anna'): Promise<Booking> {
  const offerId = run.people.offers.get(house)?.[0]?.id;
  const input = { idempotencyKey: randomUUID(), offerId, time: time(hour), customer: { name: 'C' }, guideIds: [guideIn(house, name)] };
  return (await must<{ booking: Booking }>(run.caller, staff(house), CREATE, input)).booking;
}

async function rename(house: string, firstName: string): Promise<void> {
  const reply = await run.caller.ask(staff(house), 'direct', GUIDE, { id: annaIn(house) });
  if (reply.kind !== 'data') throw new Error(`${house} did not answer`);
  const { version } = reply.data['guide'] as { version: number };
  await must(run.caller, staff(house), UPDATE_GUIDE, { guideId: annaIn(house), expectedVersion: version, firstName });
}

const rule = (house: string, startTime: string) =>
  must<{ rule: { id: string } }>(run.caller, staff(house), CREATE_RULE, { idempotencyKey: randomUUID(), guideId: annaIn(house), startTime, durationMinutes: 60, rrule: 'FREQ=DAILY', validFrom: '2031-01-01' });

async function quiet(): Promise<void> {
  expect(await untilQuiet(run.federation, QUIET_MS)).toBeUndefined();
}

beforeAll(async () => {
  run = await FaultRun.start({ seed: 1, changes: 0, durationMs: 0, longestFaultMs: 0, quietMs: QUIET_MS });
  const alpha = run.federation.house('alpha');
  const [kept, moved, ended] = [await book('alpha', 8), await book('alpha', 9), await book('alpha', 10)];
  await rename('alpha', 'Before');
  await quiet();

  const backup = `${alpha.cluster.files}-backup`;
  await alpha.server.stop();
  const data = alpha.cluster.files;
  await alpha.cluster.stop();
  await copy(data, backup);
  await alpha.cluster.start();
  await alpha.server.start();

  const [made, madeOfBela] = [await book('alpha', 12), await book('alpha', 12, 'bela')];
  const move = { idempotencyKey: randomUUID(), bookingId: moved.id, expectedVersion: moved.version, time: time(14) };
  await must(run.caller, staff('alpha'), REBOOK, move);
  await must(run.caller, staff('alpha'), CANCEL, { idempotencyKey: randomUUID(), bookingId: ended.id, expectedVersion: ended.version, reason: 'rain', origin: 'CUSTOMER' });
  await rename('alpha', 'After');
  await rule('alpha', '09:00');
  await rule('beta', '11:00');
  const elsewhere = await book('beta', 16);
  await quiet();
  before = await run.federation.snapshots();
  // The partner goes on while the house is being restored.
  await alpha.server.stop();
  await alpha.cluster.stop();
  const early = await book('gamma', 18);
  await rm(data, { recursive: true, force: true });
  await copy(backup, data);
  await alpha.cluster.start();
  for (const account of [...(run.people.staff.get('alpha') ?? []), run.people.guides.get(guideKey('alpha', 'anna'))]) if (account) account.token = undefined;
  await alpha.server.start();
  lost = { kept, moved, ended, made, madeOfBela, elsewhere, early };
  await until(async () => (await run.federation.snapshots())['alpha']?.incarnation === 2, QUIET_MS);
  await quiet();
  after = await run.federation.snapshots();
}, 300_000);
afterAll(() => run?.close());

test('it raises its incarnation, by one', () => {
  expect([row(before, 'alpha').incarnation, row(after, 'alpha').incarnation]).toEqual([1, 2]);
});

test('partners keep blocking what it has lost', () => {
  for (const house of ['beta', 'gamma']) {
    for (const booking of [lost.made, lost.madeOfBela]) expect(copyOf(after, house, booking)).toMatchObject({ ended: false, start: time(12).start, end: time(12).end });
  }
});

test('its staff are told what it has lost, with the time and the guide', async () => {
  const reply = await run.caller.ask(staff('alpha'), 'direct', LOST, {});
  if (reply.kind !== 'data') throw new Error('alpha did not answer');
  const told = (reply.data['lostBookings'] as { start: string; end: string; guide: { id: string } }[]).map(({ guide, start, end }) => [guide.id, new Date(start).toISOString(), new Date(end).toISOString()].join(' '));
  const { start, end } = time(12);
  expect(told.sort()).toEqual([annaIn('alpha'), guideIn('alpha', 'bela')].map((id) => [id, start, end].join(' ')).sort());
});

test('what it has lost is never made into a booking again', () => {
  expect(row(after, 'alpha').bookings.map(({ id }) => id).sort()).toEqual([lost.kept.id, lost.moved.id, lost.ended.id].sort());
  expect(row(after, 'alpha').assignments.map(({ id }) => id).sort()).toEqual([lost.kept, lost.moved, lost.ended].map(assignmentOf).sort());
});

test('what it still has stands at partners as it has it, in the new incarnation', () => {
  for (const house of ['beta', 'gamma']) {
    expect(copyOf(after, house, lost.kept)).toMatchObject({ incarnation: 2, ended: false, start: time(8).start });
    expect(copyOf(after, house, lost.moved)).toMatchObject({ incarnation: 2, ended: false, start: time(9).start });
    expect(copyOf(after, house, lost.ended)).toMatchObject({ incarnation: 2, ended: false, start: time(10).start });
  }
});

test('its claims are registered again, and nothing is verified twice', () => {
  const verified = row(after, 'alpha').assignments.filter(({ verification }) => verification === 'VERIFIED');
  expect(verified.map(({ id }) => id).sort()).toEqual([lost.kept, lost.moved, lost.ended].map(assignmentOf).sort());
  expect(checkDoubleBookings(run.world, after)).toEqual([]);
  // The keeper of a lost one's claim keeps it until its holder's staff let it go: it still blocks.
  const kept = checkClaims(run.world, after).filter(({ detail }) => !detail.includes(assignmentOf(lost.madeOfBela)));
  expect(kept).toEqual([]);
  const claim = row(after, 'beta').claims.find(({ id }) => id === assignmentOf(lost.madeOfBela));
  expect(claim).toMatchObject({ holder: 'alpha', state: 'VERIFIED', ...time(12) });
});

test('its own values of profiles and rules come back from partners', () => {
  expect(row(after, 'alpha').guides.find(({ id }) => id === annaIn('alpha'))?.firstName).toBe('After');
  expect(checkProfiles(run.world, [], after)).toEqual([]);
  const rules = (snapshots: Snapshots, house: string) => row(snapshots, house).rules.map(({ id, startTime, stamp, rest, origin }) => [id, startTime, stamp, rest, origin].join(' ')).sort();
  expect(rules(after, 'alpha')).toEqual(rules(before, 'alpha'));
});

test('what partners booked in between is there again', () => {
  expect(copyOf(after, 'alpha', lost.elsewhere)).toMatchObject({ ended: false, start: time(16).start });
  expect(copyOf(after, 'alpha', lost.early)).toMatchObject({ ended: false, start: time(18).start });
});

test('nothing the others know by themselves is lost', () => {
  const own = (snapshots: Snapshots, house: string) => {
    const { bookings, offers, guides, rules, entries, assignments } = row(snapshots, house);
    const ofHouse = assignments.filter(({ id }) => id !== assignmentOf(lost.early));
    return JSON.stringify([bookings.filter(({ id }) => id !== lost.early.id), offers, guides, rules, entries, ofHouse]);
  };
  for (const house of ['beta', 'gamma']) expect(own(after, house)).toBe(own(before, house));
});
