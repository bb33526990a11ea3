import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasCode } from '@perdure/common';
import fc from 'fast-check';
import {
  type ClientConfig,
  ClientConfigError,
  clientConfigToToml,
  fromTomlConfig,
  fromTomlProfile,
  type LoadClientProfileOptions,
  loadClientConfig,
  loadClientConfigFromToml,
  loadClientConfigProfile,
  loadClientConnectConfig,
  loadConfigData,
  toClientOptions,
  toTomlConfig,
  toTomlProfile,
} from './index';
import { configFolder } from './load';

const bytes = (text: string) => new TextEncoder().encode(text);
const folder = mkdtempSync(join(tmpdir(), 'perdure-envconfig-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function file(content: string): string {
  const path = join(folder, `${++files}.toml`);
  writeFileSync(path, content);
  return path;
}

/** Loads from text, untouched by the environment of the tests. */
function load(toml: string, env: Record<string, string> = {}, options: LoadClientProfileOptions = {}) {
  return loadClientConfigProfile({ configSource: { data: toml }, overrideEnvVars: env, ...options });
}

function errorOf(fn: () => unknown): ClientConfigError {
  try {
    fn();
  } catch (error) {
    expect(error).toBeInstanceOf(ClientConfigError);
    return error as ClientConfigError;
  }
  throw new Error('nothing was thrown');
}

const TWO_PROFILES = `
[profile.default]
address = "default:7233"
namespace = "default-ns"
[profile.cloud]
address = "cloud:7233"
namespace = "cloud-ns"
api_key = "key"
[profile.cloud.tls]
server_name = "name"
[profile.cloud.codec]
endpoint = "http://codec"
[profile.cloud.grpc_meta]
sOme-hEader_key = "value"
`;

describe('which profile is loaded', () => {
  it('is "default" unless one is asked for', () => {
    expect(load(TWO_PROFILES)).toEqual({ address: 'default:7233', namespace: 'default-ns' });
  });

  it('is the one asked for, by argument before environment', () => {
    const env = { TEMPORAL_PROFILE: 'cloud' };
    expect(load(TWO_PROFILES, env).address).toBe('cloud:7233');
    expect(load(TWO_PROFILES, env, { profile: 'default' }).address).toBe('default:7233');
    expect(load(TWO_PROFILES, env, { disableEnv: true }).address).toBe('default:7233');
    expect(load(TWO_PROFILES, { TEMPORAL_PROFILE: '' }).address).toBe('default:7233');
  });

  it('is empty if "default" does not exist, but must exist when asked for', () => {
    const toml = '[profile.other]\naddress = "a"';
    expect(load(toml)).toEqual({});
    for (const options of [{ profile: 'absent' }, { profile: 'default' }, { profile: 'toString' }]) {
      const error = errorOf(() => load(toml, {}, options));
      expect(error).toMatchObject({ code: 'ENVCONFIG_PROFILE_NOT_FOUND', profile: options.profile });
      expect(error.hint).toContain('other');
    }
    const path = file(toml);
    const error = errorOf(() =>
      loadClientConfigProfile({
        configSource: { path },
        overrideEnvVars: { TEMPORAL_PROFILE: 'absent' },
      }),
    );
    expect(error).toMatchObject({ code: 'ENVCONFIG_PROFILE_NOT_FOUND', profile: 'absent', file: path });
    expect(error.message).toContain(path);
  });

  it('is kept apart from members of Object.prototype', () => {
    const config = loadClientConfig({ configSource: { data: '[profile.__proto__]\naddress = "a"' } });
    expect(Object.keys(config.profiles)).toEqual(['__proto__']);
    expect(({} as any).address).toBeUndefined();
  });
});

describe('the configuration file', () => {
  it('is that of TEMPORAL_CONFIG_FILE', () => {
    const path = file(TWO_PROFILES);
    const options = { overrideEnvVars: { TEMPORAL_CONFIG_FILE: path, TEMPORAL_ADDRESS: 'ignored here' } };
    expect(loadClientConfig(options).profiles.default?.address).toBe('default:7233');
    expect(loadClientConfigProfile({ ...options, disableEnv: true }).address).toBe('default:7233');
  });

  it('else is temporalio/temporal.toml in the configuration folder of the user', () => {
    const config = join(folder, 'xdg');
    mkdirSync(join(config, 'temporalio'), { recursive: true });
    writeFileSync(join(config, 'temporalio', 'temporal.toml'), TWO_PROFILES);
    const env = { linux: 'XDG_CONFIG_HOME', win32: 'APPDATA' }[process.platform as string];
    if (env !== undefined) {
      expect(loadClientConfigProfile({ overrideEnvVars: { [env]: config } }).address).toBe('default:7233');
    }
    expect(configFolder({ XDG_CONFIG_HOME: '/x', HOME: '/h' }, 'linux', undefined)).toBe('/x');
    expect(configFolder({ HOME: '/h' }, 'linux', undefined)).toBe(join('/h', '.config'));
    expect(configFolder({}, 'linux', '/home')).toBe(join('/home', '.config'));
    expect(configFolder({ HOME: '/h' }, 'darwin', undefined)).toBe(
      join('/h', 'Library', 'Application Support'),
    );
    expect(configFolder({ APPDATA: 'C:\\roaming' }, 'win32', '/home')).toBe('C:\\roaming');
    expect(configFolder({}, 'linux', undefined)).toBeUndefined();
  });

  it('may be missing', () => {
    const path = join(folder, 'absent.toml');
    expect(loadClientConfig({ configSource: { path } })).toEqual({ profiles: {} });
    expect(loadClientConfig({ overrideEnvVars: { TEMPORAL_CONFIG_FILE: path } })).toEqual({ profiles: {} });
    expect(loadClientConfig({ overrideEnvVars: {} })).toEqual({ profiles: {} });
    expect(loadClientConfigProfile({ overrideEnvVars: {} })).toEqual({});
  });

  it('that cannot be read is named', () => {
    const error = errorOf(() => loadClientConfig({ configSource: { path: folder } }));
    expect(error).toMatchObject({ code: 'ENVCONFIG_FILE_UNREADABLE', file: folder });
    expect(error.message).toContain(folder);
  });

  it('can be left out', () => {
    const env = { TEMPORAL_ADDRESS: 'env:1', TEMPORAL_PROFILE: 'whatever' };
    expect(load('not toml at all', env, { disableFile: true })).toEqual({ address: 'env:1' });
    try {
      load('', {}, { disableFile: true, disableEnv: true });
      throw new Error('nothing was thrown');
    } catch (error) {
      expect((error as Error).message).toContain('Cannot disable both');
      expect(hasCode(error, 'VALUE_INVALID')).toBe(true);
    }
  });
});

describe('what is wrong in a file', () => {
  it('is told with file, line and column when it is not TOML', () => {
    const path = file('[profile.default]\naddress = oops');
    const error = errorOf(() => loadClientConfig({ configSource: { path } }));
    expect(error).toMatchObject({ code: 'ENVCONFIG_TOML_INVALID', file: path });
    expect(error.message).toMatch(/line 2, column \d+/);
    expect(
      errorOf(() => loadClientConfig({ configSource: { data: new Uint8Array([0xff, 0xfe]) } })).code,
    ).toBe('ENVCONFIG_TOML_INVALID');
  });

  it('is told with profile and key when a value has the wrong type', () => {
    const cases: [string, string][] = [
      ['address = 7233', 'address'],
      ['namespace = ["a"]', 'namespace'],
      ['api_key = 2020-01-01', 'api_key'],
      ['tls = true', 'tls'],
      ['tls.disabled = "yes"', 'tls.disabled'],
      ['tls.client_cert_path = 1', 'tls.client_cert_path'],
      ['codec.endpoint = false', 'codec.endpoint'],
      ['grpc_meta.count = 3', 'grpc_meta.count'],
    ];
    for (const [line, key] of cases) {
      const error = errorOf(() => load(`[profile.p]\n${line}`, {}, { profile: 'p' }));
      expect(error).toMatchObject({ code: 'ENVCONFIG_TOML_INVALID', profile: 'p', key });
      expect(error.message).toContain(`profile 'p', key '${key}'`);
    }
    expect(errorOf(() => load('profile = 1')).key).toBe('profile');
    expect(errorOf(() => load('[profile]\ndefault = 1')).profile).toBe('default');
  });

  it('is told all at once', () => {
    const error = errorOf(() => load('[profile.a]\naddress = 1\n[profile.b]\ntls.disabled = 1'));
    expect(error.message).toMatch(/profile 'a', key 'address'.*\n.*profile 'b', key 'tls\.disabled'/);
    expect(error).toMatchObject({ profile: 'a', key: 'address' });
  });

  it('counts unknown keys only when strict', () => {
    const cases: [string, string][] = [
      ['[profile.default]\nadress = "a"', 'adress'],
      ['[profile.default.tls]\nserver = "a"', 'tls.server'],
      ['[profile.default.codec]\nurl = "a"', 'codec.url'],
      ['[profiles.default]\naddress = "a"', 'profiles'],
    ];
    for (const [toml, key] of cases) {
      expect(() => load(toml)).not.toThrow();
      expect(errorOf(() => load(toml, {}, { configFileStrict: true })).key).toBe(key);
      expect(errorOf(() => loadClientConfigFromToml(bytes(toml), { strict: true })).key).toBe(key);
    }
    expect(() => load(TWO_PROFILES, {}, { configFileStrict: true })).not.toThrow();
  });

  it('is a certificate given both as path and as data', () => {
    for (const name of ['client_cert', 'client_key', 'server_ca_cert']) {
      const toml = `[profile.default.tls]\n${name}_path = "p"\n${name}_data = "d"`;
      expect(errorOf(() => load(toml))).toMatchObject({
        code: 'ENVCONFIG_VALUE_INVALID',
        profile: 'default',
        key: `tls.${name}_path`,
      });
    }
    const tls = { client_key_path: 'p', client_key_data: 'd' };
    expect(errorOf(() => fromTomlProfile({ tls })).message).toContain('Cannot specify both client_key_path');
  });
});

describe('environment variables', () => {
  it('win over the file', () => {
    const profile = load(
      TWO_PROFILES,
      {
        TEMPORAL_ADDRESS: 'env:1',
        TEMPORAL_NAMESPACE: 'env-ns',
        TEMPORAL_API_KEY: 'env-key',
        TEMPORAL_TLS_SERVER_NAME: 'env-name',
        TEMPORAL_TLS_CLIENT_CERT_DATA: 'crt',
        TEMPORAL_TLS_CLIENT_KEY_PATH: '/key',
        TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/ca',
        TEMPORAL_CODEC_ENDPOINT: 'http://not-used',
        TEMPORAL_GRPC_META_SOME_HEADER_KEY: 'env-value',
        TEMPORAL_GRPC_META_OTHER: 'other',
      },
      { profile: 'cloud' },
    );
    expect(profile).toEqual({
      address: 'env:1',
      namespace: 'env-ns',
      apiKey: 'env-key',
      tls: {
        serverName: 'env-name',
        clientCert: { data: bytes('crt') },
        clientKey: { path: '/key' },
        serverCACert: { path: '/ca' },
      },
      grpcMeta: { 'some-header-key': 'env-value', other: 'other' },
    });
  });

  it('are not read when switched off', () => {
    expect(load(TWO_PROFILES, { TEMPORAL_ADDRESS: 'env:1' }, { disableEnv: true }).address).toBe(
      'default:7233',
    );
  });

  it('count as not set when empty, except that an empty header is taken away', () => {
    const env = { TEMPORAL_ADDRESS: '', TEMPORAL_TLS: '', TEMPORAL_GRPC_META_SOME_HEADER_KEY: '' };
    const profile = load(TWO_PROFILES, env, { profile: 'cloud' });
    expect(profile).toMatchObject({ address: 'cloud:7233', tls: { serverName: 'name' }, grpcMeta: {} });
    expect(profile.tls).toEqual({ serverName: 'name' });
    expect(Object.keys(profile.grpcMeta!)).toEqual([]);
    expect(load('', { TEMPORAL_GRPC_META_ABSENT: '' })).toEqual({});
  });

  it('switch TLS on with "1" and "true", and off with anything else', () => {
    for (const [value, disabled] of Object.entries({
      1: false,
      true: false,
      TRUE: false,
      0: true,
      false: true,
      no: true,
    })) {
      expect(load('', { TEMPORAL_TLS: value }).tls).toEqual({ disabled });
    }
    expect(load('[profile.default.tls]\ndisabled = true', { TEMPORAL_TLS: 'true' }).tls).toEqual({
      disabled: false,
    });
  });

  it('that contradict each other or the file are named', () => {
    const both = { TEMPORAL_TLS_CLIENT_CERT_PATH: 'p', TEMPORAL_TLS_CLIENT_CERT_DATA: 'd' };
    expect(errorOf(() => load('', both))).toMatchObject({
      code: 'ENVCONFIG_VALUE_INVALID',
      key: 'TEMPORAL_TLS_CLIENT_CERT_PATH',
    });
    const toml = '[profile.default.tls]\nclient_key_path = "p"\nserver_ca_cert_data = "d"';
    expect(errorOf(() => load(toml, { TEMPORAL_TLS_CLIENT_KEY_DATA: 'd' }))).toMatchObject({
      profile: 'default',
      key: 'TEMPORAL_TLS_CLIENT_KEY_DATA',
    });
    expect(errorOf(() => load(toml, { TEMPORAL_TLS_SERVER_CA_CERT_PATH: 'p' })).key).toBe(
      'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
    );
    expect(load(toml, { TEMPORAL_TLS_CLIENT_KEY_PATH: 'q' }).tls?.clientKey).toEqual({ path: 'q' });
  });

  it('are those of the process when no others are given', () => {
    const before = process.env.TEMPORAL_ADDRESS;
    process.env.TEMPORAL_ADDRESS = 'process:1';
    try {
      expect(loadClientConnectConfig({ disableFile: true }).connectionOptions.address).toBe('process:1');
    } finally {
      if (before === undefined) delete process.env.TEMPORAL_ADDRESS;
      else process.env.TEMPORAL_ADDRESS = before;
    }
  });
});

describe('the options for a connection', () => {
  it('have only what the profile has', () => {
    expect(toClientOptions({})).toEqual({ connectionOptions: {} });
    expect(toClientOptions({ address: 'a:1', namespace: 'n', grpcMeta: { h: 'v' } })).toEqual({
      connectionOptions: { address: 'a:1', metadata: { h: 'v' } },
      namespace: 'n',
    });
  });

  it('have TLS with an API key, unless it is disabled', () => {
    expect(toClientOptions({ apiKey: 'k' }).connectionOptions).toEqual({ apiKey: 'k', tls: true });
    expect(toClientOptions({ apiKey: 'k', tls: { disabled: true } }).connectionOptions.tls).toBe(false);
    expect(toClientOptions({ tls: { disabled: true, serverName: 'n' } }).connectionOptions.tls).toBe(false);
    expect(toClientOptions({ tls: {} }).connectionOptions.tls).toEqual({});
  });

  it('have the bytes of certificates, from files and from data', () => {
    const ca = file('ca pem');
    const options = toClientOptions({
      tls: {
        serverName: 'n',
        serverCACert: { path: ca },
        clientCert: { data: 'crt pem' },
        clientKey: { data: bytes('key pem') },
      },
    });
    expect(options.connectionOptions.tls).toEqual({
      serverNameOverride: 'n',
      serverRootCACertificate: bytes('ca pem'),
      clientCertPair: { crt: bytes('crt pem'), key: bytes('key pem') },
    });
  });

  it('tell file, profile and key of a certificate that is not there, or without its key', () => {
    const absent = join(folder, 'absent.pem');
    const path = file(`[profile.p.tls]\nserver_ca_cert_path = ${JSON.stringify(absent)}`);
    const source = { configSource: { path }, profile: 'p' };
    const error = errorOf(() => loadClientConnectConfig({ ...source, overrideEnvVars: {} }));
    expect(error).toMatchObject({
      code: 'ENVCONFIG_FILE_UNREADABLE',
      file: path,
      profile: 'p',
      key: 'tls.server_ca_cert_path',
    });
    expect(error.message).toContain(absent);
    const half = errorOf(() =>
      toClientOptions(load('[profile.p.tls]\nclient_cert_data = "c"', {}, { profile: 'p' })),
    );
    expect(half).toMatchObject({ code: 'ENVCONFIG_VALUE_INVALID', profile: 'p', key: 'tls.client_key_path' });
  });

  it('are read from a source of any kind', () => {
    expect(loadConfigData()).toBeUndefined();
    expect(loadConfigData({ data: 'ü' })).toEqual(bytes('ü'));
    expect(loadConfigData({ data: bytes('b') })).toEqual(bytes('b'));
    expect(loadConfigData({ path: file('f') })).toEqual(bytes('f'));
    expect(errorOf(() => loadConfigData({ path: join(folder, 'absent') })).code).toBe(
      'ENVCONFIG_FILE_UNREADABLE',
    );
  });
});

describe('TOML and model', () => {
  it('have names of their own', () => {
    const profile = { address: 'a', api_key: 'k', tls: { client_key_path: 'p' }, grpc_meta: { A_B: 'v' } };
    const model = fromTomlProfile(profile);
    expect(model).toEqual({
      address: 'a',
      apiKey: 'k',
      tls: { clientKey: { path: 'p' } },
      grpcMeta: { 'a-b': 'v' },
    });
    expect(toTomlProfile(model)).toEqual({ ...profile, grpc_meta: { 'a-b': 'v' } });
    expect(toTomlConfig(fromTomlConfig({ profile: { x: profile } })).profile.x?.address).toBe('a');
    expect(fromTomlConfig({} as any)).toEqual({ profiles: {} });
  });

  it('come back from each other for any configuration', () => {
    const text = fc.string({ unit: 'grapheme' });
    const source = fc.oneof(
      text.map((path) => ({ path })),
      text.map((data) => ({ data: bytes(data) })),
    );
    const header = fc.stringMatching(/^[a-z][a-z0-9-]*$/);
    const optional = { requiredKeys: [] };
    const config: fc.Arbitrary<ClientConfig> = fc.record({
      profiles: fc.dictionary(
        text,
        fc.record(
          {
            address: text,
            namespace: text,
            apiKey: text,
            tls: fc.record(
              {
                disabled: fc.boolean(),
                serverName: text,
                clientCert: source,
                clientKey: source,
                serverCACert: source,
              },
              optional,
            ),
            grpcMeta: fc.dictionary(header, text),
          },
          optional,
        ),
      ),
    });
    fc.assert(
      fc.property(config, (given) => {
        expect(loadClientConfigFromToml(clientConfigToToml(given), { strict: true })).toEqual(given);
      }),
    );
  });
});
