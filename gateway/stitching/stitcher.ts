import { getArgumentValues, isObjectType, type GraphQLError, type GraphQLSchema } from 'graphql';
import { instanceUnavailable, type ErrorPath, type UnavailableReason } from '../errors.js';
import type { Directory, RegisteredInstance } from '../types.js';
import { UpstreamFailure, type Upstream } from '../upstream/upstream.js';
import { parseInstant } from './leaf.js';
import { mergeList, type Contribution } from './merge.js';
import { isRecord, readPartnerAnswer, type PartnerEntry, type QueriedRange } from './partner-answer.js';
import { partnerBody, type StitchedList, type StitchedSelection } from './selection.js';

/** What the partners need to be asked about one object. */
export interface StitchQuestion {
  readonly selection: StitchedSelection;
  /** `linkedGrants` as the home instance gave them; unchecked. */
  readonly grants: unknown;
  readonly home: string;
  /** As the client sent them. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** With defaults, as graphql-js coerces them. */
  readonly coerced: Readonly<Record<string, unknown>>;
  readonly requestId: string;
}

/** A partner's part of one object: its entries for each list, or why there are none. */
export type PartnerPart =
  | { readonly instance: RegisteredInstance; readonly lists: readonly (readonly PartnerEntry[])[] }
  | { readonly code: string; readonly reason: UnavailableReason };

interface Grant {
  readonly instance: string;
  readonly token: string;
  readonly globalId: string;
}

const maxCodeLength = 63;
const maxGrantLength = 8_192;

/**
 * Responsible for: asking the instances a guide is coupled in, all at once, and never believing more than was asked.
 * Talks to: partners through Upstream, showing each its own grant and nothing else of the viewer.
 */
export class Stitcher {
  constructor(
    private readonly upstream: Upstream,
    private readonly directory: Directory,
    private readonly schema: GraphQLSchema,
    private readonly maxEntries: number,
  ) {}

  /** Never rejects: a partner that fails is a part with a reason. */
  askPartners(question: StitchQuestion): Promise<PartnerPart[]> {
    const grants = readGrants(question.grants, question.home);
    if (grants.length === 0) return Promise.resolve([]);
    const ranges = question.selection.lists.map((list) => this.queriedRange(list, question.coerced));
    return Promise.all(grants.map((grant) => this.askPartner(question, grant, ranges)));
  }

  private async askPartner(
    { selection, variables, requestId }: StitchQuestion,
    grant: Grant,
    ranges: readonly (QueriedRange | undefined)[],
  ): Promise<PartnerPart> {
    const instance = this.directory.get(grant.instance);
    if (instance === undefined) return { code: grant.instance, reason: 'NOT_REGISTERED' };
    try {
      const body = partnerBody(selection, grant.globalId, variables);
      const answer = await this.upstream.send(instance, body, { token: grant.token, clientAddress: undefined, requestId });
      return { instance, lists: readPartnerAnswer(selection, ranges, answer, this.maxEntries) };
    } catch (error) {
      return { code: grant.instance, reason: error instanceof UpstreamFailure ? error.reason : 'FAILED' };
    }
  }

  private queriedRange(
    { definition, node }: StitchedList,
    coerced: Readonly<Record<string, unknown>>,
  ): QueriedRange | undefined {
    const parent = this.schema.getType(definition.parentType);
    const field = isObjectType(parent) ? parent.getFields()[definition.field] : undefined;
    if (field === undefined || !field.args.some(({ name }) => name === 'range')) return undefined;
    const { range } = getArgumentValues(field, node, coerced);
    if (!isRecord(range)) return undefined;
    return { start: parseInstant(range['start']), end: parseInstant(range['end']) };
  }
}

/** Puts the parts into the object's stitched lists. A list that home could not give stays null. */
export function mergeParts(
  selection: StitchedSelection,
  object: Record<string, unknown>,
  parts: readonly PartnerPart[],
): void {
  for (const [index, list] of selection.lists.entries()) {
    const home = object[list.key];
    if (!Array.isArray(home)) continue;
    const contributions: Contribution[] = [];
    for (const part of parts) {
      if ('lists' in part) contributions.push({ instance: part.instance, entries: part.lists[index] ?? [] });
    }
    object[list.key] = mergeList(list, home, contributions);
  }
}

/** One error for each list and each partner whose part is missing from it. */
export function partErrors(selection: StitchedSelection, parts: readonly PartnerPart[], path: ErrorPath): GraphQLError[] {
  return parts.flatMap((part) =>
    'reason' in part
      ? selection.lists.map((list) => instanceUnavailable(part.code, part.reason, [...path, list.key]))
      : [],
  );
}

/** One grant for each instance; home needs none for itself. What is no grant is passed over. */
function readGrants(value: unknown, home: string): Grant[] {
  if (!Array.isArray(value)) return [];
  const grants = new Map<string, Grant>();
  for (const item of value) {
    if (!isRecord(item)) continue;
    const { instance, token, globalId } = item;
    if (typeof instance !== 'string' || typeof token !== 'string' || typeof globalId !== 'string') continue;
    if (instance === home || instance.length > maxCodeLength || token.length > maxGrantLength) continue;
    if (!grants.has(instance)) grants.set(instance, { instance, token, globalId });
  }
  return [...grants.values()];
}
