import { buildSchema, parse, print, type GraphQLObjectType, type OperationDefinitionNode } from 'graphql';
import { NotListed, clientPath, instrument } from '../../../gateway/stitching/instrument.js';
import { documentOf, fragmentsOf } from '../../../gateway/stitching/specialise.js';
import type { LoadedSupergraph } from '../../../gateway/supergraph.js';

const schema = buildSchema(`
  type Query { guide: Guide planned: Planned }
  interface Planned { calendar: [Entry!]! }
  type Guide implements Planned { id: ID! calendar: [Entry!]! }
  type Entry { id: ID! start: String! end: String! origin: String! instance: Instance }
  type Instance { code: String! name: String! }
`);
const loaded = {
  schema,
  stitched: new Map([['Guide.calendar', { parentType: 'Guide', field: 'calendar', entryType: schema.getType('Entry') as GraphQLObjectType }]]),
} as unknown as LoadedSupergraph;

function instrumented(text: string): string {
  const document = parse(text);
  const result = instrument(loaded, { operation: document.definitions[0] as OperationDefinitionNode, fragments: fragmentsOf(document) }, { grants: true });
  return print(documentOf(result)).replaceAll(/\s+/gu, ' ');
}

const grants = '_lotse_grants: linkedGrants { instance token globalId replicaAge }';

describe('what merging needs is added', () => {
  test.each([
    ['{ guide { id } }', '{ guide { id } }'],
    [
      '{ guide { calendar { end } } }',
      `{ guide { calendar { end _lotse_id: id _lotse_start: start _lotse_origin: origin _lotse_instance: instance { code } } ${grants} } }`,
    ],
    [
      '{ guide { calendar { i: id start origin instance { c: code } } } }',
      `{ guide { calendar { i: id start origin instance { c: code } } ${grants} } }`,
    ],
    [
      '{ guide { calendar { id start origin instance { name } } } }',
      `{ guide { calendar { id start origin instance { name } _lotse_instance: instance { code } } ${grants} } }`,
    ],
    [
      '{ guide { ...F } } fragment F on Guide { calendar { ...E instance { code } } } fragment E on Entry { id start origin }',
      `{ guide { ...F } } fragment F on Guide { calendar { ...E instance { code } } ${grants} } fragment E on Entry { id start origin }`,
    ],
  ])('%s', (text, expected) => {
    expect(instrumented(text)).toBe(expected);
  });

  test('a stitched field through an interface is left to the stock executor', () => {
    expect(() => instrumented('{ planned { calendar { id } } }')).toThrow(NotListed);
  });

  test('paths of errors lead to what the client or the schema calls them', () => {
    expect(clientPath(['me', 'guide', '_lotse_grants', 0, 'token'])).toEqual(['me', 'guide', 'linkedGrants', 0, 'token']);
    expect(clientPath(['list', 3, '_lotse_start'])).toEqual(['list', 3, 'start']);
  });
});
