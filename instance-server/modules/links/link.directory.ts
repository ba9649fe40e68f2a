import type { JsonWebKey, KeyObject } from 'node:crypto';
import type { Clock } from '../../platform/clock.js';
import type { InstanceSecret } from '../../platform/crypto.js';
import type { Database } from '../../platform/database/database.js';
import type { EventHub } from '../../platform/events/events.js';
import { privateKeyFromPem, publicKeyFromJwk } from '../../platform/keys.js';

export interface KnownLink {
  id: string;
  partnerCode: string;
  partnerName: string;
  partnerUrl: string;
  partnerEndpoint: string;
  state: string;
  /** ACTIVE and suspended by neither side. */
  isOpen: boolean;
  /** What we sign with. */
  ownKey: { kid: string; privateKey: KeyObject } | undefined;
  partnerKeys: Map<string, PinnedKey>;
}

export interface PinnedKey {
  key: KeyObject;
  /** Whether the partner has signed with it. */
  isInUse: boolean;
  /** Set once another one took its place. */
  acceptedUntil: Date | null;
}

export interface KnownCoupling {
  id: string;
  linkId: string;
  guideId: string;
  globalId: string;
}

/** A key not known may be one that another replica has just pinned; strangers' tokens must not make us read without end. */
const READ_AGAIN_AFTER_MS = 250;

/** While no notifications come, what is held is read again after this long: a revocation works within a second even then. */
const STALE_AFTER_MS = 500;

/**
 * Links, their keys and the active couplings, in memory. Every grant and every partner call is checked against it, so that it costs no
 * statement; notifications keep it fresh.
 */
export class LinkDirectory {
  #byPartner = new Map<string, KnownLink>();
  #byId = new Map<string, KnownLink>();
  #ended: readonly KnownLink[] = [];
  #couplings = new Map<string, KnownCoupling>();
  #byGuide = new Map<string, KnownCoupling[]>();
  #loadedAt = 0;
  #readAgainAt = -Infinity;
  /** Counts announcements of a change; what is held is of the second number. */
  #generation = 0;
  #loadedGeneration = -1;
  #loading: Promise<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly secret: InstanceSecret,
    private readonly clock: Clock,
    private readonly events: EventHub,
  ) {
    events.listen((event) => {
      if (event.kind === 'links' || event.kind === 'gap') {
        this.#generation += 1;
        void this.fresh().catch(() => undefined);
      }
    });
  }

  /** Resolves once what is held can be trusted. */
  async fresh(): Promise<void> {
    if (!this.events.isLive && performance.now() - this.#loadedAt > STALE_AFTER_MS) await this.#reload();
    while (this.#loadedGeneration !== this.#generation) await this.#reload();
  }

  /** The same, for one who has just changed something himself: the announcement of it may still be on its way. */
  async reread(): Promise<void> {
    this.#generation += 1;
    await this.fresh();
  }

  #reload(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** What was announced while it read is read again: the generation says so. */
  async #load(): Promise<void> {
    const generation = this.#generation;
    const startedAt = performance.now();
    const [links, keys, couplings] = await this.database.worker.snapshot(async (tx) => [
      await tx.selectFrom('link').selectAll().execute(),
      await tx.selectFrom('link_key').selectAll().execute(),
      await tx.selectFrom('coupling').select(['id', 'link_id', 'guide_id', 'global_id']).where('state', '=', 'ACTIVE').execute(),
    ] as const);
    const all = links.map((link): KnownLink => {
      const own = keys
        .filter((key) => key.link_id === link.id && key.side === 'OWN' && key.private_key_encrypted && key.in_use_since)
        .sort((a, b) => Number(b.in_use_since) - Number(a.in_use_since) || Number(b.created_at) - Number(a.created_at))[0];
      return {
        id: link.id,
        partnerCode: link.partner_code,
        partnerName: link.partner_name,
        partnerUrl: link.partner_url,
        partnerEndpoint: link.partner_endpoint,
        state: link.state,
        isOpen: link.state === 'ACTIVE' && !link.suspended_here && !link.suspended_there,
        ownKey: own?.private_key_encrypted ? { kid: own.kid, privateKey: privateKeyFromPem(this.secret.decrypt(own.private_key_encrypted)) } : undefined,
        partnerKeys: new Map(
          keys
            .filter((key) => key.link_id === link.id && key.side === 'PARTNER')
            .map((key) => [key.kid, { key: publicKeyFromJwk(key.public_jwk as JsonWebKey), isInUse: key.in_use_since !== null, acceptedUntil: key.accepted_until }]),
        ),
      };
    });
    const known = all.filter((link) => link.state !== 'ENDED');
    this.#ended = all.filter((link) => link.state === 'ENDED');
    this.#byPartner = new Map(known.map((link) => [link.partnerCode, link]));
    this.#byId = new Map(known.map((link) => [link.id, link]));
    const living = couplings.flatMap((row) =>
      row.guide_id && row.global_id ? [{ id: row.id, linkId: row.link_id, guideId: row.guide_id, globalId: row.global_id }] : [],
    );
    this.#couplings = new Map(living.map((coupling) => [coupling.id, coupling]));
    this.#byGuide = Map.groupBy(living, (coupling) => coupling.guideId);
    this.#loadedAt = startedAt;
    this.#loadedGeneration = generation;
  }

  byPartner(code: string): KnownLink | undefined {
    return this.#byPartner.get(code);
  }

  byId(id: string): KnownLink | undefined {
    return this.#byId.get(id);
  }

  /** Those over which anything may be exchanged now. */
  open(): KnownLink[] {
    return [...this.#byId.values()].filter((link) => link.isOpen);
  }

  coupling(id: string): KnownCoupling | undefined {
    return this.#couplings.get(id);
  }

  /** Active couplings of a guide over open links. */
  openCouplingsOf(guideId: string): { coupling: KnownCoupling; link: KnownLink }[] {
    return (this.#byGuide.get(guideId) ?? []).flatMap((coupling) => {
      const link = this.#byId.get(coupling.linkId);
      return link?.isOpen ? [{ coupling, link }] : [];
    });
  }

  /** A link that has ended, for telling the partner so. */
  ended(id: string): KnownLink | undefined {
    return this.#ended.find((link) => link.id === id);
  }

  /** A link that has ended, by the key its partner signed with. */
  endedByKey(code: string, kid: string): KnownLink | undefined {
    return this.#ended.find((link) => link.partnerCode === code && link.partnerKeys.has(kid));
  }

  /** The pinned key of that id, while it is accepted. */
  partnerKey(link: KnownLink, kid: string): PinnedKey | undefined {
    const pinned = link.partnerKeys.get(kid);
    return pinned && (pinned.acceptedUntil === null || pinned.acceptedUntil > this.clock.now()) ? pinned : undefined;
  }

  /**
   * The living link with this partner and the key he names; undefined when either is unknown, also to the database: a key that another
   * replica pinned a moment ago is found.
   */
  async signer(code: string, kid: string): Promise<{ link: KnownLink; pinned: PinnedKey } | undefined> {
    await this.fresh();
    const known = this.#signer(code, kid);
    if (known || !this.byPartner(code) || performance.now() - this.#readAgainAt < READ_AGAIN_AFTER_MS) return known;
    this.#readAgainAt = performance.now();
    await this.reread();
    return this.#signer(code, kid);
  }

  #signer(code: string, kid: string): { link: KnownLink; pinned: PinnedKey } | undefined {
    const link = this.byPartner(code);
    const pinned = link && this.partnerKey(link, kid);
    return link && pinned && { link, pinned };
  }
}
