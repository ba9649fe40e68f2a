import { createHash } from 'node:crypto';
import { type ClassType, Field, ObjectType } from 'type-graphql';
import { InputReason, invalidInput } from './errors/user-error.js';
import { isWithinTime } from './time.js';
import { isUuid } from './validation.js';
import { VisibleTo } from './visibility/visible-to.js';

/** Entries of a page: when nothing is said, and at most. The latter is the setting LIMIT_PAGE_SIZE, set once when a process starts. */
export const pageLimits = { usual: 50, most: 200 };

@ObjectType({ description: 'Where a page ends and whether another follows.', simpleResolvers: true })
@VisibleTo('ANYONE')
export class PageInfo {
  @Field({ description: 'Whether entries follow this page.' })
  hasNextPage!: boolean;

  @Field(() => String, { nullable: true, description: 'Give this as `after` to get the next page; null on an empty page.' })
  endCursor!: string | null;
}

/** What every edge has: extended by each list's own, which says who may see it. `entry` is what an entry is called. */
export function EdgeOf<Node extends object>(node: () => ClassType<Node>, entry: string) {
  @ObjectType({ simpleResolvers: true })
  abstract class Edge {
    @Field({ description: `Cursor of this ${entry}.` })
    cursor!: string;

    @Field(node, { description: `The ${entry}.` })
    node!: Node;
  }
  return Edge;
}

/** What every page has, likewise. */
export function ConnectionOf<Edge extends object>(edge: () => ClassType<Edge>, entries: string) {
  @ObjectType({ simpleResolvers: true })
  abstract class Connection {
    @Field(() => [edge()], { description: `The ${entries} of this page.` })
    edges!: Edge[];

    @Field(() => PageInfo, { description: 'Where the page ends.' })
    pageInfo!: PageInfo;
  }
  return Connection;
}

/** @throws Refusal when `first` is not within 1…`most`. */
export function pageSize(first: number | null | undefined): number {
  const { usual, most } = pageLimits;
  if (first === null || first === undefined) return Math.min(usual, most);
  if (!Number.isInteger(first) || first < 1 || first > most) {
    throw invalidInput('first', InputReason.OUT_OF_RANGE, `first must lie between 1 and ${most}.`);
  }
  return first;
}

/** Ties a cursor to the list and order it was made for, so that another list's cursor is refused and not misread. */
const tag = (list: string): string => createHash('sha256').update(list).digest('base64url').slice(0, 6);

export const encodeCursor = (list: string, values: readonly string[]): string =>
  Buffer.from(JSON.stringify([tag(list), ...values])).toString('base64url');

type CursorPart = 'instant' | 'uuid' | 'text' | 'integer';

/** The very text that was encoded; whatever else Date would understand did not come from us. */
function isSortableInstant(value: string): boolean {
  const milliseconds = Date.parse(value);
  return !Number.isNaN(milliseconds) && isWithinTime(milliseconds) && new Date(milliseconds).toISOString() === value;
}

const partIsValid: Record<CursorPart, (value: string) => boolean> = {
  instant: isSortableInstant,
  uuid: isUuid,
  integer: (value) => /^(0|[1-9]\d{0,8})$/.test(value),
  text: (value) => !value.includes('\u0000'),
};

/** The values a list is to go on after. @throws Refusal when the text is no cursor of this list. */
export function decodeCursor(list: string, cursor: string | null | undefined, parts: readonly CursorPart[]): string[] | undefined {
  if (cursor === null || cursor === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor.slice(0, 1000), 'base64url').toString('utf8'));
    if (Array.isArray(parsed) && parsed.length === parts.length + 1 && parsed.every((v) => typeof v === 'string') && parsed[0] === tag(list)) {
      const values = parsed.slice(1) as string[];
      if (parts.every((part, index) => partIsValid[part](values[index] ?? ''))) return values;
    }
  } catch {
    // Refused below, like every other text that is no cursor.
  }
  throw invalidInput('after', InputReason.MALFORMED, 'after must be a cursor that this list gave, with the same order.');
}

/** A page of `rows` fetched with one more than asked. */
export function toPage<T>(rows: T[], first: number, cursorOf: (row: T) => string): { edges: { cursor: string; node: T }[]; pageInfo: PageInfo } {
  const edges = rows.slice(0, first).map((node) => ({ cursor: cursorOf(node), node }));
  return { edges, pageInfo: { hasNextPage: rows.length > first, endCursor: edges.at(-1)?.cursor ?? null } };
}

export const FirstDescription = 'How many entries, 1…200 (or what the house has set); 50 unless given.';
export const AfterDescription = 'Cursor of the entry after which to go on, from `pageInfo.endCursor` or an edge.';
