import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DemoDescription } from './demo.js';
import type { DemoAccount } from './folder.js';

/* What the small client programs of the demo share: watch.ts and book.ts. They know nothing but demo.json. */

/** @throws when no demo has been started with this folder (LOTSE_DEMO_DIR, default .lotse) */
export async function readDescription(): Promise<DemoDescription> {
  const file = join(process.env['LOTSE_DEMO_DIR'] || '.lotse', 'demo.json');
  try {
    return JSON.parse(await readFile(file, 'utf8')) as DemoDescription;
  } catch {
    throw new Error(`${file} cannot be read; start the demo with \`npm start\` first.`);
  }
}

/** One request to the gateway. @throws when the answer holds errors instead of data */
export async function ask<T>(demo: DemoDescription, query: string, variables: object, token?: string): Promise<T> {
  const response = await fetch(demo.gateway.http, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data?: T | null; errors?: { message: string }[] };
  if (data === undefined || data === null || errors !== undefined) throw new Error(errors?.map(({ message }) => message).join('; ') ?? 'no data');
  return data;
}

export async function signIn(demo: DemoDescription, { instance, email, password, role }: DemoAccount): Promise<string> {
  const { login } = await ask<{ login: { accessToken?: string; message?: string } }>(
    demo,
    'mutation ($input: LoginInput!) { login(input: $input) { ... on LoginPayload { accessToken } ... on UserError { message } } }',
    { input: { instance, email, password, role } },
  );
  if (login.accessToken === undefined) throw new Error(login.message);
  return login.accessToken;
}

export function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : 'unknown error'}\n`);
  process.exitCode = 1;
}
