import {
  isAbstractType,
  isObjectType,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type OperationDefinitionNode,
} from 'graphql';
import type { LoadedSupergraph } from '../supergraph.js';
import { NotListed } from './instrument.js';
import { stitchedSelection, type StitchedSelection } from './selection.js';
import { collectFields, selectionSetsOf, type ShapeField } from './shape.js';

/** The way through a response to the objects with stitched lists. Lists on the way are passed through. */
export interface Locator {
  readonly selection: StitchedSelection | undefined;
  readonly children: readonly { readonly key: string; readonly locator: Locator }[];
}

/**
 * `undefined` when nothing stitched is below. Throws NotListed where the way leads through a type that is only known
 * from the answer.
 */
export function locate(
  loaded: LoadedSupergraph,
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  parent: GraphQLObjectType,
  fields: readonly ShapeField[],
): Locator | undefined {
  const selection = stitchedSelection(loaded, operation, fragments, parent, fields);
  const children: { key: string; locator: Locator }[] = [];
  for (const field of fields) {
    if (field.type === undefined || loaded.stitched.has(`${parent.name}.${field.name}`)) continue;
    const sets = selectionSetsOf(field);
    if (isObjectType(field.type)) {
      const below = collectFields(loaded.schema, fragments, field.type, sets);
      const locator = locate(loaded, operation, fragments, field.type, below);
      if (locator !== undefined) children.push({ key: field.key, locator });
    } else if (isAbstractType(field.type)) {
      for (const type of loaded.schema.getPossibleTypes(field.type)) {
        const below = collectFields(loaded.schema, fragments, type, sets);
        if (locate(loaded, operation, fragments, type, below) !== undefined) {
          throw new NotListed('a stitched field below an abstract type');
        }
      }
    }
  }
  return selection === undefined && children.length === 0 ? undefined : { selection, children };
}

export type Found = (object: Record<string, unknown>, selection: StitchedSelection, path: (string | number)[]) => void;

/** Calls back for every object with stitched lists in the response. */
export function walk(locator: Locator, value: unknown, path: readonly (string | number)[], found: Found): void {
  if (value === null || typeof value !== 'object') return;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) walk(locator, item, [...path, index], found);
    return;
  }
  const object = value as Record<string, unknown>;
  for (const { key, locator: below } of locator.children) walk(below, object[key], [...path, key], found);
  if (locator.selection !== undefined) found(object, locator.selection, [...path]);
}
