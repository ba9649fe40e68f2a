import { watch } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cleanup } from '../../testkit/cleanup.js';
import { ACCEPT_INVITATION, login, type LoginOutcome } from '../../testkit/client.js';
import { callOperator } from '../../testkit/keys.js';
import { type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let mails: string;
let staff: string;
let administrator: string;

beforeAll(async () => {
  mails = cleanup.own(await mkdtemp(join(tmpdir(), 'lotse-mails-')), (folder) => rm(folder, { recursive: true }));
  house = await openHouse(cleanup, { env: { MAIL_DIRECTORY: mails, LOG_LEVEL: 'debug' } });
  staff = (await house.records.signedIn('STAFF')).token;
  administrator = (await house.records.signedIn('ADMINISTRATOR')).token;
});

/** The text of the mail to this address, as soon as it is there. */
async function mailTo(email: string): Promise<string> {
  const signal = AbortSignal.timeout(10_000);
  const look = async (): Promise<string | undefined> => {
    for (const file of await readdir(mails)) {
      const text = await readFile(join(mails, file), 'utf8');
      // A file shows up before it is written.
      if (text.includes(`To: ${email}`) && text.includes('for you alone')) return text.replaceAll('=\r\n', '').replaceAll('=3D', '=');
    }
    return undefined;
  };
  const changed = Promise.withResolvers<void>();
  let next = changed;
  const watcher = watch(mails, () => {
    const waiting = next;
    next = Promise.withResolvers();
    waiting.resolve();
  });
  signal.addEventListener('abort', () => next.reject(new Error(`no mail to ${email}`)));
  try {
    for (;;) {
      const waiting = next.promise;
      const found = await look();
      if (found !== undefined) return found;
      await waiting;
    }
  } finally {
    watcher.close();
    next.promise.catch(() => undefined);
  }
}

const tokenIn = (mail: string): string => /invitation#(museum\.[\w-]{43})/.exec(mail)?.[1] ?? `no token in ${mail}`;

const INVITE_GUIDE = `mutation ($input: InviteGuideInput!) { inviteGuide(input: $input) { __typename ... on InvitationPayload { accountId } ... on UserError { code } ... on AlreadyExistsError { field } ... on NotFoundError { field } } }`;
const INVITE_ACCOUNT = `mutation ($input: InviteAccountInput!) { inviteAccount(input: $input) { __typename ... on InvitationPayload { accountId } ... on UserError { code } ... on InvalidInputError { field reason } } }`;

interface Invited {
  inviteGuide: { __typename: string; accountId?: string; code?: string; field?: string };
  inviteAccount: { __typename: string; accountId?: string; code?: string; field?: string; reason?: string };
}

async function accept(token: string, password = 'a password of my own'): Promise<LoginOutcome> {
  const { data } = await house.api.query<{ acceptInvitation: LoginOutcome }>(ACCEPT_INVITATION, { input: { token, password } });
  return data.acceptInvitation;
}

const VOID = { __typename: 'InvalidTokenError', code: 'INVALID_TOKEN' };

test('a guide who is invited sets his own password, and nobody else ever holds the token', async () => {
  const guideId = await house.records.guide();
  const email = 'gerda.guide@museum.example';
  const answer = await house.api.query<Invited>(INVITE_GUIDE, { input: { idempotencyKey: newKey(), guideId, email } }, staff);
  const accountId = answer.data.inviteGuide.accountId;
  expect(answer.data.inviteGuide).toEqual({ __typename: 'InvitationPayload', accountId: expect.any(String) });
  const token = tokenIn(await mailTo(email));
  expect(token).toMatch(/^museum\./);

  // Not in the answer, in no row, in no log line.
  const secret = token.slice('museum.'.length);
  expect(answer.text).not.toContain(secret);
  const rows = await house.records.query('select i.*, a.* from invitation i join account a on a.id = i.account_id');
  expect(JSON.stringify(rows)).not.toContain(secret);
  const jobs = await house.records.query('select * from graphile_worker._private_jobs');
  expect(JSON.stringify(jobs)).not.toContain(secret);
  expect(house.server.log.join('\n')).not.toContain(secret);

  expect(await accept(token)).toMatchObject({ __typename: 'LoginPayload', viewer: { id: accountId, email, role: 'GUIDE', guide: { id: guideId } } });
  const session = await login(house.server.url, email, 'a password of my own');
  expect(session.viewer.guide).toEqual({ id: guideId });
  // Once only.
  expect(await accept(token, 'another password, another person')).toEqual(VOID);
  await expect(login(house.server.url, email, 'another password, another person')).rejects.toThrow('INVALID_CREDENTIALS');
});

test('a repetition with the same key invites once; another’s address is refused, and so is who has come already', async () => {
  const [guideId, other] = [await house.records.guide(), await house.records.guide()];
  const input = { idempotencyKey: newKey(), guideId, email: 'once@museum.example' };
  const first = await house.api.query<Invited>(INVITE_GUIDE, { input }, staff);
  const again = await house.api.query<Invited>(INVITE_GUIDE, { input }, staff);
  expect(again.data).toEqual(first.data);
  expect(await house.records.query('select count(*)::int as n from account where email = $1', [input.email])).toEqual([{ n: 1 }]);

  const mailed = tokenIn(await mailTo(input.email));

  const sameAddress = await house.api.query<Invited>(INVITE_GUIDE, { input: { ...input, idempotencyKey: newKey(), guideId: other } }, staff);
  expect(sameAddress.data.inviteGuide).toEqual({ __typename: 'AlreadyExistsError', code: 'ALREADY_EXISTS', field: 'input.email' });
  const sameGuide = await house.api.query<Invited>(INVITE_GUIDE, { input: { ...input, idempotencyKey: newKey(), email: 'twice@museum.example' } }, staff);
  // He has not come yet: the address is corrected, and the first mail's token is void.
  expect(sameGuide.data.inviteGuide).toEqual(first.data.inviteGuide);
  const corrected = tokenIn(await mailTo('twice@museum.example'));
  expect(await accept(mailed)).toEqual(VOID);
  expect(await accept(corrected)).toMatchObject({ __typename: 'LoginPayload' });
  const come = await house.api.query<Invited>(INVITE_GUIDE, { input: { ...input, idempotencyKey: newKey(), email: 'thrice@museum.example' } }, staff);
  expect(come.data.inviteGuide).toEqual({ __typename: 'AlreadyExistsError', code: 'ALREADY_EXISTS', field: 'input.guideId' });
  const nobody = await house.api.query<Invited>(INVITE_GUIDE, { input: { ...input, idempotencyKey: newKey(), guideId: newKey(), email: 'third@museum.example' } }, staff);
  expect(nobody.data.inviteGuide).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.guideId' });
});

test('administrators invite colleagues, staff do not, and nobody makes a guide’s account that way', async () => {
  const input = { idempotencyKey: newKey(), email: 'colleague@museum.example', displayName: 'A Colleague', roles: ['STAFF'] };
  const byStaff = await house.api.query<Invited>(INVITE_ACCOUNT, { input }, staff);
  expect(byStaff.errors?.[0]?.extensions).toEqual({ code: 'FORBIDDEN', field: 'Mutation.inviteAccount' });
  const asGuide = await house.api.query<Invited>(INVITE_ACCOUNT, { input: { ...input, roles: ['GUIDE'] } }, administrator);
  expect(asGuide.data.inviteAccount).toEqual({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field: 'input.roles', reason: 'CONFLICTING' });
  expect(await house.records.query('select 1 from account where email = $1', [input.email])).toEqual([]);

  expect((await house.api.query<Invited>(INVITE_ACCOUNT, { input }, administrator)).data.inviteAccount.__typename).toBe('InvitationPayload');
  expect(await accept(tokenIn(await mailTo(input.email)))).toMatchObject({ viewer: { role: 'STAFF', guide: null } });
});

test('the operator invites the first administrator', async () => {
  const email = 'first@museum.example';
  const answer = await callOperator(house.server, 'accounts/invite', { email, displayName: 'First', roles: ['ADMINISTRATOR'] });
  expect(answer).toEqual({ status: 200, body: { result: { accountId: expect.any(String) } } });
  expect(await accept(tokenIn(await mailTo(email)))).toMatchObject({ viewer: { role: 'ADMINISTRATOR' } });
  const again = await callOperator(house.server, 'accounts/invite', { email, displayName: 'First', roles: ['ADMINISTRATOR'] });
  expect(again).toMatchObject({ status: 409, body: { code: 'ALREADY_EXISTS' } });
});

test('an invitation is void after fourteen days, and one that is none always', async () => {
  const email = 'late@museum.example';
  await callOperator(house.server, 'accounts/invite', { email, displayName: 'Late', roles: ['STAFF'] });
  const token = tokenIn(await mailTo(email));
  house.server.clock.advance({ days: 14, seconds: 1 });
  expect(await accept(token)).toEqual(VOID);
  house.server.clock.reset();
  expect(await accept('museum.nothing')).toEqual(VOID);
  expect(await accept('')).toEqual(VOID);
  expect(await accept(token)).toMatchObject({ __typename: 'LoginPayload' });
});

test('a password too short or too long is refused and the invitation stays', async () => {
  const email = 'careful@museum.example';
  await callOperator(house.server, 'accounts/invite', { email, displayName: 'Careful', roles: ['STAFF'] });
  const token = tokenIn(await mailTo(email));
  for (const [password, reason] of [['a'.repeat(11), 'TOO_SHORT'], ['a'.repeat(201), 'TOO_LONG']] as const) {
    expect(await accept(token, password)).toEqual({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field: 'input.password', reason });
  }
  expect(await accept(token, 'a'.repeat(200))).toMatchObject({ __typename: 'LoginPayload' });
  await expect(login(house.server.url, email, 'a'.repeat(200))).resolves.toMatchObject({ viewer: { email } });
});

test('of two who accept at once one gets the account', async () => {
  const email = 'raced@museum.example';
  await callOperator(house.server, 'accounts/invite', { email, displayName: 'Raced', roles: ['STAFF'] });
  const token = tokenIn(await mailTo(email));
  const outcomes = await Promise.all([accept(token, 'password of the one'), accept(token, 'password of the other')]);
  expect(outcomes.map(({ __typename }) => __typename).sort()).toEqual(['InvalidTokenError', 'LoginPayload']);
});
