import { z } from 'zod';

const DAY_MS = 86_400_000;
/** Longest interval that is one at all; what is taken is bounded further. */
const MAX_INTERVAL_MS = 366 * DAY_MS;

const instant = z.iso.datetime({ precision: 3 }).refine((text) => text >= '1970-01-01' && text < '2200-01-01');

export const assignmentFields = {
  start: instant,
  end: instant,
  title: z.string().max(200).regex(/^\P{Cc}*$/u).nullable(),
  booking: z.enum(['BOOKING', 'BLOCK']),
};

export const isInterval = ({ start, end }: { start: string; end: string }): boolean =>
  Date.parse(end) > Date.parse(start) && Date.parse(end) - Date.parse(start) <= MAX_INTERVAL_MS;

/** When, under which public title, and of which kind. Source: DOMAIN §2 "What leaves an instance". */
export const assignmentFacts = z.strictObject(assignmentFields).refine(isInterval);
