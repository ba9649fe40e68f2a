import { CommanderError } from 'commander';
import { errorFacts, EXIT, exitCodeOf } from './output.js';
import { buildProgram } from './program.js';

/** `npm run operator -- <command>`; `--help` explains every command. */
const program = buildProgram({
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its message; `--help` comes here too, with exit code 0.
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    process.exitCode = exitCodeOf(error);
    const told = program.opts<{ json?: boolean }>().json ? JSON.stringify(errorFacts(error)) : error instanceof Error ? error.message : 'unknown error';
    process.stderr.write(`${told}\n`);
  }
}
