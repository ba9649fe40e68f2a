import { describe, expect, test } from '@jest/globals';
import { tokenRefused } from '../../../gateway/subscriptions/closing.js';
import { subscriptionsConfig, subscriptionsEnvironment } from '../../../gateway/subscriptions/index.js';
import { closeCodeLabel } from '../../../gateway/subscriptions/metrics.js';

describe('the settings', () => {
  test('have defaults', () => {
    expect(subscriptionsConfig(subscriptionsEnvironment.parse({}))).toEqual({
      maxSockets: 20_000,
      maxSocketsPerAccount: 20,
      perSocket: 50,
      maxMessagesPerMinute: 600,
      maxPayloadBytes: 102_400,
      bufferBytes: 1_048_576,
      initTimeoutMs: 5_000,
      keepAliveMs: 15_000,
      closeTimeoutMs: 2_000,
      upstreamMaxPayloadBytes: 1_048_576,
      upstreamBufferBytes: 8_388_608,
      upstreamConnectTimeoutMs: 5_000,
      upstreamOutageMs: 15_000,
      upstreamRetryMaxMs: 5_000,
    });
  });

  test('each come from their own variable', () => {
    const names = Object.keys(subscriptionsEnvironment.shape);
    const environment = Object.fromEntries(names.map((name, index) => [name, String(10_000 + index)]));
    const values = Object.values(subscriptionsConfig(subscriptionsEnvironment.parse(environment)));
    expect(values.sort()).toEqual(names.map((_name, index) => 10_000 + index));
  });

  test.each(['-1', '0', '1.5', 'many', ''])('refuse %p', (value) => {
    for (const name of Object.keys(subscriptionsEnvironment.shape)) {
      expect(subscriptionsEnvironment.safeParse({ [name]: value }).success).toBe(false);
    }
  });
});

describe('close codes', () => {
  test.each(['TOKEN_MISSING', 'TOKEN_EXPIRED', 'TOKEN_INVALID', 'TOKEN_REVOKED', 'ISSUER_UNKNOWN'])('4403 says %s', (reason) => {
    expect(tokenRefused(reason)).toEqual({ code: 4403, reason });
  });

  test.each([undefined, 17, 'Jane Doe', 'x'.repeat(200)])('4403 does not say %p', (reason) => {
    expect(tokenRefused(reason)).toEqual({ code: 4403, reason: 'TOKEN_INVALID' });
  });

  test('of the protocol have labels of their own, others share one', () => {
    expect([1000, 1006, 1012, 1013, 4400, 4403, 4429].map(closeCodeLabel)).toEqual([
      '1000', '1006', '1012', '1013', '4400', '4403', '4429',
    ]);
    expect([3000, 4999, 0].map(closeCodeLabel)).toEqual(['other', 'other', 'other']);
  });
});
