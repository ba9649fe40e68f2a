import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { Instance } from '../composition.js';
import { statusOf } from '../modules/links/index.js';
import { sha256Base64Url } from '../platform/crypto.js';
import { invalidInput, InputReason, Refusal } from '../platform/errors/user-error.js';
import { publish } from '../platform/events/events.js';
import { knownTimeZone } from '../platform/time.js';
import { peekToken, TokenError } from '../platform/tokens.js';
import { checkCurrency, checkEmail, checkLanguage, checkOptionalText, checkText } from '../platform/validation.js';
import { partnerCode as code, runSyncCommand, syncCommands } from './operator-sync.js';

/** Life of an operator's signed call, seconds. */
const OPERATOR_TOKEN_SECONDS = 60;

/** Shown to people as a link, or called: nothing but the web. */
const webUrl = z.url({ protocol: /^https?$/ }).max(500);
const offer = z.strictObject({
  linkId: z.uuid(),
  code,
  name: z.string().max(200),
  url: webUrl,
  endpoint: webUrl,
  publicJwk: z.record(z.string(), z.unknown()),
});

const commands = {
  'settings/read': z.strictObject({}),
  'settings/write': z.strictObject({
    name: z.string().optional(),
    url: webUrl.optional(),
    logo: webUrl.nullable().optional(),
    homepage: webUrl.nullable().optional(),
    timeZone: z.string().optional(),
    locale: z.string().optional(),
    currency: z.string().optional(),
    blockTitle: z.string().optional(),
    unreachableKeeper: z.enum(['ACCEPT', 'REFUSE']).optional(),
  }),
  'keys/rotate': z.strictObject({}),
  'accounts/invite': z.strictObject({
    email: z.string(),
    displayName: z.string(),
    roles: z.array(z.enum(['STAFF', 'ADMINISTRATOR'])).min(1),
  }),
  'sync/restamp': z.strictObject({}),
  'links/list': z.strictObject({}),
  'links/propose': z.strictObject({ partner: code }),
  'links/accept': z.strictObject({ offer }),
  'links/complete': z.strictObject({ answer: offer }),
  'links/move': z.strictObject({ partner: code, endpoint: webUrl.optional(), url: webUrl.optional(), name: z.string().optional() }),
  'links/suspend': z.strictObject({ partner: code }),
  'links/resume': z.strictObject({ partner: code }),
  'links/end': z.strictObject({ partner: code }),
  'links/rotate': z.strictObject({ partner: code }),
  'links/renew': z.strictObject({ partner: code }),
  'links/pin': z.strictObject({ offer }),
  ...syncCommands,
  'couplings/list': z.strictObject({ partner: code }),
  'couplings/pause': z.strictObject({ couplingId: z.uuid() }),
  'couplings/resume': z.strictObject({ couplingId: z.uuid() }),
  'couplings/end': z.strictObject({ couplingId: z.uuid() }),
} as const;

export type OperatorCommand = keyof typeof commands;
type Input<C extends OperatorCommand> = z.infer<(typeof commands)[C]>;

export interface OperatorAnswer {
  status: number;
  body: Record<string, unknown>;
}

/**
 * What operators do, each call signed with a key that stands in the configuration, not in the database: no account of the instance can
 * give itself these rights. Calls are single-use and bound to their body.
 */
export class OperatorApi {
  constructor(
    private readonly instance: Instance,
    private readonly operatorKeys: Map<string, KeyObject>,
  ) {}

  async handle(command: string, authorization: string | undefined, body: string): Promise<OperatorAnswer> {
    try {
      await this.#authenticate(command, authorization, body);
      if (!Object.hasOwn(commands, command)) return { status: 404, body: { code: 'UNKNOWN_COMMAND' } };
      const known = command as OperatorCommand;
      const parsed = commands[known].safeParse(JSON.parse(body || '{}'));
      if (!parsed.success) {
        const problems = parsed.error.issues.map((issue) => ({ field: issue.path.join('.'), reason: issue.message }));
        return { status: 400, body: { code: 'INVALID_INPUT', problems } };
      }
      return { status: 200, body: { result: await this.#run(known, parsed.data) } };
    } catch (error) {
      if (error instanceof TokenError) return { status: 401, body: { code: 'UNAUTHENTICATED', reason: error.reason } };
      if (error instanceof Refusal) return { status: 409, body: { ...error.outcome } };
      if (error instanceof SyntaxError) return { status: 400, body: { code: 'INVALID_INPUT', problems: [{ field: '', reason: 'not JSON' }] } };
      throw error;
    }
  }

  async #authenticate(command: string, authorization: string | undefined, body: string): Promise<void> {
    const token = /^Bearer ([\w.-]+)$/.exec(authorization ?? '')?.[1];
    if (!token) throw new TokenError('TOKEN_MISSING');
    const { kid, typ } = peekToken(token);
    const key = this.operatorKeys.get(kid);
    if (!key || typ !== 'lotse-operator+jwt') throw new TokenError('TOKEN_INVALID');
    const { verifier, clock, database } = this.instance;
    const claims = verifier.verify(
      token,
      { kind: 'lotse-operator+jwt', issuer: 'operator', audience: this.instance.code, maxLifeSeconds: OPERATOR_TOKEN_SECONDS, key },
      clock.now(),
    );
    const whole = claims.body === sha256Base64Url(body) && claims.path === `/operator/v1/${command}` && typeof claims.jti === 'string' && claims.jti.length <= 64;
    if (!whole) throw new TokenError('TOKEN_INVALID');
    const fresh = await database.worker.sql
      .insertInto('used_token')
      .values({ issuer: 'operator', jti: claims.jti as string, expires_at: new Date((claims.exp + 60) * 1000) })
      .onConflict((conflict) => conflict.columns(['issuer', 'jti']).doNothing())
      .returning('jti')
      .executeTakeFirst();
    if (!fresh) throw new TokenError('TOKEN_REVOKED');
  }

  async #run(command: OperatorCommand, input: unknown): Promise<unknown> {
    const { links, linkKeys, couplingLifeCycle, settings } = this.instance;
    const change = { actor: { kind: 'OPERATOR' }, now: this.instance.clock.now() } as const;
    switch (command) {
      case 'settings/read':
        return settings.load();
      case 'settings/write':
        return this.#writeSettings(input as Input<'settings/write'>);
      case 'keys/rotate':
        return this.#rotateKeys();
      case 'accounts/invite':
        return this.#invite(input as Input<'accounts/invite'>);
      case 'sync/restamp':
        return this.instance.restamp.run();
      case 'links/list':
        return links.list();
      case 'links/propose':
        return links.propose((input as Input<'links/propose'>).partner);
      case 'links/accept':
        return links.accept((input as Input<'links/accept'>).offer);
      case 'links/complete':
        return links.complete((input as Input<'links/complete'>).answer);
      case 'links/move':
        return links.move(input as Input<'links/move'>);
      case 'links/suspend':
      case 'links/resume':
      case 'links/end':
        return links.change((input as Input<'links/end'>).partner, command.slice('links/'.length) as 'suspend' | 'resume' | 'end');
      case 'links/rotate':
        return linkKeys.rotate((input as Input<'links/rotate'>).partner);
      case 'links/renew':
        return links.renew((input as Input<'links/renew'>).partner);
      case 'links/pin':
        return links.pin((input as Input<'links/pin'>).offer);
      case 'sync/status':
      case 'sync/retry':
      case 'sync/resync':
      case 'sync/inspect':
        return runSyncCommand(this.instance, command, input);
      case 'couplings/list':
        return couplingLifeCycle.list((input as Input<'couplings/list'>).partner);
      case 'couplings/pause':
      case 'couplings/resume':
        return statusOf(await couplingLifeCycle.pause(change, (input as Input<'couplings/pause'>).couplingId, command === 'couplings/pause'));
      case 'couplings/end':
        return statusOf(await couplingLifeCycle.end(change, (input as Input<'couplings/end'>).couplingId));
      default:
        return command satisfies never;
    }
  }

  async #writeSettings(input: Input<'settings/write'>): Promise<unknown> {
    const { database, audit, clock, settings } = this.instance;
    const timeZone = input.timeZone === undefined ? undefined : knownTimeZone(input.timeZone);
    if (input.timeZone !== undefined && !timeZone) throw invalidInput('timeZone', InputReason.UNKNOWN_TIME_ZONE, 'This is not an IANA time zone.');
    const changes = {
      ...(input.name !== undefined && { name: checkText(input.name, 'name', { max: 200 }) }),
      ...(input.url !== undefined && { url: input.url }),
      ...(input.logo !== undefined && { logo: checkOptionalText(input.logo, 'logo', 500) }),
      ...(input.homepage !== undefined && { homepage: checkOptionalText(input.homepage, 'homepage', 500) }),
      ...(timeZone && { time_zone: timeZone }),
      ...(input.locale !== undefined && { locale: checkLanguage(input.locale, 'locale') }),
      ...(input.unreachableKeeper !== undefined && { unreachable_keeper: input.unreachableKeeper }),
      ...(input.currency !== undefined && { currency: checkCurrency(input.currency, 'currency') }),
      ...(input.blockTitle !== undefined && { block_title: checkText(input.blockTitle, 'blockTitle', { max: 200 }) }),
    };
    const before = await settings.load();
    await database.worker.transaction(async (tx) => {
      await tx
        .updateTable('settings')
        .set((eb) => ({ ...changes, version: eb('version', '+', 1), updated_at: clock.now() }))
        .execute();
      await audit.record(tx, { kind: 'OPERATOR' }, clock.now(), {
        action: 'settings.changed',
        subjectType: 'settings',
        subjectId: before.code,
        before: { ...before },
        after: changes,
      });
      await publish(tx, { kind: 'settings' });
    });
    return settings.load();
  }

  async #rotateKeys(): Promise<unknown> {
    const { database, audit, clock, keys } = this.instance;
    const rotated = await database.worker.transaction(async (tx) => {
      const key = await keys.rotate(tx);
      await audit.record(tx, { kind: 'OPERATOR' }, clock.now(), { action: 'key.rotated', subjectType: 'key', subjectId: key.kid });
      return key;
    });
    await keys.load();
    return rotated;
  }

  async #invite(input: Input<'accounts/invite'>): Promise<unknown> {
    const { database, invitations, clock } = this.instance;
    const account = {
      email: checkEmail(input.email, 'email'),
      displayName: checkText(input.displayName, 'displayName', { max: 200 }),
      roles: input.roles,
      guideId: null,
    };
    const accountId = await database.worker.transaction((tx) => invitations.invite(tx, { kind: 'OPERATOR' }, clock.now(), account));
    return { accountId };
  }
}
