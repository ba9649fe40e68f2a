import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** scrypt with 32 MiB per hash (N = 2^15, r = 8, p = 3), a combination OWASP's password storage sheet recommends. */
const COST = { N: 2 ** 15, r: 8, p: 3 } as const;
const MAX_MEMORY = 64 * 1024 * 1024;
const KEY_LENGTH = 32;

export const PASSWORD_MIN = 12;
export const PASSWORD_MAX = 200;

function derive(password: string, salt: Buffer, cost: { N: number; r: number; p: number }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, KEY_LENGTH, { ...cost, maxmem: MAX_MEMORY }, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

/** `scrypt$N$r$p$salt$key`, so that the cost can be raised later without invalidating anybody. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt, COST);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), key.toString('base64url')].join('$');
}

/** What unknown accounts are compared with: the same work, never equal. */
const decoy = ['scrypt', COST.N, COST.r, COST.p, randomBytes(16).toString('base64url'), randomBytes(KEY_LENGTH).toString('base64url')].join('$');

/** Takes the same time for an account that does not exist or has no password yet (`stored` null). */
export async function verifyPassword(password: string, stored: string | null | undefined): Promise<boolean> {
  const [, n, r, p, salt = '', key = ''] = (stored ?? decoy).split('$');
  const expected = Buffer.from(key, 'base64url');
  const actual = await derive(password.slice(0, PASSWORD_MAX + 1), Buffer.from(salt, 'base64url'), { N: Number(n), r: Number(r), p: Number(p) });
  return timingSafeEqual(actual, expected) && stored !== null && stored !== undefined;
}
