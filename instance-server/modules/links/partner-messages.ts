import { z } from 'zod';

const globalIdentity = {
  globalId: z.string().regex(/^g_[0-9a-f-]{36}$/).optional(),
  globalIdMintedAt: z.iso.datetime().optional(),
};
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
  'couplings/end': z.strictObject({ couplingId: z.uuid() }),
  'link/suspend': z.strictObject({}),
  'link/resume': z.strictObject({}),
  'link/end': z.strictObject({}),
} as const;

/** What a partner answers to a confirmation: whether the guide has confirmed there too, and under which identity. */
export const confirmationAnswer = z.object({
  confirmed: z.boolean(),
  ...globalIdentity,
});

export type PartnerAction = keyof typeof partnerMessages;
export type PartnerMessage<A extends PartnerAction> = z.infer<(typeof partnerMessages)[A]>;
