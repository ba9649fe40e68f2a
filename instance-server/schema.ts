import 'reflect-metadata';
import { MapperKind, mapSchema } from '@graphql-tools/utils';
import { type GraphQLSchema, lexicographicSortSchema } from 'graphql';
import { buildSchema, type ContainerType } from 'type-graphql';
import { FederationResolver } from './federation/federation.resolver.js';
import { AuditResolver } from './modules/audit/index.js';
import { AvailabilityChangesResolver, AvailabilityResolver } from './modules/availability/index.js';
import { BlockedGuideResolver, BookingResolver, GuideAssignmentResolver, GuideBlockResolver } from './modules/bookings/index.js';
import { CalendarResolver } from './modules/calendar/index.js';
import { ConflictResolver } from './modules/claims/index.js';
import { OfferResolver } from './modules/catalogs/index.js';
import { GuideResolver, ViewerGuideResolver } from './modules/guides/index.js';
import { AccountResolver, IdentityResolver } from './modules/identity/index.js';
import { CoupledGuideResolver, CouplingResolver } from './modules/links/index.js';
import { LostBookingResolver } from './modules/replication/index.js';
import { SettingsResolver } from './modules/settings/index.js';
import { BookingRequestsResolver, EligibilityResolver, GuideReleaseResolver, GuideRequestResolver, GuideRequestsResolver, GuideTermsResolver } from './modules/staffing/index.js';
import { enforceVisibility } from './platform/visibility/enforce.js';

export const resolverClasses = [
  FederationResolver,
  SettingsResolver,
  IdentityResolver,
  AccountResolver,
  OfferResolver,
  GuideResolver,
  ViewerGuideResolver,
  BookingResolver,
  GuideAssignmentResolver,
  GuideBlockResolver,
  BlockedGuideResolver,
  GuideTermsResolver,
  GuideReleaseResolver,
  GuideRequestResolver,
  GuideRequestsResolver,
  BookingRequestsResolver,
  AvailabilityResolver,
  AvailabilityChangesResolver,
  EligibilityResolver,
  CalendarResolver,
  CouplingResolver,
  CoupledGuideResolver,
  ConflictResolver,
  LostBookingResolver,
  AuditResolver,
] as const;

const unused = (): never => {
  throw new Error('subscriptions are fed by RequestContext.feeds');
};
const noPubSub = { publish: unused, subscribe: unused };

/** The schema as the classes declare it, with what is the gateway's, and with nothing enforced yet. */
export async function buildDeclaredSchema(container?: ContainerType): Promise<GraphQLSchema> {
  const schema = await buildSchema({
    resolvers: [...resolverClasses],
    container: container ?? { get: () => ({}) },
    // Inputs are validated by the services, which name field and reason.
    validate: false,
    emitSchemaFile: false,
    // TypeGraphQL wants one; subscriptions here are fed by RequestContext.feeds.
    pubSub: noPubSub,
  });
  return lexicographicSortSchema(schema);
}

const isForGatewayAlone = (extensions: Readonly<Record<string, unknown>> | null | undefined): boolean => {
  const viewers = extensions?.visibleTo;
  return Array.isArray(viewers) && viewers.length === 1 && viewers[0] === 'GATEWAY';
};

/** The client API: without the fields and types that are the gateway's alone. */
export function toClientSchema(declared: GraphQLSchema): GraphQLSchema {
  const withoutFields = mapSchema(declared, {
    [MapperKind.OBJECT_FIELD]: (field) => (isForGatewayAlone(field.extensions) ? null : field),
  });
  return mapSchema(withoutFields, {
    [MapperKind.TYPE]: (type) => (isForGatewayAlone(type.extensions) || type.name.startsWith('_Any') || type.name === '_Entity' ? null : type),
  });
}

export interface ExecutableSchemas {
  /** Served at /graphql. */
  client: GraphQLSchema;
  /** Served at /federation, to gateways alone. */
  federation: GraphQLSchema;
}

/** Both schemas as they are executed, each with visibility enforced on itself. */
export async function buildExecutableSchemas(container: ContainerType): Promise<ExecutableSchemas> {
  const declared = await buildDeclaredSchema(container);
  return { client: enforceVisibility(toClientSchema(declared)), federation: enforceVisibility(declared) };
}
