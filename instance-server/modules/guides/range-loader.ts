import DataLoader from 'dataloader';
import type { RequestContext } from '../../platform/context.js';
import type { TimeRange } from '../../platform/time.js';

/** A part of one guide's time. */
export interface OfGuide extends TimeRange {
  guideId: string;
}

const rangeKey = ({ guideId, start, end }: OfGuide): string => `${guideId}-${start.getTime()}-${end.getTime()}`;

/** A loader of this request by guide and range; `read` is called once for each range, with all guides it was asked for. */
export function byGuideAndRange<T>(ctx: RequestContext, owner: object, read: (guideIds: string[], range: TimeRange) => Promise<(guideId: string) => T>): DataLoader<OfGuide, T> {
  return ctx.loader<OfGuide, T>(
    owner,
    () =>
      new DataLoader<OfGuide, T, string>(
        async (keys) => {
          const found = new Map<string, T>();
          for (const group of Map.groupBy(keys, ({ start, end }) => `${start.getTime()}-${end.getTime()}`).values()) {
            const [{ start, end }] = group as [OfGuide];
            const of = await read(
              group.map(({ guideId }) => guideId),
              { start, end },
            );
            for (const key of group) found.set(rangeKey(key), of(key.guideId));
          }
          return keys.map((key) => found.get(rangeKey(key)) as T);
        },
        { cacheKeyFn: rangeKey },
      ),
  );
}
