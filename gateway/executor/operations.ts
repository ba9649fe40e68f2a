import { QueryPlanner } from '@apollo/query-planner';
import { LRUCache } from 'lru-cache';
import {
  OperationTypeNode,
  getOperationAST,
  type DocumentNode,
  type FragmentDefinitionNode,
  type OperationDefinitionNode,
} from 'graphql';
import { invalidInput } from '../errors.js';
import { flagVariables, fragmentsOf, specialise, type Flags } from '../stitching/specialise.js';
import type { LoadedSupergraph } from '../supergraph.js';
import { compile, type CompiledOperation } from './compile.js';
import { rootFields, type RootFields } from './routing.js';

/** More conditions than this would mean too many variants of one document; such operations are left to the stock executor. */
const maxFlags = 6;

/** What is known of an operation once its conditions are decided. */
export interface Variant {
  readonly roots: RootFields;
  /** `undefined` when the stock executor runs it. */
  readonly compiled: CompiledOperation | undefined;
}

/** One operation of a validated document. Holds nothing of any viewer. */
export interface KnownOperation {
  readonly operation: OperationDefinitionNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly flags: readonly string[];
  readonly variants: Map<string, Variant>;
}

/**
 * Responsible for: doing the work that depends on the document only, once. Talks to: Apollo's planner, which decides
 * what the compiled executor may run.
 */
export class Operations {
  private readonly known: LRUCache<string, KnownOperation>;
  private readonly planner: QueryPlanner;

  constructor(
    private readonly loaded: LoadedSupergraph,
    remembered: number,
    private readonly compiling: boolean,
  ) {
    this.known = new LRUCache({ max: remembered });
    this.planner = new QueryPlanner(loaded.supergraph);
  }

  /** `undefined` when the document has no such operation. `hash` identifies the document's text. */
  find(hash: string, document: DocumentNode, operationName: string | null | undefined): KnownOperation | undefined {
    const key = `${hash} ${operationName ?? ''}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const operation = getOperationAST(document, operationName);
    if (operation === null || operation === undefined) return undefined;
    const fragments = fragmentsOf(document);
    const found = { operation, fragments, flags: flagVariables(operation, fragments), variants: new Map() };
    this.known.set(key, found);
    return found;
  }

  /** Throws INVALID_INPUT for a condition that is null, which a variable with a default may be. */
  variant(known: KnownOperation, coerced: Readonly<Record<string, unknown>>): Variant {
    for (const name of known.flags) {
      if (typeof coerced[name] !== 'boolean') throw invalidInput(name, 'NULL', `The condition $${name} must not be null.`);
    }
    const key = known.flags.length === 0 ? '' : known.flags.map((name) => (coerced[name] === true ? '1' : '0')).join('');
    const kept = known.variants.get(key);
    if (kept !== undefined) return kept;
    const flags: Flags = Object.fromEntries(known.flags.map((name) => [name, coerced[name] === true]));
    const roots = rootFields(this.loaded, known.operation, known.fragments, flags);
    const variant = { roots, compiled: this.compile(known, flags) };
    if (known.flags.length <= maxFlags) known.variants.set(key, variant);
    return variant;
  }

  private compile({ operation, fragments, flags: names }: KnownOperation, flags: Flags): CompiledOperation | undefined {
    if (!this.compiling || names.length > maxFlags || operation.operation === OperationTypeNode.SUBSCRIPTION) return undefined;
    const specialised = specialise(operation, fragments, flags);
    return specialised === undefined ? undefined : compile(this.loaded, this.planner, specialised);
  }
}
