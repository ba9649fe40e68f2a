import type { FastifyInstance } from 'fastify';

const allowedHeaders = 'authorization, content-type, x-request-id, apollo-require-preflight';
const preflightSeconds = '600';

/** Lets the listed origins read answers; without a list no origin may. Tokens travel in a header, so credentials are never allowed. */
export function registerCors(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  app.addHook('onRequest', async (request, reply) => {
    reply.header('vary', 'origin');
    const { origin } = request.headers;
    if (origin === undefined || !origins.includes(origin)) return;
    reply.header('access-control-allow-origin', origin);
    reply.header('access-control-expose-headers', 'x-request-id');
    if (request.method !== 'OPTIONS') return;
    reply.header('access-control-allow-methods', 'GET, POST');
    reply.header('access-control-allow-headers', allowedHeaders);
    reply.header('access-control-max-age', preflightSeconds);
    await reply.code(204).send();
  });
}
