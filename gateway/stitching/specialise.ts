import {
  Kind,
  type DirectiveNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';

/** Values of the variables that `@skip` and `@include` look at. */
export type Flags = Readonly<Record<string, boolean>>;

/** One operation with the fragments it uses and without conditions. */
export interface SpecialisedOperation {
  readonly operation: OperationDefinitionNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
}

export function fragmentsOf(document: DocumentNode): Map<string, FragmentDefinitionNode> {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  return fragments;
}

/** The names of the variables that decide about conditions anywhere in the operation, sorted. */
export function flagVariables(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): string[] {
  const names = new Set<string>();
  const visited = new Set<string>();
  const visit = (selections: readonly SelectionNode[]) => {
    for (const selection of selections) {
      for (const directive of selection.directives ?? []) {
        const value = conditionValue(directive);
        if (value?.kind === Kind.VARIABLE) names.add(value.name.value);
      }
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const name = selection.name.value;
        if (visited.has(name)) continue;
        visited.add(name);
        visit(fragments.get(name)?.selectionSet.selections ?? []);
      } else {
        visit(selection.selectionSet?.selections ?? []);
      }
    }
  };
  visit(operation.selectionSet.selections);
  return [...names].sort();
}

/** Whether a selection is taken. Unknown variables count as not given, as in graphql-js after validation they cannot be. */
export function isIncluded(selection: SelectionNode, flags: Flags): boolean {
  for (const directive of selection.directives ?? []) {
    const value = conditionValue(directive);
    if (value === undefined) continue;
    const flag = value.kind === Kind.VARIABLE ? flags[value.name.value] === true : value.kind === Kind.BOOLEAN && value.value;
    if (directive.name.value === 'skip' ? flag : !flag) return false;
  }
  return true;
}

/**
 * Resolves `@skip` and `@include`, and drops fragments and variables that nothing uses any more.
 * A field may be left with nothing selected, which GraphQL allows but no document can say: it then gets the
 * placeholder, or without one the answer is `undefined`.
 */
export function specialise(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  flags: Flags,
  placeholder?: SelectionNode,
): SpecialisedOperation | undefined {
  const pruner = new Pruner(fragments, flags, placeholder);
  const selectionSet = pruner.selectionSet(operation.selectionSet);
  if (selectionSet === undefined || pruner.emptied) return undefined;
  const kept = pruner.used();
  return {
    operation: withUsedVariables({ ...operation, selectionSet, directives: [] }, kept),
    fragments: kept,
  };
}

class Pruner {
  emptied = false;
  private readonly done = new Map<string, FragmentDefinitionNode | undefined>();

  constructor(
    private readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>,
    private readonly flags: Flags,
    private readonly placeholder: SelectionNode | undefined,
  ) {}

  used(): Map<string, FragmentDefinitionNode> {
    const used = new Map<string, FragmentDefinitionNode>();
    for (const [name, fragment] of this.done) {
      if (fragment !== undefined) used.set(name, fragment);
    }
    return used;
  }

  /** `undefined` when nothing is left. */
  selectionSet(set: SelectionSetNode): SelectionSetNode | undefined {
    const selections: SelectionNode[] = [];
    for (const selection of set.selections) {
      if (!isIncluded(selection, this.flags)) continue;
      const pruned = this.selection(selection);
      if (pruned !== undefined) selections.push(pruned);
    }
    return selections.length === 0 ? undefined : { kind: Kind.SELECTION_SET, selections };
  }

  private selection(selection: SelectionNode): SelectionNode | undefined {
    const directives = (selection.directives ?? []).filter((directive) => conditionValue(directive) === undefined);
    switch (selection.kind) {
      case Kind.FRAGMENT_SPREAD:
        return this.fragment(selection.name.value) === undefined ? undefined : { ...selection, directives };
      case Kind.INLINE_FRAGMENT: {
        const selectionSet = this.selectionSet(selection.selectionSet);
        return selectionSet === undefined ? undefined : { ...selection, directives, selectionSet };
      }
      case Kind.FIELD: {
        if (selection.selectionSet === undefined) return { ...selection, directives };
        const selectionSet = this.selectionSet(selection.selectionSet);
        if (selectionSet !== undefined) return { ...selection, directives, selectionSet };
        if (this.placeholder !== undefined) {
          return { ...selection, directives, selectionSet: { kind: Kind.SELECTION_SET, selections: [this.placeholder] } };
        }
        this.emptied = true;
        return undefined;
      }
    }
  }

  private fragment(name: string): FragmentDefinitionNode | undefined {
    if (this.done.has(name)) return this.done.get(name);
    const fragment = this.fragments.get(name);
    const selectionSet = fragment === undefined ? undefined : this.selectionSet(fragment.selectionSet);
    const pruned =
      fragment === undefined || selectionSet === undefined ? undefined : { ...fragment, directives: [], selectionSet };
    this.done.set(name, pruned);
    return pruned;
  }
}

function conditionValue(directive: DirectiveNode): ValueNode | undefined {
  if (directive.name.value !== 'skip' && directive.name.value !== 'include') return undefined;
  return directive.arguments?.find((argument) => argument.name.value === 'if')?.value;
}

function withUsedVariables(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): OperationDefinitionNode {
  const names = new Set<string>();
  collectVariables(operation.selectionSet, names);
  for (const fragment of fragments.values()) collectVariables(fragment.selectionSet, names);
  const variableDefinitions = (operation.variableDefinitions ?? []).filter((definition) =>
    names.has(definition.variable.name.value),
  );
  return { ...operation, variableDefinitions };
}

/** Adds the variables used in arguments and directives below this selection set, fragments spread there excluded. */
function collectVariables(set: SelectionSetNode, names: Set<string>): void {
  for (const selection of set.selections) {
    for (const directive of selection.directives ?? []) {
      for (const argument of directive.arguments ?? []) variablesOf(argument.value, names);
    }
    if (selection.kind === Kind.FIELD) {
      for (const argument of selection.arguments ?? []) variablesOf(argument.value, names);
    }
    if (selection.kind !== Kind.FRAGMENT_SPREAD && selection.selectionSet !== undefined) {
      collectVariables(selection.selectionSet, names);
    }
  }
}

export function variablesOf(value: ValueNode, names: Set<string>): void {
  switch (value.kind) {
    case Kind.VARIABLE:
      names.add(value.name.value);
      return;
    case Kind.LIST:
      for (const item of value.values) variablesOf(item, names);
      return;
    case Kind.OBJECT:
      for (const field of value.fields) variablesOf(field.value, names);
      return;
    default:
  }
}

export function documentOf({ operation, fragments }: SpecialisedOperation): DocumentNode {
  return { kind: Kind.DOCUMENT, definitions: [operation, ...fragments.values()] };
}
