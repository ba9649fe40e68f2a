import { Cleanup } from '../../testkit/cleanup.js';
import { requestStatements } from '../../testkit/statements.js';
import { OperatorClient } from '../../../scripts/operator/client.js';
import { operatorKey } from '../../testkit/keys.js';
import { bookingOf, change } from './support/booking-api.js';
import { at, type House, newKey, openHouse } from './support/house.js';
import { PartnerCopies } from './support/partner-copies.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
let offerId: string;
beforeAll(async () => {
  house = await openHouse(cleanup, { name: 'City Museum' });
  staff = (await house.records.signedIn('STAFF')).token;
  offerId = await house.records.offer({ title: 'Night Tour' });
});

const range = (from: number, to: number) => ({ start: at(from).toISOString(), end: at(to).toISOString() });

interface Block {
  id: string;
  start: string;
  end: string;
  note: string | null;
  version: number;
  guide: { id: string };
}
type Outcome = { __typename: string; block?: Block; endedBlockId?: string } & Record<string, unknown>;
const INPUTS = { createGuideBlock: 'CreateGuideBlockInput', updateGuideBlock: 'UpdateGuideBlockInput', endGuideBlock: 'EndGuideBlockInput' } as const;

async function run(mutation: keyof typeof INPUTS, given: Record<string, unknown>, token = staff): Promise<Outcome> {
  const members = [
    mutation === 'endGuideBlock' ? '... on EndGuideBlockPayload { endedBlockId }' : '... on GuideBlockPayload { block { id start end note version guide { id } } } ... on GuideUnavailableError { guideId start end }',
    ...(mutation === 'createGuideBlock' ? [] : ['... on StaleVersionError { currentVersion }']),
    '... on NotFoundError { field } ... on InvalidInputError { field reason }',
  ];
  const document = `mutation ($input: ${INPUTS[mutation]}!) { ${mutation}(input: $input) { __typename ${members.join(' ')} } }`;
  const { data, text } = await house.api.query<Record<string, Outcome>>(document, { input: { idempotencyKey: newKey(), ...given } }, token);
  const outcome = data?.[mutation];
  if (!outcome) throw new Error(text);
  return outcome;
}

async function block(guideId: string, from: number, to: number, note: string | null = null): Promise<Block> {
  const { block: made } = await run('createGuideBlock', { guideId, range: range(from, to), note });
  if (!made) throw new Error('no block');
  return made;
}

const CALENDAR = `query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { calendar(range: $range) { id start end kind origin offerTitle details { bookingId customer { name } partySize language notes } } } }`;
async function calendar(guideId: string, token = staff) {
  const { data } = await house.api.query<{ guide: { calendar: Record<string, unknown>[] } }>(CALENDAR, { id: guideId, range: range(-24, 48) }, token);
  return data.guide.calendar;
}

test('a block stands in the calendar of staff and of the guide, with its note, and can be changed and ended', async () => {
  const guideId = await house.records.guide();
  const guide = await house.records.signedIn('GUIDE', { guideId });
  const made = await block(guideId, 0, 8, '  Inventory ');
  expect(made).toEqual({ id: expect.any(String), ...range(0, 8), note: 'Inventory', version: 1, guide: { id: guideId } });
  const entry = (from: number, to: number, notes: string | null) => ({
    id: made.id,
    ...range(from, to),
    kind: 'BLOCK',
    origin: 'LOCAL',
    offerTitle: 'Blocked',
    details: { bookingId: null, customer: null, partySize: null, language: null, notes },
  });
  for (const token of [staff, guide.token]) expect(await calendar(guideId, token)).toEqual([entry(0, 8, 'Inventory')]);

  const { block: moved } = await run('updateGuideBlock', { blockId: made.id, expectedVersion: 1, range: range(2, 10) });
  expect(moved).toEqual({ ...made, ...range(2, 10), version: 2 });
  const { block: noted } = await run('updateGuideBlock', { blockId: made.id, expectedVersion: 2, note: 'Other' });
  expect(noted).toEqual({ ...made, ...range(2, 10), note: 'Other', version: 3 });
  const { block: both } = await run('updateGuideBlock', { blockId: made.id, expectedVersion: 3, range: range(3, 4), note: '' });
  expect(both).toEqual({ ...made, ...range(3, 4), note: null, version: 4 });
  expect(await calendar(guideId, guide.token)).toEqual([entry(3, 4, null)]);

  expect(await run('endGuideBlock', { blockId: made.id, expectedVersion: 4 })).toEqual({ __typename: 'EndGuideBlockPayload', endedBlockId: made.id });
  expect(await calendar(guideId)).toEqual([]);
  expect(await run('endGuideBlock', { blockId: made.id, expectedVersion: 5 })).toEqual({ __typename: 'NotFoundError', field: 'input.blockId' });
  const log = await house.records.query<{ action: string; before: unknown; after: unknown }>(`select action, before, after from audit_entry where subject_id = $1 order by at, action`, [made.id]);
  expect(log.map(({ action }) => action).toSorted()).toEqual(['assignment.created', 'assignment.ended', 'assignment.moved', 'assignment.moved']);
  expect(JSON.stringify(log)).not.toMatch(/Inventory|Other/u);
});

test('nobody is booked while he is blocked, nor blocked while he is booked, whichever comes first', async () => {
  const guideId = await house.records.guide();
  const made = await block(guideId, 0, 4);
  const unavailable = (from: number, to: number) => ({ __typename: 'GuideUnavailableError', guideId, ...range(from, to) });
  const booked = await change(house.api, staff, 'createBooking', { offerId, time: range(3, 5), customer: { name: 'Ada' }, guideIds: [guideId] });
  expect(booked).toMatchObject(unavailable(3, 5));
  bookingOf(await change(house.api, staff, 'createBooking', { offerId, time: range(4, 5), customer: { name: 'Ada' }, guideIds: [guideId] }));
  expect(await run('createGuideBlock', { guideId, range: range(4.5, 6) })).toEqual(unavailable(4.5, 6));
  expect(await run('updateGuideBlock', { blockId: made.id, expectedVersion: 1, range: range(3, 4.5), note: 'lost' })).toEqual(unavailable(3, 4.5));
  expect((await house.records.query('select block_note, version from guide_assignment where id = $1', [made.id]))).toEqual([{ block_note: null, version: 1 }]);
  // Several at once: one of them gets the time.
  const outcomes = await Promise.all(Array.from({ length: 6 }, () => run('createGuideBlock', { guideId, range: range(10, 12) })));
  expect(outcomes.map(({ __typename }) => __typename).toSorted()).toEqual(['GuideBlockPayload', ...Array.from({ length: 5 }, () => 'GuideUnavailableError')].toSorted());
});

test('a repetition does nothing again; a stale version, an empty range and a long note change nothing', async () => {
  const guideId = await house.records.guide();
  const input = { idempotencyKey: newKey(), guideId, range: range(0, 1), note: 'n' };
  const first = await run('createGuideBlock', input);
  expect(await run('createGuideBlock', input)).toEqual(first);
  expect(await run('createGuideBlock', { ...input, note: 'm' })).toEqual({ __typename: 'IdempotencyKeyReusedError' });
  const blockId = first.block?.id;
  const move = { idempotencyKey: newKey(), blockId, expectedVersion: 1, range: range(5, 6) };
  const moved = await run('updateGuideBlock', move);
  expect(await run('updateGuideBlock', move)).toEqual(moved);
  expect(await run('updateGuideBlock', { blockId, expectedVersion: 1, note: 'x' })).toEqual({ __typename: 'StaleVersionError', currentVersion: 2 });
  expect(await run('endGuideBlock', { blockId, expectedVersion: 1 })).toEqual({ __typename: 'StaleVersionError', currentVersion: 2 });
  expect(await run('createGuideBlock', { guideId, range: range(8, 8) })).toEqual({ __typename: 'InvalidInputError', field: 'input.range.end', reason: 'END_BEFORE_START' });
  expect(await run('updateGuideBlock', { blockId, expectedVersion: 2, note: 'x'.repeat(1_001) })).toEqual({ __typename: 'InvalidInputError', field: 'input.note', reason: 'TOO_LONG' });
  expect(await calendar(guideId)).toHaveLength(1);
  const end = { idempotencyKey: newKey(), blockId, expectedVersion: 2 };
  expect(await run('endGuideBlock', end)).toEqual(await run('endGuideBlock', end));
});

test('what is no block, or nobody, is not found by the same statements; guides change none', async () => {
  const guideId = await house.records.guide();
  const guide = await house.records.signedIn('GUIDE', { guideId });
  const { assignmentIds } = await house.records.booking(offerId, at(0), { guideIds: [guideId] });
  const costs: unknown[] = [];
  for (const blockId of [assignmentIds[0], newKey()]) {
    const statements = await requestStatements(async () => expect(await run('endGuideBlock', { blockId, expectedVersion: 1 })).toEqual({ __typename: 'NotFoundError', field: 'input.blockId' }));
    costs.push(statements.map(({ text }) => text));
  }
  expect(costs[1]).toEqual(costs[0]);
  for (const id of [newKey(), 'no-uuid', await house.records.guide({ active: false })]) {
    expect(await run('createGuideBlock', { guideId: id, range: range(0, 1) })).toEqual({ __typename: 'NotFoundError', field: 'input.guideId' });
  }
  await expect(run('createGuideBlock', { guideId, range: range(5, 6) }, guide.token)).rejects.toThrow('FORBIDDEN');
  const made = await block(guideId, 8, 9);
  expect(await change(house.api, staff, 'resetAssignment', { assignmentId: made.id, expectedVersion: 1 })).toMatchObject({ __typename: 'NotFoundError' });
});

test('staff list blocks by guide, with what they need to change them, by the same statements for one guide and for ten', async () => {
  const crowd = await openHouse(cleanup, { code: 'crowd' });
  const token = (await crowd.records.signedIn('STAFF')).token;
  const PAGE = `query ($range: TimeRangeInput!) { guides { edges { node { id blocks(range: $range) { id start note version guide { id } } } } } }`;
  const add = async (): Promise<void> => {
    const id = await crowd.records.guide();
    for (const hour of [3, 0]) {
      await crowd.records.query(`insert into guide_assignment (id, guide_id, start_at, end_at, kind, block_note) values (gen_random_uuid(), $1, $2, $3, 'BLOCK', $4)`, [id, at(hour), at(hour + 1), `at ${hour}`]);
    }
  };
  const count = async (guides: number): Promise<number> => {
    const statements = await requestStatements(async () => {
      const { data, errors } = await crowd.api.query<{ guides: { edges: { node: { id: string; blocks: Block[] } }[] } }>(PAGE, { range: range(1, 9) }, token);
      expect(errors).toBeUndefined();
      expect(data.guides.edges.map(({ node }) => node.blocks.map(({ note, guide }) => [note, guide.id === node.id]))).toEqual(Array.from({ length: guides }, () => [['at 3', true]]));
    });
    return statements.length;
  };
  await add();
  await count(1);
  const forOne = await count(1);
  for (let made = 1; made < 10; made += 1) await add();
  expect(await count(10)).toBe(forOne);
});

test('linked houses hear of a block like of a booking, under the title the operator has set, and never of its note', async () => {
  const copies = new PartnerCopies(house);
  const beta = await copies.partner('beta');
  const guideId = await house.records.guide();
  const couplingId = await copies.coupling(beta, guideId);
  const made = await block(guideId, 0, 1, 'A secret reason');
  const leaving = () => house.records.query(`select id, offer_title, kind, version, ended, p::text as row from partner_assignment p where coupling_id = $1`, [couplingId]);
  const waiting = async () => (await house.records.query(`select 1 from outbox where coupling_id = $1 and record_id = $2`, [couplingId, made.id])).length;
  expect(await leaving()).toEqual([{ id: made.id, offer_title: 'Blocked', kind: 'BLOCK', version: 1, ended: false, row: expect.not.stringContaining('secret') }]);
  expect(await waiting()).toBe(1);

  await house.records.query('delete from outbox where record_id = $1', [made.id]);
  const operator = new OperatorClient(house.server.url, operatorKey);
  expect(await operator.changeSettings({ blockTitle: 'Nicht verfügbar' })).toMatchObject({ blockTitle: 'Nicht verfügbar' });
  expect(await leaving()).toMatchObject([{ offer_title: 'Nicht verfügbar', version: 2 }]);
  expect(await waiting()).toBe(1);
  expect(await calendar(guideId)).toMatchObject([{ offerTitle: 'Nicht verfügbar' }]);
  const settings = await house.api.query<{ instanceSettings: unknown }>('{ instanceSettings { blockTitle } }', {}, staff);
  expect(settings.data).toEqual({ instanceSettings: { blockTitle: 'Nicht verfügbar' } });
  await expect(operator.changeSettings({ blockTitle: ' ' })).rejects.toMatchObject({ code: 'INVALID_INPUT' });

  await run('endGuideBlock', { blockId: made.id, expectedVersion: 2 });
  expect(await leaving()).toMatchObject([{ offer_title: null, ended: true, version: 3 }]);
});
