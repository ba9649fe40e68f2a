import { type Finding, isCoupledIn, type Person, personOf, type World } from './history.js';
import { at, decidedOf, type Held, overlap, type Snapshots } from './replicas.js';
import type { ClaimRow } from './snapshot.js';

/** Living assignments in conflict: each stands against a verified one, or the keeper would have given it the time, unless the guide disputes it there. */
function unreasonable(person: Person, snapshots: Snapshots): Finding[] {
  const verified = decidedOf(person, snapshots, 'VERIFIED');
  const disputed = new Set(Object.values(snapshots).flatMap(({ claims }) => claims.filter(({ state }) => state === 'DISPUTED').map(({ id }) => id)));
  const his = Object.entries(person.guideIds).flatMap(([house, guideId]) => at(snapshots, house).claims.filter((claim) => claim.guideId === guideId && claim.state === 'VERIFIED'));
  const ended = person.ends ? releasedLate(his, snapshots) : new Set<string>();
  const late = his.filter(({ id }) => ended.has(id));
  return decidedOf(person, snapshots, 'CONFLICT')
    .filter(({ row }) => !disputed.has(row.id) && !verified.some((other) => overlap(row, other.row)) && !late.some((claim) => overlap(row, claim)))
    .map(({ house, row }) => ({ check: 'claim', house, detail: `assignment ${row.id} of ${person.name} is in conflict with nothing` }));
}

/** A claim is disputed where its keeper's copy of the booking is. */
function disputedOf(person: Person, snapshots: Snapshots): Finding[] {
  return Object.entries(person.guideIds).flatMap(([house, guideId]) => {
    const { claims, foreign } = at(snapshots, house);
    const isDisputed = new Map(foreign.filter((copy) => copy.guideId === guideId && !copy.ended).map(({ id, disputed }) => [id, disputed]));
    return claims
      .filter((claim) => claim.guideId === guideId && claim.holder !== house && isDisputed.has(claim.id) && isDisputed.get(claim.id) !== (claim.state === 'DISPUTED'))
      .map(({ id, state }): Finding => ({ check: 'claim', house, detail: `${person.name}: the claim of ${id} is ${state}, which he ${isDisputed.get(id) ? 'disputes' : 'does not dispute'}` }));
  });
}

/**
 * Claims whose assignments have ended. A release that waited for a keeper whose coupling ended is not said to his successor: there the
 * comparison of claims finds it, every half hour.
 */
function releasedLate(claims: readonly ClaimRow[], snapshots: Snapshots): Set<string> {
  const isEnded = ({ id, holder }: ClaimRow): boolean => snapshots[holder]?.assignments.some((row) => row.id === id && row.ended) === true;
  return new Set(claims.filter(isEnded).map(({ id }) => id));
}

/** Everybody agrees on who keeps the claims; he holds exactly those that are verified, and nobody else holds any. */
function claimsOf(person: Person, snapshots: Snapshots): Finding[] {
  const say = (detail: string, house?: string): Finding => ({ check: 'claim', ...(house !== undefined && { house }), detail: `${person.name}: ${detail}` });
  const houses = Object.entries(person.guideIds);
  const keepers = new Set(houses.map(([house, guideId]) => at(snapshots, house).guides.find(({ id }) => id === guideId)?.keeper ?? 'nobody'));
  if (keepers.size > 1) return [say(`his houses name different keepers: ${[...keepers].join(', ')}`)];
  const [keeper = ''] = keepers;
  const write = (id: string, holder: string, version: number, start: string, end: string): string => `${id} of ${holder}, version ${version}, ${start} to ${end}`;
  const findings: Finding[] = [];
  for (const [house, guideId] of houses) {
    // With a new coupling another house may keep his claims: the former one hands over what it has every few minutes.
    if (person.ends && house !== keeper) continue;
    const claims = at(snapshots, house).claims.filter((claim) => claim.guideId === guideId && claim.state === 'VERIFIED');
    const kept = new Set(claims.map(({ id, holder, version, start, end }) => write(id, holder, version, start, end)));
    const held = house === keeper ? new Set(decidedOf(person, snapshots, 'VERIFIED').map(textOf)) : new Set<string>();
    for (const text of held) if (!kept.has(text)) findings.push(say(`verified, but no claim of it is kept: ${text}`, house));
    const late = person.ends ? releasedLate(claims, snapshots) : new Set<string>();
    for (const { id, holder, version, start, end } of claims) if (late.has(id)) kept.delete(write(id, holder, version, start, end));
    for (const text of kept) if (!held.has(text)) findings.push(say(`a claim is kept that its holder denies: ${text}`, house));
  }
  return findings;

  function textOf({ house, row }: Held): string {
    return write(row.id, house, row.claimVersion, row.start, row.end);
  }
}

/** Whoever is coupled nowhere, or no more, needs nobody's word. */
function needless(person: Person, snapshots: Snapshots): Finding[] {
  return Object.entries(person.guideIds).flatMap(([house, guideId]) =>
    at(snapshots, house)
      .claims.filter((claim) => claim.guideId === guideId)
      .map(({ id, holder }): Finding => ({ check: 'claim', house, detail: `${person.name} is coupled nowhere, and a claim of ${holder} is kept: ${id}` })),
  );
}

/** After quiet every assignment of a coupled guide has been decided, rightly, and is kept as it was decided. */
export function checkClaims(world: World, snapshots: Snapshots): Finding[] {
  const findings: Finding[] = [];
  for (const snapshot of Object.values(snapshots)) {
    for (const row of snapshot.assignments) {
      const person = personOf(world, snapshot.code, row.guideId);
      if (row.ended || !person) continue;
      const wanted = isCoupledIn(person, snapshot.code) ? ['VERIFIED', 'CONFLICT'] : ['NOT_NEEDED'];
      if (!wanted.includes(row.verification)) findings.push({ check: 'claim', house: snapshot.code, detail: `assignment ${row.id} of ${person.name} is ${row.verification}` });
    }
  }
  for (const person of world.persons) {
    if (person.couplings.length > 0) findings.push(...claimsOf(person, snapshots), ...unreasonable(person, snapshots), ...disputedOf(person, snapshots));
    else findings.push(...needless(person, snapshots));
  }
  return findings;
}
