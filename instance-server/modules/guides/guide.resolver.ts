import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { AfterDescription, FirstDescription } from '../../platform/paging.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { Offer } from '../catalogs/index.js';
import { Viewer } from '../identity/index.js';
import type { GuideService } from './guide.service.js';
import {
  CreateGuideInput,
  CreateGuideResult,
  Guide,
  GuideConnection,
  GuideFilter,
  GuidePayload,
  UpdateGuideInput,
  UpdateGuideResult,
} from './guide.type.js';

const payload = (guide: Guide): GuidePayload => Object.assign(new GuidePayload(), { guide });

/** Wiring of guides. */
@Resolver(() => Guide)
export class GuideResolver {
  constructor(private readonly guides: GuideService) {}

  @Query(() => Guide, { nullable: true, description: 'A guide by local or global id; null when there is none that you may see.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  async guide(@Ctx() ctx: RequestContext, @Arg('id', () => ID, { description: 'Local or global id.' }) id: string): Promise<Guide | null> {
    return (await this.guides.find(ctx, id)) ?? null;
  }

  @Query(() => GuideConnection, { name: 'guides', description: 'The guides of this house, by last and first name.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  listGuides(
    @Ctx() ctx: RequestContext,
    @Arg('filter', () => GuideFilter, { nullable: true, description: 'Which guides.' }) filter: GuideFilter | null,
    @Arg('first', () => Int, { nullable: true, description: FirstDescription }) first: number | null,
    @Arg('after', () => String, { nullable: true, description: AfterDescription }) after: string | null,
  ): Promise<GuideConnection> {
    return this.guides.list(ctx, filter, first, after);
  }

  @FieldResolver(() => [Offer], { description: 'Offers he may lead in this house, by title.' })
  offers(@Ctx() ctx: RequestContext, @Root() guide: Guide): Promise<Offer[]> {
    return this.guides.offersOf(ctx, guide.id);
  }

  @Mutation(() => CreateGuideResult, { description: 'Makes a guide. To let him sign in, invite him.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  createGuide(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CreateGuideInput, { description: 'The guide.' }) input: CreateGuideInput,
  ): Promise<typeof CreateGuideResult> {
    return outcomeOf(async () => payload(await this.guides.create(ctx, input))) as Promise<typeof CreateGuideResult>;
  }

  @Mutation(() => UpdateGuideResult, { description: 'Changes a profile: guides their own, staff those of their house.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  updateGuide(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateGuideInput, { description: 'The changes.' }) input: UpdateGuideInput,
  ): Promise<typeof UpdateGuideResult> {
    return outcomeOf(async () => payload(await this.guides.update(ctx, input))) as Promise<typeof UpdateGuideResult>;
  }
}

/** The guide a viewer is. */
@Resolver(() => Viewer)
export class ViewerGuideResolver {
  constructor(private readonly guides: GuideService) {}

  @FieldResolver(() => Guide, { nullable: true, description: 'Yourself as a guide; null in any other role.' })
  async guide(@Ctx() ctx: RequestContext, @Root() viewer: Viewer): Promise<Guide | null> {
    return viewer.guideId ? ((await this.guides.load(ctx, viewer.guideId)) ?? null) : null;
  }
}
