import DataLoader from 'dataloader';
import { Arg, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { checkRange, type TimeRange } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { Guide, type GuideService } from '../guides/index.js';
import { CreateGuideBlockInput, EndGuideBlockInput, UpdateGuideBlockInput } from './block.input.js';
import { blockRepository as repository } from './block.repository.js';
import { CreateGuideBlockResult, EndGuideBlockPayload, EndGuideBlockResult, GuideBlock, GuideBlockPayload, UpdateGuideBlockResult } from './block.type.js';
import { TimeRangeInput } from './booking.input.js';
import type { BookingService } from './booking.service.js';
import { createGuideBlock, endGuideBlock, updateGuideBlock } from './commands/guide-blocks.js';

interface BlocksKey extends TimeRange {
  guideId: string;
}

const payload = (block: GuideBlock): GuideBlockPayload => Object.assign(new GuideBlockPayload(), { block });

/** Wiring of blocks. */
@Resolver(() => GuideBlock)
export class GuideBlockResolver {
  constructor(
    private readonly bookings: BookingService,
    private readonly guides: GuideService,
  ) {}

  @Mutation(() => CreateGuideBlockResult, { description: 'Withholds a guide for a time without a booking, here and in the houses he is coupled with.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  createGuideBlock(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CreateGuideBlockInput, { description: 'Whom and when.' }) input: CreateGuideBlockInput,
  ): Promise<typeof CreateGuideBlockResult> {
    return outcomeOf(async () => payload(await this.bookings.settled(ctx, createGuideBlock(this.bookings.deps, ctx, input)))) as Promise<typeof CreateGuideBlockResult>;
  }

  @Mutation(() => UpdateGuideBlockResult, { description: 'Gives a block another time or note.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  updateGuideBlock(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateGuideBlockInput, { description: 'The changes.' }) input: UpdateGuideBlockInput,
  ): Promise<typeof UpdateGuideBlockResult> {
    return outcomeOf(async () => payload(await this.bookings.settled(ctx, updateGuideBlock(this.bookings.deps, ctx, input)))) as Promise<typeof UpdateGuideBlockResult>;
  }

  @Mutation(() => EndGuideBlockResult, { description: 'Ends a block; the guide is free again.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  endGuideBlock(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => EndGuideBlockInput, { description: 'Which.' }) input: EndGuideBlockInput,
  ): Promise<typeof EndGuideBlockResult> {
    return outcomeOf(async () =>
      Object.assign(new EndGuideBlockPayload(), { endedBlockId: await endGuideBlock(this.bookings.deps, ctx, input) }),
    ) as Promise<typeof EndGuideBlockResult>;
  }

  @FieldResolver(() => Guide, { nullable: true, description: 'Who is withheld.' })
  async guide(@Ctx() ctx: RequestContext, @Root() block: GuideBlock): Promise<Guide | null> {
    return (await this.guides.load(ctx, block.guideId)) ?? null;
  }
}

/** The blocks of a guide. */
@Resolver(() => Guide)
export class BlockedGuideResolver {
  constructor(private readonly bookings: BookingService) {}

  @FieldResolver(() => [GuideBlock], { description: 'Times for which this house withholds him without a booking, by start. His calendar has them too; here they can be changed.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  blocks(
    @Ctx() ctx: RequestContext,
    @Root() guide: Guide,
    @Arg('range', () => TimeRangeInput, { description: 'Blocks that intersect this range; a year at most.' }) range: TimeRangeInput,
  ): Promise<GuideBlock[]> {
    const { start, end } = checkRange(range, 'range');
    return ctx
      .loader<BlocksKey, GuideBlock[]>(
        BlockedGuideResolver,
        () =>
          new DataLoader<BlocksKey, GuideBlock[], string>(
            async (keys) => {
              const byRange = [...Map.groupBy(keys, (key) => `${key.start.getTime()}-${key.end.getTime()}`).values()];
              const found = await Promise.all(
                byRange.map(async (group) => {
                  const [asked] = group as [BlocksKey];
                  const ofGuides = await repository.ofGuides(this.bookings.deps.database.app.sql, group.map((key) => key.guideId), asked);
                  return group.map((key) => [key, ofGuides.filter((block) => block.guideId === key.guideId)] as const);
                }),
              );
              const blocks = new Map(found.flat());
              return keys.map((key) => blocks.get(key) ?? []);
            },
            { cacheKeyFn: (key) => `${key.guideId}-${key.start.getTime()}-${key.end.getTime()}` },
          ),
      )
      .load({ guideId: guide.id, start, end });
  }
}
