import { newId } from '../../platform/crypto.js';
import type { RequestContext } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { isViolationOf } from '../../platform/database/errors.js';
import { AlreadyExistsError, InputReason, invalidInput, notFound, Refusal } from '../../platform/errors/user-error.js';
import { publish } from '../../platform/events/events.js';
import { once } from '../../platform/idempotency.js';
import { isUuid } from '../../platform/validation.js';
import type { AuditAction, AuditService } from '../audit/index.js';
import { couplingRepository as repository, type CouplingRow } from './coupling.repository.js';
import { type GlobalIdentity, identityOf, mintGlobalId, survivor } from './coupling.rules.js';
import { type AcceptCouplingInput, PartnerUnavailableError, type RequestCouplingInput } from './coupling.type.js';
import { adoptGlobalId, isAnothers } from './global-id.js';
import type { KnownLink, LinkDirectory } from './link.directory.js';
import { type PartnerClient, PartnerRefusal } from './partner-client.js';

/**
 * Responsible for the couplings of this house's guides. Each step towards a coupling is told to the partner before it is committed
 * here: a partner that cannot be reached leaves nothing half-done, and a repeated message is accepted there without effect.
 */
export class CouplingService {
  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly partners: PartnerClient,
    private readonly audit: AuditService,
  ) {}

  async request(ctx: RequestContext, input: RequestCouplingInput): Promise<CouplingRow> {
    const { idempotencyKey, ...rest } = input;
    if (!isUuid(input.guideId)) throw notFound('input.guideId');
    await this.directory.fresh();
    const link = this.directory.byPartner(input.instance);
    if (!link?.isOpen) throw notFound('input.instance');
    try {
      return await this.database.app.transaction(async (tx) => {
        const { outcome } = await once(ctx, tx, 'requestCoupling', idempotencyKey, rest, async () => {
          const guide = await repository.identity(tx, input.guideId);
          if (!guide) throw notFound('input.guideId');
          const id = newId();
          const now = ctx.now();
          await repository.insert(tx, {
            id,
            link_id: link.id,
            guide_id: input.guideId,
            state: 'REQUESTED',
            requested_here: true,
            created_at: now,
            updated_at: now,
          });
          await this.#log(ctx, tx, 'coupling.requested', id, { guideId: input.guideId, instance: link.partnerCode });
          await this.#tell(link, 'request', {
            couplingId: id,
            name: guide.name,
            ...wire(identityOf(guide.globalId, guide.mintedAt)),
            coupledWith: await repository.partnersOf(tx, input.guideId),
          });
          return { couplingId: id };
        });
        return this.#require(tx, outcome.couplingId, 'input.idempotencyKey');
      });
    } catch (error) {
      if (isViolationOf(error, 'coupling_living_guide')) throw new Refusal(new AlreadyExistsError('input.guideId'));
      throw error;
    }
  }

  async accept(ctx: RequestContext, input: AcceptCouplingInput): Promise<CouplingRow> {
    if (!isUuid(input.guideId)) throw notFound('input.guideId');
    try {
      return await this.#change(input.couplingId, async (tx, row, link) => {
        if (row.requested_here || row.state !== 'REQUESTED') throw notFound('input.couplingId');
        const guide = await repository.identity(tx, input.guideId);
        if (!guide) throw notFound('input.guideId');
        await this.#log(ctx, tx, 'coupling.accepted', row.id, { guideId: input.guideId, instance: link.partnerCode });
        const updated = await repository.update(tx, row.id, ctx.now(), { state: 'ACCEPTED', guide_id: input.guideId, requested_name: null });
        await this.#tell(link, 'accept', {
          couplingId: row.id,
          ...wire(identityOf(guide.globalId, guide.mintedAt)),
          coupledWith: await repository.partnersOf(tx, input.guideId),
        });
        return updated;
      });
    } catch (error) {
      if (isViolationOf(error, 'coupling_living_guide')) throw new Refusal(new AlreadyExistsError('input.guideId'));
      throw error;
    }
  }

  /** The guide himself agrees: from now on both houses know when he is taken. */
  async confirm(ctx: RequestContext, couplingId: string): Promise<CouplingRow> {
    const guideId = ctx.account().guideId;
    const identity = await this.#change(couplingId, async (tx, row, link) => {
      if (!guideId || row.guide_id !== guideId || row.state !== 'ACCEPTED') throw notFound('input.couplingId');
      const guide = await repository.identity(tx, guideId);
      const own = identityOf(guide?.globalId, guide?.mintedAt);
      const partners = identityOf(row.partner_global_id, row.partner_global_id_minted_at);
      const surviving = survivor(own, partners) ?? mintGlobalId(ctx.now());
      if (await isAnothers(tx, guideId, surviving.globalId)) {
        throw invalidInput('input.couplingId', InputReason.CONFLICTING, 'The other house names the global id of another guide; end this coupling.');
      }
      await this.#log(ctx, tx, 'coupling.confirmed', row.id, { guideId, instance: link.partnerCode });
      await this.#tell(link, 'confirm', { couplingId: row.id, ...wire(surviving) });
      await repository.update(tx, row.id, ctx.now(), { state: 'ACTIVE', global_id: surviving.globalId, since: ctx.now() });
      return surviving;
    });
    await this.database.worker.transaction(async (tx) => {
      if (guideId) await adoptGlobalId(tx, guideId, identity);
      await publish(tx, { kind: 'links' });
    });
    return this.#require(this.database.app.sql, couplingId, 'input.couplingId');
  }

  /**
   * Declines what is not active yet and ends what is: staff of either house, or the guide. It counts here at once, whether or not the
   * partner hears of it now: nobody can be kept in a coupling by a partner who does not answer. A repetition tells him again.
   */
  async end(ctx: RequestContext, couplingId: string): Promise<CouplingRow> {
    const { ended, link } = await this.#change(couplingId, async (tx, row, known) => {
      const { role, guideId } = ctx.account();
      if (role === 'GUIDE' && row.guide_id !== guideId) throw notFound('input.couplingId');
      if (row.state === 'DECLINED' || row.state === 'ENDED') return { ended: row, link: known };
      const wasActive = row.state === 'ACTIVE';
      await this.#log(ctx, tx, wasActive ? 'coupling.ended' : 'coupling.declined', row.id, { instance: known.partnerCode });
      const updated = await repository.update(tx, row.id, ctx.now(), { state: wasActive ? 'ENDED' : 'DECLINED', requested_name: null });
      await publish(tx, { kind: 'links' });
      return { ended: updated, link: known };
    });
    await this.partners.call(link, '/partner/v1/couplings/end', { couplingId: ended.id }).catch(() => undefined);
    return ended;
  }

  async waiting(): Promise<CouplingRow[]> {
    return repository.waiting(this.database.app.sql);
  }

  ofGuides(guideIds: readonly string[]): Promise<CouplingRow[]> {
    return repository.ofGuides(this.database.app.sql, guideIds);
  }

  /** The other house of a coupling, as far as it may be shown. */
  partnerOf(row: CouplingRow): { code: string; name: string; url: string } {
    const link = this.directory.byId(row.link_id);
    return { code: link?.partnerCode ?? '', name: link?.partnerName ?? '', url: link?.partnerUrl ?? '' };
  }

  async #change<T>(couplingId: string, work: (tx: Tx, row: CouplingRow, link: KnownLink) => Promise<T>): Promise<T> {
    if (!isUuid(couplingId)) throw notFound('input.couplingId');
    await this.directory.fresh();
    return this.database.app.transaction(async (tx) => {
      const row = await repository.lock(tx, couplingId);
      const link = row && this.directory.byId(row.link_id);
      if (!row || !link) throw notFound('input.couplingId');
      return work(tx, row, link);
    });
  }

  async #tell(link: KnownLink, action: string, body: Record<string, unknown>): Promise<void> {
    try {
      await this.partners.call(link, `/partner/v1/couplings/${action}`, body);
    } catch (error) {
      if (error instanceof PartnerRefusal && error.code === 'NOT_PAIRWISE_LINKED') {
        throw invalidInput('input', InputReason.CONFLICTING, 'All houses that couple one guide must be linked with one another; one link is missing.');
      }
      throw new Refusal(new PartnerUnavailableError(link.partnerCode));
    }
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

const wire = (identity: GlobalIdentity | undefined): Record<string, unknown> =>
  identity ? { globalId: identity.globalId, globalIdMintedAt: identity.mintedAt.toISOString() } : {};
