import { InputReason, invalidInput } from './errors/user-error.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const EMAIL = /^[^\s@"<>(),:;[\]\\]{1,64}@[^\s@"<>(),:;[\]\\]+\.[^\s@"<>(),:;[\]\\]+$/;
// A NUL cannot be stored by PostgreSQL; other control characters have no place in one-line texts.
// oxlint-disable-next-line no-control-regex -- refusing control characters is the point
const CONTROL = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F]/;

export const hasControlCharacters = (value: string): boolean => CONTROL.test(value);
export const isUuid = (value: string): boolean => UUID.test(value);

interface TextRules {
  max: number;
  min?: number;
}

/** Trimmed text within its bounds. @throws Refusal */
export function checkText(value: string, field: string, { max, min = 1 }: TextRules): string {
  const text = value.trim();
  if (text.length > max) throw invalidInput(field, InputReason.TOO_LONG, `${field} may have ${max} characters at most.`);
  if (text.length < min) throw invalidInput(field, min === 1 ? InputReason.REQUIRED : InputReason.TOO_SHORT, `${field} needs ${min} characters at least.`);
  if (CONTROL.test(text)) throw invalidInput(field, InputReason.MALFORMED, `${field} contains control characters.`);
  return text;
}

/** Like checkText; null and blank text mean "none". */
export function checkOptionalText(value: string | null | undefined, field: string, max: number): string | null {
  if (value === null || value === undefined || value.trim() === '') return null;
  return checkText(value, field, { max });
}

/** Lower-cased address. @throws Refusal */
export function checkEmail(value: string, field: string): string {
  // Lower case first: some letters become longer by it.
  const email = checkText(value.toLowerCase(), field, { max: 254 });
  if (!EMAIL.test(email)) throw invalidInput(field, InputReason.MALFORMED, `${field} is not an e-mail address.`);
  return email;
}

export const checkOptionalEmail = (value: string | null | undefined, field: string): string | null =>
  value === null || value === undefined || value.trim() === '' ? null : checkEmail(value, field);

/** Canonical BCP 47 tag. @throws Refusal */
export function checkLanguage(value: string, field: string): string {
  try {
    const canonical = value.length <= 35 ? new Intl.Locale(value).toString() : '';
    // The canonical form can be longer than what was given.
    if (canonical && canonical.length <= 35) return canonical;
  } catch {
    // Refused below.
  }
  throw invalidInput(field, InputReason.MALFORMED, `${field} is not a language tag such as "de" or "en-GB".`);
}

export function checkLanguages(values: readonly string[], field: string): string[] {
  if (values.length > 50) throw invalidInput(field, InputReason.OUT_OF_RANGE, `${field} may hold 50 languages at most.`);
  return [...new Set(values.map((value, index) => checkLanguage(value, `${field}.${index}`)))];
}

export function checkInteger(value: number, field: string, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw invalidInput(field, InputReason.OUT_OF_RANGE, `${field} must be a whole number between ${min} and ${max}.`);
  }
  return value;
}

/** An ISO 4217 code known to the runtime. */
export function checkCurrency(value: string, field: string): string {
  const code = value.toUpperCase();
  if (!Intl.supportedValuesOf('currency').includes(code)) throw invalidInput(field, InputReason.UNKNOWN, `${field} is not an ISO 4217 currency code.`);
  return code;
}
