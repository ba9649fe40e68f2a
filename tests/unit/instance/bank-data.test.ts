import { checkBankData, isBic, isIban } from '../../../instance-server/modules/guides/bank-data.js';

test.each(['DE89370400440532013000', 'AT611904300234573201', 'NO9386011117947', 'MT84MALT011000012345MTLCAST001S', 'LC55HEMM000100010012001200023015'])('%s is an IBAN', (text) => {
  expect(isIban(text)).toBe(true);
});

test('one wrong or two swapped characters are found in any place', () => {
  const right = 'MT84MALT011000012345MTLCAST001S';
  for (let place = 2; place < right.length; place += 1) {
    const [before, character = '', after] = [right.slice(0, place), right[place], right.slice(place + 1)];
    const other = /\d/.test(character) ? String((Number(character) + 1) % 10) : character === 'Z' ? 'A' : String.fromCodePoint((character.codePointAt(0) ?? 0) + 1);
    expect(isIban(before + other + after)).toBe(false);
    const swapped = before + after.slice(0, 1) + character + after.slice(1);
    expect(isIban(swapped)).toBe(swapped === right);
  }
});

test.each(['', 'DE89', 'DE8937040044053201300', 'de89370400440532013000', 'DE89 3704 0044 0532 0130 00', 'D889370400440532013000', `DE89${'0'.repeat(31)}`])('%j is none', (text) => {
  expect(isIban(text)).toBe(false);
});

test('a BIC has eight or eleven characters', () => {
  expect(['COBADEFF', 'COBADEFFXXX', 'COBADEFFXX', 'COBA1EFF', ''].map(isBic)).toEqual([true, true, false, false, false]);
});

test('bank data are kept without spaces, in capitals; an empty IBAN removes them', () => {
  expect(checkBankData({ accountHolder: ' Greta G. ', iban: 'de89 3704 0044 0532 0130 00', bic: 'coba de ff' }, 'x')).toEqual({ accountHolder: 'Greta G.', iban: 'DE89370400440532013000', bic: 'COBADEFF' });
  expect(checkBankData({ accountHolder: 'Greta G.', iban: 'DE89370400440532013000' }, 'x')).toMatchObject({ bic: null });
  expect(checkBankData({ accountHolder: '', iban: ' ', bic: 'x' }, 'x')).toBeNull();
});
