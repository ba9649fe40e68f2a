import type { JsonWebKey } from 'node:crypto';
import type { Clock } from '../../platform/clock.js';
import type { InstanceSecret } from '../../platform/crypto.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { notFound } from '../../platform/errors/user-error.js';
import { publish } from '../../platform/events/events.js';
import { generateKeyPair, publicKeyFromJwk, thumbprint } from '../../platform/keys.js';
import type { AuditAction, AuditService } from '../audit/index.js';
import type { KnownLink, LinkDirectory } from './link.directory.js';
import { type PartnerActions, PartnerCallError } from './partner-actions.js';
import type { PartnerClient } from './partner-client.js';
import { type PartnerMessage, partnerMessages } from './partner-messages.js';

/** How long a key is accepted still after another one was seen in its place: longer than any call or grant it signed can live. */
export const KEY_OVERLAP_MS = 24 * 3_600_000;

export interface RotatedLinkKey {
  /** The new key. */
  kid: string;
  /** Whether the partner has it, so that it signs from now on. If not, he is told until he has. */
  inUse: boolean;
}

/**
 * Responsible for the keys of links, which change without a break: a new key is handed over signed with the old one, signs only once the
 * partner has said that he has it, and the old one is accepted for a while after the new one was first seen. Every step can be repeated,
 * and both sides may be at it at once. Works as worker, which alone may touch keys.
 */
export class LinkKeys {
  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly partners: PartnerClient,
    private readonly secret: InstanceSecret,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  actions(): PartnerActions {
    return new Map([
      [
        'link/rotate',
        {
          schema: partnerMessages['link/rotate'],
          whileSuspended: true,
          withNewestKey: true,
          apply: (tx, link, message, now) => this.#pinned(tx, link, message as PartnerMessage<'link/rotate'>, now),
        },
      ],
    ]);
  }

  /** Makes a key that the partner does not have yet; the partner need not be asked for it. `inUse`: the two sides agree on it already. */
  async make(tx: Tx, linkId: string, now: Date, inUse: boolean): Promise<JsonWebKey> {
    const pair = generateKeyPair();
    await tx
      .insertInto('link_key')
      .values({
        link_id: linkId,
        kid: pair.kid,
        side: 'OWN',
        public_jwk: JSON.stringify(pair.publicJwk) as never,
        private_key_encrypted: this.secret.encrypt(pair.privatePem),
        created_at: now,
        in_use_since: inUse ? now : null,
      })
      .execute();
    return pair.publicJwk;
  }

  /** @throws Refusal NOT_FOUND without an active link. */
  async rotate(partnerCode: string): Promise<RotatedLinkKey> {
    await this.directory.fresh();
    const link = this.directory.byPartner(partnerCode);
    if (link?.state !== 'ACTIVE') throw notFound('partner');
    const now = this.clock.now();
    await this.database.worker.transaction(async (tx) => {
      await lockLink(tx, link.id);
      if (await waiting(tx, link.id)) return;
      const { kid } = await this.make(tx, link.id, now, false);
      await this.#log(tx, 'link.key-rotated', link.id, now, { kid: String(kid) });
    });
    return this.handOver(link);
  }

  /**
   * A key that signs at once, for when the partner does not accept ours any more: a copy that is older than the last rotation was put
   * back. It is handed over by the operators, and nothing is heard there until then.
   */
  async renew(tx: Tx, linkId: string, now: Date): Promise<JsonWebKey> {
    await lockLink(tx, linkId);
    await tx.deleteFrom('link_key').where('link_id', '=', linkId).where('side', '=', 'OWN').where('in_use_since', 'is', null).execute();
    const publicJwk = await this.make(tx, linkId, now, true);
    await replace(tx, linkId, 'OWN', String(publicJwk.kid), now);
    await this.#log(tx, 'link.key-rotated', linkId, now, { kid: String(publicJwk.kid) });
    return publicJwk;
  }

  /** The partner's key, as his operator handed it over: in the place of those he had. */
  async pin(tx: Tx, linkId: string, publicJwk: JsonWebKey, now: Date): Promise<void> {
    await lockLink(tx, linkId);
    const kid = thumbprint(publicJwk);
    await tx
      .insertInto('link_key')
      .values({ link_id: linkId, kid, side: 'PARTNER', public_jwk: JSON.stringify(publicJwk) as never, private_key_encrypted: null, created_at: now, in_use_since: now })
      .onConflict((conflict) => conflict.columns(['link_id', 'kid']).doUpdateSet({ in_use_since: now, accepted_until: null }))
      .execute();
    await replace(tx, linkId, 'PARTNER', kid, now);
  }

  /** Keys whose partners have not said that they have them. */
  async handOverAll(): Promise<void> {
    await this.directory.fresh();
    const rows = await this.database.worker.sql.selectFrom('link_key').select('link_id').distinct().where('side', '=', 'OWN').where('in_use_since', 'is', null).execute();
    for (const { link_id } of rows) {
      const link = this.directory.byId(link_id);
      if (link?.state === 'ACTIVE') await this.handOver(link);
    }
  }

  async handOver(link: KnownLink): Promise<RotatedLinkKey> {
    const key = await waiting(this.database.worker.sql, link.id);
    // Handed over meanwhile, by another replica.
    if (!key) return { kid: link.ownKey?.kid ?? '', inUse: true };
    const { kty, crv, x, y } = key.public_jwk as JsonWebKey;
    const told = () =>
      this.partners.call(link, '/partner/v1/link/rotate', { publicJwk: { kty, crv, x, y } }).then(
        () => true,
        () => false,
      );
    if (!(await told())) return { kid: key.kid, inUse: false };
    await this.#use(link.id, key.kid);
    await this.directory.reread();
    // Signed with the new key: the partner sees it in use and lets the old one run out. Any other call does so too.
    const renewed = this.directory.byId(link.id);
    if (renewed) await this.partners.call(renewed, '/partner/v1/link/rotate', { publicJwk: { kty, crv, x, y } }).catch(() => undefined);
    return { kid: key.kid, inUse: true };
  }

  async #use(linkId: string, kid: string): Promise<void> {
    const now = this.clock.now();
    await this.database.worker.transaction(async (tx) => {
      await lockLink(tx, linkId);
      await use(tx, linkId, 'OWN', kid, now);
    });
  }

  /** The partner will sign with this key. At most one waits at a time: he uses or repeats the one he has made. */
  async #pinned(tx: Tx, link: KnownLink, { publicJwk }: PartnerMessage<'link/rotate'>, now: Date): Promise<Record<string, unknown>> {
    try {
      publicKeyFromJwk(publicJwk);
    } catch {
      throw new PartnerCallError(400, 'MALFORMED');
    }
    const kid = thumbprint(publicJwk);
    await lockLink(tx, link.id);
    const known = await tx.selectFrom('link_key').select('kid').where('link_id', '=', link.id).where('kid', '=', kid).executeTakeFirst();
    if (known) return { ok: true, kid };
    await tx.deleteFrom('link_key').where('link_id', '=', link.id).where('side', '=', 'PARTNER').where('in_use_since', 'is', null).execute();
    await tx
      .insertInto('link_key')
      .values({ link_id: link.id, kid, side: 'PARTNER', public_jwk: JSON.stringify(publicJwk) as never, private_key_encrypted: null, created_at: now })
      .execute();
    await this.audit.record(tx, { kind: 'PARTNER_INSTANCE', code: link.partnerCode }, now, { action: 'link.key-rotated', subjectType: 'link', subjectId: link.id, after: { kid } });
    await publish(tx, { kind: 'links' });
    return { ok: true, kid };
  }

  #log(tx: Tx, action: AuditAction, linkId: string, now: Date, after: Record<string, unknown>): Promise<void> {
    return this.audit.record(tx, { kind: 'OPERATOR' }, now, { action, subjectType: 'link', subjectId: linkId, after });
  }
}

/** A partner's call came with this key: from its first use on, those before it run out. */
export async function keyWasUsed(tx: Tx, link: KnownLink, kid: string, now: Date): Promise<void> {
  if (link.partnerKeys.get(kid)?.isInUse !== false) return;
  await lockLink(tx, link.id);
  await use(tx, link.id, 'PARTNER', kid, now);
}

/** From now on; not one that is in use already, or that was replaced by another before it came to that. */
async function use(tx: Tx, linkId: string, side: 'OWN' | 'PARTNER', kid: string, now: Date): Promise<void> {
  const first = await tx
    .updateTable('link_key')
    .set({ in_use_since: now })
    .where('link_id', '=', linkId)
    .where('side', '=', side)
    .where('kid', '=', kid)
    .where('in_use_since', 'is', null)
    .returning('kid')
    .executeTakeFirst();
  if (!first) return;
  await replace(tx, linkId, side, kid, now);
  await publish(tx, { kind: 'links' });
}

/** Those in use before this one run out; one that waits is none of them. */
async function replace(tx: Tx, linkId: string, side: 'OWN' | 'PARTNER', kid: string, now: Date): Promise<void> {
  await tx
    .updateTable('link_key')
    .set({ accepted_until: new Date(now.getTime() + KEY_OVERLAP_MS) })
    .where('link_id', '=', linkId)
    .where('side', '=', side)
    .where('kid', '<>', kid)
    .where('in_use_since', 'is not', null)
    .where('accepted_until', 'is', null)
    .execute();
}

/** Keys whose time is over. */
export async function removeOldKeys(tx: Tx, now: Date): Promise<void> {
  await tx.deleteFrom('link_key').where('accepted_until', '<', now).execute();
}

async function lockLink(tx: Tx, linkId: string): Promise<void> {
  await tx.selectFrom('link').select('id').where('id', '=', linkId).forNoKeyUpdate().execute();
}

async function waiting(tx: Tx, linkId: string) {
  return tx
    .selectFrom('link_key')
    .select(['kid', 'public_jwk'])
    .where('link_id', '=', linkId)
    .where('side', '=', 'OWN')
    .where('in_use_since', 'is', null)
    .executeTakeFirst();
}
