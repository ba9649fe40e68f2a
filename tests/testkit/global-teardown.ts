import { rm } from 'node:fs/promises';

/** Stops the cluster, which deletes itself, and removes its log. Nothing waits for sessions that tests left open. */
export default async function teardown(): Promise<void> {
  const cluster = globalThis.lotseTestCluster;
  if (cluster === undefined) return;
  await cluster.server.stop('immediate');
  await rm(cluster.folder, { recursive: true, force: true });
}
