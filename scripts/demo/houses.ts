/* Houses, people and everything else here are invented. Addresses end in names reserved for examples. */

export interface DemoOffer {
  title: string;
  durationMinutes: number;
  languages: readonly string[];
  guideDemand: number;
  /** Minor units of the house's currency. */
  priceAmount: number;
}

export interface House {
  code: string;
  name: string;
  city: string;
  timeZone: string;
  locale: string;
  currency: string;
  /** Local hours between which tours take place. */
  opensAt: number;
  closesAt: number;
  /** ISO weekday on which it is closed; 1 is Monday. */
  closedOn: number;
  bookings: number;
  offers: readonly DemoOffer[];
}

const offer = (title: string, durationMinutes: number, languages: string, priceAmount: number, guideDemand = 1): DemoOffer => ({
  title,
  durationMinutes,
  languages: languages.split(' '),
  guideDemand,
  priceAmount,
});

const SPREE: House = {
  code: 'spree',
  name: 'Spreeinsel-Museum',
  city: 'Berlin',
  timeZone: 'Europe/Berlin',
  locale: 'de-DE',
  currency: 'EUR',
  opensAt: 10,
  closesAt: 18,
  closedOn: 1,
  bookings: 950,
  offers: [
    offer('Stadt am Fluss: Überblicksführung', 60, 'de en fr', 9_500),
    offer('Hinter den Kulissen: Depot und Werkstatt', 90, 'de en', 14_000),
    offer('Kinder entdecken die Schleuse', 75, 'de', 8_000),
    offer('Große Gruppe: Zwei Rundgänge zugleich', 90, 'de en', 21_000, 2),
    offer('Architektur der Speicher', 120, 'de en it', 16_000),
    offer('Leichte Sprache: Das Museum in einer Stunde', 60, 'de', 7_000),
    offer('Abendführung mit Laterne', 60, 'de en', 12_500),
  ],
};

const DONAU: House = {
  code: 'donau',
  name: 'Museum am Donaukanal',
  city: 'Wien',
  timeZone: 'Europe/Vienna',
  locale: 'de-AT',
  currency: 'EUR',
  opensAt: 9,
  closesAt: 17,
  closedOn: 2,
  bookings: 850,
  offers: [
    offer('Der Kanal und seine Brücken', 60, 'de en', 9_000),
    offer('Kaffeehaus, Markt und Handel', 90, 'de en it', 13_500),
    offer('Schulprogramm: Wasser in der Stadt', 120, 'de', 11_000),
    offer('Zweisprachiger Rundgang', 90, 'de en', 19_000, 2),
    offer('Otto, Anna und der Fährmann: Familienführung', 60, 'de', 7_500),
    offer('Gemälde der Auen', 75, 'de en fr', 12_000),
  ],
};

const WHARF: House = {
  code: 'wharf',
  name: 'Wharfside Museum',
  city: 'London',
  timeZone: 'Europe/London',
  locale: 'en-GB',
  currency: 'GBP',
  opensAt: 10,
  closesAt: 17,
  closedOn: 3,
  bookings: 800,
  offers: [
    offer('Cranes, Cargo and Tides', 60, 'en de fr', 8_500),
    offer('The Ropewalk: a hands-on tour', 90, 'en', 12_000),
    offer('School visit: Where food came from', 105, 'en', 9_500),
    offer('Large party in two groups', 75, 'en de', 18_000, 2),
    offer('Maps and Pilots', 60, 'en fr it', 9_000),
    offer('Highlights in German', 60, 'de', 9_500),
  ],
};

const KAMO: House = {
  code: 'kamo',
  name: '鴨川庭園館 Kamo Garden House',
  city: 'Kyoto',
  timeZone: 'Asia/Tokyo',
  locale: 'ja-JP',
  currency: 'JPY',
  opensAt: 9,
  closesAt: 17,
  closedOn: 4,
  bookings: 400,
  offers: [
    offer('庭園と茶室', 60, 'ja en', 12_000),
    offer('四季の苔庭 Moss garden walk', 75, 'ja en', 14_000),
    offer('Tea house for large parties', 90, 'en ja', 26_000, 2),
    offer('子どものための庭めぐり', 45, 'ja', 8_000),
  ],
};

/** The first three are linked with one another, the last with nobody. */
export const LINKED_HOUSES: readonly House[] = [SPREE, DONAU, WHARF];
export const HOUSES: readonly House[] = [...LINKED_HOUSES, KAMO];

/** Every pair of linked houses. */
export const LINKED_PAIRS: readonly (readonly [House, House])[] = [
  [SPREE, DONAU],
  [SPREE, WHARF],
  [DONAU, WHARF],
];
