import { costLimitRule } from '@escape.tech/graphql-armor-cost-limit';
import { maxAliasesRule } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthRule } from '@escape.tech/graphql-armor-max-depth';
import { GraphQLError, type ASTNode, type ASTVisitor, type ValidationContext, type ValidationRule } from 'graphql';
import type { GatewayConfig } from './config.js';
import { reservedPrefix } from './stitching/instrument.js';

/**
 * The rules every document has to pass besides GraphQL's own, over HTTP and over WebSocket. Violations carry
 * `extensions.limit`, by which `formatError` gives them their code.
 */
export function limitRules(limits: GatewayConfig['limits']): ValidationRule[] {
  return [
    maxDepthRule({ n: limits.depth, flattenFragments: true, ...reporting('depth') }),
    maxAliasesRule({ n: limits.aliases, ...reporting('aliases') }),
    costLimitRule({ maxCost: limits.cost, flattenFragments: true, ...reporting('cost') }),
    reservedNames,
  ];
}

/** Parser options of the token limit. */
export function parseLimits(limits: GatewayConfig['limits']): { maxTokens: number } {
  return { maxTokens: limits.tokens };
}

/** The armour throws by itself, which validation does not expect; it is made to report instead. */
function reporting(limit: string) {
  return {
    propagateOnRejection: false,
    onReject: [
      (context: ValidationContext | null, error: GraphQLError) => {
        context?.reportError(
          new GraphQLError(error.message.replace('Syntax Error: ', ''), { extensions: { limit } }),
        );
      },
    ],
  };
}

/** Names under which the gateway and the planner put their own things beside the client's. */
function reservedNames(context: ValidationContext): ASTVisitor {
  const check = (kind: string, name: string | undefined, node: ASTNode) => {
    if (name?.startsWith(reservedPrefix) === true) context.reportError(nodeError(kind, name, node));
  };
  return {
    Field: (node) => check('Aliases', node.alias?.value, node),
    FragmentDefinition: (node) => check('Fragments', node.name.value, node),
    VariableDefinition: (node) => {
      const name = node.variable.name.value;
      check('Variables', name, node);
      // The planner has a variable of this name in every operation it sends.
      if (name === 'representations') context.reportError(nodeError('Variables', name, node));
    },
  };
}

function nodeError(kind: string, name: string, node: ASTNode) {
  return new GraphQLError(`${kind} may not be called "${name}".`, { nodes: node });
}
