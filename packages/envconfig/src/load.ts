/**
 * Loads profiles: file first, then environment variables over it.
 *
 * L1  A file that does not exist is an empty one; a profile that was asked for by name must exist.
 * L2  No variable but those of `overrideEnvVars` is read when that is given.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ValueError } from '@perdure/common';
import { toClientOptions } from './connect-options';
import { readFileIfThere, readSource } from './data-source';
import { applyEnvironment, type Environment, variable } from './environment';
import { ClientConfigError } from './errors';
import { rememberOrigin } from './origin';
import { parseConfig } from './toml-text';
import type {
  ClientConfig,
  ClientConfigProfile,
  ClientConnectConfig,
  LoadClientConfigOptions,
  LoadClientProfileOptions,
} from './types';

const DEFAULT_PROFILE = 'default';

/**
 * Loads all profiles of the configuration file, without what environment variables would change in them.
 * @throws {ClientConfigError} the file cannot be read or is not valid
 */
export function loadClientConfig(options: LoadClientConfigOptions = {}): ClientConfig {
  return loadFile(options).config;
}

/**
 * Loads one profile, environment variables applied.
 * @throws {ClientConfigError} the profile does not exist; the file or a variable is not valid
 * @throws {ValueError} `disableFile` and `disableEnv` are both set
 */
export function loadClientConfigProfile(options: LoadClientProfileOptions = {}): ClientConfigProfile {
  const { disableFile = false, disableEnv = false } = options;
  if (disableFile && disableEnv) {
    throw new ValueError(
      'Cannot disable both file and environment: nothing would be left to load from',
      undefined,
      'leave disableFile or disableEnv out',
    );
  }
  const env = disableEnv ? {} : environmentOf(options);
  const asked = options.profile ?? variable(env, 'TEMPORAL_PROFILE');
  const name = asked ?? DEFAULT_PROFILE;
  const { config, file } = disableFile ? { config: { profiles: {} }, file: undefined } : loadFile(options);
  const origin = { file, profile: name };
  let profile: ClientConfigProfile = {};
  if (Object.hasOwn(config.profiles, name)) {
    profile = config.profiles[name]!;
  } else if (asked !== undefined && !disableFile) {
    const known = Object.keys(config.profiles);
    throw new ClientConfigError('ENVCONFIG_PROFILE_NOT_FOUND', `Profile '${name}' not found`, origin, {
      hint:
        known.length === 0
          ? 'there is no configuration file with profiles; check TEMPORAL_CONFIG_FILE'
          : `there are: ${known.join(', ')}`,
    }); // L1
  }
  return rememberOrigin(applyEnvironment(profile, env, origin), origin);
}

/**
 * Loads what is needed to connect: the usual call.
 * @throws as `loadClientConfigProfile` and `toClientOptions`
 */
export function loadClientConnectConfig(options: LoadClientProfileOptions = {}): ClientConnectConfig {
  return toClientOptions(loadClientConfigProfile(options));
}

function environmentOf({ overrideEnvVars }: LoadClientConfigOptions): Environment {
  return overrideEnvVars ?? process.env; // L2
}

function loadFile(options: LoadClientConfigOptions): { config: ClientConfig; file: string | undefined } {
  const { configSource, configFileStrict = false } = options;
  const file =
    configSource === undefined
      ? (variable(environmentOf(options), 'TEMPORAL_CONFIG_FILE') ?? defaultFile(options))
      : 'path' in configSource
        ? configSource.path
        : undefined;
  const bytes = file === undefined ? readSource(configSource, {}) : readFileIfThere(file); // L1
  return {
    config: bytes === undefined ? { profiles: {} } : parseConfig(bytes, configFileStrict, file),
    file,
  };
}

/** temporalio/temporal.toml in the user's configuration folder; undefined if there is no such folder. */
function defaultFile(options: LoadClientConfigOptions): string | undefined {
  const home = options.overrideEnvVars === undefined ? homedir() || undefined : undefined; // L2
  const folder = configFolder(environmentOf(options), process.platform, home);
  return folder === undefined ? undefined : join(folder, 'temporalio', 'temporal.toml');
}

/**
 * The folder in which programs of a platform look for the user's configuration.
 * @param fallbackHome  used where the environment has no HOME
 */
export function configFolder(
  env: Environment,
  platform: NodeJS.Platform,
  fallbackHome: string | undefined,
): string | undefined {
  if (platform === 'win32') return variable(env, 'APPDATA');
  const home = variable(env, 'HOME') ?? fallbackHome;
  if (platform === 'darwin') return home && join(home, 'Library', 'Application Support');
  return variable(env, 'XDG_CONFIG_HOME') ?? (home && join(home, '.config'));
}
