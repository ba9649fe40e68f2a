import { setTimeout as pause } from 'node:timers/promises';
import type { Outcome, Viewer } from '../checker/index.js';

export interface Account extends Viewer {
  readonly email: string;
  readonly password: string;
  /** Of the session that is open, if one is. */
  token?: string;
}

export type Via = 'direct' | 'gateway';

/** `data` is the whole of an answer without errors. */
export type Reply = { readonly kind: 'data'; readonly data: Record<string, unknown> } | Exclude<Outcome, { kind: 'ok' }>;

/** Errors that come before anything is done. */
const NOTHING_DONE = new Set([
  'UNAUTHENTICATED', 'FORBIDDEN', 'NOT_FOUND', 'INVALID_INPUT', 'BAD_REQUEST', 'BAD_USER_INPUT', 'OPERATION_RESOLUTION_FAILURE',
  'GRAPHQL_PARSE_FAILED', 'GRAPHQL_VALIDATION_FAILED', 'OPERATION_LIMIT_EXCEEDED', 'RATE_LIMITED',
]);
const TIME_LIMIT_MS = 5_000;
const LOGIN = `mutation ($input: LoginInput!) { login(input: $input) { __typename ... on LoginPayload { accessToken } ... on UserError { code } } }`;

interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

export interface Addresses {
  direct(house: string): string;
  gateway(): string;
}

/** Signs people in and asks for them, over HTTP, at their house or at the gateway. Everything that is answered is heard. */
export class Caller {
  constructor(
    private readonly addresses: Addresses,
    private readonly hear: (text: string, viewer: Viewer) => void,
  ) {}

  /** Signs in first where that is needed; a session that the server no longer knows is replaced once. */
  async ask(account: Account, via: Via, document: string, variables: Record<string, unknown>): Promise<Reply> {
    for (let attempt = 1; ; attempt += 1) {
      const token = account.token ?? (await this.#signIn(account, via));
      if (token === undefined) return { kind: 'refused', code: 'NO_SESSION' };
      account.token = token;
      const reply = await this.#post(account, via, { query: document, variables }, token);
      if (reply.kind !== 'refused' || reply.code !== 'UNAUTHENTICATED' || attempt === 2) return reply;
      if (account.token === token) account.token = undefined;
    }
  }

  async #signIn(account: Account, via: Via): Promise<string | undefined> {
    const { email, password, role, house } = account;
    const reply = await this.#post(account, via, { query: LOGIN, variables: { input: { email, password, role, instance: house } } });
    const login = reply.kind === 'data' ? (reply.data['login'] as { accessToken?: string } | undefined) : undefined;
    return login?.accessToken;
  }

  async #post(account: Account, via: Via, body: object, token?: string): Promise<Reply> {
    const url = via === 'direct' ? this.addresses.direct(account.house) : this.addresses.gateway();
    let text: string;
    try {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(TIME_LIMIT_MS),
      });
      text = await response.text();
    } catch (error) {
      const cause = error instanceof Error ? ((error.cause as NodeJS.ErrnoException | undefined)?.code ?? error.name) : 'unknown';
      // Nobody listened, so nobody heard.
      return cause === 'ECONNREFUSED' ? { kind: 'refused', code: cause } : { kind: 'unknown', why: cause };
    }
    this.hear(text, account);
    return read(text);
  }
}

function read(text: string): Reply {
  let answer: Answer;
  try {
    answer = JSON.parse(text) as Answer;
  } catch {
    return { kind: 'unknown', why: 'NOT_JSON' };
  }
  const [error] = answer.errors ?? [];
  if (!error) return answer.data ? { kind: 'data', data: answer.data } : { kind: 'unknown', why: 'NO_DATA' };
  const code = error.extensions?.code ?? 'NO_CODE';
  return NOTHING_DONE.has(code) && !answer.data ? { kind: 'refused', code } : { kind: 'unknown', why: code };
}

export interface Changed<Payload> {
  readonly outcome: Outcome;
  readonly attempts: number;
  /** Only where the outcome is ok. */
  readonly payload?: Payload;
}

/**
 * Asks for one change until it is answered or `attempts` are used up, each time with the same input. A refusal after an attempt without
 * answer does not tell that nothing happened: that attempt may still be under way.
 */
export async function change<Payload>(
  caller: Caller,
  account: Account,
  via: () => Via,
  mutation: { document: string; input: Record<string, unknown> },
  attempts: number,
): Promise<Changed<Payload>> {
  let missed: Outcome | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const reply = await caller.ask(account, via(), mutation.document, { input: mutation.input });
    if (reply.kind === 'data') {
      const [result] = Object.values(reply.data) as ({ __typename: string; code?: string } | undefined)[];
      if (result?.__typename.endsWith('Payload')) return { outcome: { kind: 'ok' }, attempts: attempt, payload: result as Payload };
      return { outcome: missed ?? { kind: 'refused', code: result?.code ?? result?.__typename ?? 'NOTHING' }, attempts: attempt };
    }
    if (reply.kind === 'refused') return { outcome: missed ?? reply, attempts: attempt };
    missed = reply;
    if (attempt >= attempts) return { outcome: missed, attempts: attempt };
    await pause(150 * 2 ** attempt);
  }
}
