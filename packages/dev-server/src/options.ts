/**
 * The options of both servers and their resolved form.
 *
 * Owns    defaults and checks.
 * O1  Every default is in this file; all problems of one options object are told in one error.
 */
import { DevServerError } from './errors';
import type { FindServerBinaryOptions } from './find';

/** How a search attribute is indexed; spelt as the server and as the SDKs do. */
export type SearchAttributeTypeName =
  | 'Text'
  | 'Keyword'
  | 'Int'
  | 'Double'
  | 'Bool'
  | 'Datetime'
  | 'KeywordList'
  | 'TEXT'
  | 'KEYWORD'
  | 'INT'
  | 'DOUBLE'
  | 'BOOL'
  | 'DATETIME'
  | 'KEYWORD_LIST';

export type DevServerLogLevel = 'debug' | 'info' | 'warn' | 'error' | 'never';

export interface CommonServerOptions {
  /**
   * TCP port of the gRPC service.
   * @default a free port
   */
  port?: number;
  /** More command line arguments, appended as they are. */
  extraArgs?: readonly string[];
  /** Where the binary is looked for. */
  binary?: FindServerBinaryOptions;
  /**
   * How long the server may take to serve, in milliseconds.
   * @default 60000
   */
  startTimeoutMs?: number;
}

export interface DevServerOptions extends CommonServerOptions {
  /**
   * Whether a server named by the environment variable `TEMPORAL_ADDRESS` is used in place of a new one. Options that
   * shape the new server are then without effect; its namespace is `namespace`, else `TEMPORAL_NAMESPACE`, else
   * `default`, and must exist.
   * @default true
   */
  useExisting?: boolean;
  /**
   * Address to listen on.
   * @default '127.0.0.1'
   */
  ip?: string;
  /**
   * The Web UI: `true` for a free port, or the port.
   * @default false
   */
  ui?: boolean | { port?: number };
  /**
   * Namespace, created at start (`default` always is).
   * @default 'default'
   */
  namespace?: string;
  /**
   * SQLite file that keeps the server's state.
   * @default in memory, lost at the end
   */
  dbFilename?: string;
  /** Search attributes to register: type by name, or a list of keys as `defineSearchAttributeKey` makes them. */
  searchAttributes?:
    | Readonly<Record<string, SearchAttributeTypeName>>
    | readonly { readonly name: string; readonly type: SearchAttributeTypeName }[];
  /** @default 'warn' */
  logLevel?: DevServerLogLevel;
  /** @default 'pretty' */
  logFormat?: 'text' | 'json' | 'pretty';
  /** Values of the server's dynamic configuration, e.g. `{ 'frontend.namespaceRPS': 10000 }`. */
  dynamicConfigValues?: Readonly<Record<string, unknown>>;
}

export type TestServerOptions = CommonServerOptions;

export interface ResolvedDevServerOptions {
  readonly useExisting: boolean;
  readonly ip: string;
  readonly port: number | undefined;
  readonly ui: { readonly port: number | undefined } | undefined;
  readonly namespace: string | undefined;
  readonly dbFilename: string | undefined;
  readonly searchAttributes: readonly (readonly [name: string, type: string])[];
  readonly logLevel: DevServerLogLevel;
  readonly logFormat: string;
  readonly dynamicConfigValues: readonly (readonly [key: string, json: string])[];
  readonly extraArgs: readonly string[];
  readonly binary: FindServerBinaryOptions;
  readonly startTimeoutMs: number;
}

const TYPE_NAMES: Readonly<Record<SearchAttributeTypeName, string>> = {
  Text: 'Text',
  Keyword: 'Keyword',
  Int: 'Int',
  Double: 'Double',
  Bool: 'Bool',
  Datetime: 'Datetime',
  KeywordList: 'KeywordList',
  TEXT: 'Text',
  KEYWORD: 'Keyword',
  INT: 'Int',
  DOUBLE: 'Double',
  BOOL: 'Bool',
  DATETIME: 'Datetime',
  KEYWORD_LIST: 'KeywordList',
};

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 65_536;
}

function resolveSearchAttributes(
  given: DevServerOptions['searchAttributes'],
  problems: string[],
): readonly (readonly [string, string])[] {
  if (given === undefined) return [];
  const pairs = Array.isArray(given)
    ? given.map(({ name, type }) => [name, type] as const)
    : (Object.entries(given) as [string, SearchAttributeTypeName][]);
  return pairs.map(([name, type]) => {
    const known = Object.hasOwn(TYPE_NAMES, type) ? TYPE_NAMES[type as SearchAttributeTypeName] : undefined;
    if (known === undefined) {
      problems.push(
        `searchAttributes.${name}: got ${JSON.stringify(type)}, takes one of ${Object.keys(TYPE_NAMES).join(', ')}`,
      );
    }
    return [name, known ?? ''] as const;
  });
}

const KNOWN_OPTIONS = [
  'useExisting',
  'ip',
  'port',
  'ui',
  'namespace',
  'dbFilename',
  'searchAttributes',
  'logLevel',
  'logFormat',
  'dynamicConfigValues',
  'extraArgs',
  'binary',
  'startTimeoutMs',
];

function refuse(what: string, problems: readonly string[]): never {
  throw new DevServerError('DEV_SERVER_INVALID_OPTIONS', `${what} cannot be used: ${problems.join('; ')}`, {
    hint: 'the option types of @perdure/dev-server say what each field takes',
  });
}

/** @throws {DevServerError} DEV_SERVER_INVALID_OPTIONS, naming every field that is wrong */
export function resolveDevServerOptions(options: DevServerOptions = {}): ResolvedDevServerOptions {
  const {
    useExisting = true,
    ip = '127.0.0.1',
    port,
    ui = false,
    namespace,
    dbFilename,
    searchAttributes,
    logLevel = 'warn',
    logFormat = 'pretty',
    dynamicConfigValues = {},
    extraArgs = [],
    binary = {},
    startTimeoutMs = 60_000,
  } = options;
  const problems: string[] = [];
  for (const name of Object.keys(options)) {
    if (!KNOWN_OPTIONS.includes(name)) problems.push(`${name}: unknown, takes ${KNOWN_OPTIONS.join(', ')}`);
  }
  const uiPort = typeof ui === 'object' ? ui.port : undefined;
  if (port !== undefined && !isPort(port)) problems.push(`port: got ${port}, takes a number from 1 to 65535`);
  if (uiPort !== undefined && !isPort(uiPort))
    problems.push(`ui.port: got ${uiPort}, takes a number from 1 to 65535`);
  if (namespace === '') problems.push('namespace: must not be empty');
  if (!(startTimeoutMs > 0)) problems.push(`startTimeoutMs: got ${startTimeoutMs}, takes a number above 0`);
  const attributes = resolveSearchAttributes(searchAttributes, problems);
  if (problems.length > 0) refuse('the options of the dev server', problems);
  return {
    useExisting,
    ip,
    port,
    ui: ui === false ? undefined : { port: uiPort },
    namespace,
    dbFilename,
    searchAttributes: attributes,
    logLevel,
    logFormat,
    dynamicConfigValues: Object.entries(dynamicConfigValues).map(
      ([key, value]) => [key, JSON.stringify(value)] as const,
    ),
    extraArgs,
    binary,
    startTimeoutMs,
  };
}

/** @throws {DevServerError} DEV_SERVER_INVALID_OPTIONS, naming every field that is wrong */
export function resolveTestServerOptions({
  port,
  extraArgs = [],
  binary = {},
  startTimeoutMs = 60_000,
}: TestServerOptions = {}): Required<Omit<TestServerOptions, 'port'>> & { port: number | undefined } {
  const problems: string[] = [];
  if (port !== undefined && !isPort(port)) problems.push(`port: got ${port}, takes a number from 1 to 65535`);
  if (!(startTimeoutMs > 0)) problems.push(`startTimeoutMs: got ${startTimeoutMs}, takes a number above 0`);
  if (problems.length > 0) refuse('the options of the test server', problems);
  return { port, extraArgs, binary, startTimeoutMs };
}
