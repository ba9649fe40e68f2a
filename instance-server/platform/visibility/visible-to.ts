// Decorated classes need it before they are defined; every one of them imports this module.
import 'reflect-metadata';
import { Extensions } from 'type-graphql';

/**
 * Kinds of viewers a field can be declared for.
 * - ANYONE: everybody, signed in or not, partners included
 * - GUIDE, STAFF, ADMINISTRATOR: accounts of this instance with that active role
 * - PARTNER: the holder of a linked instance's grant, for the one guide it names
 * - GATEWAY: only in requests that carry a gateway credential besides; never part of the client API
 */
export const VIEWER_KINDS = ['ANYONE', 'GUIDE', 'STAFF', 'ADMINISTRATOR', 'PARTNER', 'GATEWAY'] as const;
export type ViewerKind = (typeof VIEWER_KINDS)[number];

/**
 * Declares who may ask for a type's fields or for one field; a field's own declaration replaces its type's.
 * Which records a viewer reaches is decided by the policies; this says which fields exist for him at all.
 */
export const VisibleTo = (...viewers: ViewerKind[]): MethodDecorator & PropertyDecorator & ClassDecorator =>
  Extensions({ visibleTo: viewers });

/** Asked of the home instance and of every instance the guide is coupled in; lists keyed by (instance, id) only. */
export const Stitched = (): MethodDecorator & PropertyDecorator & ClassDecorator => Extensions({ stitched: true });

/** Answered by the gateway itself when asked there. */
export const AnsweredByGateway = (): MethodDecorator & PropertyDecorator & ClassDecorator => Extensions({ answeredByGateway: true });

/** Becomes an entity of the federated graph, found again by these fields. */
export const EntityKey = (fields: string): MethodDecorator & PropertyDecorator & ClassDecorator => Extensions({ entityKey: fields });
