import { type Finding, type Person, type Snapshots } from '../checker/index.js';
import { guideKey } from './people.js';
import type { Scene } from './workload/index.js';

const CALENDAR = 'query ($range: TimeRangeInput!) { me { guide { calendar(range: $range) { id start end origin offerTitle instance { code } } } } }';
const SPAN_MS = 60 * 86_400_000;

interface Entry {
  id: string;
  start: string;
  end: string;
  origin: string;
  offerTitle: string;
  instance: { code: string };
}

const write = (id: string, start: string, end: string, title: string | undefined, house: string, origin: string): string =>
  JSON.stringify([id, new Date(start).toISOString(), new Date(end).toISOString(), title, house, origin]);

/** What a person sees from one of his houses: all that is his, and whose it is. */
function expected(person: Person, home: string, snapshots: Snapshots, range: { start: string; end: string }): string[] {
  const partners = person.couplings.filter(({ houses }) => houses.includes(home)).flatMap(({ houses }) => houses);
  return [...new Set([home, ...partners])].flatMap((house) => {
    const snapshot = snapshots[house];
    return (snapshot?.assignments ?? [])
      .filter(({ guideId, ended, start, end }) => guideId === person.guideIds[house] && !ended && start < range.end && end > range.start)
      .map(({ id, start, end, bookingId, kind }) => {
        const booking = snapshot?.bookings.find((candidate) => candidate.id === bookingId);
        const title = kind === 'BLOCK' ? snapshot?.blockTitle : snapshot?.offers.find((offer) => offer.id === booking?.offerId)?.title;
        return write(id, start, end, title, house, house === home ? 'LOCAL' : 'FOREIGN');
      });
  });
}

/** Every guide's calendar at the gateway and at his own house, against what stands in the databases. */
export async function calendarsOf(scene: Scene, snapshots: Snapshots): Promise<Finding[]> {
  const findings: Finding[] = [];
  const range = { start: new Date(scene.firstSlot - SPAN_MS).toISOString(), end: new Date(scene.firstSlot + SPAN_MS).toISOString() };
  for (const person of scene.people.persons) {
    for (const house of Object.keys(person.guideIds)) {
      const account = scene.people.guides.get(guideKey(house, person.name));
      if (!account) continue;
      for (const via of ['gateway', 'direct'] as const) {
        const reply = await scene.caller.ask(account, via, CALENDAR, { range });
        const where = `${person.name} in ${house}, ${via}`;
        if (reply.kind !== 'data') {
          findings.push({ check: 'calendar', house, detail: `${where}: no answer (${JSON.stringify(reply)})` });
          continue;
        }
        const { calendar } = (reply.data['me'] as { guide: { calendar: Entry[] } }).guide;
        const shown = new Set(calendar.map((entry) => write(entry.id, entry.start, entry.end, entry.offerTitle, entry.instance.code, entry.origin)));
        const wanted = expected(person, house, snapshots, range);
        const missing = wanted.filter((entry) => !shown.has(entry)).length;
        if (missing > 0 || shown.size !== wanted.length) findings.push({ check: 'calendar', house, detail: `${where}: ${missing} of ${wanted.length} entries missing or different, ${shown.size} shown` });
      }
    }
  }
  return findings;
}
