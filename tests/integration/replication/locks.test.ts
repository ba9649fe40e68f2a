import { Cleanup } from '../../testkit/cleanup.js';
import { Session } from '../../testkit/session.js';
import { until } from '../../testkit/until.js';
import { at } from '../instance/support/house.js';
import { converged, coupleGuide, openPair, type CoupledGuide, type Pair } from './support/houses.js';

/*
 * The written order of locks: guides by id, what belongs to them, links and what waits for partners. One transaction is held by the test
 * where it is on its way; whatever comes in between waits for it, and never the other way round.
 */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let pair: Pair;
let guide: CoupledGuide;
let guideId: string;
beforeAll(async () => {
  // No sign of life moves what the tests hold.
  pair = await openPair(cleanup, { beta: { SYNC_HEARTBEAT_MS: '60000' } });
  guide = await coupleGuide(pair.alpha, pair.beta);
  guideId = guide.ids['beta'] ?? '';
});

const book = (offerId: string, hour: number) => pair.beta.run('createBooking', { offerId, time: { start: at(hour).toISOString() }, customer: { name: 'Ada' }, guideIds: [guideId] });

test('an offer is renamed while one of its guides is being booked for it', async () => {
  const offerId = await pair.beta.records.offer({ title: 'Night Tour' });
  await book(offerId, 2);
  const booking = await Session.begin(pair.beta.instance.database);
  await booking.run('select 1 from guide where id = $1 for no key update', [guideId]);
  const renamed = pair.beta.api.query<{ updateOffer: { offer?: { title: string } } }>(
    'mutation ($input: UpdateOfferInput!) { updateOffer(input: $input) { __typename ... on OfferPayload { offer { title } } } }',
    { input: { offerId, expectedVersion: 1, title: 'Dawn Tour' } },
    await pair.beta.staff(),
  );
  await booking.isWaitedFor();
  // What the foreign key of a new booking takes.
  await booking.run('select 1 from offer where id = $1 for key share', [offerId]).finally(() => booking.end());
  expect((await renamed).data.updateOffer.offer?.title).toBe('Dawn Tour');
  expect((await converged(pair.beta, pair.alpha, guide)).map((copy) => copy.offer_title)).toContain('Dawn Tour');
});

test('a batch is numbered once, whoever else thinks that it is his turn', async () => {
  const offerId = await pair.beta.records.offer({ title: 'Day Tour' });
  await converged(pair.beta, pair.alpha, guide);
  const [before] = await pair.beta.records.query<{ incarnation: number }>('select incarnation from sync_state');
  const other = await Session.begin(pair.beta.instance.database);
  await other.run(`update sync_peer set sent_number = sent_number + 1, sent_id = gen_random_uuid()`);
  const [numbered] = await other.run<{ sent_id: string }>('select sent_id from sync_peer');
  await book(offerId, 4);
  await other.isWaitedFor();
  await other.end();
  // The one that was numbered first is the one that is sent: under the same id.
  await converged(pair.beta, pair.alpha, guide, 30_000);
  const [received] = await pair.alpha.records.query<{ received_id: string }>('select received_id from sync_peer');
  const [after] = await pair.beta.records.query<{ incarnation: number }>('select incarnation from sync_state');
  expect([received?.received_id, after]).toEqual([numbered?.sent_id, before]);
});

test('a link is ended while one of its guides is being changed, of whom something waits already', async () => {
  const change = `select outbox_put(link_id, id, 'PROFILE', id) from coupling where id = $1`;
  await pair.alpha.stop();
  await pair.beta.records.query(change, [guide.couplingId]);
  const changing = await Session.begin(pair.beta.instance.database);
  await changing.run('select 1 from guide where id = $1 for no key update', [guideId]);
  const ended = pair.beta.operator.call('links/end', { partner: 'alpha' });
  await changing.isWaitedFor();
  await changing.run(change, [guide.couplingId]).finally(() => changing.end());
  await ended;
  await until(async () => (await pair.beta.records.query('select 1 from outbox')).length === 0);
  await pair.alpha.start();
});
