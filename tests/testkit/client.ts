export interface Answer<Data = Record<string, never>> {
  /** Of the HTTP answer. */
  status: number;
  data: Data;
  errors: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> & { code: string } }[] | undefined;
  /** The whole answer as it came, to look for what must not be in it. */
  text: string;
}

export interface GraphqlClient {
  /** One operation over HTTP. `Data` says what the test expects; nothing is checked here. */
  query<Data = Record<string, never>>(document: string, variables?: Record<string, unknown>, token?: string): Promise<Answer<Data>>;
}

/** Speaks GraphQL over HTTP with a gateway or an instance; `path` is `/federation` for what a gateway would ask. */
export function client(url: string, { path = '/graphql', headers = {} }: { path?: string; headers?: Record<string, string> } = {}): GraphqlClient {
  return {
    async query<Data>(document: string, variables: Record<string, unknown> = {}, token?: string) {
      const response = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
        body: JSON.stringify({ query: document, variables }),
      });
      const text = await response.text();
      const { data, errors } = JSON.parse(text) as Pick<Answer<Data>, 'data' | 'errors'>;
      return { status: response.status, data, errors, text };
    },
  };
}

export type RoleName = 'GUIDE' | 'STAFF' | 'ADMINISTRATOR';

export interface Session {
  accessToken: string;
  refreshToken: string;
  expiresIn: number;
  viewer: { id: string; email: string; role: RoleName; roles: RoleName[]; guide: { id: string } | null };
}

const SESSION = `... on LoginPayload { accessToken refreshToken expiresIn viewer { id email role roles guide { id } } }`;

export type LoginOutcome = ({ __typename: 'LoginPayload' } & Session) | { __typename: Exclude<string, 'LoginPayload'>; code: string; retryAfter?: number; field?: string; reason?: string };

const OUTCOME = `__typename ${SESSION} ... on UserError { code }`;
export const LOGIN = `mutation ($input: LoginInput!) { login(input: $input) { ${OUTCOME} ... on TooManyAttemptsError { retryAfter } ... on InvalidInputError { field reason } } }`;
export const REFRESH = `mutation ($token: String!) { refreshSession(input: { refreshToken: $token }) { ${OUTCOME} } }`;
export const ACCEPT_INVITATION = `mutation ($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { ${OUTCOME} ... on InvalidInputError { field reason } } }`;

/** Signs in with a password. @throws when that is refused; use {@link LOGIN} for refusals. */
export async function login(url: string, email: string, password: string, role?: RoleName, instance?: string): Promise<Session> {
  const answer = await client(url).query<{ login: LoginOutcome }>(LOGIN, { input: { email, password, role, instance } });
  const outcome = answer.data?.login;
  if (outcome?.__typename !== 'LoginPayload') throw new Error(`log-in of ${email} was refused: ${answer.text}`);
  return outcome as Session;
}
