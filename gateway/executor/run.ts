import { GraphQLError, type ExecutionResult } from 'graphql';
import type { RequestContext } from '../context.js';
import { answerDirectory } from '../datasources/directory.js';
import type { UpstreamError } from '../errors.js';
import { grantsKey } from '../stitching/instrument.js';
import { walk, type Locator } from '../stitching/locator.js';
import { partErrors, type Stitcher } from '../stitching/stitcher.js';
import type { Directory } from '../types.js';
import { writeBody } from '../upstream/body.js';
import type { Home, HomeAnswer } from '../upstream/home.js';
import type { CompiledOperation, EmptyData } from './compile.js';

export interface RunOptions {
  readonly home: Home;
  readonly stitcher: Stitcher;
  readonly directory: Directory;
}

export interface Run {
  readonly context: RequestContext;
  /** As the client sent them. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly coerced: Readonly<Record<string, unknown>>;
}

/** Runs a compiled operation. The answer is the stock executor's, key by key; only the way there is shorter. */
export async function runCompiled(
  options: RunOptions,
  compiled: CompiledOperation,
  run: Run,
): Promise<ExecutionResult<Record<string, unknown>>> {
  if (compiled.kind === 'directory') return { data: answerDirectory(options.directory, compiled.fields) };
  const answer = await options.home.ask(run.context, writeBody(compiled.body, run.variables));
  const errors = answer.errors.map(asGraphQLError);
  if (compiled.kind === 'stitch') await stitch(options.stitcher, compiled.locator, answer, run, errors);
  return result(answer, compiled.empty, errors);
}

async function stitch(
  stitcher: Stitcher,
  locator: Locator,
  answer: HomeAnswer,
  { context, variables, coerced }: Run,
  errors: GraphQLError[],
): Promise<void> {
  const home = context.route?.home ?? '';
  const { requestId } = context;
  const waiting: Promise<void>[] = [];
  walk(locator, answer.data, [], (object, selection, path) => {
    const grants = object[grantsKey];
    delete object[grantsKey];
    const merge = async () => {
      const parts = await stitcher.askPartners({ selection, grants, home, variables, coerced, requestId });
      stitcher.mergeParts(selection, object, parts);
      errors.push(...partErrors(selection, parts, path));
    };
    waiting.push(merge());
  });
  await Promise.all(waiting);
}

function result(
  { data }: HomeAnswer,
  empty: EmptyData,
  errors: readonly GraphQLError[],
): ExecutionResult<Record<string, unknown>> {
  const shown = data ?? (empty === null ? null : { ...empty });
  return errors.length === 0 ? { data: shown } : { data: shown, errors };
}

function asGraphQLError({ message, path, extensions }: UpstreamError): GraphQLError {
  return new GraphQLError(message, { ...(path === undefined ? {} : { path }), extensions });
}
