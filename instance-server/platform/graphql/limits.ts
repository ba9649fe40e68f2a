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

const report = {
  propagateOnRejection: false,
  onReject: [
    (context: ValidationContext | null, error: GraphQLError): void => {
      context?.reportError(new GraphQLError(error.message.replace('Syntax Error: ', ''), { extensions: { code: 'OPERATION_LIMIT_EXCEEDED' } }));
    },
  ],
};

/** Validation rules that bound what a document may ask; the number of tokens is bounded by the parser. */
export const limitRules = ({ depth, aliases, cost }: OperationLimits): ValidationRule[] => [
  maxDepthRule({ n: depth, flattenFragments: true, ...report }),
  maxAliasesRule({ n: aliases, ...report }),
  costLimitRule({ maxCost: cost, flattenFragments: true, ...report }),
];
