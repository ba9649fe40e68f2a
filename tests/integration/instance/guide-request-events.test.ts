import { Cleanup } from '../../testkit/cleanup.js';
import { wsClient } from '../../testkit/socket.js';
import { type House, openHouse } from './support/house.js';
import { answer, type RequestView, soon } from './support/request-api.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
beforeAll(async () => {
  house = await openHouse(cleanup);
  staff = (await house.records.signedIn('STAFF')).token;
});

interface Asked {
  guideId: string;
  token: string;
}

async function guide(): Promise<Asked> {
  const guideId = await house.records.guide();
  return { guideId, token: (await house.records.signedIn('GUIDE', { guideId })).token };
}

/** A booking for one guide, and these asked for it; the requests in their order. */
async function asked(those: readonly Asked[]): Promise<RequestView[]> {
  const booking = await house.records.booking(await house.records.offer(), soon(9), { end: soon(12), guideDemand: 1 });
  const input = { bookingId: booking.id, expectedVersion: 1, guideIds: those.map(({ guideId }) => guideId), deadline: soon(0).toISOString() };
  return (await answer(house.api, staff, 'requestGuides', input)).requests ?? [];
}

test('a request is told of at once to the guide himself and to staff, when it is made and when it is closed, and to nobody else', async () => {
  const [anna, bea] = [await guide(), await guide()];
  const FOLLOW = 'subscription ($guideId: ID!) { guideRequestsChanged(guideId: $guideId) { requestId } }';
  const follow = (token: string, guideId: string) =>
    cleanup.own(wsClient(house.server.url, () => token), (opened) => opened.dispose()).subscribe<{ guideRequestsChanged: { requestId: string | null } }>(FOLLOW, { guideId });
  const followers = [follow(anna.token, anna.guideId), follow(staff, anna.guideId)];
  const stranger = follow(bea.token, anna.guideId);
  const heard = async (subscription: (typeof followers)[0]) => (await subscription.waitForMessage()).guideRequestsChanged.requestId;
  expect(await Promise.all(followers.map(heard))).toEqual([null, null]);
  expect((await stranger.messages.waitFor()).errors?.[0]?.extensions).toEqual({ code: 'NOT_FOUND', field: 'guideId' });
  await asked([bea]);
  const requests = await asked([anna, bea]);
  expect(await Promise.all(followers.map(heard))).toEqual([requests[0]?.id, requests[0]?.id]);
  // Bea is first, so that Anna’s is withdrawn by itself.
  await answer(house.api, bea.token, 'acceptGuideRequest', { requestId: requests[1]?.id });
  expect(await Promise.all(followers.map(heard))).toEqual([requests[0]?.id, requests[0]?.id]);
});
