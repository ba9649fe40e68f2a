import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { generateKeyPair, privateKeyFromPem } from '../../instance-server/platform/keys.js';
import { signToken } from '../../instance-server/platform/tokens.js';

export const ENTRIES = 20;
export const GUIDE_ID = '5f0c1a52-6f0e-4f57-9a53-0d9a2d1c7e11';
export const GLOBAL_ID = 'g_b0f5f7d4-53e6-4a0c-8f2f-1c6a1f3b2a10';
const DAY = Date.UTC(2026, 5, 1, 8);

/** An instance's entries; their times interleave with those of the others, so that merging has to sort. */
export function entriesOf(instance: number, count: number): { id: string; start: Date; end: Date; offerTitle: string }[] {
  return Array.from({ length: ENTRIES }, (_, index) => {
    const start = DAY + (index * count + instance) * 3_600_000;
    const id = `${String(instance).padStart(8, '0')}-0000-4000-8000-${String(index).padStart(12, '0')}`;
    return { id, start: new Date(start), end: new Date(start + 2_700_000), offerTitle: `Tour ${index} of house ${instance}` };
  });
}

export const QUERY = `query GuideCalendar($id: ID!, $range: TimeRangeInput!) {
  guide(id: $id) {
    id
    displayName
    calendar(range: $range) { id start end origin offerTitle instance { code name url } details { bookingId customer { name email phone } partySize language notes } }
  }
}`;

export const BODY = JSON.stringify({
  query: QUERY,
  variables: { id: GUIDE_ID, range: { start: '2026-06-01T00:00:00.000Z', end: '2026-12-01T00:00:00.000Z' } },
});

export const codeOf = (instance: number): string => `house-${instance}`;

export interface HomeKey {
  kid: string;
  privatePem: string;
  publicJwk: object;
}

export const newKey = (): HomeKey => generateKeyPair();

/** Access tokens of one guide's session, each another text, so that each signature has to be checked. */
export function accessTokens(key: HomeKey, code: string, count: number, claims: Record<string, unknown>): string[] {
  const privateKey: KeyObject = privateKeyFromPem(key.privatePem);
  const now = new Date();
  return Array.from(
    { length: count },
    (_, index) =>
      signToken('lotse-access+jwt', { kid: key.kid, privateKey }, { iss: code, aud: code, role: 'GUIDE', jti: String(index), ...claims }, now, 300).token,
  );
}

/** A private JWK for the gateway. */
export function gatewayKey(): object {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: 'gateway' };
}
