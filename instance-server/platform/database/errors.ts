/** The parts of a PostgreSQL error that decide; its message and detail may hold data and are never passed on. */
export interface DatabaseFault {
  code: string;
  constraint?: string;
}

/** Finds the driver's error behind whatever wraps it. */
export function databaseFault(error: unknown): DatabaseFault | undefined {
  for (let current: unknown = error; current instanceof Error; current = current.cause) {
    const candidate = current as Error & { code?: unknown; constraint?: unknown; previous?: unknown };
    if (typeof candidate.code === 'string' && /^[0-9A-Z]{5}$/.test(candidate.code)) {
      return { code: candidate.code, constraint: typeof candidate.constraint === 'string' ? candidate.constraint : undefined };
    }
  }
  return undefined;
}

export const isViolationOf = (error: unknown, constraint: string): boolean => databaseFault(error)?.constraint === constraint;
