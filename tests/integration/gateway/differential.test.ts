import * as fc from 'fast-check';
import { buildSchema, executeSync, parse } from 'graphql';
import type { FakeEntry, FakeInstance, Misbehaviour } from './support/fake-instance.js';
import { operation } from './support/operations.js';
import { servedSdl } from './support/schema.js';
import { TestFederation, coupledGuide, entries, wholeRange, type Answer, type Question, type TestGateway } from './support/test-gateway.js';

/** More and other operations: `DIFFERENTIAL_RUNS=5000 DIFFERENTIAL_SEED=7`. */
const runs = Number(process.env['DIFFERENTIAL_RUNS'] ?? 200);
const seed = Number(process.env['DIFFERENTIAL_SEED'] ?? 20_260_501);

/** What a partner or home does during one operation. All of these fail at once, none by waiting. */
const misbehaviours: Readonly<Record<string, Misbehaviour | undefined>> = {
  none: undefined,
  notGraphQL: () => ({ status: 500, body: '<html>no</html>' }),
  failed: () => ({ body: '{"data":null,"errors":[{"message":"secret detail"}]}' }),
  refused: () => ({ status: 401, body: '{"errors":[{"message":"secret","extensions":{"code":"UNAUTHENTICATED","reason":"TOKEN_REVOKED"}}]}' }),
  malformed: (real) => ({ body: JSON.stringify(real).replaceAll('"end":"2026', '"end":"never') }),
  tooLarge: () => ({ body: `{"data":"${'x'.repeat(400_000)}"}` }),
};

describe('the compiled executor and the stock one', () => {
  const federation = new TestFederation();
  let compiled: TestGateway;
  let stock: TestGateway;
  let instances: FakeInstance[];
  let tokens: Record<string, string | undefined>;

  beforeAll(async () => {
    instances = await federation.linkedInstances('ahof', 'burg', 'chor');
    const [home, burg] = instances as [FakeInstance, FakeInstance, FakeInstance];
    const [anna] = coupledGuide(instances, 'anna', 6);
    coupledGuide([home, burg], 'bert', 3);
    // Copies home holds of its partners: one that is still true, one of a booking that is gone.
    anna?.entries.push(...entries('anna-burg', 2, 2, 'burg'), ...entries('gone', 1, 7, 'burg'), ...entries('anna-chor', 1, 4, 'chor'));
    anna?.coupledIn.push('nowhere');
    if (anna) {
      anna.replicaAges = { burg: 20, chor: 90 };
      anna.entries.push({ ...(entries('anna-burg', 3, 2, 'burg')[2] as FakeEntry), disputed: true });
    }
    const environment = { BREAKER_FAILURES: '1000', LIMIT_ALIASES: '200', LIMIT_COST: '100000', LIMIT_DEPTH: '30', UPSTREAM_MAX_BYTES: '300000', UPSTREAM_TIMEOUT_MS: '20000', LIMIT_REQUEST_MS: '60000' };
    compiled = await federation.gateway({ ...environment, COMPILED_EXECUTOR: 'true' });
    stock = await federation.gateway({ ...environment, COMPILED_EXECUTOR: 'false' });
    tokens = {
      guide: home.token(anna),
      otherGuide: home.token(home.guides[1]),
      staff: home.token(undefined, { role: 'STAFF' }),
      nobody: undefined,
    };
  });

  afterAll(() => federation.close());

  test('answer generated operations alike, errors and the order of keys included', async () => {
    await fc.assert(
      fc.asyncProperty(
        operation,
        fc.record({ yes: fc.boolean(), no: fc.option(fc.boolean(), { nil: undefined }), first: fc.constantFrom(0, 1, 2, null), age: fc.constantFrom(undefined, null, -1, 0, 30, 100, 90_000) }),
        fc.oneof({ weight: 4, arbitrary: fc.constant('guide') }, { weight: 1, arbitrary: fc.constantFrom('otherGuide', 'staff', 'nobody') }),
        fc.tuple(
          fc.oneof({ weight: 8, arbitrary: fc.constant('none') }, { weight: 1, arbitrary: fc.constantFrom('notGraphQL', 'refused', 'tooLarge') }),
          fc.constantFrom(...Object.keys(misbehaviours)),
          fc.oneof({ weight: 2, arbitrary: fc.constant('none') }, { weight: 1, arbitrary: fc.constantFrom(...Object.keys(misbehaviours)) }),
        ),
        async (query, given, viewer, behaviours) => {
          for (const [index, behaviour] of behaviours.entries()) {
            const instance = instances[index];
            if (instance !== undefined) instance.misbehaviour = misbehaviours[behaviour];
          }
          const question = {
            query,
            variables: {
              ...given,
              range: wholeRange,
              short: { start: '2026-05-02T00:00:00.000Z', end: '2026-05-05T00:00:00.000Z' },
              reversed: { start: wholeRange.end, end: wholeRange.start },
              from: '2026-05-03T10:00:00+01:00',
              guide: 'anna@ahof',
            },
          };
          const [ours, theirs] = await Promise.all([
            compiled.ask(question, tokens[viewer]),
            stock.ask(question, tokens[viewer]),
          ]);
          expect(comparable(ours)).toEqual(comparable(theirs));
          expect([JSON.stringify(theirs.data), inOrder(question, theirs.data)]).toContain(JSON.stringify(ours.data));
          expect(ours.text).not.toContain('_lotse');
          // What home says is for its own viewer; what partners say never is.
          if (behaviours[0] === 'none') expect(ours.text).not.toContain('secret');
        },
      ),
      { numRuns: runs, seed },
    );
    const compiledRuns = await ranBy(compiled, 'compiled');
    const stockRuns = await ranBy(stock, 'stock');
    // What both are compared on must really have gone different ways.
    expect(await ranBy(stock, 'compiled')).toBe(0);
    expect(stockRuns).toBeGreaterThan(runs * 0.7);
    expect(compiledRuns).toBeGreaterThan(runs * 0.4);
  }, 30_000 + runs * 300);
});

const schema = buildSchema(servedSdl.replace('me: Viewer!', 'instances: [InstanceInfo!]! me: Viewer!'));

/**
 * The stock executor moves fields of fragments behind their neighbours. Where it does, the order of the specification
 * holds: that in which graphql-js itself writes out the same data.
 */
function inOrder({ query, variables }: Question, data: Answer['data']): string {
  const written = executeSync({
    schema,
    document: parse(query),
    // As JSON carries them: graphql-js takes a key without a value for a null.
    variableValues: JSON.parse(JSON.stringify(variables)) as Record<string, unknown>,
    rootValue: data,
    fieldResolver: (source: Record<string, unknown>, _arguments, _context, info) => source[info.path.key],
  });
  return JSON.stringify(data === null || data === undefined ? data : written.data);
}

/**
 * Where an error has made its neighbours null as well, GraphQL leaves open how many of them are named: of faults in the
 * query the kind is compared, of missing parts only those of lists that are there.
 */
function comparable({ status, data, errors }: Answer) {
  const inShown = (errors ?? []).filter(({ path, extensions: { code } }) => code !== 'INSTANCE_UNAVAILABLE' || isShown(data, path));
  const seen = inShown.map(({ path, extensions: { code, instance, reason, field, replicaAge } }) =>
    JSON.stringify([code, instance, reason, field, replicaAge, code === 'INSTANCE_UNAVAILABLE' ? path : 'anywhere']),
  );
  return { status, data, errors: [...new Set(seen)].sort() };
}

function isShown(data: unknown, path: readonly (string | number)[] = []): boolean {
  let value = data;
  for (const segment of path) value = (value as Record<string, unknown> | null | undefined)?.[segment];
  return path.length === 0 || (value !== null && value !== undefined);
}

async function ranBy(gateway: TestGateway, executor: string): Promise<number> {
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  return metrics
    .split('\n')
    .filter((line) => line.startsWith('lotse_gateway_requests_total{') && line.includes(`executor="${executor}"`))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
