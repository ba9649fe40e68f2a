import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { generateKeyPair, thumbprint } from '../../instance-server/platform/keys.js';

/** A P-256 key that signs, with the id under which the other side knows its public half. */
export interface SigningKey {
  kid: string;
  privateKey: KeyObject;
}

/** A key file that cannot be used; the message says why and never quotes the file. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
}

const privateJwk = z.looseObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  kid: z.string().min(1).optional(),
  x: z.string().min(1),
  y: z.string().min(1),
  d: z.string().min(1),
});

/** A new ES256 key pair as JWKs, both with `kid`. */
export function newKeyPair(): { privateJwk: JsonWebKey; publicJwk: JsonWebKey } {
  const { kid, publicJwk, privatePem } = generateKeyPair();
  return { privateJwk: { ...createPrivateKey(privatePem).export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }, publicJwk };
}

/** `operator.jwk` → `operator.pub.jwk`. */
export const publicFileOf = (privateFile: string): string => privateFile.replace(/(\.[^./\\]+)?$/, (extension) => `.pub${extension}`);

/**
 * Writes a new key pair: the private JWK to `file`, readable by its owner alone, the public one beside it.
 * @throws KeyFileError when one of the files exists: a key is never overwritten.
 */
export async function writeKeyPair(file: string): Promise<{ privateFile: string; publicFile: string; kid: string }> {
  const pair = newKeyPair();
  const publicFile = publicFileOf(file);
  for (const [path, jwk, mode] of [[file, pair.privateJwk, 0o600], [publicFile, pair.publicJwk, 0o644]] as const) {
    try {
      await writeFile(path, `${JSON.stringify(jwk, null, 2)}\n`, { mode, flag: 'wx' });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      throw new KeyFileError(code === 'EEXIST' ? `${path} exists already and is not overwritten.` : `${path} cannot be written (${code}).`);
    }
  }
  return { privateFile: file, publicFile, kid: String(pair.publicJwk.kid) };
}

/** @throws KeyFileError */
export function signingKeyOf(jwk: unknown, source: string): SigningKey {
  const parsed = privateJwk.safeParse(jwk);
  if (!parsed.success) throw new KeyFileError(`${source} is not an ES256 private key in JWK form; make one with \`keygen\`.`);
  try {
    return { kid: parsed.data.kid ?? thumbprint(parsed.data), privateKey: createPrivateKey({ key: parsed.data, format: 'jwk' }) };
  } catch {
    throw new KeyFileError(`${source} does not hold a valid P-256 key.`);
  }
}

/** Reads a private key; `warn` hears when others may read it too. @throws KeyFileError */
export async function readSigningKey(file: string, warn: (message: string) => void = () => undefined): Promise<SigningKey> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
    if (process.platform !== 'win32' && ((await stat(file)).mode & 0o077) !== 0) warn(`${file} can be read by others; restrict it with \`chmod 600\`.`);
  } catch (error) {
    throw new KeyFileError(`The key file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  try {
    return signingKeyOf(JSON.parse(text), file);
  } catch (error) {
    // The parser's message would quote the private key.
    throw error instanceof KeyFileError ? error : new KeyFileError(`${file} is not JSON.`);
  }
}
