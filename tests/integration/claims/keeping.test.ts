import { randomUUID } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { Cleanup } from '../../testkit/cleanup.js';
import { until } from '../../testkit/until.js';
import { at } from '../instance/support/house.js';
import type { ReplicatingHouse } from '../replication/support/houses.js';
import { assignmentOf, bookAt, type Booked, claimsAt, claimsBeside, conflicts, guideOf, holdDeliveries, openHouses, quiet, type SharedGuide, shareGuide, verification, verificationOf } from './support/houses.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let houses: ReplicatingHouse[];
let alpha: ReplicatingHouse;
let beta: ReplicatingHouse;
let gamma: ReplicatingHouse;

beforeAll(async () => {
  houses = await openHouses(cleanup, ['alpha', 'beta', 'gamma']);
  [alpha, beta, gamma] = houses as [ReplicatingHouse, ReplicatingHouse, ReplicatingHouse];
});


const keeperAt = async (house: ReplicatingHouse, guide: SharedGuide): Promise<string> => {
  const [row] = await house.records.query<{ claim_keeper: string; keeper_epoch: number }>('select claim_keeper, keeper_epoch from guide where id = $1', [guideOf(house, guide)]);
  return `${row?.claim_keeper} ${row?.keeper_epoch}`;
};

async function end(house: ReplicatingHouse, couplingId: string): Promise<void> {
  const answer = await house.api.query<{ endCoupling: { coupling?: { state: string } } }>(
    'mutation ($input: CouplingInput!) { endCoupling(input: $input) { ... on CouplingPayload { coupling { state } } } }',
    { input: { couplingId } },
    await house.staff(),
  );
  expect(answer.data.endCoupling.coupling?.state).toBe('ENDED');
}

test('a keeper that leaves hands its claims over to the house that stays, and all hear of it', async () => {
  const guide = await shareGuide(houses);
  const booked = [await bookAt(alpha, guide, 0, 1), await bookAt(beta, guide, 1, 2), await bookAt(gamma, guide, 2, 3)];
  await quiet(houses);
  await end(alpha, guide.couplings['alpha-gamma'] ?? '');
  expect((await claimsAt(beta, guide, at(0))).toSorted()).toEqual(expect.arrayContaining(['alpha 0-1 VERIFIED', 'gamma 2-3 VERIFIED']));
  await until(async () => (await keeperAt(gamma, guide)) === 'beta 2');
  await quiet(houses);
  expect(await claimsAt(beta, guide, at(0))).toEqual(['alpha 0-1 VERIFIED', 'beta 1-2 VERIFIED', 'gamma 2-3 VERIFIED']);
  expect(await Promise.all(houses.map((house, index) => verification(house, assignmentOf(booked[index] as Booked))))).toEqual(['VERIFIED', 'VERIFIED', 'VERIFIED']);
  expect(await claimsAt(alpha, guide, at(0))).toEqual([]);
  expect(verificationOf(await bookAt(alpha, guide, 4, 5))).toBe('VERIFIED');
  expect(await claimsAt(beta, guide, at(4))).toContain('alpha 0-1 VERIFIED');
  await end(alpha, guide.couplings['alpha-beta'] ?? '');
  await until(async () => (await claimsAt(beta, guide, at(0))).join() === 'beta 1-2 VERIFIED,gamma 2-3 VERIFIED');
  expect(await verification(alpha, assignmentOf(booked[0] as Booked))).toBe('NOT_NEEDED');
});

test('a booking that ended while its keeper left is none at the successor, though the keeper never heard of its end', async () => {
  const guide = await shareGuide(houses);
  const booked = await bookAt(gamma, guide, 0, 1);
  await quiet(houses);
  const release = await holdDeliveries(gamma, 'alpha');
  try {
    await gamma.run('cancelBooking', { bookingId: booked.booking?.id, expectedVersion: booked.booking?.version, reason: 'Rain', origin: 'CUSTOMER' });
    await end(alpha, guide.couplings['alpha-gamma'] ?? '');
    await until(async () => (await keeperAt(gamma, guide)) === 'beta 2');
  } finally {
    await release();
  }
  await quiet(houses);
  expect(await claimsAt(beta, guide, at(0))).toEqual([]);
});

test('a successor who does not answer holds up neither the end nor anybody who books the guide meanwhile', async () => {
  const guide = await shareGuide(houses);
  await bookAt(gamma, guide, 0, 1);
  await quiet(houses);
  const port = beta.server.port;
  await beta.stop();
  // It takes the call and says nothing.
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket.on('error', () => undefined))).listen(port, '127.0.0.1');
  const isFree = async () =>
    (await alpha.records.query('select id from guide where id = $1 and exists (select 1 from coupling where id = $2 and state = $3) for no key update skip locked', [
      guideOf(alpha, guide),
      guide.couplings['alpha-gamma'],
      'ENDED',
    ])).length === 1;
  const begun = performance.now();
  const ending = end(alpha, guide.couplings['alpha-gamma'] ?? '').then(() => performance.now() - begun);
  await until(isFree, 1_500);
  expect(performance.now() - begun).toBeLessThan(1_500);
  // The hand-over was under way all the time.
  expect(await ending).toBeGreaterThan(1_500);
  expect(await claimsAt(alpha, guide, at(0))).toHaveLength(1);
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
  await beta.start();
  await until(async () => (await claimsAt(beta, guide, at(0))).join() === 'gamma 0-1 VERIFIED', 40_000);
  const { upkeep } = await claimsBeside(cleanup, alpha);
  await upkeep.sweep();
  expect(await claimsAt(alpha, guide, at(0))).toEqual([]);
}, 60_000);

test('when a partner leaves, the keeper stays, and what the partner claimed is free', async () => {
  const guide = await shareGuide(houses);
  await bookAt(beta, guide, 0, 1);
  await quiet(houses);
  await end(beta, guide.couplings['alpha-beta'] ?? '');
  await until(async () => (await claimsAt(alpha, guide, at(0))).length === 0);
  expect([await keeperAt(alpha, guide), await keeperAt(gamma, guide)]).toEqual(['alpha 1', 'alpha 1']);
});

test('houses whose keeper is gone without a word agree on another', async () => {
  const guide = await shareGuide(houses);
  const booked = await bookAt(gamma, guide, 0, 1);
  await quiet(houses);
  for (const [house, name] of [[beta, 'alpha-beta'], [gamma, 'alpha-gamma']] as const) {
    await house.records.query(`update coupling set state = 'ENDED' where id = $1`, [guide.couplings[name]]);
    await house.records.query(`select pg_notify('lotse_event', '{"kind":"links"}')`);
  }
  expect(await verification(gamma, assignmentOf(booked))).toBe('UNVERIFIED');
  const upkeeps = [(await claimsBeside(cleanup, beta)).upkeep, (await claimsBeside(cleanup, gamma)).upkeep];
  for (const upkeep of upkeeps) await upkeep.sweep();
  expect([await keeperAt(beta, guide), await keeperAt(gamma, guide)]).toEqual(['alpha 1', 'alpha 1']);
  for (const house of [beta, gamma]) await house.records.query(`update coupling set updated_at = updated_at - interval '11 minutes' where guide_id = $1`, [guideOf(house, guide)]);
  await Promise.all(upkeeps.map((upkeep) => upkeep.sweep()));
  // Each names the other, unless it has heard before; of equal epochs the smaller code counts.
  await until(async () => {
    const keepers = [await keeperAt(beta, guide), await keeperAt(gamma, guide)];
    return keepers[0] === keepers[1] && ['beta 2', 'gamma 2'].includes(keepers[0] ?? '');
  });
  await until(async () => (await verification(gamma, assignmentOf(booked))) === 'VERIFIED');
});

test('who couples a guide that has a global id already supposes that the partner keeps his claims, until he names the one who does', async () => {
  const shared = await shareGuide([alpha, gamma]);
  const ids = { ...shared.ids, beta: await beta.records.guide() };
  const guide: SharedGuide = { ids, couplings: shared.couplings };
  const early = await bookAt(beta, guide, 0, 1);
  await quiet(houses);
  const change = async (house: ReplicatingHouse, mutation: string, type: string, input: Record<string, unknown>, token?: string) => {
    const document = `mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename ... on CouplingPayload { coupling { id state } } } }`;
    const answer = await house.api.query<Record<string, { coupling?: { id: string; state: string } }>>(document, { input }, token ?? (await house.staff()));
    return answer.data?.[mutation]?.coupling ?? { id: answer.text, state: answer.text };
  };
  const tokenOf = async (house: ReplicatingHouse) => (await house.records.signedIn('GUIDE', { guideId: guideOf(house, guide) })).token;
  const letGo = await holdDeliveries(gamma, 'beta');
  const { id: couplingId } = await change(gamma, 'requestCoupling', 'RequestCouplingInput', { idempotencyKey: randomUUID(), guideId: guideOf(gamma, guide), instance: 'beta' });
  await change(beta, 'acceptCoupling', 'AcceptCouplingInput', { couplingId, guideId: guideOf(beta, guide) });
  await change(gamma, 'confirmCoupling', 'CouplingInput', { couplingId }, await tokenOf(gamma));
  expect((await change(beta, 'confirmCoupling', 'CouplingInput', { couplingId }, await tokenOf(beta))).state).toBe('ACTIVE');
  expect(await keeperAt(beta, guide)).toBe('gamma 0');
  expect(await keeperAt(gamma, guide)).toBe('alpha 1');
  // Asked, he says that he is not; nobody is told that he were.
  await until(async () => (await verification(beta, assignmentOf(early))) === 'UNVERIFIED');
  expect(await claimsAt(gamma, guide, at(0))).toEqual([]);
  await letGo();
  await until(async () => (await keeperAt(beta, guide)) === 'alpha 1');
  expect(await keeperAt(gamma, guide)).toBe('alpha 1');
});

test('of two keepers the one of the older global id takes over the claims of the other', async () => {
  const ids = { alpha: await alpha.records.guide(), beta: await beta.records.guide(), gamma: await gamma.records.guide() };
  const pair = async (one: ReplicatingHouse, other: ReplicatingHouse, globalId: string, minted: string): Promise<string> => {
    const id = randomUUID();
    for (const house of [one, other]) {
      await house.records.query('update guide set global_id = coalesce(global_id, $2), global_id_minted_at = coalesce(global_id_minted_at, $3) where id = $1', [ids[house.code as 'alpha'], globalId, minted]);
      await house.records.query(
        `insert into coupling (id, link_id, guide_id, global_id, state, requested_here, confirmed_here, confirmed_there, since, created_at, updated_at)
         select $1, id, $2, $3, 'ACTIVE', $4, true, true, now(), now(), now() from link where partner_code = $5`,
        [id, ids[house.code as 'alpha'], globalId, house === one, house === one ? other.code : one.code],
      );
      await house.records.query(`select pg_notify('lotse_event', '{"kind":"links"}')`);
    }
    return id;
  };
  const guide: SharedGuide = { ids, couplings: {} };
  // Beta and gamma were coupled later than alpha and gamma; beta keeps the younger id.
  await pair(beta, gamma, `g_${randomUUID()}`, '2026-02-02T00:00:00.000Z');
  const early = await bookAt(gamma, guide, 0, 1);
  const own = await bookAt(beta, guide, 2, 3);
  expect([early, own].map(verificationOf)).toEqual(['VERIFIED', 'VERIFIED']);
  const older = `g_${randomUUID()}`;
  await alpha.records.query(`update guide set global_id = $2, global_id_minted_at = '2026-01-01T00:00:00.000Z', claim_keeper = 'alpha', keeper_epoch = 1 where id = $1`, [ids.alpha, older]);
  await pair(alpha, beta, older, '2026-01-01T00:00:00.000Z');
  await pair(alpha, gamma, older, '2026-01-01T00:00:00.000Z');
  await until(async () => (await keeperAt(beta, guide)) === 'alpha 1' && (await keeperAt(gamma, guide)) === 'alpha 1');
  const rows = await Promise.all([beta, gamma].map((house) => house.records.query('select global_id from guide where id = $1', [ids[house.code as 'beta']])));
  expect(rows).toEqual([[{ global_id: older }], [{ global_id: older }]]);
  await until(async () => (await claimsAt(alpha, guide, at(0))).join() === 'gamma 0-1 VERIFIED,beta 2-3 VERIFIED');
  await until(async () => (await verification(beta, assignmentOf(own))) === 'VERIFIED' && (await verification(gamma, assignmentOf(early))) === 'VERIFIED');
  const { upkeep } = await claimsBeside(cleanup, beta);
  await upkeep.sweep();
  expect(await claimsAt(beta, guide, at(0))).toEqual([]);
});

test('what the keeper holds is compared with its holders: what they deny goes, what is missing comes, what only an older incarnation knew stays', async () => {
  const guide = await shareGuide([alpha, beta]);
  const kept = await bookAt(beta, guide, 0, 1);
  const lost = await bookAt(beta, guide, 2, 3);
  await quiet([alpha, beta]);
  await beta.records.query('update sync_state set incarnation = 2');
  const plant = (incarnation: number, from: number) =>
    alpha.records.query(
      `insert into claim (holder, id, guide_id, incarnation, version, start_at, end_at, state, claimed_at, changed_at) values ('beta', gen_random_uuid(), $1, $2, 1, $3, $4, 'VERIFIED', now(), now())`,
      [guideOf(alpha, guide), incarnation, at(from), at(from + 1)],
    );
  await plant(2, 4);
  await plant(1, 6);
  await alpha.records.query('delete from claim where id = $1', [assignmentOf(lost)]);
  await alpha.records.query('update claim set version = 7, incarnation = 2 where id = $1', [assignmentOf(kept)]);
  const { upkeep } = await claimsBeside(cleanup, alpha);
  await upkeep.compareAll();
  await until(async () => (await claimsAt(alpha, guide, at(0))).join() === 'beta 0-1 VERIFIED,beta 2-3 VERIFIED,beta 6-7 VERIFIED');
  await until(async () => (await beta.records.query('select 1 from guide_assignment where id = $1 and claim_version = 8', [assignmentOf(kept)])).length === 1);
});

describe('a dispute', () => {
  const tokens = new Map<string, string>();
  const dispute = async (house: ReplicatingHouse, guideId: string, operation: 'disputeForeignBooking' | 'withdrawDispute', foreignBookingId: string) => {
    const token = tokens.get(guideId) ?? (await house.records.signedIn('GUIDE', { guideId })).token;
    tokens.set(guideId, token);
    const document = `mutation ($input: ForeignBookingInput!) { ${operation}(input: $input) { __typename ... on ForeignBookingDisputePayload { disputed } ... on NotFoundError { field } } }`;
    return (await house.api.query<Record<string, Record<string, unknown>>>(document, { input: { foreignBookingId } }, token)).data[operation];
  };

  test('lets the guide be booked in that house, is listed at the origin, and can be taken back', async () => {
    const guide = await shareGuide([alpha, beta]);
    const wrong = await bookAt(beta, guide, 0, 2);
    await quiet([alpha, beta]);
    expect((await bookAt(alpha, guide, 1, 3)).__typename).toBe('GuideUnavailableError');
    const id = assignmentOf(wrong);
    expect(await dispute(alpha, guideOf(alpha, guide), 'disputeForeignBooking', id)).toEqual({ __typename: 'ForeignBookingDisputePayload', disputed: true });
    await until(async () => (await verification(beta, id)) === 'CONFLICT');
    await until(async () => (await conflicts(beta, { guideId: guideOf(beta, guide) })).nodes[0]?.disputed === true);
    const { nodes, text } = await conflicts(beta, { guideId: guideOf(beta, guide) });
    expect(nodes).toMatchObject([{ assignment: { id }, overlaps: [], disputed: true }]);
    expect(text).not.toContain('alpha');
    const logged = await beta.records.query('select actor_kind, actor_id, action, after from audit_entry where subject_id = $1 and action like $2', [id, '%disputed']);
    expect(logged).toEqual([{ actor_kind: 'SYSTEM', actor_id: null, action: 'assignment.disputed', after: { guideId: guideOf(beta, guide) } }]);
    expect(await claimsAt(alpha, guide, at(0))).toEqual(['beta 0-2 DISPUTED']);
    expect(verificationOf(await bookAt(alpha, guide, 4, 5))).toBe('VERIFIED');
    await dispute(alpha, guideOf(alpha, guide), 'withdrawDispute', id);
    await until(async () => (await verification(beta, id)) === 'VERIFIED');
    expect((await conflicts(beta, { guideId: guideOf(beta, guide) })).nodes).toEqual([]);
  });

  test('frees the time for others', async () => {
    const guide = await shareGuide([alpha, beta]);
    const wrong = await bookAt(beta, guide, 0, 2);
    await quiet([alpha, beta]);
    await dispute(alpha, guideOf(alpha, guide), 'disputeForeignBooking', assignmentOf(wrong));
    expect(verificationOf(await bookAt(alpha, guide, 1, 3))).toBe('VERIFIED');
    // Taken back too late: the time is another's.
    await dispute(alpha, guideOf(alpha, guide), 'withdrawDispute', assignmentOf(wrong));
    await quiet([alpha, beta]);
    expect(await verification(beta, assignmentOf(wrong))).toBe('CONFLICT');
    expect((await conflicts(alpha, { guideId: guideOf(alpha, guide) })).nodes).toMatchObject([{ overlaps: [{ start: at(1).toISOString(), end: at(2).toISOString() }] }]);
  });

  test('is of the guide’s own foreign bookings alone', async () => {
    const [guide, other] = [await shareGuide([alpha, beta]), await shareGuide([alpha, beta])];
    const booked = await bookAt(beta, guide, 0, 2);
    await quiet([alpha, beta]);
    for (const id of [assignmentOf(booked), randomUUID(), 'none']) {
      expect(await dispute(alpha, guideOf(alpha, other), 'disputeForeignBooking', id)).toEqual({ __typename: 'NotFoundError', field: 'input.foreignBookingId' });
    }
    expect(await claimsAt(alpha, guide, at(0))).toEqual(['beta 0-2 VERIFIED']);
  });
});
