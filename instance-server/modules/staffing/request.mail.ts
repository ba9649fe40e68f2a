import type { Tx } from '../../platform/database/database.js';
import type { Mail } from '../../platform/mail.js';
import type { Settings } from '../settings/index.js';

type House = Pick<Settings, 'name' | 'url' | 'locale' | 'timeZone'>;

/**
 * What a guide who is asked is told, at the addresses of his accounts: the tour's public title, when, and until when he may answer;
 * nothing of a customer. None once the request is closed.
 */
export async function requestMails(tx: Tx, requestId: string, house: House, now: Date): Promise<Mail[]> {
  const rows = await tx
    .selectFrom('guide_request')
    .innerJoin('offer', 'offer.id', 'guide_request.offer_id')
    .innerJoin('account', 'account.guide_id', 'guide_request.guide_id')
    .select(['account.email', 'account.display_name', 'offer.title', 'guide_request.start_at', 'guide_request.end_at', 'guide_request.deadline'])
    .where('guide_request.id', '=', requestId)
    .where('guide_request.state', '=', 'OPEN')
    .where('guide_request.deadline', '>', now)
    .where('account.state', '=', 'ACTIVE')
    .orderBy('account.email')
    .execute();
  const format = new Intl.DateTimeFormat(house.locale, { timeZone: house.timeZone, dateStyle: 'full', timeStyle: 'short' });
  return rows.map((row) => ({
    to: row.email,
    subject: `${house.name}: can you lead a tour?`,
    text: [
      `Dear ${row.display_name},`,
      `${house.name} asks whether you can lead “${row.title}”:\n${format.formatRange(row.start_at, row.end_at)}.`,
      `Please accept or decline until ${format.format(row.deadline)}:\n\n${house.url}`,
    ].join('\n\n') + '\n',
  }));
}
