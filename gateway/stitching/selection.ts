import {
  isLeafType,
  isObjectType,
  print,
  type ArgumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type OperationDefinitionNode,
} from 'graphql';
import type { LoadedSupergraph, StitchedField } from '../supergraph.js';
import { reservedPrefix } from './instrument.js';
import { leafCheck, type LeafCheck } from './leaf.js';
import { collectFields, projectionOf, selectionSetsOf, type Projection, type ShapeField } from './shape.js';
import { variablesOf } from './specialise.js';

/** A key of a foreign entry and where its value comes from. */
export type EntryKey =
  | { readonly key: string; readonly from: 'partner'; readonly name: string }
  | { readonly key: string; readonly from: 'gateway'; readonly value: unknown }
  | { readonly key: string; readonly from: 'instance'; readonly projection: Projection };

export interface AskedLeaf {
  readonly name: string;
  readonly check: LeafCheck;
}

/** One stitched list under one response key. */
export interface StitchedList {
  readonly key: string;
  readonly definition: StitchedField;
  readonly node: FieldNode;
  /** The key in the partner's answer; the client's own alias stays here. */
  readonly partnerKey: string;
  /** The client's keys of a foreign entry, in order. */
  readonly keys: readonly EntryKey[];
  /** Keys in the home's entries that the client did not ask for, last first. */
  readonly hidden: readonly string[];
  /** Where the home's entries carry what merging needs. */
  readonly idKey: string;
  readonly startKey: string;
  readonly originKey: string;
  readonly instanceKey: string;
  readonly instanceCodeKey: string;
  /** What a partner is asked for: the merge keys and the selected values, never an object. */
  readonly asked: readonly AskedLeaf[];
}

/** All stitched lists selected on one object. */
export interface StitchedSelection {
  readonly lists: readonly StitchedList[];
  /** Everything of the partner's request body up to the representation's id and between it and the variables. */
  readonly bodyStart: string;
  /** Names of the client's variables the partner is sent. */
  readonly variables: readonly string[];
}

const representationsVariable = `${reservedPrefix}_representations`;

/** `undefined` when nothing stitched is selected. */
export function stitchedSelection(
  loaded: LoadedSupergraph,
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  parent: GraphQLObjectType,
  fields: readonly ShapeField[],
): StitchedSelection | undefined {
  const lists: StitchedList[] = [];
  for (const field of fields) {
    const definition = loaded.stitched.get(`${parent.name}.${field.name}`);
    if (definition === undefined) continue;
    lists.push(stitchedList(loaded, fragments, definition, field, `list${lists.length}`));
  }
  if (lists.length === 0) return undefined;
  const names = new Set<string>();
  for (const { node } of lists) for (const argument of node.arguments ?? []) variablesOf(argument.value, names);
  const query = partnerQuery(operation, parent, lists, names);
  return {
    lists,
    bodyStart: `{"query":${JSON.stringify(query)},"variables":{"${representationsVariable}":[{"__typename":${JSON.stringify(parent.name)},"id":`,
    variables: [...names],
  };
}

/** The request body that asks a partner about the guide it knows by this global id. */
export function partnerBody(
  selection: StitchedSelection,
  globalId: string,
  variables: Readonly<Record<string, unknown>>,
): string {
  let body = `${selection.bodyStart}${JSON.stringify(globalId)}}]`;
  for (const name of selection.variables) {
    const value = variables[name];
    if (value !== undefined) body += `,${JSON.stringify(name)}:${JSON.stringify(value)}`;
  }
  return `${body}}}`;
}

function stitchedList(
  loaded: LoadedSupergraph,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  definition: StitchedField,
  field: ShapeField,
  partnerKey: string,
): StitchedList {
  const { entryType } = definition;
  const entry = collectFields(loaded.schema, fragments, entryType, selectionSetsOf(field));
  const visible = entry.filter(({ key }) => !key.startsWith(reservedPrefix));
  const instance = instanceKeys(loaded, fragments, entry);
  return {
    key: field.key,
    definition,
    node: field.nodes[0],
    partnerKey,
    keys: visible.map((item) => entryKey(loaded, fragments, entryType, item)),
    hidden: entry.map(({ key }) => key).filter((key) => key.startsWith(reservedPrefix)).toReversed(),
    idKey: keyOf(entry, 'id'),
    startKey: keyOf(entry, 'start'),
    originKey: keyOf(entry, 'origin'),
    instanceKey: instance.key,
    instanceCodeKey: instance.codeKey,
    asked: askedLeaves(entryType, visible),
  };
}

function entryKey(
  loaded: LoadedSupergraph,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  entryType: GraphQLObjectType,
  { key, name, type, nodes }: ShapeField,
): EntryKey {
  if (name === '__typename') return { key, from: 'gateway', value: entryType.name };
  if (name === 'origin') return { key, from: 'gateway', value: 'FOREIGN' };
  if (name === 'instance') {
    const sets = nodes.flatMap((node) => (node.selectionSet === undefined ? [] : [node.selectionSet]));
    return { key, from: 'instance', projection: projectionOf(loaded.schema, fragments, type, sets) };
  }
  if (type !== undefined && isLeafType(type)) return { key, from: 'partner', name };
  return { key, from: 'gateway', value: null };
}

function askedLeaves(entryType: GraphQLObjectType, visible: readonly ShapeField[]): AskedLeaf[] {
  const names = new Set(['id', 'start', 'end']);
  for (const { name, type } of visible) {
    if (name !== 'origin' && type !== undefined && isLeafType(type)) names.add(name);
  }
  const fields = entryType.getFields();
  return [...names].flatMap((name) => {
    const type = fields[name]?.type;
    return type === undefined ? [] : [{ name, check: leafCheck(type) }];
  });
}

function keyOf(entry: readonly ShapeField[], name: string): string {
  const field = entry.find((candidate) => candidate.name === name);
  if (field === undefined) throw new TypeError(`The entries of a stitched list were not given their ${name}.`);
  return field.key;
}

function instanceKeys(
  loaded: LoadedSupergraph,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  entry: readonly ShapeField[],
): { key: string; codeKey: string } {
  for (const field of entry) {
    if (field.name !== 'instance' || !isObjectType(field.type)) continue;
    const fields = collectFields(loaded.schema, fragments, field.type, selectionSetsOf(field));
    const code = fields.find(({ name }) => name === 'code');
    if (code !== undefined) return { key: field.key, codeKey: code.key };
  }
  throw new TypeError('The entries of a stitched list were not given their instance.');
}

function partnerQuery(
  operation: OperationDefinitionNode,
  parent: GraphQLObjectType,
  lists: readonly StitchedList[],
  names: ReadonlySet<string>,
): string {
  const definitions = (operation.variableDefinitions ?? [])
    .filter((definition) => names.has(definition.variable.name.value))
    .map((definition) => print(definition));
  const fields = lists.map(
    ({ partnerKey, definition, node, asked }) =>
      `${partnerKey}: ${definition.field}${printArguments(node.arguments)} { ${asked.map(({ name }) => name).join(' ')} }`,
  );
  return (
    `query (${[`$${representationsVariable}: [_Any!]!`, ...definitions].join(', ')}) ` +
    `{ _entities(representations: $${representationsVariable}) { ... on ${parent.name} { ${fields.join(' ')} } } }`
  );
}

function printArguments(nodes: readonly ArgumentNode[] | undefined): string {
  return nodes === undefined || nodes.length === 0 ? '' : `(${nodes.map((node) => print(node)).join(', ')})`;
}
