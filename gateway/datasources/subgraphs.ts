import type { GraphQLDataSource } from '@apollo/gateway';
import { GraphQLError, Kind, isObjectType, parse } from 'graphql';
import type { RequestContext } from '../context.js';
import type { UpstreamError } from '../errors.js';
import { directoryFields } from '../executor/compile.js';
import { placeholder } from '../stitching/instrument.js';
import { collectFields } from '../stitching/shape.js';
import { fragmentsOf, specialise } from '../stitching/specialise.js';
import type { LoadedSupergraph } from '../supergraph.js';
import type { Directory } from '../types.js';
import type { Home } from '../upstream/home.js';
import { answerDirectory } from './directory.js';
import type { LinkedDataSource } from './linked.js';

export interface SubgraphResponse {
  readonly data: Record<string, unknown> | null;
  readonly errors: (UpstreamError | GraphQLError)[];
}

type Answer = (
  query: string,
  variables: Readonly<Record<string, unknown>>,
  context: RequestContext,
) => Promise<SubgraphResponse> | SubgraphResponse;

/** The data source of a subgraph for the stock executor. */
export function dataSource(answer: Answer): GraphQLDataSource {
  return {
    async process({ request, context }) {
      const response = await answer(request.query ?? '', request.variables ?? {}, context as RequestContext);
      return response.errors.length === 0
        ? { data: response.data }
        : { data: response.data, errors: response.errors.map(formatted) };
    },
  };
}

export function subgraphDataSources(
  loaded: LoadedSupergraph,
  directory: Directory,
  home: Home,
  linked: LinkedDataSource,
): (name: string) => GraphQLDataSource {
  const sources: Readonly<Record<string, GraphQLDataSource>> = {
    instance: dataSource((query, variables, context) => askInstance(home, query, variables, context)),
    linked: dataSource((query, variables, context) => linked.process(query, variables, context)),
    directory: dataSource((query, _variables, context) => askDirectory(loaded, directory, query, context)),
  };
  return (name) => {
    const source = sources[name];
    if (source === undefined) throw new TypeError(`The supergraph has a subgraph ${name} that nobody answers.`);
    return source;
  };
}

async function askInstance(
  home: Home,
  query: string,
  variables: Readonly<Record<string, unknown>>,
  context: RequestContext,
): Promise<SubgraphResponse> {
  const { data, errors } = await home.ask(context, JSON.stringify({ query, variables }));
  return { data, errors: [...errors] };
}

function askDirectory(
  loaded: LoadedSupergraph,
  directory: Directory,
  query: string,
  context: RequestContext,
): SubgraphResponse {
  const document = parse(query);
  const operation = document.definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const root = loaded.schema.getQueryType();
  if (operation?.kind !== Kind.OPERATION_DEFINITION || !isObjectType(root)) throw new TypeError('The directory answers queries only.');
  const flags = Object.fromEntries(Object.entries(context.coerced ?? {}).map(([name, value]) => [name, value === true]));
  const specialised = specialise(operation, fragmentsOf(document), flags, placeholder);
  if (specialised === undefined) throw new TypeError('The directory was asked for nothing.');
  const fields = collectFields(loaded.schema, specialised.fragments, root, [specialised.operation.selectionSet]);
  return { data: answerDirectory(directory, directoryFields(loaded, specialised, fields)), errors: [] };
}

function formatted(error: UpstreamError | GraphQLError) {
  return { message: error.message, extensions: { ...error.extensions }, ...(error.path === undefined ? {} : { path: error.path }) };
}
