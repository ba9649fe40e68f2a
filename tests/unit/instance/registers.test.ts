import fc from 'fast-check';
import { merge, type Registers, toldTo, verdict } from '../../../instance-server/modules/convergence/registers.js';
import { formatStamp, isLater, isTooFarAhead, latestAcceptable, nextAfter } from '../../../instance-server/platform/stamps.js';

const HOUSES = ['donau', 'elbe', 'spree'] as const;
type Code = (typeof HOUSES)[number];

/** A profile's fields, and a rule with its two registers; a deleted definition is a value like any other. */
const NAMES = ['firstName', 'phone', 'languages', 'definition', 'holidays'] as const;

/** One value for each stamp: no two changes have the same. */
const register = fc.record({ milliseconds: fc.integer({ min: 0, max: 4 }), counter: fc.integer({ min: 0, max: 2 }), code: fc.constantFrom(...HOUSES) }).map((stamp) => {
  const text = formatStamp(stamp);
  return { stamp: text, value: stamp.counter === 2 ? { deleted: true, by: text } : `said at ${text}` };
});
const state: fc.Arbitrary<Registers> = fc.dictionary(fc.constantFrom(...NAMES), register, { noNullPrototype: true });

describe('merging', () => {
  test('is commutative', () => {
    fc.assert(fc.property(state, state, (one, other) => expect(merge(one, other)).toEqual(merge(other, one))));
  });

  test('is associative', () => {
    fc.assert(fc.property(state, state, state, (one, other, third) => expect(merge(merge(one, other), third)).toEqual(merge(one, merge(other, third)))));
  });

  test('is idempotent', () => {
    fc.assert(fc.property(state, state, (one, other) => expect(merge(merge(one, other), other)).toEqual(merge(one, other))));
  });

  test('keeps of each register the latest, and every register', () => {
    fc.assert(
      fc.property(state, state, (one, other) => {
        const merged = merge(one, other);
        for (const name of NAMES) {
          const [held, came] = [one[name], other[name]];
          expect(merged[name]).toEqual(held && came ? (isLater(came.stamp, held.stamp) ? came : held) : (held ?? came));
        }
      }),
    );
  });
});

test.each([
  [undefined, 'WINS'],
  ['', 'WINS'],
  ['000000000000005-00000000-donau', 'WINS'],
  ['000000000000005-00000000-elbe', 'KNOWN'],
  ['000000000000005-00000000-spree', 'LOSES'],
  ['000000000000005-00000001-donau', 'LOSES'],
])('against %s the same moment of elbe %s', (held, expected) => {
  expect(verdict(held, '000000000000005-00000000-elbe')).toBe(expected);
});

test('a partner is told what is ours and what is his, and nothing of others', () => {
  const said = (code: string) => ({ stamp: `000000000000005-00000000-${code}`, value: code });
  expect(toldTo({ firstName: said('donau'), phone: said('elbe'), languages: said('spree'), email: { stamp: '', value: null } }, 'donau', 'spree')).toEqual({
    firstName: said('donau'),
    languages: said('spree'),
  });
});

/** One house as the product builds it from the functions above: its registers, its clock, its last stamp. */
class House {
  held: Registers = {};
  ahead = 0;
  #last = '';

  constructor(readonly code: Code) {}

  now(time: number): Date {
    return new Date(time + this.ahead);
  }

  change(name: string, value: unknown, time: number): void {
    this.#last = nextAfter(this.#last, this.now(time), this.code);
    this.held = { ...this.held, [name]: { stamp: this.#last, value } };
  }

  /** Whether it was taken. */
  take(came: Registers, time: number): boolean {
    const stamps = Object.values(came).map(({ stamp }) => stamp);
    if (stamps.some((stamp) => isTooFarAhead(stamp, this.now(time)))) return false;
    this.held = merge(this.held, came);
    for (const stamp of stamps) if (isLater(stamp, this.#last)) this.#last = stamp;
    return true;
  }

  restamp(time: number): void {
    const now = this.now(time);
    const entries = Object.entries(this.held).sort(([, one], [, other]) => (one.stamp < other.stamp ? -1 : 1));
    const isLost = ({ stamp }: { stamp: string }) => isTooFarAhead(stamp, now) && stamp.endsWith(`-${this.code}`);
    this.#last = latestAcceptable(now, this.code);
    for (const [name, each] of entries) if (isLost(each)) this.change(name, each.value, time);
  }
}

test('a stamp of now is later than what was given before the clock went ahead, even in the same millisecond', () => {
  const [elbe, donau] = [new House('elbe'), new House('donau')];
  const time = Date.parse('2026-06-01T08:00:00Z');
  elbe.change('phone', 'before', time);
  donau.take(elbe.held, time);
  elbe.ahead = 61_000;
  elbe.change('phone', 'meanwhile', time);
  elbe.ahead = 0;
  elbe.restamp(time);
  expect(donau.take(elbe.held, time)).toBe(true);
  expect(donau.held).toEqual(elbe.held);
  expect(donau.held['phone']?.value).toBe('meanwhile');
});

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('change' as const), at: fc.constantFrom(0, 1, 2), name: fc.constantFrom(...NAMES), value: fc.integer() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), from: fc.constantFrom(0, 1, 2), to: fc.constantFrom(0, 1, 2) }) },
  /** A message of long ago, again. */
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('repeat' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clock' as const), at: fc.constantFrom(0, 1, 2), ahead: fc.constantFrom(-3_600_000, -60_000, -1, 0, 1, 59_000, 61_000, 3_600_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const), by: fc.constantFrom(0, 1, 1_000, 120_000) }) },
);

test('three houses agree after quiet, whatever was delivered in whatever order and however often, with clocks ahead and behind', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const houses = HOUSES.map((code) => new House(code)) as [House, House, House];
      const sent: { to: House; registers: Registers }[] = [];
      let time = Date.parse('2026-06-01T08:00:00Z');
      const send = (from: House, to: House): void => {
        if (from === to) return;
        const registers = toldTo(from.held, from.code, to.code);
        sent.push({ to, registers });
        to.take(registers, time);
      };
      for (const each of steps) {
        if (each.kind === 'change') houses[each.at]?.change(each.name, each.value, time);
        else if (each.kind === 'send') send(houses[each.from] as House, houses[each.to] as House);
        else if (each.kind === 'clock') (houses[each.at] as House).ahead = each.ahead;
        else if (each.kind === 'pass') time += each.by;
        else if (sent.length > 0) {
          const again = sent[each.which % sent.length] as (typeof sent)[number];
          again.to.take(again.registers, time);
        }
      }
      // The clocks are set right, and who was ahead has his operator restamp; then everything is delivered.
      for (const house of houses) house.ahead = 0;
      for (const house of houses) house.restamp(time);
      time += 3_600_000 + 120_000;
      for (let round = 0; round < 2; round += 1) for (const from of houses) for (const to of houses) send(from, to);
      expect(houses[1].held).toEqual(houses[0].held);
      expect(houses[2].held).toEqual(houses[0].held);
    }),
    { numRuns: 500 },
  );
});
