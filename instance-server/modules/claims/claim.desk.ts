import type { Tx } from '../../platform/database/database.js';
import type { KnownLink } from '../links/index.js';
import { ItemRefusal, type RefusedItem } from '../replication/index.js';
import type { ClaimAnswer } from './claim.messages.js';
import type { Greeting } from './greeting.js';
import { claimRepository as repository, type Claimed, type DeskGuide, type KeptClaim } from './claim.repository.js';

const DAY_MS = 86_400_000;

/** What one partner may claim of one guide: a hostile one must not block him for ever. */
export interface ClaimLimits {
  /** Living claims, those in conflict included. */
  number: number;
  days: number;
  horizonDays: number;
}

const isRelease = (claim: Claimed): boolean => claim.start === null;
const isAnswered = (claim: Claimed, known: KeptClaim | undefined): boolean =>
  known?.incarnation === claim.incarnation && known.version === claim.version && known.state !== 'CONFLICT';

/** Responsible for what the keeper of a guide's claims decides. Callers hold the rows of the guides. */
export class ClaimDesk {
  constructor(
    private readonly greeting: Greeting,
    private readonly instanceCode: string,
    private readonly limits: ClaimLimits,
  ) {}

  /** One answer for each, in their order. @throws ItemRefusal with the places of the claims that cannot be taken */
  async decide(tx: Tx, holder: KnownLink, claims: readonly Claimed[], now: Date): Promise<ClaimAnswer[]> {
    const code = holder.partnerCode;
    const guides = await repository.deskGuides(tx, claims.map((claim) => claim.guideId), code, now);
    const known = await repository.kept(tx, code, claims.map((claim) => claim.id));
    const incarnation = await repository.incarnation(tx);
    const taken: Claimed[] = [];
    const refused: RefusedItem[] = [];
    for (const [index, claim] of claims.entries()) {
      const guide = guides.get(claim.guideId);
      const before = known.get(claim.id);
      if (guide?.keeper !== this.instanceCode) {
        // Left over from when the claims were kept here.
        if (before && isRelease(claim)) taken.push(claim);
        continue;
      }
      if (!isRelease(claim) && !isAnswered(claim, before)) {
        if (!before || before.state === 'RELEASED') guide.living += 1;
        // What was granted before is never put off: each of two houses would wait for the other.
        if (this.#exceeds(claim, guide, now)) refused.push({ index, code: 'LIMIT_EXCEEDED' });
        else if (!claim.isGranted && this.greeting.isOpen(guide.linkIds, incarnation, holder.id)) refused.push({ index, code: 'LATER' });
      }
      taken.push(claim);
    }
    ItemRefusal.throwFor(refused);
    const given = taken.length > 0 ? await repository.apply(tx, code, taken, now) : [];
    const answers = new Map(taken.map((claim, place) => [claim, given[place]]));
    return claims.map((claim, index) => {
      const answer = answers.get(claim);
      if (!answer) return { verdict: isRelease(claim) ? 'RELEASED' : 'NOT_KEEPER' };
      if (answer.verdict === 'NOT_YOURS') throw new ItemRefusal({ index, code: 'NOT_YOURS' });
      return { verdict: answer.verdict as ClaimAnswer['verdict'], ...(answer.verdict === 'STALE' && { version: answer.version ?? undefined }) };
    });
  }

  #exceeds(claim: Claimed, guide: DeskGuide, now: Date): boolean {
    const [start, end] = [claim.start?.getTime() ?? 0, claim.end?.getTime() ?? 0];
    const isTooFar = end - start > this.limits.days * DAY_MS || end > now.getTime() + this.limits.horizonDays * DAY_MS;
    return isTooFar || guide.living > this.limits.number;
  }
}
