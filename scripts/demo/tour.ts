import { z } from 'zod';
import type { DemoDescription } from './demo.js';
import type { DemoAccount } from './folder.js';
import { HOUSES } from './houses.js';
import { PEOPLE } from './people.js';
import { DEMO_PASSWORD } from './season.js';

const DAY_MS = 86_400_000;
const DAYS_AHEAD = 28;
/** Entries of each house that are shown of the answer; the others are counted. */
const SHOWN_OF_EACH = 2;
/** A season that began to be planned so long ago has little ahead any more. */
const STALE_DAYS = 150;
const TIME_LIMIT_MS = 15_000;

const loginAnswer = z.object({ data: z.object({ login: z.object({ accessToken: z.string() }) }) });
const entry = z.looseObject({ instance: z.object({ code: z.string() }) });
type Entry = z.infer<typeof entry>;
const calendarAnswer = z.object({
  data: z.object({ me: z.object({ guide: z.object({ displayName: z.string(), calendar: z.array(z.custom<Entry>((found) => entry.safeParse(found).success)) }) }) }),
  errors: z.array(z.looseObject({ message: z.string() })).optional(),
});

export interface Sample {
  /** A shell command; it holds no token, it signs in itself. */
  command: string;
  /** What was answered just now, with what was left out said in its place. */
  answer: string[];
}

/** The account the sample signs in with: the first guide who is coupled in most houses. */
export function sampleAccount(accounts: readonly DemoAccount[]): DemoAccount {
  const houses = new Map<string, number>();
  for (const { role, email } of accounts) if (role === 'GUIDE') houses.set(email, (houses.get(email) ?? 0) + 1);
  const most = Math.max(...houses.values());
  const found = accounts.find(({ role, email }) => role === 'GUIDE' && houses.get(email) === most);
  if (found === undefined) throw new Error('the demo has no guide');
  return found;
}

async function post(url: string, body: string, token?: string): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    body,
    signal: AbortSignal.timeout(TIME_LIMIT_MS),
  });
  return response.json();
}

/** Signs in at the gateway as a coupled guide and asks for his calendar; gives the command that does the same. */
export async function askForCalendar({ gateway, accounts }: DemoDescription, now: Date): Promise<Sample> {
  const { instance, email, password } = sampleAccount(accounts);
  const login = `mutation { login(input: {instance: "${instance}", email: "${email}", password: "${password}", role: GUIDE}) { ... on LoginPayload { accessToken } } }`;
  const start = now.toISOString().slice(0, 10);
  const end = new Date(now.getTime() + DAYS_AHEAD * DAY_MS).toISOString().slice(0, 10);
  const query = `{ me { guide { displayName calendar(range: {start: "${start}T00:00:00Z", end: "${end}T00:00:00Z"}) { start end origin offerTitle replicaAge instance { code } details { customer { name } partySize } } } } }`;
  const bodies = { login: JSON.stringify({ query: login }), query: JSON.stringify({ query }) };

  const curl = `curl -s ${gateway.http} -H 'content-type: application/json'`;
  const command = [
    `${curl} \\`,
    `  -H "authorization: Bearer $(${curl} \\`,
    `       -d '${bodies.login}' \\`,
    `     | sed 's/.*"accessToken":"\\([^"]*\\)".*/\\1/')" \\`,
    `  -d '${bodies.query}'`,
  ].join('\n');

  const signedIn = await post(gateway.http, bodies.login);
  const token = loginAnswer.safeParse(signedIn).data?.data.login.accessToken;
  if (token === undefined) return { command, answer: [JSON.stringify(signedIn)] };
  const answer = await post(gateway.http, bodies.query, token);
  return { command, answer: shortened(answer) };
}

function shortened(answer: unknown): string[] {
  const parsed = calendarAnswer.safeParse(answer).data;
  if (parsed === undefined) return [JSON.stringify(answer)];
  const { displayName, calendar } = parsed.data.me.guide;
  const seen = new Map<string, number>();
  const lines: string[] = [];
  let omitted = 0;
  const tellOmitted = (): void => {
    if (omitted > 0) lines.push(`      … ${omitted} more`);
    omitted = 0;
  };
  for (const found of calendar) {
    const count = (seen.get(found.instance.code) ?? 0) + 1;
    seen.set(found.instance.code, count);
    if (count > SHOWN_OF_EACH) {
      omitted += 1;
      continue;
    }
    tellOmitted();
    lines.push(`      ${JSON.stringify(found)}`);
  }
  tellOmitted();
  return [
    `{"data":{"me":{"guide":{"displayName":${JSON.stringify(displayName)},"calendar":[`,
    ...lines,
    `]}}}${parsed.errors ? `,"errors":${JSON.stringify(parsed.errors)}` : ''}}`,
    `(${calendar.length} entries: ${[...seen].map(([code, count]) => `${count} of ${code}`).join(', ') || 'none'}.)`,
  ];
}

/** What is printed when the demo is ready. */
export function describe(description: DemoDescription, sample: Sample, folder: string, season: { today: string; now: Date }): string {
  const { gateway, instances, accounts } = description;
  const houses = instances.map(({ code, http, pid, linkedTo }) => {
    const house = HOUSES.find((candidate) => candidate.code === code);
    const links = linkedTo.length > 0 ? `linked to ${linkedTo.join(', ')}` : 'linked to nobody';
    return `  ${code.padEnd(7)}  ${http}  process ${String(pid).padEnd(7)}  ${links.padEnd(23)}  ${house?.name}, ${house?.city} (${house?.timeZone})`;
  });
  const coupled = Map.groupBy(
    PEOPLE.filter((person) => person.houses.length > 1),
    (person) => person.houses.join(', '),
  );
  const guides = [...coupled].map(([codes, people]) => `  ${codes.padEnd(19)}  ${people.map(({ firstName, lastName }) => `${firstName} ${lastName}`).join(', ')}`);
  const age = (season.now.getTime() - Date.parse(season.today)) / DAY_MS;
  return [
    '',
    'The Lotse demo is ready. Its houses, people, addresses and bookings are all invented.',
    '',
    `  gateway  ${gateway.http}  ${gateway.ws}`,
    ...houses,
    '',
    `Accounts, all with the password ${DEMO_PASSWORD} (all ${accounts.length} in ${folder}/demo.json):`,
    '  in each house        admin@<house>.example, staff1@<house>.example, staff2@<house>.example',
    '  guides coupled in    with firstname.lastname@example.org in each of their houses:',
    ...guides,
    '',
    ...(age > STALE_DAYS ? [`The season was planted on ${season.today} and is nearly over: \`npm start -- --reset\` begins a new one.`, ''] : []),
    'A coupled guide asks the gateway for his next four weeks, his own house’s in full and the others’ without details:',
    '',
    sample.command,
    '',
    'answers just now:',
    '',
    ...sample.answer,
    '',
    'More to try: docs/demo.md. Ctrl-C stops everything; the data is kept.',
    '',
  ].join('\n');
}
