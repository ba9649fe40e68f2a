import type { Random } from './random.js';

export interface Person {
  firstName: string;
  lastName: string;
  languages: readonly string[];
  /** Codes of the houses he guides in; more than one: he is coupled between all of them. */
  houses: readonly string[];
}

const people = (houses: string, lines: string): Person[] =>
  lines
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', languages = ''] = line.split(':').map((part) => part.trim());
      const [firstName = '', ...lastName] = name.split(' ');
      return { firstName, lastName: lastName.join(' '), languages: languages.split(' '), houses: houses.split(' ') };
    });

/** All invented. The first twelve are coupled, the last few guide in one house alone. */
export const PEOPLE: readonly Person[] = [
  ...people(
    'spree donau wharf',
    `Anna Lindqvist: de en fr
     Jonas Feldkamp: de en
     Miriam Okafor: en de it
     Tobias Wrenfield: en de fr`,
  ),
  ...people(
    'spree donau',
    `Karla Steinbrink: de it
     Emil Auerhahn: de en
     Zeynep Kalayci: de en`,
  ),
  ...people(
    'spree wharf',
    `Ruth Abernethy: en de
     Lukas Brandvoll: de en fr
     Chiara Montelupo: it de en`,
  ),
  ...people(
    'donau wharf',
    `Felix Hollerbach: de en
     Nadia Petrossian: en fr de`,
  ),
  ...people(
    'spree',
    `Greta Mohnhaupt: de
     Hannes Kiewitt: de en
     Ilse Torgau: de fr
     Kaspar Nettelbeck: de en
     Leila Haddadi: de en fr
     Moritz Schellbach: de
     Paula Ostwind: de en it
     Rafael Quandtner: de en
     Svenja Uhlenbrock: de`,
  ),
  ...people(
    'donau',
    `Andrea Pichlmoser: de en
     Bernhard Traunwieser: de
     Cornelia Eibenstein: de fr
     David Zirbengast: de en
     Elif Sommerauer: de en it
     Georg Nussbaumer-Hell: de
     Katharina Lobauer: de en
     Matthias Grinzenthal: de en`,
  ),
  ...people(
    'wharf',
    `Amelia Thornbury: en fr
     Benedict Ashgrove: en
     Devika Ramsbottom: en it
     Finlay Marchbank: en de
     Grace Oyelaran: en fr
     Harriet Pemberley: en
     Owen Treharne-Vale: en de`,
  ),
  ...people(
    'kamo',
    `Aoi Tsukimori: ja en
     Daichi Hanamura: ja
     Emi Kazehara: ja en
     Haruto Mizusawa: ja en
     Mei Shiratori: ja
     Ren Aokiyama: ja en
     Sora Yukishiro: ja en
     Yui Natsukawa: ja`,
  ),
];

/** `Rafael Quandtner` → `rafael.quandtner@example.org`, a domain reserved for examples. */
export const emailOf = (firstName: string, lastName: string): string =>
  `${firstName}.${lastName}`
    .normalize('NFD')
    .replaceAll(/[^a-zA-Z.-]/g, '')
    .toLowerCase() + '@example.org';

const digits = (value: number, count: number): string => String(value).padStart(count, '0');

/**
 * Numbers that belong to nobody: those which the German and British regulators keep for drama, and the American 555-01xx.
 * Austria and Japan keep none, so their people have foreign numbers.
 */
const PHONES: Readonly<Record<string, (random: Random) => string>> = {
  'de-DE': (random) => `+49 30 23125 ${digits(random.between(0, 999), 3)}`,
  'de-AT': (random) => `+49 89 99998 ${digits(random.between(0, 999), 3)}`,
  'en-GB': (random) => `+44 7700 900${digits(random.between(0, 999), 3)}`,
};

export const phoneOf = (random: Random, locale: string): string =>
  PHONES[locale]?.(random) ?? `+1 202 555 01${digits(random.between(0, 99), 2)}`;

const CUSTOMERS: Readonly<Record<string, { first: string; last: string; groups: readonly string[] }>> = {
  de: {
    first: 'Agnes Bruno Carla Dieter Edda Frieda Gustav Hilde Ingo Jutta Konrad Lotte Margret Norbert Olga Peer Rosa Sigrid Till Ursel',
    last: 'Ahrensfeld Birkholz Dornseif Erlenkamp Fuhrwerk Grasbruch Heidekrug Immenhof Kranichfeld Lerchenau Mühlental Nordheide Rohrbach Sandkamp Tannhof Weidenau',
    groups: ['Nordlicht-Grundschule, Klasse 4b', 'Gymnasium Am Wehr, Klasse 9c', 'Chor der Uferstraße', 'Beispiel GmbH, Betriebsausflug', 'Wanderfreunde Muster e. V.'],
  },
  en: {
    first: 'Alfred Beatrice Cedric Dorothy Edgar Florence Gilbert Harriet Ivor Judith Kenneth Lydia Mabel Nigel Olive Percy Rosalind Stanley Una Walter',
    last: 'Applecross Birchwood Cobblestone Dunmere Elmsworth Fernhill Goosegate Hartmoor Ivybridge-Lane Kettleby Larkspur Millbrook Oakhanger Quayle-Smith Ravensgill Stourfield',
    groups: ['Lantern Lane Primary School, Year 5', 'Example Ltd, staff day out', 'Quayside Rotary Circle', 'Tideway Choir', 'Sampleton Historical Society'],
  },
  ja: {
    first: 'Akari Botan Chika Daigo Etsuko Fumio Genji Hinata Itsuki Jun Kaede Minori Nao Riku Shiori Takumi',
    last: 'Amagiri Fujinoki Hoshikawa Isezaki Kirishima Matsukaze Nagareyama Otowa Sakuragi Tanikaze Umenoki Yamabuki',
    groups: ['桜ヶ丘小学校 五年二組', '見本商事株式会社', 'Example Travel, small party', '川辺写真同好会'],
  },
};

export interface Customer {
  name: string;
  email: string;
  phone: string;
  partySize: number;
}

/** Somebody who books, with contact data; `number` keeps addresses apart. */
export function customerOf(random: Random, locale: string, number: number): Customer {
  const names = CUSTOMERS[locale.slice(0, 2)];
  if (names === undefined) throw new Error(`no customers for ${locale}`);
  const firstName = random.pick(names.first.split(' '));
  const lastName = random.pick(names.last.split(' '));
  const isGroup = random.chance(0.35);
  return {
    name: isGroup ? `${random.pick(names.groups)} (${firstName} ${lastName})` : `${firstName} ${lastName}`,
    email: emailOf(firstName, lastName).replace('@', `.${number}@`),
    phone: phoneOf(random, locale),
    partySize: isGroup ? random.between(12, 30) : random.between(1, 8),
  };
}

export const NOTES = [
  'Two visitors use wheelchairs; please take the lift route.',
  'Arrives by coach and may be ten minutes late.',
  'Birthday: the child’s name is on the voucher.',
  'Pays on site.',
  'Has been here before, would like something new.',
  'One visitor is hard of hearing; please bring the induction loop.',
] as const;
