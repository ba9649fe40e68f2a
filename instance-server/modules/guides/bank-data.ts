import { InputReason, invalidInput } from '../../platform/errors/user-error.js';
import { checkText } from '../../platform/validation.js';

/** Where a guide is paid. One field of his profile: parts of two accounts make none. */
export interface BankData {
  accountHolder: string;
  iban: string;
  bic: string | null;
}

const IBAN = /^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/;
// ISO 9362: institution, country, place, branch.
const BIC = /^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$/;

/** ISO 13616: the first four characters moved to the end, letters as 10…35, are 1 modulo 97. Lengths by country are not checked: houses with different releases must take the same. */
export function isIban(text: string): boolean {
  if (!IBAN.test(text)) return false;
  let rest = 0;
  for (const character of text.slice(4) + text.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

export const isBic = (text: string): boolean => BIC.test(text);

const compact = (text: string): string => text.replaceAll(/[\s-]/g, '').toUpperCase();

/** In the form they are kept in; null for an empty IBAN, which removes them. @throws Refusal */
export function checkBankData(given: { accountHolder: string; iban: string; bic?: string | null }, field: string): BankData | null {
  const iban = compact(given.iban);
  if (iban === '') return null;
  if (!isIban(iban)) throw invalidInput(`${field}.iban`, InputReason.MALFORMED, 'This is not an IBAN; its check digits do not fit.');
  const bic = compact(given.bic ?? '');
  if (bic !== '' && !isBic(bic)) throw invalidInput(`${field}.bic`, InputReason.MALFORMED, 'This is not a BIC such as GENODEF1XXX.');
  return { accountHolder: checkText(given.accountHolder, `${field}.accountHolder`, { max: 140 }), iban, bic: bic || null };
}
