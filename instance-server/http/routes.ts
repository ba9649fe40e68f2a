import type { ApolloServer } from '@apollo/server';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { FastifyError, FastifyInstance, FastifyRequest } from 'fastify';
import { GraphQLError } from 'graphql';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Instance } from '../composition.js';
import type { InstanceConfig } from '../config.js';
import { PartnerCallError } from '../modules/links/index.js';
import type { RequestContext } from '../platform/context.js';
import { type Authentication, bearer } from './authentication.js';
import { OperatorApi } from './operator-api.js';

export interface RouteDependencies {
  instance: Instance;
  config: InstanceConfig;
  authentication: Authentication;
  apollo: { client: ApolloServer<RequestContext>; federation: ApolloServer<RequestContext> };
  metrics: Registry;
  isDraining: () => boolean;
  logger: Logger;
}

/** A full batch and its frame; independent of the setting for clients, since partners count on it. */
const PARTNER_BODY_BYTES = 200 * 1024;

const REQUEST_ID = /^[\w-]{8,64}$/;

export const requestIdOf = (header: unknown): string | undefined => (typeof header === 'string' && REQUEST_ID.test(header) ? header : undefined);

/** The address of the client: told by a gateway that has proven itself, else that of the connection. */
function clientAddress(request: FastifyRequest): string {
  const told = request.headers['x-lotse-client-address'];
  return typeof told === 'string' && told.length <= 64 ? told : request.ip;
}

/** The body as it came: signatures are over its bytes. */
const rawBody = (request: FastifyRequest): string => (typeof request.body === 'string' ? request.body : '');

const PARTNER_PATH = '/partner/v1/';

/** A header that is none is no token; partners are told no more than that they are not known. */
function tokenOf(header: unknown): string | undefined {
  try {
    return bearer(header);
  } catch {
    return undefined;
  }
}

export function registerRoutes(app: FastifyInstance, { instance, config, authentication, apollo, metrics, isDraining, logger }: RouteDependencies): void {
  const handlers = {
    client: fastifyApolloHandler(apollo.client, {
      context: (request) => authentication.client(request.headers.authorization, request.ip, requestIdOf(request.headers['x-request-id'])),
    }),
    federation: fastifyApolloHandler(apollo.federation, {
      context: (request) => {
        authentication.checkGateway(request.headers['x-lotse-gateway']);
        return authentication.viaGateway(request.headers.authorization, clientAddress(request), requestIdOf(request.headers['x-request-id']));
      },
    }),
  };
  app.route({ method: ['GET', 'POST'], url: '/graphql', handler: handlers.client });
  app.route({ method: 'POST', url: '/federation', handler: handlers.federation });

  app.get('/.well-known/lotse.json', () => {
    const { code, name, url, logo, homepage, locale, timeZone } = instance.settings.current;
    return { code, name, url, logo, homepage, locale, timeZone, protocol: 1, jwks: instance.keys.jwks() };
  });
  app.get('/.well-known/jwks.json', () => instance.keys.jwks());

  app.get('/health/live', () => ({ status: 'live' }));
  app.get('/health/ready', async (_request, reply) => {
    const ready = !isDraining() && (await instance.database.app.sql.selectFrom('settings').select('code').executeTakeFirst().catch(() => undefined));
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready' });
  });
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));

  const operator = new OperatorApi(instance, config.OPERATOR_PUBLIC_KEYS);
  void app.register(async (signed) => {
    signed.removeAllContentTypeParsers();
    signed.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => done(null, body));
    signed.post<{ Params: { '*': string } }>('/partner/v1/*', { bodyLimit: PARTNER_BODY_BYTES }, async (request, reply) => {
      try {
        return await instance.partnerService.handle(request.params['*'], tokenOf(request.headers.authorization), rawBody(request));
      } catch (error) {
        if (!(error instanceof PartnerCallError)) throw error;
        return reply.code(error.status).send({ code: error.code, ...error.facts });
      }
    });
    signed.post<{ Params: { '*': string } }>('/operator/v1/*', async (request, reply) => {
      const { status, body } = await operator.handle(request.params['*'], request.headers.authorization, rawBody(request));
      return reply.code(status).send(body);
    });
  });

  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof GraphQLError) return reply.code(401).send({ errors: [error.toJSON()] });
    const status = error.statusCode ?? 500;
    if (status >= 500) logger.error({ requestId: request.id, name: error.name, code: error.code }, 'a request failed');
    if (status < 500 && request.url.startsWith(PARTNER_PATH)) {
      const refusal = status === 413 ? new PartnerCallError(413, 'TOO_LARGE') : new PartnerCallError(400, 'MALFORMED');
      instance.partnerService.refuse(request.url.slice(PARTNER_PATH.length), refusal);
      return reply.code(refusal.status).send({ code: refusal.code });
    }
    const code = status === 413 ? 'OPERATION_LIMIT_EXCEEDED' : status < 500 ? 'BAD_REQUEST' : 'INTERNAL_SERVER_ERROR';
    const message = status === 413 ? 'The request is larger than this server accepts.' : status < 500 ? 'The request is not well-formed.' : 'Something went wrong on our side.';
    return reply.code(status).send({ errors: [{ message, extensions: { code, ...(status >= 500 && { requestId: request.id }) } }] });
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ errors: [{ message: 'Nothing is served here.', extensions: { code: 'NOT_FOUND' } }] }));
}
