import {
  Kind,
  OperationTypeNode,
  getArgumentValues,
  type FieldNode,
  type FragmentDefinitionNode,
  type OperationDefinitionNode,
} from 'graphql';
import type { Route } from '../context.js';
import { invalidInput, unauthenticated } from '../errors.js';
import { isRecord } from '../stitching/partner-answer.js';
import { isIncluded, type Flags } from '../stitching/specialise.js';
import type { LoadedSupergraph } from '../supergraph.js';
import type { Directory, VerifiedViewer } from '../types.js';

/** How the instance of an operation that needs no viewer is read from its argument. */
interface PublicRoute {
  /** Path from the argument to the value. */
  readonly argument: readonly [string, ...string[]];
  /** Refresh and invitation tokens are `<instance code>.<random>`. */
  readonly codeOf: (value: string) => string;
}

const whole = (value: string) => value;
const beforeDot = (value: string) => value.split('.', 1)[0] ?? '';

const publicRoutes: Readonly<Record<string, PublicRoute>> = {
  'Mutation.login': { argument: ['input', 'instance'], codeOf: whole },
  'Mutation.refreshSession': { argument: ['input', 'refreshToken'], codeOf: beforeDot },
  'Mutation.requestPasswordReset': { argument: ['input', 'instance'], codeOf: whole },
  'Mutation.resetPassword': { argument: ['input', 'token'], codeOf: beforeDot },
  'Mutation.acceptInvitation': { argument: ['input', 'token'], codeOf: beforeDot },
};

/** The root fields that go to an instance. Those of the directory and of introspection are everybody's. */
export interface RootFields {
  readonly type: string;
  readonly publicFields: readonly { readonly node: FieldNode; readonly route: PublicRoute }[];
  readonly needsViewer: boolean;
}

export function rootFields(
  loaded: LoadedSupergraph,
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  flags: Flags,
): RootFields {
  const type = loaded.schema.getRootType(operation.operation)?.name ?? 'Query';
  const publicFields: { node: FieldNode; route: PublicRoute }[] = [];
  let needsViewer = false;
  const visited = new Set<string>();
  const visit = (selections: OperationDefinitionNode['selectionSet']['selections']) => {
    for (const selection of selections) {
      if (!isIncluded(selection, flags)) continue;
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        visit(selection.selectionSet.selections);
      } else if (selection.kind === Kind.FRAGMENT_SPREAD) {
        if (visited.has(selection.name.value)) continue;
        visited.add(selection.name.value);
        visit(fragments.get(selection.name.value)?.selectionSet.selections ?? []);
      } else {
        const name = `${type}.${selection.name.value}`;
        if (selection.name.value.startsWith('__') || loaded.rootOwners.get(name) === 'directory') continue;
        const route = publicRoutes[name];
        if (route === undefined) needsViewer = true;
        else publicFields.push({ node: selection, route });
      }
    }
  };
  visit(operation.selectionSet.selections);
  return { type, publicFields, needsViewer };
}

/** Verifies the request's token; `undefined` when it carries none. Rejects with UNAUTHENTICATED. */
export type FindViewer = () => Promise<VerifiedViewer | undefined>;

/** One operation goes to one home. Rejects with UNAUTHENTICATED or INVALID_INPUT. */
export async function routeOperation(
  loaded: LoadedSupergraph,
  directory: Directory,
  fields: RootFields,
  coerced: Readonly<Record<string, unknown>>,
  findViewer: FindViewer,
): Promise<Route> {
  let home: string | undefined;
  for (const { node, route } of fields.publicFields) {
    const code = publicCode(loaded, fields.type, node, route, coerced);
    const field = route.argument.join('.');
    if (directory.get(code) === undefined) {
      throw invalidInput(field, 'UNKNOWN_INSTANCE', 'There is no instance of this code.');
    }
    if (home !== undefined && home !== code) throw severalInstances(field);
    home = code;
  }
  if (!fields.needsViewer) return { home, token: undefined };
  const viewer = await findViewer();
  if (viewer === undefined) throw unauthenticated('TOKEN_MISSING');
  if (home !== undefined && home !== viewer.issuer) throw severalInstances('input');
  return { home: viewer.issuer, token: viewer.token };
}

function severalInstances(field: string) {
  return invalidInput(field, 'SEVERAL_INSTANCES', 'One operation can go to one instance only.');
}

function publicCode(
  loaded: LoadedSupergraph,
  type: string,
  node: FieldNode,
  route: PublicRoute,
  coerced: Readonly<Record<string, unknown>>,
): string {
  const definition = loaded.schema.getRootType(rootKind(type))?.getFields()[node.name.value];
  let value: unknown = definition === undefined ? undefined : getArgumentValues(definition, node, coerced);
  for (const key of route.argument) value = isRecord(value) ? value[key] : undefined;
  // LoginInput.instance may be left out towards an instance; the gateway needs it.
  if (typeof value !== 'string' || value === '') {
    throw invalidInput(route.argument.join('.'), 'REQUIRED', 'The instance must be named.');
  }
  return route.codeOf(value);
}

function rootKind(type: string) {
  return type === 'Mutation' ? OperationTypeNode.MUTATION : OperationTypeNode.QUERY;
}
