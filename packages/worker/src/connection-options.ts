/**
 * Options of a native connection: types, checks, defaults, and their native form.
 *
 * gzip costs a third of a worker's CPU and saves nothing on loopback addresses: it is off there unless asked for.
 */
import type { Duration } from '@perdure/common';
import { msToNumber } from '@perdure/common/lib/time';
import type { ConnectionOptions as ConnectionOptionsMessage } from '@perdure/proto/perdure/core/v1/options';
import Long from 'long';
import type { Check } from './options-check';
import { anyObject, arrayOf, duration, flag, integer, OptionsCheck, oneOf, text } from './options-check';
import type { NativeConnectionPlugin } from './plugins';
import { defaultIdentity } from './worker-options';

/** Headers of calls; keys that end in `-bin` take bytes. */
export type Metadata = Record<string, string | Uint8Array>;

/** How to trust a server and to be trusted. */
export interface TLSConfig {
  /** Name to verify and to send as SNI. (=host of the address) */
  serverNameOverride?: string;
  /** PEM of the root CA of the server. (=the system's) */
  serverRootCACertificate?: Uint8Array;
  /** For mutual TLS, PEM. */
  clientCertPair?: { crt: Uint8Array; key: Uint8Array };
}

/** An HTTP CONNECT proxy. */
export interface HttpConnectProxyConfig {
  type: 'http-connect';
  /** host:port, `http://` may stand before it. */
  targetHost: string;
  basicAuth?: { username: string; password: string };
}

export type ProxyConfig = HttpConnectProxyConfig;

export interface GzipGrpcCompressionConfig {
  codec: 'gzip';
}

export interface NoneGrpcCompressionConfig {
  codec: 'none';
}

export type GrpcCompressionConfig = GzipGrpcCompressionConfig | NoneGrpcCompressionConfig;

export interface DNSLoadBalancingConfig {
  /** How often the name is resolved. */
  resolutionInterval: Duration;
}

/** Sizes from which a warning is logged, in bytes; 0 switches a warning off. */
export interface PayloadLimitsConfig {
  /** (=524288) */
  payloadsWarnSize?: number;
  /** (=2048) */
  memoWarnSize?: number;
}

/** Options of `NativeConnection.connect`. */
export interface NativeConnectionOptions {
  /** host:port. (=localhost:7233) */
  address?: string;
  /** True: TLS with the system's roots. (=off, on with an API key) */
  tls?: TLSConfig | boolean | null;
  proxy?: ProxyConfig;
  /** Excluded by `proxy`. (=off) */
  dnsLoadBalancingConfig?: DNSLoadBalancingConfig | null;
  /** (=none on loopback addresses, gzip elsewhere) */
  grpcCompression?: GrpcCompressionConfig;
  metadata?: Metadata;
  /** Bearer token. */
  apiKey?: string;
  /** (=false) */
  disableErrorCodeMetricTags?: boolean;
  payloadLimits?: PayloadLimitsConfig;
  plugins?: NativeConnectionPlugin[];
  /**
   * True: nothing is connected until somebody needs it, and the server may be away until then. A worker on it starts
   * at once and begins to poll when the server is there; it fails then if the server does not know its namespace.
   * (=false)
   */
  lazy?: boolean;
}

const DEFAULT_ADDRESS = 'localhost:7233';
const DEFAULT_PORT = 7233;
const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE = { intervalMs: 30_000, timeoutMs: 15_000 };

const CHECKS: Readonly<Record<keyof NativeConnectionOptions, Check>> = {
  address: (value) => (typeof value === 'string' && parseAddress(value) ? undefined : 'host or host:port'),
  tls: (value) =>
    value === null || flag(value) === undefined ? undefined : anyObject(value) && 'true, false or an object',
  proxy: anyObject,
  dnsLoadBalancingConfig: (value) => (value === null ? undefined : anyObject(value)),
  grpcCompression: (value) =>
    oneOf('gzip', 'none')((value as { codec?: unknown } | null)?.codec) &&
    '{ codec: "gzip" } or { codec: "none" }',
  metadata: anyObject,
  apiKey: (value) => (typeof value === 'string' ? undefined : 'a text'),
  disableErrorCodeMetricTags: flag,
  payloadLimits: anyObject,
  plugins: arrayOf(anyObject, 'an array of plugins'),
  lazy: flag,
};

/** Host and port of an address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Reads host, host:port, [v6], [v6]:port, each with or without http:// or https:// before it. */
export function parseAddress(address: string): Address | undefined {
  const match = /^(?:https?:\/\/)?(?:\[([0-9a-f:.%]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?\/?$/i.exec(
    address.trim(),
  );
  if (match === null) return undefined;
  const port = match[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  return port > 0 && port < 65_536 ? { host: (match[1] ?? match[2])!, port } : undefined;
}

/** Whether a host is this machine. */
export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host) || host.endsWith('.localhost')
  );
}

/** Splits headers into texts and bytes. @returns the name of a header whose value fits neither, if there is one */
export function splitMetadata(metadata: Metadata): {
  text: Record<string, string>;
  binary: Record<string, Uint8Array>;
  wrong?: string;
} {
  const split = { text: {} as Record<string, string>, binary: {} as Record<string, Uint8Array> };
  for (const [name, value] of Object.entries(metadata)) {
    const isBinary = name.toLowerCase().endsWith('-bin');
    if (isBinary && value instanceof Uint8Array) split.binary[name] = value;
    else if (!isBinary && typeof value === 'string') split.text[name] = value;
    else return { ...split, wrong: name };
  }
  return split;
}

/**
 * Checks and completes connection options.
 * @throws {InvalidOptionsError} with all problems
 */
export function connectionOptionsMessage(options: NativeConnectionOptions = {}): ConnectionOptionsMessage {
  const check = new OptionsCheck('NativeConnectionOptions');
  check.object('', options, CHECKS);
  checkParts(check, options);
  check.done();
  return resolve(options);
}

function checkParts(check: OptionsCheck, options: NativeConnectionOptions): void {
  const { metadata, tls, proxy, dnsLoadBalancingConfig: dns, payloadLimits } = options ?? {};
  if (metadata !== undefined && anyObject(metadata) === undefined) {
    const { wrong } = splitMetadata(metadata);
    if (wrong !== undefined) {
      check.add(`metadata.${wrong}`, 'takes a text, or bytes when the name ends in "-bin"');
    }
  }
  if (typeof tls === 'object' && tls !== null) {
    const bytes: Check = (value) => (value instanceof Uint8Array ? undefined : 'bytes of a PEM file');
    check.object('tls', tls, {
      serverNameOverride: text,
      serverRootCACertificate: bytes,
      clientCertPair: anyObject,
    });
    if (tls.clientCertPair !== undefined) {
      check.object('tls.clientCertPair', tls.clientCertPair, { crt: bytes, key: bytes });
    }
  }
  if (proxy !== undefined) {
    check.object('proxy', proxy, { type: oneOf('http-connect'), targetHost: text, basicAuth: anyObject });
    if (proxy?.basicAuth) {
      const word: Check = (value) =>
        typeof value === 'string' && !/[:@]/.test(value) ? undefined : 'a text without ":" and "@"';
      check.object('proxy.basicAuth', proxy.basicAuth, { username: word, password: word });
    }
    if (dns) check.add('dnsLoadBalancingConfig', 'is excluded by proxy');
  }
  if (dns) check.object('dnsLoadBalancingConfig', dns, { resolutionInterval: duration(1) });
  if (payloadLimits !== undefined) {
    check.object('payloadLimits', payloadLimits, { payloadsWarnSize: integer(0), memoWarnSize: integer(0) });
  }
}

function resolve({
  address = DEFAULT_ADDRESS,
  tls,
  proxy,
  dnsLoadBalancingConfig,
  metadata = {},
  apiKey = '',
  disableErrorCodeMetricTags = false,
  payloadLimits: { payloadsWarnSize = 524_288, memoWarnSize = 2048 } = {},
  lazy = false,
  ...rest
}: NativeConnectionOptions): ConnectionOptionsMessage {
  const { host, port } = parseAddress(address)!;
  const secure = tls === undefined ? apiKey !== '' : Boolean(tls);
  const config = typeof tls === 'object' && tls !== null ? tls : {};
  const { codec = isLoopback(host) ? 'none' : 'gzip' } = rest.grpcCompression ?? {};
  const { text: headers, binary: binaryHeaders } = splitMetadata(metadata);
  return {
    targetUrl: `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    identity: defaultIdentity(),
    clientName: 'perdure-typescript',
    clientVersion: packageVersion(),
    headers,
    binaryHeaders,
    apiKey,
    ...(secure && {
      tls: {
        serverRootCaCert: config.serverRootCACertificate,
        domain: config.serverNameOverride,
        clientCert: config.clientCertPair?.crt,
        clientPrivateKey: config.clientCertPair?.key,
      },
    }),
    ...(proxy && {
      httpConnectProxy: {
        targetHost: proxy.targetHost.replace(/^http:\/\//, ''),
        username: proxy.basicAuth?.username,
        password: proxy.basicAuth?.password,
      },
    }),
    gzip: codec === 'gzip',
    connectTimeoutMs: Long.fromNumber(CONNECT_TIMEOUT_MS),
    keepAlive: {
      intervalMs: Long.fromNumber(KEEP_ALIVE.intervalMs),
      timeoutMs: Long.fromNumber(KEEP_ALIVE.timeoutMs),
    },
    dnsResolutionIntervalMs: Long.fromNumber(
      dnsLoadBalancingConfig ? msToNumber(dnsLoadBalancingConfig.resolutionInterval) : 0,
    ),
    disableErrorCodeMetricTags,
    lazy,
    payloadsWarnBytes: Long.fromNumber(payloadsWarnSize),
    memoWarnBytes: Long.fromNumber(memoWarnSize),
  };
}

/** Version of this package. */
export function packageVersion(): string {
  return (require('../package.json') as { version: string }).version;
}
