import { circuitBreaker, ConsecutiveBreaker, handleAll, timeout, TimeoutStrategy, wrap, type IPolicy } from 'cockatiel';
import { Agent, request } from 'undici';
import type { Clock } from '../../platform/clock.js';
import { newId, sha256Base64Url } from '../../platform/crypto.js';
import { steadyDelay } from '../../platform/steady-delay.js';
import { signToken } from '../../platform/tokens.js';
import type { KnownLink } from './link.directory.js';

/** Life of a signed call, seconds. */
export const PARTNER_TOKEN_SECONDS = 60;
const TIME_LIMIT_MS = 5_000;
const HALF_OPEN_AFTER_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;

/** The partner answered with a refusal; `code` is one of its stable codes. */
export class PartnerRefusal extends Error {
  constructor(
    readonly code: string,
    /** What else the partner said of it; believed in nothing. */
    readonly facts: Readonly<Record<string, unknown>> = {},
  ) {
    super(code);
  }
}

/** What is exchanged in the background; it fails often while a partner is away, and says nothing of a call that somebody waits for. */
const isBackground = (path: string): boolean => path.startsWith('/partner/v1/sync/') || path === '/partner/v1/claims/inventory';

function patience(): IPolicy {
  const breaker = circuitBreaker(handleAll, { halfOpenAfter: steadyDelay(HALF_OPEN_AFTER_MS), breaker: new ConsecutiveBreaker(5) });
  return wrap(breaker, timeout(TIME_LIMIT_MS, TimeoutStrategy.Aggressive));
}

/**
 * Calls a partner with a token signed by our link key over the hash of the body, each with breakers of its own: one for the exchange in
 * the background, one for what people wait for.
 */
export class PartnerClient {
  readonly #policies = new Map<string, { background: IPolicy; awaited: IPolicy }>();
  // Kept longer than partners are silent in between, so that a change does not wait for a connection.
  readonly #agent = new Agent({ connect: { timeout: 2_000 }, maxResponseSize: MAX_ANSWER_BYTES, keepAliveTimeout: 30_000, keepAliveMaxTimeout: 60_000 });

  constructor(
    private readonly clock: Clock,
    private readonly instanceCode: string,
  ) {}

  #policy({ partnerEndpoint }: KnownLink, path: string): IPolicy {
    let policies = this.#policies.get(partnerEndpoint);
    if (!policies) {
      policies = { background: patience(), awaited: patience() };
      this.#policies.set(partnerEndpoint, policies);
    }
    return isBackground(path) ? policies.background : policies.awaited;
  }

  /** @throws PartnerRefusal when the partner says no; any other error when it cannot be reached. */
  async call(link: KnownLink, path: string, body: Record<string, unknown>): Promise<unknown> {
    if (!link.ownKey) throw new Error('link has no key');
    const text = JSON.stringify(body);
    const { token } = signToken(
      'lotse-partner+jwt',
      link.ownKey,
      { iss: this.instanceCode, aud: link.partnerCode, link: link.id, jti: newId(), body: sha256Base64Url(text), path },
      this.clock.now(),
      PARTNER_TOKEN_SECONDS,
    );
    const { status, answer } = await this.#policy(link, path).execute(async ({ signal }) => {
      const response = await request(new URL(path, link.partnerEndpoint), {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: text,
        signal,
        dispatcher: this.#agent,
      });
      const json = (await response.body.json()) as unknown;
      if (response.statusCode >= 500) throw new Error(`partner answered ${response.statusCode}`);
      return { status: response.statusCode, answer: json };
    });
    if (status !== 200) {
      const facts: Readonly<Record<string, unknown>> = typeof answer === 'object' && answer !== null ? { ...answer } : {};
      throw new PartnerRefusal(String(facts['code'] ?? 'REFUSED').slice(0, 64), facts);
    }
    return answer;
  }

  /** Asks the partner again at once, even if he has not answered so often that he is left alone for a while. */
  forget(link: KnownLink): void {
    this.#policies.delete(link.partnerEndpoint);
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }
}
