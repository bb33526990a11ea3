/**
 * Options of the servers, in the official spelling, and what `@perdure/dev-server` is given for them.
 *
 * Owns    defaults and checks of these options.
 * O1  All problems of one options object are told in one error.
 */
import { type Duration, ValueError } from '@perdure/common';
import {
  type DevServerOptions,
  RELEASES,
  type ServerKind,
  type TestServerOptions,
} from '@perdure/dev-server';

/** Search attribute keys as `defineSearchAttributeKey` makes them. */
type SearchAttributeKeys = Extract<DevServerOptions['searchAttributes'], readonly unknown[]>;

/** Where a server's binary comes from. */
export type EphemeralServerExecutable =
  | {
      type: 'cached-download';
      /**
       * Where downloaded servers lie.
       * @default `$XDG_CACHE_HOME/perdure/servers`, else `~/.cache/perdure/servers`
       */
      downloadDir?: string;
      /**
       * `'default'`, or the number of the pinned version: only that one is checked by its hash.
       * @default 'default'
       */
      version?: string;
      /** Taken and not needed: a cached binary is checked by its hash before each use, however old it is. */
      ttl?: Duration;
    }
  | {
      type: 'existing-path';
      /** Path of the binary. */
      path: string;
    };

/** The time-skipping test server. */
export interface TimeSkippingServerConfig {
  type: 'time-skipping';
  /** @default found on PATH or in the cache, else downloaded */
  executable?: EphemeralServerExecutable;
  /**
   * TCP port.
   * @default a free port
   */
  port?: number;
  /** More command line arguments. */
  extraArgs?: string[];
}

/** The dev server of the Temporal CLI. */
export interface DevServerConfig {
  type: 'dev-server';
  /** @default found on PATH or in the cache, else downloaded */
  executable?: EphemeralServerExecutable;
  /**
   * SQLite file that keeps the server's state.
   * @default in memory
   */
  dbFilename?: string;
  /**
   * Namespace, created at start.
   * @default 'default'
   */
  namespace?: string;
  /**
   * Address to listen on.
   * @default '127.0.0.1'
   */
  ip?: string;
  /**
   * TCP port of the gRPC service.
   * @default a free port
   */
  port?: number;
  /**
   * Whether the Web UI is started.
   * @default true if `uiPort` is given, else false
   */
  ui?: boolean;
  /**
   * TCP port of the Web UI.
   * @default a free port
   */
  uiPort?: number;
  /** @default { format: 'pretty', level: 'warn' } */
  log?: { format: string; level: string };
  /** More command line arguments. */
  extraArgs?: string[];
  /** Search attributes to register. */
  searchAttributes?: SearchAttributeKeys;
}

const DEV_SERVER_FIELDS = [
  ...['type', 'executable', 'dbFilename', 'namespace', 'ip', 'port', 'ui', 'uiPort', 'log', 'extraArgs'],
  'searchAttributes',
];
const TEST_SERVER_FIELDS = ['type', 'executable', 'port', 'extraArgs'];
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'never'];
const LOG_FORMATS = ['text', 'json', 'pretty'];

/** Adds a line for each field of `given` that is not known. */
export function collectUnknown(given: object, known: readonly string[], problems: string[]): void {
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) problems.push(`${name}: unknown, takes ${known.join(', ')}`);
  }
}

/** O1 @throws {ValueError} there are problems */
export function refuse(what: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new ValueError(`${what} cannot be used: ${problems.join('; ')}`);
}

function binaryOf(
  executable: EphemeralServerExecutable | undefined,
  kind: ServerKind,
  problems: string[],
): DevServerOptions['binary'] {
  if (executable === undefined) return {};
  if (executable.type === 'existing-path') return { path: executable.path };
  if (executable.type !== 'cached-download') {
    problems.push(`executable.type: got ${JSON.stringify((executable as { type?: unknown }).type)}, takes`);
    problems.push("'cached-download' or 'existing-path'");
    return {};
  }
  const { version = 'default', downloadDir } = executable;
  const pinned = RELEASES[kind].version;
  if (version !== 'default' && version.replace(/^v/, '') !== pinned) {
    problems.push(
      `executable.version: got '${version}', takes 'default' or '${pinned}'; for another version give its binary as { type: 'existing-path', path }`,
    );
  }
  return { ...(downloadDir !== undefined && { cacheDir: downloadDir }), usePath: version === 'default' };
}

/** @throws {ValueError} naming every field that is wrong */
export function devServerOptions(config: Omit<DevServerConfig, 'type'> = {}): DevServerOptions {
  const { executable, ui, uiPort, log, searchAttributes, extraArgs, ...rest } = config;
  const problems: string[] = [];
  collectUnknown(config, DEV_SERVER_FIELDS, problems);
  if (log !== undefined && !LOG_LEVELS.includes(log.level))
    problems.push(`log.level: got '${log.level}', takes one of ${LOG_LEVELS.join(', ')}`);
  if (log !== undefined && !LOG_FORMATS.includes(log.format))
    problems.push(`log.format: got '${log.format}', takes one of ${LOG_FORMATS.join(', ')}`);
  const binary = binaryOf(executable, 'temporal', problems);
  refuse('The options of the dev server', problems);
  const { dbFilename, namespace, ip, port } = rest;
  return {
    ...{ dbFilename, namespace, ip, port, binary, searchAttributes, extraArgs },
    ui: uiPort !== undefined && ui !== false ? { port: uiPort } : (ui ?? false),
    logLevel: log?.level as DevServerOptions['logLevel'],
    logFormat: log?.format as DevServerOptions['logFormat'],
    useExisting: false,
  };
}

/** @throws {ValueError} naming every field that is wrong */
export function testServerOptions(config: Omit<TimeSkippingServerConfig, 'type'> = {}): TestServerOptions {
  const problems: string[] = [];
  collectUnknown(config, TEST_SERVER_FIELDS, problems);
  const binary = binaryOf(config.executable, 'temporal-test-server', problems);
  refuse('The options of the test server', problems);
  return { port: config.port, extraArgs: config.extraArgs, binary };
}
