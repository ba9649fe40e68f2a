import { sharedHash } from '../../../scripts/seed/seed.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { client, LOGIN, login, type LoginOutcome, type RoleName } from '../../testkit/client.js';
import { PASSWORD } from '../../testkit/records.js';
import { recordStatements, requestStatements } from '../../testkit/statements.js';
import { type House, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
beforeAll(async () => {
  house = await openHouse(cleanup, { env: { LIMIT_LOGIN_PER_ACCOUNT_AND_ADDRESS: '5', LIMIT_LOGIN_PER_ADDRESS: '1000' } });
});

interface Attempt {
  email: string;
  password?: string;
  role?: RoleName;
  instance?: string;
}

async function attempt({ email, password = PASSWORD, role, instance }: Attempt): Promise<LoginOutcome> {
  const { data } = await house.api.query<{ login: LoginOutcome }>(LOGIN, { input: { email, password, role, instance } });
  return data.login;
}

const WRONG = { __typename: 'InvalidCredentialsError', code: 'INVALID_CREDENTIALS' };

test.each(['GUIDE', 'STAFF', 'ADMINISTRATOR'] as const)('%s signs in and is told who he is', async (role) => {
  const guideId = role === 'GUIDE' ? await house.records.guide() : undefined;
  const account = await house.records.account([role], { guideId });
  const outcome = await attempt({ email: account.email.toUpperCase(), instance: 'museum' });
  expect(outcome).toEqual({
    __typename: 'LoginPayload',
    accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    refreshToken: expect.stringMatching(/^museum\.[\w-]{43}$/),
    expiresIn: 300,
    viewer: { id: account.id, email: account.email, role, roles: [role], guide: guideId ? { id: guideId } : null },
  });
  const { data } = await house.api.query('{ me { id role } }', {}, (outcome as { accessToken: string }).accessToken);
  expect(data).toEqual({ me: { id: account.id, role } });
});

test('an account with several roles gets the most powerful one, or the one it asks for, and never one it does not hold', async () => {
  const guideId = await house.records.guide();
  const account = await house.records.account(['GUIDE', 'STAFF'], { guideId });
  expect(await attempt({ email: account.email })).toMatchObject({ viewer: { role: 'STAFF', guide: null } });
  const asGuide = await login(house.server.url, account.email, PASSWORD, 'GUIDE');
  expect(asGuide.viewer).toMatchObject({ role: 'GUIDE', guide: { id: guideId } });
  expect([...asGuide.viewer.roles].sort()).toEqual(['GUIDE', 'STAFF']);
  expect(await attempt({ email: account.email, role: 'ADMINISTRATOR' })).toEqual(WRONG);

  // One active role: what is the other role's is refused to this token.
  const { errors } = await house.api.query('{ guides { edges { node { id } } } }', {}, asGuide.accessToken);
  expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
});

test('staff cannot sign in as a guide, not even as one whose account they invited', async () => {
  const staff = await house.records.account(['STAFF']);
  expect(await attempt({ email: staff.email, role: 'GUIDE' })).toEqual(WRONG);
});

test('another instance’s code is refused before anything is looked at', async () => {
  const account = await house.records.account(['STAFF']);
  const statements = await requestStatements(async () => {
    expect(await attempt({ email: account.email, instance: 'castle' })).toEqual({
      __typename: 'InvalidInputError',
      code: 'INVALID_INPUT',
      field: 'input.instance',
      reason: 'WRONG_INSTANCE',
    });
  });
  expect(statements).toEqual([]);
});

describe('what is wrong is not told', () => {
  const kinds = ['an unknown account', 'a wrong password', 'a role not held', 'an invited account', 'a disabled account'] as const;

  async function attemptOf(kind: (typeof kinds)[number]): Promise<Attempt> {
    const hash = await sharedHash(PASSWORD);
    switch (kind) {
      case 'an unknown account':
        return { email: `nobody.${Math.random()}@museum.example` };
      case 'a wrong password':
        return { email: (await house.records.account(['STAFF'], { passwordHash: hash })).email, password: 'not the password' };
      case 'a role not held':
        return { email: (await house.records.account(['STAFF'], { passwordHash: hash })).email, role: 'ADMINISTRATOR' };
      case 'an invited account': {
        const { email } = await house.records.account(['STAFF'], { passwordHash: hash });
        await house.records.query(`update account set state = 'INVITED', password_hash = null where email = $1`, [email]);
        return { email };
      }
      case 'a disabled account': {
        const { email } = await house.records.account(['STAFF'], { passwordHash: hash });
        await house.records.query(`update account set state = 'DISABLED' where email = $1`, [email]);
        return { email };
      }
      default:
        return kind satisfies never;
    }
  }

  test.each(kinds)('%s costs the same statements and the same hashing as a wrong password', async (kind) => {
    // Processor time of this process, threads of the hashing included, so that a busy machine changes nothing.
    const cost = async (given: Attempt): Promise<{ texts: string[]; milliseconds: number }> => {
      const before = process.cpuUsage();
      const statements = await recordStatements(async () => expect(await attempt(given)).toEqual(WRONG));
      const { user, system } = process.cpuUsage(before);
      // What works by the clock looks at claims now and then.
      return { texts: statements.filter(({ text }) => !/'CLAIM'|claim_keeper/.test(text)).map(({ role, text }) => `${role}: ${text}`), milliseconds: (user + system) / 1_000 };
    };
    const wrong = await cost(await attemptOf('a wrong password'));
    const other = await cost(await attemptOf(kind));
    expect(other.texts).toEqual(wrong.texts);
    expect(wrong.texts).toHaveLength(4);
    // Without the hashing it would be a tenth.
    expect(other.milliseconds).toBeGreaterThan(wrong.milliseconds * 0.5);
    expect(other.milliseconds).toBeLessThan(wrong.milliseconds * 2);
  });
});

describe('guessing', () => {
  test('is stopped after the limit, even with the right password, and by time alone', async () => {
    const { email } = await house.records.account(['STAFF']);
    for (let count = 0; count < 5; count += 1) expect(await attempt({ email, password: 'not the password' })).toEqual(WRONG);
    const outcome = await attempt({ email });
    expect(outcome).toEqual({ __typename: 'TooManyAttemptsError', code: 'TOO_MANY_ATTEMPTS', retryAfter: expect.any(Number) });
    const { retryAfter } = outcome as { retryAfter: number };
    expect(retryAfter).toBeGreaterThan(800);
    expect(retryAfter).toBeLessThanOrEqual(900);
  });

  test('in parallel gets no more guesses than one after the other', async () => {
    const { email } = await house.records.account(['STAFF']);
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => attempt({ email, password: 'not the password' })));
    const kinds = outcomes.map(({ __typename }) => __typename);
    expect(kinds.filter((kind) => kind === 'InvalidCredentialsError')).toHaveLength(5);
    expect(kinds.filter((kind) => kind === 'TooManyAttemptsError')).toHaveLength(25);
  });

  test('an unknown address is limited like a known one', async () => {
    const email = 'nobody.at.all@museum.example';
    for (let count = 0; count < 5; count += 1) expect(await attempt({ email })).toEqual(WRONG);
    expect((await attempt({ email })).__typename).toBe('TooManyAttemptsError');
  });

  test('a right password gives the attempts back', async () => {
    const { email } = await house.records.account(['STAFF']);
    for (let round = 0; round < 3; round += 1) {
      for (let count = 0; count < 4; count += 1) expect(await attempt({ email, password: 'not the password' })).toEqual(WRONG);
      expect((await attempt({ email })).__typename).toBe('LoginPayload');
    }
  });

  test('keeps no address and no e-mail address', async () => {
    const { email } = await house.records.account(['STAFF']);
    await attempt({ email, password: 'not the password' });
    const keys = await house.records.query<{ key: string }>('select key from login_attempt');
    expect(keys.length).toBeGreaterThan(0);
    for (const { key } of keys) expect(key).toMatch(/^(pair|address|account):[\w-]{24}$/);
  });

  test('at other accounts from the same address is stopped too', async () => {
    const guarded = await openHouse(cleanup, { code: 'guarded', env: { LIMIT_LOGIN_PER_ADDRESS: '3' } });
    const other = client(guarded.server.url);
    const kinds: string[] = [];
    for (let count = 0; count < 4; count += 1) {
      const { data } = await other.query<{ login: LoginOutcome }>(LOGIN, { input: { email: `guess${count}@guarded.example`, password: 'not the password' } });
      kinds.push(data.login.__typename);
    }
    expect(kinds).toEqual(['InvalidCredentialsError', 'InvalidCredentialsError', 'InvalidCredentialsError', 'TooManyAttemptsError']);
  });
});
