import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { ApolloServer } from '@apollo/server';
import type { FastifyError, FastifyInstance, FastifyRequest } from 'fastify';
import type { Registry as MetricsRegistry } from 'prom-client';
import type { RequestContext } from '../context.js';

export interface RoutesOptions {
  readonly apollo: ApolloServer<RequestContext>;
  readonly metrics: MetricsRegistry;
  /** False before the registry is loaded and while draining. */
  readonly isReady: () => boolean;
}

export function registerRoutes(app: FastifyInstance, { apollo, metrics, isReady }: RoutesOptions): void {
  app.route({
    method: ['GET', 'POST'],
    url: '/graphql',
    onRequest: async (request, reply) => {
      reply.header('x-request-id', request.id).header('cache-control', 'no-store');
    },
    handler: fastifyApolloHandler(apollo, { context: async (request) => requestContext(request) }),
  });
  app.get('/health/live', async () => ({ status: 'live' }));
  app.get('/health/ready', async (_request, reply) => {
    if (isReady()) return { status: 'ready' };
    return reply.code(503).send({ status: 'not ready' });
  });
  app.get('/metrics', async (_request, reply) => {
    reply.header('content-type', metrics.contentType);
    return metrics.metrics();
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send(body('There is nothing here.', 'BAD_REQUEST')));
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status === 413) return reply.code(413).send(body('The request body is too large.', 'OPERATION_LIMIT_EXCEEDED'));
    if (status < 500) return reply.code(status).send(body('The request could not be read.', 'BAD_REQUEST'));
    return reply.code(status).send(body('Internal server error', 'INTERNAL_SERVER_ERROR', { requestId: request.id }));
  });
}

function requestContext(request: FastifyRequest): RequestContext {
  return { requestId: request.id, clientAddress: request.ip, authorization: request.headers.authorization };
}

function body(message: string, code: string, extensions: Readonly<Record<string, string>> = {}) {
  return { errors: [{ message, extensions: { code, ...extensions } }] };
}
