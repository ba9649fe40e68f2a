import { readFileSync } from 'node:fs';
import { Supergraph } from '@apollo/federation-internals';
import {
  GraphQLError,
  Kind,
  getNamedType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  parse,
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql';
import { ConfigurationError } from './config.js';

/** The logical subgraphs. `instance` and `linked` are served by the same servers. */
export type SubgraphName = 'instance' | 'linked' | 'directory';

/** The field through which the home instance hands out its grants; inaccessible to clients. */
export const grantsField = 'linkedGrants';

/** A list that is merged from the home instance and every linked one. */
export interface StitchedField {
  readonly parentType: string;
  readonly field: string;
  readonly entryType: GraphQLObjectType;
}

export interface LoadedSupergraph {
  readonly sdl: string;
  readonly supergraph: Supergraph;
  /** The client API. */
  readonly schema: GraphQLSchema;
  /** By `Type.field`. */
  readonly stitched: ReadonlyMap<string, StitchedField>;
  /** The subgraph that answers a root field, by `Type.field`. */
  readonly rootOwners: ReadonlyMap<string, SubgraphName>;
}

export function loadSupergraph(file: string): LoadedSupergraph {
  let sdl: string;
  try {
    sdl = readFileSync(file, 'utf8');
  } catch {
    throw new ConfigurationError('SUPERGRAPH_FILE: the file cannot be read');
  }
  return readSupergraph(sdl);
}

/** Reads a composed supergraph and checks that what is stitched can be stitched. Throws a ConfigurationError. */
export function readSupergraph(sdl: string): LoadedSupergraph {
  try {
    const supergraph = Supergraph.build(sdl);
    const schema = supergraph.apiSchema().toGraphQLJSSchema();
    const document = parse(sdl);
    return {
      sdl,
      supergraph,
      schema,
      stitched: stitchedFields(document, schema),
      rootOwners: rootOwners(document),
    };
  } catch (error) {
    if (error instanceof GraphQLError) throw new ConfigurationError(`SUPERGRAPH_FILE: ${error.message}`);
    throw error;
  }
}

function stitchedFields(document: DocumentNode, schema: GraphQLSchema): Map<string, StitchedField> {
  const fields = new Map<string, StitchedField>();
  for (const [type, field] of objectFields(document)) {
    const isStitched = joins(field).some(
      (join) => join.graph === 'LINKED' && join.requires?.includes(grantsField) === true,
    );
    if (isStitched) fields.set(`${type}.${field.name.value}`, stitchedField(schema, type, field.name.value));
  }
  return fields;
}

function stitchedField(schema: GraphQLSchema, parentType: string, field: string): StitchedField {
  const name = `${parentType}.${field}`;
  const parent = schema.getType(parentType);
  const definition = isObjectType(parent) ? parent.getFields()[field] : undefined;
  if (definition === undefined) throw new ConfigurationError(`SUPERGRAPH_FILE: ${name} is not in the client API`);
  const list = isNonNullType(definition.type) ? definition.type.ofType : definition.type;
  const entryType = getNamedType(definition.type);
  if (!isListType(list) || !isObjectType(entryType)) {
    throw new ConfigurationError(`SUPERGRAPH_FILE: ${name} is stitched but no list of objects`);
  }
  checkEntry(name, entryType);
  return { parentType, field, entryType };
}

/** Merging needs id, start, end, origin and instance; what is never asked abroad must be able to be null. */
function checkEntry(name: string, entryType: GraphQLObjectType): void {
  const fields = entryType.getFields();
  for (const required of ['id', 'start', 'end', 'origin', 'instance']) {
    if (fields[required] === undefined) {
      throw new ConfigurationError(`SUPERGRAPH_FILE: ${name} is stitched but its entries have no ${required}`);
    }
  }
  for (const [field, { type }] of Object.entries(fields)) {
    if (isNonNullType(type) && !isLeafType(getNamedType(type)) && field !== 'instance') {
      throw new ConfigurationError(`SUPERGRAPH_FILE: ${entryType.name}.${field} cannot be null for foreign entries`);
    }
  }
}

function rootOwners(document: DocumentNode): Map<string, SubgraphName> {
  const owners = new Map<string, SubgraphName>();
  for (const [type, field] of objectFields(document)) {
    if (type !== 'Query' && type !== 'Mutation' && type !== 'Subscription') continue;
    const graph = joins(field)[0]?.graph;
    owners.set(`${type}.${field.name.value}`, graph === 'DIRECTORY' ? 'directory' : 'instance');
  }
  return owners;
}

function* objectFields(document: DocumentNode): Generator<[string, FieldDefinitionNode]> {
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION) continue;
    for (const field of definition.fields ?? []) yield [definition.name.value, field];
  }
}

function joins(field: FieldDefinitionNode): { graph: string | undefined; requires: string | undefined }[] {
  return (field.directives ?? [])
    .filter((directive) => directive.name.value === 'join__field')
    .map((directive) => ({ graph: argument(directive, 'graph'), requires: argument(directive, 'requires') }));
}

function argument(directive: ConstDirectiveNode, name: string): string | undefined {
  const value = directive.arguments?.find((candidate) => candidate.name.value === name)?.value;
  return value?.kind === Kind.ENUM || value?.kind === Kind.STRING ? value.value : undefined;
}
