import { z } from 'zod';

const globalIdentity = {
  globalId: z.string().regex(/^g_[0-9a-f-]{36}$/).optional(),
  globalIdMintedAt: z.iso.datetime().optional(),
};
const counter = z.int().min(0).max(2_147_483_647);
const codes = z.array(z.string().regex(/^[a-z0-9-]{1,32}$/)).max(100);

/** The complete list of what a partner may send about couplings and links; members not named here are refused. */
export const partnerMessages = {
  'couplings/request': z.strictObject({ couplingId: z.uuid(), name: z.string().min(1).max(200).regex(/^\P{Cc}+$/u), ...globalIdentity, coupledWith: codes }),
  'couplings/accept': z.strictObject({ couplingId: z.uuid(), ...globalIdentity, coupledWith: codes }),
  'couplings/confirm': z.strictObject({
    couplingId: z.uuid(),
    globalId: z.string().regex(/^g_[0-9a-f-]{36}$/),
    globalIdMintedAt: z.iso.datetime(),
    coupledWith: codes,
  }),
  'couplings/pause': z.strictObject({ couplingId: z.uuid(), incarnation: counter, version: counter }),
  'couplings/resume': z.strictObject({ couplingId: z.uuid(), incarnation: counter, version: counter }),
  'couplings/end': z.strictObject({ couplingId: z.uuid() }),
  'link/suspend': z.strictObject({}),
  'link/resume': z.strictObject({}),
  'link/end': z.strictObject({}),
  'link/rotate': z.strictObject({
    publicJwk: z.strictObject({
      kty: z.literal('EC'),
      crv: z.literal('P-256'),
      x: z.string().regex(/^[\w-]{43}$/),
      y: z.string().regex(/^[\w-]{43}$/),
    }),
  }),
} as const;

/** What a partner answers to a request: whether this one is over there, so that it must be made anew. A partner of the release before says nothing. */
export const requestAnswer = z.object({ over: z.boolean().optional() });

/** What a partner answers to an acceptance: the houses this guide is coupled with there. A partner of the release before says nothing. */
export const acceptanceAnswer = z.object({ coupledWith: codes.optional() });

/** What a partner answers to a confirmation: whether the guide has confirmed there too, under which identity, and where else he is coupled. */
export const confirmationAnswer = z.object({
  confirmed: z.boolean(),
  ...globalIdentity,
  coupledWith: codes.optional(),
});

/**
 * A coupling as its sender has it: all that its partner must know, in any order and as often as it comes. OPEN: on its way.
 * `paused`: by the sender. `confirmed`: by the guide at the sender's, under this identity there.
 */
export const couplingItem = z
  .strictObject({
    kind: z.literal('COUPLING'),
    couplingId: z.uuid(),
    recordId: z.uuid(),
    state: z.enum(['OPEN', 'ACTIVE', 'ENDED']),
    version: counter,
    paused: z.boolean(),
    confirmed: z.boolean(),
    ...globalIdentity,
    coupledWith: codes,
  })
  .refine(({ couplingId, recordId }) => couplingId === recordId);
export type CouplingItem = z.infer<typeof couplingItem>;

/** What the receiver of an item has: OPEN, active or on its way, or ENDED for good. */
export const couplingItemAnswer = z.object({ state: z.enum(['OPEN', 'ENDED']) });
export type CouplingItemAnswer = z.infer<typeof couplingItemAnswer>;

export type PartnerAction = keyof typeof partnerMessages;
export type PartnerMessage<A extends PartnerAction> = z.infer<(typeof partnerMessages)[A]>;
