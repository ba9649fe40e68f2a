import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import { type InstanceConfig, isIntrospectionOn } from '../config.js';
import type { RequestContext } from '../platform/context.js';
import { formatErrors } from '../platform/graphql/format-error.js';
import { limitRules } from '../platform/graphql/limits.js';

/** A fault's answer names the request, so that it can be found in the log. */
const quoteRequestId = (logger: Logger): ApolloServerPlugin<RequestContext> => ({
  requestDidStart: () =>
    Promise.resolve({
      willSendResponse({ response, contextValue }) {
        if (response.body.kind === 'single') {
          const { requestId } = contextValue;
          const faults = (response.body.singleResult.errors ?? []).filter(({ extensions }) => extensions?.code === 'INTERNAL_SERVER_ERROR');
          for (const { extensions } of faults) Object.assign(extensions ?? {}, { requestId });
          if (faults.length > 0) logger.error({ requestId, faults: faults.length }, 'answered with a fault');
        }
        return Promise.resolve();
      },
    }),
});

/** Apollo Server over one of the two schemas. Documents of a gateway were limited there, for the client's operation. */
export async function startApollo(schema: GraphQLSchema, config: InstanceConfig, logger: Logger, forClients: boolean): Promise<ApolloServer<RequestContext>> {
  const apollo = new ApolloServer<RequestContext>({
    schema,
    introspection: forClients && isIntrospectionOn(config),
    hideSchemaDetailsFromClientErrors: forClients && !isIntrospectionOn(config),
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    parseOptions: { maxTokens: config.LIMIT_TOKENS * (forClients ? 1 : 10) },
    validationRules: forClients ? limitRules({ depth: config.LIMIT_DEPTH, aliases: config.LIMIT_ALIASES, cost: config.LIMIT_COST }) : [],
    formatError: formatErrors(logger),
    logger: quiet(logger),
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      quoteRequestId(logger),
    ],
  });
  await apollo.start();
  return apollo;
}

/** Apollo's own messages may quote a client's document; only that there was one is kept. */
function quiet(logger: Logger) {
  const note = (): void => logger.warn('the GraphQL server had a warning');
  return { debug: () => undefined, info: () => undefined, warn: note, error: note };
}
