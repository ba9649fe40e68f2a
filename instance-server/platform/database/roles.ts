import type { InstanceSecret } from '../crypto.js';

/** The four login roles of an instance's database; each is a member of the group role `lotse_<role>`, which holds the rights. */
export const RUNTIME_ROLES = ['app', 'guide', 'partner', 'worker'] as const;
export type RuntimeRole = (typeof RUNTIME_ROLES)[number];

export const groupRole = (role: RuntimeRole): string => `lotse_${role}`;
export const loginRole = (database: string, role: RuntimeRole | 'owner'): string => `${database}_${role}`;

export const databaseName = (url: string): string => decodeURIComponent(new URL(url).pathname.slice(1));

/** The address under which one role logs in: host, port and database of `url`, user and password of the role. */
export function roleUrl(url: string, role: RuntimeRole | 'owner', secret: InstanceSecret): string {
  const address = new URL(url);
  const user = loginRole(databaseName(url), role);
  address.username = encodeURIComponent(user);
  address.password = secret.rolePassword(user);
  return address.toString();
}
