import { LRUCache } from 'lru-cache';
import { Kind, isObjectType, parse, type DocumentNode, type OperationDefinitionNode } from 'graphql';
import type { RequestContext } from '../context.js';
import { unauthenticated } from '../errors.js';
import { instrument, placeholder } from '../stitching/instrument.js';
import { isRecord } from '../stitching/partner-answer.js';
import { stitchedSelection, type StitchedSelection } from '../stitching/selection.js';
import { collectFields } from '../stitching/shape.js';
import { flagVariables, fragmentsOf, specialise, type Flags } from '../stitching/specialise.js';
import { partErrors, type PartnerPart, type Stitcher } from '../stitching/stitcher.js';
import { grantsField, type LoadedSupergraph } from '../supergraph.js';
import { requestBody, writeBody, type RequestBody } from '../upstream/body.js';
import type { Home, HomeAnswer } from '../upstream/home.js';
import type { SubgraphResponse } from './subgraphs.js';

interface LinkedOperation {
  readonly document: DocumentNode;
  readonly flags: readonly string[];
  readonly variants: Map<string, LinkedVariant>;
}

interface LinkedVariant {
  readonly body: RequestBody;
  /** By the type of the representation. */
  readonly selections: ReadonlyMap<string, StitchedSelection>;
}

/**
 * Responsible for: the `linked` subgraph, as the stock executor asks it: an `_entities` operation with the grants in
 * its representations. Talks to: home, with the viewer's token, and the partners, through the Stitcher, all at once.
 */
export class LinkedDataSource {
  private readonly operations: LRUCache<string, LinkedOperation>;

  constructor(
    private readonly loaded: LoadedSupergraph,
    private readonly home: Home,
    private readonly stitcher: Stitcher,
    remembered: number,
  ) {
    this.operations = new LRUCache({ max: remembered });
  }

  async process(
    query: string,
    variables: Readonly<Record<string, unknown>>,
    context: RequestContext,
  ): Promise<SubgraphResponse> {
    if (context.route?.token === undefined) return signInFirst(variables['representations']);
    const coerced = context.coerced ?? variables;
    const variant = this.variant(query, coerced);
    const representations = readRepresentations(variables['representations']);
    const stripped = representations.map(({ typename, id }) => ({ __typename: typename, id }));
    const [home, ...parts] = await Promise.all([
      this.home.ask(context, writeBody(variant.body, { ...variables, representations: stripped })),
      ...representations.map(({ typename, grants }) => {
        const selection = variant.selections.get(typename);
        if (selection === undefined) return [];
        return this.stitcher.askPartners({
          selection,
          grants,
          home: context.route?.home ?? '',
          variables,
          coerced,
          requestId: context.requestId,
        });
      }),
    ]);
    return merged(this.stitcher, variant, representations, home, parts);
  }

  private variant(query: string, coerced: Readonly<Record<string, unknown>>): LinkedVariant {
    let operation = this.operations.get(query);
    if (operation === undefined) {
      const document = parse(query);
      operation = { document, flags: flagVariables(operationOf(document), fragmentsOf(document)), variants: new Map() };
      this.operations.set(query, operation);
    }
    const flags: Flags = Object.fromEntries(operation.flags.map((name) => [name, coerced[name] === true]));
    const key = operation.flags.map((name) => (flags[name] === true ? '1' : '0')).join('');
    let variant = operation.variants.get(key);
    if (variant === undefined) {
      variant = this.compile(operation.document, flags);
      if (operation.variants.size < 64) operation.variants.set(key, variant);
    }
    return variant;
  }

  private compile(document: DocumentNode, flags: Flags): LinkedVariant {
    const specialised = specialise(operationOf(document), fragmentsOf(document), flags, placeholder);
    if (specialised === undefined) throw new TypeError('The linked subgraph was asked for nothing.');
    const instrumented = instrument(this.loaded, specialised, { grants: false });
    const [entities] = instrumented.operation.selectionSet.selections;
    if (entities?.kind !== Kind.FIELD || entities.selectionSet === undefined) {
      throw new TypeError('The linked subgraph was asked for something else than entities.');
    }
    const selections = new Map<string, StitchedSelection>();
    for (const { parentType } of this.loaded.stitched.values()) {
      const type = this.loaded.schema.getType(parentType);
      if (!isObjectType(type) || selections.has(parentType)) continue;
      const fields = collectFields(this.loaded.schema, instrumented.fragments, type, [entities.selectionSet]);
      const selection = stitchedSelection(this.loaded, instrumented.operation, instrumented.fragments, type, fields);
      if (selection !== undefined) selections.set(parentType, selection);
    }
    return { body: requestBody(instrumented), selections };
  }
}

/** A log-in's own answer has no token yet that partners could be asked with: the calendar is to be asked for with the token it gives. */
function signInFirst(representations: unknown): SubgraphResponse {
  const { message, extensions } = unauthenticated('TOKEN_MISSING');
  const entities = Array.isArray(representations) ? representations : [];
  return { data: { _entities: entities.map(() => null) }, errors: entities.map((_, index) => ({ message, path: ['_entities', index], extensions })) };
}

interface Representation {
  readonly typename: string;
  readonly id: unknown;
  readonly grants: unknown;
}

function readRepresentations(value: unknown): Representation[] {
  if (!Array.isArray(value)) throw new TypeError('The linked subgraph was asked without representations.');
  return value.map((item: unknown) => {
    const { __typename, id, [grantsField]: grants } = item as Record<string, unknown>;
    return { typename: String(__typename), id, grants };
  });
}

function merged(
  stitcher: Stitcher,
  { selections }: LinkedVariant,
  representations: readonly Representation[],
  home: HomeAnswer,
  parts: readonly (readonly PartnerPart[])[],
): SubgraphResponse {
  const answered = home.data?.['_entities'];
  const errors: SubgraphResponse['errors'] = home.failed ? [] : [...home.errors];
  const entities = representations.map(({ typename }, index) => {
    const selection = selections.get(typename);
    if (selection === undefined) return null;
    const path = ['_entities', index];
    let entity: unknown = Array.isArray(answered) ? answered[index] : null;
    if (home.failed) {
      // Home went away between the two steps: what the partners have is still shown.
      entity = Object.fromEntries(selection.lists.map(({ key }) => [key, []]));
      for (const list of selection.lists) errors.push(...home.errors.map((error) => ({ ...error, path: [...path, list.key] })));
    }
    if (!isRecord(entity)) return null;
    stitcher.mergeParts(selection, entity, parts[index] ?? []);
    errors.push(...partErrors(selection, parts[index] ?? [], path));
    return entity;
  });
  return { data: { _entities: entities }, errors };
}

function operationOf(document: DocumentNode): OperationDefinitionNode {
  const operation = document.definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new TypeError('The linked subgraph was asked without an operation.');
  return operation;
}
