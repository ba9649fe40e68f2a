import { MikroORM } from '@mikro-orm/postgresql';
import type { Kysely, Transaction } from 'kysely';
import pg from 'pg';
import { entities, type DB } from '../../entities.js';
import type { InstanceSecret } from '../crypto.js';
import { roleUrl } from './roles.js';

/** A query builder inside a transaction; what a service hands to repositories. */
export type Tx = Kysely<DB> | Transaction<DB>;

export interface DatabaseOptions {
  /** Host, port and database; user and password are those of the roles. */
  url: string;
  secret: InstanceSecret;
  poolSize: number;
  statementTimeoutMs: number;
}

/** Longest wait for a free connection: a full pool is a fault to be told, not a queue without end. */
const CONNECTION_WAIT_MS = 10_000;

/** One statement each, and a short one. */
const ASIDE = 2;

const TIMESTAMPTZ = 1184;

/** `2026-06-01 08:00:00.5+00` as `2026-06-01T08:00:00.500Z`: hot reads are answered as text, so no Date is made of it in between. */
const toIsoText = (value: string): string => `${value.slice(0, 10)}T${value.slice(11, 19)}.${value.slice(20, -3).padEnd(3, '0').slice(0, 3)}Z`;

const hotTypeParser: pg.CustomTypesConfig['getTypeParser'] = (oid, format) =>
  Number(oid) === TIMESTAMPTZ && format !== 'binary' ? (toIsoText as never) : (pg.types.getTypeParser(oid as never, format as never) as never);

/** One login role with a pool of its own, and a query builder over it. */
class RolePool {
  /** Outside a transaction. Made once: it holds nothing but the pool, and a fork for every read costs more than the reading. */
  readonly sql: Kysely<DB>;

  constructor(private readonly orm: MikroORM) {
    this.sql = orm.em.fork().getKysely() as unknown as Kysely<DB>;
  }

  /**
   * Commits when `work` resolves, rolls back when it rejects. Not the ORM's own transactions: where the database went away in the midst of
   * one, it keeps the connection for good (github.com/kysely-org/kysely/issues/1990), and some restarts later the pool is empty.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.sql.transaction().execute(work);
  }

  /** Several reads that see one and the same state. */
  snapshot<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.sql.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work);
  }

  close(): Promise<void> {
    return this.orm.close(true);
  }
}

/**
 * The instance's database, reached through four login roles. Which pool is used decides what can be read at all:
 * `app` for everything of this house, `guide` for one guide's calendar, `partner` for the redacted views, `worker` for keys,
 * links and housekeeping. `aside` is the worker's too, for what is committed by itself while a transaction is open: a connection of
 * `worker` could be waited for in vain, since all who have one may wait for that transaction.
 */
export class Database {
  private constructor(
    readonly app: RolePool,
    readonly worker: RolePool,
    readonly guide: pg.Pool,
    readonly partner: pg.Pool,
    readonly aside: pg.Pool,
    readonly workerUrl: string,
  ) {}

  static async open({ url, secret, poolSize, statementTimeoutMs }: DatabaseOptions): Promise<Database> {
    const orm = (role: 'app' | 'worker') =>
      MikroORM.init({
        entities: [...entities],
        clientUrl: roleUrl(url, role, secret),
        pool: { min: 0, max: poolSize },
        driverOptions: {
          statement_timeout: statementTimeoutMs,
          lock_timeout: statementTimeoutMs,
          idle_in_transaction_session_timeout: statementTimeoutMs,
          connectionTimeoutMillis: CONNECTION_WAIT_MS,
          application_name: `lotse-${role}`,
          // The ORM leaves instants as text for its entities to convert; plain rows want them as Date, like those of the bare pools.
          types: { getTypeParser: pg.types.getTypeParser },
        },
        // Migrations alone change the schema.
        ensureDatabase: false,
        debug: false,
      });
    const pool = (role: 'guide' | 'partner' | 'worker', max: number, name: string = role) => {
      const created = new pg.Pool({
        connectionString: roleUrl(url, role, secret),
        max,
        statement_timeout: statementTimeoutMs,
        lock_timeout: statementTimeoutMs,
        connectionTimeoutMillis: CONNECTION_WAIT_MS,
        application_name: `lotse-${name}`,
        options: '-c TimeZone=UTC -c DateStyle=ISO',
        types: { getTypeParser: hotTypeParser },
      });
      // A connection that breaks while idle is replaced by the pool; the error is not one of any request.
      created.on('error', () => undefined);
      return created;
    };
    const [app, worker] = await Promise.all([orm('app'), orm('worker')]);
    return new Database(new RolePool(app), new RolePool(worker), pool('guide', poolSize), pool('partner', poolSize), pool('worker', ASIDE, 'aside'), roleUrl(url, 'worker', secret));
  }

  async close(): Promise<void> {
    await Promise.all([this.app.close(), this.worker.close(), this.guide.end(), this.partner.end(), this.aside.end()]);
  }
}
