import type { Clock } from '../../platform/clock.js';
import type { PartnerViewer, RequestContext } from '../../platform/context.js';
import { peekToken, signToken, TokenError, type TokenVerifier } from '../../platform/tokens.js';
import type { LinkDirectory } from './link.directory.js';
import type { LinkedGrant } from './grant.type.js';

/** Life of a grant, seconds. */
export const GRANT_SECONDS = 60;
/** A grant is handed out again while it lives this long still: signing costs more than all else in issuing one. */
const REUSE_MS = 30_000;

/** How old, in seconds, the copies are that came over couplings; null for one whose copies are not whole. */
export interface ReplicaAges {
  of(couplingIds: readonly string[]): Promise<(number | null)[]>;
}

interface Issued {
  token: string;
  kid: string;
  expiresAtMs: number;
}

/**
 * Responsible for grants: a home's permission, shown by the gateway to one partner, to see one guide's stitched fields there. Issued to
 * the guide himself alone.
 */
export class GrantService {
  readonly #issued = new Map<string, Issued>();

  constructor(
    private readonly directory: LinkDirectory,
    private readonly verifier: TokenVerifier,
    private readonly clock: Clock,
    private readonly instanceCode: string,
    private readonly replicaAges: ReplicaAges,
  ) {}

  /** One for each active coupling over an open link; none unless the viewer is this guide. */
  async grantsOf(ctx: RequestContext, guideId: string): Promise<LinkedGrant[]> {
    const { viewer } = ctx;
    if (viewer.kind !== 'ACCOUNT' || viewer.role !== 'GUIDE' || viewer.guideId !== guideId) return [];
    await this.directory.fresh();
    const open = this.directory.openCouplingsOf(guideId);
    if (open.length === 0) return [];
    const ages = await this.replicaAges.of(open.map(({ coupling }) => coupling.id));
    return open.flatMap(({ coupling, link }, index) => {
      if (!link.ownKey) return [];
      const token = this.#issue(coupling, link.partnerCode, link.ownKey);
      return [{ instance: link.partnerCode, token, globalId: coupling.globalId, replicaAge: ages[index] ?? null }];
    });
  }

  #issue(
    coupling: { id: string; linkId: string; globalId: string },
    partnerCode: string,
    key: NonNullable<ReturnType<LinkDirectory['byId']>>['ownKey'] & object,
  ): string {
    const now = this.clock.now();
    const cacheKey = `${coupling.id}|${coupling.globalId}`;
    const earlier = this.#issued.get(cacheKey);
    if (earlier && earlier.kid === key.kid && earlier.expiresAtMs - now.getTime() > REUSE_MS) return earlier.token;
    const { token, expiresAt } = signToken(
      'lotse-grant+jwt',
      key,
      { iss: this.instanceCode, aud: partnerCode, sub: coupling.globalId, link: coupling.linkId, coupling: coupling.id, scope: 'linked:read' },
      now,
      GRANT_SECONDS,
    );
    if (this.#issued.size > 10_000) this.#issued.clear();
    this.#issued.set(cacheKey, { token, kid: key.kid, expiresAtMs: expiresAt * 1000 });
    return token;
  }

  /** Whom a partner's grant makes its bearer here. @throws TokenError */
  async verify(token: string): Promise<PartnerViewer> {
    const { kid, typ, iss } = peekToken(token);
    if (typ !== 'lotse-grant+jwt') throw new TokenError('TOKEN_INVALID');
    const signer = await this.directory.signer(iss, kid);
    if (!signer) throw new TokenError(this.directory.byPartner(iss) ? 'TOKEN_INVALID' : 'ISSUER_UNKNOWN');
    const { link, pinned } = signer;
    const claims = this.verifier.verify(
      token,
      { kind: 'lotse-grant+jwt', issuer: iss, audience: this.instanceCode, maxLifeSeconds: GRANT_SECONDS, key: pinned.key },
      this.clock.now(),
    );
    const coupling = this.directory.coupling(String(claims.coupling));
    const stands =
      claims.scope === 'linked:read' &&
      link.isOpen &&
      claims.link === link.id &&
      coupling !== undefined &&
      coupling.linkId === link.id &&
      coupling.globalId === claims.sub;
    if (!stands) throw new TokenError('TOKEN_REVOKED');
    return { kind: 'PARTNER', partnerCode: iss, linkId: link.id, couplingId: coupling.id, globalId: coupling.globalId };
  }
}
