import { InputReason, invalidInput } from '../../platform/errors/user-error.js';
import { dateOf, type DayNumber, dayNumber } from './days.js';
import { isBounded, WEEKDAYS } from './recurring-days.js';

export const MAX_RECURRENCE_LENGTH = 250;
const MAX_COUNT = 366;

type Frequency = 'DAILY' | 'WEEKLY' | 'MONTHLY' | 'YEARLY';

/** Longest interval of each frequency: a decade at most. */
const MAX_INTERVAL: Record<Frequency, number> = { DAILY: 366, WEEKLY: 260, MONTHLY: 120, YEARLY: 10 };
const NUMBER = /^[+-]?\d{1,3}$/;
const WEEKDAY = /^([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)$/;

/** Parts of RFC 5545 §3.3.10 that make no sense for whole days, or that no guide needs; refused by name rather than as unknown. */
const REFUSED: ReadonlySet<string> = new Set(['BYSECOND', 'BYMINUTE', 'BYHOUR', 'BYWEEKNO', 'BYYEARDAY', 'RSCALE', 'SKIP']);
const KNOWN = ['FREQ', 'INTERVAL', 'COUNT', 'UNTIL', 'BYDAY', 'BYMONTHDAY', 'BYMONTH', 'BYSETPOS', 'WKST'];

function parse(text: string, field: string): Map<string, string> {
  const malformed = () => invalidInput(field, InputReason.MALFORMED, `${field} is no RRULE such as FREQ=WEEKLY;BYDAY=MO,WE.`);
  if (text.length > MAX_RECURRENCE_LENGTH) throw invalidInput(field, InputReason.TOO_LONG, `${field} may have ${MAX_RECURRENCE_LENGTH} characters at most.`);
  const parts = new Map<string, string>();
  for (const part of text.toUpperCase().split(';')) {
    const match = /^([A-Z]+)=([A-Z0-9,+-]+)$/.exec(part);
    if (!match) throw malformed();
    const [, name = '', value = ''] = match;
    if (REFUSED.has(name)) throw invalidInput(field, InputReason.OUT_OF_RANGE, `${name} is not supported: rules recur by whole days.`);
    if (!KNOWN.includes(name) || parts.has(name)) throw malformed();
    parts.set(name, value);
  }
  return parts;
}

interface ListRules {
  /** Greatest absolute value. */
  most: number;
  negative: boolean;
}

function checkNumbers(parts: Map<string, string>, name: string, field: string, { most, negative }: ListRules): void {
  const value = parts.get(name);
  if (value === undefined) return;
  const numbers = value.split(',');
  for (const text of numbers) {
    if (!NUMBER.test(text)) throw invalidInput(field, InputReason.MALFORMED, `${name} wants whole numbers.`);
    const number = Number(text);
    if (number === 0 || Math.abs(number) > most || (number < 0 && !negative)) {
      throw invalidInput(field, InputReason.OUT_OF_RANGE, `${name} lies within ${negative ? `±${most}` : `1…${most}`}, without 0.`);
    }
  }
  if (new Set(numbers.map(Number)).size < numbers.length) throw invalidInput(field, InputReason.MALFORMED, `${name} repeats a value.`);
}

function checkWeekdays(parts: Map<string, string>, frequency: Frequency, field: string): void {
  const value = parts.get('BYDAY');
  if (value === undefined) return;
  const days = value.split(',');
  // A year has 53 of a weekday at most; of the same one, and all of them, nobody needs more than every one of a month.
  if (days.length > 35) throw invalidInput(field, InputReason.OUT_OF_RANGE, 'BYDAY may name 35 days at most.');
  if (new Set(days).size < days.length) throw invalidInput(field, InputReason.MALFORMED, 'BYDAY repeats a day.');
  for (const day of days) {
    const match = WEEKDAY.exec(day);
    if (!match) throw invalidInput(field, InputReason.MALFORMED, 'BYDAY wants weekdays such as MO or -1FR.');
    if (match[1] === undefined) continue;
    const ordinal = Math.abs(Number(match[1]));
    if (frequency === 'DAILY' || frequency === 'WEEKLY') throw invalidInput(field, InputReason.MALFORMED, `BYDAY counts weekdays (${day}) of months and years alone.`);
    // Which of the two counts is read in different ways.
    if (parts.has('BYMONTHDAY')) throw invalidInput(field, InputReason.CONFLICTING, `Give ${day} or BYMONTHDAY, not both.`);
    const most = frequency === 'YEARLY' && !parts.has('BYMONTH') ? 53 : 5;
    if (ordinal < 1 || ordinal > most) throw invalidInput(field, InputReason.OUT_OF_RANGE, `BYDAY counts from 1 to ${most}.`);
  }
}

function checkEnd(parts: Map<string, string>, field: string): void {
  const count = parts.get('COUNT');
  const until = parts.get('UNTIL');
  if (count !== undefined && until !== undefined) throw invalidInput(field, InputReason.CONFLICTING, 'Give COUNT or UNTIL, not both.');
  if (count !== undefined && (!/^\d{1,9}$/.test(count) || Number(count) < 1 || Number(count) > MAX_COUNT)) {
    throw invalidInput(field, InputReason.OUT_OF_RANGE, `COUNT lies within 1…${MAX_COUNT}.`);
  }
  if (until !== undefined) {
    const date = /^(\d{4})(\d{2})(\d{2})$/.exec(until)?.slice(1).join('-');
    if (!date || Number.isNaN(Date.parse(date)) || dateOf(dayNumber(date)) !== date) {
      throw invalidInput(field, InputReason.MALFORMED, 'UNTIL wants a day such as 20270630: rules recur by whole days.');
    }
  }
}

/**
 * The recurrence in the form it is kept in. Rules without end are fine: they are only ever evaluated for a range.
 * @throws Refusal for what is no RRULE of RFC 5545, not one of whole days, or absurd
 */
export function checkRecurrence(text: string, validFrom: DayNumber, field: string): string {
  const parts = parse(text, field);
  const frequency = parts.get('FREQ');
  if (frequency === 'SECONDLY' || frequency === 'MINUTELY' || frequency === 'HOURLY') {
    throw invalidInput(field, InputReason.OUT_OF_RANGE, 'FREQ is DAILY, WEEKLY, MONTHLY or YEARLY: rules recur by whole days.');
  }
  if (!frequency || !Object.hasOwn(MAX_INTERVAL, frequency)) throw invalidInput(field, InputReason.MALFORMED, `${field} needs FREQ=DAILY, WEEKLY, MONTHLY or YEARLY.`);
  const of = frequency as Frequency;
  const interval = parts.get('INTERVAL') ?? '1';
  if (!/^\d{1,9}$/.test(interval) || Number(interval) < 1 || Number(interval) > MAX_INTERVAL[of]) {
    throw invalidInput(field, InputReason.OUT_OF_RANGE, `INTERVAL lies within 1…${MAX_INTERVAL[of]} for ${of}.`);
  }
  checkEnd(parts, field);
  checkNumbers(parts, 'BYMONTH', field, { most: 12, negative: false });
  checkNumbers(parts, 'BYMONTHDAY', field, { most: 31, negative: true });
  checkNumbers(parts, 'BYSETPOS', field, { most: 366, negative: true });
  checkWeekdays(parts, of, field);
  const isCalendrical = of === 'MONTHLY' || of === 'YEARLY';
  if (parts.has('BYMONTHDAY') && !isCalendrical) throw invalidInput(field, InputReason.MALFORMED, 'BYMONTHDAY goes with MONTHLY and YEARLY.');
  if (parts.has('BYSETPOS')) {
    if (!isCalendrical || !(parts.has('BYDAY') || parts.has('BYMONTHDAY') || parts.has('BYMONTH'))) {
      throw invalidInput(field, InputReason.MALFORMED, 'BYSETPOS chooses among days that BYDAY, BYMONTHDAY or BYMONTH give in a month or year.');
    }
    if ((parts.get('BYSETPOS') ?? '').split(',').length > 31) throw invalidInput(field, InputReason.OUT_OF_RANGE, 'BYSETPOS may choose 31 days at most.');
  }
  const wkst = parts.get('WKST');
  if (wkst !== undefined && !WEEKDAYS.includes(wkst)) throw invalidInput(field, InputReason.MALFORMED, 'WKST is a weekday such as MO.');
  const recurrence = KNOWN.flatMap((name) => (parts.has(name) ? [`${name}=${parts.get(name)}`] : [])).join(';');
  if (!isBounded(recurrence, validFrom)) throw invalidInput(field, InputReason.OUT_OF_RANGE, 'COUNT is not reached in time; use UNTIL.');
  return recurrence;
}
