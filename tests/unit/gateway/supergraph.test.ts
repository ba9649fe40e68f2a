import { ConfigurationError } from '../../../gateway/config.js';
import { readSupergraph } from '../../../gateway/supergraph.js';
import { composeTestSupergraph } from '../../integration/gateway/support/schema.js';

const sdl = composeTestSupergraph();

describe('the supergraph', () => {
  test('says which fields are stitched and who answers the root fields', () => {
    const loaded = readSupergraph(sdl);
    expect([...loaded.stitched].map(([name, { entryType }]) => [name, entryType.name])).toEqual([['Guide.calendar', 'CalendarEntry']]);
    expect(loaded.rootOwners.get('Query.instances')).toBe('directory');
    expect(loaded.rootOwners.get('Query.me')).toBe('instance');
    expect(loaded.rootOwners.get('Mutation.login')).toBe('instance');
  });

  test('grants are not part of the client API', () => {
    const { schema } = readSupergraph(sdl);
    expect(schema.getType('LinkedGrant')).toBeUndefined();
    expect(schema.getType('Guide')).toHaveProperty('_fields');
    expect(Object.keys((schema.getType('Guide') as { getFields(): object } | undefined)?.getFields() ?? {})).toEqual([
      'id',
      'globalId',
      'displayName',
      'languages',
      'calendar',
    ]);
  });

  test.each([
    ['entries without an id', 'CalendarEntry {\n', (text: string) => text.replace(/(type CalendarEntry[^{]*\{\n)\s*id: ID!/u, '$1')],
    ['entries with an object that cannot be null', 'details', (text: string) => text.replace('details: CalendarDetails\n', 'details: CalendarDetails!\n')],
    ['something that is no list', 'list', (text: string) => text.replace('calendar(range: TimeRangeInput!, maxReplicaAge: Int): [CalendarEntry!]!', 'calendar(range: TimeRangeInput!, maxReplicaAge: Int): CalendarEntry!')],
    ['a text that is no schema', 'schema', () => 'type {'],
  ])('%s cannot be stitched', (_name, _part, change) => {
    const changed = change(sdl);
    expect(changed).not.toBe(sdl);
    expect(() => readSupergraph(changed)).toThrow(ConfigurationError);
  });
});
