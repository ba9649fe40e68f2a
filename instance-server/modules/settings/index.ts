export { InstanceInfo } from './instance-info.type.js';
export { SettingsResolver } from './settings.resolver.js';
export { SettingsStore, type Settings } from './settings.store.js';
