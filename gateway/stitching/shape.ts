import {
  Kind,
  getNamedType,
  isAbstractType,
  isNonNullType,
  isObjectType,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  type SelectionSetNode,
} from 'graphql';

/** A key of a response object, with every field node that was merged into it. */
export interface ShapeField {
  readonly key: string;
  readonly name: string;
  readonly nodes: readonly [FieldNode, ...FieldNode[]];
  /** `undefined` for `__typename` and for fields that clients cannot see. */
  readonly type: GraphQLNamedType | undefined;
  readonly nonNull: boolean;
}

interface OpenField extends ShapeField {
  readonly nodes: [FieldNode, ...FieldNode[]];
}

/**
 * The keys of an object of this type in the order of the GraphQL specification (CollectFields and
 * MergeSelectionSets). Conditions must have been resolved before.
 */
export function collectFields(
  schema: GraphQLSchema,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  parent: GraphQLObjectType,
  sets: readonly SelectionSetNode[],
): ShapeField[] {
  const fields = new Map<string, OpenField>();
  const visited = new Set<string>();

  const collect = (set: SelectionSetNode) => {
    for (const selection of set.selections) {
      switch (selection.kind) {
        case Kind.FIELD: {
          const key = selection.alias?.value ?? selection.name.value;
          const known = fields.get(key);
          if (known === undefined) fields.set(key, shapeField(parent, key, selection));
          else known.nodes.push(selection);
          break;
        }
        case Kind.INLINE_FRAGMENT:
          if (applies(schema, selection.typeCondition?.name.value, parent)) collect(selection.selectionSet);
          break;
        case Kind.FRAGMENT_SPREAD: {
          const name = selection.name.value;
          if (visited.has(name)) break;
          visited.add(name);
          const fragment = fragments.get(name);
          if (fragment !== undefined && applies(schema, fragment.typeCondition.name.value, parent)) {
            collect(fragment.selectionSet);
          }
          break;
        }
      }
    }
  };

  for (const set of sets) collect(set);
  return [...fields.values()];
}

/** The selection sets below a key, to be collected together. */
export function selectionSetsOf(field: ShapeField): SelectionSetNode[] {
  return field.nodes.flatMap((node) => (node.selectionSet === undefined ? [] : [node.selectionSet]));
}

function shapeField(parent: GraphQLObjectType, key: string, node: FieldNode): OpenField {
  const name = node.name.value;
  const type = parent.getFields()[name]?.type;
  return {
    key,
    name,
    nodes: [node],
    type: type === undefined ? undefined : getNamedType(type),
    nonNull: type !== undefined && isNonNullType(type),
  };
}

function applies(schema: GraphQLSchema, condition: string | undefined, parent: GraphQLObjectType): boolean {
  if (condition === undefined || condition === parent.name) return true;
  const type = schema.getType(condition);
  return type !== undefined && isAbstractType(type) && schema.isSubType(type, parent);
}

/** How an object the gateway knows itself is written out under the client's keys. */
export interface Projection {
  readonly typename: string;
  readonly fields: readonly { readonly key: string; readonly name: string; readonly nonNull: boolean }[];
}

export function projectionOf(
  schema: GraphQLSchema,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  type: GraphQLNamedType | undefined,
  sets: readonly SelectionSetNode[],
): Projection {
  if (!isObjectType(type)) throw new TypeError('Only objects can be projected.');
  const fields = collectFields(schema, fragments, type, sets).map(({ key, name, nonNull }) => ({ key, name, nonNull }));
  return { typename: type.name, fields };
}

/** What is not known is null; `null` for the whole object where the schema does not allow that. */
export function project(projection: Projection, values: Readonly<Record<string, unknown>>): Record<string, unknown> | null {
  const result: Record<string, unknown> = {};
  for (const { key, name, nonNull } of projection.fields) {
    const value = name === '__typename' ? projection.typename : (values[name] ?? null);
    if (value === null && nonNull) return null;
    result[key] = value;
  }
  return result;
}
