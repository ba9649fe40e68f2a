import type { House } from './house.js';

export interface Eligibility {
  guide: { id: string };
  eligible: boolean;
  minutesInWeek: number;
  reasons: ({ __typename: string } & Record<string, unknown>)[];
}

export interface EligibilityPage {
  guides: Eligibility[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

export const ELIGIBLE_GUIDES = `query ($input: EligibleGuidesInput!, $filter: EligibleGuidesFilter, $first: Int, $after: String) {
  eligibleGuides(input: $input, filter: $filter, first: $first, after: $after) {
    guides {
      guide { id } eligible minutesInWeek
      reasons {
        __typename
        ... on InactiveReason { active }
        ... on NotAssignedToOfferReason { offerId }
        ... on LanguageNotSpokenReason { language spoken }
        ... on LanguageNotReleasedReason { language releasedLanguages }
        ... on AgeGroupNotReleasedReason { ageGroup releasedAgeGroups }
        ... on NotFreeReason { state times { start end } }
        ... on LimitExceededReason { period measure limit count start end }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

/** @throws when the answer is an error */
export async function rank(api: House['api'], token: string, variables: Record<string, unknown>): Promise<EligibilityPage> {
  const { data, text } = await api.query<{ eligibleGuides: EligibilityPage } | null>(ELIGIBLE_GUIDES, variables, token);
  if (!data) throw new Error(text);
  return data.eligibleGuides;
}

/** What speaks against one guide; undefined when he is not in the ranking. */
export async function against(house: House, token: string, guideId: string, input: Record<string, unknown>): Promise<Eligibility['reasons'] | undefined> {
  const { guides } = await rank(house.api, token, { input, filter: { guideIds: [guideId] } });
  return guides[0]?.reasons;
}

/** He is available for all of it, set by hand. */
export const available = (house: House, guideId: string, start: Date, end: Date): Promise<unknown> =>
  house.records.query('insert into individual_availability (id, guide_id, start_at, end_at, available) values (gen_random_uuid(), $1, $2, $3, true)', [guideId, start, end]);

/** Foreign bookings in the replica, from a house that is linked for it, which nobody here may hear of. */
export async function foreign(house: House, guideId: string, spans: readonly (readonly [Date, Date])[], partner = 'castle'): Promise<void> {
  const { records } = house;
  await records.query(
    `insert into link (id, partner_code, partner_name, partner_url, partner_endpoint, state, created_at, updated_at)
     values (gen_random_uuid(), $1, $1, $2, $2, 'ACTIVE', now(), now()) on conflict do nothing`,
    [partner, `https://${partner}.example`],
  );
  await records.query(
    `with c as (
       insert into coupling (id, link_id, guide_id, global_id, state, requested_here, created_at, updated_at)
       select gen_random_uuid(), id, $2::uuid, 'g_' || $2::text, 'ACTIVE', true, now(), now() from link where partner_code = $1 returning id, link_id)
     insert into foreign_booking (coupling_id, id, guide_id, link_id, incarnation, version, start_at, end_at, offer_title, kind, received_at)
     select c.id, gen_random_uuid(), $2::uuid, c.link_id, 1, 1, s.start_at, s.end_at, 'Secret title', 'BOOKING', now()
     from c cross join unnest($3::timestamptz[], $4::timestamptz[]) as s (start_at, end_at)`,
    [partner, guideId, spans.map(([start]) => start), spans.map(([, end]) => end)],
  );
}
