import { getNamedType, isEnumType, isNonNullType, type GraphQLOutputType } from 'graphql';

/** Whether a value a partner has sent is one of its type and of a sensible size. */
export type LeafCheck = (value: unknown) => boolean;

const maxIdLength = 200;
const maxTextLength = 2_000;
const maxInteger = 2 ** 31;

/** RFC 3339 with seconds. Date.parse alone would take much more. */
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/u;

/** Milliseconds since the epoch, NaN for what is no instant. */
export function parseInstant(value: unknown): number {
  return typeof value === 'string' && value.length <= 40 && instant.test(value) ? Date.parse(value) : Number.NaN;
}

const text =
  (max: number): LeafCheck =>
  (value) =>
    typeof value === 'string' && value.length <= max;

const checks: Readonly<Record<string, LeafCheck>> = {
  ID: (value) => typeof value === 'string' && value !== '' && value.length <= maxIdLength,
  String: text(maxTextLength),
  DateTime: (value) => !Number.isNaN(parseInstant(value)),
  Boolean: (value) => typeof value === 'boolean',
  Int: (value) => Number.isInteger(value) && Math.abs(value as number) < maxInteger,
  Float: (value) => typeof value === 'number',
};

/** A scalar without a rule of its own must be a short text, a number or a truth value. */
const anyScalar: LeafCheck = (value) =>
  typeof value === 'number' || typeof value === 'boolean' || text(maxTextLength)(value);

export function leafCheck(type: GraphQLOutputType): LeafCheck {
  const named = getNamedType(type);
  const check: LeafCheck = isEnumType(named)
    ? (value) => typeof value === 'string' && named.getValue(value) !== undefined
    : (checks[named.name] ?? anyScalar);
  return isNonNullType(type) ? check : (value) => value === null || check(value);
}
