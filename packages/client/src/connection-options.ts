/**
 * The options of a connection and their resolved form.
 *
 * Owns    defaults, checks, the address's grammar.
 * N1  Every default is in this file; all problems are told in one error.
 */
import type {
  CallCredentials,
  ChannelCredentials,
  ChannelOptions,
  Interceptor,
  MetadataValue,
} from '@grpc/grpc-js';
import { type Duration, ValueError } from '@perdure/common';
import { durationToMs } from '@perdure/common/lib/durations';
import { grpc } from './grpc';
import { defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from './grpc-retry';

/** Address of a server with default settings on this machine. */
export const LOCAL_TARGET = 'localhost:7233';
const DEFAULT_PORT = 7233;

/** Headers of calls. */
export type Metadata = Record<string, MetadataValue>;

export interface TLSConfig {
  /** The name that the server's certificate must carry, in place of the address's host; also sent as SNI. */
  serverNameOverride?: string;
  /**
   * PEM of the CA of the server's certificate.
   * @default the roots that Node.js trusts
   */
  serverRootCACertificate?: Uint8Array;
  /** Certificate and key of this client, PEM, for mTLS. */
  clientCertPair?: { crt: Uint8Array; key: Uint8Array };
  /**
   * Certificate and key of this client in one PFX (PKCS #12) file, for mTLS, in place of `clientCertPair`. Only
   * connections of this package take it.
   */
  clientCertPfx?: { pfx: Uint8Array; passphrase?: string };
}

/** Changes the options of connections. */
export interface ConnectionPlugin {
  get name(): string;
  /** Gives the options to connect with. */
  configureConnection?(options: ConnectionOptions): ConnectionOptions;
}

export interface ConnectionOptions {
  /**
   * `host:port`; the port defaults to 7233; IPv6 in brackets.
   * @default 'localhost:7233'
   */
  address?: string;
  /**
   * `true` or `{}` for TLS with the roots that Node.js trusts, an object to say more.
   * @default off, on with an API key
   */
  tls?: TLSConfig | boolean | null;
  /** Channel credentials of grpc-js; not together with `tls`. */
  credentials?: ChannelCredentials;
  /** Call credentials of grpc-js; TLS only. */
  callCredentials?: CallCredentials[];
  /**
   * Channel options of grpc-js; they win over the defaults of this SDK. Through an HTTP proxy: give the proxy as
   * `address`, `'grpc.http_connect_target': 'dns:server:7233'`, and `'grpc.http_connect_creds': 'user:password'` if it
   * asks for them.
   */
  channelArgs?: ChannelOptions;
  /**
   * Interceptors of grpc-js, outermost first. They replace the default, which repeats failed calls; add
   * `makeGrpcRetryInterceptor(defaultGrpcRetryOptions())` to keep that.
   */
  interceptors?: Interceptor[];
  /** Headers of every call; a function is asked before every call, and what it throws ends the call. */
  metadata?: Metadata | (() => Metadata);
  /** Sent as `Authorization: Bearer …`; a function is asked before every call. */
  apiKey?: string | (() => string);
  /**
   * How long `connect` and `ensureConnected` try.
   * @default '10s'
   */
  connectTimeout?: Duration;
  plugins?: ConnectionPlugin[];
}

export type ConnectionOptionsWithDefaults = Required<
  Omit<ConnectionOptions, 'tls' | 'connectTimeout' | 'callCredentials' | 'apiKey' | 'metadata'>
> & {
  connectTimeoutMs: number;
  /** Headers of a call that is made now. */
  readonly metadata: Metadata;
};

export interface ResolvedConnectionOptions {
  readonly options: ConnectionOptionsWithDefaults;
  readonly apiKey: string | (() => string) | undefined;
  readonly usesTls: boolean;
}

/**
 * `host:port` of an address, with the default port where it has none.
 * @throws {ValueError} no host, no valid port, or a URL
 */
export function normalizeAddress(address: string): string {
  const invalid = (why: string) =>
    new ValueError(
      `Invalid address '${address}': ${why}`,
      undefined,
      "give host and port, such as 'localhost:7233' or '[::1]:7233'",
    );
  if (address.includes('://') || address.includes('/')) throw invalid('it must not be a URL');
  const match = /^(\[[0-9a-fA-F:.%\w]+\]|[^:[\]\s]+)(?::(.*))?$/.exec(address);
  if (match === null) throw invalid('it is not host:port; an IPv6 address needs brackets');
  const [, host, port = String(DEFAULT_PORT)] = match;
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
    throw invalid(`'${port}' is not a port`);
  return `${host}:${Number(port)}`;
}

const CHANNEL_DEFAULTS: ChannelOptions = {
  // A connection that died without a word is noticed within 45 s, also between calls.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 15_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_receive_message_length': 128 * 1024 * 1024,
  // A restarted server is found again within seconds; the default of grpc-js grows to two minutes.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 5_000,
  // Counts calls for a debugging service that a process with a gRPC server can offer; nearly none does.
  'grpc.enable_channelz': 0,
};

const bytes = (pem: Uint8Array | undefined): Buffer | null =>
  pem === undefined ? null : Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength);

/** @throws {Error} a certificate, a key or a passphrase that is none, or two client certificates */
function tlsCredentials({
  serverRootCACertificate,
  clientCertPair,
  clientCertPfx,
}: TLSConfig): ChannelCredentials {
  const { credentials } = grpc();
  const ca = bytes(serverRootCACertificate);
  if (clientCertPfx === undefined) {
    return credentials.createSsl(ca, bytes(clientCertPair?.key), bytes(clientCertPair?.crt));
  }
  if (clientCertPair !== undefined) throw new Error('clientCertPair and clientCertPfx exclude each other');
  const { pfx, passphrase } = clientCertPfx;
  const { createSecureContext } = require('node:tls') as typeof import('node:tls');
  let context: import('node:tls').SecureContext;
  try {
    context = createSecureContext({ pfx: bytes(pfx)!, passphrase, ca: ca ?? undefined });
  } catch (error) {
    throw new Error(`clientCertPfx cannot be read (${(error as Error).message})`);
  }
  return credentials.createFromSecureContext(context);
}

/** Runs the plugins' `configureConnection`, first to last. */
function applyPlugins(options: ConnectionOptions): ConnectionOptions {
  return (options.plugins ?? []).reduce(
    (configured, plugin) => plugin.configureConnection?.(configured) ?? configured,
    options,
  );
}

/** @throws {ValueError} naming every option that is wrong */
export function resolveConnectionOptions(given: ConnectionOptions = {}): ResolvedConnectionOptions {
  const configured = applyPlugins(given);
  const {
    address = LOCAL_TARGET,
    apiKey,
    tls = apiKey === undefined ? null : true,
    credentials,
    callCredentials = [],
    channelArgs = {},
    interceptors = [makeGrpcRetryInterceptor(defaultGrpcRetryOptions())],
    metadata = {},
    connectTimeout = '10s',
    plugins = [],
  } = configured;
  const problems: string[] = [];
  const collect = <T>(fn: () => T, fallback: T): T => {
    try {
      return fn();
    } catch (error) {
      problems.push((error as Error).message);
      return fallback;
    }
  };
  const target = collect(() => normalizeAddress(address), LOCAL_TARGET);
  const connectTimeoutMs = collect(() => durationToMs(connectTimeout, 'connectTimeout'), 0);
  if (credentials !== undefined && configured.tls) problems.push('credentials and tls exclude each other');
  const headersNow = typeof metadata === 'function' ? metadata : () => metadata;
  const fixedHeaders = typeof metadata === 'function' ? {} : metadata; // a function is asked by calls alone
  if (
    apiKey !== undefined &&
    Object.keys(fixedHeaders).some((name) => name.toLowerCase() === 'authorization')
  ) {
    problems.push('apiKey and an Authorization header in metadata exclude each other');
  }
  const config = typeof tls === 'object' && tls !== null ? tls : {};
  const usesTls = credentials === undefined ? Boolean(tls) : credentials._isSecure();
  let channelCredentials = credentials;
  if (channelCredentials === undefined) {
    channelCredentials = usesTls
      ? collect(() => tlsCredentials(config), grpc().credentials.createInsecure())
      : grpc().credentials.createInsecure();
  }
  if (callCredentials.length > 0) {
    if (!usesTls) problems.push('callCredentials need TLS');
    else {
      const [first, ...rest] = callCredentials;
      const combined = rest.reduce((all, next) => all.compose(next), first!);
      channelCredentials = grpc().credentials.combineChannelCredentials(channelCredentials, combined);
    }
  }
  if (problems.length > 0) {
    throw new ValueError(`Invalid connection options: ${problems.join('; ')}`);
  }
  const { serverNameOverride } = config;
  return {
    apiKey,
    usesTls,
    options: {
      address: target,
      credentials: channelCredentials,
      channelArgs: {
        ...CHANNEL_DEFAULTS,
        ...(serverNameOverride !== undefined && {
          'grpc.ssl_target_name_override': serverNameOverride,
          'grpc.default_authority': serverNameOverride,
        }),
        ...channelArgs,
      },
      interceptors,
      get metadata() {
        return headersNow();
      },
      connectTimeoutMs,
      plugins,
    },
  };
}
