import DataLoader from 'dataloader';
import { newId } from '../../platform/crypto.js';
import type { RequestContext } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { isViolationOf } from '../../platform/database/errors.js';
import { InputReason, invalidInput, notFound, Refusal, StaleVersionError } from '../../platform/errors/user-error.js';
import { once } from '../../platform/idempotency.js';
import { decodeCursor, encodeCursor, pageSize, toPage } from '../../platform/paging.js';
import type { Stamps } from '../../platform/stamps.js';
import { checkLanguage, checkLanguages, checkOptionalEmail, checkOptionalText, checkText, hasControlCharacters, isUuid } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import type { Offer, OfferService } from '../catalogs/index.js';
import { checkBankData } from './bank-data.js';
import { guideScope } from './guide.policy.js';
import { guideRepository as repository } from './guide.repository.js';
import { changedFields, type ProfileField, saidFields, stampProfile } from './profile.js';
import type { CreateGuideInput, Guide, GuideConnection, GuideFilter, UpdateGuideInput } from './guide.type.js';

const LIST = 'guides';
const MAX_OFFERS = 500;
const byIdLoader = {};
const offersLoader = {};

/** What a profile begins with; `CreateGuideInput` without its key. */
export type ProfileInput = Omit<CreateGuideInput, 'idempotencyKey'>;

/** Checked, ready to be written. */
export interface NewProfile {
  readonly values: { first_name: string; last_name: string; email: string | null; phone: string | null; languages: string[] };
  readonly offerIds: readonly string[];
  /** What only repeats what another house said of him: it loses against everything that was said of him. */
  readonly repeated?: readonly ProfileField[];
}

function checkOfferIds(ids: readonly string[], field: string): string[] {
  if (ids.length > MAX_OFFERS) throw invalidInput(field, InputReason.OUT_OF_RANGE, `A guide may lead ${MAX_OFFERS} offers at most.`);
  const wrong = ids.findIndex((id) => !isUuid(id));
  if (wrong >= 0) throw notFound(`${field}.${wrong}`);
  return [...new Set(ids)];
}

/** Whose decision a member of a change is; the others' word is refused. */
const DECIDED: readonly { field: 'offerIds' | 'active' | 'bankData' | 'sharesBankData'; roles: readonly string[]; whose: string }[] = [
  { field: 'offerIds', roles: ['STAFF', 'ADMINISTRATOR'], whose: 'the house' },
  { field: 'active', roles: ['STAFF', 'ADMINISTRATOR'], whose: 'the house' },
  { field: 'bankData', roles: ['GUIDE', 'ADMINISTRATOR'], whose: 'himself and administrators' },
  { field: 'sharesBankData', roles: ['GUIDE'], whose: 'himself' },
];

/** Which facts of a profile the action log holds: who he is and what he may lead; contact data only as "changed". */
const facts = (guide: Guide): Record<string, unknown> => ({ languages: guide.languages, active: guide.active, sharesBankData: guide.sharesBankData, version: guide.version });

/** Responsible for guides' profiles; knows nothing of bookings. */
export class GuideService {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditService,
    private readonly offers: OfferService,
    private readonly stamps: Stamps,
  ) {}

  /** By local or global id; undefined when there is none that the viewer may see. */
  find(ctx: RequestContext, id: string): Promise<Guide | undefined> {
    if (id.length > 100 || hasControlCharacters(id)) return Promise.resolve(undefined);
    const scope = guideScope(ctx);
    if (scope.kind === 'ONE') return repository.asGuide(this.database, scope.guideId, id);
    return repository.findAny(this.database.app.sql, scope, id);
  }

  /** By local id, one statement for all that a request asks for. */
  load(ctx: RequestContext, id: string): Promise<Guide | undefined> {
    return ctx
      .loader<string, Guide | undefined>(
        byIdLoader,
        () =>
          new DataLoader(async (ids) => {
            const scope = guideScope(ctx);
            if (scope.kind === 'ONE') return Promise.all(ids.map((wanted) => repository.asGuide(this.database, scope.guideId, wanted)));
            const guides = await repository.byIds(this.database.app.sql, scope, ids);
            const byId = new Map(guides.map((guide) => [guide.id, guide]));
            return ids.map((wanted) => byId.get(wanted));
          }),
      )
      .load(id);
  }

  async list(ctx: RequestContext, filter: GuideFilter | null, first: number | null, after: string | null): Promise<GuideConnection> {
    const size = pageSize(first);
    const position = decodeCursor(LIST, after, ['text', 'text', 'uuid']);
    const language = filter?.language ? checkLanguage(filter.language, 'filter.language') : null;
    if (filter?.offerId && !isUuid(filter.offerId)) return toPage<Guide>([], size, () => '');
    const guides = await repository.page(this.database.app.sql, guideScope(ctx), { ...filter, language }, size + 1, position);
    return toPage(guides, size, (guide) => encodeCursor(LIST, [guide.lastName, guide.firstName, guide.id]));
  }

  async offersOf(ctx: RequestContext, guideId: string): Promise<Offer[]> {
    const loader = ctx.loader<string, string[]>(
      offersLoader,
      () =>
        new DataLoader(async (guideIds) => {
          const rows = await repository.offerIds(this.database.app.sql, guideIds);
          return guideIds.map((id) => rows.filter((row) => row.guideId === id).map((row) => row.offerId));
        }),
    );
    const ids = await loader.load(guideId);
    return Promise.all(ids.map((id) => this.offers.load(ctx, id)));
  }

  create(ctx: RequestContext, input: CreateGuideInput): Promise<Guide> {
    const { idempotencyKey, ...rest } = input;
    const profile = this.checkProfile(input, 'input');
    return this.#withKnownOffers(() =>
      this.database.app.transaction(async (tx) => {
        const { outcome } = await once(ctx, tx, 'createGuide', idempotencyKey, rest, async () => {
          const id = newId();
          await this.insert(ctx, tx, id, profile);
          return { guideId: id };
        });
        const guide = await repository.findAny(tx, guideScope(ctx), outcome.guideId);
        if (!guide) throw notFound('input.idempotencyKey');
        return guide;
      }),
    );
  }

  /** What a new guide's profile says. `path` is where it stands in the input. @throws Refusal */
  checkProfile(input: ProfileInput, path: string): NewProfile {
    return {
      values: {
        first_name: checkText(input.firstName, `${path}.firstName`, { max: 100 }),
        last_name: checkText(input.lastName, `${path}.lastName`, { max: 100 }),
        email: checkOptionalEmail(input.email, `${path}.email`),
        phone: checkOptionalText(input.phone, `${path}.phone`, 50),
        languages: checkLanguages(input.languages, `${path}.languages`),
      },
      offerIds: checkOfferIds(input.offerIds, `${path}.offerIds`),
    };
  }

  /** A new guide, in the caller's transaction. An offer that does not exist violates `guide_offer_offer_id_foreign`. */
  async insert(ctx: RequestContext, tx: Tx, id: string, { values, offerIds, repeated = [] }: NewProfile): Promise<void> {
    await tx.insertInto('guide').values({ id, ...values }).execute();
    await repository.setOffers(tx, id, [...offerIds]);
    const said = saidFields({ ...values, firstName: values.first_name, lastName: values.last_name });
    await stampProfile(tx, this.stamps, id, said.filter((field) => !repeated.includes(field)), ctx.now());
    await this.audit.recordFor(ctx, tx, { action: 'guide.created', subjectType: 'guide', subjectId: id, after: { languages: values.languages, offerIds } });
  }

  update(ctx: RequestContext, input: UpdateGuideInput): Promise<Guide> {
    if (!isUuid(input.guideId)) throw notFound('input.guideId');
    const given = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined;
    for (const { field, roles, whose } of DECIDED) {
      if (given(input[field]) && !roles.includes(ctx.account().role)) throw invalidInput(`input.${field}`, InputReason.CONFLICTING, `${field} is decided by ${whose}.`);
    }
    const bankData = given(input.bankData) ? checkBankData(input.bankData, 'input.bankData') : undefined;
    const changes = {
      ...(given(input.firstName) && { first_name: checkText(input.firstName, 'input.firstName', { max: 100 }) }),
      ...(given(input.lastName) && { last_name: checkText(input.lastName, 'input.lastName', { max: 100 }) }),
      ...(given(input.email) && { email: checkOptionalEmail(input.email, 'input.email') }),
      ...(given(input.phone) && { phone: checkOptionalText(input.phone, 'input.phone', 50) }),
      ...(given(input.languages) && { languages: checkLanguages(input.languages, 'input.languages') }),
      ...(bankData !== undefined && { account_holder: bankData?.accountHolder ?? null, iban: bankData?.iban ?? null, bic: bankData?.bic ?? null }),
      ...(given(input.sharesBankData) && { shares_bank_data: input.sharesBankData }),
      ...(given(input.active) && { active: input.active }),
    };
    const offerIds = given(input.offerIds) ? checkOfferIds(input.offerIds, 'input.offerIds') : undefined;
    return this.#withKnownOffers(() =>
      this.database.app.transaction(async (tx) => {
        const before = await repository.lock(tx, guideScope(ctx), input.guideId);
        if (!before) throw notFound('input.guideId');
        if (before.version !== input.expectedVersion) throw new Refusal(new StaleVersionError(before.version));
        await tx
          .updateTable('guide')
          .set((eb) => ({ ...changes, version: eb('version', '+', 1) }))
          .where('id', '=', before.id)
          .execute();
        if (offerIds) await repository.setOffers(tx, before.id, offerIds);
        const [after] = await repository.byIds(tx, guideScope(ctx), [before.id]);
        if (!after) throw notFound('input.guideId');
        await stampProfile(tx, this.stamps, before.id, changedFields(before, after), ctx.now());
        await this.audit.recordFor(ctx, tx, {
          action: 'guide.changed',
          subjectType: 'guide',
          subjectId: before.id,
          before: facts(before),
          after: { ...facts(after), changed: [...Object.keys(changes), ...(offerIds ? ['offers'] : [])] },
        });
        return after;
      }),
    );
  }

  async #withKnownOffers<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isViolationOf(error, 'guide_offer_offer_id_foreign')) throw notFound('input.offerIds');
      throw error;
    }
  }
}
