import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cleanup } from '../../testkit/cleanup.js';
import { login } from '../../testkit/client.js';
import { type House, openHouse } from './support/house.js';
import { until } from '../../testkit/until.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let mails: string;
let administrator: string;

beforeAll(async () => {
  mails = cleanup.own(await mkdtemp(join(tmpdir(), 'lotse-mails-')), (folder) => rm(folder, { recursive: true }));
  house = await openHouse(cleanup, { env: { MAIL_DIRECTORY: mails, LIMIT_LOGIN_PER_ACCOUNT_AND_ADDRESS: '5' } });
  administrator = (await house.records.signedIn('ADMINISTRATOR')).token;
});

const ME = '{ me { id email role } }';
const ACCOUNTS = '{ accounts(first: 200) { edges { node { id email roles state version } } } }';
const UPDATE = `mutation ($input: UpdateAccountInput!) { updateAccount(input: $input) { __typename ... on AccountPayload { account { roles state version } } ... on UserError { code } ... on StaleVersionError { currentVersion } ... on InvalidInputError { field reason } } }`;
const REQUEST_RESET = `mutation ($email: String!) { requestPasswordReset(input: { email: $email }) { __typename ... on UserError { code } } }`;
const RESET = `mutation ($token: String!, $password: String!) { resetPassword(input: { token: $token, password: $password }) { __typename ... on LoginPayload { accessToken } ... on UserError { code } } }`;

interface AccountNode {
  id: string;
  email: string;
  roles: string[];
  state: string;
  version: number;
}

async function accountOf(email: string): Promise<AccountNode> {
  const { data } = await house.api.query<{ accounts: { edges: { node: AccountNode }[] } }>(ACCOUNTS, {}, administrator);
  const found = data.accounts.edges.find(({ node }) => node.email === email);
  if (!found) throw new Error('no such account');
  return found.node;
}

const update = async (input: Record<string, unknown>, token = administrator) =>
  (await house.api.query<{ updateAccount: Record<string, unknown> }>(UPDATE, { input }, token)).data.updateAccount;

async function emailOf(token: string): Promise<string> {
  return (await house.api.query<{ me: { email: string } }>(ME, {}, token)).data.me.email;
}

const isRefused = async (token: string): Promise<boolean> => (await house.api.query(ME, {}, token)).status === 401;

test('a disabled account loses its sessions at once and cannot sign in; permitted again, it can', async () => {
  const { token } = await house.records.signedIn('STAFF');
  const account = await accountOf(await emailOf(token));
  expect(await update({ accountId: account.id, expectedVersion: account.version, disabled: true })).toEqual({
    __typename: 'AccountPayload',
    account: { roles: ['STAFF'], state: 'DISABLED', version: account.version + 1 },
  });
  await until(() => isRefused(token));
  expect(await update({ accountId: account.id, expectedVersion: account.version, disabled: false })).toEqual({
    __typename: 'StaleVersionError',
    code: 'STALE_VERSION',
    currentVersion: account.version + 1,
  });
  expect(await update({ accountId: account.id, expectedVersion: account.version + 1, disabled: false })).toMatchObject({ account: { state: 'ACTIVE' } });
});

test('a role taken away ends the sessions in it', async () => {
  const { token } = await house.records.signedIn('STAFF');
  const { id } = await accountOf(await emailOf(token));
  await house.records.query(`insert into account_role (account_id, role) values ('${id}', 'ADMINISTRATOR')`);
  const account = await accountOf(await emailOf(token));
  await update({ accountId: account.id, expectedVersion: account.version, roles: ['ADMINISTRATOR'] });
  await until(() => isRefused(token));
});

test('nobody changes himself, makes a guide or an account without roles; only administrators change anybody', async () => {
  const { token } = await house.records.signedIn('STAFF');
  const account = await accountOf(await emailOf(token));
  const self = await accountOf(await emailOf(administrator));
  const change = { accountId: account.id, expectedVersion: account.version };
  expect(await update({ accountId: self.id, expectedVersion: self.version, disabled: true })).toMatchObject({ field: 'input.accountId', reason: 'CONFLICTING' });
  expect(await update({ ...change, roles: ['GUIDE'] })).toMatchObject({ field: 'input.roles', reason: 'CONFLICTING' });
  expect(await update({ ...change, roles: ['STAFF', 'ADMINISTRATOR'] })).toMatchObject({ field: 'input.roles', reason: 'CONFLICTING' });
  expect(await update({ ...change, roles: [] })).toMatchObject({ field: 'input.roles', reason: 'REQUIRED' });
  const refused = await house.api.query(UPDATE, { input: { ...change, disabled: true } }, token);
  expect(refused.errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
  expect(await accountOf(account.email)).toEqual(account);
});

async function resetTokenFor(email: string): Promise<string> {
  const found = await until(async () => {
    for (const file of await readdir(mails)) {
      const text = (await readFile(join(mails, file), 'utf8')).replaceAll('=\r\n', '').replaceAll('=3D', '=');
      const token = text.includes(`To: ${email}`) ? /reset-password#(museum\.[\w-]{43})/.exec(text)?.[1] : undefined;
      if (token) return token;
    }
    return undefined;
  });
  return found;
}

test('a forgotten password is replaced once, with the token of the mail, and ends every session', async () => {
  const { token } = await house.records.signedIn('STAFF');
  const email = await emailOf(token);
  const unknown = await house.api.query(REQUEST_RESET, { email: 'nobody@museum.example' });
  const known = await house.api.query(REQUEST_RESET, { email });
  expect(known.data).toEqual(unknown.data);
  const reset = await resetTokenFor(email);
  const password = 'a password not forgotten';
  const first = await house.api.query<{ resetPassword: { __typename: string; accessToken: string } }>(RESET, { token: reset, password });
  expect(first.data.resetPassword.__typename).toBe('LoginPayload');
  await until(() => isRefused(token));
  expect(await emailOf(first.data.resetPassword.accessToken)).toBe(email);
  const again = await house.api.query(RESET, { token: reset, password });
  expect(again.data).toEqual({ resetPassword: { __typename: 'InvalidTokenError', code: 'INVALID_TOKEN' } });
  expect((await login(house.server.url, email, password)).accessToken).toMatch(/^ey/);
});

test('requests for resets are limited by address', async () => {
  const kinds: string[] = [];
  for (let request = 0; request < 6; request += 1) {
    const { data } = await house.api.query<{ requestPasswordReset: { __typename: string } }>(REQUEST_RESET, { email: `somebody-${request}@museum.example` });
    kinds.push(data.requestPasswordReset.__typename);
  }
  expect(kinds.at(-1)).toBe('TooManyAttemptsError');
});
