import type { RequestContext } from '../../platform/context.js';
import { notFound } from '../../platform/errors/user-error.js';
import { BoundedFeed } from '../../platform/events/bounded-feed.js';
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
    const feed = new BoundedFeed<GuideRequestChange>(
      MAX_WAITING,
      () => ALL,
      this.events.listen((event) => {
        if (event.kind === 'gap') feed.push(ALL);
        else if (event.kind === 'request' && event.guideId === guide.id) feed.push({ requestId: event.requestId });
      }),
    );
    feed.push(ALL);
    return this.#whileStanding(ctx, feed);
  }

  /** Checked for every event: the socket of an ended session may take a moment to close. */
  #whileStanding(ctx: RequestContext, feed: BoundedFeed<GuideRequestChange>): AsyncIterableIterator<GuideRequestChange> {
    const { sessions } = this;
    return {
      async next() {
        for (;;) {
          const step = await feed.next();
          if (step.done || (await sessions.stands(ctx.account()))) return step;
        }
      },
      return: () => feed.return(),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}
