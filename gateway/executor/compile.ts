import { operationFromDocument } from '@apollo/federation-internals';
import type { PlanNode, QueryPlan, QueryPlanner } from '@apollo/query-planner';
import { isObjectType, OperationTypeNode } from 'graphql';
import { instrument, NotListed } from '../stitching/instrument.js';
import { locate, type Locator } from '../stitching/locator.js';
import { collectFields, projectionOf, selectionSetsOf, type Projection, type ShapeField } from '../stitching/shape.js';
import { documentOf, type SpecialisedOperation } from '../stitching/specialise.js';
import type { LoadedSupergraph, SubgraphName } from '../supergraph.js';
import { requestBody, type RequestBody } from '../upstream/body.js';

/** An answer without any data, as GraphQL writes it: null keys where the schema allows them. */
export type EmptyData = Readonly<Record<string, unknown>> | null;

/** An operation whose plan is of a listed shape, ready to run for any viewer. */
export type CompiledOperation =
  /** One fetch from the home instance, whose data is the answer. */
  | { readonly kind: 'forward'; readonly body: RequestBody; readonly empty: EmptyData }
  /** One fetch from the home instance, whose stitched lists are merged with the partners'. */
  | { readonly kind: 'stitch'; readonly body: RequestBody; readonly empty: EmptyData; readonly locator: Locator }
  /** One fetch from the directory. */
  | { readonly kind: 'directory'; readonly fields: readonly DirectoryField[] };

/** `projection` is absent for `__typename`. */
export interface DirectoryField {
  readonly key: string;
  readonly projection: Projection | undefined;
}

/** `undefined` for every operation that is left to the stock executor. The operation must be free of conditions. */
export function compile(
  loaded: LoadedSupergraph,
  planner: QueryPlanner,
  specialised: SpecialisedOperation,
): CompiledOperation | undefined {
  const { operation, fragments } = specialised;
  const root = loaded.schema.getRootType(operation.operation);
  if (!isObjectType(root)) return undefined;
  const fields = collectFields(loaded.schema, fragments, root, [operation.selectionSet]);
  if (fields.some(({ name }) => name === '__schema' || name === '__type')) return undefined;

  const document = documentOf(specialised);
  const plan = planner.buildQueryPlan(operationFromDocument(loaded.supergraph.apiSchema(), document));
  try {
    switch (listedShape(plan)) {
      case 'forward':
        return { kind: 'forward', body: requestBody(specialised), empty: emptyData(root.name, fields) };
      case 'stitch':
        if (operation.operation !== OperationTypeNode.QUERY) return undefined;
        return stitch(loaded, specialised, emptyData(root.name, fields));
      case 'directory':
        return { kind: 'directory', fields: directoryFields(loaded, specialised, fields) };
      case undefined:
        return undefined;
    }
  } catch (error) {
    if (error instanceof NotListed) return undefined;
    throw error;
  }
}

function listedShape({ node }: QueryPlan): CompiledOperation['kind'] | undefined {
  if (node === undefined) return undefined;
  if (isFetch(node, 'instance')) return 'forward';
  if (isFetch(node, 'directory')) return 'directory';
  if (node.kind !== 'Sequence' || node.nodes.length !== 2) return undefined;
  const [first, second] = node.nodes;
  if (first === undefined || second === undefined || !isFetch(first, 'instance')) return undefined;
  const followers = second.kind === 'Parallel' ? second.nodes : [second];
  return followers.every(isLinkedFlatten) ? 'stitch' : undefined;
}

function isFetch(node: { readonly kind: string }, subgraph: SubgraphName): boolean {
  const fetch = node as PlanNode;
  return fetch.kind === 'Fetch' && fetch.serviceName === subgraph && (fetch.requires ?? []).length === 0;
}

function isLinkedFlatten(node: PlanNode): boolean {
  return node.kind === 'Flatten' && node.node.kind === 'Fetch' && node.node.serviceName === 'linked';
}

function stitch(
  loaded: LoadedSupergraph,
  specialised: SpecialisedOperation,
  empty: EmptyData,
): CompiledOperation | undefined {
  const instrumented = instrument(loaded, specialised, { grants: true });
  const { operation, fragments } = instrumented;
  const root = loaded.schema.getQueryType();
  if (!isObjectType(root)) return undefined;
  const fields = collectFields(loaded.schema, fragments, root, [operation.selectionSet]);
  const locator = locate(loaded, operation, fragments, root, fields);
  if (locator === undefined) return undefined;
  return { kind: 'stitch', body: requestBody(instrumented), empty, locator };
}

export function directoryFields(
  loaded: LoadedSupergraph,
  { fragments }: SpecialisedOperation,
  fields: readonly ShapeField[],
): DirectoryField[] {
  return fields.map((field) => {
    if (field.name === '__typename') return { key: field.key, projection: undefined };
    if (field.name !== 'instances') throw new NotListed('an unknown field of the directory');
    return { key: field.key, projection: projectionOf(loaded.schema, fragments, field.type, selectionSetsOf(field)) };
  });
}

function emptyData(root: string, fields: readonly ShapeField[]): EmptyData {
  if (fields.some(({ nonNull, name }) => nonNull && name !== '__typename')) return null;
  return Object.fromEntries(fields.map(({ key, name }) => [key, name === '__typename' ? root : null]));
}

