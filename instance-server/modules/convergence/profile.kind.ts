import { sql } from 'kysely';
import { z } from 'zod';
import type { Tx } from '../../platform/database/database.js';
import { Refusal } from '../../platform/errors/user-error.js';
import { isLater, type Stamps } from '../../platform/stamps.js';
import { checkOptionalEmail, checkOptionalText, checkText } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import { isBic, isIban, PROFILE_FIELDS, type ProfileField } from '../guides/index.js';
import type { KnownLink } from '../links/index.js';
import type { Receipt, RecordName, ReplicatedKind } from '../replication/index.js';
import { type Register, type Registers, toldTo, verdict } from './registers.js';
import { ProfileComparison } from './comparisons.js';
import { checkStamps, latest, stamp } from './stamped.js';

/** A value as this house would have taken it from its own people, so that both hold the same. */
const unchangedBy = <T>(check: (value: T, field: string) => unknown) => (value: T): boolean => {
  try {
    return check(value, 'value') === value;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
};

const name = z.string().refine(unchangedBy<string>((value, field) => checkText(value, field, { max: 100 })));
const language = z.string().max(35).regex(/^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*$/);
const bankData = z.strictObject({
  accountHolder: z.string().refine(unchangedBy<string>((value, field) => checkText(value, field, { max: 140 }))),
  iban: z.string().refine(isIban),
  bic: z.string().refine(isBic).nullable(),
});

const field = <T extends z.ZodType>(value: T) => z.strictObject({ stamp, value }).optional();

/** All that is said of a guide himself. Limits, notes, fees, offers, log-ins are not members. Source: DOMAIN §2 "Synchronised". */
const schema = z
  .strictObject({
    kind: z.literal('PROFILE'),
    couplingId: z.uuid(),
    /** The coupling's: a profile has no id that both houses know. */
    recordId: z.uuid(),
    fields: z.strictObject({
      firstName: field(name),
      lastName: field(name),
      email: field(z.string().nullable().refine(unchangedBy<string | null>(checkOptionalEmail))),
      phone: field(z.string().nullable().refine(unchangedBy<string | null>((value, of) => checkOptionalText(value, of, 50)))),
      languages: field(z.array(language).max(50)),
      bankData: field(bankData.nullable()),
    } satisfies Record<ProfileField, z.ZodType>),
  })
  .refine(({ couplingId, recordId }) => couplingId === recordId);

export type ProfileItem = z.infer<typeof schema>;

interface Came {
  field: string;
  value: unknown;
  stamp: string;
  wins: boolean;
  /** Told in the action log: a value that loses, once. */
  told: boolean;
}

/** Responsible for profiles of coupled guides: each field by its last writer, wherever he sits. */
export class ProfileKind implements ReplicatedKind<ProfileItem> {
  readonly kind = 'PROFILE';
  readonly order = 3;
  readonly whilePaused = false;
  readonly schema = schema;
  readonly comparison: ProfileComparison;

  constructor(
    private readonly stamps: Stamps,
    private readonly audit: AuditService,
    private readonly code: string,
  ) {
    this.comparison = new ProfileComparison(this.kind, code);
  }

  async project(tx: Tx, link: KnownLink, records: readonly RecordName[]): Promise<ProfileItem[]> {
    const { rows } = await sql<{ coupling_id: string; profile: Record<string, unknown>; stamps: Record<string, string> }>`
      select coupling_id, profile, stamps from coupled_profiles(${link.id}, ${records.map((record) => record.recordId)}::uuid[])`.execute(tx);
    return rows.flatMap(({ coupling_id, profile, stamps }) => {
      const held = Object.entries(stamps).filter(([key]) => key in profile);
      const registers: Registers = Object.fromEntries(held.map(([key, given]) => [key, { stamp: given, value: profile[key] }]));
      const fields = toldTo(registers, this.code, link.partnerCode) as ProfileItem['fields'];
      return Object.keys(fields).length === 0 ? [] : [{ kind: this.kind, couplingId: coupling_id, recordId: coupling_id, fields }];
    });
  }

  async apply(tx: Tx, receipt: Receipt, items: readonly ProfileItem[]): Promise<undefined> {
    const stampsOf = ({ fields }: ProfileItem): string[] => Object.values(fields).map((given) => given.stamp);
    for (const [index, item] of items.entries()) checkStamps(stampsOf(item), index, receipt, this.code);
    for (const item of items) {
      const guideId = receipt.couplings.get(item.couplingId)?.guideId;
      if (guideId) await this.#take(tx, receipt, guideId, item);
    }
    await this.stamps.observe(tx, latest(items.flatMap(stampsOf)));
  }

  async #take(tx: Tx, receipt: Receipt, guideId: string, { couplingId, fields }: ProfileItem): Promise<void> {
    const came = await this.#judge(tx, guideId, fields);
    if (came.length === 0) return;
    const { rows } = await sql<{ field: string; held: unknown; came: unknown; differs: boolean }>`
      select field, held, came, differs from merge_profile(${couplingId}, ${JSON.stringify(came)}::jsonb)`.execute(tx);
    await sql`
      insert into profile_stamp as p (guide_id, field, stamp, lost_stamp)
      select ${guideId}::uuid, c.field, case when c.wins then c.stamp else '' end, case when c.wins then '' else c.stamp end
      from jsonb_to_recordset(${JSON.stringify(came)}::jsonb) as c(field text, stamp text, wins boolean)
      on conflict (guide_id, field) do update set
        stamp = case when excluded.stamp = '' then p.stamp else excluded.stamp end,
        lost_stamp = greatest(p.lost_stamp collate "C", excluded.lost_stamp)`.execute(tx);
    const lost: Record<string, unknown> = {};
    const stands: Record<string, unknown> = {};
    for (const { field: of, held, came: value, differs } of rows) {
      const given = came.find((each) => each.field === of);
      if (!given?.told || !differs) continue;
      lost[of] = given.wins ? held : value;
      stands[of] = given.wins ? value : held;
    }
    if (Object.keys(stands).length === 0) return;
    await this.audit.record(tx, { kind: 'PARTNER_INSTANCE', code: receipt.link.partnerCode }, receipt.now, {
      action: 'guide.merged',
      subjectType: 'guide',
      subjectId: guideId,
      before: lost,
      after: stands,
    });
  }

  /** Under the guide's row lock. What is known already is left out. */
  async #judge(tx: Tx, guideId: string, fields: ProfileItem['fields']): Promise<Came[]> {
    const held = await tx.selectFrom('profile_stamp').select(['field', 'stamp', 'lost_stamp']).where('guide_id', '=', guideId).execute();
    const rows = new Map(held.map((row) => [row.field, row]));
    return PROFILE_FIELDS.flatMap((of) => {
      const given: Register | undefined = fields[of];
      if (!given) return [];
      const row = rows.get(of);
      const said = verdict(row?.stamp, given.stamp);
      if (said === 'KNOWN') return [];
      return [{ field: of, value: given.value, stamp: given.stamp, wins: said === 'WINS', told: said === 'WINS' || isLater(given.stamp, row?.lost_stamp ?? '') }];
    });
  }
}
