import { Arg, Ctx, FieldResolver, Int, Query, Resolver, Root } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { FirstDescription } from '../../platform/paging.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { Guide, type GuideService } from '../guides/index.js';
import type { EligibilityService } from './eligibility.service.js';
import { EligibleGuidesFilter, EligibleGuidesInput, GuideEligibility, GuideEligibilityPage } from './eligibility.type.js';

/** Wiring of eligibility. */
@Resolver(() => GuideEligibility)
export class EligibilityResolver {
  constructor(
    private readonly eligibility: EligibilityService,
    private readonly guides: GuideService,
  ) {}

  @Query(() => GuideEligibilityPage, {
    nullable: true,
    description:
      'Guides for a booking, or for an offer at a time, ranked, each with everything that speaks against him. Order: first those whom this house’s records do not rule out (active, may lead the offer, speaks and is released, not booked or blocked here then); among them least minutes in that week, then last and first name. Within a page the eligible ones come first. It informs: `assignGuide` and `requestGuides` do not ask for it. Null when there is no such booking or offer that you may see.',
  })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  eligibleGuides(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => EligibleGuidesInput, { description: 'For what.' }) input: EligibleGuidesInput,
    @Arg('filter', () => EligibleGuidesFilter, { nullable: true, description: 'Which guides.' }) filter: EligibleGuidesFilter | null,
    @Arg('first', () => Int, { nullable: true, description: FirstDescription }) first: number | null,
    @Arg('after', () => String, { nullable: true, description: 'Where to go on, from `pageInfo.endCursor` of the same question.' }) after: string | null,
  ): Promise<GuideEligibilityPage | null> {
    return this.eligibility.rank(ctx, input, filter, first, after);
  }

  @FieldResolver(() => Guide, { nullable: true, description: 'Who it is.' })
  async guide(@Ctx() ctx: RequestContext, @Root() eligibility: GuideEligibility): Promise<Guide | null> {
    return (await this.guides.load(ctx, eligibility.guideId)) ?? null;
  }
}
