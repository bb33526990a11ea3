/**
 * TOML text to a checked shape, and back.
 *
 * X1  Every key that is known has the type that the model says, or all wrong ones are told in one error.
 * X2  Unknown keys are told only when `strict`; else they are for other tools.
 */
import { ClientConfigError, type ClientConfigErrorCode, type ConfigPlace } from './errors';
import { configFromToml, type TomlClientConfig, toTomlConfig } from './toml-model';
import type { ClientConfig, ClientConfigFromTomlOptions } from './types';

// The package has a CommonJS build, but types for its ESM build alone: an import statement would not compile.
const { parse, stringify, TomlError } = require('smol-toml') as typeof import('smol-toml', { with: {
  'resolution-mode': 'import',
}});

type Shape = 'text' | 'flag' | { readonly [key: string]: Shape } | { readonly each: Shape };

const PROFILE: Shape = {
  address: 'text',
  namespace: 'text',
  api_key: 'text',
  tls: {
    disabled: 'flag',
    server_name: 'text',
    client_cert_path: 'text',
    client_cert_data: 'text',
    client_key_path: 'text',
    client_key_data: 'text',
    server_ca_cert_path: 'text',
    server_ca_cert_data: 'text',
    disable_host_verification: 'flag',
  },
  codec: { endpoint: 'text', auth: 'text' },
  grpc_meta: { each: 'text' },
};

interface Problem extends ConfigPlace {
  readonly problem: string;
}

/**
 * Reads configuration from the bytes of a TOML file.
 * @throws {ClientConfigError} it is not TOML, a key has the wrong type or, with `strict`, is unknown
 */
export function loadClientConfigFromToml(
  tomlData: Uint8Array,
  options: ClientConfigFromTomlOptions,
): ClientConfig {
  return parseConfig(tomlData, options.strict, undefined);
}

/** @returns TOML that `loadClientConfigFromToml` reads back */
export function clientConfigToToml(config: ClientConfig): Uint8Array {
  return new TextEncoder().encode(stringify(toTomlConfig(config)));
}

/** As `loadClientConfigFromToml`; errors name the file. */
export function parseConfig(bytes: Uint8Array, strict: boolean, file: string | undefined): ClientConfig {
  const table = parseToml(bytes, file);
  const problems: Problem[] = [];
  const { profile: profiles, ...others } = table;
  if (strict) for (const key of Object.keys(others)) problems.push({ key, problem: 'is not a known key' });
  if (isTable(profiles)) {
    for (const [profile, value] of Object.entries(profiles)) {
      check(value, PROFILE, '', (key, problem) => problems.push({ profile, key, problem }), strict);
    }
  } else if (profiles !== undefined) {
    problems.push({ key: 'profile', problem: `is ${nameOf(profiles)}, takes tables [profile.NAME]` });
  }
  if (problems.length > 0) throw problemsError('ENVCONFIG_TOML_INVALID', problems, file);
  return configFromToml(table as unknown as TomlClientConfig, { file });
}

function parseToml(bytes: Uint8Array, file: string | undefined): Record<string, unknown> {
  try {
    return parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    const where = cause instanceof TomlError ? ` at line ${cause.line}, column ${cause.column}` : '';
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new ClientConfigError(
      'ENVCONFIG_TOML_INVALID',
      `not valid TOML${where}: ${what}`,
      { file },
      { cause },
    );
  }
}

/** X1, X2 */
function check(
  value: unknown,
  shape: Shape,
  path: string,
  report: (key: string | undefined, problem: string) => void,
  strict: boolean,
): void {
  const key = path === '' ? undefined : path;
  if (shape === 'text') {
    if (typeof value !== 'string') report(key, `is ${nameOf(value)}, takes a text`);
  } else if (shape === 'flag') {
    if (typeof value !== 'boolean') report(key, `is ${nameOf(value)}, takes true or false`);
  } else if (!isTable(value)) {
    report(key, `is ${nameOf(value)}, takes a table`);
  } else {
    for (const [name, member] of Object.entries(value)) {
      const inner = path === '' ? name : `${path}.${name}`;
      const expected = 'each' in shape ? shape.each : Object.hasOwn(shape, name) ? shape[name] : undefined;
      if (expected !== undefined) check(member, expected as Shape, inner, report, strict);
      else if (strict) report(inner, 'is not a known key');
    }
  }
}

function problemsError(
  code: ClientConfigErrorCode,
  problems: readonly Problem[],
  file: string | undefined,
): ClientConfigError {
  const [first] = problems;
  if (problems.length === 1) return new ClientConfigError(code, first!.problem, { ...first, file });
  const lines = problems.map(({ profile, key, problem }) => {
    const place = [profile !== undefined && `profile '${profile}'`, key !== undefined && `key '${key}'`];
    return `\n  ${place.filter(Boolean).join(', ')}: ${problem}`;
  });
  // The fields name the first problem, the message all of them.
  const error = new ClientConfigError(code, `${problems.length} problems:${lines.join('')}`, { file });
  return Object.assign(error, { profile: first!.profile, key: first!.key });
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return 'a date';
  if (typeof value === 'object') return 'a table';
  if (typeof value === 'string') return 'a text';
  return typeof value === 'boolean' ? String(value) : 'a number';
}
