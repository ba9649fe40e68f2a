import type { RequestContext } from '../../../platform/context.js';
import type { Tx } from '../../../platform/database/database.js';
import { notFound, Refusal, StaleVersionError } from '../../../platform/errors/user-error.js';
import { once } from '../../../platform/idempotency.js';
import { checkRange } from '../../../platform/time.js';
import { checkOptionalText, isUuid } from '../../../platform/validation.js';
import type { CreateGuideBlockInput, EndGuideBlockInput, UpdateGuideBlockInput } from '../block.input.js';
import { blockRepository as blocks } from '../block.repository.js';
import type { GuideBlock } from '../block.type.js';
import { bookingRepository as repository, type LivingAssignment } from '../booking.repository.js';
import type { CommandDependencies } from './shared.js';

const MAX_NOTE = 1_000;

async function reread(tx: Tx, id: string): Promise<GuideBlock> {
  const block = await blocks.find(tx, id);
  if (!block) throw notFound('input.idempotencyKey');
  return block;
}

/** The guide's row first: the written lock order. An assignment never goes to another guide, so whose it is may be read before. */
async function lockBlock(tx: Tx, { blockId, expectedVersion }: { blockId: string; expectedVersion: number }): Promise<GuideBlock> {
  const before = await blocks.living(tx, blockId);
  if (!before) throw notFound('input.blockId');
  await repository.lockGuides(tx, [before.guideId]);
  const block = await blocks.living(tx, blockId);
  if (!block) throw notFound('input.blockId');
  if (block.version !== expectedVersion) throw new Refusal(new StaleVersionError(block.version));
  return block;
}

const asAssignment = ({ id, guideId, start, end }: GuideBlock): LivingAssignment => ({ id, guideId, bookingId: null, start, end });

/** A guide is withheld without a booking. */
export function createGuideBlock(deps: CommandDependencies, ctx: RequestContext, input: CreateGuideBlockInput): Promise<GuideBlock> {
  const { idempotencyKey, ...rest } = input;
  if (!isUuid(input.guideId)) throw notFound('input.guideId');
  const range = checkRange(input.range, 'input.range');
  const note = checkOptionalText(input.note, 'input.note', MAX_NOTE);
  return deps.database.app.transaction(async (tx) => {
    const { outcome } = await once(ctx, tx, 'createGuideBlock', idempotencyKey, rest, async () => {
      const known = await repository.lockGuides(tx, [input.guideId]);
      if (!known.get(input.guideId)?.active) throw notFound('input.guideId');
      return { blockId: await deps.assignments.make(ctx, tx, null, input.guideId, range, note) };
    });
    return reread(tx, outcome.blockId);
  });
}

/** Another time, another note, or both. */
export function updateGuideBlock(deps: CommandDependencies, ctx: RequestContext, input: UpdateGuideBlockInput): Promise<GuideBlock> {
  const { idempotencyKey, ...rest } = input;
  if (!isUuid(input.blockId)) throw notFound('input.blockId');
  const range = input.range ? checkRange(input.range, 'input.range') : undefined;
  const note = input.note === null || input.note === undefined ? undefined : checkOptionalText(input.note, 'input.note', MAX_NOTE);
  return deps.database.app.transaction(async (tx) => {
    await once(ctx, tx, 'updateGuideBlock', idempotencyKey, rest, async () => {
      const block = await lockBlock(tx, input);
      if (note !== undefined) await blocks.writeNote(tx, block.id, note);
      if (range) await deps.assignments.move(ctx, tx, asAssignment(block), range);
      else await deps.assignments.touch(tx, asAssignment(block));
      return {};
    });
    return reread(tx, input.blockId);
  });
}

/** The guide is free again; that he was blocked stays on record. */
export function endGuideBlock(deps: CommandDependencies, ctx: RequestContext, input: EndGuideBlockInput): Promise<string> {
  const { idempotencyKey, ...rest } = input;
  if (!isUuid(input.blockId)) throw notFound('input.blockId');
  return deps.database.app.transaction(async (tx) => {
    await once(ctx, tx, 'endGuideBlock', idempotencyKey, rest, async () => {
      await deps.assignments.end(ctx, tx, asAssignment(await lockBlock(tx, input)), 'unblocked');
      return {};
    });
    return input.blockId;
  });
}
