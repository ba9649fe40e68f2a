import { canonicalJson, stableId } from '../../platform/crypto.js';
import type { RequestContext } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { isViolationOf } from '../../platform/database/errors.js';
import { AlreadyExistsError, InputReason, invalidInput, notFound, Refusal } from '../../platform/errors/user-error.js';
import { publish } from '../../platform/events/events.js';
import { checkIdempotencyKey, once } from '../../platform/idempotency.js';
import { isUuid } from '../../platform/validation.js';
import type { AuditAction, AuditService } from '../audit/index.js';
import type { GuideService, NewProfile } from '../guides/index.js';
import { activateIfConfirmed, GlobalIdTaken } from './activation.js';
import type { CouplingEndings } from './coupling.endings.js';
import { couplingRepository as repository, type CouplingRow } from './coupling.repository.js';
import { type GlobalIdentity, identityOf, mintGlobalId, namesOf } from './coupling.rules.js';
import { type AcceptCouplingInput, PartnerUnavailableError, type RequestCouplingInput } from './coupling.type.js';
import type { KnownLink, LinkDirectory } from './link.directory.js';
import { type PartnerClient, PartnerRefusal } from './partner-client.js';
import { isPairwise } from './pairwise.js';
import { acceptanceAnswer, confirmationAnswer, requestAnswer } from './partner-messages.js';

/** Past couplings of one guide that are shown at most. */
const MAX_OVER = 50;
/** Longer than asking a partner and writing down what he answered takes. */
const INTENT_MS = 30_000;
/** Of one request: each attempt but the first follows one of which the partner has heard that nothing came of it. */
const ASKED_MS = 10_000;

/**
 * Responsible for how couplings of this house's guides come about. Partners are called outside transactions: one that hangs holds no connection.
 * Every message can be repeated without a second effect, so whatever was lost between two steps is mended by doing the step again.
 */
export class CouplingService {
  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly partners: PartnerClient,
    private readonly audit: AuditService,
    private readonly guides: GuideService,
    private readonly endings: CouplingEndings,
    private readonly instanceCode: string,
  ) {}

  /**
   * The partner is told first, outside any transaction; the id follows from the idempotency key, so that a repetition is the same request
   * to him. Before that it is written down that he is to hear how it stands here a little later: whatever becomes of the call, and of
   * this process, he is not left with a request that nobody keeps.
   */
  async request(ctx: RequestContext, input: RequestCouplingInput): Promise<CouplingRow> {
    const { idempotencyKey, ...rest } = input;
    checkIdempotencyKey(idempotencyKey);
    if (!isUuid(input.guideId)) throw notFound('input.guideId');
    await this.directory.fresh();
    const link = this.directory.byPartner(input.instance);
    if (!link?.isOpen) throw notFound('input.instance');
    const guide = await repository.identity(this.database.app.sql, input.guideId);
    if (!guide) throw notFound('input.guideId');
    const id = await this.#ask(ctx, link, stableId(`${ctx.account().accountId}|requestCoupling|${idempotencyKey}|${canonicalJson(rest)}`), {
      name: guide.name,
      ...wire(identityOf(guide.globalId, guide.mintedAt)),
      coupledWith: await repository.partnersOf(this.database.app.sql, input.guideId),
    });
    try {
      return await this.database.app.transaction(async (tx) => {
        const { outcome } = await once(ctx, tx, 'requestCoupling', idempotencyKey, rest, async () => {
          const now = ctx.now();
          await repository.insert(tx, { id, link_id: link.id, guide_id: input.guideId, state: 'REQUESTED', requested_here: true, created_at: now, updated_at: now });
          // At once: should he have heard meanwhile that there is none, it is over for both.
          if ((await repository.tell(tx, link.id, id)) === 'CLOSED') throw notFound('input.instance');
          await this.#log(ctx, tx, 'coupling.requested', id, { guideId: input.guideId, instance: link.partnerCode });
          return { couplingId: id };
        });
        return this.#require(tx, outcome.couplingId, 'input.idempotencyKey');
      });
    } catch (error) {
      if (isViolationOf(error, 'coupling_pkey')) {
        const isOurs = (await repository.find(this.database.app.sql, id))?.requested_here;
        // Otherwise it took so long that the partner was told meanwhile that nothing came of it.
        throw new Refusal(isOurs ? new AlreadyExistsError('input.guideId') : new PartnerUnavailableError(link.partnerCode));
      }
      const refusal = isViolationOf(error, 'coupling_living_guide') ? new Refusal(new AlreadyExistsError('input.guideId')) : error;
      if (refusal instanceof Refusal && (await repository.tell(this.database.app.sql, link.id, id)) !== 'CLOSED') {
        // One who is of the release before hears of it by a call alone.
        await this.partners.call(link, '/partner/v1/couplings/end', { couplingId: id }).catch(() => undefined);
      }
      throw refusal;
    }
  }

  /**
   * Gives the id under which the partner has the request: that of the key, unless it is over since an earlier attempt. One that is kept
   * here is not asked for again.
   */
  async #ask(ctx: RequestContext, link: KnownLink, first: string, request: Record<string, unknown>): Promise<string> {
    const { sql } = this.database.app;
    const deadline = performance.now() + ASKED_MS;
    for (let id = first; performance.now() < deadline; id = stableId(`${id}|again`)) {
      const known = await repository.find(sql, id);
      if (known?.requested_here) return id;
      // He has told us of its end, of which he had heard from here.
      if (known) continue;
      const told = await repository.tell(sql, link.id, id, new Date(ctx.now().getTime() + INTENT_MS));
      if (told === 'CLOSED') throw notFound('input.instance');
      const answer = await this.partners.call(link, '/partner/v1/couplings/request', { couplingId: id, ...request }).catch(async (error: unknown) => {
        if (told === 'NEW' && error instanceof PartnerRefusal) await repository.tellNothing(sql, id);
        throw this.#refusalOf(link, error);
      });
      if (!requestAnswer.safeParse(answer).data?.over) return id;
    }
    throw new Refusal(new PartnerUnavailableError(link.partnerCode));
  }

  /**
   * Which guide here it is: one that is here, or one made from the request. The partner is told first; a repetition, after an answer
   * that was lost, gives the same coupling and the same guide.
   */
  async accept(ctx: RequestContext, input: AcceptCouplingInput): Promise<CouplingRow> {
    const { row, link } = await this.#find(input.couplingId);
    const { guideId, profile } = this.#chosen(input, row);
    if (row.requested_here) throw notFound('input.couplingId');
    if ((row.state === 'ACCEPTED' || row.state === 'ACTIVE') && row.guide_id === guideId) return row;
    if (row.state !== 'REQUESTED') throw notFound('input.couplingId');
    const guide = profile ? undefined : await repository.identity(this.database.app.sql, guideId);
    if (!profile && !guide) throw notFound('input.guideId');
    const answer = await this.#tell(link, 'accept', {
      couplingId: row.id,
      ...wire(identityOf(guide?.globalId, guide?.mintedAt)),
      coupledWith: await repository.partnersOf(this.database.app.sql, guideId),
    });
    this.#checkPairwise(acceptanceAnswer.safeParse(answer).data?.coupledWith);
    try {
      return await this.database.app.transaction(async (tx) => {
        if (!profile) await repository.lockGuides(tx, [guideId]);
        const locked = await repository.lock(tx, row.id);
        if (locked?.state === 'ACCEPTED' && locked.guide_id === guideId) return locked;
        if (locked?.state !== 'REQUESTED') throw notFound('input.couplingId');
        if (profile) await this.guides.insert(ctx, tx, guideId, profile);
        await this.#log(ctx, tx, 'coupling.accepted', row.id, { guideId, instance: link.partnerCode });
        return repository.update(tx, row.id, ctx.now(), { state: 'ACCEPTED', guide_id: guideId, requested_name: null });
      });
    } catch (error) {
      if (isViolationOf(error, 'coupling_living_guide')) throw new Refusal(new AlreadyExistsError('input.guideId'));
      if (isViolationOf(error, 'guide_offer_offer_id_foreign')) throw notFound('input.createGuide.offerIds');
      throw error;
    }
  }

  /** A guide made from a request has an id that follows from it, so that no repetition makes another one. */
  #chosen({ guideId, createGuide }: AcceptCouplingInput, row: CouplingRow): { guideId: string; profile?: NewProfile } {
    if (Boolean(guideId) === Boolean(createGuide)) throw invalidInput('input.guideId', InputReason.CONFLICTING, 'Name a guide who is here, or create one: exactly one of the two.');
    if (createGuide) {
      const named = namesOf(row.requested_name ?? '');
      const names = { firstName: createGuide.firstName ?? named.firstName, lastName: createGuide.lastName ?? named.lastName };
      // Answered already: the name asked for is gone, and nothing is made any more.
      const repeated = (['firstName', 'lastName'] as const).filter((field) => createGuide[field] === undefined || createGuide[field] === null);
      const profile = row.state === 'REQUESTED' ? { ...this.guides.checkProfile({ ...createGuide, ...names }, 'input.createGuide'), repeated } : undefined;
      return { guideId: stableId(`${row.id}|acceptCoupling|createGuide`), profile };
    }
    if (!guideId || !isUuid(guideId)) throw notFound('input.guideId');
    return { guideId };
  }

  /**
   * The guide himself agrees, in this house. Kept here at once and told to the partner then; active once he has agreed in both. A
   * repetition tells again, so that a partner who was not reached hears of it.
   */
  async confirm(ctx: RequestContext, couplingId: string): Promise<CouplingRow> {
    const guideId = ctx.account().guideId;
    const { link } = await this.#find(couplingId);
    const confirmed = await this.#asWorker(async (tx) => {
      const row = await repository.lock(tx, couplingId);
      if (!row || !guideId || row.guide_id !== guideId || row.state !== 'ACCEPTED') throw notFound('input.couplingId');
      if (row.confirmed_here) return row;
      await this.#log(ctx, tx, 'coupling.confirmed', row.id, { guideId, instance: link.partnerCode });
      return activateIfConfirmed(tx, await repository.update(tx, row.id, ctx.now(), { confirmed_here: true }), ctx.now());
    });
    const identity = await this.#identityOf(confirmed, ctx.now());
    const coupledWith = await repository.partnersOf(this.database.app.sql, confirmed.guide_id ?? '');
    const answer = await this.partners
      .call(link, '/partner/v1/couplings/confirm', { couplingId, ...wire(identity), coupledWith })
      .then((body) => confirmationAnswer.parse(body))
      .catch((error: unknown) => (isNotPairwise(error) ? NOT_PAIRWISE : undefined));
    if (answer === NOT_PAIRWISE || !isPairwise(this.directory, this.instanceCode, answer?.coupledWith ?? [])) {
      await this.#takeBack(couplingId, link, answer !== NOT_PAIRWISE && answer?.confirmed === true, ctx.now());
      throw notPairwise();
    }
    if (!answer?.confirmed || confirmed.state === 'ACTIVE') return confirmed;
    return this.#asWorker(async (tx) => {
      const row = await this.#lock(tx, couplingId);
      if (row.state !== 'ACCEPTED') return row;
      const heard = await repository.update(tx, row.id, ctx.now(), {
        confirmed_there: true,
        partner_global_id: answer.globalId ?? null,
        partner_global_id_minted_at: answer.globalIdMintedAt ? new Date(answer.globalIdMintedAt) : null,
      });
      return activateIfConfirmed(tx, heard, ctx.now());
    });
  }

  /**
   * The houses that couple this guide are not all linked, as was found when he had agreed. What is active by that, here or there, ends,
   * and the partner hears of it; what is not yet waits for his agreement again.
   */
  #takeBack(couplingId: string, link: KnownLink, isActiveThere: boolean, now: Date): Promise<CouplingRow> {
    return this.#asWorker(async (tx) => {
      const row = await this.#lock(tx, couplingId);
      return row.state === 'ACTIVE' || isActiveThere ? this.endings.end(tx, row, link, { kind: 'SYSTEM' }, now) : repository.update(tx, row.id, now, { confirmed_here: false });
    });
  }

  /** The identity we name to the partner: the guide's, or the one that this coupling would give him. */
  async #identityOf(row: CouplingRow, now: Date): Promise<GlobalIdentity> {
    const guide = row.guide_id ? await repository.identity(this.database.app.sql, row.guide_id) : undefined;
    return identityOf(guide?.globalId, guide?.mintedAt) ?? mintGlobalId(row.id, now);
  }

  /** Identities are moved by the worker alone; every replica hears of it when it commits. */
  async #asWorker(work: (tx: Tx) => Promise<CouplingRow>): Promise<CouplingRow> {
    try {
      return await this.database.worker.transaction(async (tx) => {
        const row = await work(tx);
        await publish(tx, { kind: 'links' });
        return row;
      });
    } catch (error) {
      if (error instanceof GlobalIdTaken) {
        throw invalidInput('input.couplingId', InputReason.CONFLICTING, 'The other house names the global id of another guide; end this coupling.');
      }
      throw error;
    }
  }

  async waiting(): Promise<CouplingRow[]> {
    return repository.waiting(this.database.app.sql);
  }

  ofGuides(guideIds: readonly string[]): Promise<CouplingRow[]> {
    return repository.ofGuides(this.database.app.sql, guideIds);
  }

  /** Those that were declined or have ended, last changed first; 50 of each guide at most. */
  overOfGuides(guideIds: readonly string[]): Promise<CouplingRow[]> {
    return repository.overOfGuides(this.database.app.sql, guideIds, MAX_OVER);
  }

  /** How the exchange over these links is going, in their order. */
  async healthOf(linkIds: readonly string[], now: Date): Promise<string[]> {
    const health = await repository.health(this.database.app.sql, linkIds, now);
    return linkIds.map((id) => health.get(id) ?? 'UNREACHABLE');
  }

  /** The other house of a coupling, as far as it may be shown. */
  partnerOf(row: CouplingRow): { code: string; name: string; url: string } {
    const link = this.directory.byId(row.link_id) ?? this.directory.ended(row.link_id);
    return { code: link?.partnerCode ?? '', name: link?.partnerName ?? '', url: link?.partnerUrl ?? '' };
  }

  async #find(couplingId: string): Promise<{ row: CouplingRow; link: KnownLink }> {
    if (!isUuid(couplingId)) throw notFound('input.couplingId');
    await this.directory.fresh();
    const row = await repository.find(this.database.app.sql, couplingId);
    const link = row && this.directory.byId(row.link_id);
    if (!row || !link) throw notFound('input.couplingId');
    return { row, link };
  }

  /** @throws Refusal when the partner cannot be reached or says no; nothing has been changed here then. */
  async #tell(link: KnownLink, action: string, body: Record<string, unknown>): Promise<unknown> {
    return this.partners.call(link, `/partner/v1/couplings/${action}`, body).catch((error: unknown) => {
      throw this.#refusalOf(link, error);
    });
  }

  #refusalOf(link: KnownLink, error: unknown): Refusal {
    return isNotPairwise(error) ? notPairwise() : new Refusal(new PartnerUnavailableError(link.partnerCode));
  }

  #checkPairwise(coupledWith: readonly string[] | undefined): void {
    if (!isPairwise(this.directory, this.instanceCode, coupledWith ?? [])) throw notPairwise();
  }

  async #lock(tx: Tx, couplingId: string): Promise<CouplingRow> {
    const row = await repository.lock(tx, couplingId);
    if (!row) throw notFound('input.couplingId');
    return row;
  }

  #log(ctx: RequestContext, tx: Tx, action: AuditAction, couplingId: string, after: Record<string, unknown>): Promise<void> {
    return this.audit.recordFor(ctx, tx, { action, subjectType: 'coupling', subjectId: couplingId, after });
  }

  async #require(tx: Tx, id: string, field: string): Promise<CouplingRow> {
    const row = await repository.find(tx, id);
    if (!row) throw notFound(field);
    return row;
  }
}

const NOT_PAIRWISE = 'NOT_PAIRWISE';
const isNotPairwise = (error: unknown): boolean => error instanceof PartnerRefusal && error.code === 'NOT_PAIRWISE_LINKED';
const notPairwise = (): Refusal =>
  invalidInput('input', InputReason.CONFLICTING, 'All houses that couple one guide must be linked with one another; one link is missing.');

const wire = (identity: GlobalIdentity | undefined): Record<string, unknown> =>
  identity ? { globalId: identity.globalId, globalIdMintedAt: identity.mintedAt.toISOString() } : {};
