import { randomUUID } from 'node:crypto';
import { client } from '../../../testkit/client.js';
import type { Federation, House } from '../../../testkit/federation.js';
import type { FakePartner, PartnerLink } from '../../../testkit/federation-partner.js';

type Outcome = { coupling?: { id: string; state: string }; code?: string };

/** A change of a coupling through the gateway. */
export async function changeCoupling(federation: Federation, mutation: string, type: string, input: Record<string, unknown>, token: string): Promise<Outcome> {
  const document = `mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename ... on CouplingPayload { coupling { id state } } ... on UserError { code } } }`;
  const { data } = await client(federation.gateway.url).query<Record<string, Outcome>>(document, { input }, token);
  return data[mutation] ?? {};
}

/** House asks, partner accepts, the guide confirms in both; gives the coupling's id. */
export async function couple(federation: Federation, partner: FakePartner, link: PartnerLink, name: string): Promise<string> {
  const { house } = link;
  const requested = await changeCoupling(federation, 'requestCoupling', 'RequestCouplingInput', { guideId: house.guide(name).id, instance: partner.code, idempotencyKey: randomUUID() }, await house.staffToken());
  const couplingId = requested.coupling?.id ?? '';
  const accepted = await partner.call(link, 'couplings/accept', { couplingId, coupledWith: [] });
  const confirmed = await changeCoupling(federation, 'confirmCoupling', 'CouplingInput', { couplingId }, await house.guideToken(name));
  const there = await partner.call(link, 'couplings/confirm', { couplingId, globalId: `g_${couplingId}`, globalIdMintedAt: new Date().toISOString(), coupledWith: [] });
  if (accepted.status !== 200 || confirmed.coupling?.state !== 'ACCEPTED' || there.status !== 200) {
    throw new Error(`not coupled: ${JSON.stringify([requested, accepted, confirmed, there])}`);
  }
  return couplingId;
}

/** A coupling the partner asked for and staff have accepted for this guide; he himself has said nothing. */
export async function halfCouple(federation: Federation, partner: FakePartner, link: PartnerLink, house: House, name: string): Promise<string> {
  const couplingId = randomUUID();
  const requested = await partner.call(link, 'couplings/request', { couplingId, name: 'Somebody', coupledWith: [] });
  const accepted = await changeCoupling(federation, 'acceptCoupling', 'AcceptCouplingInput', { couplingId, guideId: house.guide(name).id }, await house.staffToken());
  if (requested.status !== 200 || accepted.coupling?.state !== 'ACCEPTED') throw new Error(`not accepted: ${JSON.stringify([requested, accepted])}`);
  return couplingId;
}
