import { Cleanup } from '../../testkit/cleanup.js';
import { client, type GraphqlClient } from '../../testkit/client.js';
import { createInstance, startInstanceProcess, type TestInstance } from '../../testkit/instance.js';
import { Records } from '../../testkit/records.js';
import { change } from './support/booking-api.js';
import { answer, type RequestOutcome, soon } from './support/request-api.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let instance: TestInstance;
let records: Records;
let servers: GraphqlClient[];
let staff: string;
let offerId: string;
let asked: { guideId: string; token: string }[];

const GUIDES = 24;

beforeAll(async () => {
  instance = cleanup.own(await createInstance({ code: 'eager' }), (made) => made.drop());
  records = cleanup.own(await Records.open(instance), (opened) => opened.close());
  const start = async (): Promise<GraphqlClient> => client(cleanup.own(await startInstanceProcess(instance), (server) => server.stop()).url);
  servers = await Promise.all([start(), start()]);
  staff = (await records.signedIn('STAFF')).token;
  offerId = await records.offer();
  asked = [];
  for (let index = 0; index < GUIDES; index += 1) {
    const guideId = await records.guide();
    asked.push({ guideId, token: (await records.signedIn('GUIDE', { guideId })).token });
  }
});

const server = (index: number): GraphqlClient => servers[index % servers.length] as GraphqlClient;
const names = (outcomes: { __typename: string }[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(outcomes, ({ __typename }) => __typename)].map(([kind, those]) => [kind, those.length]));

async function ask(demand: number, hour: number): Promise<{ bookingId: string; requestIds: string[] }> {
  const { id: bookingId } = await records.booking(offerId, soon(hour), { guideDemand: demand });
  const { requests } = await answer(server(0), staff, 'requestGuides', { bookingId, expectedVersion: 1, guideIds: asked.map(({ guideId }) => guideId), deadline: soon(0).toISOString() });
  return { bookingId, requestIds: (requests ?? []).map(({ id }) => id) };
}

const rows = (bookingId: string) =>
  records.query<{ guide_id: string; state: string; assigned: boolean }>(
    `select r.guide_id, r.state, exists (select 1 from guide_assignment a where a.booking_id = r.booking_id and a.guide_id = r.guide_id and a.ended_at is null) as assigned
     from guide_request r where r.booking_id = $1`,
    [bookingId],
  );

test.each([
  ['one', 1],
  ['three', 3],
])('of 24 guides who accept at the same instant at two servers, a booking that needs %s takes exactly as many', async (_word, demand) => {
  const { bookingId, requestIds } = await ask(demand, 24 * demand);
  const outcomes = await Promise.all(asked.map(({ token }, index) => answer(server(index), token, 'acceptGuideRequest', { requestId: requestIds[index] })));
  expect(names(outcomes)).toEqual({ GuideRequestPayload: demand, GuideRequestClosedError: GUIDES - demand });
  for (const outcome of outcomes.filter(({ request }) => !request)) expect(outcome).toMatchObject({ closed: 'WITHDRAWN', withdrawal: 'FILLED' });
  const found = await rows(bookingId);
  const winners = asked.filter((_, index) => outcomes[index]?.request).map(({ guideId }) => guideId);
  expect(found.filter(({ assigned }) => assigned).map(({ guide_id }) => guide_id).toSorted()).toEqual(winners.toSorted());
  expect(names(found.map(({ state }) => ({ __typename: state })))).toEqual({ ACCEPTED: demand, WITHDRAWN: GUIDES - demand });
  expect(await records.query('select version from booking where id = $1', [bookingId])).toEqual([{ version: 1 + demand }]);
});

test('guides who accept two requests for the same time at once get one of them', async () => {
  const [one, other] = [await ask(GUIDES, 200), await ask(GUIDES, 200)];
  const outcomes = await Promise.all(
    asked.flatMap(({ token }, index) => [one, other].map(({ requestIds }, which) => answer(server(index + which), token, 'acceptGuideRequest', { requestId: requestIds[index] }))),
  );
  expect(names(outcomes)).toEqual({ GuideRequestPayload: GUIDES, GuideUnavailableError: GUIDES });
  expect([...(await rows(one.bookingId)), ...(await rows(other.bookingId))].filter(({ assigned }) => assigned)).toHaveLength(GUIDES);
});

test('acceptances, refusals, withdrawals, swaps and moves at once leave no booking with too many, and no acceptance without its assignment', async () => {
  for (let round = 0; round < 4; round += 1) {
    const { bookingId, requestIds } = await ask(2, 300 + 10 * round);
    const outcomes = await Promise.all(
      asked.map(async ({ token, guideId }, index): Promise<RequestOutcome> => {
        const requestId = requestIds[index];
        if (index % 6 === 1) return answer(server(index), token, 'declineGuideRequest', { requestId });
        if (index % 6 === 2) return answer(server(index), staff, 'withdrawGuideRequest', { requestId });
        if (index % 12 === 3) return (await change(server(index), staff, 'assignGuide', { bookingId, guideId, expectedVersion: 1 + (index % 2) })) as unknown as RequestOutcome;
        if (index === 22 && round % 2) return (await change(server(index), staff, 'rebookBooking', { bookingId, expectedVersion: 2, time: { start: soon(301 + 10 * round).toISOString() } })) as unknown as RequestOutcome;
        return answer(server(index), token, 'acceptGuideRequest', { requestId });
      }),
    );
    const kinds = new Set(outcomes.map(({ __typename }) => __typename));
    for (const kind of ['GuideRequestPayload', 'GuideRequestClosedError', 'BookingPayload', 'StaleVersionError']) kinds.delete(kind);
    expect([...kinds]).toEqual([]);
    const found = await rows(bookingId);
    const accepted = found.filter(({ state }) => state === 'ACCEPTED');
    expect(accepted.filter(({ assigned }) => !assigned)).toEqual([]);
    // By hand staff may go beyond the demand, by requests nobody does.
    const byHand = outcomes.filter((outcome) => outcome.__typename === 'BookingPayload').length;
    expect(accepted.length).toBeLessThanOrEqual(2);
    expect(found.filter(({ assigned }) => assigned).length).toBeLessThanOrEqual(2 + byHand);
    const living = found.filter(({ assigned }) => assigned).length;
    expect(found.filter(({ state }) => state === 'OPEN' && living >= 2)).toEqual([]);
  }
});
