import type { OperatorClient } from './client.js';

/** What the commands of every group share. */
export type Open = (url?: string, keyFile?: string) => Promise<OperatorClient>;
export type Print = (result: object, human: string) => void;

export const NEEDS_KEY = 'the instance runs and has the public half of your key in OPERATOR_PUBLIC_KEYS';

/** Help of one command: what must hold before, and a command line that works. */
export const details = (preconditions: string, example: string): string =>
  // Without --silent npm would write its own lines into a file that the output goes to.
  `\nBefore: ${preconditions}\n\nExample:\n  npm run ${example.includes(' > ') ? '--silent ' : ''}operator -- ${example}`;
