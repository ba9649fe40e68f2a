import pg from 'pg';
import { provision } from '../setup/provision.js';
import { openSeed, sharedHash } from '../seed/seed.js';
import type { DemoAccount } from './folder.js';
import type { House } from './houses.js';
import { DEMO_PASSWORD, type HousePlan } from './season.js';

export const databaseOf = (house: House): string => `lotse_${house.code}`;

/** Deletes the houses' databases: the remains of a first start that was cut off, or of lost secrets. */
export async function dropDatabases(adminUrl: string, houses: readonly House[]): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    for (const house of houses) await client.query(`drop database if exists ${pg.escapeIdentifier(databaseOf(house))} with (force)`);
  } finally {
    await client.end();
  }
}

/** Whether every house's database is there; one that is not has lost its season. */
export async function areDatabasesThere(adminUrl: string, houses: readonly House[]): Promise<boolean> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = any ($1)', [houses.map(databaseOf)]);
    return rowCount === houses.length;
  } finally {
    await client.end();
  }
}

/** Makes the house's database, or brings it to this release. Resolves to its address. */
export async function prepareDatabase(adminUrl: string, house: House, secret: string): Promise<string> {
  const { url } = await provision(adminUrl, databaseOf(house), secret, {
    code: house.code,
    name: house.name,
    url: `https://${house.code}.example`,
    logo: `https://${house.code}.example/logo.svg`,
    homepage: `https://${house.code}.example`,
    timeZone: house.timeZone,
    locale: house.locale,
    currency: house.currency,
  });
  return url;
}

/** Everything but couplings, which need links. Resolves to the accounts made. */
export async function plantHouse(databaseUrl: string, secret: string, plan: HousePlan): Promise<DemoAccount[]> {
  await sharedHash(DEMO_PASSWORD);
  const seed = await openSeed(databaseUrl, secret);
  try {
    await seed.transaction(async () => {
      await seed.offers(plan.offers);
      await seed.guides(plan.guides);
      await seed.accounts(plan.accounts);
      await seed.bookings(plan.bookings);
      await seed.availabilityRules(plan.rules);
    });
  } finally {
    await seed.close();
  }
  return plan.accounts.flatMap(({ email, roles, guideId }) =>
    roles.map((role) => ({ instance: plan.house.code, role, email, password: DEMO_PASSWORD, ...(guideId !== undefined && { guideId }) })),
  );
}

export async function plantCouplings(databaseUrl: string, secret: string, plan: HousePlan): Promise<void> {
  const seed = await openSeed(databaseUrl, secret);
  try {
    await seed.couplings(plan.couplings.map(({ partnerCode, ...coupling }) => ({ ...coupling, link: { partnerCode } })));
  } finally {
    await seed.close();
  }
}

/**
 * Tells a house where its partners listen today: ports may differ from the last start's. Houses with fixed addresses
 * never need this, so no operator's command does it.
 */
export async function correctPartnerEndpoints(databaseUrl: string, secret: string, endpoints: ReadonlyMap<string, string>): Promise<void> {
  const seed = await openSeed(databaseUrl, secret);
  try {
    await seed.query(
      `with changed as (
         update link l set partner_endpoint = e.endpoint from unnest($1::text[], $2::text[]) as e (code, endpoint)
         where l.partner_code = e.code and l.state <> 'ENDED' and l.partner_endpoint <> '' and l.partner_endpoint <> e.endpoint
         returning l.id)
       select pg_notify('lotse_event', '{"kind":"links"}') from changed limit 1`,
      [[...endpoints.keys()], [...endpoints.values()]],
    );
  } finally {
    await seed.close();
  }
}
