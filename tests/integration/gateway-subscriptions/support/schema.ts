import { buildSchema } from 'graphql';

/** A part of the client API that is enough to subscribe. */
export const typeDefs = `
  type Query { hello: String }
  type Mutation { nothing: Boolean }
  type Subscription { calendarChanged(guideId: ID!): CalendarChange! }
  type CalendarChange { kind: String! entry: CalendarEntry }
  type CalendarEntry { id: ID! offerTitle: String instance: InstanceInfo }
  type InstanceInfo { name: String instance: InstanceInfo }
`;

export const clientSchema = buildSchema(typeDefs);

export const calendarChanged = `subscription Calendar($guideId: ID!) {
  calendarChanged(guideId: $guideId) { kind entry { id offerTitle } }
}`;
