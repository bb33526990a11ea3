/** Remembers which file and profile a profile object came from, so that later errors can name them. */
import type { ConfigPlace } from './errors';
import type { ClientConfigProfile } from './types';

const origins = new WeakMap<ClientConfigProfile, ConfigPlace>();

export function rememberOrigin(profile: ClientConfigProfile, origin: ConfigPlace): ClientConfigProfile {
  origins.set(profile, origin);
  return profile;
}

export function originOf(profile: ClientConfigProfile): ConfigPlace {
  return origins.get(profile) ?? {};
}
