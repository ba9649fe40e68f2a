import { GraphQLError } from 'graphql';
import type { FakeEntry, FakeGuide, FakeInstance } from './fake-instance.js';

export type FakeViewer =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'partner'; readonly globalId: string }
  | { readonly kind: 'viewer'; readonly role: string; readonly guide: string | undefined; readonly account: string };

interface RangeArguments {
  readonly range: { readonly start: string; readonly end: string };
  readonly maxReplicaAge?: number | null;
}

/** The resolvers of a fake instance as a root value: objects with functions, which graphql-js calls by itself. */
export function rootValue(instance: FakeInstance, viewer: FakeViewer) {
  const guide = (found: FakeGuide | undefined) => (found === undefined ? null : guideValue(instance, viewer, found));
  const byId = (id: string) => instance.guides.find((item) => item.id === id || item.globalId === id);
  const authenticated = () => {
    if (viewer.kind !== 'viewer') throw new GraphQLError('no viewer', { extensions: { code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' } });
    return viewer;
  };
  const me = () => {
    const { account, role, guide: own } = authenticated();
    return { id: account, role, email: 'me@example.org', guide: own === undefined ? null : guide(byId(own)) };
  };
  const payload = { accessToken: 'access', __typename: 'LoginPayload', viewer: { id: 'a', role: 'GUIDE', email: null, guide: guide(instance.guides[0]) } };
  return {
    me,
    guide: ({ id }: { id: string }) => (authenticated(), guide(byId(id))),
    guides: ({ first }: { first: number }) => {
      authenticated();
      const nodes = instance.guides.slice(0, first).map((item) => guide(item));
      return {
        nodes,
        edges: nodes.map((node, index) => ({ cursor: String(index), node })),
        pageInfo: { hasNextPage: instance.guides.length > first, endCursor: null },
      };
    },
    booking: ({ id }: { id: string }) => bookingValue(instance, viewer, id),
    subjects: () => [guide(instance.guides[0]), bookingValue(instance, viewer, 'b1')],
    login: ({ input }: { input: { password: string } }) =>
      input.password === 'right' ? payload : { __typename: 'LoginFailedError', message: 'wrong' },
    refreshSession: () => ({ accessToken: `refreshed by ${instance.code}` }),
    acceptInvitation: () => ({ accessToken: `accepted by ${instance.code}` }),
    addNote: ({ guideId, note }: { guideId: string; note: string }) => {
      authenticated();
      instance.notes.push(note);
      return { guide: guide(byId(guideId)), note };
    },
    _entities: ({ representations }: { representations: { id: string }[] }) =>
      representations.map(({ id }) => {
        if (viewer.kind === 'partner') {
          return id === viewer.globalId ? guide(instance.guides.find((item) => item.globalId === id)) : null;
        }
        authenticated();
        return guide(byId(id));
      }),
  };
}

function bookingValue(instance: FakeInstance, viewer: FakeViewer, id: string) {
  const [first] = instance.guides;
  return { __typename: 'Booking', id, title: `Booking ${id}`, guide: first === undefined ? null : guideValue(instance, viewer, first) };
}

function guideValue(instance: FakeInstance, viewer: FakeViewer, guide: FakeGuide) {
  const isOwner = viewer.kind === 'viewer' && viewer.guide === guide.id;
  return {
    __typename: 'Guide',
    id: guide.id,
    globalId: guide.globalId,
    displayName: guide.displayName,
    languages: ['de', 'en'],
    linkedGrants: isOwner
      ? guide.coupledIn.map((code) => ({ instance: code, token: instance.grant(guide, code), globalId: guide.globalId, replicaAge: guide.replicaAges[code] ?? null }))
      : [],
    calendar: ({ range, maxReplicaAge }: RangeArguments) => {
      if (typeof maxReplicaAge === 'number' && (maxReplicaAge < 0 || maxReplicaAge > 86_400)) {
        throw new GraphQLError('No such age.', { extensions: { code: 'INVALID_INPUT', field: 'maxReplicaAge', reason: 'OUT_OF_RANGE' } });
      }
      const [start, end] = [Date.parse(range.start), Date.parse(range.end)];
      if (!(start < end)) {
        throw new GraphQLError('The range ends before it starts.', { extensions: { code: 'INVALID_INPUT', field: 'range.end', reason: 'BEFORE_START' } });
      }
      return guide.entries
        .filter((entry) => Date.parse(entry.start) < end && Date.parse(entry.end) > start)
        .filter((entry) => entry.replicaOf === undefined || isOwner)
        .map((entry) => entryValue(instance, viewer, guide, entry));
    },
  };
}

function entryValue(instance: FakeInstance, viewer: FakeViewer, guide: FakeGuide, entry: FakeEntry) {
  const code = entry.replicaOf ?? instance.code;
  return {
    kind: 'BOOKING',
    disputed: false,
    replicaAge: entry.replicaOf === undefined ? null : (guide.replicaAges[code] ?? null),
    instance: { code, name: `Museum ${code}`, url: `https://${code}.example.org`, logo: null },
    ...entry,
    origin: entry.replicaOf === undefined ? 'LOCAL' : 'FOREIGN',
    details:
      viewer.kind === 'viewer' && entry.replicaOf === undefined
        ? {
            bookingId: `booking-${entry.id}`,
            customer: { name: `Customer of ${entry.id}`, email: 'c@example.org', phone: null },
            partySize: 12,
            language: 'de',
            notes: null,
          }
        : null,
  };
}
