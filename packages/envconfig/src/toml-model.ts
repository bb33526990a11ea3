/**
 * The shape that configuration has in TOML, and the way from it to the model and back.
 *
 * T1  Text and bytes of one certificate exclude each other, in whatever way they were given.
 * T2  Names of headers are lower case with hyphens in the model and in TOML.
 */
import { ClientConfigError, type ConfigPlace } from './errors';
import type { ClientConfig, ClientConfigProfile, ClientConfigTLS, ConfigDataSource } from './types';

export interface TomlClientConfigTLS {
  disabled?: boolean;
  server_name?: string;
  client_cert_path?: string;
  client_cert_data?: string;
  client_key_path?: string;
  client_key_data?: string;
  server_ca_cert_path?: string;
  server_ca_cert_data?: string;
  /** Known to other tools; not applied. */
  disable_host_verification?: boolean;
}

/** Known to other tools; not applied. */
export interface TomlClientConfigCodec {
  endpoint?: string;
  auth?: string;
}

export interface TomlClientConfigProfile {
  address?: string;
  namespace?: string;
  api_key?: string;
  tls?: TomlClientConfigTLS;
  codec?: TomlClientConfigCodec;
  grpc_meta?: Record<string, string>;
}

export interface TomlClientConfig {
  profile: Record<string, TomlClientConfigProfile>;
}

/** The three things that are given as a path or as data. */
export const SOURCES = [
  ['clientCert', 'client_cert'],
  ['clientKey', 'client_key'],
  ['serverCACert', 'server_ca_cert'],
] as const;

/** T2 */
export function normalizeHeaderName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

function normalizeHeaders(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, v]) => [normalizeHeaderName(name), v]));
}

/** The object without its absent members. */
export function present<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value != null)) as T;
}

function mapValues<T, R>(record: Record<string, T>, map: (value: T, key: string) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}

/** @throws {ClientConfigError} a profile gives a certificate or key both as path and as data */
export function fromTomlConfig(tomlConfig: TomlClientConfig): ClientConfig {
  return configFromToml(tomlConfig, {});
}

/** @throws {ClientConfigError} a certificate or key is given both as path and as data */
export function fromTomlProfile(tomlProfile: TomlClientConfigProfile): ClientConfigProfile {
  return profileFromToml(tomlProfile, {});
}

/** As `fromTomlConfig`; errors name the place. */
export function configFromToml({ profile = {} }: TomlClientConfig, place: ConfigPlace): ClientConfig {
  return {
    profiles: mapValues(profile, (toml, name) => profileFromToml(toml, { ...place, profile: name })),
  };
}

function profileFromToml(
  { address, namespace, api_key, tls, grpc_meta }: TomlClientConfigProfile,
  place: ConfigPlace,
): ClientConfigProfile {
  return present<ClientConfigProfile>({
    address,
    namespace,
    apiKey: api_key,
    tls: tls == null ? undefined : tlsFromToml(tls, place),
    grpcMeta: grpc_meta == null ? undefined : normalizeHeaders(grpc_meta),
  });
}

function tlsFromToml(toml: TomlClientConfigTLS, place: ConfigPlace): ClientConfigTLS {
  const tls: ClientConfigTLS = present({ disabled: toml.disabled, serverName: toml.server_name });
  for (const [field, key] of SOURCES) {
    const path = toml[`${key}_path`];
    const data = toml[`${key}_data`];
    if (path !== undefined && data !== undefined) {
      throw new ClientConfigError(
        'ENVCONFIG_VALUE_INVALID',
        `Cannot specify both ${key}_path and ${key}_data`, // T1
        { ...place, key: `tls.${key}_path` },
        { hint: 'keep one of the two' },
      );
    }
    if (data !== undefined) tls[field] = { data: new TextEncoder().encode(data) };
    else if (path !== undefined) tls[field] = { path };
  }
  return tls;
}

export function toTomlConfig({ profiles }: ClientConfig): TomlClientConfig {
  return { profile: mapValues(profiles, toTomlProfile) };
}

export function toTomlProfile({
  address,
  namespace,
  apiKey,
  tls,
  grpcMeta,
}: ClientConfigProfile): TomlClientConfigProfile {
  return present<TomlClientConfigProfile>({
    address,
    namespace,
    api_key: apiKey,
    tls: tls === undefined ? undefined : tlsToToml(tls),
    grpc_meta: grpcMeta === undefined ? undefined : normalizeHeaders(grpcMeta),
  });
}

function tlsToToml(tls: ClientConfigTLS): TomlClientConfigTLS {
  const toml: TomlClientConfigTLS = present({ disabled: tls.disabled, server_name: tls.serverName });
  for (const [field, key] of SOURCES) {
    const source = tls[field];
    if (source === undefined) continue;
    if ('path' in source) toml[`${key}_path`] = source.path;
    else toml[`${key}_data`] = textOf(source);
  }
  return toml;
}

function textOf({ data }: Extract<ConfigDataSource, { data: unknown }>): string {
  return typeof data === 'string' ? data : new TextDecoder().decode(data);
}
