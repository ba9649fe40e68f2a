import {
  Kind,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLSchema,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { grantsField, type LoadedSupergraph, type StitchedField } from '../supergraph.js';
import { collectFields, selectionSetsOf } from './shape.js';
import type { SpecialisedOperation } from './specialise.js';

/** Every alias the gateway adds begins so; clients may not use such names (`limits.ts`). */
export const reservedPrefix = '_lotse';

/** What stands where a client has left a field with nothing selected. */
export const placeholder: FieldNode = leaf('__typename');

/** Undoes the reserved aliases in the path of an error. */
export function clientPath(path: readonly (string | number)[]): (string | number)[] {
  return path.map((segment) => {
    if (segment === grantsKey) return grantsField;
    return typeof segment === 'string' && segment.startsWith(`${reservedPrefix}_`)
      ? segment.slice(reservedPrefix.length + 1)
      : segment;
  });
}

export const grantsKey = `${reservedPrefix}_grants`;

/** The operation is right but of a kind that is left to the stock executor. */
export class NotListed extends Error {
  override readonly name = 'NotListed';
}

export interface InstrumentOptions {
  /** Adds the grants beside each stitched field, for operations that go to the home instance in one piece. */
  readonly grants: boolean;
}

/**
 * Adds, under reserved aliases, what merging needs and the client did not select: the key, start, origin and
 * instance of each entry and, if asked for, the grants of its parent. Conditions must have been resolved before.
 */
export function instrument(
  loaded: LoadedSupergraph,
  specialised: SpecialisedOperation,
  options: InstrumentOptions,
): SpecialisedOperation {
  const walker = new Instrumenter(loaded, specialised.fragments, options);
  const { operation } = specialised;
  const root = loaded.schema.getRootType(operation.operation);
  if (root === undefined || root === null) throw new NotListed('no such root type');
  const selectionSet = walker.selectionSet(operation.selectionSet, root);
  return { operation: { ...operation, selectionSet }, fragments: walker.fragments() };
}

class Instrumenter {
  private readonly schema: GraphQLSchema;
  private readonly done = new Map<string, FragmentDefinitionNode>();

  constructor(
    private readonly loaded: LoadedSupergraph,
    private readonly original: ReadonlyMap<string, FragmentDefinitionNode>,
    private readonly options: InstrumentOptions,
  ) {
    this.schema = loaded.schema;
  }

  fragments(): ReadonlyMap<string, FragmentDefinitionNode> {
    return this.done;
  }

  selectionSet(set: SelectionSetNode, parent: GraphQLCompositeType): SelectionSetNode {
    let stitched = false;
    const selections: SelectionNode[] = set.selections.map((selection) => {
      switch (selection.kind) {
        case Kind.FIELD: {
          const definition = this.stitchedField(parent, selection.name.value);
          stitched ||= definition !== undefined;
          return this.field(selection, parent, definition);
        }
        case Kind.INLINE_FRAGMENT: {
          const type = this.composite(selection.typeCondition?.name.value) ?? parent;
          return { ...selection, selectionSet: this.selectionSet(selection.selectionSet, type) };
        }
        case Kind.FRAGMENT_SPREAD:
          this.fragment(selection.name.value);
          return selection;
      }
    });
    if (stitched && this.options.grants) selections.push(grantsNode);
    return { ...set, selections };
  }

  private field(node: FieldNode, parent: GraphQLCompositeType, stitched: StitchedField | undefined): FieldNode {
    if (node.selectionSet === undefined) return node;
    if (node.name.value === '_entities') {
      // The union of entities is not in the client API: its fragments name their types themselves.
      return { ...node, selectionSet: this.selectionSet(node.selectionSet, parent) };
    }
    if (stitched !== undefined) {
      const selections = [...node.selectionSet.selections, ...this.missingKeys(stitched, node.selectionSet)];
      // Fragments used only inside an entry are kept as they are.
      this.selectionSet(node.selectionSet, stitched.entryType);
      return { ...node, selectionSet: { ...node.selectionSet, selections } };
    }
    const type = isAbstractOrObject(parent) ? parent.getFields()[node.name.value]?.type : undefined;
    const named = type === undefined ? undefined : getNamedType(type);
    if (named === undefined || !isCompositeType(named)) return node;
    return { ...node, selectionSet: this.selectionSet(node.selectionSet, named) };
  }

  private fragment(name: string): void {
    const fragment = this.original.get(name);
    if (fragment === undefined || this.done.has(name)) return;
    const type = this.composite(fragment.typeCondition.name.value);
    if (type === undefined) throw new NotListed('a fragment on an unknown type');
    this.done.set(name, fragment);
    this.done.set(name, { ...fragment, selectionSet: this.selectionSet(fragment.selectionSet, type) });
  }

  private stitchedField(parent: GraphQLCompositeType, field: string): StitchedField | undefined {
    if (isAbstractType(parent)) {
      const through = this.schema
        .getPossibleTypes(parent)
        .some((type) => this.loaded.stitched.has(`${type.name}.${field}`));
      if (through) throw new NotListed('a stitched field through an interface');
    }
    return this.loaded.stitched.get(`${parent.name}.${field}`);
  }

  private composite(name: string | undefined): GraphQLCompositeType | undefined {
    const type = name === undefined ? undefined : this.schema.getType(name);
    return type !== undefined && isCompositeType(type) ? type : undefined;
  }

  private missingKeys({ entryType }: StitchedField, set: SelectionSetNode): FieldNode[] {
    const fields = collectFields(this.schema, this.original, entryType, [set]);
    const missing = ['id', 'start', 'origin']
      .filter((name) => !fields.some((field) => field.name === name))
      .map((name) => leaf(name));
    const instances = fields.filter((field) => field.name === 'instance');
    const hasCode = instances.some((field) => {
      const type = field.type;
      if (!isObjectType(type)) return false;
      return collectFields(this.schema, this.original, type, selectionSetsOf(field)).some(({ name }) => name === 'code');
    });
    return hasCode ? missing : [...missing, instanceNode];
  }
}

function isAbstractOrObject(type: GraphQLCompositeType) {
  return isObjectType(type) || isInterfaceType(type);
}

function leaf(name: string): FieldNode {
  return {
    kind: Kind.FIELD,
    alias: { kind: Kind.NAME, value: `${reservedPrefix}_${name}` },
    name: { kind: Kind.NAME, value: name },
  };
}

function object(key: string, name: string, fields: readonly string[]): FieldNode {
  return {
    kind: Kind.FIELD,
    alias: { kind: Kind.NAME, value: key },
    name: { kind: Kind.NAME, value: name },
    selectionSet: {
      kind: Kind.SELECTION_SET,
      selections: fields.map((field) => ({ kind: Kind.FIELD, name: { kind: Kind.NAME, value: field } })),
    },
  };
}

const instanceNode = object(`${reservedPrefix}_instance`, 'instance', ['code']);
const grantsNode = object(grantsKey, grantsField, ['instance', 'token', 'globalId', 'replicaAge']);
