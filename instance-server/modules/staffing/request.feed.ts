import type { RequestContext } from '../../platform/context.js';
import { notFound } from '../../platform/errors/user-error.js';
import { BoundedFeed, resolved } from '../../platform/events/bounded-feed.js';
import type { EventHub } from '../../platform/events/events.js';
import type { GuideService } from '../guides/index.js';
import type { Sessions } from '../identity/index.js';
import type { GuideRequestChange } from './request.type.js';

/** Changes a subscriber may lag behind before he is told to load all requests again. */
const MAX_WAITING = 100;
const ALL: GuideRequestChange = { requestId: null };

/** Responsible for telling of requests to a guide as they are made and closed: which, and nothing of what. */
export class RequestFeed {
  constructor(
    private readonly guides: GuideService,
    private readonly events: EventHub,
    private readonly sessions: Sessions,
  ) {}

  /** Begins with the word to load all. @throws Refusal NOT_FOUND when there is no such guide for the viewer */
  async changes(ctx: RequestContext, guideId: string): Promise<AsyncIterable<GuideRequestChange>> {
    const guide = await this.guides.find(ctx, guideId);
    if (!guide) throw notFound('guideId').toGraphQLError();
    const told = async (change: GuideRequestChange): Promise<GuideRequestChange | undefined> =>
      // Checked for every event: the socket of an ended session may take a moment to close.
      (await this.sessions.stands(ctx.account())) ? change : undefined;
    const feed = new BoundedFeed<() => Promise<GuideRequestChange | undefined>>(
      MAX_WAITING,
      () => () => told(ALL),
      this.events.listen((event) => {
        if (event.kind === 'gap') feed.push(() => told(ALL));
        else if (event.kind === 'request' && event.guideId === guide.id) feed.push(() => told({ requestId: event.requestId }));
      }),
    );
    feed.push(() => told(ALL));
    return resolved(feed, ALL);
  }
}
