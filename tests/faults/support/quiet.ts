import { setTimeout as pause } from 'node:timers/promises';
import type { FaultFederation } from './federation.js';

interface LinkStatus {
  readonly partner: string;
  readonly backlog: number;
  readonly refused: number;
  readonly lastError?: string | null;
}

const POLL_MS = 400;
/** So often in a row. */
const TIMES = 2;

/** What is not quiet yet; undefined when nothing waits for anybody and every claim has been decided. */
async function unrest(federation: FaultFederation): Promise<string | undefined> {
  for (const house of federation.houses) {
    const status = await house.operator.call<LinkStatus[] | { links: LinkStatus[] }>('sync/status').catch((error: unknown) => String(error));
    if (typeof status === 'string') return `${house.code} does not tell its status: ${status}`;
    const waiting = (Array.isArray(status) ? status : status.links).find(({ backlog, refused }) => backlog > 0 || refused > 0);
    if (waiting) return `${waiting.backlog} records (${waiting.refused} refused) of ${house.code} wait for ${waiting.partner} (${waiting.lastError ?? 'no error'})`;
    const open = await house.asSuperuser((client) =>
      client.query<{ verification: string; count: number }>(
        `select verification, count(*)::int as count from guide_assignment where ended_at is null and verification in ('PENDING', 'UNVERIFIED') group by 1`,
      ),
    );
    const [undecided] = open.rows;
    if (undecided) return `${undecided.count} assignments of ${house.code} are ${undecided.verification}`;
  }
  return undefined;
}

/** Resolves when the federation is quiet, or to what is not after `timeoutMs`. Each other thing it waits for is told. */
export async function untilQuiet(federation: FaultFederation, timeoutMs: number, tell: (problem: string) => void = () => undefined): Promise<string | undefined> {
  const deadline = Date.now() + timeoutMs;
  let problem: string | undefined;
  for (let times = 0; times < TIMES; ) {
    const before = problem;
    problem = await unrest(federation).catch((error: unknown) => String(error));
    if (problem !== undefined && problem !== before) tell(problem);
    times = problem === undefined ? times + 1 : 0;
    if (problem !== undefined && Date.now() > deadline) return problem;
    await pause(POLL_MS);
  }
  return undefined;
}
