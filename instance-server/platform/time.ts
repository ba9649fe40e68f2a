import { Temporal } from 'temporal-polyfill';
import { GraphQLError, GraphQLScalarType, Kind } from 'graphql';
import { InputReason, invalidInput } from './errors/user-error.js';

const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;
const LOCAL = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$/;
const EARLIEST = Date.parse('1970-01-01T00:00:00Z');
const LATEST = Date.parse('2200-01-01T00:00:00Z');
/** The times that can be stored, listed and compared; everything else is a slip of the pen. */
export const isWithinTime = (milliseconds: number): boolean => milliseconds >= EARLIEST && milliseconds < LATEST;
const YEAR_MS = 366 * 24 * 3600 * 1000;

function refuse(message: string): never {
  throw new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}

const daysInMonth = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

function parseInstant(value: unknown): Date {
  if (typeof value !== 'string' || value.length > 40 || !INSTANT.test(value)) {
    refuse('DateTime wants an RFC 3339 instant with an offset, such as 2026-03-29T09:00:00+02:00.');
  }
  const milliseconds = Date.parse(value);
  // Strict: what Date would roll over (the 30th of February, 24:00) or refuse is no instant.
  const day = Number(value.slice(8, 10));
  if (Number.isNaN(milliseconds) || day > daysInMonth(Number(value.slice(0, 4)), Number(value.slice(5, 7))) || value.slice(11, 13) === '24') {
    return refuse('DateTime names a day or time that does not exist.');
  }
  if (!isWithinTime(milliseconds)) refuse('DateTime must lie between 1970 and 2200.');
  return new Date(milliseconds);
}

/** An instant as hot reads have it: a Date, or the very text that is sent. */
export type Instant = Date | string;

function isoText(value: unknown): string {
  if (typeof value === 'string' && value.length === 24 && value.endsWith('Z')) return value;
  throw new GraphQLError('An instant is neither a Date nor UTC text.');
}

export const DateTimeScalar = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  description:
    'An instant as RFC 3339 text. Input wants an offset (`2026-03-29T09:00:00+02:00` or `…Z`); output is UTC with milliseconds (`2026-03-29T07:00:00.000Z`).',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
  serialize: (value) => (value instanceof Date ? value.toISOString() : isoText(value)),
  parseValue: parseInstant,
  parseLiteral: (node) => parseInstant(node.kind === Kind.STRING ? node.value : undefined),
});

function parseLocal(value: unknown): string {
  if (typeof value !== 'string' || !LOCAL.test(value)) refuse('LocalDateTime wants wall-clock time without offset, such as 2026-03-29T09:00.');
  return value;
}

export const LocalDateTimeScalar = new GraphQLScalarType<string, string>({
  name: 'LocalDateTime',
  description: 'Wall-clock time in the instance’s time zone, without offset, such as `2026-03-29T09:00`.',
  serialize: String,
  parseValue: parseLocal,
  parseLiteral: (node) => parseLocal(node.kind === Kind.STRING ? node.value : undefined),
});

const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** Strict, as for instants: a day that does not exist is refused. */
function parseDate(value: unknown): string {
  if (typeof value !== 'string' || !DATE.test(value)) return refuse('LocalDate wants a calendar day, such as 2026-03-29.');
  const [year, month, day] = value.split('-').map(Number) as [number, number, number];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) refuse('LocalDate names a day that does not exist.');
  if (!isWithinTime(Date.parse(value))) refuse('LocalDate must lie between 1970 and 2200.');
  return value;
}

export const LocalDateScalar = new GraphQLScalarType<string, string>({
  name: 'LocalDate',
  description: 'A calendar day without time and zone, such as `2026-03-29`.',
  serialize: String,
  parseValue: parseDate,
  parseLiteral: (node) => parseDate(node.kind === Kind.STRING ? node.value : undefined),
});

const TIME = /^([01]\d|2[0-3]):[0-5]\d$/;

function parseTime(value: unknown): string {
  if (typeof value !== 'string' || !TIME.test(value)) return refuse('LocalTime wants hours and minutes of a day, such as 09:30.');
  return value;
}

export const LocalTimeScalar = new GraphQLScalarType<string, string>({
  name: 'LocalTime',
  description: 'A time of day as clocks show it, hours and minutes, such as `09:30`.',
  serialize: String,
  parseValue: parseTime,
  parseLiteral: (node) => parseTime(node.kind === Kind.STRING ? node.value : undefined),
});

/** Half-open `[start, end)`. */
export interface TimeRange {
  start: Date;
  end: Date;
}

/** @throws Refusal when the range is empty, runs backwards or exceeds `maxMs` (a year unless said). */
export function checkRange(range: TimeRange, field: string, maxMs: number = YEAR_MS): TimeRange {
  for (const end of ['start', 'end'] as const) {
    if (!isWithinTime(range[end].getTime())) throw invalidInput(`${field}.${end}`, InputReason.OUT_OF_RANGE, 'Times lie between 1970 and 2200.');
  }
  if (range.end <= range.start) throw invalidInput(`${field}.end`, InputReason.END_BEFORE_START, 'The end must be after the start.');
  if (range.end.getTime() - range.start.getTime() > maxMs) {
    throw invalidInput(`${field}.end`, InputReason.RANGE_TOO_LONG, `The range may span ${Math.floor(maxMs / 86_400_000)} days at most.`);
  }
  return range;
}

/**
 * The instant of a wall-clock time in a zone. A time that the change to summer time skips does not exist, one that the change
 * back repeats means two instants; both are refused rather than guessed.
 * @throws Refusal LOCAL_TIME_SKIPPED, LOCAL_TIME_AMBIGUOUS or MALFORMED
 */
export function instantOfLocal(local: string, timeZone: string, field: string): Date {
  let plain: Temporal.PlainDateTime;
  try {
    plain = Temporal.PlainDateTime.from(local, { overflow: 'reject' });
  } catch {
    throw invalidInput(field, InputReason.MALFORMED, 'This day or time does not exist.');
  }
  const earlier = plain.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  const later = plain.toZonedDateTime(timeZone, { disambiguation: 'later' });
  if (earlier.epochMilliseconds === later.epochMilliseconds) return new Date(earlier.epochMilliseconds);
  if (earlier.toPlainDateTime().equals(plain)) {
    throw invalidInput(field, InputReason.LOCAL_TIME_AMBIGUOUS, `This time occurs twice in ${timeZone} that day; give an instant with its offset.`);
  }
  throw invalidInput(field, InputReason.LOCAL_TIME_SKIPPED, `This time does not occur in ${timeZone} that day: clocks skip it.`);
}

/** Canonical name of an IANA zone, or undefined when there is none of that name (offsets are no zones). */
export function knownTimeZone(name: string): string | undefined {
  if (!/^[A-Za-z_]+(\/[A-Za-z0-9_+-]+)*$/.test(name)) return undefined;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}
