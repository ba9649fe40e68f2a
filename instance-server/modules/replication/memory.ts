import type { Logger } from 'pino';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Tx } from '../../platform/database/database.js';
import { type KnownLink, PartnerCallError } from '../links/index.js';
import { type Heartbeat, RELEASE } from './messages.js';
import { peerRepository as peers, type Standing } from './peer.repository.js';

/** What the other side says of itself; a refusal tells less than a heartbeat. */
export type Told = Partial<Pick<Heartbeat, 'incarnation' | 'acked' | 'sent' | 'complete' | 'claimed' | 'release'>> & Pick<Heartbeat, 'received'>;

/** How many incarnations ahead of what we know of ourselves a partner is believed. */
const MAX_JUMP = 1_000;

/** How often in an hour one partner can make this process exchange everything: a restore is one, also if it is done over several times. */
const MOST_TRANSFERS = 20;
const HOUR_SECONDS = 3_600;

/**
 * Whether this instance has forgotten something, and what. Batch numbers tell: whoever has acknowledged, or was heard to say, what we
 * do not know of has known us in a later state than the one we are restored from.
 */
export function forgotten(ours: Standing, { received, acked = 0 }: Told): { sent: boolean; received: boolean; isNews: boolean } {
  const isAhead = received.incarnation > ours.incarnation;
  const isSame = received.incarnation === ours.incarnation;
  const isOther = received.number === ours.sentNumber && received.number > 0 && received.id !== null && received.id !== ours.sentId;
  const sent = isAhead || received.number > ours.sentNumber || (isSame && isOther);
  const forgot = acked > ours.receivedNumber;
  // A partner who has not heard of our present incarnation yet will be told everything anyway: it need not be raised once more.
  return { sent, received: forgot, isNews: (sent || forgot) && received.incarnation >= ours.incarnation };
}

/**
 * Responsible for noticing that this instance, or a partner, was restored from an older state, and for what follows: a raised
 * incarnation and a full transfer, both ways. Works in the caller's transaction, which holds no lock of a guide yet.
 */
export class Memory {
  readonly #transfers = new RateLimiterMemory({ points: MOST_TRANSFERS, duration: HOUR_SECONDS });

  constructor(
    private readonly logger: Logger,
    /** Everything is exchanged again: afterwards it is to be compared what partners hold. */
    private readonly raised: () => void,
  ) {}

  /** What we say of ourselves. @throws when the link is not in force */
  async say(tx: Tx, link: KnownLink): Promise<Heartbeat> {
    const ours = await this.#standing(tx, link);
    return {
      incarnation: ours.incarnation,
      release: RELEASE,
      sent: { number: ours.sentNumber, id: ours.sentId },
      acked: ours.ackedNumber,
      received: { incarnation: ours.partnerIncarnation, number: ours.receivedNumber, id: ours.receivedId },
      complete: ours.complete,
      claimed: ours.claimed,
    };
  }

  /**
   * Takes what the partner says of the exchange. Repeated or late words do no harm: they are held against what is known now. Gives our
   * incarnation if he has told all his claims under it.
   */
  async hear(tx: Tx, link: KnownLink, told: Told, now: Date): Promise<number | undefined> {
    const before = await this.#standing(tx, link);
    const mayRaise = forgotten(before, told).isNews;
    const mayFill = (told.incarnation ?? 0) > before.partnerIncarnation;
    // Looked at before anything is locked.
    if ((mayRaise || mayFill) && !(await this.#hasTransferLeft(link))) throw new PartnerCallError(429, 'TOO_MANY_REQUESTS');
    if (mayRaise || mayFill) await peers.lockGuides(tx, mayRaise ? undefined : link.id);
    await peers.lock(tx, link.id);
    const ours = await this.#standing(tx, link);
    const { sent, received, isNews } = forgotten(ours, told);
    if (told.received.incarnation > ours.incarnation + MAX_JUMP) throw new PartnerCallError(400, 'MALFORMED');
    // Noticed only under the lock: the next heartbeat tells again, and the guides are locked first then.
    if (isNews && !mayRaise) return undefined;
    const isRaisedThere = mayFill && (told.incarnation ?? 0) > ours.partnerIncarnation;
    await peers.update(tx, link.id, {
      ...(told.release !== undefined && { partner_release: String(told.release), last_contact_at: now }),
      ...this.#numbers(ours, told, sent, received, isRaisedThere),
      ...(told.incarnation !== undefined && told.incarnation > ours.partnerIncarnation && { partner_incarnation: told.incarnation }),
      ...(told.complete && isUpToDate(ours, told) && { complete_at: now }),
    });
    if (isNews || (isRaisedThere && ours.partnerIncarnation > 0)) await this.countTransfer(link);
    if (isNews) await this.#raise(tx, link, Math.max(ours.incarnation, told.received.incarnation) + 1);
    // The first word of a partner is no restore: activation has put everything into the outbox.
    else if (isRaisedThere && ours.partnerIncarnation > 0) await peers.fill(tx, link.id);
    return !isNews && told.claimed && told.received.incarnation === ours.incarnation ? ours.incarnation : undefined;
  }

  async #hasTransferLeft(link: KnownLink): Promise<boolean> {
    return ((await this.#transfers.get(link.id))?.consumedPoints ?? 0) < MOST_TRANSFERS;
  }

  /** Everything is about to be sent to the partner, on his word. False if he has had that too often of late. */
  async countTransfer(link: KnownLink): Promise<boolean> {
    return this.#transfers.consume(link.id).then(
      () => true,
      () => false,
    );
  }

  /** The numbers go on where the partner has seen them; what he has not acknowledged is sent under the next one. */
  #numbers(ours: Standing, { received: theirs, acked = 0 }: Told, sent: boolean, received: boolean, isRaisedThere: boolean) {
    const wasApplied = !sent && theirs.number === ours.sentNumber && theirs.id === ours.sentId && ours.ackedNumber < ours.sentNumber;
    return {
      ...(sent && { sent_number: Math.max(theirs.number, ours.sentNumber), acked_number: Math.max(theirs.number, ours.sentNumber), sent_id: null }),
      ...(wasApplied && { acked_number: ours.sentNumber }),
      ...((received || isRaisedThere) && { received_number: acked, received_id: null }),
    };
  }

  async #raise(tx: Tx, link: KnownLink, incarnation: number): Promise<void> {
    this.logger.warn({ partner: link.partnerCode, incarnation }, 'a partner remembers what this instance has forgotten: it was restored from an older state; everything is exchanged again');
    await peers.raise(tx, incarnation);
    await peers.fill(tx);
    this.raised();
  }

  async #standing(tx: Tx, link: KnownLink): Promise<Standing> {
    const ours = await peers.standing(tx, link.id);
    if (!ours) throw new Error('the link is not in force');
    return ours;
  }
}

/** Whether all that the partner ever sent has been applied here. */
const isUpToDate = (ours: Standing, { sent, acked, incarnation }: Told): boolean =>
  incarnation === ours.partnerIncarnation && (ours.receivedNumber === acked || ours.receivedNumber === sent?.number);
