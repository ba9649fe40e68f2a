import DataLoader from 'dataloader';
import { sql, type Selectable } from 'kysely';
import type { DB } from '../../entities.js';
import { newId } from '../../platform/crypto.js';
import type { RequestContext } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { notFound, Refusal, StaleVersionError } from '../../platform/errors/user-error.js';
import { once } from '../../platform/idempotency.js';
import { decodeCursor, encodeCursor, pageSize, toPage } from '../../platform/paging.js';
import { checkInteger, checkLanguages, checkOptionalText, checkText, isUuid } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import type { SettingsStore } from '../settings/index.js';
import { type AgeGroup, distinctAgeGroups } from './age-group.js';
import type { CreateOfferInput, Offer, OfferConnection, UpdateOfferInput } from './offer.type.js';

const LIST = 'offers';

function toOffer(row: Selectable<DB['offer']>): Offer {
  return {
    id: row.id,
    title: row.title,
    description: row.description,
    durationMinutes: row.duration_minutes,
    languages: row.languages,
    ageGroups: row.age_groups as AgeGroup[],
    guideDemand: row.guide_demand,
    price: { amount: Number(row.price_amount), currency: row.price_currency },
    active: row.active,
    version: row.version,
  };
}

const facts = ({ title, durationMinutes, ageGroups, guideDemand, price, active }: Offer): Record<string, unknown> => ({ title, durationMinutes, ageGroups, guideDemand, price, active });

/** Responsible for offers. */
export class OfferService {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditService,
    private readonly settings: SettingsStore,
  ) {}

  /** One statement for all offers a request asks for. */
  load(ctx: RequestContext, id: string): Promise<Offer> {
    return ctx
      .loader<string, Offer>(
        this,
        () =>
          new DataLoader(async (ids) => {
            const rows = await this.database.app.sql.selectFrom('offer').selectAll().where('id', 'in', [...ids]).execute();
            const byId = new Map(rows.map((row) => [row.id, toOffer(row)]));
            return ids.map((wanted): Offer | Error => byId.get(wanted) ?? notFound('offerId'));
          }),
      )
      .load(id);
  }

  async find(id: string): Promise<Offer | null> {
    if (!isUuid(id)) return null;
    const row = await this.database.app.sql.selectFrom('offer').selectAll().where('id', '=', id).executeTakeFirst();
    return row ? toOffer(row) : null;
  }

  async list(first: number | null, after: string | null): Promise<OfferConnection> {
    const size = pageSize(first);
    const position = decodeCursor(LIST, after, ['text', 'uuid']);
    let query = this.database.app.sql.selectFrom('offer').selectAll();
    if (position) query = query.where(sql<boolean>`(title, id) > (${position[0]}, ${position[1]}::uuid)`);
    const rows = await query
      .orderBy('title')
      .orderBy('id')
      .limit(size + 1)
      .execute();
    return toPage(rows.map(toOffer), size, (offer) => encodeCursor(LIST, [offer.title, offer.id]));
  }

  create(ctx: RequestContext, input: CreateOfferInput): Promise<Offer> {
    const { idempotencyKey, ...rest } = input;
    const values = {
      title: checkText(input.title, 'input.title', { max: 200 }),
      description: checkOptionalText(input.description, 'input.description', 5_000),
      duration_minutes: checkInteger(input.durationMinutes, 'input.durationMinutes', 5, 10_080),
      languages: checkLanguages(input.languages, 'input.languages'),
      age_groups: distinctAgeGroups(input.ageGroups),
      guide_demand: checkInteger(input.guideDemand, 'input.guideDemand', 0, 50),
      price_amount: checkInteger(input.priceAmount, 'input.priceAmount', 0, 2_000_000_000),
    };
    return this.database.app.transaction(async (tx) => {
      const { outcome } = await once(ctx, tx, 'createOffer', idempotencyKey, rest, async () => {
        const id = newId();
        await tx
          .insertInto('offer')
          .values({ id, ...values, price_currency: this.settings.current.currency })
          .execute();
        await this.audit.recordFor(ctx, tx, { action: 'offer.created', subjectType: 'offer', subjectId: id, after: values });
        return { offerId: id };
      });
      return this.#reread(tx, outcome.offerId);
    });
  }

  update(ctx: RequestContext, input: UpdateOfferInput): Promise<Offer> {
    if (!isUuid(input.offerId)) throw notFound('input.offerId');
    const given = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined;
    const changes = {
      ...(given(input.title) && { title: checkText(input.title, 'input.title', { max: 200 }) }),
      ...(given(input.description) && { description: checkOptionalText(input.description, 'input.description', 5_000) }),
      ...(given(input.durationMinutes) && { duration_minutes: checkInteger(input.durationMinutes, 'input.durationMinutes', 5, 10_080) }),
      ...(given(input.languages) && { languages: checkLanguages(input.languages, 'input.languages') }),
      ...(given(input.ageGroups) && { age_groups: distinctAgeGroups(input.ageGroups) }),
      ...(given(input.guideDemand) && { guide_demand: checkInteger(input.guideDemand, 'input.guideDemand', 0, 50) }),
      ...(given(input.priceAmount) && { price_amount: checkInteger(input.priceAmount, 'input.priceAmount', 0, 2_000_000_000) }),
      ...(given(input.active) && { active: input.active }),
    };
    return this.database.app.transaction(async (tx) => {
      const before = await this.#lock(tx, input.offerId, input.expectedVersion);
      await tx
        .updateTable('offer')
        .set((eb) => ({ ...changes, version: eb('version', '+', 1) }))
        .where('id', '=', before.id)
        .execute();
      const after = await this.#reread(tx, before.id);
      await this.audit.recordFor(ctx, tx, { action: 'offer.changed', subjectType: 'offer', subjectId: before.id, before: facts(before), after: facts(after) });
      return after;
    });
  }

  async #lock(tx: Tx, id: string, expectedVersion: number): Promise<Offer> {
    // Not against bookings that refer to it: they hold guides, which a new title wants afterwards.
    const row = await tx.selectFrom('offer').selectAll().where('id', '=', id).forNoKeyUpdate().executeTakeFirst();
    if (!row) throw notFound('input.offerId');
    if (row.version !== expectedVersion) throw new Refusal(new StaleVersionError(row.version));
    return toOffer(row);
  }

  async #reread(tx: Tx, id: string): Promise<Offer> {
    return toOffer(await tx.selectFrom('offer').selectAll().where('id', '=', id).executeTakeFirstOrThrow());
  }
}
