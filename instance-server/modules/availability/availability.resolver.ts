import { Arg, Ctx, FieldResolver, Int, Query, Resolver, Root } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { TimeRangeInput } from '../bookings/index.js';
import { Guide } from '../guides/index.js';
import type { AvailabilityService } from './availability.service.js';
import { Absence, AvailabilityPeriod, AvailabilityRule, Holiday, IndividualAvailability } from './availability.type.js';
import type { HolidayService } from './holiday.service.js';

const RANGE = 'The part of time that is of interest; a year at most.';

/** Wiring of what can be read of availability. */
@Resolver(() => Guide)
export class AvailabilityResolver {
  constructor(
    private readonly service: AvailabilityService,
    private readonly holidayService: HolidayService,
  ) {}

  @FieldResolver(() => [AvailabilityPeriod], {
    description:
      'Whether he is free, in periods that cover the whole range without gaps. Answered by your own house, from what it knows of the others: guides see what takes their time elsewhere, staff when.',
  })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  availability(@Ctx() ctx: RequestContext, @Root() guide: Guide, @Arg('range', () => TimeRangeInput, { description: RANGE }) range: TimeRangeInput): Promise<AvailabilityPeriod[]> {
    return this.service.periods(ctx, guide, range);
  }

  @FieldResolver(() => [AvailabilityRule], { description: 'His rules of availability, wherever they were made, by first day and time.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  availabilityRules(@Ctx() ctx: RequestContext, @Root() guide: Guide): Promise<AvailabilityRule[]> {
    return this.service.rulesOf(ctx, guide);
  }

  @FieldResolver(() => [IndividualAvailability], { description: 'What was set by hand in this house and intersects the range, by start.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  individualAvailabilities(@Ctx() ctx: RequestContext, @Root() guide: Guide, @Arg('range', () => TimeRangeInput, { description: RANGE }) range: TimeRangeInput): Promise<IndividualAvailability[]> {
    return this.service.entriesOf(ctx, guide, range);
  }

  @FieldResolver(() => [Absence], { description: 'His absences that intersect the range, by start.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  absences(@Ctx() ctx: RequestContext, @Root() guide: Guide, @Arg('range', () => TimeRangeInput, { description: RANGE }) range: TimeRangeInput): Promise<Absence[]> {
    return this.service.absencesOf(ctx, guide, range);
  }

  @Query(() => [Holiday], { description: 'The holidays of this house in a year, by date.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  holidays(@Arg('year', () => Int, { description: 'Which year.' }) year: number): Promise<Holiday[]> {
    return this.holidayService.ofYear(year);
  }
}
