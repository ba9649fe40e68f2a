import { randomUUID } from 'node:crypto';
import { ask, fail, readDescription, signIn } from './client.js';
import { sampleAccount } from './tour.js';

interface Outcome {
  __typename: string;
  message?: string;
  booking?: { id: string; start: string; offer: { title: string } };
}

const MUTATION = `mutation ($input: CreateBookingInput!) { createBooking(input: $input) {
  __typename
  ... on BookingPayload { booking { id start offer { title } } }
  ... on UserError { message } } }`;

/** Early hours of the coming days, before any house opens: the guide is mostly free then. */
function* slots(): Generator<string> {
  for (let day = 1; day <= 14; day += 1) {
    const date = new Date(Date.now() + day * 86_400_000).toISOString().slice(0, 10);
    for (const hour of ['05:00', '06:30']) yield `${date}T${hour}`;
  }
}

/**
 * `node dist/scripts/demo/book.js [house]`: staff of the guide's house book him, or those of another house he is coupled in; watch.js
 * shows it at once.
 */
async function book(house: string | undefined): Promise<void> {
  const demo = await readDescription();
  const sample = sampleAccount(demo.accounts);
  const guide = demo.accounts.find(({ email, role, instance }) => role === 'GUIDE' && email === sample.email && instance === (house ?? sample.instance));
  if (guide === undefined) throw new Error(`${sample.email} is no guide of ${house}.`);
  const staff = demo.accounts.find(({ instance, role }) => instance === guide.instance && role === 'STAFF');
  if (staff === undefined) throw new Error(`${guide.instance} has no staff`);
  const token = await signIn(demo, staff);
  const { offers } = await ask<{ offers: { edges: { node: { id: string } }[] } }>(demo, '{ offers(first: 1) { edges { node { id } } } }', {}, token);
  for (const localStart of slots()) {
    const input = {
      idempotencyKey: randomUUID(),
      offerId: offers.edges[0]?.node.id,
      guideIds: [guide.guideId],
      time: { localStart },
      customer: { name: 'Ines Beispiel', email: 'ines.beispiel@example.org' },
      partySize: 4,
    };
    const { createBooking } = await ask<{ createBooking: Outcome }>(demo, MUTATION, { input }, token);
    if (createBooking.__typename === 'GuideUnavailableError') continue;
    if (createBooking.booking === undefined) throw new Error(createBooking.message);
    const { id, start, offer } = createBooking.booking;
    console.log(`${staff.email} booked ${guide.email} for "${offer.title}" at ${start} (booking ${id}).`);
    return;
  }
  throw new Error('The guide is taken in all these hours.');
}

await book(process.argv[2]).catch(fail);
