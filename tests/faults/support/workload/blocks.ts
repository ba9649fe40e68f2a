import type { Random } from '../../../../scripts/demo/random.js';
import type { BlockFacts, BlockOp } from '../../checker/index.js';
import type { Account } from '../caller.js';
import { type Action, type Known, pickKnown, type Scene } from './scene.js';

const FACTS = 'id version start end';
const ERROR = '... on UserError { code }';
const CREATE = `mutation ($input: CreateGuideBlockInput!) { createGuideBlock(input: $input) { __typename ... on GuideBlockPayload { block { ${FACTS} } } ${ERROR} } }`;
const UPDATE = `mutation ($input: UpdateGuideBlockInput!) { updateGuideBlock(input: $input) { __typename ... on GuideBlockPayload { block { ${FACTS} } } ${ERROR} } }`;
const END = `mutation ($input: EndGuideBlockInput!) { endGuideBlock(input: $input) { __typename ... on EndGuideBlockPayload { endedBlockId } ${ERROR} } }`;

type Answered = Omit<BlockFacts, 'guideId'>;

const factsOf = ({ id, version, start, end }: Answered, guideId: string): BlockFacts => ({ id, version, guideId, start: new Date(start).toISOString(), end: new Date(end).toISOString() });

export const createBlock: Action = async (scene, random, house) => {
  const guideId = random.pick(scene.guideIds(house));
  const range = scene.interval(random);
  const mark = scene.traces.plant(house, 'private', 'note of a block');
  const input = { idempotencyKey: random.uuid(), guideId, range, note: mark };
  const { base, payload } = await scene.change<{ block: Answered }>(random, scene.staff(random, house), CREATE, input);
  const answer = payload && factsOf(payload.block, guideId);
  scene.recorder.add({ ...base, subject: 'block', action: 'create', mark, effect: { guideId, ...range }, ...(answer && { answer }) });
  if (answer) scene.book(house).blocks.set(answer.id, { mark, facts: answer, busy: false, doubtful: false, changedAt: Date.now() });
};

async function carryOut(scene: Scene, random: Random, account: Account, known: Known<BlockFacts>, plan: { action: 'move' | 'end'; document: string; input: object; effect: BlockOp['effect'] }): Promise<void> {
  const { id: blockId, version: expectedVersion, guideId } = known.facts;
  const { blocks } = scene.book(account.house);
  known.busy = true;
  const { base, outcome, payload } = await scene.change<{ block?: Answered }>(random, account, plan.document, { idempotencyKey: random.uuid(), blockId, expectedVersion, ...plan.input });
  known.busy = false;
  known.changedAt = Date.now();
  const answer = payload?.block && factsOf(payload.block, guideId);
  scene.recorder.add({ ...base, subject: 'block', action: plan.action, mark: known.mark, blockId, expectedVersion, effect: plan.effect, ...(answer && { answer }) });
  if (answer) known.facts = answer;
  // Whatever it is now, there are others.
  if (outcome.kind === 'unknown' || plan.action === 'end' || (outcome.kind === 'refused' && ['STALE_VERSION', 'NOT_FOUND'].includes(outcome.code))) blocks.delete(blockId);
}

const someBlock = (scene: Scene, random: Random, house: string): Known<BlockFacts> | undefined =>
  pickKnown(random, [...scene.book(house).blocks.values()].filter(({ busy }) => !busy));

export const moveBlock: Action = async (scene, random, house) => {
  const known = someBlock(scene, random, house);
  const range = scene.interval(random);
  if (known) await carryOut(scene, random, scene.staff(random, house), known, { action: 'move', document: UPDATE, input: { range }, effect: range });
};

export const endBlock: Action = async (scene, random, house) => {
  const known = someBlock(scene, random, house);
  if (known) await carryOut(scene, random, scene.staff(random, house), known, { action: 'end', document: END, input: {}, effect: { ended: true } });
};
