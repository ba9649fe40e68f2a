import { type TokenExpectation, TokenError, TokenVerifier } from '../../../instance-server/platform/tokens.js';
import { sign, type SignOptions, testKey } from '../../testkit/keys.js';

const key = testKey();
const now = new Date('2027-06-01T12:00:00Z');
const expected: TokenExpectation = { kind: 'lotse-access+jwt', issuer: 'museum', audience: 'museum', maxLifeSeconds: 300, key: key.publicKey };
const token = (override: Partial<SignOptions> = {}): string => sign({ typ: 'lotse-access+jwt', key, claims: { iss: 'museum', aud: 'museum', sub: 'a' }, life: 300, now, ...override });

function outcomeOf(verifier: TokenVerifier, text: string, override: Partial<TokenExpectation> = {}, at = now): unknown {
  try {
    return verifier.verify(text, { ...expected, ...override }, at).sub;
  } catch (error) {
    return error instanceof TokenError ? error.reason : error;
  }
}

const other: [string, Partial<TokenExpectation>, string][] = [
  ['another kind', { kind: 'lotse-grant+jwt' }, 'TOKEN_INVALID'],
  ['another issuer', { issuer: 'castle' }, 'TOKEN_INVALID'],
  ['another audience', { audience: 'castle' }, 'TOKEN_INVALID'],
  ['another key', { key: testKey().publicKey }, 'TOKEN_INVALID'],
];

test('what fits is accepted, the first time and from memory', () => {
  const verifier = new TokenVerifier();
  const text = token();
  expect([outcomeOf(verifier, text), outcomeOf(verifier, text)]).toEqual(['a', 'a']);
});

test.each(other)('where %s is expected it is refused, also after it was right elsewhere, and stays right there', (_what, override, reason) => {
  expect(outcomeOf(new TokenVerifier(), token(), override)).toBe(reason);
  const verifier = new TokenVerifier();
  const text = token();
  expect([outcomeOf(verifier, text), outcomeOf(verifier, text, override), outcomeOf(verifier, text)]).toEqual(['a', reason, 'a']);
});

test('a life longer than its kind may have is refused', () => {
  expect(outcomeOf(new TokenVerifier(), token(), { maxLifeSeconds: 299 })).toBe('TOKEN_INVALID');
});

test('it ends at its second, remembered or not', () => {
  const verifier = new TokenVerifier();
  const text = token();
  const after = (seconds: number): Date => new Date(now.getTime() + seconds * 1_000);
  expect([outcomeOf(verifier, text, {}, after(299)), outcomeOf(verifier, text, {}, after(300)), outcomeOf(new TokenVerifier(), text, {}, after(300))]).toEqual(['a', 'TOKEN_EXPIRED', 'TOKEN_EXPIRED']);
});

test.each([
  ['lotse-access+jwt', 5],
  ['lotse-gateway+jwt', 5],
  ['lotse-operator+jwt', 5],
  ['lotse-partner+jwt', 60],
  ['lotse-grant+jwt', 60],
] as const)('the clock of who signs a %s may be ahead by %i seconds and no more', (kind, seconds) => {
  const ahead = (by: number): string => token({ typ: kind, now: new Date(now.getTime() + by * 1_000) });
  expect([outcomeOf(new TokenVerifier(), ahead(seconds), { kind }), outcomeOf(new TokenVerifier(), ahead(seconds + 1), { kind })]).toEqual(['a', 'TOKEN_INVALID']);
});
