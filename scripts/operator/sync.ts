import { type Command, Option } from 'commander';
import { z } from 'zod';
import { details, NEEDS_KEY, type Open, type Print } from './help.js';
import { table } from './output.js';

const status = z.looseObject({
  partner: z.string(),
  state: z.string(),
  backlog: z.number(),
  oldestWaitingSeconds: z.number().nullable(),
  refusals: z.array(z.object({ kind: z.string(), code: z.string(), count: z.number() })),
  lastContactAt: z.string().nullable(),
  lastError: z.string().nullable(),
  lastErrorAt: z.string().nullable(),
  lastDigestAt: z.string().nullable(),
  lastDigestResult: z.string().nullable(),
  clockAlarm: z.boolean(),
  assignments: z.record(z.string(), z.number()),
  lostBookings: z.number(),
});
type Status = z.infer<typeof status>;

const waiting = z.looseObject({ partner: z.string(), state: z.string(), waiting: z.number() });
type Waiting = z.infer<typeof waiting>;

const rows = z.array(z.record(z.string(), z.unknown()));
const inspection = z.looseObject({ couplings: rows, waiting: rows.optional(), copies: rows.optional() });

const records = (count: number): string => `${count} ${count === 1 ? 'record waits' : 'records wait'}`;

/** What becomes of what waits. */
const prospect = ({ state, partner }: Waiting, going: string): string =>
  ({ SUSPENDED: `the link is suspended and nothing is sent until it is resumed (\`link list\` says by whom)`, PROPOSED: `the link with ${partner} is not completed yet` })[state] ?? going;

/** What waits for partners, how it goes, and what an operator may do about it. Gives the group, for what other files add to it. */
export function addSync(program: Command, open: Open, print: Print): Command {
  const sync = program.command('sync').description('The exchange with linked instances: what waits, what was refused, whether copies are right.');
  sync
    .command('status')
    .description('Prints for each link what waits and since when, the last word from the partner, the last error, the last comparison of copies, and what stands against own bookings.')
    .addHelpText(
      'after',
      `\nREFUSED is what the partner did not take, by reason. An error older than the last contact is over. TO CLEAR UP counts own assignments of guides coupled with the partner that are not verified (UNVERIFIED: the house that keeps the claims could not be asked; CONFLICT: the time is another house's) and bookings lost in a restore; staff see which under guideConflicts and lostBookings. --json has more. What to do about each: docs/operations.md.\n${details(`${NEEDS_KEY}.`, 'sync status --instance http://127.0.0.1:4101')}`,
    )
    .action(async () => {
      const all = z.array(status).parse(await (await open()).call('sync/status'));
      print(all, statusTable(all));
    });
  sync
    .command('retry')
    .description('Tries at once what waits for a partner, refused records among it, instead of at the next of ever rarer attempts.')
    .argument('<partner>', 'code of the partner instance')
    .addHelpText('after', details(`${NEEDS_KEY}; there is a living link with the partner.`, 'sync retry vienna --instance http://127.0.0.1:4101'))
    .action(async (partner: string) => {
      const tried = waiting.parse(await (await open()).call('sync/retry', { partner }));
      print(tried, `${records(tried.waiting)} for ${tried.partner}; ${prospect(tried, 'all of it is tried now')}.`);
    });
  sync
    .command('resync')
    .description('Sends everything of all active couplings to a partner again and compares afterwards. Harmless: what the partner holds already has no second effect.')
    .argument('<partner>', 'code of the partner instance')
    .addHelpText('after', details(`${NEEDS_KEY}; there is a living link with the partner.`, 'sync resync vienna --instance http://127.0.0.1:4101'))
    .action(async (partner: string) => {
      const begun = waiting.parse(await (await open()).call('sync/resync', { partner }));
      print(begun, `${records(begun.waiting)} for ${begun.partner}; ${prospect(begun, '`sync status` shows how it goes')}.`);
    });
  sync
    .command('inspect')
    .description('Prints the couplings over a link in figures; of one coupling or guide also each waiting record and each copy: ids, versions and times, never a title or a name.')
    .argument('<partner>', 'code of the partner instance')
    .addOption(new Option('--coupling <id>', 'of this coupling alone').conflicts('guide'))
    .option('--guide <id>', 'of this guide’s couplings alone, by his id here')
    .addHelpText('after', details(`${NEEDS_KEY}; there is a living link with the partner.`, 'sync inspect vienna --guide 3f1c7a52-6a0e-4c38-9d5e-0b9a4a1e2f10 --instance http://127.0.0.1:4101'))
    .action(async (partner: string, given: { coupling?: string; guide?: string }) => {
      const of = { ...(given.coupling && { couplingId: given.coupling }), ...(given.guide && { guideId: given.guide }) };
      const found = inspection.parse(await (await open()).call('sync/inspect', { partner, ...of }));
      const lists = [['Couplings', found.couplings], ['Waiting', found.waiting], ['Copies', found.copies]] as const;
      print(found, lists.flatMap(([name, list]) => (list ? [`${name}:\n${list.length === 0 ? '(none)' : rowTable(list)}`] : [])).join('\n\n'));
    });
  return sync;
}

/** One line a row, under the names of its members. */
function rowTable(list: readonly Record<string, unknown>[]): string {
  const names = Object.keys(list[0] ?? {});
  const heading = (name: string): string => name.replaceAll(/[A-Z]/g, ' $&').toUpperCase();
  return table([names.map(heading), ...list.map((row) => names.map((name) => (row[name] === null ? '-' : String(row[name]))))]);
}

const SETTLED = new Set(['VERIFIED', 'NOT_NEEDED']);

function toClearUp({ assignments, lostBookings }: Status): string {
  const open = Object.entries(assignments).filter(([verification]) => !SETTLED.has(verification));
  return [...open.map(([verification, count]) => `${count} ${verification}`), ...(lostBookings > 0 ? [`${lostBookings} lost`] : [])].join(', ') || '-';
}

function statusTable(all: readonly Status[]): string {
  if (all.length === 0) return 'No links in force.';
  const lines = all.map((one) => [
    one.partner,
    one.clockAlarm ? `${one.state}, CLOCKS DIFFER` : one.state,
    String(one.backlog),
    one.oldestWaitingSeconds === null ? '-' : `${one.oldestWaitingSeconds} s`,
    one.refusals.map(({ kind, code, count }) => `${count} ${kind} ${code}`).join(', ') || '-',
    one.lastContactAt ?? 'never',
    one.lastError ? `${one.lastError} at ${one.lastErrorAt}` : '-',
    one.lastDigestResult ? `${one.lastDigestResult} at ${one.lastDigestAt}` : '-',
    toClearUp(one),
  ]);
  return table([['PARTNER', 'STATE', 'WAITING', 'OLDEST', 'REFUSED', 'LAST CONTACT', 'LAST ERROR', 'LAST COMPARISON', 'TO CLEAR UP'], ...lines]);
}
