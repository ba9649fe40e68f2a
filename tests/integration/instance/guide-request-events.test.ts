import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requestMails } from '../../../instance-server/modules/staffing/index.js';
import { InstanceSecret } from '../../../instance-server/platform/crypto.js';
import { Database } from '../../../instance-server/platform/database/database.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { wsClient } from '../../testkit/socket.js';
import { until } from '../../testkit/until.js';
import { type House, openHouse } from './support/house.js';
import { answer, type RequestView, soon } from './support/request-api.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
let mails: string;
beforeAll(async () => {
  mails = cleanup.own(await mkdtemp(join(tmpdir(), 'lotse-mails-')), (folder) => rm(folder, { recursive: true }));
  house = await openHouse(cleanup, { env: { MAIL_DIRECTORY: mails } });
  staff = (await house.records.signedIn('STAFF')).token;
});

interface Asked {
  guideId: string;
  token: string;
  email: string;
}

async function guide(): Promise<Asked> {
  const guideId = await house.records.guide();
  const { token, email } = await house.records.signedIn('GUIDE', { guideId });
  return { guideId, token, email };
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

test('a guide who is asked gets a mail with the tour and the deadline, in the house’s language and zone, and nothing of a customer', async () => {
  const anna = await guide();
  const [request] = await asked([anna]);
  const read = async () => Promise.all((await readdir(mails)).map((file) => readFile(join(mails, file), 'utf8')));
  await until(async () => (await read()).some((mail) => mail.includes(`To: ${anna.email}`) && mail.includes('https://')), 10_000);

  const secret = new InstanceSecret(house.instance.secret);
  const database = cleanup.own(await Database.open({ url: house.instance.databaseUrl, secret, poolSize: 1, statementTimeoutMs: 5_000 }), (opened) => opened.close());
  const castle = { name: 'Castle', url: 'https://castle.example', locale: 'de-DE', timeZone: 'Europe/Berlin' };
  const told = () => requestMails(database.app.sql, request?.id ?? '', castle, new Date());
  const [row] = await house.records.query<{ title: string; customer: string; start: string; until: string }>(
    `select o.title, c.name as customer, to_char(r.start_at at time zone 'Europe/Berlin', 'HH24:MI') as start, to_char(r.deadline at time zone 'Europe/Berlin', 'FMDD. ') as until
     from guide_request r join offer o on o.id = r.offer_id join booking b on b.id = r.booking_id join customer c on c.id = b.customer_id where r.id = $1`,
    [request?.id],
  );
  const [mail, ...others] = await told();
  expect(others).toEqual([]);
  expect(mail).toMatchObject({ to: anna.email, subject: 'Castle: can you lead a tour?' });
  for (const text of [row?.title, row?.start, row?.until, castle.url]) expect(mail?.text).toContain(text);
  expect(mail?.text).not.toContain(row?.customer);
  await answer(house.api, anna.token, 'declineGuideRequest', { requestId: request?.id });
  expect(await told()).toEqual([]);
});
