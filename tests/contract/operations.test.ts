import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, getNamedType, type GraphQLSchema, isInterfaceType, isObjectType, isUnionType, parse, specifiedRules, TypeInfo, validate, visit, visitWithTypeInfo } from 'graphql';
import { projectRoot } from '../../instance-server/platform/project-root.js';
import { limitRules } from '../../instance-server/platform/graphql/limits.js';

const folder = join(projectRoot, 'schema', 'operations');
const documents = readdirSync(folder).map((file) => ({ file, document: parse(readFileSync(join(folder, file), 'utf8')) }));
const clientApi = (): GraphQLSchema => buildSchema(readFileSync(join(projectRoot, 'schema', 'gateway.graphql'), 'utf8'));

describe('example operations', () => {
  const schema = clientApi();

  it.each(documents)('$file is valid against the client API and within its limits', ({ document }) => {
    const limits = limitRules({ depth: 12, aliases: 30, cost: 20_000 });
    expect(validate(schema, document, [...specifiedRules, ...limits]).map((error) => error.message)).toEqual([]);
  });

  it.each(/```graphql\n(.*?)```/s.exec(readFileSync(join(projectRoot, 'README.md'), 'utf8'))?.[1]?.trim().split('\n\n') ?? ['none'])('the README’s is valid: %s', (document) => {
    expect(validate(schema, parse(document)).map((error) => error.message)).toEqual([]);
  });

  it('together they use every root field', () => {
    const used = new Set<string>();
    for (const { document } of documents) {
      const info = new TypeInfo(schema);
      visit(
        document,
        visitWithTypeInfo(info, {
          Field: (node) => {
            const parent = info.getParentType()?.name;
            if (parent === 'Query' || parent === 'Mutation' || parent === 'Subscription') used.add(`${parent}.${node.name.value}`);
          },
        }),
      );
    }
    const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
    const all = roots.flatMap((type) => (type ? Object.keys(type.getFields()).map((field) => `${type.name}.${field}`) : []));
    expect(all.filter((field) => !used.has(field))).toEqual(['Query.offer']);
  });
});

describe('client API', () => {
  const schema = clientApi();
  const types = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith('__'));

  it('describes every type, field, argument and input member', () => {
    const silent: string[] = [];
    for (const type of types) {
      if (['ID', 'Int', 'Float', 'String', 'Boolean', 'Query', 'Mutation', 'Subscription'].includes(type.name)) continue;
      if (!type.description) silent.push(type.name);
    }
    for (const type of types) {
      if (!('getFields' in type)) continue;
      for (const field of Object.values(type.getFields())) {
        if (!field.description) silent.push(`${type.name}.${field.name}`);
        for (const argument of 'args' in field ? field.args : []) {
          if (!argument.description) silent.push(`${type.name}.${field.name}(${argument.name})`);
        }
      }
    }
    expect(silent).toEqual([]);
  });

  it('answers each mutation with a union of payload and errors, or with a payload that cannot fail', () => {
    const mutation = schema.getMutationType();
    const plain = Object.values(mutation?.getFields() ?? {}).filter((field) => !isUnionType(getNamedType(field.type)));
    expect(plain.map((field) => field.name)).toEqual(['logout']);
  });

  it('has nothing of the gateway in it', () => {
    expect(types.map((type) => type.name).filter((name) => name.startsWith('_') || name === 'LinkedGrant')).toEqual([]);
  });

  it('ends the name of every error type in Error, and each implements UserError', () => {
    const interfaceType = schema.getType('UserError');
    const errors = types.filter((type) => isObjectType(type) && isInterfaceType(interfaceType) && type.getInterfaces().includes(interfaceType));
    expect(errors.length).toBeGreaterThan(5);
    expect(errors.map((type) => type.name).filter((name) => !name.endsWith('Error'))).toEqual([]);
    expect(types.map((type) => type.name).filter((name) => name.endsWith('Error') && !errors.some((error) => error.name === name) && name !== 'UserError')).toEqual([]);
  });
});
