import { randomUUID } from 'node:crypto';
import type { InstanceSettings } from '../../../../scripts/setup/provision.js';
import { Cleanup } from '../../../testkit/cleanup.js';
import { client, type GraphqlClient } from '../../../testkit/client.js';
import { createInstance, type InstanceHere, startInstanceHere, type TestInstance } from '../../../testkit/instance.js';
import { Records } from '../../../testkit/records.js';

/** One instance with a server in this process: what most tests of an instance need. */
export interface House {
  readonly instance: TestInstance;
  readonly server: InstanceHere;
  readonly records: Records;
  readonly api: GraphqlClient;
}

export async function openHouse(
  cleanup: Cleanup,
  { env, ...settings }: Partial<InstanceSettings> & { env?: Record<string, string> } = {},
): Promise<House> {
  const instance = cleanup.own(await createInstance({ code: 'museum', ...settings }), (made) => made.drop());
  const records = cleanup.own(await Records.open(instance), (opened) => opened.close());
  const server = cleanup.own(await startInstanceHere(instance, { env }), (started) => started.stop());
  return { instance, server, records, api: client(server.url) };
}

/** A key nobody has used. */
export const newKey = (): string => randomUUID();

/** An instant so many hours after noon of a day without clock changes, UTC. */
export const at = (hours: number): Date => new Date(Date.UTC(2027, 5, 1, 12) + hours * 3_600_000);
