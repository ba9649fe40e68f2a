import { type Command, Option } from 'commander';
import { z } from 'zod';
import { details, NEEDS_KEY, type Open, type Print } from './help.js';
import { members, table } from './output.js';

const status = z.looseObject({
  partner: z.string(),
  state: z.string(),
  backlog: z.number(),
  oldestWaitingSeconds: z.number().nullable(),
  refusals: z.array(z.object({ kind: z.string(), code: z.string(), count: z.number() })),
  lastContactAt: z.string().nullable(),
  lastError: z.string().nullable(),
  lastErrorAt: z.string().nullable(),
  lastDigestResult: z.string().nullable(),
  clockAlarm: z.boolean(),
});
type Status = z.infer<typeof status>;

const waiting = z.object({ partner: z.string(), waiting: z.number() });
const inspection = z.looseObject({ couplings: z.array(z.record(z.string(), z.unknown())), waiting: z.array(z.record(z.string(), z.unknown())).optional(), copies: z.array(z.record(z.string(), z.unknown())).optional() });

/** What waits for partners, how it goes, and what an operator may do about it. Gives the group, for what other files add to it. */
export function addSync(program: Command, open: Open, print: Print): Command {
  const sync = program.command('sync').description('The exchange with linked instances: what waits, what was refused, whether copies are right.');
  sync
    .command('status')
    .description('Prints for each link what waits and since when, the last word from the partner, the last error, and the last comparison of copies.')
    .addHelpText('after', details(`${NEEDS_KEY}. A backlog that grows while there is no error: see docs/operations.md.`, 'sync status --instance http://127.0.0.1:4101'))
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
      print(tried, `${tried.waiting} records wait for ${tried.partner}; they are tried now.`);
    });
  sync
    .command('resync')
    .description('Sends everything of all active couplings to a partner again and compares afterwards. Harmless: what the partner holds already has no second effect.')
    .argument('<partner>', 'code of the partner instance')
    .addHelpText('after', details(`${NEEDS_KEY}; there is a living link with the partner.`, 'sync resync vienna --instance http://127.0.0.1:4101'))
    .action(async (partner: string) => {
      const begun = waiting.parse(await (await open()).call('sync/resync', { partner }));
      print(begun, `${begun.waiting} records wait for ${begun.partner} now; \`sync status\` shows how they go.`);
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
      const parts = [found.couplings, found.waiting, found.copies].filter((rows) => rows !== undefined);
      print(found, parts.map((rows) => (rows.length === 0 ? '(none)' : rows.map((row) => members(row)).join('\n\n'))).join('\n\n---\n\n'));
    });
  return sync;
}

function statusTable(all: readonly Status[]): string {
  if (all.length === 0) return 'No links in force.';
  const rows = all.map((one) => [
    one.partner,
    one.clockAlarm ? `${one.state}, CLOCKS DIFFER` : one.state,
    String(one.backlog),
    one.oldestWaitingSeconds === null ? '-' : `${one.oldestWaitingSeconds} s`,
    one.refusals.map(({ kind, code, count }) => `${count} ${kind} ${code}`).join(', ') || '-',
    one.lastContactAt ?? 'never',
    one.lastError ? `${one.lastError} at ${one.lastErrorAt}` : '-',
    one.lastDigestResult ?? '-',
  ]);
  return table([['PARTNER', 'STATE', 'WAITING', 'OLDEST', 'REFUSED', 'LAST CONTACT', 'LAST ERROR', 'LAST COMPARISON'], ...rows]);
}
