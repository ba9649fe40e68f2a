import { readConfig } from '../../gateway/config.js';
import { SETTLE_MS } from '../../instance-server/modules/claims/claim.patience.js';
import { testKey } from '../testkit/keys.js';

test('a house that waits for a keeper has said that he is silent before the gateway gives the house up', () => {
  const { upstream } = readConfig({ REGISTRY: '{}', GATEWAY_PRIVATE_KEY: JSON.stringify(testKey('gateway').privateJwk) });
  // What is left is for everything else that the answer takes.
  expect(SETTLE_MS).toBeLessThanOrEqual(upstream.timeoutMs * 0.75);
});
