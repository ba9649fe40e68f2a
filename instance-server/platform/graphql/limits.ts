import { costLimitRule } from '@escape.tech/graphql-armor-cost-limit';
import { maxAliasesRule } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthRule } from '@escape.tech/graphql-armor-max-depth';
import { GraphQLError, type ValidationContext, type ValidationRule } from 'graphql';

export interface OperationLimits {
  /** Levels of nesting. */
  depth: number;
  aliases: number;
  /** Weighted number of fields: 2 an object, 1 a scalar, times 1.5 a level. */
  cost: number;
}

const reporting = (limit: string) => ({
  propagateOnRejection: false,
  onReject: [
    (context: ValidationContext | null, error: GraphQLError): void => {
      context?.reportError(new GraphQLError(error.message.replace('Syntax Error: ', ''), { extensions: { limit } }));
    },
  ],
});

/**
 * Validation rules that bound what a document may ask; the number of tokens is bounded by the parser. Violations carry
 * `extensions.limit`, by which the error's form (`format-error.ts`) gives them their code.
 */
export const limitRules = ({ depth, aliases, cost }: OperationLimits): ValidationRule[] => [
  maxDepthRule({ n: depth, flattenFragments: true, ...reporting('depth') }),
  maxAliasesRule({ n: aliases, ...reporting('aliases') }),
  costLimitRule({ maxCost: cost, flattenFragments: true, ...reporting('cost') }),
];
