import { Query, Resolver } from 'type-graphql';
import { AnsweredByGateway, VisibleTo } from '../../platform/visibility/visible-to.js';
import { InstanceInfo, InstanceSettings } from './instance-info.type.js';
import type { SettingsStore } from './settings.store.js';

@Resolver()
export class SettingsResolver {
  constructor(private readonly settings: SettingsStore) {}

  @Query(() => [InstanceInfo], {
    description: 'The instances one can sign in to: at the gateway all of them, at an instance itself. Public.',
  })
  @AnsweredByGateway()
  @VisibleTo('ANYONE')
  instances(): InstanceInfo[] {
    return [this.settings.current];
  }

  @Query(() => InstanceSettings, { description: 'Settings of the instance you are signed in to.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  instanceSettings(): InstanceSettings {
    return this.settings.current;
  }
}
