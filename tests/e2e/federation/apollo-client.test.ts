import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { projectRoot } from '../../../instance-server/platform/project-root.js';
import { type Federation, startFederation } from '../../testkit/federation.js';
import { PASSWORD } from '../../testkit/records.js';

/* What a front end does, with the client that front ends use: from the log-in to a live change. */

let federation: Federation;
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  federation = await startFederation();
});
afterAll(async () => {
  for (const close of closing) await close();
  await federation?.close();
});

const operation = (name: string) => gql(readFileSync(join(projectRoot, 'schema', 'operations', `${name}.graphql`), 'utf8'));

/** Queries and mutations over HTTP, subscriptions over WebSocket, as its documentation sets it up. */
function apolloClient(token?: string): ApolloClient {
  const { url } = federation.gateway;
  const uri = `${url}/graphql`;
  const http = new HttpLink({ uri, headers: token ? { authorization: `Bearer ${token}` } : {} });
  const socket = createClient({
    url: uri.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: async () => ({ authorization: `Bearer ${token}` }),
  });
  const isSubscription = ({ query }: { query: Parameters<typeof getMainDefinition>[0] }): boolean => {
    const definition = getMainDefinition(query);
    return definition.kind === 'OperationDefinition' && definition.operation === 'subscription';
  };
  const client = new ApolloClient({ cache: new InMemoryCache(), link: ApolloLink.split(isSubscription, new GraphQLWsLink(socket), http) });
  closing.push(() => socket.dispose());
  closing.push(() => client.stop());
  return client;
}

interface LoggedIn {
  login: { accessToken: string; viewer: { guide: { id: string } | null } };
}

async function signedIn(email: string, role: string): Promise<{ client: ApolloClient; guideId: string }> {
  const { data } = await apolloClient().mutate<LoggedIn>({ mutation: operation('login'), variables: { input: { instance: 'alpha', email, password: PASSWORD, role } } });
  return { client: apolloClient(data?.login.accessToken), guideId: data?.login.viewer.guide?.id ?? '' };
}

interface Entry {
  origin: string;
  instance: { code: string };
  details: { customer: { name: string } } | null;
}

test('a guide logs in, reads the calendar of all houses and sees a booking of staff as it is made', async () => {
  const { alpha } = federation;
  const greta = await signedIn(alpha.guide('greta').account.email, 'GUIDE');
  const staff = await signedIn(alpha.staff.email, 'STAFF');
  expect(greta.guideId).toBe(alpha.guide('greta').id);

  const changes: unknown[] = [];
  const { promise: first, resolve } = Promise.withResolvers<unknown>();
  const following = greta.client.subscribe({ query: operation('calendar-changed'), variables: { guideId: greta.guideId } }).subscribe({
    next: ({ data }) => {
      changes.push(data);
      resolve(data);
    },
  });
  const range = { start: '2031-01-01T00:00:00.000Z', end: '2031-12-31T00:00:00.000Z' };
  const { data } = await greta.client.query<{ guide: { calendar: Entry[] } }>({ query: operation('guide-calendar'), variables: { id: greta.guideId, range } });
  const entries = data?.guide.calendar ?? [];
  expect(Object.keys(Object.groupBy(entries, ({ instance }) => instance.code)).sort()).toEqual(['alpha', 'beta', 'gamma']);
  expect(entries.every(({ origin, instance, details }) => (origin === 'LOCAL') === (instance.code === 'alpha') && (origin === 'LOCAL') === (details !== null))).toBe(true);

  // Booked again and again until the subscription, which nothing announces as open, has told of one.
  const book = (hour: number) =>
    staff.client.mutate({
      mutation: operation('create-booking'),
      variables: { input: { idempotencyKey: randomUUID(), offerId: alpha.offers[0]?.id, time: { localStart: `2033-03-0${hour}T10:00` }, customer: { name: 'Live Group' }, guideIds: [greta.guideId] } },
    });
  let seen: unknown;
  for (let day = 1; day < 9 && seen === undefined; day += 1) {
    const { data: booked } = await book(day);
    expect(booked).toMatchObject({ createBooking: { __typename: 'BookingPayload' } });
    seen = await Promise.race([first, new Promise((later) => setTimeout(later, 500, undefined))]);
  }
  following.unsubscribe();
  expect(seen).toMatchObject({ calendarChanged: { kind: 'CREATED', entry: { origin: 'LOCAL', instance: { code: 'alpha' }, details: { customer: { name: 'Live Group' } } } } });
  expect(changes.length).toBeGreaterThan(0);
});
