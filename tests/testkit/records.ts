import { randomBytes, randomUUID, scryptSync } from 'node:crypto';
import type { QueryResultRow } from 'pg';
import { InstanceSecret } from '../../instance-server/platform/crypto.js';
import { privateKeyFromPem } from '../../instance-server/platform/keys.js';
import { openSeed, type Seed, type SeedBooking, type SeedGuide, type SeedOffer } from '../../scripts/seed/seed.js';
import type { RoleName } from './client.js';
import type { TestInstance } from './instance.js';
import { sign } from './keys.js';

/** Password of every test account. */
export const PASSWORD = 'correct horse battery';

/** Hashes say their own cost; this one is cheap, so that tests that sign in do not wait. */
const cheapHash = (() => {
  const salt = randomBytes(16);
  const key = scryptSync(PASSWORD.normalize('NFKC'), salt, 32, { N: 1_024, r: 8, p: 1 });
  return `scrypt$1024$8$1$${salt.toString('base64url')}$${key.toString('base64url')}`;
})();

const HOUR = 3_600_000;

export interface TestAccount {
  id: string;
  email: string;
  guideId: string | null;
  roles: RoleName[];
}

export interface TestBooking {
  id: string;
  offerId: string;
  assignmentIds: string[];
  start: Date;
  end: Date;
}

/** Plants what a test needs to begin with, with unlike names where it does not matter which, and signs accounts in. */
export class Records {
  #count = 0;

  private constructor(
    private readonly instance: Pick<TestInstance, 'code' | 'databaseUrl' | 'secret'>,
    /** For what has no shorthand here. */
    readonly seed: Seed,
  ) {}

  static async open(instance: Pick<TestInstance, 'code' | 'databaseUrl' | 'secret'>): Promise<Records> {
    return new Records(instance, await openSeed(instance.databaseUrl, instance.secret));
  }

  close(): Promise<void> {
    return this.seed.close();
  }

  /** As the database's owner. */
  async query<Row extends QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.seed.query<Row>(text, values)).rows;
  }

  #next(): number {
    this.#count += 1;
    return this.#count;
  }

  /** Gives its id. */
  async guide(given: Partial<SeedGuide> = {}): Promise<string> {
    const number = this.#next();
    return (await this.seed.guide({ firstName: `First${number}`, lastName: `Last${number}`, languages: ['de', 'en'], ...given })).id;
  }

  /** Gives its id; it takes an hour unless said. */
  async offer(given: Partial<SeedOffer> = {}): Promise<string> {
    return (await this.seed.offer({ title: `Tour ${this.#next()}`, priceAmount: 9_500, languages: ['de', 'en'], ...given })).id;
  }

  /** An account that signs in with {@link PASSWORD}. */
  async account(roles: RoleName[], given: { guideId?: string; email?: string; passwordHash?: string } = {}): Promise<TestAccount> {
    const { guideId, email = `person${this.#next()}@${this.instance.code}.example`, passwordHash = cheapHash } = given;
    const { id } = await this.seed.account({ email, displayName: `Name of ${email}`, roles, guideId, passwordHash });
    return { id, email, guideId: guideId ?? null, roles };
  }

  /** One hour long unless said, and the guides named assigned for all of it. */
  async booking(offerId: string, start: Date, given: Partial<SeedBooking> = {}): Promise<TestBooking> {
    const end = given.end ?? new Date(start.getTime() + HOUR);
    const { id, assignmentIds } = await this.seed.booking({ offerId, start, end, customer: { name: `Customer ${this.#next()}` }, ...given });
    return { id, offerId, assignmentIds, start, end };
  }

  /**
   * A session and its access token, made as the server makes them and with its own key; saves the log-in. A server must have run
   * on the instance before, since that makes the key.
   */
  async signIn(account: TestAccount, role: RoleName = account.roles[0] ?? 'STAFF', now = new Date()): Promise<{ token: string; sessionId: string }> {
    const sessionId = randomUUID();
    const expires = new Date(now.getTime() + 30 * 24 * HOUR);
    await this.query('insert into session (id, account_id, role, created_at, expires_at) values ($1, $2, $3, $4, $5)', [sessionId, account.id, role, now, expires]);
    const token = await this.accessToken({ sub: account.id, sid: sessionId, role, ...(role === 'GUIDE' && { guide: account.guideId }) }, { now });
    return { token, sessionId };
  }

  /** A new account of this role, signed in. */
  async signedIn(role: RoleName, given: { guideId?: string; now?: Date } = {}): Promise<TestAccount & { token: string; sessionId: string }> {
    const account = await this.account([role], { guideId: given.guideId });
    return { ...account, ...(await this.signIn(account, role, given.now)) };
  }

  /** Signs any claims with the server's own key. */
  async accessToken(claims: Record<string, unknown>, { life = 300, now = new Date(), typ = 'lotse-access+jwt' } = {}): Promise<string> {
    const { code } = this.instance;
    return sign({ typ, claims: { iss: code, aud: code, ...claims }, key: await this.signingKey(), life, now });
  }

  /** The key that signs access tokens at present. */
  async signingKey(): Promise<{ kid: string; privateKey: ReturnType<typeof privateKeyFromPem> }> {
    const [key] = await this.query<{ kid: string; private_key_encrypted: string }>('select kid, private_key_encrypted from signing_key order by active_from limit 1');
    if (!key) throw new Error('no server has run on this instance yet');
    return { kid: key.kid, privateKey: privateKeyFromPem(new InstanceSecret(this.instance.secret).decrypt(key.private_key_encrypted)) };
  }
}
