import { Command } from 'commander';
import { provision } from './provision.js';

/** `npm run setup -- …`: makes or upgrades the database of one instance. */
const program = new Command('setup')
  .description('Creates the database of an instance with its roles, or brings it to this release. Safe to repeat.')
  .requiredOption('--code <code>', 'short unique code of the instance')
  .option('--database <name>', 'name of its database (default: lotse_<code>)')
  .option('--name <name>', 'name of the house (default: the code)')
  .option('--url <url>', 'where its front end is found', 'http://localhost')
  .option('--time-zone <zone>', 'IANA time zone', 'Europe/Berlin')
  .option('--locale <tag>', 'BCP 47 tag', 'de')
  .option('--currency <code>', 'ISO 4217 code', 'EUR')
  .addHelpText('after', '\nEnvironment: DATABASE_ADMIN_URL (a role that may create databases and roles), INSTANCE_SECRET (32 characters or more).')
  .parse();

const options = program.opts<Record<'code' | 'name' | 'url' | 'timeZone' | 'locale' | 'currency' | 'database', string>>();
const { DATABASE_ADMIN_URL: adminUrl, INSTANCE_SECRET: secret } = process.env;
if (!adminUrl || !secret || secret.length < 32) {
  throw program.error('DATABASE_ADMIN_URL and INSTANCE_SECRET (32 characters or more) must be set.');
}
const database = options.database ?? `lotse_${options.code.replaceAll('-', '_')}`;
const { url, applied } = await provision(adminUrl, database, secret, {
  code: options.code,
  name: options.name ?? options.code,
  url: options.url,
  timeZone: options.timeZone,
  locale: options.locale,
  currency: options.currency,
});
console.log(`Database ${database} is ready (${applied.length} migrations applied). DATABASE_URL=${url}`);
