import type { JsonWebKey, KeyObject } from 'node:crypto';
import { sql } from 'kysely';
import type { Clock } from '../../platform/clock.js';
import type { InstanceSecret } from '../../platform/crypto.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { type EventHub, publish, reloadPersistently } from '../../platform/events/events.js';
import { generateKeyPair, privateKeyFromPem, publicKeyFromJwk } from '../../platform/keys.js';

interface SigningKey {
  kid: string;
  publicJwk: JsonWebKey;
  publicKey: KeyObject;
  privateKey: KeyObject;
  activeFrom: Date;
  acceptedUntil: Date | null;
}

/** A new key is published this long before it signs, so that every verifier has fetched it by then (gateways poll every 30 s). */
const PUBLISH_AHEAD_MS = 60_000;
/** The old key is accepted until the last token it signed has expired, and a little more. */
const OVERLAP_MS = 400_000;

/** Responsible for the keys of access tokens; talks to the worker role alone, which only it and links use for keys. */
export class SigningKeys {
  #keys: SigningKey[] = [];

  constructor(
    private readonly database: Database,
    private readonly secret: InstanceSecret,
    private readonly clock: Clock,
    events: EventHub,
  ) {
    events.listen((event) => {
      if (event.kind === 'keys' || event.kind === 'gap') reloadPersistently(() => this.load());
    });
  }

  /** Loads the keys; the first replica to start makes the first one. */
  async load(): Promise<void> {
    const rows = await this.database.worker.transaction(async (tx) => {
      await sql`select pg_advisory_xact_lock(hashtext('lotse.signing_key'))`.execute(tx);
      const now = this.clock.now();
      await tx.deleteFrom('signing_key').where('accepted_until', '<', now).execute();
      const existing = await tx.selectFrom('signing_key').selectAll().orderBy('active_from', 'desc').execute();
      return existing.length > 0 ? existing : [await this.#insert(tx, now, now)];
    });
    this.#keys = rows.map((row) => ({
      kid: row.kid,
      publicJwk: row.public_jwk as JsonWebKey,
      publicKey: publicKeyFromJwk(row.public_jwk as JsonWebKey),
      privateKey: privateKeyFromPem(this.secret.decrypt(row.private_key_encrypted)),
      activeFrom: row.active_from,
      acceptedUntil: row.accepted_until,
    }));
  }

  async #insert(tx: Tx, now: Date, activeFrom: Date) {
    const pair = generateKeyPair();
    return tx
      .insertInto('signing_key')
      .values({
        kid: pair.kid,
        public_jwk: JSON.stringify(pair.publicJwk) as never,
        private_key_encrypted: this.secret.encrypt(pair.privatePem),
        created_at: now,
        active_from: activeFrom,
        accepted_until: null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
  }

  /** Publishes a new key now, lets it sign after a minute and accepts the older ones until their last tokens are gone. */
  async rotate(tx: Tx): Promise<{ kid: string; activeFrom: Date }> {
    await sql`select pg_advisory_xact_lock(hashtext('lotse.signing_key'))`.execute(tx);
    const now = this.clock.now();
    const activeFrom = new Date(now.getTime() + PUBLISH_AHEAD_MS);
    await tx
      .updateTable('signing_key')
      .set({ accepted_until: new Date(activeFrom.getTime() + OVERLAP_MS) })
      .where('accepted_until', 'is', null)
      .execute();
    const row = await this.#insert(tx, now, activeFrom);
    await publish(tx, { kind: 'keys' });
    return { kid: row.kid, activeFrom: row.active_from };
  }

  /** The key that signs now. */
  current(): { kid: string; privateKey: KeyObject } {
    const now = this.clock.now();
    const key = this.#keys.find((candidate) => candidate.activeFrom <= now) ?? this.#keys.at(-1);
    if (!key) throw new Error('signing keys are not loaded');
    return key;
  }

  find(kid: string): KeyObject | undefined {
    const now = this.clock.now();
    return this.#keys.find((key) => key.kid === kid && (key.acceptedUntil === null || key.acceptedUntil > now))?.publicKey;
  }

  /** JWKS: what verifiers must accept, the coming key included. */
  jwks(): { keys: JsonWebKey[] } {
    const now = this.clock.now();
    return { keys: this.#keys.filter((key) => key.acceptedUntil === null || key.acceptedUntil > now).map((key) => key.publicJwk) };
  }
}
