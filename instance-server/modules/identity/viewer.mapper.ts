import type { Settings } from '../settings/index.js';
import type { AccountRecord } from './identity.repository.js';
import { RoleName, Viewer } from './identity.type.js';

export function toViewer(account: AccountRecord, role: RoleName, settings: Settings): Viewer {
  return Object.assign(new Viewer(), {
    id: account.id,
    displayName: account.displayName,
    email: account.email,
    role,
    roles: account.roles.map((held) => RoleName[held]),
    instance: settings,
    guideId: role === RoleName.GUIDE ? account.guideId : null,
  });
}
