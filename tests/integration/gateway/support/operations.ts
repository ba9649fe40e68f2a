import * as fc from 'fast-check';

/**
 * Generated client operations. The same response key always means the same field with the same arguments, so every
 * document is valid, and keys are met several times with different selections below, as merging wants to be tested.
 */
const fragmentNames = ['One', 'Two'] as const;

const condition = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constantFrom(' @skip(if: $yes)', ' @include(if: $yes)', ' @skip(if: $no)', ' @include(if: $no)') },
  { weight: 1, arbitrary: fc.constantFrom(' @include(if: true)', ' @skip(if: false)', ' @include(if: $yes) @skip(if: $no)') },
);

const withCondition = (texts: fc.Arbitrary<string>) => fc.tuple(texts, condition).map(([text, directives]) => `${text}${directives}`);

const leaves = (...names: readonly string[]) =>
  withCondition(fc.constantFrom(...names.flatMap((name) => [name, `also_${name}: ${name}`]), '__typename', 'typeName: __typename'));

const selectionOf = (items: fc.Arbitrary<string>, max = 5) =>
  fc.array(items, { minLength: 1, maxLength: max }).map((texts) => `{ ${texts.join(' ')} }`);

const object = (name: string, selection: fc.Arbitrary<string>) =>
  fc.tuple(fc.constantFrom(name, `also_${name}: ${name}`), condition, selection).map(([field, directives, below]) => `${field}${directives} ${below}`);

const spread = (type: string) =>
  fc.tuple(fc.constantFrom(...fragmentNames), condition).map(([name, directives]) => `...${type}${name}${directives}`);

const inline = (type: string, selection: fc.Arbitrary<string>) =>
  fc.tuple(fc.constantFrom(`... on ${type}`, '...'), condition, selection).map(([head, directives, below]) => `${head}${directives} ${below}`);

const instanceInfo = selectionOf(leaves('code', 'name', 'url', 'logo'), 3);
const customer = selectionOf(leaves('name', 'email', 'phone'), 3);
const details = selectionOf(
  fc.oneof({ weight: 3, arbitrary: leaves('bookingId', 'partySize', 'language', 'notes') }, { weight: 1, arbitrary: object('customer', customer) }),
  4,
);

const entryLeaf = fc.oneof(
  { weight: 6, arbitrary: leaves('id', 'start', 'end', 'origin', 'kind', 'offerTitle', 'replicaAge', 'disputed') },
  { weight: 2, arbitrary: object('instance', instanceInfo) },
  { weight: 1, arbitrary: object('details', details) },
);

const entryItem = fc.oneof(
  { weight: 6, arbitrary: entryLeaf },
  { weight: 1, arbitrary: spread('Entry') },
  { weight: 1, arbitrary: inline('CalendarEntry', selectionOf(entryLeaf, 3)) },
);

/** Each alias has its own range, so that a key never has two meanings. */
const calendarHeads = [
  'calendar(range: $range)',
  'short: calendar(range: $short)',
  'literal: calendar(range: { start: "2026-05-01T00:00:00Z", end: "2026-05-03T00:00:00Z" })',
  'parts: calendar(range: { start: $from, end: "2026-05-09T00:00:00+02:00" })',
  'default: calendar(range: $default)',
  'copies: calendar(range: $range, maxReplicaAge: 60)',
  'aged: calendar(range: $short, maxReplicaAge: $age)',
] as const;

const calendar = fc
  .tuple(
    fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...calendarHeads) }, { weight: 1, arbitrary: fc.constant('wrong: calendar(range: $reversed)') }),
    condition,
    selectionOf(entryItem, 6),
  )
  .map(([head, directives, below]) => `${head}${directives} ${below}`);

const guideLeaf = leaves('id', 'displayName', 'globalId', 'languages');

const guideItem = fc.oneof(
  { weight: 2, arbitrary: guideLeaf },
  { weight: 3, arbitrary: calendar },
  { weight: 1, arbitrary: spread('Guide') },
  { weight: 1, arbitrary: inline('Guide', selectionOf(fc.oneof(guideLeaf, calendar), 3)) },
  { weight: 1, arbitrary: fc.constant('... on Node { id }') },
);

const guide = selectionOf(guideItem, 5);

const viewerItem = fc.oneof({ weight: 1, arbitrary: leaves('id', 'role', 'email') }, { weight: 3, arbitrary: object('guide', guide) });

const connectionItem = fc.oneof(
  object('nodes', guide),
  guide.map((below) => `edges { cursor node ${below} }`),
  fc.constant('pageInfo { hasNextPage endCursor }'),
);

const rootItem = fc.oneof(
  { weight: 4, arbitrary: object('me', selectionOf(viewerItem, 3)) },
  { weight: 3, arbitrary: guide.map((below) => `guide(id: $guide) ${below}`) },
  { weight: 1, arbitrary: guide.map((below) => `nobody: guide(id: "nobody") ${below}`) },
  { weight: 2, arbitrary: selectionOf(connectionItem, 2).map((below) => `guides(first: $first) ${below}`) },
  { weight: 1, arbitrary: guide.map((below) => `booking(id: "b1") { id title guide ${below} }`) },
  { weight: 1, arbitrary: guide.map((below) => `subjects { __typename ... on Guide ${below} ... on Booking { title } }`) },
  { weight: 1, arbitrary: instanceInfo.map((below) => `instances ${below}`) },
  { weight: 1, arbitrary: fc.constant('__typename') },
);

const variableTypes: Readonly<Record<string, string>> = {
  yes: 'Boolean!',
  no: 'Boolean = false',
  range: 'TimeRangeInput!',
  short: 'TimeRangeInput!',
  reversed: 'TimeRangeInput!',
  from: 'DateTime!',
  default: 'TimeRangeInput! = { start: "2026-05-02T00:00:00Z", end: "2026-05-04T00:00:00Z" }',
  age: 'Int',
  guide: 'ID!',
  first: 'Int',
};

const entryFragments = fc.tuple(selectionOf(entryLeaf, 3), selectionOf(entryLeaf, 3));
const guideFragments = fc.tuple(selectionOf(fc.oneof(guideLeaf, calendar), 3), selectionOf(fc.oneof(guideLeaf, calendar), 3));

/** The text of one operation with exactly the variables and fragments it uses. */
export const operation = fc
  .tuple(fc.array(rootItem, { minLength: 1, maxLength: 3 }), guideFragments, entryFragments)
  .map(([roots, guides, entries]) => {
    const body = `{ ${roots.join(' ')} }`;
    const fragments = [
      ...guides.map((below, index) => ({ name: `Guide${fragmentNames[index] ?? ''}`, text: `on Guide ${below}` })),
      ...entries.map((below, index) => ({ name: `Entry${fragmentNames[index] ?? ''}`, text: `on CalendarEntry ${below}` })),
    ];
    // Guide fragments stand first and may use entry fragments, never the other way round.
    let text = body;
    for (const { name, text: fragment } of fragments) {
      if (text.includes(`...${name}`)) text += ` fragment ${name} ${fragment}`;
    }
    const variables = Object.entries(variableTypes)
      .filter(([name]) => new RegExp(`\\$${name}\\b`, 'u').test(text))
      .map(([name, type]) => `$${name}: ${type}`);
    return `query Generated${variables.length === 0 ? '' : `(${variables.join(', ')})`} ${text}`;
  });
