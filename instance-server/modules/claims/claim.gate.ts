import { sql } from 'kysely';
import type { RequestContext } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import type { EventHub } from '../../platform/events/events.js';
import { Refusal } from '../../platform/errors/user-error.js';
import type { AssignedInterval, ClaimGate } from '../bookings/index.js';
import { GuideNotVerifiableError, GuideUnavailableError } from '../bookings/index.js';
import type { KnownLink, LinkDirectory, PartnerClient } from '../links/index.js';
import type { SettingsStore } from '../settings/index.js';
import { type ClaimAnswer, claimAnswer } from './claim.messages.js';
import { SETTLE_MS } from './claim.patience.js';
import { claimRepository as repository } from './claim.repository.js';
import type { Greeting } from './greeting.js';

/** A claim that was made for a transaction that never ended is released after this long. */
const ABANDONED_MS = 60_000;

const ANNOUNCE = `
  insert into outbox (coupling_id, kind, record_id, link_id, seq, waiting_since, retry_at)
  select k.id, 'CLAIM', $1::uuid, k.link_id, nextval('outbox_seq'), clock_timestamp(), $2::timestamptz
  from guide g join coupling k on k.guide_id = g.id and k.state = 'ACTIVE' join link l on l.id = k.link_id and l.partner_code = g.claim_keeper
  where g.id = $3
  on conflict (coupling_id, kind, record_id) do update set seq = excluded.seq, retry_at = excluded.retry_at`;

/** Responsible for the keeper's word about an assignment that is being made: heard afterwards, or before it counts at all. */
export class Claims implements ClaimGate {
  readonly #waiting = new WeakMap<RequestContext, Set<string>>();
  /** Requests that have put off an own assignment. */
  readonly #putOff = new WeakSet<RequestContext>();

  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly partners: PartnerClient,
    private readonly events: EventHub,
    private readonly settings: SettingsStore,
    private readonly greeting: Greeting,
    private readonly instanceCode: string,
    /** An own assignment was put off. */
    private readonly ownPutOff: () => void,
  ) {}

  get #refuses(): boolean {
    return this.settings.current.unreachableKeeper === 'REFUSE';
  }

  /**
   * Written down before the keeper is asked, and committed by itself: should the transaction come to nothing, the record of it is what
   * releases the claim, or says again what stands. Raised even where it waits already: what is being delivered is then not the last word.
   */
  async announce(ctx: RequestContext, guideId: string, assignmentId: string): Promise<void> {
    if (!this.#refuses) return;
    // Whatever is refused from here on, by whom or for what: this one is among what is looked after then.
    this.#remember(ctx, assignmentId);
    const retryAt = new Date(ctx.now().getTime() + ABANDONED_MS);
    await this.database.aside.query(ANNOUNCE, [assignmentId, retryAt, guideId]);
  }

  #remember(ctx: RequestContext, id: string): void {
    this.#waiting.set(ctx, (this.#waiting.get(ctx) ?? new Set()).add(id));
  }

  async assigned(ctx: RequestContext, tx: Tx, assignment: AssignedInterval): Promise<void> {
    const { verification, guideId, id } = assignment;
    if (verification === 'VERIFIED') return this.#ownClaim(ctx, tx, assignment);
    if (verification !== 'PENDING' && verification !== 'UNVERIFIED') return;
    this.#remember(ctx, id);
    if (!this.#refuses) return;
    const verdict = verification === 'PENDING' ? await this.#ask(tx, assignment) : undefined;
    if (verdict === 'CONFLICT' || verdict === 'DISPUTED') throw new Refusal(new GuideUnavailableError(guideId, assignment.start, assignment.end));
    if (verdict !== 'VERIFIED') throw new Refusal(new GuideNotVerifiableError(guideId, assignment.start, assignment.end));
    await tx.updateTable('guide_assignment').set({ verification: 'VERIFIED' }).where('id', '=', id).execute();
  }

  /** Claimed here, in the same transaction: not while another house may have a claim that this one has forgotten. */
  async #ownClaim(ctx: RequestContext, tx: Tx, { guideId, id, start, end }: AssignedInterval): Promise<void> {
    const kept = await repository.keptHere(tx, guideId, this.instanceCode);
    if (!kept || !this.greeting.isOpen(kept.linkIds, kept.incarnation)) return;
    if (this.#refuses) throw new Refusal(new GuideNotVerifiableError(guideId, start, end));
    await sql`select claim_put_off(${id})`.execute(tx);
    this.#putOff.add(ctx);
  }

  /** Undefined when no word of the keeper can be had. */
  async #ask(tx: Tx, { guideId, id, claimVersion, start, end }: AssignedInterval): Promise<ClaimAnswer['verdict'] | undefined> {
    const row = await tx
      .selectFrom('guide')
      .innerJoin('coupling', 'coupling.guide_id', 'guide.id')
      .innerJoin('link', (join) => join.onRef('link.id', '=', 'coupling.link_id').onRef('link.partner_code', '=', 'guide.claim_keeper'))
      .select(['coupling.id', 'coupling.link_id'])
      .where('guide.id', '=', guideId)
      .where('coupling.state', '=', 'ACTIVE')
      .executeTakeFirst();
    const link = row && this.directory.byId(row.link_id);
    if (!row || !link?.isOpen) return undefined;
    const message = {
      couplingId: row.id,
      recordId: id,
      incarnation: await repository.incarnation(tx),
      version: claimVersion,
      start: start.toISOString(),
      end: end.toISOString(),
    };
    const answer = await this.#inTime(link, message).catch(() => undefined);
    return claimAnswer.safeParse(answer).data?.verdict;
  }

  async #inTime(link: KnownLink, message: Record<string, unknown>): Promise<unknown> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error('the keeper did not answer in time')), SETTLE_MS);
    try {
      return await Promise.race([this.partners.call(link, '/partner/v1/claims/claim', message), promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for the word about what was committed; what was undone is released at once. */
  async settled(ctx: RequestContext, committed: boolean): Promise<void> {
    if (this.#putOff.delete(ctx) && committed) this.ownPutOff();
    const ids = [...(this.#waiting.get(ctx) ?? [])];
    this.#waiting.delete(ctx);
    if (ids.length === 0) return;
    // The change stands, whatever becomes of the waiting for its word.
    if (committed) await this.await(ids).catch(() => undefined);
    else if (this.#refuses) await this.#withdraw(ids).catch(() => undefined);
  }

  /** Resolves when the keeper has answered about all of them; those he has not after a while (the answer counts whenever it comes) are unverified, until he does. */
  async await(ids: readonly string[]): Promise<void> {
    const open = new Set(ids);
    const { promise, resolve } = Promise.withResolvers<void>();
    const unlisten = this.events.listen((event) => {
      if (event.kind === 'gap') resolve();
      if (event.kind === 'verification' && open.delete(event.assignmentId) && open.size === 0) resolve();
    });
    const timer = setTimeout(resolve, SETTLE_MS);
    try {
      const pending = await this.database.app.sql.selectFrom('guide_assignment').select('id').where('id', 'in', [...ids]).where('verification', '=', 'PENDING').execute();
      // What was answered before this listened is not waited for.
      const unanswered = new Set(pending.map(({ id }) => id));
      for (const id of ids) if (!unanswered.has(id)) open.delete(id);
      if (open.size > 0) await promise;
      if (open.size === 0) return;
      // What somebody changes at this moment is looked at by `ClaimPatience`.
      await sql`
        update guide_assignment set verification = 'UNVERIFIED'
        where id in (select id from guide_assignment where id = any(${[...open]}::uuid[]) and verification = 'PENDING' for update skip locked)`.execute(
        this.database.app.sql,
      );
    } finally {
      clearTimeout(timer);
      unlisten();
    }
  }

  /** But those that somebody announces anew at this moment, who sees to them: waiting for him could be waiting for oneself. */
  async #withdraw(ids: readonly string[]): Promise<void> {
    await this.database.worker.transaction(async (tx) => {
      const { rows } = await sql<{ link_id: string }>`
        update outbox set retry_at = null, seq = nextval('outbox_seq')
        where (coupling_id, kind, record_id) in (
          select coupling_id, kind, record_id from outbox where kind = 'CLAIM' and record_id = any(${[...ids]}::uuid[])
          for update skip locked)
        returning link_id`.execute(tx);
      for (const { link_id } of rows) await sql`select pg_notify('lotse_event', ${JSON.stringify({ kind: 'outbox', linkId: link_id })})`.execute(tx);
    });
  }
}
