import { Arg, Ctx, FieldResolver, ID, Int, Resolver, Root, Subscription } from 'type-graphql';
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
      'When he is taken, by start. Staff see the entries of their own house. A guide sees those of all linked houses too, without their personal data: asked at his house from its copies, at the gateway from the houses themselves. What a house that does not answer holds is shown from the copy with its `replicaAge`, and `errors` names the house.',
  })
  @Stitched()
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR', 'PARTNER')
  calendar(
    @Ctx() ctx: RequestContext,
    @Root() guide: Guide,
    @Arg('range', () => TimeRangeInput, { description: 'Entries that intersect this range; a year at most.' }) range: TimeRangeInput,
    @Arg('maxReplicaAge', () => Int, {
      nullable: true,
      description:
        'For the gateway: houses of which your own house has a copy of at most this age, in seconds up to a day, need not be asked; the answer comes faster and their entries carry a `replicaAge`. Without it, or with 0, all houses are asked.',
    })
    maxReplicaAge: number | null,
  ): Promise<CalendarEntry[]> {
    return this.calendars.entries(ctx, guide, range, maxReplicaAge ?? null);
  }

  @Subscription(() => CalendarChange, {
    description:
      'Changes of a guide’s calendar as they happen: of his own house, and for the guide himself also of the linked houses, as soon as his own house has heard of them. Subscribe first and load the calendar then, so that nothing falls between.',
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
