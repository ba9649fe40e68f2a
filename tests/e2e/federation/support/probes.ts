import { randomUUID } from 'node:crypto';
import { COUPLED, DAY, type Federation, type House, type PlantedBooking, RANGE, wholeCalendar } from '../../../testkit/federation.js';
import type { Viewer } from './viewers.js';

/** A question about alpha, above all about Greta there. */
export interface Probe {
  readonly document: string;
  readonly variables: (federation: Federation) => Record<string, unknown>;
  /** What is answered from `house`: all of it, or what the viewer himself is in. */
  readonly answer: (house: House, viewer: Viewer, federation: Federation) => unknown;
  /** What is answered where there is nothing for the viewer. */
  readonly nothing: unknown;
}

const ENTRY = 'id start end origin offerTitle instance { code name url } details { bookingId customer { name email phone } partySize language notes }';
const PROFILE = 'id globalId displayName firstName lastName email phone languages active';
const BOOKING = 'id start end partySize language notes cancellationReason offer { id title } customer { name email phone } assignments { id guide { id displayName } }';

function profile(house: House, name: string): Record<string, unknown> {
  const { id, globalId, displayName, firstName, lastName, email, phone } = house.guide(name);
  return { id, globalId, displayName, firstName, lastName, email, phone, languages: ['de', 'en'], active: true };
}

/** His own house has copies of what the others hold. */
function calendar(name: string, house: House, viewer: Viewer, federation: Federation): unknown {
  const others = viewer.guide === name ? federation.houses.filter(({ code }) => code !== house.code && COUPLED[name]?.includes(code)) : [];
  return wholeCalendar(name, house, others);
}

function leaders(house: House, booking: PlantedBooking): string[] {
  return [...house.guides.keys()].filter((name) => house.guide(name).bookings.includes(booking));
}

function bookingNode(house: House, booking: PlantedBooking): Record<string, unknown> {
  const { id, start, end, partySize, language, notes, cancellationReason, offer, customer, assignmentId } = booking;
  const assignments = leaders(house, booking).map((name) => ({ id: assignmentId, guide: { id: house.guide(name).id, displayName: house.guide(name).displayName } }));
  return { id, start, end, partySize, language, notes, cancellationReason, offer, customer, assignments };
}

/** Of the viewer: all for staff, his own for a guide. */
const reached = (house: House, viewer: Viewer): PlantedBooking[] => (viewer.guide === undefined ? house.bookings : house.guide(viewer.guide).bookings);

const edges = (nodes: readonly unknown[]): { edges: { node: unknown }[] } => ({ edges: nodes.map((node) => ({ node })) });
const greta = ({ alpha }: Federation): string => alpha.guide('greta').id;
const gretasBooking = ({ alpha }: Federation): PlantedBooking => alpha.guide('greta').bookings[0] as PlantedBooking;
const byName = (house: House): string[] => [...house.guides.keys()].sort((one, other) => (house.guide(one).lastName < house.guide(other).lastName ? -1 : 1));

const byHour = (house: House): string[] => [...house.guides.keys()].sort((one, other) => (house.guide(other).bookings[0]?.start ?? '').localeCompare(house.guide(one).bookings[0]?.start ?? ''));

/** The customer of the booking asked about is for staff alone: nobody is assigned to it. */
function request(house: House, name: string, viewer: Viewer): Record<string, unknown> {
  const { id, displayName, requestId } = house.guide(name);
  const [booking] = house.unassigned as [PlantedBooking];
  const seen = viewer.guide === undefined ? { id: booking.id, customer: booking.customer } : null;
  return { id: requestId, state: 'OPEN', offer: booking.offer, instance: { code: house.code }, guide: { id, displayName }, booking: seen };
}

const bookings = (head: string, argument: string, variables: Probe['variables'], select: (all: PlantedBooking[], house: House) => PlantedBooking[]): Probe => ({
  document: `query ${head} { bookings(${argument}) { edges { node { ${BOOKING} } } } }`,
  variables,
  answer: (house, viewer) => ({ bookings: edges(select(reached(house, viewer), house).map((booking) => bookingNode(house, booking))) }),
  nothing: { bookings: { edges: [] } },
});

const inHome = (all: PlantedBooking[]): PlantedBooking[] => all;

interface Taken {
  readonly start: string;
  readonly end: string;
  readonly offerTitle: string;
  readonly instance: { code: string; name: string; url: string };
}

/** What other houses have booked of a guide, by start. */
const elsewhere = (house: House, name: string, { houses }: Federation): Taken[] =>
  houses
    .filter(({ code }) => code !== house.code && COUPLED[name]?.includes(code))
    .flatMap((other) => other.guide(name).bookings.map(({ start, end, offer }) => ({ start, end, offerTitle: offer.title, instance: other.info })))
    .sort((one, other) => one.start.localeCompare(other.start));

/** The day of a guide who is booked here first and then, without a pause, in the other houses, and is not available otherwise. */
function availability(house: House, name: string, federation: Federation): unknown[] {
  const own = house.guide(name).bookings;
  const foreign = elsewhere(house, name, federation);
  const [first, free, last] = [own[0]?.start, own.at(-1)?.end, foreign.at(-1)?.end];
  const period = (start: unknown, end: unknown, state: string, foreignBookings: unknown[] = []) => ({ start, end, state, foreignBookingCount: foreignBookings.length, foreignBookings });
  return [
    period(RANGE.start, first, 'NOT_AVAILABLE'),
    period(first, free, 'BOOKED'),
    ...foreign.map(({ start, end }) => period(start, end, 'BOOKED_ELSEWHERE', [{ start, end }])),
    period(last, RANGE.end, 'NOT_AVAILABLE'),
  ];
}

const change = (mutation: string, type: string, input: (federation: Federation) => Record<string, unknown>, field: string): Probe => ({
  document: `mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename ... on NotFoundError { code field message } } }`,
  variables: (federation) => ({ input: input(federation) }),
  answer: () => {
    throw new Error('this table changes nothing');
  },
  nothing: { [mutation]: { __typename: 'NotFoundError', code: 'NOT_FOUND', field, message: `${field} leads to nothing that you can see.` } },
});

export const PROBES: Readonly<Record<string, Probe>> = {
  'guide by local id': {
    document: `query ($id: ID!) { guide(id: $id) { ${PROFILE} } }`,
    variables: (federation) => ({ id: greta(federation) }),
    answer: (house) => ({ guide: profile(house, 'greta') }),
    nothing: { guide: null },
  },
  'guide by global id': {
    document: `query ($id: ID!) { guide(id: $id) { ${PROFILE} } }`,
    variables: ({ alpha }) => ({ id: alpha.guide('greta').globalId }),
    answer: (house) => ({ guide: profile(house, 'greta') }),
    nothing: { guide: null },
  },
  'another guide by local id': {
    document: `query ($id: ID!) { guide(id: $id) { ${PROFILE} } }`,
    variables: ({ alpha }) => ({ id: alpha.guide('solo').id }),
    answer: (house) => ({ guide: profile(house, 'solo') }),
    nothing: { guide: null },
  },
  'calendar by local id': {
    document: `query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { calendar(range: $range) { ${ENTRY} } } }`,
    variables: (federation) => ({ id: greta(federation), range: RANGE }),
    answer: (house, viewer, federation) => ({ guide: { calendar: calendar('greta', house, viewer, federation) } }),
    nothing: { guide: null },
  },
  'calendar by global id': {
    document: `query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { calendar(range: $range) { ${ENTRY} } } }`,
    variables: ({ alpha }) => ({ id: alpha.guide('greta').globalId, range: RANGE }),
    answer: (house, viewer, federation) => ({ guide: { calendar: calendar('greta', house, viewer, federation) } }),
    nothing: { guide: null },
  },
  'couplings of the guide': {
    document: `query ($id: ID!) { guide(id: $id) { couplings { state pausedHere pausedThere instance { code } guide { id email } } } }`,
    variables: (federation) => ({ id: greta(federation) }),
    answer: (house) => ({ guide: { couplings: ['beta', 'gamma'].map((code) => ({ state: 'ACTIVE', pausedHere: false, pausedThere: false, instance: { code }, guide: { id: house.guide('greta').id, email: house.guide('greta').email } })) } }),
    nothing: { guide: null },
  },
  'availability by local id': {
    document: `query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { availability(range: $range) { start end state foreignBookingCount foreignBookings { start end } } absences(range: $range) { reason } individualAvailabilities(range: $range) { note } availabilityRules { id } } }`,
    variables: (federation) => ({ id: greta(federation), range: RANGE }),
    answer: (house, _viewer, federation) => ({ guide: { availability: availability(house, 'greta', federation), absences: [], individualAvailabilities: [], availabilityRules: [] } }),
    nothing: { guide: null },
  },
  'what takes his time elsewhere': {
    document: `query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { availability(range: $range) { foreignBookings { offerTitle instance { code name url } } } } }`,
    variables: (federation) => ({ id: greta(federation), range: RANGE }),
    answer: (house, _viewer, federation) => {
      const taken = elsewhere(house, 'greta', federation).map(({ offerTitle, instance }) => ({ foreignBookings: [{ offerTitle, instance }] }));
      return { guide: { availability: [{ foreignBookings: [] }, { foreignBookings: [] }, ...taken, { foreignBookings: [] }] } };
    },
    nothing: { guide: null },
  },
  me: {
    document: `query ($range: TimeRangeInput!) { me { id displayName email role instance { code } guide { ${PROFILE} calendar(range: $range) { ${ENTRY} } } } }`,
    variables: () => ({ range: RANGE }),
    answer: (house, viewer, federation) => {
      const { guide, role } = viewer;
      const account = guide !== undefined ? house.guide(guide).account : role === 'STAFF' ? house.staff : house.administrator;
      return {
        me: {
          id: account.id,
          displayName: house.accountNames.get(account.id),
          email: account.email,
          role,
          instance: { code: house.code },
          guide: guide === undefined ? null : { ...profile(house, guide), calendar: calendar(guide, house, viewer, federation) },
        },
      };
    },
    nothing: undefined,
  },
  'bank data of the guide': {
    document: 'query ($id: ID!) { guide(id: $id) { bankData { accountHolder iban bic } sharesBankData } }',
    variables: (federation) => ({ id: greta(federation) }),
    answer: () => ({ guide: { bankData: null, sharesBankData: false } }),
    nothing: { guide: null },
  },
  'terms of the guide': {
    document: `query ($id: ID!) { guide(id: $id) { releases { offer { id title } languages ageGroups } limits { perDay { minutes bookings } countsForeignBookings } } }`,
    variables: (federation) => ({ id: greta(federation) }),
    answer: (house) => ({
      guide: {
        releases: [...house.offers].sort((one, other) => (one.title < other.title ? -1 : 1)).map((offer) => ({ offer, languages: null, ageGroups: null })),
        limits: { perDay: { minutes: null, bookings: null }, countsForeignBookings: false },
      },
    }),
    nothing: { guide: null },
  },
  bookings: bookings('', 'first: 100', () => ({}), inHome),
  'bookings, newest first': bookings('', 'orderBy: START_DESC', () => ({}), (all) => all.toReversed()),
  'bookings of Greta’s local id': bookings('($guide: ID)', 'filter: { guideId: $guide }', (federation) => ({ guide: greta(federation) }), (all, house) => all.filter((booking) => house.guide('greta').bookings.includes(booking))),
  'bookings of Greta’s global id': bookings('($guide: ID)', 'filter: { guideId: $guide }', ({ alpha }) => ({ guide: alpha.guide('greta').globalId }), () => []),
  'bookings of alpha’s offer': bookings('($offer: ID)', 'filter: { offerId: $offer }', ({ alpha }) => ({ offer: alpha.offers[0]?.id }), inHome),
  'bookings of the day, cancelled': bookings('($range: TimeRangeInput)', 'filter: { range: $range, state: CANCELLED }', () => ({ range: RANGE }), (all) => all.filter(({ cancellationReason }) => cancellationReason !== null)),
  'bookings to guides to calendars': {
    document: `query ($range: TimeRangeInput!, $guide: ID) { bookings(filter: { guideId: $guide }) { edges { node { assignments { guide { ${PROFILE} calendar(range: $range) { ${ENTRY} } } } } } } }`,
    variables: (federation) => ({ range: RANGE, guide: greta(federation) }),
    answer: (house, viewer, federation) => ({
      bookings: edges(house.guide('greta').bookings.map(() => ({ assignments: [{ guide: { ...profile(house, 'greta'), calendar: calendar('greta', house, viewer, federation) } }] }))),
    }),
    nothing: { bookings: { edges: [] } },
  },
  'booking by id': {
    document: `query ($id: ID!) { booking(id: $id) { ${BOOKING} } }`,
    variables: (federation) => ({ id: gretasBooking(federation).id }),
    answer: (house, _viewer, federation) => ({ booking: bookingNode(house, gretasBooking(federation)) }),
    nothing: { booking: null },
  },
  'cancelled booking by id': {
    document: `query ($id: ID!) { booking(id: $id) { ${BOOKING} } }`,
    variables: ({ alpha }) => ({ id: alpha.unassigned[1]?.id }),
    answer: (house) => ({ booking: bookingNode(house, house.unassigned[1] as PlantedBooking) }),
    nothing: { booking: null },
  },
  guides: {
    document: `{ guides { edges { node { ${PROFILE} } } } }`,
    variables: () => ({}),
    answer: (house) => ({ guides: edges(byName(house).map((name) => profile(house, name))) }),
    nothing: { guides: { edges: [] } },
  },
  'guides for alpha’s offer': {
    document: `query ($offer: ID) { guides(filter: { offerId: $offer }) { edges { node { ${PROFILE} } } } }`,
    variables: ({ alpha }) => ({ offer: alpha.offers[0]?.id }),
    answer: (house) => ({ guides: edges(byName(house).map((name) => profile(house, name))) }),
    nothing: { guides: { edges: [] } },
  },
  requests: {
    document: '{ guideRequests { edges { node { id state offer { id title } instance { code } guide { id displayName } booking { id customer { name email phone } } } } } }',
    variables: () => ({}),
    // The newest first, and each was planted at the hour of his first booking.
    answer: (house, viewer) => ({ guideRequests: edges(byHour(house).filter((name) => viewer.guide === undefined || viewer.guide === name).map((name) => request(house, name, viewer))) }),
    nothing: { guideRequests: { edges: [] } },
  },
  'requests to the guide': {
    document: 'query ($id: ID) { guideRequests(filter: { guideId: $id }) { edges { node { id } } } }',
    variables: (federation) => ({ id: greta(federation) }),
    answer: (house) => ({ guideRequests: edges([{ id: house.guide('greta').requestId }]) }),
    nothing: { guideRequests: { edges: [] } },
  },
  'open requests of the guide': {
    document: 'query ($id: ID!) { guide(id: $id) { openRequests { id } } }',
    variables: (federation) => ({ id: greta(federation) }),
    answer: (house) => ({ guide: { openRequests: [{ id: house.guide('greta').requestId }] } }),
    nothing: { guide: null },
  },
  'who could take a booking': {
    document: 'query ($id: ID) { eligibleGuides(input: { bookingId: $id }) { guides { eligible guide { id displayName } reasons { __typename ... on NotFreeReason { state } } } } }',
    variables: ({ alpha }) => ({ id: alpha.unassigned[0]?.id }),
    answer: (house) => ({
      eligibleGuides: {
        guides: byName(house).map((name) => ({ eligible: false, guide: { id: house.guide(name).id, displayName: house.guide(name).displayName }, reasons: [{ __typename: 'NotFreeReason', state: 'NOT_AVAILABLE' }] })),
      },
    }),
    nothing: { eligibleGuides: null },
  },
  'who was asked for a booking': {
    document: 'query ($id: ID!) { booking(id: $id) { requests { id } } }',
    variables: ({ alpha }) => ({ id: alpha.unassigned[0]?.id }),
    answer: (house) => ({ booking: { requests: byHour(house).map((name) => ({ id: house.guide(name).requestId })) } }),
    nothing: { booking: null },
  },
  'offer by id': {
    document: `query ($id: ID!) { offer(id: $id) { id title } }`,
    variables: ({ alpha }) => ({ id: alpha.offers[0]?.id }),
    answer: (house) => ({ offer: house.offers[0] }),
    nothing: { offer: null },
  },
  offers: {
    document: `{ offers { edges { node { id title } } } }`,
    variables: () => ({}),
    answer: (house) => ({ offers: edges([...house.offers].sort((one, other) => (one.title < other.title ? -1 : 1))) }),
    nothing: { offers: { edges: [] } },
  },
  'waiting couplings': { document: '{ couplingRequests { id requestedName } }', variables: () => ({}), answer: () => ({ couplingRequests: [] }), nothing: { couplingRequests: [] } },
  'lost bookings': { document: '{ lostBookings { id offerTitle } }', variables: () => ({}), answer: () => ({ lostBookings: [] }), nothing: { lostBookings: [] } },
  'action log': {
    document: `query ($id: ID) { auditEntries(filter: { subjectId: $id, action: "link.activated" }) { edges { node { action after } } } }`,
    variables: () => ({}),
    answer: () => ({ auditEntries: edges(['gamma', 'beta'].map((partnerCode) => ({ action: 'link.activated', after: { partnerCode } }))) }),
    nothing: { auditEntries: { edges: [] } },
  },
  'conflicts with other houses': {
    document: '{ guideConflicts { edges { node { assignment { id } guide { id } booking { id } overlaps { start end } disputed } } } }',
    variables: () => ({}),
    answer: () => ({ guideConflicts: edges([]) }),
    nothing: { guideConflicts: { edges: [] } },
  },
  'conflicts of the guide': {
    document: 'query ($id: ID) { guideConflicts(guideId: $id) { edges { node { assignment { id } } } } }',
    variables: (federation) => ({ id: greta(federation) }),
    answer: () => ({ guideConflicts: edges([]) }),
    nothing: { guideConflicts: { edges: [] } },
  },
  'check the assignment again': change('recheckAssignment', 'RecheckAssignmentInput', (federation) => ({ assignmentId: gretasBooking(federation).assignmentId }), 'input.assignmentId'),
  'dispute a foreign booking': change('disputeForeignBooking', 'ForeignBookingInput', ({ beta }) => ({ foreignBookingId: beta.guide('greta').bookings[0]?.assignmentId }), 'input.foreignBookingId'),
  'withdraw the dispute': change('withdrawDispute', 'ForeignBookingInput', ({ beta }) => ({ foreignBookingId: beta.guide('greta').bookings[0]?.assignmentId }), 'input.foreignBookingId'),
  'change the guide': change('updateGuide', 'UpdateGuideInput', (federation) => ({ guideId: greta(federation), expectedVersion: 1, firstName: 'Mallory' }), 'input.guideId'),
  'make the guide available': change('setAvailability', 'SetAvailabilityInput', (federation) => ({ idempotencyKey: randomUUID(), guideId: greta(federation), range: RANGE, setting: 'AVAILABLE' }), 'input.guideId'),
  'make the guide a rule': change('createAvailabilityRule', 'CreateAvailabilityRuleInput', (federation) => ({ idempotencyKey: randomUUID(), guideId: greta(federation), startTime: '09:00', durationMinutes: 60, rrule: 'FREQ=DAILY', validFrom: DAY }), 'input.guideId'),
  'send the guide away': change('createAbsence', 'CreateAbsenceInput', (federation) => ({ idempotencyKey: randomUUID(), guideId: greta(federation), range: RANGE }), 'input.guideId'),
  'set holidays': {
    document: `mutation ($input: SetHolidaysInput!) { setHolidays(input: $input) { __typename } }`,
    variables: () => ({ input: { year: 2031, holidays: [] } }),
    answer: () => {
      throw new Error('this table changes nothing');
    },
    nothing: undefined,
  },
  'cancel the booking': change('cancelBooking', 'CancelBookingInput', (federation) => ({ idempotencyKey: randomUUID(), bookingId: gretasBooking(federation).id, expectedVersion: 1, reason: 'none', origin: 'HOUSE' }), 'input.bookingId'),
  'rebook the booking': change('rebookBooking', 'RebookBookingInput', (federation) => ({ idempotencyKey: randomUUID(), bookingId: gretasBooking(federation).id, expectedVersion: 1, notes: 'none' }), 'input.bookingId'),
  'assign the guide to it': change('assignGuide', 'AssignGuideInput', (federation) => ({ idempotencyKey: randomUUID(), bookingId: gretasBooking(federation).id, guideId: greta(federation), expectedVersion: 1 }), 'input.bookingId'),
  'reset the assignment': change('resetAssignment', 'ResetAssignmentInput', (federation) => ({ idempotencyKey: randomUUID(), assignmentId: gretasBooking(federation).assignmentId, expectedVersion: 1 }), 'input.assignmentId'),
  'book the guide': change('createBooking', 'CreateBookingInput', ({ alpha }) => ({ idempotencyKey: randomUUID(), offerId: alpha.offers[0]?.id, customer: { name: 'N' }, guideIds: [alpha.guide('greta').id], time: { start: `${DAY}T22:00:00Z` } }), 'input.offerId'),
  'blocks of the guide': {
    document: 'query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { blocks(range: $range) { id note } } }',
    variables: (federation) => ({ id: greta(federation), range: RANGE }),
    answer: () => ({ guide: { blocks: [] } }),
    nothing: { guide: null },
  },
  'block the guide': change('createGuideBlock', 'CreateGuideBlockInput', (federation) => ({ idempotencyKey: randomUUID(), guideId: greta(federation), range: RANGE }), 'input.guideId'),
  'change a block': change('updateGuideBlock', 'UpdateGuideBlockInput', (federation) => ({ idempotencyKey: randomUUID(), blockId: gretasBooking(federation).assignmentId, expectedVersion: 1, note: 'N' }), 'input.blockId'),
  'end a block': change('endGuideBlock', 'EndGuideBlockInput', (federation) => ({ idempotencyKey: randomUUID(), blockId: gretasBooking(federation).assignmentId, expectedVersion: 1 }), 'input.blockId'),
  'release the guide': change('setGuideReleases', 'SetGuideReleasesInput', (federation) => ({ guideId: greta(federation), expectedVersion: 1, releases: [] }), 'input.guideId'),
  'limit the guide': change('setGuideLimits', 'SetGuideLimitsInput', (federation) => ({ guideId: greta(federation), expectedVersion: 1 }), 'input.guideId'),
  'count foreign bookings': change('setForeignBookingsCounted', 'SetForeignBookingsCountedInput', (federation) => ({ guideId: greta(federation), expectedVersion: 1, counted: true }), 'input.guideId'),
  'ask guides for it': change('requestGuides', 'RequestGuidesInput', (federation) => ({ idempotencyKey: randomUUID(), bookingId: gretasBooking(federation).id, guideIds: [greta(federation)], expectedVersion: 1, deadline: `${DAY}T00:00:00Z` }), 'input.bookingId'),
  'accept a request': change('acceptGuideRequest', 'AcceptGuideRequestInput', ({ alpha }) => ({ idempotencyKey: randomUUID(), requestId: alpha.guide('greta').requestId }), 'input.requestId'),
  'decline a request': change('declineGuideRequest', 'GuideRequestInput', ({ alpha }) => ({ requestId: alpha.guide('greta').requestId }), 'input.requestId'),
  'withdraw a request': change('withdrawGuideRequest', 'GuideRequestInput', ({ alpha }) => ({ requestId: alpha.guide('greta').requestId }), 'input.requestId'),
  'change the offer': change('updateOffer', 'UpdateOfferInput', ({ alpha }) => ({ offerId: alpha.offers[0]?.id, expectedVersion: 1, title: 'none' }), 'input.offerId'),
  'end the coupling with gamma': change('endCoupling', 'CouplingInput', ({ couplings }) => ({ couplingId: couplings['greta alpha-gamma'] }), 'input.couplingId'),
  'let a booking go as if it were lost': change('releaseLostBooking', 'ReleaseLostBookingInput', (federation) => ({ lostBookingId: gretasBooking(federation).assignmentId }), 'input.lostBookingId'),
  'pause the coupling with gamma': change('pauseCoupling', 'CouplingInput', ({ couplings }) => ({ couplingId: couplings['greta alpha-gamma'] }), 'input.couplingId'),
  'resume the coupling with gamma': change('resumeCoupling', 'CouplingInput', ({ couplings }) => ({ couplingId: couplings['greta alpha-gamma'] }), 'input.couplingId'),
  'confirm the coupling with gamma': change('confirmCoupling', 'CouplingInput', ({ couplings }) => ({ couplingId: couplings['greta alpha-gamma'] }), 'input.couplingId'),
};
