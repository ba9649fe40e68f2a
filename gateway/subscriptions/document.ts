import {
  GraphQLError,
  OperationTypeNode,
  getOperationAST,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type GraphQLSchema,
  type ValidationRule,
} from 'graphql';
import type { SubscribePayload } from 'graphql-ws';

export interface DocumentRules {
  readonly schema: GraphQLSchema;
  /** Limits (depth, aliases, cost), besides the rules of the specification. */
  readonly validationRules: readonly ValidationRule[];
  readonly maxTokens: number;
}

/** Errors reported at once; a client does not need more, and a hostile document does not get more. */
const MAX_ERRORS = 10;

/** The document when it may be passed to an instance, otherwise the errors for the client. */
export function checkDocument(payload: SubscribePayload, rules: DocumentRules): DocumentNode | readonly GraphQLError[] {
  let document: DocumentNode;
  try {
    document = parse(payload.query, { maxTokens: rules.maxTokens });
  } catch (error) {
    return [withCode(error, 'GRAPHQL_PARSE_FAILED')];
  }
  const operation = getOperationAST(document, payload.operationName);
  if (!operation) {
    return [invalid('The document has no operation of this name, or several and none is named.')];
  }
  if (operation.operation !== OperationTypeNode.SUBSCRIPTION) {
    return [invalid('Only subscriptions are served over WebSocket. Send queries and mutations by HTTP POST.')];
  }
  try {
    const errors = validate(rules.schema, document, [...specifiedRules, ...rules.validationRules], {
      maxErrors: MAX_ERRORS,
    });
    return errors.length === 0 ? document : errors.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'));
  } catch (error) {
    // Limit rules may throw instead of reporting, to stop a walk that is already too long.
    return [withCode(error, 'GRAPHQL_VALIDATION_FAILED')];
  }
}

function invalid(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } });
}

/** A code that the rule itself has set stays. */
function withCode(error: unknown, code: string): GraphQLError {
  if (!(error instanceof GraphQLError)) throw error;
  return new GraphQLError(error.message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    extensions: { code, ...error.extensions },
  });
}
