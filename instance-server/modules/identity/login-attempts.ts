import { CompiledQuery } from 'kysely';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import type { InstanceSecret } from '../../platform/crypto.js';
import type { Database } from '../../platform/database/database.js';
import { Field, Int, ObjectType } from 'type-graphql';
import { Refusal, UserError, UserErrorCode } from '../../platform/errors/user-error.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';

@ObjectType({ implements: UserError, description: 'Too many failed attempts from this address or for this account. Nothing was checked.' })
@VisibleTo('ANYONE')
export class TooManyAttemptsError extends UserError {
  override readonly code = UserErrorCode.TOO_MANY_ATTEMPTS;
  override readonly message = 'Too many attempts. Try again later.';

  @Field(() => Int, { description: 'Seconds after which another attempt is looked at.' })
  readonly retryAfter: number;

  constructor(retryAfter: number) {
    super();
    this.retryAfter = retryAfter;
  }
}

async function consume(limiter: RateLimiterPostgres, key: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (error) {
    if (error instanceof RateLimiterRes) throw new Refusal(new TooManyAttemptsError(Math.ceil(error.msBeforeNext / 1000)));
    throw error;
  }
}

export interface AttemptLimits {
  /** Failures for one account from one address, per 15 minutes. */
  perAccountAndAddress: number;
  /** Failures from one address, per 15 minutes. */
  perAddress: number;
  /** Failures for one account from anywhere, per hour: bounds distributed guessing without letting one neighbour lock an account. */
  perAccount: number;
}

/**
 * Brute-force protection shared by all replicas. An attempt is counted before the password is looked at, so that parallel guesses
 * cannot slip through, and given back when it was right. Counter keys are keyed hashes: no address is stored.
 */
export class LoginAttempts {
  readonly #requests: RateLimiterPostgres;
  readonly #addressKey: (address: string) => string;
  readonly #limiters: { limiter: RateLimiterPostgres; key: (email: string, address: string) => string }[];

  constructor(database: Database, secret: InstanceSecret, limits: AttemptLimits) {
    // The limiter wants something that queries like pg; ours runs in the app role's pool.
    const storeClient = {
      query: async ({ text, values }: { text: string; values: unknown[] }) => {
        const result = await database.app.sql.executeQuery(CompiledQuery.raw(text, values));
        return { rows: result.rows, rowCount: Number(result.numAffectedRows ?? result.rows.length) };
      },
    };
    const limiter = (keyPrefix: string, points: number, duration: number) =>
      new RateLimiterPostgres({ storeClient, storeType: 'client', tableName: 'login_attempt', tableCreated: true, clearExpiredByTimeout: false, keyPrefix, points, duration });
    this.#addressKey = (address) => secret.pseudonym(address);
    this.#requests = limiter('request', limits.perAccountAndAddress, 900);
    this.#limiters = [
      { limiter: limiter('pair', limits.perAccountAndAddress, 900), key: (email, address) => secret.pseudonym(`${email}|${address}`) },
      { limiter: limiter('address', limits.perAddress, 900), key: (_email, address) => secret.pseudonym(address) },
      { limiter: limiter('account', limits.perAccount, 3600), key: (email) => secret.pseudonym(email) },
    ];
  }

  /** @throws Refusal TOO_MANY_ATTEMPTS */
  async count(email: string, address: string): Promise<void> {
    for (const { limiter, key } of this.#limiters) {
      await consume(limiter, key(email, address));
    }
  }

  /** For what costs work or sends mail and is no guess at a password: bounded by address alone, so that nobody can use it up for others. */
  async countRequest(address: string): Promise<void> {
    await consume(this.#requests, this.#addressKey(address));
  }

  /** After a right password: the pair starts afresh, the others get their one point back. */
  async giveBack(email: string, address: string): Promise<void> {
    await Promise.all(
      this.#limiters.map(({ limiter, key }, index) => (index === 0 ? limiter.delete(key(email, address)) : limiter.reward(key(email, address)))),
    );
  }
}
