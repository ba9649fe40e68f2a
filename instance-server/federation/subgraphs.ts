import { getNamedType, type GraphQLNamedType, type GraphQLSchema, isInputObjectType, isInterfaceType, isObjectType, isSpecifiedScalarType, Kind, parse, print } from 'graphql';
import { MapperKind, mapSchema, printSchemaWithDirectives, pruneSchema } from '@graphql-tools/utils';
import { buildDeclaredSchema } from '../schema.js';

const FEDERATION = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@inaccessible", "@external", "@requires"])\n\n`;

export interface Subgraphs {
  /** Everything, answered by the viewer's home instance. */
  instance: string;
  /** The stitched fields, answered by the home instance and every instance the guide is coupled in. */
  linked: string;
  /** What the gateway answers from its registry. */
  directory: string;
}

const has = (extensions: Readonly<Record<string, unknown>> | null | undefined, name: string): boolean => Boolean(extensions?.[name]);

const isFederationPart = (name: string): boolean => ['_entities', '_service', '_Any', '_Entity', '_Service'].includes(name);

/** Every type an output type leads to, its arguments' types included. */
function reach(type: GraphQLNamedType, found: Set<string>): Set<string> {
  if (found.has(type.name) || isSpecifiedScalarType(type)) return found;
  found.add(type.name);
  if (isObjectType(type) || isInterfaceType(type)) {
    for (const field of Object.values(type.getFields())) {
      reach(getNamedType(field.type), found);
      for (const argument of field.args) reach(getNamedType(argument.type), found);
    }
  } else if (isInputObjectType(type)) {
    for (const field of Object.values(type.getFields())) reach(getNamedType(field.type), found);
  }
  return found;
}

interface StitchedField {
  owner: string;
  field: string;
}

function stitchedFields(schema: GraphQLSchema): StitchedField[] {
  return Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type)
      ? Object.values(type.getFields())
          .filter((field) => has(field.extensions, 'stitched'))
          .map((field) => ({ owner: type.name, field: field.name }))
      : [],
  );
}

/** Types used by a stitched or a gateway-answered field: values that two subgraphs may resolve. */
function sharedTypes(schema: GraphQLSchema): Set<string> {
  const shared = new Set<string>();
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      if (has(field.extensions, 'stitched') || has(field.extensions, 'answeredByGateway')) {
        reach(getNamedType(field.type), shared);
        for (const argument of field.args) reach(getNamedType(argument.type), shared);
      }
    }
  }
  return shared;
}

type Directives = Record<string, Record<string, unknown>>;
const withDirectives = <T extends { extensions?: unknown }>(config: T, directives: Directives): T => ({ ...config, extensions: { directives } });

function instanceSdl(schema: GraphQLSchema, shared: Set<string>): string {
  const fields = mapSchema(schema, {
    [MapperKind.OBJECT_FIELD]: (field, name) => {
      if (isFederationPart(name) || has(field.extensions, 'stitched') || has(field.extensions, 'answeredByGateway')) return null;
      return withDirectives(field, name === 'linkedGrants' ? { inaccessible: {} } : {});
    },
    [MapperKind.INTERFACE_FIELD]: (field) => withDirectives(field, {}),
  });
  const types = mapSchema(fields, {
    [MapperKind.TYPE]: (type) => {
      if (isFederationPart(type.name)) return null;
      const directives: Directives = {};
      if (isObjectType(type) && typeof type.extensions.entityKey === 'string') directives.key = { fields: type.extensions.entityKey };
      if (isObjectType(type) && shared.has(type.name)) directives.shareable = {};
      if (type.name === 'LinkedGrant') Object.assign(directives, { inaccessible: {}, shareable: {} });
      type.extensions = { directives };
      return type;
    },
  });
  return FEDERATION + printSchemaWithDirectives(types);
}

function linkedSdl(schema: GraphQLSchema, stitched: StitchedField[]): string {
  const owners = new Set(stitched.map(({ owner }) => owner));
  const parts: string[] = [];
  const needed = new Set<string>();
  for (const owner of owners) {
    const type = schema.getType(owner);
    if (!isObjectType(type)) continue;
    const key = String(type.extensions.entityKey);
    for (const { field } of stitched.filter((entry) => entry.owner === owner)) {
      const definition = type.getFields()[field];
      if (!definition) continue;
      reach(getNamedType(definition.type), needed);
      for (const argument of definition.args) reach(getNamedType(argument.type), needed);
    }
    const kept = mapSchema(schema, {
      [MapperKind.OBJECT_FIELD]: (config, name, typeName) => {
        if (typeName === 'Query') return name === '_service' ? config : null;
        if (typeName === 'Mutation' || typeName === 'Subscription') return null;
        if (typeName !== owner) return withDirectives(config, {});
        if (name === 'linkedGrants') return withDirectives(config, { external: {} });
        if (has(config.extensions, 'stitched')) return withDirectives(config, { requires: { fields: 'linkedGrants { globalId instance replicaAge token }' } });
        return name === key ? withDirectives(config, {}) : null;
      },
    });
    const wanted = new Set([owner, 'LinkedGrant', ...needed]);
    const types = mapSchema(kept, {
      [MapperKind.TYPE]: (candidate) => {
        if (isSpecifiedScalarType(candidate)) return candidate;
        if (!wanted.has(candidate.name) && candidate.name !== 'Query') return null;
        const directives: Directives = {};
        if (candidate.name === owner) directives.key = { fields: key };
        else if (isObjectType(candidate) && candidate.name !== 'Query') directives.shareable = {};
        if (candidate.name === 'LinkedGrant') directives.inaccessible = {};
        candidate.extensions = { directives };
        return candidate;
      },
    });
    parts.push(printSchemaWithDirectives(types));
  }
  return FEDERATION + withoutQuery(parts.join('\n'));
}

function directorySdl(schema: GraphQLSchema): string {
  const kept = mapSchema(schema, {
    [MapperKind.QUERY_ROOT_FIELD]: (field) => (has(field.extensions, 'answeredByGateway') ? withDirectives(field, {}) : null),
    [MapperKind.MUTATION]: () => null,
    [MapperKind.SUBSCRIPTION]: () => null,
  });
  const types = mapSchema(pruneSchema(kept), {
    [MapperKind.TYPE]: (type) => {
      type.extensions = isObjectType(type) && type.name !== 'Query' ? { directives: { shareable: {} } } : {};
      return type;
    },
    [MapperKind.OBJECT_FIELD]: (field) => withDirectives(field, {}),
  });
  return FEDERATION + printSchemaWithDirectives(types);
}

/** A subgraph of entities alone has no root fields; the printer wants a query type all the same. */
function withoutQuery(sdl: string): string {
  const { kind, definitions } = parse(sdl, { noLocation: true });
  const kept = definitions.filter(
    (definition) => definition.kind !== Kind.SCHEMA_DEFINITION && !(definition.kind === Kind.OBJECT_TYPE_DEFINITION && definition.name.value === 'Query'),
  );
  return print({ kind, definitions: kept });
}

/** The logical subgraphs over the one instance schema, as composition wants them. */
export async function buildSubgraphs(): Promise<Subgraphs> {
  // Directives are written into the types' extensions, so each printing gets a schema of its own.
  const [forInstance, forLinked, forDirectory] = await Promise.all([buildDeclaredSchema(), buildDeclaredSchema(), buildDeclaredSchema()]);
  return {
    instance: instanceSdl(forInstance, sharedTypes(forInstance)),
    linked: linkedSdl(forLinked, stitchedFields(forLinked)),
    directory: directorySdl(forDirectory),
  };
}

export const instanceSubgraphSdl = async (): Promise<string> => (await buildSubgraphs()).instance;
