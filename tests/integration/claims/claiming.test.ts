import { randomUUID } from 'node:crypto';
import { Cleanup } from '../../testkit/cleanup.js';
import { Session } from '../../testkit/session.js';
import { until } from '../../testkit/until.js';
import { at } from '../instance/support/house.js';
import type { ReplicatingHouse } from '../replication/support/houses.js';
import { act, assignmentOf, book, bookAt, claimsAt, conflicts, guideOf, openHouses, quiet, type SharedGuide, shareGuide, verification, verificationOf } from './support/houses.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let alpha: ReplicatingHouse;
let beta: ReplicatingHouse;
let gamma: ReplicatingHouse;

beforeAll(async () => {
  [alpha, beta, gamma] = (await openHouses(cleanup, ['alpha', 'beta', 'gamma'])) as [ReplicatingHouse, ReplicatingHouse, ReplicatingHouse];
});


test('a guide of one house alone needs no verification', async () => {
  expect(verificationOf(await book(alpha, [await alpha.records.guide()], at(0), at(1)))).toBe('NOT_NEEDED');
});

test('the keeper verifies his own in their transaction, and another house’s before it has its answer', async () => {
  const guide = await shareGuide([alpha, beta, gamma]);
  expect(verificationOf(await bookAt(alpha, guide, 0, 1))).toBe('VERIFIED');
  expect(verificationOf(await bookAt(beta, guide, 1, 2))).toBe('VERIFIED');
  expect(verificationOf(await bookAt(gamma, guide, 2, 3))).toBe('VERIFIED');
  expect(await claimsAt(alpha, guide, at(0))).toEqual(['alpha 0-1 VERIFIED', 'beta 1-2 VERIFIED', 'gamma 2-3 VERIFIED']);
});

test('two houses that book one guide at the same instant: one has him verified, and both are told of the conflict', async () => {
  for (let round = 0; round < 4; round += 1) {
    const guide = await shareGuide([alpha, beta, gamma]);
    const outcomes = await Promise.all([bookAt(beta, guide, 0, 2), bookAt(gamma, guide, 1, 3)]);
    const said = outcomes.map(verificationOf).toSorted();
    // Who hears of the other before he commits is refused.
    expect([['CONFLICT', 'VERIFIED'], ['GuideUnavailableError', 'VERIFIED']]).toContainEqual(said);
    await quiet([alpha, beta, gamma]);
    const listed = await Promise.all([beta, gamma].map(async (house) => (await conflicts(house, { guideId: guideOf(house, guide) })).nodes));
    const booked = outcomes.map((outcome) => outcome.booking?.id);
    const expected = said[0] === 'CONFLICT' ? booked.map((id) => [{ booking: { id }, overlaps: [{ start: at(1).toISOString(), end: at(2).toISOString() }] }]) : [[], []];
    expect(listed).toMatchObject(expected);
    expect(listed.map((nodes) => nodes.length)).toEqual(expected.map((nodes) => nodes.length));
  }
});

test('the keeper and another house at the same instant', async () => {
  for (let round = 0; round < 4; round += 1) {
    const guide = await shareGuide([alpha, beta]);
    const said = (await Promise.all([bookAt(alpha, guide, 0, 2), bookAt(beta, guide, 1, 3)])).map(verificationOf).toSorted();
    expect([['CONFLICT', 'VERIFIED'], ['GuideUnavailableError', 'VERIFIED']]).toContainEqual(said);
    await quiet([alpha, beta]);
  }
});

test('a guide who is known to be taken elsewhere is refused, without a word of where', async () => {
  const guide = await shareGuide([alpha, beta]);
  await bookAt(beta, guide, 0, 2);
  await quiet([alpha, beta]);
  const offerId = await alpha.records.offer();
  const time = { start: at(1).toISOString(), end: at(3).toISOString() };
  const refused = await act(alpha, 'createBooking', { offerId, customer: { name: 'N' }, guideIds: [guideOf(alpha, guide)], time });
  expect(refused).toEqual({ __typename: 'GuideUnavailableError', code: 'GUIDE_UNAVAILABLE', message: 'The guide is assigned to something else at that time.', guideId: guideOf(alpha, guide), ...time });
  expect(verificationOf(await bookAt(alpha, guide, 2, 3))).toBe('VERIFIED');
});

test('a move is verified anew, an end releases, and each is said once', async () => {
  const guide = await shareGuide([alpha, beta]);
  const { booking } = await bookAt(beta, guide, 0, 2);
  const moved = await act(beta, 'rebookBooking', { bookingId: booking?.id, expectedVersion: booking?.version, time: { start: at(4).toISOString(), end: at(6).toISOString() } });
  expect(verificationOf(moved)).toBe('VERIFIED');
  expect(await claimsAt(alpha, guide, at(0))).toEqual(['beta 4-6 VERIFIED']);
  // Other details are no other interval.
  const touched = await act(beta, 'rebookBooking', { bookingId: booking?.id, expectedVersion: moved.booking?.version, notes: 'none' });
  expect(verificationOf(touched)).toBe('VERIFIED');
  await quiet([alpha, beta]);
  await beta.run('cancelBooking', { bookingId: booking?.id, expectedVersion: touched.booking?.version, reason: 'r', origin: 'HOUSE' });
  await quiet([alpha, beta]);
  expect(await claimsAt(alpha, guide, at(0))).toEqual([]);
  expect(verificationOf(await bookAt(alpha, guide, 4, 6))).toBe('VERIFIED');
});

test('what was given back goes to who waited for it, who hears of it', async () => {
  const guide = await shareGuide([alpha, beta, gamma]);
  // Neither hears of the other's booking: only the keeper knows both.
  const pause = async (paused: boolean): Promise<void> => {
    for (const house of [beta, gamma]) {
      await house.records.query('update coupling set paused_here = $2, version = version + 1 where id = $1', [guide.couplings['beta-gamma'], paused]);
      await house.records.query(`select pg_notify('lotse_event', '{"kind":"links"}')`);
    }
  };
  await pause(true);
  const first = await bookAt(beta, guide, 0, 2);
  const second = await bookAt(gamma, guide, 1, 3);
  expect([first, second].map(verificationOf)).toEqual(['VERIFIED', 'CONFLICT']);
  const { nodes, text } = await conflicts(gamma, { guideId: guideOf(gamma, guide) });
  expect(nodes).toEqual([{ assignment: { id: assignmentOf(second), verification: 'CONFLICT' }, guide: { id: guideOf(gamma, guide) }, booking: { id: second.booking?.id }, overlaps: [], disputed: false }]);
  expect(text).not.toMatch(/alpha|beta/);
  await beta.run('resetAssignment', { assignmentId: assignmentOf(first), expectedVersion: first.booking?.version });
  await until(async () => (await verification(gamma, assignmentOf(second))) === 'VERIFIED');
  expect((await conflicts(gamma, { guideId: guideOf(gamma, guide) })).nodes).toEqual([]);
  await pause(false);
  await quiet([alpha, beta, gamma]);
});

test('while the keeper does not answer an assignment is unverified, and verified when he does', async () => {
  const guide = await shareGuide([gamma, beta]);
  await quiet([beta, gamma]);
  await gamma.stop();
  const booked = await bookAt(beta, guide, 0, 2);
  expect(verificationOf(booked)).toBe('UNVERIFIED');
  await gamma.start();
  await until(async () => (await verification(beta, assignmentOf(booked))) === 'VERIFIED', 40_000);
}, 60_000);

test('those that are there when a guide is coupled are unverified as soon as new ones while the keeper does not answer', async () => {
  const ids = { gamma: await gamma.records.guide(), beta: await beta.records.guide() };
  const guide: SharedGuide = { ids, couplings: {} };
  const booked = [await bookAt(beta, guide, 0, 1), await bookAt(beta, guide, 2, 3)];
  expect(booked.map(verificationOf)).toEqual(['NOT_NEEDED', 'NOT_NEEDED']);
  await quiet([beta, gamma]);
  await gamma.stop();
  const begun = performance.now();
  await shareGuide([gamma, beta], ids);
  const all = () => Promise.all(booked.map((one) => verification(beta, assignmentOf(one))));
  expect(await all()).toEqual(['PENDING', 'PENDING']);
  await until(async () => (await all()).every((said) => said === 'UNVERIFIED'));
  expect(performance.now() - begun).toBeGreaterThan(1_500);
  await gamma.start();
  await until(async () => (await all()).every((said) => said === 'VERIFIED'), 40_000);
}, 60_000);

test('one of them that is being changed at that moment is seen to afterwards, and holds no other up', async () => {
  const ids = { gamma: await gamma.records.guide(), beta: await beta.records.guide() };
  const guide: SharedGuide = { ids, couplings: {} };
  const [held = '', other = ''] = [await bookAt(beta, guide, 0, 1), await bookAt(beta, guide, 2, 3)].map(assignmentOf);
  await quiet([beta, gamma]);
  await gamma.stop();
  await shareGuide([gamma, beta], ids);
  const changing = await Session.begin(beta.instance.database);
  await changing.run('select 1 from guide_assignment where id = $1 for no key update', [held]);
  await until(async () => (await verification(beta, other)) === 'UNVERIFIED').finally(() => changing.end('rollback'));
  expect(await verification(beta, held)).toBe('PENDING');
  await until(async () => (await verification(beta, held)) === 'UNVERIFIED');
  await gamma.start();
}, 60_000);

test('assignments that are there when a guide is coupled are claimed; what overlaps is shown to both houses and can be checked again', async () => {
  const ids = { alpha: await alpha.records.guide(), beta: await beta.records.guide() };
  const guide: SharedGuide = { ids, couplings: {} };
  const [here, there, free] = [await bookAt(alpha, guide, 0, 2), await bookAt(beta, guide, 1, 3), await bookAt(beta, guide, 5, 6)];
  await shareGuide([alpha, beta], ids);
  await until(async () => (await verification(beta, assignmentOf(free))) === 'VERIFIED');
  await quiet([alpha, beta]);
  const overlaps = [{ start: at(1).toISOString(), end: at(2).toISOString() }];
  const shown = await Promise.all([alpha, beta].map(async (house) => (await conflicts(house, { guideId: ids[house.code as 'alpha'] })).nodes));
  expect(shown).toMatchObject([
    [{ assignment: { id: assignmentOf(here), verification: 'VERIFIED' }, overlaps }],
    [{ assignment: { id: assignmentOf(there), verification: 'CONFLICT' }, overlaps }],
  ]);
  const recheck = async () => {
    const document = 'mutation ($input: RecheckAssignmentInput!) { recheckAssignment(input: $input) { ... on RecheckAssignmentPayload { assignment { verification } } } }';
    const answer = await beta.api.query<{ recheckAssignment: { assignment: { verification: string } } }>(document, { input: { assignmentId: assignmentOf(there) } }, await beta.staff());
    return answer.data.recheckAssignment.assignment.verification;
  };
  expect(await recheck()).toBe('CONFLICT');
  await alpha.run('resetAssignment', { assignmentId: assignmentOf(here), expectedVersion: here.booking?.version });
  expect(await recheck()).toBe('VERIFIED');
  await quiet([alpha, beta]);
  expect(await Promise.all([alpha, beta].map(async (house) => (await conflicts(house, { guideId: ids[house.code as 'alpha'] })).nodes))).toEqual([[], []]);
});

test('conflicts are listed page by page, by start', async () => {
  const ids = { alpha: await alpha.records.guide(), beta: await beta.records.guide() };
  const guide: SharedGuide = { ids, couplings: {} };
  await bookAt(alpha, guide, 0, 10);
  const there = [];
  for (const hour of [5, 1, 3]) there.push(assignmentOf(await bookAt(beta, guide, hour, hour + 1)));
  await shareGuide([alpha, beta], ids);
  await until(async () => (await conflicts(beta, { guideId: ids.beta })).nodes.filter(({ overlaps }) => overlaps.length === 1).length === 3);
  const first = await conflicts(beta, { guideId: ids.beta, first: 2 });
  const second = await conflicts(beta, { guideId: ids.beta, first: 2, after: first.endCursor });
  expect([first, second].map(({ nodes }) => nodes.map((node) => node.assignment.id))).toEqual([[there[1], there[2]], [there[0]]]);
});

test('a guide of another house, and an id that is none, have no conflicts and nothing to check', async () => {
  expect((await conflicts(alpha, { guideId: 'nobody' })).nodes).toEqual([]);
  for (const assignmentId of ['none', randomUUID()]) {
    const document = 'mutation ($input: RecheckAssignmentInput!) { recheckAssignment(input: $input) { ... on NotFoundError { field } } }';
    const answer = await alpha.api.query(document, { input: { assignmentId } }, await alpha.staff());
    expect(answer.data).toEqual({ recheckAssignment: { field: 'input.assignmentId' } });
  }
});
