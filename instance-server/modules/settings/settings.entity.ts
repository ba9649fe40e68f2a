import { defineEntity, p } from '@mikro-orm/core';

/** The one row that says who this instance is. Written by the operator only. */
export const SettingsEntity = defineEntity({
  name: 'Settings',
  tableName: 'settings',
  properties: {
    code: p.string().length(32).primary(),
    name: p.string().length(200),
    url: p.string().length(500),
    logo: p.string().length(500).nullable(),
    homepage: p.string().length(500).nullable(),
    timeZone: p.string().length(64),
    locale: p.string().length(35),
    currency: p.string().length(3),
    /** What linked houses read in place of an offer's title while a guide is blocked. */
    blockTitle: p.string().length(200).default('Blocked'),
    /** ACCEPT or REFUSE: what becomes of an assignment that the keeper of the guide's claims cannot be asked about. */
    unreachableKeeper: p.string().length(8).default('ACCEPT'),
    version: p.integer().default(1),
    updatedAt: p.datetime(3).defaultRaw('now()'),
  },
});
