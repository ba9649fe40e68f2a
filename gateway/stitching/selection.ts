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

/** Age in seconds of home's copy that the client takes for a partner's own answer. */
export const maxAgeArgument = 'maxReplicaAge';

/** A key of a foreign entry and where its value comes from. */
export type EntryKey =
  | { readonly key: string; readonly from: 'partner'; readonly name: string }
  | { readonly key: string; readonly from: 'gateway'; readonly value: unknown }
  | { readonly key: string; readonly from: 'instance'; readonly projection: Projection }
  /** What home has noted of its copy of the entry. */
  | { readonly key: string; readonly from: 'copy'; readonly otherwise: unknown };

export interface AskedLeaf {
  readonly name: string;
  readonly check: LeafCheck;
  /** What holds of the entries of a house that does not know the field; undefined where every house does. */
  readonly otherwise: unknown;
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
  /** Whether any of them comes from home's copy. */
  readonly readsCopies: boolean;
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

/** Arguments that tell the gateway something; partners are not told. */
const gatewayArguments: ReadonlySet<string> = new Set([maxAgeArgument]);

/** Fields that a house of the release before does not know, with what holds of its entries. */
const newerFields: ReadonlyMap<string, unknown> = new Map([['kind', 'BOOKING']]);

/** What the gateway says of an entry itself, so that no partner is asked. */
const gatewayFields: ReadonlySet<string> = new Set(['origin', 'replicaAge', 'disputed']);

/** All stitched lists selected on one object. */
export interface StitchedSelection {
  readonly lists: readonly StitchedList[];
  /** Everything of the partner's request body up to the representation's id and between it and the variables. */
  readonly bodyStart: string;
  /** The same for a house of the release before; undefined where it makes no difference. */
  readonly olderBodyStart: string | undefined;
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
  for (const { node } of lists) for (const argument of partnerArguments(node)) variablesOf(argument.value, names);
  const bodyStart = (asked: (list: StitchedList) => readonly AskedLeaf[]): string => {
    const query = partnerQuery(operation, parent, lists, names, asked);
    return `{"query":${JSON.stringify(query)},"variables":{"${representationsVariable}":[{"__typename":${JSON.stringify(parent.name)},"id":`;
  };
  const isKnownToAll = ({ otherwise }: AskedLeaf): boolean => otherwise === undefined;
  return {
    lists,
    bodyStart: bodyStart(({ asked }) => asked),
    olderBodyStart: lists.every(({ asked }) => asked.every(isKnownToAll)) ? undefined : bodyStart(({ asked }) => asked.filter(isKnownToAll)),
    variables: [...names],
  };
}

/** The request body that asks a partner about the guide it knows by this global id. */
export function partnerBody(
  selection: StitchedSelection,
  globalId: string,
  variables: Readonly<Record<string, unknown>>,
  bodyStart: string = selection.bodyStart,
): string {
  let body = `${bodyStart}${JSON.stringify(globalId)}}]`;
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
  const keys = visible.map((item) => entryKey(loaded, fragments, entryType, item));
  return {
    key: field.key,
    definition,
    node: field.nodes[0],
    partnerKey,
    keys,
    readsCopies: keys.some(({ from }) => from === 'copy'),
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
  if (name === 'replicaAge') return { key, from: 'gateway', value: null };
  if (name === 'disputed') return { key, from: 'copy', otherwise: false };
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
    if (!gatewayFields.has(name) && type !== undefined && isLeafType(type)) names.add(name);
  }
  const fields = entryType.getFields();
  return [...names].flatMap((name) => {
    const type = fields[name]?.type;
    return type === undefined ? [] : [{ name, check: leafCheck(type), otherwise: newerFields.get(name) }];
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
  askedOf: (list: StitchedList) => readonly AskedLeaf[],
): string {
  const definitions = (operation.variableDefinitions ?? [])
    .filter((definition) => names.has(definition.variable.name.value))
    .map((definition) => print(definition));
  const fields = lists.map((list) => {
    const leaves = askedOf(list).map(({ name }) => name);
    return `${list.partnerKey}: ${list.definition.field}${printArguments(partnerArguments(list.node))} { ${leaves.join(' ')} }`;
  });
  return (
    `query (${[`$${representationsVariable}: [_Any!]!`, ...definitions].join(', ')}) ` +
    `{ _entities(representations: $${representationsVariable}) { ... on ${parent.name} { ${fields.join(' ')} } } }`
  );
}

function partnerArguments({ arguments: given }: FieldNode): readonly ArgumentNode[] {
  return (given ?? []).filter(({ name }) => !gatewayArguments.has(name.value));
}

function printArguments(nodes: readonly ArgumentNode[]): string {
  return nodes.length === 0 ? '' : `(${nodes.map((node) => print(node)).join(', ')})`;
}
