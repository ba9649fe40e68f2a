import { connectInstances } from '../../../../scripts/operator/connect.js';
import type { Cleanup } from '../../../testkit/cleanup.js';
import { until } from '../../../testkit/until.js';
import { change, type Rule } from '../../instance/support/availability-api.js';
import { coupleGuide, openPair, openReplicatingHouse, type Pair, type ReplicatingHouse } from './houses.js';

export interface ProfileRow {
  first_name: string;
  last_name: string;
  email: string | null;
  phone: string | null;
  languages: string[];
  iban: string | null;
  version: number;
}

const UPDATE = 'mutation ($input: UpdateGuideInput!) { updateGuide(input: $input) { __typename ... on UserError { code } ... on StaleVersionError { currentVersion } } }';

/** What of profiles and rules waits in a house. */
export const waitingAt = (house: ReplicatingHouse): Promise<{ kind: string; refused_code: string | null }[]> =>
  house.records.query(`select kind, refused_code from outbox where kind in ('PROFILE', 'RULE') order by seq`);

/** What a house holds of a guide's profile. */
export async function profileAt(house: ReplicatingHouse, guideId: string): Promise<ProfileRow> {
  const [row] = await house.records.query<ProfileRow>('select first_name, last_name, email, phone, languages, iban, version from guide where id = $1', [guideId]);
  if (!row) throw new Error('there is no such guide');
  return row;
}

/** A change by staff, or with the token given, against the version that is there. */
export async function changeProfile(house: ReplicatingHouse, guideId: string, changes: Record<string, unknown>, token?: string): Promise<void> {
  const { version } = await profileAt(house, guideId);
  const { data, text } = await house.api.query<{ updateGuide: { __typename: string } }>(UPDATE, { input: { guideId, expectedVersion: version, ...changes } }, token ?? (await house.staff()));
  if (data?.updateGuide.__typename !== 'GuidePayload') throw new Error(text);
}

export async function changeRule(house: ReplicatingHouse, mutation: 'createAvailabilityRule' | 'updateAvailabilityRule' | 'deleteAvailabilityRule', input: Record<string, unknown>): Promise<Rule | undefined> {
  const outcome = await change(house.api, await house.staff(), mutation, input);
  if (!outcome.__typename.endsWith('Payload')) throw new Error(JSON.stringify(outcome));
  return outcome.rule;
}

/** Everything that must be alike in all houses of a guide, and the stamps. */
export function sharedState(house: ReplicatingHouse, guideId: string): Promise<unknown[]> {
  return house.records.query(
    `select first_name, last_name, email, phone, languages,
       (select jsonb_agg(jsonb_build_array(field, stamp) order by field) from profile_stamp p where p.guide_id = g.id) as stamps,
       (select jsonb_agg(jsonb_build_array(r.id, origin, stamp, holidays_stamp, deleted, holidays)
          || case when deleted then '[]' else jsonb_build_array(time_zone, start_time, duration_minutes, rrule, valid_from, valid_until, exdates, skips_holidays) end
          order by r.id) from availability_rule r where r.guide_id = g.id) as rules
     from guide g where g.id = $1`,
    [guideId],
  );
}

/** Resolves once all houses hold the same of their guide, and nothing of that waits anywhere. */
export async function agreed(places: readonly (readonly [ReplicatingHouse, string])[], timeoutMs?: number): Promise<void> {
  let seen: string[] = [];
  await until(async () => {
    seen = await Promise.all(places.map(async ([house, guideId]) => JSON.stringify(await sharedState(house, guideId))));
    const waiting = await Promise.all(places.map(([house]) => waitingAt(house)));
    return new Set(seen).size === 1 && waiting.flat().length === 0;
  }, timeoutMs).catch(async (error: unknown) => {
    throw new Error(`they do not agree:\n${seen.join('\n')}\n${JSON.stringify(await Promise.all(places.map(([house]) => waitingAt(house))))}`, { cause: error });
  });
}

/** Three houses, each linked with both others, in which guides are one. */
export class ThreeHouses {
  private constructor(
    readonly pair: Pair,
    readonly gamma: ReplicatingHouse,
  ) {}

  static async open(cleanup: Cleanup): Promise<ThreeHouses> {
    const pair = await openPair(cleanup);
    const gamma = await openReplicatingHouse(cleanup, 'gamma');
    for (const house of [pair.alpha, pair.beta]) await connectInstances(house.operator, gamma.operator);
    return new ThreeHouses(pair, gamma);
  }

  /** A guide of all three houses, coupled by pairs, after quiet. */
  async everywhere(): Promise<{ at: (house: ReplicatingHouse) => string; places: readonly (readonly [ReplicatingHouse, string])[] }> {
    const { alpha, beta } = this.pair;
    const { ids } = await coupleGuide(alpha, beta);
    const third = await coupleGuide(alpha, this.gamma, { alpha: ids['alpha'] });
    await coupleGuide(beta, this.gamma, { beta: ids['beta'], gamma: third.ids['gamma'] });
    const places = [[alpha, ids['alpha'] ?? ''], [beta, ids['beta'] ?? ''], [this.gamma, third.ids['gamma'] ?? '']] as const;
    await agreed(places);
    return { at: (house) => places.find(([each]) => each === house)?.[1] ?? '', places };
  }

  /** What is done in several houses before alpha and beta hear of each other. */
  async apart(work: () => Promise<void>): Promise<void> {
    const { alpha, beta } = this.pair;
    await alpha.operator.changeLink('beta', 'suspend');
    await work();
    await alpha.operator.changeLink('beta', 'resume');
    await until(async () => (await beta.records.query(`select 1 from link where partner_code = 'alpha' and suspended_there`)).length === 0);
  }
}
