import { randomUUID } from 'node:crypto';
import type { GraphqlClient } from '../../../testkit/client.js';
import type { Records } from '../../../testkit/records.js';
import { newKey } from './house.js';

export interface Period {
  start: string;
  end: string;
  state: string;
  free: boolean;
  foreignBookingCount: number;
  foreignBookings: { start: string; end: string }[];
}

export interface Rule {
  id: string;
  origin: string;
  timeZone: string;
  startTime: string;
  durationMinutes: number;
  rrule: string;
  validFrom: string;
  validUntil: string | null;
  exceptDates: string[];
  skipsHolidays: boolean;
  holidays: string[];
  version: number;
}

export type Outcome = { __typename: string; rule?: Rule; absence?: { id: string; start: string; end: string; reason: string | null; version: number }; count?: number } & Record<string, unknown>;

export const RULE_FIELDS = 'id origin timeZone startTime durationMinutes rrule validFrom validUntil exceptDates skipsHolidays holidays version';
const RULE = `... on AvailabilityRulePayload { rule { ${RULE_FIELDS} } }`;
const ABSENCE = '... on AbsencePayload { absence { id start end reason version } }';
const SET = '... on SetAvailabilityPayload { count guide { id } }';
const ERRORS = '... on UserError { code }';
const NOT_FOUND = '... on NotFoundError { field }';
const INVALID = '... on InvalidInputError { field reason }';
const STALE = '... on StaleVersionError { currentVersion }';

/** What each mutation can answer with; every member of its union with all its facts. */
const MUTATIONS = {
  createAvailabilityRule: ['CreateAvailabilityRuleInput', RULE, NOT_FOUND, INVALID],
  updateAvailabilityRule: ['UpdateAvailabilityRuleInput', RULE, NOT_FOUND, INVALID, STALE],
  deleteAvailabilityRule: ['DeleteAvailabilityRuleInput', '... on DeleteAvailabilityRulePayload { deletedRuleId }', NOT_FOUND, STALE],
  setAvailability: ['SetAvailabilityInput', SET, NOT_FOUND, INVALID],
  generateAvailabilities: ['GenerateAvailabilitiesInput', SET, NOT_FOUND, INVALID],
  createAbsence: ['CreateAbsenceInput', ABSENCE, NOT_FOUND, INVALID],
  updateAbsence: ['UpdateAbsenceInput', ABSENCE, NOT_FOUND, INVALID, STALE],
  deleteAbsence: ['DeleteAbsenceInput', '... on DeleteAbsencePayload { deletedAbsenceId }', NOT_FOUND, STALE],
  setHolidays: ['SetHolidaysInput', '... on SetHolidaysPayload { holidays { date name } }', INVALID],
} as const;
export type AvailabilityMutation = keyof typeof MUTATIONS;

const KEYED: ReadonlySet<string> = new Set(['createAvailabilityRule', 'setAvailability', 'generateAvailabilities', 'createAbsence']);

export function availabilityDocument(mutation: AvailabilityMutation): string {
  const [type, ...members] = MUTATIONS[mutation];
  return `mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename ${ERRORS} ${members.join(' ')} } }`;
}

/** Calls a mutation, with a key of its own where it wants one. @throws when the answer is an error rather than an outcome */
export async function change(api: GraphqlClient, token: string, mutation: AvailabilityMutation, input: Record<string, unknown>): Promise<Outcome> {
  const given = KEYED.has(mutation) ? { idempotencyKey: newKey(), ...input } : input;
  const answer = await api.query<Record<string, Outcome> | null>(availabilityDocument(mutation), { input: given }, token);
  const outcome = answer.data?.[mutation];
  if (!outcome || answer.errors) throw new Error(answer.text);
  return outcome;
}

/** The rule of an outcome. @throws when it is an error */
export function ruleOf(outcome: Outcome): Rule {
  if (!outcome.rule) throw new Error(JSON.stringify(outcome));
  return outcome.rule;
}

const AVAILABILITY = 'query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { availability(range: $range) { start end state free foreignBookingCount foreignBookings { start end } } } }';

export async function periods(api: GraphqlClient, token: string, guideId: string, start: string, end: string): Promise<Period[]> {
  const { data, text } = await api.query<{ guide: { availability: Period[] } } | null>(AVAILABILITY, { id: guideId, range: { start, end } }, token);
  if (!data?.guide) throw new Error(text);
  return data.guide.availability;
}

/** `07:00-15:00 FREE_BY_RULE`, the times UTC; with the day where it is not the first one’s. */
export const told = (all: readonly Period[]): string[] => all.map(({ start, end, state }) => `${start.slice(11, 16)}-${end.slice(11, 16)} ${state}`);

/** A linked house and a coupling of the guide with it, as if all had agreed; gives what {@link plantForeign} needs. */
export async function plantPartner(records: Records, guideId: string, code: string): Promise<{ linkId: string; couplingId: string; guideId: string }> {
  const [linkId, couplingId] = [randomUUID(), randomUUID()];
  await records.query(
    `insert into link (id, partner_code, partner_name, partner_url, partner_endpoint, state, created_at, updated_at) values ($1, $2, $3, $4, $4, 'ACTIVE', now(), now())`,
    [linkId, code, `House ${code}`, `https://${code}.example`],
  );
  await records.query(
    `insert into coupling (id, link_id, guide_id, global_id, state, requested_here, confirmed_here, confirmed_there, created_at, updated_at) values ($1, $2, $3, $4, 'ACTIVE', true, true, true, now(), now())`,
    [couplingId, linkId, guideId, `g_${randomUUID()}`],
  );
  return { linkId, couplingId, guideId };
}

/** A booking of the partner as it was received. */
export async function plantForeign(
  records: Records,
  { linkId, couplingId, guideId }: { linkId: string; couplingId: string; guideId: string },
  given: { start: string; end: string; title?: string; kind?: 'BOOKING' | 'BLOCK'; ended?: boolean; disputed?: boolean },
): Promise<string> {
  const id = randomUUID();
  await records.query(
    `insert into foreign_booking (coupling_id, id, guide_id, link_id, incarnation, version, start_at, end_at, offer_title, kind, ended, received_at, disputed_at)
     values ($1, $2, $3, $4, 1, 1, $5, $6, $7, $8, $9, now(), case when $10 then now() end)`,
    [couplingId, id, guideId, linkId, given.start, given.end, given.title ?? 'Foreign tour', given.kind ?? 'BOOKING', given.ended ?? false, given.disputed ?? false],
  );
  return id;
}
