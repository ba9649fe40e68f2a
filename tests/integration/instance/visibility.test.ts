import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GraphQLError, type GraphQLField, isObjectType } from 'graphql';
import { RequestContext, type Viewer } from '../../../instance-server/platform/context.js';
import { projectRoot } from '../../../instance-server/platform/project-root.js';
import { fieldOwners, viewersOf } from '../../../instance-server/platform/visibility/enforce.js';
import { VIEWER_KINDS, type ViewerKind } from '../../../instance-server/platform/visibility/visible-to.js';
import { buildDeclaredSchema, buildExecutableSchemas, toClientSchema } from '../../../instance-server/schema.js';
import { Cleanup } from '../../testkit/cleanup.js';
import type { Answer } from '../../testkit/client.js';
import { requestStatements } from '../../testkit/statements.js';
import { at, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

/** A resolver that is reached says so, whatever field it is asked for. */
class Reached extends Error {}
const container = {
  get: () =>
    new Proxy(
      {},
      {
        get() {
          throw new Reached();
        },
      },
    ),
};

const account = (role: 'GUIDE' | 'STAFF' | 'ADMINISTRATOR'): Viewer => ({ kind: 'ACCOUNT', accountId: 'a', sessionId: 's', role, guideId: 'g', expiresAt: 0 });
const partner: Viewer = { kind: 'PARTNER', partnerCode: 'castle', linkId: 'l', couplingId: 'c', globalId: 'g' };

/** Everybody who can ask, and the columns of the access table that count for him. */
const viewers: { name: string; viewer: Viewer; viaGateway: boolean; is: ViewerKind[] }[] = [
  { name: 'a stranger', viewer: { kind: 'ANONYMOUS' }, viaGateway: false, is: ['ANYONE'] },
  { name: 'a guide', viewer: account('GUIDE'), viaGateway: false, is: ['ANYONE', 'GUIDE'] },
  { name: 'staff', viewer: account('STAFF'), viaGateway: false, is: ['ANYONE', 'STAFF'] },
  { name: 'an administrator', viewer: account('ADMINISTRATOR'), viaGateway: false, is: ['ANYONE', 'ADMINISTRATOR'] },
  { name: 'a gateway for a stranger', viewer: { kind: 'ANONYMOUS' }, viaGateway: true, is: ['ANYONE', 'GATEWAY'] },
  { name: 'a gateway for a guide', viewer: account('GUIDE'), viaGateway: true, is: ['ANYONE', 'GUIDE', 'GATEWAY'] },
  { name: 'a gateway for staff', viewer: account('STAFF'), viaGateway: true, is: ['ANYONE', 'STAFF', 'GATEWAY'] },
  { name: 'a gateway with a partner’s grant', viewer: partner, viaGateway: true, is: ['ANYONE', 'PARTNER', 'GATEWAY'] },
];

/** The committed, reviewed table: field by field, who may ask. */
async function accessTable(): Promise<Map<string, ViewerKind[]>> {
  const rows = new Map<string, ViewerKind[]>();
  for (const line of (await readFile(join(projectRoot, 'schema/access.md'), 'utf8')).split('\n')) {
    const [, field, ...cells] = line.split('|').map((cell) => cell.trim());
    if (!field?.includes('.')) continue;
    rows.set(
      field,
      VIEWER_KINDS.filter((_, column) => cells[column] === 'x'),
    );
  }
  return rows;
}

const contextOf = ({ viewer, viaGateway }: (typeof viewers)[number]): RequestContext =>
  new RequestContext(viewer, viaGateway, 'request', '127.0.0.1', { now: () => new Date(0) }, {
    calendar: () => {
      throw new Reached();
    },
    requests: () => {
      throw new Reached();
    },
  });

type Entrance = 'resolve' | 'subscribe';

/** `refused` by the guard, with the code it gave, or `reached`: whatever else came of a call without a source. */
async function tryField(field: GraphQLField<unknown, unknown>, entrance: Entrance, context: RequestContext, owner: string): Promise<string> {
  try {
    await field[entrance]?.({}, {}, context, { fieldName: field.name, parentType: owner } as never);
    return 'reached';
  } catch (error) {
    const code = error instanceof GraphQLError ? error.extensions.code : undefined;
    return code === 'FORBIDDEN' || code === 'UNAUTHENTICATED' ? code : 'reached';
  }
}

describe.each(['client', 'federation'] as const)('the %s schema, as it is executed', (which) => {
  test('refuses and allows every field as the access table says, for every kind of viewer', async () => {
    const schema = (await buildExecutableSchemas(container))[which];
    const table = await accessTable();
    const wrong: string[] = [];
    let checked = 0;
    for (const owner of fieldOwners(schema)) {
      if (!isObjectType(owner)) continue;
      for (const field of Object.values(owner.getFields())) {
        const name = `${owner.name}.${field.name}`;
        const allowed = table.get(name);
        if (!allowed) throw new Error(`${name} is not in schema/access.md`);
        for (const entrance of field.subscribe ? (['resolve', 'subscribe'] as const) : (['resolve'] as const)) {
          for (const viewer of viewers) {
            checked += 1;
            const expected = viewer.is.some((kind) => allowed.includes(kind)) ? 'reached' : viewer.viewer.kind === 'ANONYMOUS' ? 'UNAUTHENTICATED' : 'FORBIDDEN';
            const seen = await tryField(field, entrance, contextOf(viewer), owner.name);
            if (seen !== expected) wrong.push(`${name} (${entrance}) for ${viewer.name}: ${seen}, not ${expected}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(checked).toBeGreaterThan(1_000);
  });
});

test('the table names every field of the federation schema and no other', async () => {
  const schema = await buildDeclaredSchema();
  const names = fieldOwners(schema).flatMap((owner) => (isObjectType(owner) ? Object.keys(owner.getFields()).map((field) => `${owner.name}.${field}`) : []));
  expect([...(await accessTable()).keys()].toSorted()).toEqual(names.toSorted());
});

test('what is the gateway’s alone is not even in the client schema', async () => {
  const declared = await buildDeclaredSchema();
  const gatewayOnly = fieldOwners(declared).flatMap((owner) =>
    Object.values(owner.getFields())
      .filter((field) => viewersOf(owner, field).join() === 'GATEWAY')
      .map((field) => ({ type: owner.name, field: field.name })),
  );
  expect(gatewayOnly.map(({ type, field }) => `${type}.${field}`).toSorted()).toEqual([
    'Guide.linkedGrants',
    'LinkedGrant.globalId',
    'LinkedGrant.instance',
    'LinkedGrant.replicaAge',
    'LinkedGrant.token',
    'Query._entities',
    'Query._service',
    '_Service.sdl',
  ]);
  const client = toClientSchema(declared);
  for (const { type, field } of gatewayOnly) {
    const owner = client.getType(type);
    expect(isObjectType(owner) ? owner.getFields()[field] : undefined).toBeUndefined();
  }
});

test('a field without a declaration stops the server from starting', async () => {
  const schema = await buildDeclaredSchema();
  const guide = fieldOwners(schema).find(({ name }) => name === 'Guide');
  const field = guide?.getFields().email;
  if (!guide || !field) throw new Error('no Guide.email');
  expect(viewersOf(guide, field)).toEqual(['GUIDE', 'STAFF', 'ADMINISTRATOR']);
  const bare = { ...field, extensions: {} };
  expect(() => viewersOf(Object.assign(Object.create(guide), { extensions: {} }) as typeof guide, bare)).toThrow('Guide.email has no @VisibleTo declaration, nor has its type');
  expect(() => viewersOf(guide, { ...field, extensions: { visibleTo: [] } })).toThrow('is empty');
  expect(() => viewersOf(guide, { ...field, extensions: { visibleTo: ['EVERYBODY'] } })).toThrow('names no viewer kind');
});

test('over HTTP: a refusal names the field and nothing else, and no record is read for it', async () => {
  const house = await openHouse(cleanup);
  const guideId = await house.records.guide({ email: 'canary@example.org' });
  const { id: bookingId } = await house.records.booking(await house.records.offer(), at(0), { guideIds: [guideId], customer: { name: 'Canary' } });
  const tokens = {
    GUIDE: (await house.records.signedIn('GUIDE', { guideId: await house.records.guide() })).token,
    STAFF: (await house.records.signedIn('STAFF')).token,
    ADMINISTRATOR: (await house.records.signedIn('ADMINISTRATOR')).token,
    none: undefined,
  };
  const BOOKING = `{ booking(id: "${bookingId}") { customer { name } } }`;
  const EMAIL = `{ guide(id: "${guideId}") { email } }`;
  const cases: [string, keyof typeof tokens, unknown][] = [
    [BOOKING, 'STAFF', { data: { booking: { customer: { name: 'Canary' } } } }],
    [BOOKING, 'ADMINISTRATOR', { data: { booking: { customer: { name: 'Canary' } } } }],
    [BOOKING, 'GUIDE', { data: { booking: null } }],
    [BOOKING, 'none', { code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' }],
    [EMAIL, 'STAFF', { data: { guide: { email: 'canary@example.org' } } }],
    [EMAIL, 'GUIDE', { data: { guide: null } }],
    [EMAIL, 'none', { code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' }],
    ['{ guides { edges { node { email } } } }', 'GUIDE', { code: 'FORBIDDEN', field: 'Query.guides' }],
    ['{ auditEntries { edges { node { id } } } }', 'STAFF', { code: 'FORBIDDEN', field: 'Query.auditEntries' }],
    ['{ couplingRequests { requestedName } }', 'GUIDE', { code: 'FORBIDDEN', field: 'Query.couplingRequests' }],
    [`mutation { confirmCoupling(input: { couplingId: "${guideId}" }) { __typename } }`, 'STAFF', { code: 'FORBIDDEN', field: 'Mutation.confirmCoupling' }],
    [`mutation { deleteBooking(input: { bookingId: "${bookingId}", expectedVersion: 1, idempotencyKey: "k" }) { __typename } }`, 'GUIDE', { code: 'FORBIDDEN', field: 'Mutation.deleteBooking' }],
  ];
  // The server knows these sessions from here on, so that nothing but the field itself could send a statement.
  for (const token of Object.values(tokens)) await house.api.query('{ me { id } }', {}, token);
  for (const [document, who, expected] of cases) {
    let answer: Answer | undefined;
    const statements = await requestStatements(async () => {
      answer = await house.api.query(document, {}, tokens[who]);
    });
    const { data, errors, text } = answer as Answer;
    expect({ document, who, answer: errors ? errors[0]?.extensions : { data } }).toEqual({ document, who, answer: expected });
    if (!errors) continue;
    expect(text.toLowerCase()).not.toContain('canary');
    expect(statements).toEqual([]);
  }
  expect(await house.records.query('select 1 from booking where id = $1', [bookingId])).toHaveLength(1);
});
