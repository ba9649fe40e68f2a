import type { JsonWebKey } from 'node:crypto';
import { z } from 'zod';
import { newId, sha256Base64Url } from '../../instance-server/platform/crypto.js';
import { signToken } from '../../instance-server/platform/tokens.js';
import type { SigningKey } from './keys.js';

/** What one operator hands the other when a link is made. Public: it holds no secret, but must arrive unchanged. */
export interface LinkOffer {
  linkId: string;
  code: string;
  name: string;
  url: string;
  endpoint: string;
  publicJwk: JsonWebKey;
}

export interface Link {
  id: string;
  partnerCode: string;
  partnerName: string;
  partnerUrl: string;
  partnerEndpoint: string;
  /** PROPOSED, ACTIVE or ENDED. */
  state: string;
  suspendedHere: boolean;
  suspendedThere: boolean;
  keys: LinkKey[];
}

export interface LinkKey {
  kid: string;
  /** OWN or PARTNER. */
  side: string;
  /** Null while the other side has not said, or shown, that it has it. */
  inUseSince: string | null;
  /** Null for those that nothing has replaced. */
  acceptedUntil: string | null;
}

export interface RotatedLinkKey {
  kid: string;
  /** Whether the partner has it; if not, he is told until he has. */
  inUse: boolean;
}

export interface Coupling {
  id: string;
  guideId: string | null;
  /** REQUESTED, ACCEPTED, ACTIVE, DECLINED or ENDED. */
  state: string;
  pausedHere: boolean;
  pausedThere: boolean;
  since: string | null;
}

/** `partnerTold`: whether the partner has heard of the change; here it counts at once in any case. */
export type ChangedLink = Link & { partnerTold: boolean };

export interface Settings {
  code: string;
  name: string;
  url: string;
  logo: string | null;
  homepage: string | null;
  timeZone: string;
  locale: string;
  currency: string;
  blockTitle: string;
  unreachableKeeper: 'ACCEPT' | 'REFUSE';
}

export type SettingsChange = Partial<Omit<Settings, 'code'>>;

export interface Invitation {
  email: string;
  displayName: string;
  roles: ('STAFF' | 'ADMINISTRATOR')[];
}

/** The instance answered, and said no. */
export class OperatorRefusal extends Error {
  override readonly name = 'OperatorRefusal';

  constructor(
    readonly instance: string,
    readonly status: number,
    /** Stable code, such as ALREADY_EXISTS, NOT_FOUND, INVALID_INPUT, UNAUTHENTICATED. */
    readonly code: string,
    message: string,
    /** Everything the instance said. */
    readonly facts: Readonly<Record<string, unknown>>,
  ) {
    super(message);
  }
}

/** There is no instance at this address, or it does not answer. */
export class InstanceUnreachable extends Error {
  override readonly name = 'InstanceUnreachable';
}

const TIME_LIMIT_MS = 15_000;
/** The instance accepts 60 s at most; a call is signed when it is sent, so this covers differing clocks only. */
const TOKEN_SECONDS = 60;
const CLOCK_MARGIN_MS = 5_000;

const wellKnown = z.object({ code: z.string().min(1), name: z.string() });

/**
 * Calls the operator API of one instance (docs/protocol.md §2): each call carries a token of its own, signed with the
 * operator's key and bound to path and body, which the instance accepts once.
 *
 * All methods throw {@link OperatorRefusal} or {@link InstanceUnreachable}.
 */
export class OperatorClient {
  #code: Promise<string> | undefined;

  constructor(
    /** Base address of the instance, such as `https://museum.example`. */
    readonly instanceUrl: string,
    private readonly key: SigningKey,
  ) {}

  /** The instance's own code, from its public document. */
  code(): Promise<string> {
    this.#code ??= this.#readCode().catch((error: unknown) => {
      this.#code = undefined;
      throw error;
    });
    return this.#code;
  }

  settings(): Promise<Settings> {
    return this.call('settings/read');
  }

  changeSettings(change: SettingsChange): Promise<Settings> {
    return this.call('settings/write', change);
  }

  /** A new key signs from its time on; the old one is accepted until the tokens it signed have ended. */
  rotateKeys(): Promise<{ kid: string; activeFrom: string }> {
    return this.call('keys/rotate');
  }

  invite(invitation: Invitation): Promise<{ accountId: string }> {
    return this.call('accounts/invite', invitation);
  }

  links(): Promise<Link[]> {
    return this.call('links/list');
  }

  /** After the instance's clock was far ahead and has been set right. */
  restamp(): Promise<{ profileFields: number; rules: number }> {
    return this.call('sync/restamp');
  }

  /** First step of a link, here. */
  proposeLink(partner: string): Promise<LinkOffer> {
    return this.call('links/propose', { partner });
  }

  /** Second step, at the partner: active there at once. */
  acceptLink(offer: LinkOffer): Promise<LinkOffer> {
    return this.call('links/accept', { offer });
  }

  /** Third step, here again. */
  completeLink(answer: LinkOffer): Promise<Link> {
    return this.call('links/complete', { answer });
  }

  changeLink(partner: string, action: 'suspend' | 'resume' | 'end'): Promise<ChangedLink> {
    return this.call(`links/${action}`, { partner });
  }

  /** The partner has another address or name; keys stay. */
  moveLink(partner: string, to: { endpoint?: string; url?: string; name?: string }): Promise<Link> {
    return this.call('links/move', { partner, ...to });
  }

  /** A new key for our side of the link; nothing stops meanwhile. */
  rotateLinkKey(partner: string): Promise<RotatedLinkKey> {
    return this.call('links/rotate', { partner });
  }

  /** A new key that signs at once, to be pinned by the partner's operator. */
  renewLinkKey(partner: string): Promise<LinkOffer> {
    return this.call('links/renew', { partner });
  }

  pinLinkKey(offer: LinkOffer): Promise<Link> {
    return this.call('links/pin', { offer });
  }

  couplings(partner: string): Promise<Coupling[]> {
    return this.call('couplings/list', { partner });
  }

  changeCoupling(couplingId: string, action: 'pause' | 'resume' | 'end'): Promise<Coupling> {
    return this.call(`couplings/${action}`, { couplingId });
  }

  /** One signed call; gives the `result` of the answer. */
  async call<T>(command: string, input: object = {}): Promise<T> {
    const code = await this.code();
    const path = `/operator/v1/${command}`;
    const body = JSON.stringify(input);
    const { token } = signToken(
      'lotse-operator+jwt',
      this.key,
      { iss: 'operator', aud: code, jti: newId(), body: sha256Base64Url(body), path },
      new Date(Date.now() - CLOCK_MARGIN_MS),
      TOKEN_SECONDS,
    );
    const { status, answer } = await this.#fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body,
    });
    if (status === 200 && 'result' in answer) return answer['result'] as T;
    throw refusal(code, status, answer);
  }

  async #readCode(): Promise<string> {
    const { status, answer } = await this.#fetch('/.well-known/lotse.json');
    const parsed = wellKnown.safeParse(answer);
    if (status !== 200 || !parsed.success) throw new InstanceUnreachable(`${this.instanceUrl} answers, but is not an instance of Lotse.`);
    return parsed.data.code;
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<{ status: number; answer: Record<string, unknown> }> {
    let response: Response;
    try {
      response = await fetch(new URL(path, this.instanceUrl), { ...init, redirect: 'error', signal: AbortSignal.timeout(TIME_LIMIT_MS) });
    } catch (error) {
      throw new InstanceUnreachable(`${this.instanceUrl} cannot be reached (${reasonOf(error)}).`);
    }
    const answer: unknown = await response.json().catch(() => undefined);
    return { status: response.status, answer: typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {} };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown reason';
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return cause?.code ?? cause?.message ?? (error.name === 'TimeoutError' ? `no answer within ${TIME_LIMIT_MS / 1000} s` : error.message);
}

const UNAUTHENTICATED_HINTS: Readonly<Record<string, string>> = {
  TOKEN_INVALID: 'it does not accept this key; its public half must stand in OPERATOR_PUBLIC_KEYS of the instance, and the clocks must agree',
  TOKEN_EXPIRED: 'the call came too late; compare the clocks of this machine and the instance',
  TOKEN_REVOKED: 'the call was seen before',
};

/** What an operator makes of a refusal that names a member of the call. */
const REFUSAL_HINTS: Readonly<Record<string, string>> = {
  'NOT_FOUND partner': 'it has no living link with a house of this code; `link list` shows them all',
  'NOT_FOUND answer.linkId': 'it has proposed no link that this answers',
  'NOT_FOUND offer.linkId': 'it has no active link that this key is for',
  'NOT_FOUND couplingId': 'it has no such coupling over this link; `coupling list <partner>` shows them',
  'NOT_FOUND input.couplingId': 'it has no such coupling; `coupling list <partner>` shows them',
  'NOT_FOUND guideId': 'it has no guide of this id who is coupled over this link; `coupling list <partner>` shows them',
  'ALREADY_EXISTS partner': 'it has a living link with this house already; `link list` shows it',
};

const problem = z.object({ field: z.string(), reason: z.string() });

function refusal(instance: string, status: number, answer: Record<string, unknown>): OperatorRefusal {
  const code = typeof answer['code'] === 'string' ? answer['code'] : `HTTP_${status}`;
  const said = typeof answer['message'] === 'string' ? answer['message'] : undefined;
  const problems = z.array(problem).safeParse(answer['problems']).data?.map(({ field, reason }) => `${field || 'input'}: ${reason}`);
  const hint = status === 401 ? UNAUTHENTICATED_HINTS[String(answer['reason'])] : undefined;
  const text = hint ?? REFUSAL_HINTS[`${code} ${String(answer['field'])}`] ?? said ?? (problems && problems.length > 0 ? problems.join('; ') : status >= 500 ? 'something went wrong there; its log says more' : 'no reason given');
  return new OperatorRefusal(instance, status, code, `${instance} refused (${code}): ${text}`, answer);
}
