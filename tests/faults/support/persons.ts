/** Who there is: by name, the houses he is a guide of, and whether these know that he is one person. */
export interface PersonPlan {
  readonly name: string;
  readonly houses: readonly string[];
  readonly coupled: boolean;
  readonly sharesBankData: boolean;
  readonly decidesOnBankData?: true;
  /** His couplings end while people work, to be made anew or not. */
  readonly ends?: 'AGAIN' | 'FOR_GOOD';
}

export const HOUSES = ['alpha', 'beta', 'gamma'] as const;

export const PERSONS: readonly PersonPlan[] = [
  ...['anna', 'bela', 'carl', 'dora'].map((name) => ({ name, houses: HOUSES, coupled: true, sharesBankData: name < 'c' })),
  { name: 'emil', houses: ['alpha', 'beta'], coupled: true, sharesBankData: false, decidesOnBankData: true },
  { name: 'frida', houses: ['alpha', 'gamma'], coupled: true, sharesBankData: true, decidesOnBankData: true },
  { name: 'gesa', houses: ['beta', 'gamma'], coupled: true, sharesBankData: false },
  { name: 'jana', houses: ['alpha', 'beta'], coupled: true, sharesBankData: false, ends: 'AGAIN' },
  { name: 'kurt', houses: HOUSES, coupled: true, sharesBankData: false, ends: 'AGAIN' },
  { name: 'lena', houses: ['beta', 'gamma'], coupled: true, sharesBankData: false, ends: 'FOR_GOOD' },
  // In two houses that do not know of each other: as good as two persons.
  { name: 'hanno', houses: ['alpha', 'beta'], coupled: false, sharesBankData: false },
  { name: 'ilka', houses: ['gamma'], coupled: false, sharesBankData: false },
];

/** Every pair of houses. */
export const PAIRS: readonly (readonly [string, string])[] = [
  ['alpha', 'beta'],
  ['alpha', 'gamma'],
  ['beta', 'gamma'],
];
