import { Cleanup } from '../../testkit/cleanup.js';
import { type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
beforeAll(async () => {
  house = await openHouse(cleanup);
});

const BANK = 'bankData { accountHolder iban bic } sharesBankData';
const UPDATE = `mutation ($input: UpdateGuideInput!) { updateGuide(input: $input) { __typename ... on GuidePayload { guide { version } } ... on InvalidInputError { field reason } } }`;
const ACCOUNT = { accountHolder: 'Greta Guide', iban: 'DE89370400440532013000', bic: 'COBADEFFXXX' };

async function update(token: string, input: Record<string, unknown>): Promise<unknown> {
  const { data, text } = await house.api.query<{ updateGuide: unknown }>(UPDATE, { input }, token);
  if (!data) throw new Error(text);
  return data.updateGuide;
}
const done = (version: number) => ({ __typename: 'GuidePayload', guide: { version } });
const invalid = (field: string, reason: string) => ({ __typename: 'InvalidInputError', field, reason });

const ask = (guideId: string, token: string) => house.api.query<{ guide: Record<string, unknown> | null }>(`query ($id: ID!) { guide(id: $id) { ${BANK} } }`, { id: guideId }, token);

test('bank data are the guide’s and administrators’; sharing them is his decision alone; staff cannot even ask', async () => {
  const guideId = await house.records.guide();
  const [{ token: guide }, { token: staff }, { token: administrator }] = [
    await house.records.signedIn('GUIDE', { guideId }),
    await house.records.signedIn('STAFF'),
    await house.records.signedIn('ADMINISTRATOR'),
  ];
  const { token: another } = await house.records.signedIn('GUIDE', { guideId: await house.records.guide() });
  expect(await update(administrator, { guideId, expectedVersion: 1, bankData: ACCOUNT })).toEqual(done(2));
  expect(await update(staff, { guideId, expectedVersion: 2, bankData: ACCOUNT })).toEqual(invalid('input.bankData', 'CONFLICTING'));
  for (const token of [staff, administrator]) expect(await update(token, { guideId, expectedVersion: 2, sharesBankData: true })).toEqual(invalid('input.sharesBankData', 'CONFLICTING'));
  expect((await ask(guideId, guide)).data).toEqual({ guide: { bankData: ACCOUNT, sharesBankData: false } });
  expect(await update(guide, { guideId, expectedVersion: 2, sharesBankData: true, bankData: { accountHolder: 'Greta', iban: 'AT61 1904 3002 3457 3201' } })).toEqual(done(3));
  const changed = { guide: { bankData: { accountHolder: 'Greta', iban: 'AT611904300234573201', bic: null }, sharesBankData: true } };
  expect((await ask(guideId, administrator)).data).toEqual(changed);
  expect((await ask(guideId, another)).data).toEqual({ guide: null });
  expect((await ask(guideId, staff)).errors?.map(({ extensions }) => extensions?.['code'])).toContain('FORBIDDEN');
  expect((await ask(guideId, staff)).text).not.toContain('AT61');
  expect(await update(guide, { guideId, expectedVersion: 3, bankData: { ...ACCOUNT, iban: '' } })).toEqual(done(4));
  expect((await ask(guideId, guide)).data).toEqual({ guide: { bankData: null, sharesBankData: true } });
  const log = await house.records.query(`select * from audit_entry where subject_id = $1`, [guideId]);
  expect(log).toHaveLength(3);
  expect(JSON.stringify(log)).not.toMatch(/AT61|DE89|Greta|COBA/);
});

test.each([
  [{ ...ACCOUNT, iban: 'DE88370400440532013000' }, 'input.bankData.iban', 'MALFORMED'],
  [{ ...ACCOUNT, bic: 'COBA' }, 'input.bankData.bic', 'MALFORMED'],
  [{ ...ACCOUNT, accountHolder: ' ' }, 'input.bankData.accountHolder', 'REQUIRED'],
  [{ ...ACCOUNT, accountHolder: 'x'.repeat(141) }, 'input.bankData.accountHolder', 'TOO_LONG'],
])('bank data that are none are refused by name: %j', async (bankData, field, reason) => {
  const guideId = await house.records.guide();
  const { token } = await house.records.signedIn('GUIDE', { guideId });
  expect(await update(token, { guideId, expectedVersion: 1, bankData })).toEqual(invalid(field, reason));
});

describe('stamps', () => {
  const stampsOf = (guideId: string) => house.records.query<{ field: string; stamp: string }>('select field, stamp from profile_stamp where guide_id = $1 order by field', [guideId]);

  test('a new guide’s profile is stamped where it says something', async () => {
    const { token } = await house.records.signedIn('STAFF');
    const { data } = await house.api.query<{ createGuide: { guide: { id: string } } }>(
      'mutation ($input: CreateGuideInput!) { createGuide(input: $input) { ... on GuidePayload { guide { id } } } }',
      { input: { idempotencyKey: newKey(), firstName: 'A', lastName: 'B', phone: '1' } },
      token,
    );
    const stamps = await stampsOf(data.createGuide.guide.id);
    expect(stamps.map(({ field }) => field)).toEqual(['firstName', 'lastName', 'phone']);
    expect(new Set(stamps.map(({ stamp }) => stamp)).size).toBe(1);
    expect(stamps[0]?.stamp).toMatch(/^\d{15}-\d{8}-museum$/);
  });

  test('a change stamps the fields that say something else now, later than before; limits, offers and the switch have none', async () => {
    const guideId = await house.records.guide({ firstName: 'Anna', languages: ['de', 'en'] });
    const { token } = await house.records.signedIn('STAFF');
    await update(token, { guideId, expectedVersion: 1, firstName: 'Anna', languages: ['de', 'en'], active: false, offerIds: [] });
    expect(await stampsOf(guideId)).toEqual([]);
    await update(token, { guideId, expectedVersion: 2, firstName: 'Anne', email: '' });
    const [first, ...others] = await stampsOf(guideId);
    expect([first?.field, others]).toEqual(['firstName', []]);
    await update(token, { guideId, expectedVersion: 3, firstName: 'Ann', phone: '2' });
    const [name, phone] = await stampsOf(guideId);
    expect([name?.field, phone?.field, phone?.stamp]).toEqual(['firstName', 'phone', name?.stamp]);
    expect((name?.stamp ?? '') > (first?.stamp ?? '')).toBe(true);
  });

  test('another address in the profile is not another address to sign in with', async () => {
    const guideId = await house.records.guide();
    const account = await house.records.signedIn('GUIDE', { guideId });
    await update(account.token, { guideId, expectedVersion: 1, email: 'elsewhere@example.org' });
    expect(await house.records.query('select email from account where id = $1', [account.id])).toEqual([{ email: account.email }]);
  });
});
