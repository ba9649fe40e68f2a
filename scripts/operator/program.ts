import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { type Invitation, type LinkOffer, OperatorClient, type SettingsChange } from './client.js';
import { connectInstances } from './connect.js';
import { addCouplings } from './couplings.js';
import { addRestamp } from './restamp.js';
import { addSync } from './sync.js';
import { details, NEEDS_KEY, type Open, type Print } from './help.js';
import { readSigningKey, writeKeyPair } from './keys.js';
import { linkState, linkTable, members, UsageError } from './output.js';

interface GlobalOptions {
  instance?: string;
  key?: string;
  json?: boolean;
}

/** Where a command writes; standard output and error when run from a shell. */
export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

const httpUrl = (value: string): string => {
  if (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) return value;
  throw new InvalidArgumentError('It must be an address such as https://museum.example.');
};

const linkOffer = z.object({
  linkId: z.uuid(),
  code: z.string(),
  name: z.string(),
  url: z.string(),
  endpoint: z.string(),
  publicJwk: z.looseObject({ kty: z.string() }),
});

/** The operator's command line. Actions throw; the caller turns errors into messages and exit codes. */
export function buildProgram(streams: Streams): Command {
  const program = new Command('operator')
    .description('Settings, keys, first accounts and links of Lotse instances: what their own administrators may not do.')
    .addOption(new Option('--instance <url>', 'address of the instance').argParser(httpUrl).env('LOTSE_INSTANCE'))
    .addOption(new Option('--key <file>', 'private key of the operator, a JWK made by `keygen`').env('LOTSE_OPERATOR_KEY'))
    .option('--json', 'print results as JSON on standard output and errors as JSON on standard error')
    // These are handed down to the commands made below.
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: streams.out, writeErr: streams.err })
    .exitOverride()
    .showHelpAfterError('(--help explains every command)')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 2 wrong use or unusable key file, 3 refused by the instance, 4 key not accepted, 5 instance not reachable, 1 anything else.' +
        '\nOptions of the program may stand before or after the command.',
    );

  const print = (result: object, human: string): void => streams.out(`${program.opts<GlobalOptions>().json ? JSON.stringify(result, null, 2) : human}\n`);
  const warn = (message: string): void => streams.err(`Warning: ${message}\n`);

  // A variable that is set to nothing is one that is not set.
  const open = async (url = program.opts<GlobalOptions>().instance, keyFile = program.opts<GlobalOptions>().key || undefined): Promise<OperatorClient> => {
    if (url === undefined) throw new UsageError('Say which instance: --instance <url> or LOTSE_INSTANCE.');
    if (keyFile === undefined) throw new UsageError('Name your private key: --key <file> or LOTSE_OPERATOR_KEY. `keygen` makes one.');
    return new OperatorClient(url, await readSigningKey(keyFile, warn));
  };

  program
    .command('keygen')
    .description('Makes an ES256 key pair for an operator or a gateway: a private file that only you can read, and a public one beside it.')
    .argument('<file>', 'where the private key goes, such as operator.jwk; its public half becomes operator.pub.jwk')
    .addHelpText(
      'after',
      details(
        'neither file exists. Afterwards give the public half to each instance, in OPERATOR_PUBLIC_KEYS or GATEWAY_PUBLIC_KEYS, and the private half of a gateway to it in GATEWAY_PRIVATE_KEY_FILE.',
        'keygen operator.jwk',
      ),
    )
    .action(async (file: string) => {
      const made = await writeKeyPair(file);
      print(made, members(made));
    });

  addSettings(program, open, print);
  addLinks(program, open, print);
  addCouplings(program, open, print);
  addRestamp(addSync(program, open, print), open, print);
  return program;
}

function addSettings(program: Command, open: Open, print: Print): void {
  const settings = program.command('settings').description('Who the instance is: name, addresses, time zone, locale, currency; and what it does with assignments that cannot be verified.');
  settings
    .command('show')
    .description('Prints the settings.')
    .addHelpText('after', details(`${NEEDS_KEY}.`, 'settings show --instance http://127.0.0.1:4101 --key operator.jwk'))
    .action(async () => {
      const current = await (await open()).settings();
      print(current, members(current));
    });
  settings
    .command('set')
    .description('Changes what is given and leaves the rest. Takes effect at once on every replica.')
    .option('--name <name>', 'name of the house')
    .option('--url <url>', 'where its front end is found; shown beside foreign bookings', httpUrl)
    .option('--logo <url>', 'address of its logo; `none` removes it')
    .option('--homepage <url>', 'its homepage; `none` removes it')
    .option('--time-zone <zone>', 'IANA time zone, such as Europe/Vienna; instants of existing bookings stay')
    .option('--locale <tag>', 'BCP 47 tag, such as de-AT')
    .option('--currency <code>', 'ISO 4217 code for new offers')
    .option('--block-title <title>', 'what linked houses read of a guide who is blocked here, such as Not available')
    .addOption(new Option('--unreachable-keeper <answer>', 'assignments that the keeper of a guide’s claims cannot be asked about at once').choices(['ACCEPT', 'REFUSE']))
    .addHelpText('after', details(`${NEEDS_KEY}. The code of an instance cannot be changed.`, 'settings set --time-zone Europe/Vienna --logo none --instance http://127.0.0.1:4101'))
    .action(async (given: SettingsChange) => {
      if (Object.keys(given).length === 0) throw new UsageError('Nothing to change; --help lists the settings.');
      const none = (value: string | null | undefined): string | null | undefined => (value === 'none' ? null : value);
      const changed = await (await open()).changeSettings({ ...given, logo: none(given.logo), homepage: none(given.homepage) });
      print(changed, members(changed));
    });

  const keys = program.command('keys').description('Keys with which the instance signs the access tokens of its users.');
  keys
    .command('rotate')
    .description('Publishes a new signing key, which signs a little later; the old one stays accepted until its tokens have ended. Nobody is signed out.')
    .addHelpText('after', details(`${NEEDS_KEY}.`, 'keys rotate --instance http://127.0.0.1:4101'))
    .action(async () => {
      const rotated = await (await open()).rotateKeys();
      print(rotated, members(rotated));
    });

  program
    .command('invite')
    .description('Invites the first administrator, or staff, by mail; the invited set their own password.')
    .requiredOption('--email <address>', 'where the invitation goes; the account signs in with it')
    .requiredOption('--name <name>', 'name to greet with')
    .addOption(new Option('--role <role...>', 'STAFF, ADMINISTRATOR or both').choices(['STAFF', 'ADMINISTRATOR']).makeOptionMandatory())
    .addHelpText(
      'after',
      details(
        `${NEEDS_KEY}, and can send mail (SMTP_URL, or MAIL_DIRECTORY for files). No account has this address.`,
        'invite --email head@museum.example --name "Head of Visits" --role ADMINISTRATOR --instance http://127.0.0.1:4101',
      ),
    )
    .action(async (given: { email: string; name: string; role: Invitation['roles'] }) => {
      const invited = await (await open()).invite({ email: given.email, displayName: given.name, roles: given.role });
      print(invited, `${given.email} is invited (account ${invited.accountId}).`);
    });
}

/** @param printedBy the commands that print what is asked for */
async function offerFrom(file: string, printedBy = '`link propose` or `link accept`'): Promise<LinkOffer> {
  let content: string;
  try {
    content = file === '-' ? await readAll(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  try {
    return linkOffer.parse(JSON.parse(content)) as LinkOffer;
  } catch {
    throw new UsageError(`${file === '-' ? 'Standard input' : file} holds no offer; it is what ${printedBy} printed.`);
  }
}

function addLinks(program: Command, open: Open, print: Print): void {
  const link = program
    .command('link')
    .description('Agreements between two instances. Made in three steps by the operators of both sides: propose here, accept there, complete here.');
  link
    .command('list')
    .description('Prints every link, ended ones included.')
    .addHelpText('after', details(`${NEEDS_KEY}.`, 'link list --instance http://127.0.0.1:4101'))
    .action(async () => {
      const links = await (await open()).links();
      print(links, linkTable(links));
    });
  link
    .command('propose')
    .description('First step: makes a key for this link and prints the offer for the partner’s operator.')
    .argument('<partner>', 'code of the partner instance')
    .addHelpText(
      'after',
      details(`${NEEDS_KEY}; there is no living link with the partner. Hand the offer over on a way that nobody can change: it pins your key there.`, 'link propose vienna --instance http://127.0.0.1:4101 > offer.json'),
    )
    .action(async (partner: string) => {
      const offer = await (await open()).proposeLink(partner);
      print(offer, JSON.stringify(offer, null, 2));
    });
  link
    .command('accept')
    .description('Second step, at the partner: pins the proposer’s key and prints the answer for his operator. The link is active here at once.')
    .argument('<file>', 'the offer; `-` reads standard input')
    .addHelpText('after', details(`${NEEDS_KEY}; there is no living link with the proposer; you have compared the offer with its sender.`, 'link accept offer.json --instance http://127.0.0.1:4102 > answer.json'))
    .action(async (file: string) => {
      const answer = await (await open()).acceptLink(await offerFrom(file));
      print(answer, JSON.stringify(answer, null, 2));
    });
  link
    .command('complete')
    .description('Third step, where it was proposed: pins the partner’s key. Now the link is active on both sides.')
    .argument('<file>', 'the answer; `-` reads standard input')
    .addHelpText('after', details(`${NEEDS_KEY}; the link was proposed here and is not completed.`, 'link complete answer.json --instance http://127.0.0.1:4101'))
    .action(async (file: string) => {
      const completed = await (await open()).completeLink(await offerFrom(file));
      print(completed, `The link with ${completed.partnerCode} is ${linkState(completed)}.`);
    });
  const changes = {
    suspend: 'Stops all exchange over a link for the time being; couplings stay. Counts here at once, whether or not the partner hears of it.',
    resume: 'Takes a suspension by this side back. One by the partner is his to take back.',
    end: 'Ends a link and its couplings for good; a new link begins without them. A partner who cannot be told now is told for 90 days.',
  } as const;
  for (const [action, description] of Object.entries(changes) as [keyof typeof changes, string][]) {
    link
      .command(action)
      .description(description)
      .argument('<partner>', 'code of the partner instance')
      .addHelpText('after', details(`${NEEDS_KEY}; there is a living link with the partner.`, `link ${action} vienna --instance http://127.0.0.1:4101`))
      .action(async (partner: string) => {
        const changed = await (await open()).changeLink(partner, action);
        // A link that was never completed has no address yet.
        const untold = changed.partnerEndpoint === '' ? 'does not know of it' : 'could not be told yet; he is told again until he has heard';
        print(changed, `The link with ${partner} is ${linkState(changed)}. The partner ${changed.partnerTold ? 'has been told' : untold}.`);
      });
  }
  link
    .command('rotate')
    .description('Replaces our key of a link. The partner gets the new one, signed with the old; it signs once he has said so, and the old one is accepted there for a day more. Nothing stops meanwhile; safe to repeat.')
    .argument('<partner>', 'code of the partner instance')
    .addHelpText(
      'after',
      details(
        `${NEEDS_KEY}; there is an active link with the partner. A key that has leaked is not to be rotated: end the link, whose holder could do the same.`,
        'link rotate vienna --instance http://127.0.0.1:4101',
      ),
    )
    .action(async (partner: string) => {
      const rotated = await (await open()).rotateLinkKey(partner);
      print(rotated, rotated.inUse ? `We sign for ${partner} with ${rotated.kid} now.` : `${partner} does not have ${rotated.kid} yet; he is told every minute, and we sign with the old key until he has it.`);
    });
  link
    .command('renew')
    .description('Makes a key of ours that signs at once and prints it for the partner’s operator: when the partner does not accept our key any more, since a copy older than the last rotation was put back here.')
    .argument('<partner>', 'code of the partner instance')
    .addHelpText('after', details(`${NEEDS_KEY}; there is an active link with the partner. Nothing of ours is heard there until his operator has pinned it. If he has rotated since the copy was made, he renews too.`, 'link renew vienna --instance http://127.0.0.1:4101 > renewed.json'))
    .action(async (partner: string) => {
      const offer = await (await open()).renewLinkKey(partner);
      print(offer, JSON.stringify(offer, null, 2));
    });
  link
    .command('pin')
    .description('Pins the key that the partner’s operator has renewed. Couplings and everything else of the link stay.')
    .argument('<file>', 'what `link renew` printed there; `-` reads standard input')
    .addHelpText('after', details(`${NEEDS_KEY}; there is an active link with the partner; you have compared the key with its sender.`, 'link pin renewed.json --instance http://127.0.0.1:4102'))
    .action(async (file: string) => {
      const pinned = await (await open()).pinLinkKey(await offerFrom(file, '`link renew`'));
      print(pinned, `The link with ${pinned.partnerCode} is ${linkState(pinned)}, with the renewed key.`);
    });
  link
    .command('move')
    .description('The partner has another address or name now. Its pinned keys stay: whoever answers there must still hold them.')
    .argument('<partner>', 'code of the partner instance')
    .addOption(new Option('--endpoint <url>', 'where its instance server is reached').argParser(httpUrl))
    .addOption(new Option('--url <url>', 'where its front end is found').argParser(httpUrl))
    .option('--name <name>', 'what the house is called')
    .addHelpText('after', details(`${NEEDS_KEY}; there is a living link with the partner.`, 'link move vienna --endpoint http://127.0.0.1:4112 --instance http://127.0.0.1:4101'))
    .action(async (partner: string, to: { endpoint?: string; url?: string; name?: string }) => {
      if (Object.keys(to).length === 0) throw new UsageError('Nothing to change; --help lists what can.');
      const moved = await (await open()).moveLink(partner, to);
      print(moved, `${moved.partnerName} (${partner}) is reached at ${moved.partnerEndpoint}; its front end is ${moved.partnerUrl}.`);
    });
  link
    .command('connect')
    .description('All three steps for two instances that you operate both. Safe to repeat.')
    .addOption(new Option('--a <url>', 'address of one instance').argParser(httpUrl).makeOptionMandatory())
    .addOption(new Option('--b <url>', 'address of the other').argParser(httpUrl).makeOptionMandatory())
    .option('--key-b <file>', 'private key for the other, if it is not --key')
    .addHelpText('after', details('both instances run and reach one another, and each has the public half of your key in OPERATOR_PUBLIC_KEYS.', 'link connect --a http://127.0.0.1:4101 --b http://127.0.0.1:4102 --key operator.jwk'))
    .action(async (given: { a: string; b: string; keyB?: string }) => {
      const { codes, linkId, made } = await connectInstances(await open(given.a), await open(given.b, given.keyB));
      print({ codes, linkId, made }, `${codes.join(' and ')} ${made ? 'are linked now' : 'were linked already'} (${linkId}).`);
    });
}
