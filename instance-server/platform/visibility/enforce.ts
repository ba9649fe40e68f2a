import {
  defaultFieldResolver,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  type GraphQLField,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql';
import { type RequestContext, visibilityMask } from '../context.js';
import { forbidden, unauthenticated } from '../errors/application-errors.js';
import { VIEWER_KINDS, type ViewerKind } from './visible-to.js';

type FieldOwner = GraphQLObjectType | GraphQLInterfaceType;

function declared(extensions: Readonly<Record<string, unknown>>): readonly ViewerKind[] | undefined {
  const value = extensions.visibleTo;
  return Array.isArray(value) ? (value as ViewerKind[]) : undefined;
}

/** Types with fields, introspection aside. */
export const fieldOwners = (schema: GraphQLSchema): FieldOwner[] =>
  Object.values(schema.getTypeMap()).filter(
    (type): type is FieldOwner => (isObjectType(type) || isInterfaceType(type)) && !isIntrospectionType(type),
  );

/**
 * Viewers a field is declared for: its own declaration, else its type's.
 * @throws where neither stands, so that nothing is visible until somebody decided.
 */
export function viewersOf(owner: FieldOwner, field: GraphQLField<unknown, unknown>): readonly ViewerKind[] {
  const viewers = declared(field.extensions) ?? declared(owner.extensions);
  if (!viewers) throw new Error(`${owner.name}.${field.name} has no @VisibleTo declaration, nor has its type`);
  const unknown = viewers.filter((viewer) => !VIEWER_KINDS.includes(viewer));
  if (viewers.length === 0 || unknown.length > 0) throw new Error(`${owner.name}.${field.name}: @VisibleTo is empty or names no viewer kind`);
  return viewers;
}

/**
 * The one place where field visibility is enforced. It wraps the resolvers of the schema given, in place, and must be given the
 * schema that is really executed: helpers that rebuild a schema drop wrappers silently.
 */
export function enforceVisibility(schema: GraphQLSchema): GraphQLSchema {
  for (const owner of fieldOwners(schema)) {
    for (const field of Object.values(owner.getFields())) {
      const mask = visibilityMask(viewersOf(owner, field));
      if (isInterfaceType(owner)) continue;
      const inner = field.resolve ?? defaultFieldResolver;
      const name = `${owner.name}.${field.name}`;
      const guard = (context: unknown): void => {
        const { viewerMask, viewer } = context as RequestContext;
        if ((viewerMask & mask) === 0) throw viewer.kind === 'ANONYMOUS' ? unauthenticated('TOKEN_MISSING') : forbidden(name);
      };
      field.resolve = (source, args, context, info) => {
        guard(context);
        return inner(source, args, context, info);
      };
      if (field.subscribe) {
        const innerSubscribe = field.subscribe;
        field.subscribe = (source, args, context, info) => {
          guard(context);
          return innerSubscribe(source, args, context, info);
        };
      }
    }
  }
  return schema;
}
