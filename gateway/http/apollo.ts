import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { GraphQLError, GraphQLFormattedError } from 'graphql';
import type { Logger } from 'pino';
import type { GatewayConfig } from '../config.js';
import type { RequestContext } from '../context.js';
import { formatError, isInternal } from '../errors.js';
import type { LotseGateway } from '../executor/lotse-gateway.js';
import { limitRules, parseLimits } from '../limits.js';
import type { Metrics } from '../metrics.js';

/** Apollo Server with the limits, without everything that reports to somebody else, and with masked errors. */
export function apolloServer(
  gateway: LotseGateway,
  config: GatewayConfig,
  metrics: Metrics,
  logger: Logger,
): ApolloServer<RequestContext> {
  return new ApolloServer<RequestContext>({
    gateway,
    logger,
    nodeEnv: config.production ? 'production' : 'development',
    introspection: config.introspection,
    hideSchemaDetailsFromClientErrors: !config.introspection,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    parseOptions: parseLimits(config.limits),
    validationRules: limitRules(config.limits),
    maxRecursiveSelections: config.limits.selections,
    formatError,
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      answers(metrics, logger),
    ],
  });
}

/** Counts answers, logs faults and gives them the request's id. Neither documents nor variables nor tokens are logged. */
function answers(metrics: Metrics, logger: Logger): ApolloServerPlugin<RequestContext> {
  const listener: Awaited<ReturnType<NonNullable<ApolloServerPlugin<RequestContext>['requestDidStart']>>> = {
    async didEncounterErrors({ errors, contextValue }) {
      for (const error of errors) logFault(error, contextValue, logger);
    },
    async willSendResponse({ response, contextValue, operation }) {
      if (response.body.kind !== 'single') return;
      const { singleResult } = response.body;
      const faults = singleResult.errors?.filter(isInternal) ?? [];
      for (const fault of faults) quoteRequest(fault, contextValue.requestId);
      const isEmpty = singleResult.data === undefined || singleResult.data === null;
      if (faults.length > 0 && isEmpty) response.http.status = 500;
      metrics.request(
        operation?.operation ?? 'none',
        contextValue.executor ?? 'none',
        outcome(singleResult.errors, isEmpty),
      );
    },
  };
  return { requestDidStart: async () => listener };
}

function quoteRequest(fault: GraphQLFormattedError, requestId: string): void {
  Object.assign(fault.extensions ?? {}, { requestId });
}

function outcome(errors: readonly GraphQLFormattedError[] | undefined, isEmpty: boolean): string {
  if (errors === undefined || errors.length === 0) return 'ok';
  return isEmpty ? 'error' : 'partial';
}

function logFault(error: GraphQLError, { requestId }: RequestContext, logger: Logger): void {
  const { extensions } = formatError({ message: error.message, extensions: { code: error.extensions['code'] } });
  if (extensions?.['code'] !== 'INTERNAL_SERVER_ERROR' || typeof error.extensions['code'] === 'string') return;
  const fault = error.originalError ?? error;
  logger.error({ requestId, fault: fault.name, stack: fault.stack }, 'A request met a fault.');
}
