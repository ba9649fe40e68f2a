import { UsageError } from '../operator/output.js';
import { type DemoDescription, startDemo } from './demo.js';
import { DemoFolder } from './folder.js';
import { Cancelled, Running } from './running.js';
import { HELP, readSettings } from './settings.js';
import { askForCalendar, describe } from './tour.js';

/** Exit codes: 0 stopped by the user, 1 failed or something ended by itself, 2 wrong use. */
const EXIT = { stopped: 0, failed: 1, usage: 2 } as const;

const print = (text: string): void => void process.stdout.write(`${text}\n`);
// Whoever reads may go first, as `| head` does: the demo goes on.
process.stdout.on('error', () => undefined);

/** `npm start`. Ends when a signal comes or something that runs has ended. */
async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    process.stdout.write(HELP);
    return EXIT.stopped;
  }
  const settings = readSettings(args, process.env);
  // The migrator writes to the terminal by itself otherwise; what it has done is told as progress.
  process.env['MIKRO_ORM_MIGRATIONS_SILENT'] = 'true';

  const startedAt = performance.now();
  const seconds = (): string => ((performance.now() - startedAt) / 1000).toFixed(1);
  const running = new Running();
  const starting = tell(startDemo(settings, running, (line) => print(`[${seconds().padStart(4)} s] ${line}`)));
  const stopped = Promise.withResolvers<'signal'>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // A terminal's Ctrl-C comes twice when npm passes it on too; the second changes nothing.
    process.on(signal, () => {
      stopped.resolve('signal');
      void running.stop(starting);
    });
  }

  async function tell(demo: Promise<DemoDescription>): Promise<void> {
    const description = await demo;
    const folder = new DemoFolder(settings.folder);
    const now = new Date();
    const sample = await askForCalendar(description, now);
    running.check();
    const season = await folder.season();
    print(describe(description, sample, settings.folder, { today: season?.today ?? '', now }));
    print(`Ready after ${seconds()} s.`);
  }

  let exitCode: number = EXIT.stopped;
  try {
    await starting;
    const end = await Promise.race([running.endedUnexpectedly, stopped.promise]);
    if (end !== 'signal') {
      exitCode = EXIT.failed;
      process.stderr.write(`\n${end}\nEverything is being stopped.\n`);
    }
  } catch (error) {
    if (!(error instanceof Cancelled)) {
      exitCode = EXIT.failed;
      process.stderr.write(`\nThe demo could not start. ${error instanceof Error ? error.message : 'unknown error'}\n`);
    }
  }
  print('\nStopping …');
  await running.stop(starting);
  print('Stopped; nothing is left running.');
  return exitCode;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : 'unknown error'}\n`);
  process.exitCode = error instanceof UsageError ? EXIT.usage : EXIT.failed;
}
// Nothing of ours runs any more; an open handle must not keep the terminal.
process.exit();
