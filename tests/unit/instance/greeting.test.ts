import { jest } from '@jest/globals';
import type { KnownLink, PartnerClient } from '../../../instance-server/modules/links/index.js';
import { Heartbeats } from '../../../instance-server/modules/replication/heartbeats.js';
import type { Memory } from '../../../instance-server/modules/replication/memory.js';
import type { Clock } from '../../../instance-server/platform/clock.js';
import type { Database } from '../../../instance-server/platform/database/database.js';

/* How long a house that keeps claims waits for a partner who may have some that it has forgotten. */

const LINK = { id: 'link', partnerCode: 'beta' } as KnownLink;
const SECOND = 1_000;

let now = 1_000_000;
let greeted = 0;
let heartbeats: Heartbeats;

beforeEach(() => {
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  greeted = 0;
  const within = (work: (tx: unknown) => unknown) => Promise.resolve(work(undefined));
  const database = { worker: { snapshot: within, transaction: within } } as unknown as Database;
  const partners = { call: () => Promise.reject(new Error('down')) } as unknown as PartnerClient;
  const memory = { say: () => ({}) } as unknown as Memory;
  heartbeats = new Heartbeats(database, partners, memory, { now: () => new Date(now) } as Clock, 10 * SECOND, () => {
    greeted += 1;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

const pass = (seconds: number): void => {
  now += seconds * SECOND;
};
const fail = () => expect(heartbeats.beat(LINK)).rejects.toThrow('down');
const has = (incarnation = 1): boolean => heartbeats.hasGreeted(LINK.id, incarnation);

test('nobody has greeted who was not heard', () => {
  expect(has()).toBe(false);
});

test('he has once he has told all his claims under the incarnation of now, and stays so while he is down', async () => {
  heartbeats.heard(LINK.id, undefined);
  expect(has()).toBe(false);
  heartbeats.heard(LINK.id, 1);
  expect([has(1), has(2), greeted]).toEqual([true, false, 1]);
  heartbeats.heard(LINK.id, 1);
  expect(greeted).toBe(1);
  pass(5);
  await fail();
  expect([has(1), has(2)]).toEqual([true, false]);
  heartbeats.heard(LINK.id, 2);
  expect([has(2), greeted]).toEqual([true, 2]);
});

test('one that cannot be reached is waited for for half a minute, and again when he is back', async () => {
  await fail();
  pass(30);
  await fail();
  expect(has()).toBe(false);
  pass(1);
  expect(has()).toBe(true);
  await fail();
  expect(has()).toBe(true);
  heartbeats.heard(LINK.id, undefined);
  expect(has()).toBe(false);
});

test('one that never comes to an end is waited for for ten minutes, whatever else he says', () => {
  heartbeats.heard(LINK.id, 1);
  for (let at = 0; at <= 600; at += 10) {
    heartbeats.heard(LINK.id, undefined);
    expect(has(2)).toBe(false);
    pass(10);
  }
  expect(has(2)).toBe(true);
});
