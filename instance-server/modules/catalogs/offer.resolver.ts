import { Arg, Ctx, ID, Int, Mutation, Query, Resolver } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { AfterDescription, FirstDescription } from '../../platform/paging.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import type { OfferService } from './offer.service.js';
import {
  CreateOfferInput,
  CreateOfferResult,
  Offer,
  OfferConnection,
  OfferPayload,
  UpdateOfferInput,
  UpdateOfferResult,
} from './offer.type.js';

const payload = (offer: Offer): OfferPayload => Object.assign(new OfferPayload(), { offer });

/** Wiring of offers. */
@Resolver()
export class OfferResolver {
  constructor(private readonly offers: OfferService) {}

  @Query(() => Offer, { nullable: true, description: 'One offer; null when there is none of this id.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  offer(@Arg('id', () => ID, { description: 'Id of the offer.' }) id: string): Promise<Offer | null> {
    return this.offers.find(id);
  }

  @Query(() => OfferConnection, { name: 'offers', description: 'The offers of this instance, by title.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  listOffers(
    @Arg('first', () => Int, { nullable: true, description: FirstDescription }) first: number | null,
    @Arg('after', () => String, { nullable: true, description: AfterDescription }) after: string | null,
  ): Promise<OfferConnection> {
    return this.offers.list(first, after);
  }

  @Mutation(() => CreateOfferResult, { description: 'Makes an offer.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  createOffer(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CreateOfferInput, { description: 'The offer.' }) input: CreateOfferInput,
  ): Promise<typeof CreateOfferResult> {
    return outcomeOf(async () => payload(await this.offers.create(ctx, input))) as Promise<typeof CreateOfferResult>;
  }

  @Mutation(() => UpdateOfferResult, { description: 'Changes an offer.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  updateOffer(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateOfferInput, { description: 'The changes.' }) input: UpdateOfferInput,
  ): Promise<typeof UpdateOfferResult> {
    return outcomeOf(async () => payload(await this.offers.update(ctx, input))) as Promise<typeof UpdateOfferResult>;
  }
}
