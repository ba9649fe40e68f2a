import { type House, newKey } from './house.js';

export interface RequestView {
  id: string;
  state: string;
  withdrawal: string | null;
  start: string;
  end: string;
  language: string | null;
  ageGroup: string | null;
  deadline: string;
  closedAt: string | null;
  offer: { id: string };
  instance: { code: string };
  guide: { id: string } | null;
  booking: { id: string; version: number; customer: { name: string } } | null;
}

export type RequestOutcome = { __typename: string; request?: RequestView; requests?: RequestView[] } & Record<string, unknown>;

export const REQUEST_FIELDS = 'id state withdrawal start end language ageGroup deadline closedAt offer { id } instance { code } guide { id } booking { id version customer { name } }';

const MUTATIONS = {
  requestGuides: `RequestGuidesInput|... on RequestGuidesPayload { requests { ${REQUEST_FIELDS} } } ... on AlreadyExistsError { field } ... on NotFoundError { field }
    ... on StaleVersionError { currentVersion } ... on InvalidTransitionError { state } ... on InvalidInputError { field reason }`,
  acceptGuideRequest: `AcceptGuideRequestInput|... on GuideRequestPayload { request { ${REQUEST_FIELDS} } } ... on GuideRequestClosedError { closed: state withdrawal }
    ... on GuideUnavailableError { guideId start end } ... on NotFoundError { field } ... on InvalidInputError { field reason }`,
  declineGuideRequest: `GuideRequestInput|... on GuideRequestPayload { request { ${REQUEST_FIELDS} } } ... on GuideRequestClosedError { closed: state withdrawal } ... on NotFoundError { field }`,
  withdrawGuideRequest: `GuideRequestInput|... on GuideRequestPayload { request { ${REQUEST_FIELDS} } } ... on GuideRequestClosedError { closed: state withdrawal } ... on NotFoundError { field }`,
} as const;
export type RequestMutation = keyof typeof MUTATIONS;

/** Calls a mutation of requests. @throws when the answer is an error rather than an outcome */
export async function answer(api: House['api'], token: string, mutation: RequestMutation, input: Record<string, unknown>): Promise<RequestOutcome> {
  const [type, members] = MUTATIONS[mutation].split('|');
  const keyed = mutation === 'requestGuides' || mutation === 'acceptGuideRequest' ? { idempotencyKey: newKey(), ...input } : input;
  const document = `mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename ... on UserError { code } ${members} } }`;
  const { data, text } = await api.query<Record<string, RequestOutcome> | null>(document, { input: keyed }, token);
  const outcome = data?.[mutation];
  if (!outcome) throw new Error(`${mutation}: ${text}`);
  return outcome;
}

export const closed = (state: string, withdrawal: string | null = null) => ({ __typename: 'GuideRequestClosedError', code: 'REQUEST_CLOSED', closed: state, withdrawal });

/** Midnight thirty days from now, and hours after it: requests are for what is still to come. */
const base = Math.floor(Date.now() / 86_400_000 + 30) * 86_400_000;
export const soon = (hours: number): Date => new Date(base + hours * 3_600_000);

