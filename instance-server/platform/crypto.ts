import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes, randomUUID } from 'node:crypto';

/** Random, not time-ordered: an id shown outside says nothing about when its record was made. */
export const newId = (): string => randomUUID();

/** A UUID (version 8) that follows from a text, for what must be the same record when it is tried again. */
export function stableId(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Unguessable opaque token, 256 bits, URL-safe. */
export const newToken = (): string => randomBytes(32).toString('base64url');

export const sha256Hex = (value: string | Buffer): string => createHash('sha256').update(value).digest('hex');
export const sha256Base64Url = (value: string | Buffer): string => createHash('sha256').update(value).digest('base64url');

/** What an instance derives from its one secret: passwords of its database roles and the key of its stored private keys. */
export class InstanceSecret {
  readonly #encryptionKey: Buffer;

  constructor(private readonly secret: string) {
    this.#encryptionKey = Buffer.from(hkdfSync('sha256', secret, 'lotse', 'stored-private-keys', 32));
  }

  /** Password of a database login role; the same on every replica, known to nobody else. */
  rolePassword(role: string): string {
    return Buffer.from(hkdfSync('sha256', this.secret, 'lotse', `database-role:${role}`, 24)).toString('base64url');
  }

  /** Keyed hash for values that must be comparable but not readable, such as the keys of attempt counters. */
  pseudonym(value: string): string {
    return Buffer.from(hkdfSync('sha256', this.secret, value, 'pseudonym', 18)).toString('base64url');
  }

  encrypt(plain: string): string {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#encryptionKey, iv);
    const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64');
  }

  decrypt(stored: string): string {
    const raw = Buffer.from(stored, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', this.#encryptionKey, raw.subarray(0, 12));
    decipher.setAuthTag(raw.subarray(12, 28));
    return Buffer.concat([decipher.update(raw.subarray(28)), decipher.final()]).toString('utf8');
  }
}

/** JSON with sorted keys, so that equal inputs hash alike whatever order a client wrote them in. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (value instanceof Date) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const entries = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`;
}
