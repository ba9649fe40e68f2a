import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import { client } from '../../testkit/client.js';
import { at, type Federation, type House, RANGE, startFederation, until } from '../../testkit/federation.js';
import { gatewayCredential, testKey } from '../../testkit/keys.js';
import { wsClient, type WsSubscription, type WsTestClient } from '../../testkit/socket.js';
import { forgedTokens, viewer } from './support/viewers.js';

/* The paths beside ordinary questions: subscriptions, the gateway's own endpoint, grants, records that two people share. */

let federation: Federation;
const clients: WsTestClient[] = [];
beforeAll(async () => {
  federation = await startFederation();
});
afterAll(async () => {
  await Promise.all(clients.map((opened) => opened.dispose()));
  await federation?.close();
});

const CHANGES = `subscription ($guideId: ID!) { calendarChanged(guideId: $guideId) { kind entryId entry { id start origin offerTitle instance { code } details { bookingId customer { name email phone } notes } } } }`;
const BOOK = `mutation ($input: CreateBookingInput!) { createBooking(input: $input) { ... on BookingPayload { booking { id assignments { id } } } } }`;

type Changes = WsSubscription<{ calendarChanged: unknown }>;

function follow(url: string, guideId: string, token: string | undefined): Changes {
  const opened = wsClient(url, () => token, { retryAttempts: 0 });
  clients.push(opened);
  return opened.subscribe<{ calendarChanged: unknown }>(CHANGES, { guideId });
}

/** Books through the API; gives the change that who follows this guide in this house is to get. */
async function book(house: House, guide: string, hour: number): Promise<unknown> {
  const customer = { name: house.canaries.plant(house.code, 'live customer'), email: house.canaries.email(house.code, 'live email'), phone: house.canaries.phone(house.code, 'live phone') };
  const notes = house.canaries.plant(house.code, 'live notes');
  const input = { idempotencyKey: randomUUID(), offerId: house.offers[0]?.id, customer, notes, guideIds: [house.guide(guide).id], time: { start: at(hour).toISOString() } };
  const { data } = await client(house.url).query<{ createBooking: { booking: { id: string; assignments: { id: string }[] } } }>(BOOK, { input }, await house.staffToken());
  const { id, assignments } = data.createBooking.booking;
  const entryId = assignments[0]?.id;
  return { kind: 'CREATED', entryId, entry: { id: entryId, start: at(hour).toISOString(), origin: 'LOCAL', offerTitle: house.offers[0]?.title, instance: { code: house.code }, details: { bookingId: id, customer, notes } } };
}

describe('subscriptions', () => {
  /* Whose changes a viewer gets for an id: alpha’s or beta’s Greta, alpha’s solo, or nobody’s. */
  const TABLE = `
                | Greta’s id at alpha | Greta’s global id | Greta’s id at beta | solo’s id at alpha | Greta’s e-mail
    greta@alpha | greta@alpha         | greta@alpha       | -                  | -                  | -
    gwen@alpha  | -                   | -                 | -                  | -                  | -
    solo@alpha  | -                   | -                 | -                  | solo@alpha         | -
    staff@alpha | greta@alpha         | greta@alpha       | -                  | solo@alpha         | -
    admin@alpha | greta@alpha         | greta@alpha       | -                  | solo@alpha         | -
    greta@beta  | -                   | greta@beta        | greta@beta         | -                  | -
    staff@beta  | -                   | greta@beta        | greta@beta         | -                  | -
    staff@gamma | -                   | greta@gamma       | -                  | -                  | -
    staff@delta | -                   | -                 | -                  | -                  | -
    solo@delta  | -                   | -                 | -                  | -                  | -`;
  const [heads = '', ...rows] = TABLE.split('\n').filter((line) => line.trim() !== '');
  const cells = (line: string): string[] => line.split('|').map((cell) => cell.trim());
  const targets = cells(heads).slice(1);

  const idOf = (target: string): string => {
    const { alpha, beta } = federation;
    const greta = alpha.guide('greta');
    const ids = [greta.id, greta.globalId ?? '', beta.guide('greta').id, alpha.guide('solo').id, greta.email];
    return ids[targets.indexOf(target)] ?? '';
  };

  test('give each viewer the changes he may see, all of them and no others, and say of the rest that it does not exist', async () => {
    const { alpha, beta, gamma, gateway } = federation;
    const open: { who: string; of: string; changes: Changes }[] = [];
    const refused: { who: string; target: string; changes: Changes }[] = [];
    for (const row of rows) {
      const [name = '', ...outcomes] = cells(row);
      for (const [index, of] of outcomes.entries()) {
        for (const place of ['gateway', 'home']) {
          const { token, home } = await viewer(federation, name);
          const changes = follow(place === 'gateway' ? gateway.url : (home?.url ?? ''), idOf(targets[index] ?? ''), token);
          const who = `${name} at ${place}`;
          if (of === '-') refused.push({ who, target: targets[index] ?? '', changes });
          else open.push({ who, of, changes });
        }
      }
    }
    const refusals = await Promise.all(refused.map(async ({ who, target, changes }) => ({ who, target, ended: await changes.ended, messages: changes.messages.items.map(({ data, errors }) => ({ data, errors: errors?.map(({ extensions }) => extensions) })) })));
    const nothing = [{ data: undefined, errors: [{ code: 'NOT_FOUND', field: 'guideId' }] }];
    expect(refusals).toEqual(refused.map(({ who, target }) => ({ who, target, ended: 'complete', messages: nothing })));
    const rowsOf = async (house: House): Promise<number> => (await house.records.query('select 1 from session_subscription')).length;
    await until(async () => (await rowsOf(alpha)) + (await rowsOf(beta)) + (await rowsOf(gamma)) === open.length, 'all are subscribed');
    const expected = new Map<string, unknown[]>();
    // The second round is the fence: what came between would stand before it.
    for (const hour of [1, 5]) {
      // Greta is one person: an hour of her own in each house.
      for (const [house, guide, later] of [[alpha, 'greta', 0], [beta, 'greta', 1], [gamma, 'greta', 2], [alpha, 'solo', 0], [alpha, 'gwen', 0]] as const) {
        const of = `${guide}@${house.code}`;
        expected.set(of, [...(expected.get(of) ?? []), await book(house, guide, hour + later)]);
      }
    }
    // The guide himself is told of his foreign bookings too; see live.test.ts. Staff must not even notice them.
    const heard = (who: string, { messages }: Changes): unknown[] => {
      const all = messages.items.map(({ data }) => data.calendarChanged as { entry: { origin: string } | null });
      return /^(staff|admin)/.test(who) ? all : all.filter(({ entry }) => entry?.origin !== 'FOREIGN');
    };
    const got = await Promise.all(
      open.map(async ({ who, of, changes }) => {
        const all = expected.get(of) ?? [];
        await until(() => heard(who, changes).length >= all.length, `${who} has got ${all.length} changes of ${of}`);
        return { who, of, changes: heard(who, changes) };
      }),
    );
    expect(got).toEqual(open.map(({ who, of }) => ({ who, of, changes: expected.get(of) })));
  });

  test('are refused alike for a guide one may not see and one who does not exist', async () => {
    const { alpha, beta, gateway } = federation;
    for (const url of [gateway.url, beta.url]) {
      const token = await beta.staffToken();
      const answers = await Promise.all(
        [alpha.guide('greta').id, alpha.guide('solo').id, randomUUID(), 'none'].map(async (id) => {
          const { ended, messages } = follow(url, id, token);
          return JSON.stringify([await ended, messages.items]);
        }),
      );
      expect(new Set(answers).size).toBe(1);
    }
  });

  test('are not given to who is nobody: the socket is closed with 4403', async () => {
    const { alpha, gateway } = federation;
    const expired = await alpha.token(alpha.staff, 'STAFF', new Date(Date.now() - 301_000));
    const tokens: [string, string | undefined][] = [['none', undefined], ['expired', expired], ...(await forgedTokens(federation))];
    const outcomes = await Promise.all(
      tokens.flatMap(([name, token]) =>
        [gateway, alpha].map(async ({ url }) => {
          const changes = follow(url, alpha.guide('greta').id, token);
          const { code } = (await changes.ended) as { code?: number };
          return { name, url, code, messages: changes.messages.items };
        }),
      ),
    );
    expect(outcomes).toEqual(tokens.flatMap(([name]) => [gateway, alpha].map(({ url }) => ({ name, url, code: 4403, messages: [] }))));
  });
});

describe('the gateway’s own endpoint of an instance', () => {
  const ASK = `query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { email linkedGrants { instance token globalId } calendar(range: $range) { id details { notes } } } }`;
  const GRANTS = 'query ($id: ID!) { guide(id: $id) { linkedGrants { instance token globalId } } }';
  type Grants = { guide: { linkedGrants: { instance: string; token: string; globalId: string }[] } };
  const behindGateway = (house: House) => client(house.url, { path: '/federation', headers: { 'x-lotse-gateway': gatewayCredential(house.code) } });

  test('answers nobody who shows no credential of its gateway', async () => {
    const { alpha } = federation;
    const token = await alpha.guideToken('greta');
    const variables = { id: alpha.guide('greta').id, range: RANGE };
    const credentials = [undefined, '', 'nonsense', gatewayCredential('beta'), gatewayCredential('alpha', testKey()), gatewayCredential('alpha', undefined, new Date(Date.now() - 301_000)), token];
    for (const credential of credentials) {
      const asking = client(alpha.url, { path: '/federation', headers: credential === undefined ? {} : { 'x-lotse-gateway': credential } });
      const { status, data, errors, text } = await asking.query(ASK, variables, token);
      expect({ status, data, code: errors?.[0]?.extensions.code }).toEqual({ status: 401, data: undefined, code: 'UNAUTHENTICATED' });
      expect(federation.canaries.in(text)).toEqual([]);
      const socket = new WebSocket(`${alpha.url.replace('http', 'ws')}/federation`, 'graphql-transport-ws');
      const closed = Promise.withResolvers<number>();
      socket.on('close', (code) => closed.resolve(code));
      socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { gateway: credential, authorization: `Bearer ${token}` } })));
      expect(await closed.promise).toBe(4403);
    }
  });

  test('is no way around a viewer’s rights, and what is its own is unknown to the client API', async () => {
    const { alpha, gateway } = federation;
    const id = alpha.guide('greta').id;
    for (const who of ['staff@alpha', 'admin@alpha', 'gwen@alpha', 'solo@alpha']) {
      const { token } = await viewer(federation, who);
      const { data, text } = await behindGateway(alpha).query<Grants>(GRANTS, { id }, token);
      expect({ who, data }).toEqual({ who, data: { guide: who.endsWith('alpha') && /staff|admin/.test(who) ? { linkedGrants: [] } : null } });
      expect(text).not.toContain('eyJ');
    }
    for (const url of [gateway.url, alpha.url]) {
      for (const document of ['{ _service { sdl } }', '{ _entities(representations: []) { __typename } }', '{ me { guide { linkedGrants { token } } } }']) {
        const { status, errors } = await client(url).query(document, {}, await alpha.guideToken('greta'));
        expect({ status, code: errors?.[0]?.extensions.code }).toEqual({ status: 400, code: 'GRAPHQL_VALIDATION_FAILED' });
      }
    }
  });

  test('a grant shows one guide’s redacted entries there, and is nothing anywhere else', async () => {
    const { alpha, beta, gamma, delta, gateway } = federation;
    const { data } = await behindGateway(alpha).query<Grants>(GRANTS, { id: alpha.guide('greta').id }, await alpha.guideToken('greta'));
    expect(data.guide.linkedGrants.map(({ instance }) => instance).sort()).toEqual(['beta', 'gamma']);
    const { token, globalId } = data.guide.linkedGrants.find(({ instance }) => instance === 'beta') ?? { token: '', globalId: '' };

    const entities = `query ($ids: [_Any!]!, $range: TimeRangeInput!) { _entities(representations: $ids) { ... on Guide { id calendar(range: $range) { id start end offerTitle } } } }`;
    const others = [beta.guide('greta').id, beta.guide('gwen').globalId, beta.guide('solo').id, alpha.guide('greta').id, randomUUID()];
    const ids = [globalId, ...others].map((id) => ({ __typename: 'Guide', id }));
    const shown = await behindGateway(beta).query<{ _entities: [{ calendar: { id: string }[] }] }>(entities, { ids, range: RANGE }, token);
    const planted = beta.guide('greta').bookings.map((booking) => beta.foreignEntry(booking)).map(({ id, start, end, offerTitle }) => ({ id, start, end, offerTitle }));
    const [{ calendar }] = shown.data._entities;
    // Those booked by the test above are there as well, redacted in the same way.
    expect(calendar.filter(({ id }) => planted.some((entry) => entry.id === id))).toEqual(planted);
    expect(shown.data._entities.slice(1)).toEqual(others.map(() => null));
    expect(new Set(federation.canaries.in(shown.text).map(({ field }) => field))).toEqual(new Set(['first offer title']));

    const closed = ['{ me { id } }', '{ bookings { edges { node { id } } } }', '{ guides { edges { node { id } } } }', '{ offers { edges { node { id } } } }', '{ instanceSettings { code } }', `{ guide(id: "${globalId}") { id } }`];
    for (const document of closed) {
      const answer = await behindGateway(beta).query(document, {}, token);
      expect({ document, codes: answer.errors?.map(({ extensions }) => extensions.code) }).toEqual({ document, codes: ['FORBIDDEN'] });
      expect(federation.canaries.in(answer.text)).toEqual([]);
    }
    for (const field of ['email', 'displayName', 'firstName', 'phone', 'languages', 'offers { id }', 'couplings { id }', 'linkedGrants { token }', 'calendar(range: $range) { details { notes } }']) {
      const answer = await behindGateway(beta).query(`query ($ids: [_Any!]!, $range: TimeRangeInput) { _entities(representations: $ids) { ... on Guide { ${field} } } }`.replace('$range: TimeRangeInput)', field.includes('range') ? '$range: TimeRangeInput!)' : ')'), { ids: ids.slice(0, 1), ...(field.includes('range') && { range: RANGE }) }, token);
      const codes = new Set(answer.errors?.map(({ extensions }) => extensions.code));
      // Grants are the gateway's to ask for; a partner gets none.
      if (field === 'linkedGrants { token }') expect(answer.data).toEqual({ _entities: [{ linkedGrants: [] }] });
      else expect({ field, codes: [...codes] }).toEqual({ field, codes: ['FORBIDDEN'] });
      expect(federation.canaries.in(answer.text)).toEqual([]);
    }
    for (const house of [alpha, gamma, delta]) {
      const answer = await behindGateway(house).query(entities, { ids, range: RANGE }, token);
      expect({ house: house.code, status: answer.status, code: answer.errors?.[0]?.extensions.code }).toEqual({ house: house.code, status: 401, code: 'UNAUTHENTICATED' });
    }
    for (const { url } of [alpha, beta, gamma, delta, gateway]) {
      const answer = await client(url).query('{ me { id } }', {}, token);
      expect({ url, status: answer.status, code: answer.errors?.[0]?.extensions.code }).toEqual({ url, status: 401, code: 'UNAUTHENTICATED' });
      expect(((await follow(url, globalId, token).ended) as { code?: number }).code).toBe(4403);
    }
  });
});

test('of a booking with two guides each sees his own assignment alone', async () => {
  const { alpha, gateway } = federation;
  const [greta, gwen] = [alpha.guide('greta'), alpha.guide('gwen')];
  const { id, assignmentIds } = await alpha.records.booking(alpha.offers[0]?.id ?? '', at(22), { guideIds: [greta.id, gwen.id] });
  const document = 'query ($id: ID!) { booking(id: $id) { assignments { id guide { displayName } } } }';
  const assignment = (name: 'greta' | 'gwen') => ({ id: assignmentIds[name === 'greta' ? 0 : 1], guide: { displayName: alpha.guide(name).displayName } });
  for (const url of [gateway.url, alpha.url]) {
    for (const name of ['greta', 'gwen'] as const) {
      const answer = await client(url).query(document, { id }, await alpha.guideToken(name));
      expect(answer.data).toEqual({ booking: { assignments: [assignment(name)] } });
      expect(federation.canaries.in(answer.text).map(({ field }) => field)).toEqual([`${name} first name`, `${name} last name`]);
    }
    const { data } = await client(url).query<{ booking: { assignments: { id: string }[] } }>(document, { id }, await alpha.staffToken());
    expect(data.booking.assignments.toSorted((one, other) => assignmentIds.indexOf(one.id) - assignmentIds.indexOf(other.id))).toEqual([assignment('greta'), assignment('gwen')]);
  }
});
