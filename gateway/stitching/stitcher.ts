import { getArgumentValues, isObjectType, type GraphQLError, type GraphQLSchema } from 'graphql';
import { partUnavailable, type ErrorPath, type UnavailableReason } from '../errors.js';
import type { Directory, RegisteredInstance } from '../types.js';
import { UpstreamFailure, type Upstream } from '../upstream/upstream.js';
import { parseInstant } from './leaf.js';
import { mergeList, type Contribution } from './merge.js';
import { isOfOtherRelease, isRecord, readPartnerAnswer, type PartnerEntry, type QueriedRange } from './partner-answer.js';
import { maxAgeArgument, partnerBody, type StitchedList, type StitchedSelection } from './selection.js';

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
  | MissingPart;

interface MissingPart {
  readonly code: string;
  readonly reason: UnavailableReason;
  /** Age in seconds of home's copy; null when home has no whole one. */
  readonly replicaAge: number | null;
  /** For each list, whether its copy is as good to the client, so that nothing is missing. */
  readonly isFresh: readonly boolean[];
}

interface Grant {
  readonly instance: string;
  readonly token: string;
  readonly globalId: string;
  readonly replicaAge: number | null;
}

/** What is the same for every partner: of each list, the interval asked for and the age of copies that the client accepts. */
interface AskedList {
  readonly range: QueriedRange | undefined;
  readonly maxAge: number;
}

const maxCodeLength = 63;
const maxGrantLength = 8_192;
/** Seconds; home says so too. */
const longestMaxAge = 86_400;

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

  /**
   * Never rejects: a partner that fails is a part with a reason. One whose copy at home is fresh enough for every list is not asked
   * and no part; for one that is asked, its answer counts in every list.
   */
  askPartners(question: StitchQuestion): Promise<PartnerPart[]> {
    const grants = readGrants(question.grants, question.home);
    if (grants.length === 0) return Promise.resolve([]);
    const lists = question.selection.lists.map((list) => this.askedList(list, question.coerced));
    const asked = grants.flatMap((grant) => {
      const isFresh = lists.map(({ maxAge }) => maxAge > 0 && grant.replicaAge !== null && grant.replicaAge <= maxAge);
      return isFresh.every(Boolean) ? [] : [this.askPartner(question, grant, lists, isFresh)];
    });
    return Promise.all(asked);
  }

  private async askPartner(
    { selection, variables, requestId }: StitchQuestion,
    grant: Grant,
    lists: readonly AskedList[],
    isFresh: readonly boolean[],
  ): Promise<PartnerPart> {
    const { instance: code, replicaAge } = grant;
    const instance = this.directory.get(code);
    if (instance === undefined) return { code, reason: 'NOT_REGISTERED', replicaAge, isFresh };
    try {
      const ask = (bodyStart?: string) =>
        this.upstream.send(instance, partnerBody(selection, grant.globalId, variables, bodyStart), { token: grant.token, clientAddress: undefined, requestId });
      let answer = await ask();
      if (selection.olderBodyStart !== undefined && isOfOtherRelease(answer)) answer = await ask(selection.olderBodyStart);
      return { instance, lists: readPartnerAnswer(selection, lists.map(({ range }) => range), answer, this.maxEntries) };
    } catch (error) {
      return { code, reason: error instanceof UpstreamFailure ? error.reason : 'FAILED', replicaAge, isFresh };
    }
  }

  private askedList({ definition, node }: StitchedList, coerced: Readonly<Record<string, unknown>>): AskedList {
    const parent = this.schema.getType(definition.parentType);
    const field = isObjectType(parent) ? parent.getFields()[definition.field] : undefined;
    if (field === undefined) return { range: undefined, maxAge: 0 };
    const { range, [maxAgeArgument]: maxAge } = getArgumentValues(field, node, coerced);
    return {
      range: isRecord(range) ? { start: parseInstant(range['start']), end: parseInstant(range['end']) } : undefined,
      // Home refuses what is out of bounds; until it has, such a wish spares nobody.
      maxAge: typeof maxAge === 'number' && maxAge <= longestMaxAge ? maxAge : 0,
    };
  }

  /** Puts the parts into the object's stitched lists. A list that home could not give stays null. */
  mergeParts(selection: StitchedSelection, object: Record<string, unknown>, parts: readonly PartnerPart[]): void {
    for (const [index, list] of selection.lists.entries()) {
      const home = object[list.key];
      if (!Array.isArray(home)) continue;
      const contributions: Contribution[] = [];
      for (const part of parts) {
        if ('lists' in part) contributions.push({ instance: part.instance, entries: part.lists[index] ?? [] });
      }
      object[list.key] = mergeList(list, home, contributions, this.directory);
    }
  }
}

/** One error for each list and each partner whose part is missing from it. */
export function partErrors(selection: StitchedSelection, parts: readonly PartnerPart[], path: ErrorPath): GraphQLError[] {
  return parts.flatMap((part) => {
    if ('lists' in part) return [];
    const missing = selection.lists.filter((_, index) => part.isFresh[index] !== true);
    return missing.map((list) => partUnavailable(part.code, part.reason, [...path, list.key], part.replicaAge));
  });
}

/** One grant for each instance; home needs none for itself. What is no grant is passed over. */
function readGrants(value: unknown, home: string): Grant[] {
  if (!Array.isArray(value)) return [];
  const grants = new Map<string, Grant>();
  for (const item of value) {
    if (!isRecord(item)) continue;
    const { instance, token, globalId, replicaAge: age } = item;
    if (typeof instance !== 'string' || typeof token !== 'string' || typeof globalId !== 'string') continue;
    if (instance === home || instance.length > maxCodeLength || token.length > maxGrantLength) continue;
    if (!grants.has(instance)) grants.set(instance, { instance, token, globalId, replicaAge: typeof age === 'number' && age >= 0 ? age : null });
  }
  return [...grants.values()];
}
