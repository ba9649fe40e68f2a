import type { Random } from '../../../../scripts/demo/random.js';
import type { Person, RuleOp } from '../../checker/index.js';
import type { Account } from '../caller.js';
import { guideKey } from '../people.js';
import type { Action, Scene } from './scene.js';

const ERROR = '... on UserError { code }';
const RULE = `... on AvailabilityRulePayload { rule { id version } } ${ERROR}`;
const CREATE = `mutation ($input: CreateAvailabilityRuleInput!) { createAvailabilityRule(input: $input) { __typename ${RULE} } }`;
const UPDATE = `mutation ($input: UpdateAvailabilityRuleInput!) { updateAvailabilityRule(input: $input) { __typename ${RULE} } }`;
const DELETE = `mutation ($input: DeleteAvailabilityRuleInput!) { deleteAvailabilityRule(input: $input) { __typename ... on DeleteAvailabilityRulePayload { deletedRuleId } ${ERROR} } }`;
const READ = 'query ($id: ID!) { guide(id: $id) { availabilityRules { id version } } }';
const SET = `mutation ($input: SetAvailabilityInput!) { setAvailability(input: $input) { __typename ... on SetAvailabilityPayload { count } ${ERROR} } }`;
const ABSENCE = `mutation ($input: CreateAbsenceInput!) { createAbsence(input: $input) { __typename ... on AbsencePayload { absence { id } } ${ERROR} } }`;

const RETURN = `mutation ($input: DeleteAbsenceInput!) { deleteAbsence(input: $input) { __typename ... on DeleteAbsencePayload { deletedAbsenceId } ${ERROR} } }`;
const HOLIDAYS = `mutation ($input: SetHolidaysInput!) { setHolidays(input: $input) { __typename ... on SetHolidaysPayload { holidays { date } } ${ERROR} } }`;
const YEAR = 2031;

interface Rule {
  id: string;
  version: number;
}

const QUARTERS_A_DAY = 96;
const FIRST_DAY = Date.parse('2030-01-01');
const DAY_MS = 86_400_000;
/** Above this, rules are only deleted; a guide may have 50. */
const MOST_RULES = 12;

/** A time and a day that no other write of the run has. */
function ownTime(scene: Scene): { startTime: string; validFrom: string } {
  const number = scene.ruleTimes;
  scene.ruleTimes += 1;
  const quarter = number % QUARTERS_A_DAY;
  const startTime = `${String(Math.floor(quarter / 4)).padStart(2, '0')}:${String((quarter % 4) * 15).padStart(2, '0')}`;
  return { startTime, validFrom: new Date(FIRST_DAY + Math.floor(number / QUARTERS_A_DAY) * DAY_MS).toISOString().slice(0, 10) };
}

function somebody(scene: Scene, random: Random, house: string): { person: Person; guideId: string; account: Account } {
  const person = random.pick(scene.personsIn(house));
  const byGuide = random.chance(0.5) ? scene.people.guides.get(guideKey(house, person.name)) : undefined;
  return { person, guideId: person.guideIds[house] as string, account: byGuide ?? scene.staff(random, house) };
}

async function write(scene: Scene, random: Random, account: Account, person: Person, action: RuleOp['action'], document: string, input: Record<string, unknown>, rule?: Rule): Promise<void> {
  const time = action === 'delete' ? {} : ownTime(scene);
  const { base, outcome, payload, clockAtLeast } = await scene.change<{ rule?: Rule }>(random, account, document, { ...input, ...time });
  const ruleId = rule?.id ?? payload?.rule?.id;
  // A deletion does not say which version it made.
  const answerVersion = payload?.rule?.version ?? (outcome.kind === 'ok' && rule ? rule.version + 1 : undefined);
  scene.recorder.add({
    ...base, subject: 'rule', action, person: person.name, clockAtLeast, ...time,
    ...(ruleId !== undefined && { ruleId }), ...(rule && { expectedVersion: rule.version }), ...(answerVersion !== undefined && { answerVersion }),
  });
}

/** Made, changed or deleted, in any house of the guide, wherever it was made. */
export const changeRule: Action = async (scene, random, house) => {
  const { person, guideId, account } = somebody(scene, random, house);
  const reply = await scene.caller.ask(account, scene.via(random)(), READ, { id: guideId });
  const guide = reply.kind === 'data' ? (reply.data['guide'] as { availabilityRules: Rule[] } | null) : null;
  if (!guide) return;
  const rules = guide.availabilityRules;
  const rule = rules.length > 0 ? (random.chance(0.5) ? rules[0] : random.pick(rules)) : undefined;
  if (rule && (rules.length > MOST_RULES || random.chance(0.15))) {
    await write(scene, random, account, person, 'delete', DELETE, { ruleId: rule.id, expectedVersion: rule.version }, rule);
  } else if (rule && random.chance(0.6)) {
    await write(scene, random, account, person, 'edit', UPDATE, { ruleId: rule.id, expectedVersion: rule.version }, rule);
  } else {
    const input = { idempotencyKey: random.uuid(), guideId, durationMinutes: 60, rrule: 'FREQ=WEEKLY;BYDAY=MO,WE', skipsHolidays: random.chance(0.5) };
    await write(scene, random, account, person, 'create', CREATE, input);
  }
};

/** By hand and for this house alone. */
export const setIndividual: Action = async (scene, random, house) => {
  const { guideId, account } = somebody(scene, random, house);
  const range = scene.interval(random);
  const text = scene.traces.plant(house, 'private', 'note of an individual availability');
  const input = { idempotencyKey: random.uuid(), guideId, range, setting: random.pick(['AVAILABLE', 'UNAVAILABLE']), note: text };
  const { base } = await scene.change(random, account, SET, input);
  scene.recorder.add({ ...base, subject: 'entry', action: 'set', guideId, entryIds: [] });
};

export const beAbsent: Action = async (scene, random, house) => {
  const { guideId, account } = somebody(scene, random, house);
  const { start, end } = scene.interval(random);
  const reason = scene.traces.plant(house, 'private', 'reason of an absence');
  const { base, payload } = await scene.change<{ absence: { id: string } }>(random, account, ABSENCE, { idempotencyKey: random.uuid(), guideId, range: { start, end }, reason });
  scene.recorder.add({ ...base, subject: 'entry', action: 'absence', guideId, entryIds: payload ? [payload.absence.id] : [] });
  if (payload) scene.book(house).absences.set(payload.absence.id, account);
};

/** Nobody else is at this absence. */
export const beBack: Action = async (scene, random, house) => {
  const { absences } = scene.book(house);
  if (absences.size === 0) return;
  const [absenceId, account] = random.pick([...absences]);
  absences.delete(absenceId);
  const { base } = await scene.change(random, account, RETURN, { absenceId, expectedVersion: 1 });
  scene.recorder.add({ ...base, subject: 'entry', action: 'remove', guideId: '', entryIds: [absenceId] });
};

/** Days which the rules made in this house carry to all others. */
export const setHolidays: Action = async (scene, random, house) => {
  const book = scene.book(house);
  if (book.isBeingCelebrated) return;
  book.isBeingCelebrated = true;
  const days = [...new Set(Array.from({ length: random.between(0, 4) }, () => `${YEAR}-05-${String(random.between(1, 31)).padStart(2, '0')}`))].sort();
  const holidays = days.map((date) => ({ date, name: scene.traces.plant(house, 'private', 'name of a holiday') }));
  const { base } = await scene.change(random, scene.staff(random, house), HOLIDAYS, { year: YEAR, holidays });
  scene.recorder.add({ ...base, subject: 'holidays', days });
  book.isBeingCelebrated = false;
};
