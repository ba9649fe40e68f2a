import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';

/** A small federation of the real shape: everything at `instance`, one stitched list at `linked`, the public list at `directory`. */
const federation = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.5",
    import: ["@key", "@shareable", "@external", "@requires", "@inaccessible"])
  scalar DateTime
  type InstanceInfo @shareable { code: String! name: String! url: String logo: String }
`;

const entryTypes = `
  enum Origin { LOCAL FOREIGN }
  enum CalendarEntryKind { BOOKING BLOCK }
  type Customer @shareable { name: String email: String phone: String }
  type CalendarDetails @shareable { bookingId: ID! customer: Customer partySize: Int language: String notes: String }
  type CalendarEntry @shareable {
    id: ID! start: DateTime! end: DateTime! origin: Origin! kind: CalendarEntryKind! offerTitle: String instance: InstanceInfo
    details: CalendarDetails replicaAge: Int disputed: Boolean!
  }
  input TimeRangeInput { start: DateTime! end: DateTime! }
`;

const clientTypes = `
  interface Node { id: ID! }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type GuideEdge { cursor: String! node: Guide! }
  type GuideConnection { edges: [GuideEdge!]! nodes: [Guide!]! pageInfo: PageInfo! }
  enum Role { GUIDE STAFF ADMINISTRATOR }
  type Viewer { id: ID! role: Role! email: String guide: Guide }
  type Booking implements Node { id: ID! title: String! guide: Guide }
  union Subject = Guide | Booking
  type LoginPayload { accessToken: String! viewer: Viewer! }
  type LoginFailedError { message: String! }
  union LoginResult = LoginPayload | LoginFailedError
  type SessionPayload { accessToken: String! }
  type NotePayload { guide: Guide! note: String! }
  input LoginInput { instance: String email: String! password: String! }
  input RefreshSessionInput { refreshToken: String! }
  input AcceptInvitationInput { token: String! password: String! }
  type Query {
    me: Viewer!
    guide(id: ID!): Guide
    guides(first: Int = 10): GuideConnection!
    booking(id: ID!): Booking
    subjects: [Subject!]!
  }
  type Mutation {
    login(input: LoginInput!): LoginResult!
    refreshSession(input: RefreshSessionInput!): SessionPayload!
    acceptInvitation(input: AcceptInvitationInput!): SessionPayload!
    addNote(guideId: ID!, note: String!): NotePayload!
  }
`;

const subscription = 'type CalendarChange { kind: String! } type Subscription { calendarChanged(guideId: ID!): CalendarChange! }';

const guideFields = 'id: ID! globalId: ID displayName: String! languages: [String!]!';

const grantType =
  'type LinkedGrant @shareable @inaccessible { instance: String! @inaccessible token: String! @inaccessible globalId: ID! @inaccessible replicaAge: Int @inaccessible }';

const instanceSdl = `${federation} ${clientTypes} ${subscription}
  ${grantType}
  type Guide implements Node @key(fields: "id") { ${guideFields} linkedGrants: [LinkedGrant!]! @inaccessible }
`;

const linkedSdl = `${federation} ${entryTypes}
  ${grantType}
  type Guide @key(fields: "id") {
    id: ID!
    linkedGrants: [LinkedGrant!]! @external
    calendar(range: TimeRangeInput!, maxReplicaAge: Int): [CalendarEntry!]! @requires(fields: "linkedGrants { instance token globalId replicaAge }")
  }
`;

const directorySdl = `${federation} type Query { instances: [InstanceInfo!]! }`;

/** The schema of `/federation` at every instance: both of its subgraphs and the federation's own fields. */
export const servedSdl = `
  scalar DateTime scalar _Any
  type InstanceInfo { code: String! name: String! url: String logo: String }
  ${entryTypes.replaceAll('@shareable', '')} ${clientTypes.replace('subjects: [Subject!]!', 'subjects: [Subject!]! _entities(representations: [_Any!]!): [_Entity]!')}
  type LinkedGrant { instance: String! token: String! globalId: ID! replicaAge: Int }
  union _Entity = Guide
  type Guide implements Node { ${guideFields} linkedGrants: [LinkedGrant!]! calendar(range: TimeRangeInput!, maxReplicaAge: Int): [CalendarEntry!]! }
`;

export function composeTestSupergraph(): string {
  const result = composeServices(
    [
      { name: 'instance', typeDefs: parse(instanceSdl), url: 'http://instance.invalid' },
      { name: 'linked', typeDefs: parse(linkedSdl), url: 'http://linked.invalid' },
      { name: 'directory', typeDefs: parse(directorySdl), url: 'http://directory.invalid' },
    ],
  );
  if (result.supergraphSdl === undefined) throw new Error(result.errors?.map((error) => error.message).join('\n'));
  return result.supergraphSdl;
}
