import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EmbeddedPostgres } from '../../scripts/postgres/embedded.js';

declare global {
  /** From the global setup to the global teardown, which run in one process; test files never see it. */
  var lotseTestCluster: { server: EmbeddedPostgres; folder: string } | undefined;
}

/**
 * One PostgreSQL cluster for a whole run. Workers inherit the environment set here; tests ask tests/testkit/postgres.ts.
 *
 * PostgreSQL's log goes to a file of its own: it holds no statements by itself (log_statement none), but every warning
 * and error with the statement that caused it, so that a test can look for what must never appear there.
 */
export default async function setup(): Promise<void> {
  // Jest does not apply moduleNameMapper here, so Node has to find our sources.
  await import(fileURLToPath(new URL('./typescript-sources.ts', import.meta.url)));
  const { startEmbeddedPostgres } = await import('../../scripts/postgres/embedded.js');

  const folder = await mkdtemp(join(tmpdir(), 'lotse-tests-'));
  // Run by root, the server is another user's process and has to get to its data.
  await chmod(folder, 0o711);
  const server = await startEmbeddedPostgres({
    dataDirectory: join(folder, 'cluster'),
    logFile: join(folder, 'postgres.log'),
    durable: false,
    temporary: true,
    settings: {
      log_statement: 'none',
      log_min_messages: 'warning',
      log_min_error_statement: 'error',
      // Tests make and drop many databases: no checkpoint for the sake of each few, no visits of autovacuum to all.
      max_wal_size: '4GB',
      autovacuum: 'off',
    },
  });
  globalThis.lotseTestCluster = { server, folder };
  process.env['LOTSE_TEST_ADMIN_URL'] = server.adminUrl;
  process.env['LOTSE_TEST_POSTGRES_LOG'] = server.logFile;
}
