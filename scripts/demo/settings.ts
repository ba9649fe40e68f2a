import { UsageError } from '../operator/output.js';

/** How the demo is to be started; docs/demo.md lists the variables. */
export interface DemoSettings {
  folder: string;
  /** Deletes what earlier starts have left. */
  reset: boolean;
  /** 0: any free port. A port that is taken is replaced by a free one. */
  ports: { gateway: number; firstInstance: number; postgres: number };
}

const STANDARD_PORTS = { gateway: 4000, firstInstance: 4101, postgres: 54_329 };
const HIGHEST_BASE = 65_535 - 200;

export const HELP = `Usage: npm start [-- --reset]

Starts the Lotse demo: PostgreSQL, four instances, the gateway. Ctrl-C stops it; its data is kept.

Options:
  --reset   delete the data of earlier starts and begin afresh
  --help    this text

Environment:
  LOTSE_DEMO_DIR        where data, keys and logs are kept (default .lotse)
  LOTSE_DEMO_PORT_BASE  port of the gateway; the instances take base + 101 and the following, PostgreSQL base + 200;
                        0 takes free ones (default: gateway 4000, instances 4101 to 4104, PostgreSQL 54329).
                        A port that is taken is replaced by a free one.
`;

/** @throws UsageError */
export function readSettings(args: readonly string[], env: NodeJS.ProcessEnv): DemoSettings {
  const unknown = args.find((arg) => arg !== '--reset');
  if (unknown !== undefined) throw new UsageError(`Unknown option ${unknown}.\n\n${HELP}`);
  return { folder: env['LOTSE_DEMO_DIR'] || '.lotse', reset: args.includes('--reset'), ports: portsFrom(env['LOTSE_DEMO_PORT_BASE']) };
}

function portsFrom(text: string | undefined): DemoSettings['ports'] {
  if (text === undefined || text === '') return STANDARD_PORTS;
  const base = Number(text);
  if (!/^\d+$/.test(text) || base > HIGHEST_BASE) throw new UsageError(`LOTSE_DEMO_PORT_BASE must be a whole number from 0 to ${HIGHEST_BASE}.`);
  if (base === 0) return { gateway: 0, firstInstance: 0, postgres: 0 };
  return { gateway: base, firstInstance: base + 101, postgres: base + 200 };
}
