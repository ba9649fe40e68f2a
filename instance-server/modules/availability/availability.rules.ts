import { InputReason, invalidInput } from '../../platform/errors/user-error.js';
import { checkRange, knownTimeZone, type TimeRange } from '../../platform/time.js';
import { checkInteger } from '../../platform/validation.js';
import type { RulePattern } from './computation.js';
import { dateOf, dayNumber } from './days.js';
import { checkRecurrence } from './recurrence.js';
import { STEP_MINUTES, STEP_MS } from './spans.js';

/** What a guide may have at most. */
export const RULE_LIMITS = { rules: 50, exceptDates: 366, holidays: 200 } as const;

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const GRID_TIME = /^([01]\d|2[0-3]):(00|15|30|45)$/;
const isDate = (text: string): boolean => DATE.test(text) && !Number.isNaN(Date.parse(text)) && text >= '1970-01-01' && text < '2200-01-01' && dateOf(dayNumber(text)) === text;

function checkDate(date: string, field: string): string {
  if (!isDate(date)) throw invalidInput(field, InputReason.MALFORMED, `${field} is no day between 1970 and 2200.`);
  return date;
}

/** Sorted, each once. @throws Refusal */
export function checkDates(dates: readonly string[], field: string, most: number): string[] {
  if (dates.length > most) throw invalidInput(field, InputReason.OUT_OF_RANGE, `${field} may hold ${most} days at most.`);
  return [...new Set(dates.map((date, index) => checkDate(date, `${field}.${index}`)))].sort();
}

/** A time of day in steps. @throws Refusal */
export function checkTimeOfDay(time: string, field: string): string {
  if (!GRID_TIME.test(time)) throw invalidInput(field, InputReason.OFF_GRID, `${field} is a time of day in steps of ${STEP_MINUTES} minutes, such as 09:15.`);
  return time;
}

/**
 * Everything about a rule that evaluation relies on, in the form it is kept in. For what people enter and what other houses send alike:
 * a rule that passes can be evaluated for any range at a bounded cost.
 * @throws Refusal whose field begins with `field`
 */
export function checkRule(rule: RulePattern, field: string): RulePattern {
  const timeZone = rule.timeZone.length <= 64 ? knownTimeZone(rule.timeZone) : undefined;
  if (!timeZone) throw invalidInput(`${field}.timeZone`, InputReason.UNKNOWN_TIME_ZONE, 'This is no IANA time zone.');
  const startTime = checkTimeOfDay(rule.startTime, `${field}.startTime`);
  const durationMinutes = checkInteger(rule.durationMinutes, `${field}.durationMinutes`, STEP_MINUTES, 1440);
  if (durationMinutes % STEP_MINUTES !== 0) throw invalidInput(`${field}.durationMinutes`, InputReason.OFF_GRID, `A duration is a multiple of ${STEP_MINUTES} minutes.`);
  const validFrom = checkDate(rule.validFrom, `${field}.validFrom`);
  const validUntil = rule.validUntil === null ? null : checkDate(rule.validUntil, `${field}.validUntil`);
  if (validUntil !== null && validUntil < validFrom) throw invalidInput(`${field}.validUntil`, InputReason.END_BEFORE_START, 'The last day must not come before the first.');
  return {
    timeZone,
    startTime,
    durationMinutes,
    rrule: checkRecurrence(rule.rrule, dayNumber(validFrom), `${field}.rrule`),
    validFrom,
    validUntil,
    exceptDates: checkDates(rule.exceptDates, `${field}.exceptDates`, RULE_LIMITS.exceptDates),
    skipsHolidays: rule.skipsHolidays,
    holidays: checkDates(rule.holidays, `${field}.holidays`, RULE_LIMITS.holidays),
  };
}

/** A range in whole steps, a year at most. @throws Refusal */
export function checkStepRange(range: TimeRange, field: string): TimeRange {
  for (const end of ['start', 'end'] as const) {
    if (range[end].getTime() % STEP_MS !== 0) throw invalidInput(`${field}.${end}`, InputReason.OFF_GRID, `${field}.${end} must lie on a quarter of an hour.`);
  }
  return checkRange(range, field);
}
