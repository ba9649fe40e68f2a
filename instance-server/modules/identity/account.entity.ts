import { defineEntity, p } from '@mikro-orm/core';
import { GuideEntity } from '../guides/guide.entity.js';

/** Somebody who can sign in. `guide` is set when the account may take the role GUIDE. */
export const AccountEntity = defineEntity({
  name: 'Account',
  tableName: 'account',
  properties: {
    id: p.uuid().primary(),
    /** Lower-cased by the service; unique in this instance. */
    email: p.string().length(254).unique(),
    displayName: p.string().length(200),
    passwordHash: p.string().length(255).nullable(),
    /** INVITED until the invitation is accepted; DISABLED accounts cannot sign in. */
    state: p.string().length(16),
    guide: () => p.oneToOne(GuideEntity).owner().nullable(),
    version: p.integer().default(1),
    createdAt: p.datetime(3).defaultRaw('now()'),
  },
});

/** The roles an account may choose from when it signs in. */
export const AccountRoleEntity = defineEntity({
  name: 'AccountRole',
  tableName: 'account_role',
  properties: {
    account: () => p.manyToOne(AccountEntity).primary().deleteRule('cascade'),
    role: p.string().length(16).primary(),
  },
});
