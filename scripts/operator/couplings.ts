import type { Command } from 'commander';
import { details, NEEDS_KEY, type Open, type Print } from './help.js';
import { couplingState, couplingTable } from './output.js';

/** Couplings as an operator sees them: no names, only which, since when and how they stand. */
export function addCouplings(program: Command, open: Open, print: Print): void {
  const coupling = program.command('coupling').description('That a guide here and one of a linked instance are the same person. Made by staff of both and the guide, never here.');
  coupling
    .command('list')
    .description('Prints the couplings over a link, newest first; ended ones included, 1000 at most.')
    .argument('<partner>', 'code of the partner instance')
    .addHelpText('after', details(`${NEEDS_KEY}; there is a living link with the partner.`, 'coupling list vienna --instance http://127.0.0.1:4101'))
    .action(async (partner: string) => {
      const couplings = await (await open()).couplings(partner);
      print(couplings, couplingTable(couplings));
    });
  const changes = {
    pause: 'Holds an active coupling: changes wait on both sides. What the guide asks himself goes on, and so does what keeps him from being booked twice.',
    resume: 'Takes a pause by this side back. One by the partner is his to take back.',
    end: 'Ends a coupling for good: what was received over it goes, in both instances. Counts here at once; a partner who is not reached hears of it when he is.',
  } as const;
  for (const [action, description] of Object.entries(changes) as [keyof typeof changes, string][]) {
    coupling
      .command(action)
      .description(description)
      .argument('<id>', 'id of the coupling, as `coupling list` prints it')
      .addHelpText('after', details(`${NEEDS_KEY}.`, `coupling ${action} 3f1c7a52-6a0e-4c38-9d5e-0b9a4a1e2f10 --instance http://127.0.0.1:4101`))
      .action(async (id: string) => {
        const changed = await (await open()).changeCoupling(id, action);
        print(changed, `The coupling is ${couplingState(changed)}.`);
      });
  }
}
