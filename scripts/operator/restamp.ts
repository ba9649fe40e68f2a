import type { Command } from 'commander';
import { details, NEEDS_KEY, type Open, type Print } from './help.js';

/** What an operator does about changes that a wrong clock has made undeliverable. */
export function addRestamp(sync: Command, open: Open, print: Print): void {
  sync
    .command('restamp')
    .description('Gives profiles and availability rules that were changed while the clock was far ahead the time of now, in the order of their changes, and delivers them.')
    .addHelpText(
      'after',
      `\nPartners refuse changes whose time lies more than 60 s ahead of their clock (CLOCK_AHEAD) and take them once that time has come. Whoever does not want to wait sets the instance's clock right first, on every machine it runs on, and then runs this once. What partners may have taken already keeps its time. Safe to repeat; without such changes it does nothing.\n${details(`${NEEDS_KEY}; its clock is right again.`, 'sync restamp --instance http://127.0.0.1:4101')}`,
    )
    .action(async () => {
      const { profileFields, rules } = await (await open()).restamp();
      print({ profileFields, rules }, `${profileFields} profile fields and ${rules} availability rules have the time of now.`);
    });
}
