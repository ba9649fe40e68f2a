import type { JsonWebKey } from 'node:crypto';
import type { Clock } from '../../platform/clock.js';
import { newId } from '../../platform/crypto.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { isViolationOf } from '../../platform/database/errors.js';
import { AlreadyExistsError, InputReason, invalidInput, notFound, Refusal } from '../../platform/errors/user-error.js';
import { publish } from '../../platform/events/events.js';
import { publicKeyFromJwk } from '../../platform/keys.js';
import { checkText } from '../../platform/validation.js';
import type { AuditAction, AuditService } from '../audit/index.js';
import type { SettingsStore } from '../settings/index.js';
import type { CouplingEndings } from './coupling.endings.js';
import type { LinkDirectory } from './link.directory.js';
import type { LinkKeys } from './link.keys.js';
import type { LinkNotices } from './link.notices.js';
import type { PartnerClient } from './partner-client.js';

/** What one operator hands the other: enough to call this side and to check its signatures. */
export interface LinkOffer {
  linkId: string;
  code: string;
  name: string;
  url: string;
  endpoint: string;
  publicJwk: JsonWebKey;
}

export interface LinkStatus {
  id: string;
  partnerCode: string;
  partnerName: string;
  partnerUrl: string;
  partnerEndpoint: string;
  state: string;
  suspendedHere: boolean;
  suspendedThere: boolean;
  keys: LinkKeyStatus[];
}

export interface LinkKeyStatus {
  kid: string;
  /** OWN or PARTNER */
  side: string;
  /** Null while the other side has not said, or shown, that it has it. */
  inUseSince: Date | null;
  /** Null for those that nothing has replaced. */
  acceptedUntil: Date | null;
}

const ACTOR = { kind: 'OPERATOR' } as const;

/**
 * Responsible for links: operators of both sides exchange offers, which pins each other's key; either may suspend or end.
 * Works as worker, which alone may touch keys.
 */
export class LinkService {
  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly partners: PartnerClient,
    private readonly keys: LinkKeys,
    private readonly notices: LinkNotices,
    private readonly endings: CouplingEndings,
    private readonly settings: SettingsStore,
    private readonly audit: AuditService,
    private readonly clock: Clock,
    /** Where partners reach this instance. */
    private readonly ownEndpoint: () => string,
  ) {}

  /** First step, on one side: makes our key and gives the offer for the other operator. */
  async propose(partnerCode: string): Promise<LinkOffer> {
    if (partnerCode === this.settings.current.code) throw invalidInput('partner', InputReason.CONFLICTING, 'An instance is not linked with itself.');
    return this.#inTransaction(async (tx) => {
      const now = this.clock.now();
      const id = newId();
      await tx
        .insertInto('link')
        .values({ id, partner_code: partnerCode, partner_name: '', partner_url: '', partner_endpoint: '', state: 'PROPOSED', created_at: now, updated_at: now })
        .execute();
      await this.#log(tx, 'link.proposed', id, now, { partnerCode });
      return this.#offer(id, await this.keys.make(tx, id, now, true));
    });
  }

  /** Second step, on the other side: pins the proposer's key, is active at once and gives the answer for the proposer's operator. */
  async accept(offer: LinkOffer): Promise<LinkOffer> {
    if (offer.code === this.settings.current.code) throw invalidInput('offer', InputReason.CONFLICTING, 'This offer is our own.');
    return this.#inTransaction(async (tx) => {
      const now = this.clock.now();
      await tx
        .insertInto('link')
        .values({
          id: offer.linkId,
          partner_code: offer.code,
          partner_name: offer.name,
          partner_url: offer.url,
          partner_endpoint: offer.endpoint,
          scopes: ['guide-sync'],
          state: 'ACTIVE',
          created_at: now,
          updated_at: now,
        })
        .execute();
      await this.#pin(tx, offer, now);
      await this.#log(tx, 'link.activated', offer.linkId, now, { partnerCode: offer.code });
      return this.#offer(offer.linkId, await this.keys.make(tx, offer.linkId, now, true));
    });
  }

  /** Third step, back on the first side: pins the answerer's key; now both are active. */
  async complete(answer: LinkOffer): Promise<LinkStatus> {
    await this.#inTransaction(async (tx) => {
      const now = this.clock.now();
      const updated = await tx
        .updateTable('link')
        .set((eb) => ({
          partner_name: answer.name,
          partner_url: answer.url,
          partner_endpoint: answer.endpoint,
          scopes: ['guide-sync'],
          state: 'ACTIVE',
          updated_at: now,
          version: eb('version', '+', 1),
        }))
        .where('id', '=', answer.linkId)
        .where('partner_code', '=', answer.code)
        .where('state', '=', 'PROPOSED')
        .returning('id')
        .executeTakeFirst();
      if (!updated) throw notFound('answer.linkId');
      await this.#pin(tx, answer, now);
      await this.#log(tx, 'link.activated', answer.linkId, now, { partnerCode: answer.code });
    });
    return this.status(answer.code);
  }

  /** The partner has another address or name now. Keys stay: whoever answers there must still hold his. */
  async move(input: { partner: string; endpoint?: string; url?: string; name?: string }): Promise<LinkStatus> {
    const changes = {
      ...(input.endpoint !== undefined && { partner_endpoint: input.endpoint }),
      ...(input.url !== undefined && { partner_url: input.url }),
      ...(input.name !== undefined && { partner_name: checkText(input.name, 'name', { max: 200 }) }),
    };
    await this.#inTransaction(async (tx) => {
      const now = this.clock.now();
      const before = await tx.selectFrom('link').selectAll().where('partner_code', '=', input.partner).where('state', '<>', 'ENDED').forNoKeyUpdate().executeTakeFirst();
      if (!before) throw notFound('partner');
      await tx
        .updateTable('link')
        .set((eb) => ({ ...changes, updated_at: now, version: eb('version', '+', 1) }))
        .where('id', '=', before.id)
        .execute();
      await this.audit.record(tx, ACTOR, now, {
        action: 'link.moved',
        subjectType: 'link',
        subjectId: before.id,
        before: { endpoint: before.partner_endpoint, url: before.partner_url, name: before.partner_name },
        after: changes,
      });
    });
    return this.status(input.partner);
  }

  /** A new key of ours, in use at once, for the partner's operator to pin by hand: see LinkKeys.renew. */
  renew(partnerCode: string): Promise<LinkOffer> {
    return this.#inTransaction(async (tx) => {
      const link = await active(tx, partnerCode);
      if (!link) throw notFound('partner');
      return this.#offer(link.id, await this.keys.renew(tx, link.id, this.clock.now()));
    });
  }

  /** The partner's new key, handed over by his operator. Nothing else of the link changes. */
  async pin(offer: LinkOffer): Promise<LinkStatus> {
    await this.#inTransaction(async (tx) => {
      const link = await active(tx, offer.code);
      if (link?.id !== offer.linkId) throw notFound('offer.linkId');
      const now = this.clock.now();
      await this.#pin(tx, offer, now);
      await this.#log(tx, 'link.key-rotated', link.id, now, { partnerCode: offer.code });
    });
    return this.status(offer.code);
  }

  async change(partnerCode: string, action: 'suspend' | 'resume' | 'end'): Promise<LinkStatus & { partnerTold: boolean }> {
    await this.directory.fresh();
    const link = this.directory.byPartner(partnerCode);
    if (!link) throw notFound('partner');
    await this.#inTransaction(async (tx) => {
      const now = this.clock.now();
      // A link that was never completed has nobody to be told.
      const ended = { state: 'ENDED', ...(link.state === 'ACTIVE' && { end_notice_at: now }) };
      const changes = { suspend: { suspended_here: true }, resume: { suspended_here: false }, end: ended }[action];
      await tx
        .updateTable('link')
        .set((eb) => ({ ...changes, updated_at: now, version: eb('version', '+', 1) }))
        .where('id', '=', link.id)
        .execute();
      if (action === 'end') await this.endings.endAllOf(tx, link, ACTOR, now);
      // What rested may go on.
      if (action === 'resume') await publish(tx, { kind: 'outbox', linkId: link.id });
      const logged = { suspend: 'link.suspended', resume: 'link.resumed', end: 'link.ended' } as const;
      await this.#log(tx, logged[action], link.id, now, { partnerCode });
    });
    // Of many guides it may take long.
    if (action === 'end') void this.endings.ended();
    // It counts here at once, whether or not the partner hears of it now; his calls are refused from here on.
    const partnerTold =
      action === 'end'
        ? link.state === 'ACTIVE' && (await this.notices.tell(link.id))
        : await this.partners.call(link, `/partner/v1/link/${action}`, {}).then(
            () => true,
            () => false,
          );
    return { ...(await this.status(partnerCode, link.id)), partnerTold };
  }

  async list(): Promise<LinkStatus[]> {
    const [links, keys] = await Promise.all([
      this.database.worker.sql.selectFrom('link').selectAll().orderBy('partner_code').orderBy('created_at').execute(),
      this.database.worker.sql.selectFrom('link_key').select(['link_id', 'kid', 'side', 'in_use_since', 'accepted_until']).orderBy('created_at').orderBy('kid').execute(),
    ]);
    return links.map((link) => ({
      id: link.id,
      partnerCode: link.partner_code,
      partnerName: link.partner_name,
      partnerUrl: link.partner_url,
      partnerEndpoint: link.partner_endpoint,
      state: link.state,
      suspendedHere: link.suspended_here,
      suspendedThere: link.suspended_there,
      keys: keys.filter((key) => key.link_id === link.id).map((key) => ({ kid: key.kid, side: key.side, inUseSince: key.in_use_since, acceptedUntil: key.accepted_until })),
    }));
  }

  async status(partnerCode: string, id?: string): Promise<LinkStatus> {
    const found = (await this.list()).find((link) => (id ? link.id === id : link.partnerCode === partnerCode && link.state !== 'ENDED'));
    if (!found) throw notFound('partner');
    return found;
  }

  #pin(tx: Tx, { linkId, publicJwk }: LinkOffer, now: Date): Promise<void> {
    try {
      publicKeyFromJwk(publicJwk);
    } catch {
      throw invalidInput('offer.publicJwk', InputReason.MALFORMED, 'The key must be a public P-256 key.');
    }
    return this.keys.pin(tx, linkId, publicJwk, now);
  }

  #offer(linkId: string, publicJwk: JsonWebKey): LinkOffer {
    const { code, name, url } = this.settings.current;
    return { linkId, code, name, url, endpoint: this.ownEndpoint(), publicJwk };
  }

  async #inTransaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    try {
      const done = await this.database.worker.transaction(async (tx) => {
        const result = await work(tx);
        await publish(tx, { kind: 'links' });
        return result;
      });
      // What the operator was answered counts here already: a key just pinned is accepted.
      await this.directory.reread();
      return done;
    } catch (error) {
      if (isViolationOf(error, 'link_living_partner') || isViolationOf(error, 'link_pkey')) throw new Refusal(new AlreadyExistsError('partner'));
      throw error;
    }
  }

  #log(tx: Tx, action: AuditAction, id: string, now: Date, after: Record<string, unknown>): Promise<void> {
    return this.audit.record(tx, ACTOR, now, { action, subjectType: 'link', subjectId: id, after });
  }
}

const active = (tx: Tx, partnerCode: string): Promise<{ id: string } | undefined> =>
  tx.selectFrom('link').select('id').where('partner_code', '=', partnerCode).where('state', '=', 'ACTIVE').executeTakeFirst();
