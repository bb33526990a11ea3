/**
 * Environment variables over a profile.
 *
 * V1  A variable that is set wins over the file. One that is empty counts as not set; only an empty
 *     TEMPORAL_GRPC_META_* says something: it takes the header away.
 * V2  A certificate that the file gives as path cannot be given as data by a variable, nor the other way round:
 *     which of the two was meant could not be told.
 */
import { ClientConfigError, type ConfigPlace } from './errors';
import { normalizeHeaderName, SOURCES } from './toml-model';
import type { ClientConfigProfile, ClientConfigTLS } from './types';

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

const HEADER_PREFIX = 'TEMPORAL_GRPC_META_';
const TLS_FLAGS = ['TEMPORAL_TLS', 'TEMPORAL_TLS_SERVER_NAME', 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION'];

/** @returns the variable's value; undefined if it is empty or not set */
export function variable(env: Environment, name: string): string | undefined {
  return env[name] || undefined; // V1
}

/** @throws {ClientConfigError} variables contradict each other or the profile */
export function applyEnvironment(
  profile: ClientConfigProfile,
  env: Environment,
  place: ConfigPlace,
): ClientConfigProfile {
  const address = variable(env, 'TEMPORAL_ADDRESS');
  const namespace = variable(env, 'TEMPORAL_NAMESPACE');
  const apiKey = variable(env, 'TEMPORAL_API_KEY');
  const tls = applyTls(profile.tls, env, place);
  const grpcMeta = applyHeaders(profile.grpcMeta, env);
  return {
    ...profile,
    ...(address !== undefined && { address }),
    ...(namespace !== undefined && { namespace }),
    ...(apiKey !== undefined && { apiKey }),
    ...(tls !== undefined && { tls }),
    ...(grpcMeta !== undefined && { grpcMeta }),
  };
}

function applyTls(
  given: ClientConfigTLS | undefined,
  env: Environment,
  place: ConfigPlace,
): ClientConfigTLS | undefined {
  const tls: ClientConfigTLS = { ...given };
  let named = TLS_FLAGS.some((name) => variable(env, name) !== undefined);
  const enabled = variable(env, 'TEMPORAL_TLS');
  if (enabled !== undefined) tls.disabled = !['1', 'true'].includes(enabled.toLowerCase());
  const serverName = variable(env, 'TEMPORAL_TLS_SERVER_NAME');
  if (serverName !== undefined) tls.serverName = serverName;
  for (const [field, key] of SOURCES) {
    const pathName = `TEMPORAL_TLS_${key.toUpperCase()}_PATH`;
    const dataName = `TEMPORAL_TLS_${key.toUpperCase()}_DATA`;
    const path = variable(env, pathName);
    const data = variable(env, dataName);
    if (path === undefined && data === undefined) continue;
    named = true;
    const [name, inFile] = path !== undefined ? [pathName, 'data'] : [dataName, 'path'];
    if (path !== undefined && data !== undefined) {
      throw conflict(`Cannot specify both ${pathName} and ${dataName}`, { ...place, key: pathName });
    }
    const current = given?.[field];
    if (current !== undefined && inFile in current) {
      throw conflict(`Cannot specify ${name}: the profile gives ${key}_${inFile} already`, {
        ...place,
        key: name,
      }); // V2
    }
    tls[field] = path !== undefined ? { path } : { data: new TextEncoder().encode(data) };
  }
  return named ? tls : given;
}

function conflict(problem: string, place: ConfigPlace): ClientConfigError {
  return new ClientConfigError('ENVCONFIG_VALUE_INVALID', problem, place, { hint: 'keep one of the two' });
}

function applyHeaders(
  given: Readonly<Record<string, string>> | undefined,
  env: Environment,
): Record<string, string> | undefined {
  const changes = Object.entries(env).filter(([name]) => name.startsWith(HEADER_PREFIX));
  if (changes.length === 0) return given;
  const headers = new Map(Object.entries(given ?? {}));
  for (const [name, value] of changes) {
    const header = normalizeHeaderName(name.slice(HEADER_PREFIX.length));
    if (header === '' || value === undefined) continue;
    if (value === '') headers.delete(header);
    else headers.set(header, value);
  }
  return given === undefined && headers.size === 0 ? undefined : Object.fromEntries(headers);
}
