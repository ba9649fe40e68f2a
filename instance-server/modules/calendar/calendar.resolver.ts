import { Arg, Ctx, FieldResolver, ID, Resolver, Root, Subscription } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { Stitched, VisibleTo } from '../../platform/visibility/visible-to.js';
import { TimeRangeInput } from '../bookings/index.js';
import { Guide } from '../guides/index.js';
import type { CalendarService } from './calendar.service.js';
import { CalendarChange, CalendarEntry } from './calendar.type.js';

/** Wiring of calendars. */
@Resolver(() => Guide)
export class CalendarResolver {
  constructor(private readonly calendars: CalendarService) {}

  @FieldResolver(() => [CalendarEntry], {
    description:
      'When he is taken, by start. Staff see the entries of their own house. A guide who asks the gateway sees those of all linked houses too, without their personal data; what a house that does not answer holds is missing, and `errors` names it.',
  })
  @Stitched()
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR', 'PARTNER')
  calendar(
    @Ctx() ctx: RequestContext,
    @Root() guide: Guide,
    @Arg('range', () => TimeRangeInput, { description: 'Entries that intersect this range; a year at most.' }) range: TimeRangeInput,
  ): Promise<CalendarEntry[]> {
    return this.calendars.entries(ctx, guide, range);
  }

  @Subscription(() => CalendarChange, {
    description: 'Changes of a guide’s calendar as they happen. Subscribe first and load the calendar then, so that nothing falls between.',
    subscribe: ({ args, context }) =>
      Promise.resolve((context as RequestContext).feeds.calendar(context as RequestContext, args.guideId as string)) as never,
  })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  calendarChanged(
    @Root() change: CalendarChange,
    @Arg('guideId', () => ID, { description: 'Local or global id of the guide.' }) _guideId: string,
  ): CalendarChange {
    return change;
  }
}
