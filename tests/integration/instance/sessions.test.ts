import { Cleanup } from '../../testkit/cleanup.js';
import { client, type GraphqlClient, login, type LoginOutcome, REFRESH } from '../../testkit/client.js';
import { startInstanceHere } from '../../testkit/instance.js';
import { PASSWORD } from '../../testkit/records.js';
import { wsClient } from '../../testkit/socket.js';
import { at, type House, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
/** A second server on the same database. */
let replica: GraphqlClient;
let replicaUrl: string;

beforeAll(async () => {
  house = await openHouse(cleanup);
  const second = cleanup.own(await startInstanceHere(house.instance, { clock: house.server.clock }), (server) => server.stop());
  replica = client(second.url);
  replicaUrl = second.url;
});
afterEach(() => house.server.clock.reset());

const ME = '{ me { id role } }';
const LOGOUT = 'mutation ($all: Boolean!) { logout(allSessions: $all) { endedSessions } }';
const FOLLOW = 'subscription ($guideId: ID!) { calendarChanged(guideId: $guideId) { kind } }';

async function refresh(token: string, api = house.api): Promise<LoginOutcome> {
  return (await api.query<{ refreshSession: LoginOutcome }>(REFRESH, { token })).data.refreshSession;
}

const tokensOf = (outcome: LoginOutcome): { accessToken: string; refreshToken: string } => outcome as { accessToken: string; refreshToken: string } & LoginOutcome;

async function reasonOf(api: GraphqlClient, token: string): Promise<unknown> {
  const { status, errors } = await api.query(ME, {}, token);
  return errors ? { status, reason: errors[0]?.extensions.reason } : 'accepted';
}
const REVOKED = { status: 401, reason: 'TOKEN_REVOKED' };
const VOID = { __typename: 'InvalidTokenError', code: 'INVALID_TOKEN' };

/** Resolves as soon as the token is refused; how long that took. */
async function refusedAfter(api: GraphqlClient, token: string, since: number): Promise<number> {
  for (;;) {
    const answer = await reasonOf(api, token);
    if (answer !== 'accepted') {
      expect(answer).toEqual(REVOKED);
      return performance.now() - since;
    }
    if (performance.now() - since > 5_000) throw new Error('the token is accepted still');
  }
}

describe('refresh', () => {
  test('gives new tokens of the same session, and each refresh token once', async () => {
    const account = await house.records.account(['STAFF']);
    const first = await login(house.server.url, account.email, PASSWORD);
    const second = tokensOf(await refresh(first.refreshToken));
    expect(second.refreshToken).not.toBe(first.refreshToken);
    const third = tokensOf(await refresh(second.refreshToken, replica));
    expect(await reasonOf(house.api, third.accessToken)).toBe('accepted');
    expect(await house.records.query('select count(*)::int as n from session where account_id = $1', [account.id])).toEqual([{ n: 1 }]);
  });

  test('with a spent token ends the session for whoever holds it, on every replica, and is logged', async () => {
    const account = await house.records.account(['STAFF']);
    const first = await login(house.server.url, account.email, PASSWORD);
    const second = tokensOf(await refresh(first.refreshToken));
    expect(await reasonOf(replica, second.accessToken)).toBe('accepted');
    expect(await refresh(first.refreshToken)).toEqual(VOID);
    const since = performance.now();
    expect(await refusedAfter(house.api, second.accessToken, since)).toBeLessThan(1_000);
    expect(await refusedAfter(replica, second.accessToken, since)).toBeLessThan(1_000);
    expect(await refresh(second.refreshToken)).toEqual(VOID);
    const sessions = await house.records.query<{ id: string; end_reason: string }>('select id, end_reason from session where account_id = $1', [account.id]);
    expect(sessions.map((session) => session.end_reason)).toEqual(['refresh-token-reused']);
    const logged = await house.records.query('select action, after from audit_entry where subject_id = $1 order by at', [sessions[0]?.id]);
    expect(logged).toEqual([
      { action: 'session.started', after: null },
      { action: 'session.reuse-detected', after: { reason: 'refresh-token-reused' } },
    ]);
  });

  test('at the same time by many: exactly one gets tokens, and the session ends since the others came second', async () => {
    const account = await house.records.account(['STAFF']);
    const { refreshToken, accessToken } = await login(house.server.url, account.email, PASSWORD);
    const outcomes = await Promise.all(Array.from({ length: 12 }, (_, index) => refresh(refreshToken, index % 2 ? replica : house.api)));
    expect(outcomes.filter(({ __typename }) => __typename === 'LoginPayload')).toHaveLength(1);
    expect(outcomes.filter(({ __typename }) => __typename === 'InvalidTokenError')).toHaveLength(11);
    await refusedAfter(house.api, accessToken, performance.now());
  });

  test('is refused for tokens that are none, and after thirty days', async () => {
    const account = await house.records.account(['STAFF']);
    const { refreshToken } = await login(house.server.url, account.email, PASSWORD);
    for (const token of ['', 'museum.', 'museum.unknown', `${refreshToken}x`]) expect(await refresh(token)).toEqual(VOID);
    house.server.clock.advance({ days: 30, seconds: 1 });
    expect(await refresh(refreshToken)).toEqual(VOID);
  });

  test('the tokens are not in the database', async () => {
    const account = await house.records.account(['STAFF']);
    const { refreshToken } = await login(house.server.url, account.email, PASSWORD);
    const rows = JSON.stringify(await house.records.query('select * from refresh_token'));
    expect(rows).not.toContain(refreshToken);
    expect(rows).not.toContain(refreshToken.slice('museum.'.length));
  });
});

describe('the end of a session', () => {
  test('log-out refuses the token and closes its open sockets within a second, on every replica, and no other session’s', async () => {
    const guideId = await house.records.guide();
    const guide = await house.records.account(['GUIDE'], { guideId });
    const [leaving, staying] = [await house.records.signIn(guide), await house.records.signIn(guide)];
    const follow = async (url: string, token: string) => {
      const socket = cleanup.own(wsClient(url, () => token, { retryAttempts: 0 }), (opened) => opened.dispose());
      const subscription = socket.subscribe<{ calendarChanged: { kind: string } }>(FOLLOW, { guideId });
      return { socket, subscription };
    };
    const here = await follow(house.server.url, leaving.token);
    const there = await follow(replicaUrl, leaving.token);
    const other = await follow(house.server.url, staying.token);
    await Promise.all([here, there, other].map(({ socket }) => socket.connections.waitFor()));
    // An event reaches all three: the subscriptions stand.
    const offerId = await house.records.offer();
    const { assignmentIds } = await house.records.booking(offerId, at(0), { guideIds: [guideId] });
    const tell = (): Promise<unknown> =>
      house.records.query(`select pg_notify('lotse_event', $1)`, [JSON.stringify({ kind: 'calendar', guideId, assignmentId: assignmentIds[0], change: 'CREATED' })]);
    await retryUntil(tell, () => [here, there, other].every(({ subscription }) => subscription.messages.items.some(({ data }) => data.calendarChanged.kind === 'CREATED')));

    const since = performance.now();
    expect((await house.api.query(LOGOUT, { all: false }, leaving.token)).data).toEqual({ logout: { endedSessions: 1 } });
    for (const { socket } of [here, there]) expect(await socket.closes.waitFor()).toEqual({ code: 4403, reason: 'TOKEN_REVOKED' });
    expect(performance.now() - since).toBeLessThan(1_000);
    expect(await refusedAfter(replica, leaving.token, since)).toBeLessThan(1_000);
    expect(other.socket.closes.items).toEqual([]);
    expect(await reasonOf(house.api, staying.token)).toBe('accepted');
  });

  test('log-out of all sessions ends those and no other account’s', async () => {
    const [one, other] = [await house.records.account(['STAFF']), await house.records.signedIn('STAFF')];
    const sessions = [await house.records.signIn(one), await house.records.signIn(one), await house.records.signIn(one)];
    expect((await house.api.query(LOGOUT, { all: true }, sessions[0]?.token)).data).toEqual({ logout: { endedSessions: 3 } });
    for (const { token } of sessions) await refusedAfter(house.api, token, performance.now());
    expect(await reasonOf(house.api, other.token)).toBe('accepted');
  });

  test('another password ends every other session and keeps this one', async () => {
    const account = await house.records.account(['STAFF']);
    const [mine, other] = [await house.records.signIn(account), await house.records.signIn(account)];
    const CHANGE = `mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { __typename ... on ChangePasswordPayload { endedSessions } ... on UserError { code } } }`;
    const wrong = await house.api.query(CHANGE, { input: { currentPassword: 'not this one', newPassword: 'the password after it' } }, mine.token);
    expect(wrong.data).toEqual({ changePassword: { __typename: 'InvalidCredentialsError', code: 'INVALID_CREDENTIALS' } });
    const right = await house.api.query(CHANGE, { input: { currentPassword: PASSWORD, newPassword: 'the password after it' } }, mine.token);
    expect(right.data).toEqual({ changePassword: { __typename: 'ChangePasswordPayload', endedSessions: 1 } });
    await refusedAfter(house.api, other.token, performance.now());
    expect(await reasonOf(house.api, mine.token)).toBe('accepted');
    await expect(login(house.server.url, account.email, PASSWORD)).rejects.toThrow('INVALID_CREDENTIALS');
    await expect(login(house.server.url, account.email, 'the password after it')).resolves.toMatchObject({ viewer: { id: account.id } });
  });

  test.each([
    ['disabled', `update account set state = 'DISABLED' where id = $1`],
    ['without its role', 'delete from account_role where account_id = $1'],
  ])('an account that is %s is refused within a second on both replicas, its sockets closed', async (_what, statement) => {
    const guideId = await house.records.guide();
    const guide = await house.records.signedIn('GUIDE', { guideId });
    const { refreshToken } = await login(house.server.url, guide.email, PASSWORD);
    const socket = cleanup.own(wsClient(replicaUrl, () => guide.token, { retryAttempts: 0 }), (opened) => opened.dispose());
    socket.subscribe(FOLLOW, { guideId });
    await socket.connections.waitFor();
    for (const api of [house.api, replica]) expect(await reasonOf(api, guide.token)).toBe('accepted');
    await retryUntil(
      () => Promise.resolve(),
      async () => (await house.records.query('select 1 from session_subscription where session_id = $1', [guide.sessionId])).length === 1,
    );

    const since = performance.now();
    await house.records.query(statement, [guide.id]);
    await house.records.query(`select pg_notify('lotse_event', $1)`, [JSON.stringify({ kind: 'account', accountId: guide.id })]);
    expect(await refusedAfter(house.api, guide.token, since)).toBeLessThan(1_000);
    expect(await refusedAfter(replica, guide.token, since)).toBeLessThan(1_000);
    expect(await socket.closes.waitFor()).toEqual({ code: 4403, reason: 'TOKEN_REVOKED' });
    expect(await refresh(refreshToken)).toEqual(VOID);
  });

  test('a guide’s token is void when the account is no longer that guide’s', async () => {
    const guideId = await house.records.guide();
    const guide = await house.records.signedIn('GUIDE', { guideId });
    expect(await reasonOf(house.api, guide.token)).toBe('accepted');
    const since = performance.now();
    await house.records.query('update account set guide_id = $2 where id = $1', [guide.id, await house.records.guide()]);
    await house.records.query(`select pg_notify('lotse_event', $1)`, [JSON.stringify({ kind: 'account', accountId: guide.id })]);
    expect(await refusedAfter(house.api, guide.token, since)).toBeLessThan(1_000);
  });

  test('a socket whose token expires is closed so that the client comes back', async () => {
    const guideId = await house.records.guide();
    const guide = await house.records.account(['GUIDE'], { guideId });
    const { sessionId } = await house.records.signIn(guide);
    const claims = { sub: guide.id, sid: sessionId, role: 'GUIDE', guide: guideId };
    const tokens = [await house.records.accessToken(claims, { life: 2 }), await house.records.accessToken(claims)];
    const socket = cleanup.own(wsClient(house.server.url, () => tokens.shift()), (opened) => opened.dispose());
    const subscription = socket.subscribe<{ calendarChanged: { kind: string } }>(FOLLOW, { guideId });
    expect(await socket.closes.waitFor()).toEqual({ code: 4403, reason: 'TOKEN_EXPIRED' });
    // The stock client has resumed with the next token, and is told that it may have missed something.
    expect(await subscription.waitForMessage()).toEqual({ calendarChanged: { kind: 'REFETCH' } });
  });
});

/** Repeats `act` until `done`, yielding to the event loop; the test's own time limit ends it. */
async function retryUntil(act: () => Promise<unknown>, done: () => boolean | Promise<boolean>): Promise<void> {
  for (;;) {
    await act();
    if (await done()) return;
  }
}
