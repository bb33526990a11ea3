/** One error for everything that is wrong with a configuration; it names file, profile and key. */
import { PerdureError } from '@perdure/common';
import { brandError } from '@perdure/common/lib/type-helpers';

/** Codes of {@link ClientConfigError}. */
export type ClientConfigErrorCode =
  | 'ENVCONFIG_FILE_UNREADABLE'
  | 'ENVCONFIG_TOML_INVALID'
  | 'ENVCONFIG_PROFILE_NOT_FOUND'
  | 'ENVCONFIG_VALUE_INVALID';

/** Where in a configuration something is, as far as it is known. */
export interface ConfigPlace {
  /** Path of the configuration file; absent for inline data and for the environment. */
  readonly file?: string | undefined;
  readonly profile?: string | undefined;
  /** Key within the profile, such as `tls.client_cert_path`, or the name of an environment variable. */
  readonly key?: string | undefined;
}

/** A configuration that cannot be used. */
export class ClientConfigError extends PerdureError {
  readonly file?: string;
  readonly profile?: string;
  readonly key?: string;

  constructor(
    readonly code: ClientConfigErrorCode,
    problem: string,
    place: ConfigPlace = {},
    options: { hint?: string; cause?: unknown } = {},
  ) {
    super(`${describePlace(place)}${problem}`, options);
    if (place.file !== undefined) this.file = place.file;
    if (place.profile !== undefined) this.profile = place.profile;
    if (place.key !== undefined) this.key = place.key;
  }
}
brandError(ClientConfigError, 'ClientConfigError');

function describePlace({ file, profile, key }: ConfigPlace): string {
  const parts = [
    file !== undefined && `file ${file}`,
    profile !== undefined && `profile '${profile}'`,
    key !== undefined && `key '${key}'`,
  ].filter((part) => part !== false);
  return parts.length === 0 ? '' : `${parts.join(', ')}: `;
}
