import { Arg, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { Offer, type OfferService } from '../catalogs/index.js';
import { Guide, GuidePayload } from '../guides/index.js';
import { GuideLimits, SetForeignBookingsCountedInput, SetForeignBookingsCountedResult, SetGuideLimitsInput, SetGuideLimitsResult } from './limits.type.js';
import { GuideRelease, SetGuideReleasesInput, SetGuideReleasesResult } from './release.type.js';
import type { TermsService } from './terms.service.js';

const payload = (guide: Guide): GuidePayload => Object.assign(new GuidePayload(), { guide });

/** Wiring of releases and limits. */
@Resolver(() => Guide)
export class GuideTermsResolver {
  constructor(private readonly terms: TermsService) {}

  @FieldResolver(() => [GuideRelease], { description: 'The offers he may lead in this house, by title, and what he is released for on each.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  releases(@Ctx() ctx: RequestContext, @Root() guide: Guide): Promise<GuideRelease[]> {
    return this.terms.releasesOf(ctx, guide.id);
  }

  @FieldResolver(() => GuideLimits, { description: 'Most that he is to lead in this house.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  limits(@Ctx() ctx: RequestContext, @Root() guide: Guide): Promise<GuideLimits> {
    return this.terms.limitsOf(ctx, guide.id);
  }

  @Mutation(() => SetGuideReleasesResult, { description: 'Releases a guide for languages and age groups on offers he may lead.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  setGuideReleases(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => SetGuideReleasesInput, { description: 'For what.' }) input: SetGuideReleasesInput,
  ): Promise<typeof SetGuideReleasesResult> {
    return outcomeOf(async () => payload(await this.terms.setReleases(ctx, input))) as Promise<typeof SetGuideReleasesResult>;
  }

  @Mutation(() => SetGuideLimitsResult, { description: 'Sets the most that a guide is to lead. Limits are told by `eligibleGuides`; they do not keep staff from assigning him.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  setGuideLimits(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => SetGuideLimitsInput, { description: 'The limits.' }) input: SetGuideLimitsInput,
  ): Promise<typeof SetGuideLimitsResult> {
    return outcomeOf(async () => payload(await this.terms.setLimits(ctx, input))) as Promise<typeof SetGuideLimitsResult>;
  }

  @Mutation(() => SetForeignBookingsCountedResult, { description: 'A guide decides whether his bookings in linked houses count towards his limits here. Nobody else can.' })
  @VisibleTo('GUIDE')
  setForeignBookingsCounted(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => SetForeignBookingsCountedInput, { description: 'The decision.' }) input: SetForeignBookingsCountedInput,
  ): Promise<typeof SetForeignBookingsCountedResult> {
    return outcomeOf(async () => payload(await this.terms.setForeignBookingsCounted(ctx, input))) as Promise<typeof SetForeignBookingsCountedResult>;
  }
}

/** The offer of a release. */
@Resolver(() => GuideRelease)
export class GuideReleaseResolver {
  constructor(private readonly offers: OfferService) {}

  @FieldResolver(() => Offer, { description: 'The offer.' })
  offer(@Ctx() ctx: RequestContext, @Root() release: GuideRelease): Promise<Offer> {
    return this.offers.load(ctx, release.offerId);
  }
}
