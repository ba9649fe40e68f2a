import { randomInt } from 'node:crypto';

/** A text that exists once in the world, planted in one personal field of one house. */
export interface Canary {
  readonly token: string;
  /** Code of the house it is of. */
  readonly house: string;
  readonly field: string;
  /** Codes of the houses it is of as well: the profile of a coupled guide is one person's in all of them. */
  readonly shared: readonly string[];
}

export const isOf = ({ house, shared }: Canary, code: string): boolean => house === code || shared.includes(code);

/** Canaries found where they may be looked for; `in` says where. */
export interface Sighting {
  readonly in: string;
  readonly house: string;
  readonly field: string;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';
const LENGTH = 14;
const PREFIX = 'zq';
const PATTERN = new RegExp(`${PREFIX}[a-z0-9]{${LENGTH}}`, 'gi');
/** Shortest run of base64 that can hide a canary with a byte of something else on each side. */
const BASE64 = /[A-Za-z0-9+/_-]{22,}/g;

/** Plants canaries and finds them again in any text, plain or wrapped in base64 (as in cursors and tokens). */
export class Canaries {
  readonly #known = new Map<string, Canary>();

  /** A new one; lower case, letters and digits only, so that it survives any escaping. */
  plant(house: string, field: string, shared: readonly string[] = []): string {
    const token = PREFIX + Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('');
    this.#known.set(token, { token, house, field, shared });
    return token;
  }

  /** An address with a canary in it. */
  email(house: string, field: string, shared: readonly string[] = []): string {
    return `${this.plant(house, field, shared)}@post.example`;
  }

  phone(house: string, field: string, shared: readonly string[] = []): string {
    return `+49 30 ${this.plant(house, field, shared)}`;
  }

  get size(): number {
    return this.#known.size;
  }

  ofHouse(house: string): Canary[] {
    return [...this.#known.values()].filter((canary) => canary.house === house);
  }

  /** Each once, in the order they were planted in. */
  in(text: string): Canary[] {
    const tokens = new Set(direct(text));
    for (const [run] of text.matchAll(BASE64)) {
      for (const token of direct(Buffer.from(run, 'base64').toString('latin1'))) tokens.add(token);
    }
    return [...this.#known.values()].filter(({ token }) => tokens.has(token));
  }

  /** What of a text is of houses it must not be of. */
  sightings(where: string, text: string, isAllowed: (canary: Canary) => boolean): Sighting[] {
    return this.in(text)
      .filter((canary) => !isAllowed(canary))
      .map(({ house, field }) => ({ in: where, house, field }));
  }
}

function direct(text: string): string[] {
  return Array.from(text.matchAll(PATTERN), ([token]) => token.toLowerCase());
}
