import { randomUUID } from 'node:crypto';
import { type Answer, client } from '../../testkit/client.js';
import { contentsOf, type Federation, startFederation } from '../../testkit/federation.js';
import { PROBES } from './support/probes.js';
import { forgedTokens, type Viewer, viewer } from './support/viewers.js';

/*
 * Who gets what (DOMAIN.md §2). A row is a question about alpha, a column is who asks:
 *   all   what the house holds, in full         own   what concerns himself, and nothing of others
 *   home  the answer of his own house           -     nothing: as if it did not exist
 *   role  not for his role (FORBIDDEN)          401   who asks is nobody (UNAUTHENTICATED)
 * Each cell is asked at the gateway and at the viewer's own house; directly at alpha foreign tokens are nobody's.
 */
const TABLE = `
                                 | greta@alpha gwen@alpha solo@alpha staff@alpha admin@alpha | greta@beta gwen@beta staff@beta admin@beta | staff@gamma | solo@delta staff@delta | stranger expired
guide by local id                | own         -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
guide by global id               | own         -          -          all         all         | home       -         home       home       | home        | -          -           | 401      401
another guide by local id        | -           -          own        all         all         | -          -         -          -          | -           | -          -           | 401      401
calendar by local id             | own         -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
calendar by global id            | own         -          -          all         all         | home       -         home       home       | home        | -          -           | 401      401
couplings of the guide           | own         -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
availability by local id         | own         -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
what takes his time elsewhere    | own         -          -          role        role        | -          -         -          -          | -           | -          -           | 401      401
me                               | own         own        own        all         all         | home       home      home       home       | home        | home       home        | 401      401
terms of the guide               | own         -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
bank data of the guide           | own         -          -          role        all         | -          -         -          -          | -           | -          -           | 401      401
bookings                         | own         own        own        all         all         | home       home      home       home       | home        | home       home        | 401      401
bookings, newest first           | own         own        own        all         all         | home       home      home       home       | home        | home       home        | 401      401
bookings of Greta’s local id     | own         -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
bookings of Greta’s global id    | -           -          -          -           -           | -          -         -          -          | -           | -          -           | 401      401
bookings of alpha’s offer        | own         own        own        all         all         | -          -         -          -          | -           | -          -           | 401      401
bookings of the day, cancelled   | -           -          -          all         all         | -          -         home       home       | home        | -          home        | 401      401
bookings to guides to calendars  | own         -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
booking by id                    | own         -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
cancelled booking by id          | -           -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
guides                           | role        role       role       all         all         | role       role      home       home       | home        | role       home        | 401      401
guides for alpha’s offer         | role        role       role       all         all         | role       role      -          -          | -           | role       -           | 401      401
requests                         | own         own        own        all         all         | home       home      home       home       | home        | home       home        | 401      401
requests to the guide            | own         -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
open requests of the guide       | own         -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
who could take a booking         | role        role       role       all         all         | role       role      -          -          | -           | role       -           | 401      401
who was asked for a booking      | -           -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
offer by id                      | all         all        all        all         all         | -          -         -          -          | -           | -          -           | 401      401
offers                           | all         all        all        all         all         | home       home      home       home       | home        | home       home        | 401      401
waiting couplings                | role        role       role       all         all         | role       role      home       home       | home        | role       home        | 401      401
action log                       | role        role       role       role        any         | role       role      role       any        | role        | role       role        | 401      401
conflicts with other houses      | role        role       role       all         all         | role       role      home       home       | home        | role       home        | 401      401
conflicts of the guide           | role        role       role       all         all         | role       role      -          -          | -           | role       -           | 401      401
check the assignment again       | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
dispute a foreign booking        | any         -          -          role        role        | -          -         role       role       | role        | -          role        | 401      401
withdraw the dispute             | any         -          -          role        role        | -          -         role       role       | role        | -          role        | 401      401
change the guide                 | any         -          -          any         any         | -          -         -          -          | -           | -          -           | 401      401
make the guide available         | any         -          -          any         any         | -          -         -          -          | -           | -          -           | 401      401
make the guide a rule            | any         -          -          any         any         | -          -         -          -          | -           | -          -           | 401      401
send the guide away              | any         -          -          any         any         | -          -         -          -          | -           | -          -           | 401      401
set holidays                     | role        role       role       any         any         | role       role      any        any        | any         | role       any         | 401      401
cancel the booking               | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
rebook the booking               | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
assign the guide to it           | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
reset the assignment             | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
book the guide                   | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
blocks of the guide              | role        -          -          all         all         | -          -         -          -          | -           | -          -           | 401      401
block the guide                  | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
change a block                   | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
end a block                      | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
release the guide                | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
limit the guide                  | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
count foreign bookings           | any         -          -          role        role        | -          -         role       role       | role        | -          role        | 401      401
ask guides for it                | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
accept a request                 | any         -          -          role        role        | -          -         role       role       | role        | -          role        | 401      401
decline a request                | any         -          -          role        role        | -          -         role       role       | role        | -          role        | 401      401
withdraw a request               | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
change the offer                 | role        role       role       any         any         | role       role      -          -          | -           | role       -           | 401      401
end the coupling with gamma      | any         -          -          any         any         | -          -         -          -          | any         | -          -           | 401      401
pause the coupling with gamma    | role        role       role       any         any         | role       role      -          -          | any         | role       -           | 401      401
resume the coupling with gamma   | role        role       role       any         any         | role       role      -          -          | any         | role       -           | 401      401
confirm the coupling with gamma  | -           -          -          role        role        | -          -         role       role       | role        | -          role        | 401      401
`;

type Cell = 'all' | 'own' | 'home' | '-' | 'role' | '401' | 'any';

const [header = '', ...lines] = TABLE.split('\n').filter((line) => line.trim() !== '');
const words = (line: string): string[] => line.slice(line.indexOf('|')).split(/[\s|]+/).filter(Boolean);
const NAMES = words(header);
/** `any`: asked for in another test, since it changes something. */
const ROWS = lines.flatMap((line) => {
  const probe = line.slice(0, line.indexOf('|')).trim();
  const cells = words(line) as Cell[];
  if (cells.length !== NAMES.length) throw new Error(`the row ${probe} has ${cells.length} cells`);
  return NAMES.map((name, index): [probe: string, name: string, cell: Cell] => [probe, name, cells[index] as Cell]).filter(([, , cell]) => cell !== 'any');
});

let federation: Federation;
const viewers = new Map<string, Viewer>();
let before: string[];

beforeAll(async () => {
  federation = await startFederation();
  for (const name of NAMES) viewers.set(name, await viewer(federation, name));
  const { alpha } = federation;
  const expired = await alpha.token(alpha.staff, 'STAFF', new Date(Date.now() - 301_000));
  viewers.set('expired', { name: 'expired', home: undefined, role: undefined, guide: undefined, token: expired });
  before = await contents();
});
afterAll(() => federation?.close());

/** What nobody in this file may change. */
const contents = (): Promise<string[]> => contentsOf(federation.houses, ['booking', 'customer', 'guide', 'guide_assignment', 'guide_limits', 'guide_offer', 'guide_request', 'offer', 'coupling', 'link', 'account', 'audit_entry', 'availability_rule', 'individual_availability', 'absence', 'holiday']);

const asked = (name: string): Viewer => {
  const found = viewers.get(name);
  if (!found) throw new Error(`there is no viewer ${name}`);
  return found;
};

const leaves = (value: unknown): unknown[] => (typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [value]);

/** Refused with this code alone, and with nothing in the answer. */
function expectRefusal({ data, errors, text }: Answer<unknown>, extensions: Record<string, unknown>): void {
  expect(leaves(data ?? null).filter((leaf) => leaf !== null)).toEqual([]);
  expect(errors?.length).toBeGreaterThan(0);
  for (const error of errors ?? []) expect(error.extensions).toMatchObject(extensions);
  expect(federation.canaries.in(text)).toEqual([]);
}

function expectAnswer(answer: Answer<unknown>, expected: unknown): void {
  const { data, errors, status, text } = answer;
  expect({ data, errors, status }).toEqual({ data: expected, errors: undefined, status: 200 });
  // Not a word beside the data either.
  expect(federation.canaries.in(text)).toEqual(federation.canaries.in(JSON.stringify(expected)));
}

function check(answer: Answer<unknown>, [probe, name, cell]: (typeof ROWS)[number]): void {
  const { answer: answerOf, nothing } = PROBES[probe] as (typeof PROBES)[string];
  const asker = asked(name);
  switch (cell) {
    case '401':
      return expectRefusal(answer, { code: 'UNAUTHENTICATED', reason: name === 'expired' ? 'TOKEN_EXPIRED' : 'TOKEN_MISSING' });
    case 'role':
      return expectRefusal(answer, { code: 'FORBIDDEN' });
    case '-':
      return expectAnswer(answer, nothing);
    default:
      if (!asker.home) throw new Error('a stranger gets nothing');
      return expectAnswer(answer, answerOf(asker.home, asker, federation));
  }
}

const askAt = (url: string, [probe, name]: (typeof ROWS)[number]): Promise<Answer<unknown>> => {
  const { document, variables } = PROBES[probe] as (typeof PROBES)[string];
  return client(url).query(document, variables(federation), asked(name).token);
};

describe('at the gateway', () => {
  test.each(ROWS)('%s, asked by %s: %s', async (...row) => {
    check(await askAt(federation.gateway.url, row), row);
  });
});

describe('directly at the viewer’s own house', () => {
  test.each(ROWS)('%s, asked by %s: %s', async (...row) => {
    check(await askAt((asked(row[1]).home ?? federation.alpha).url, row), row);
  });
});

describe('directly at alpha, tokens of other houses open nothing', () => {
  const foreign = ROWS.filter(([, name]) => /@(beta|gamma|delta)$/.test(name));
  test.each(foreign)('%s, asked by %s', async (...row) => {
    const answer = await askAt(federation.alpha.url, row);
    expect(answer.status).toBe(401);
    expectRefusal(answer, { code: 'UNAUTHENTICATED', reason: 'ISSUER_UNKNOWN' });
  });
});

const ID = /^(g_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The same question about ids that nobody has. */
function elsewhere(value: unknown, key = ''): unknown {
  if (typeof value === 'string') return ID.test(value) && key !== 'idempotencyKey' ? value.replace(/[0-9a-f-]{36}$/, randomUUID()) : value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, elsewhere(member, name)]));
}

describe('what one may not see and what does not exist are answered alike, byte for byte', () => {
  const hidden = ROWS.filter(([probe, , cell]) => cell === '-' && !['bookings of the day, cancelled'].includes(probe));
  const whole = async (url: string, document: string, variables: unknown, token: string | undefined): Promise<string> => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': 'the-same-for-both', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: document, variables }),
    });
    const headers = [...response.headers].filter(([name]) => name !== 'date');
    return `${response.status} ${JSON.stringify(headers)} ${await response.text()}`;
  };
  test.each(hidden)('%s, asked by %s', async (probe, name) => {
    const { document, variables } = PROBES[probe] as (typeof PROBES)[string];
    const { token, home } = asked(name);
    const hiddenOnes = variables(federation);
    const nobodys = elsewhere(hiddenOnes);
    expect(nobodys).not.toEqual(hiddenOnes);
    for (const url of [federation.gateway.url, home?.url ?? '']) {
      expect(await whole(url, document, hiddenOnes, token)).toBe(await whole(url, document, nobodys, token));
    }
  });
});

test('nothing was changed by all that', async () => {
  expect(await contents()).toEqual(before);
});

test('a forged token is nobody’s, wherever it is shown and whatever it asks', async () => {
  const { alpha, beta, delta, gateway } = federation;
  const table: string[] = [];
  for (const [forgery, token] of await forgedTokens(federation)) {
    for (const [place, url] of [['gateway', gateway.url], ['alpha', alpha.url], ['beta', beta.url], ['delta', delta.url]] as const) {
      for (const probe of ['guide by local id', 'me', 'bookings', 'calendar by global id', 'cancel the booking'] as const) {
        const { document, variables } = PROBES[probe] as (typeof PROBES)[string];
        const answer = await client(url).query(document, variables(federation), token);
        const isRefused = answer.status === 401 && answer.errors?.every(({ extensions }) => extensions.code === 'UNAUTHENTICATED') === true && leaves(answer.data ?? null).every((leaf) => leaf === null);
        if (!isRefused || federation.canaries.in(answer.text).length > 0) table.push(`${forgery} at ${place} for ${probe}: ${answer.status} ${answer.text}`);
      }
    }
  }
  expect(table).toEqual([]);
});
