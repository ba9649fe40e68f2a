import { ApolloGateway } from '@apollo/gateway';
import type { GatewayExecutor, GatewayInterface } from '@apollo/server-gateway-interface';
import { GraphQLError, OperationTypeNode, getVariableValues, type ExecutionResult } from 'graphql';
import type { RequestContext } from '../context.js';
import { instanceUnavailable, invalidInput } from '../errors.js';
import type { LoadedSupergraph } from '../supergraph.js';
import { bearerToken } from '../tokens.js';
import type { Directory, VerifyAccessToken } from '../types.js';
import type { Operations, Variant } from './operations.js';
import { routeOperation } from './routing.js';
import { runCompiled, type Run, type RunOptions } from './run.js';

type GatewayRequest = Parameters<GatewayExecutor>[0];
type Result = Awaited<ReturnType<GatewayExecutor>>;

export interface LotseGatewayOptions extends RunOptions {
  readonly loaded: LoadedSupergraph;
  readonly operations: Operations;
  readonly stock: ApolloGateway;
  readonly directory: Directory;
  readonly verifyAccessToken: VerifyAccessToken;
  /** Time after which a request is answered without what is still missing. */
  readonly requestMs: number;
}

/**
 * Responsible for: deciding for each operation where it goes and which executor runs it. Talks to: the stock
 * ApolloGateway for planning's other shapes, introspection and schema, and to the compiled executor.
 */
export class LotseGateway implements GatewayInterface {
  private stockExecutor: GatewayExecutor | undefined;

  constructor(private readonly options: LotseGatewayOptions) {}

  onSchemaLoadOrUpdate(callback: Parameters<GatewayInterface['onSchemaLoadOrUpdate']>[0]): () => void {
    return this.options.stock.onSchemaLoadOrUpdate(callback);
  }

  async load(options: Parameters<GatewayInterface['load']>[0]): Promise<{ executor: GatewayExecutor }> {
    const { executor } = await this.options.stock.load(options);
    this.stockExecutor = executor as GatewayExecutor;
    return { executor: (request) => this.execute(request) };
  }

  stop(): Promise<void> {
    return this.options.stock.stop();
  }

  private async execute(request: GatewayRequest): Promise<Result> {
    try {
      return await this.route(request);
    } catch (error) {
      // Refusals are answers; what is not a GraphQLError is a fault and is masked further out.
      if (error instanceof GraphQLError) return refusal(error);
      throw error;
    }
  }

  private async route(request: GatewayRequest): Promise<Result> {
    const context = request.context as RequestContext;
    const { operations, loaded, directory } = this.options;
    const known = operations.find(request.queryHash, request.document, request.request.operationName);
    if (known === undefined) return this.runStock(request);
    if (known.operation.operation === OperationTypeNode.SUBSCRIPTION) throw subscriptionOverHttp();

    const variables = request.request.variables ?? {};
    const values = getVariableValues(loaded.schema, known.operation.variableDefinitions ?? [], variables);
    if (values.errors !== undefined) return { errors: values.errors.map(badVariable) };

    const variant = operations.variant(known, values.coerced);
    context.coerced = values.coerced;
    context.route = await routeOperation(loaded, directory, variant.roots, values.coerced, async () => {
      const token = bearerToken(context.authorization);
      return token === undefined ? undefined : this.options.verifyAccessToken(token);
    });
    return this.inTime(context, this.run(request, variant, { context, variables, coerced: values.coerced }));
  }

  private run(request: GatewayRequest, { compiled }: Variant, run: Run): Promise<Result> {
    if (compiled === undefined) {
      run.context.executor = 'stock';
      return this.runStock(request);
    }
    run.context.executor = 'compiled';
    return runCompiled(this.options, compiled, run);
  }

  private runStock(request: GatewayRequest): Promise<Result> {
    if (this.stockExecutor === undefined) throw new TypeError('The gateway has not been loaded.');
    return this.stockExecutor(request);
  }

  private async inTime(context: RequestContext, running: Promise<Result>): Promise<Result> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Result>((resolve) => {
      timer = setTimeout(() => {
        resolve({ data: null, errors: [instanceUnavailable(context.route?.home ?? 'gateway', 'TIMEOUT')] });
      }, this.options.requestMs);
    });
    try {
      return await Promise.race([running, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Refusals before execution have no data, except those of the caller's input, which HTTP calls a success. */
function refusal(error: GraphQLError): ExecutionResult<Record<string, unknown>> {
  return error.extensions['http'] === undefined ? { data: null, errors: [error] } : { errors: [error] };
}

function subscriptionOverHttp(): GraphQLError {
  return new GraphQLError('Subscriptions are served over WebSocket only.', {
    extensions: { code: 'INVALID_INPUT', field: 'query', reason: 'SUBSCRIPTION_OVER_HTTP', http: { status: 400 } },
  });
}

/** graphql-js names the place inside a variable in its message alone. */
function badVariable(error: GraphQLError): GraphQLError {
  const definition = error.nodes?.[0];
  const name = definition?.kind === 'VariableDefinition' ? definition.variable.name.value : 'variables';
  const { extensions } = invalidInput(/ at "([^"]+)"/u.exec(error.message)?.[1] ?? name, 'MALFORMED', error.message);
  return new GraphQLError(error.message, { extensions: { ...extensions, http: { status: 400 } } });
}
