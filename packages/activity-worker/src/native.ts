/** An activity-only worker on the native core: `@perdure/core` and `@perdure/activity`, and nothing else. */
import type { ContextClient } from '@perdure/activity';
import { type Duration, type LogLevel, SdkComponent } from '@perdure/common';
import { limitsOfNamespace } from '@perdure/common/lib/internal-non-workflow';
import { msToNumber } from '@perdure/common/lib/time';
import { loadNative } from '@perdure/core';
import { TelemetryBatch } from '@perdure/proto/perdure/core/v1/exchange';
import { ConnectionOptions, RpcCall, RuntimeOptions } from '@perdure/proto/perdure/core/v1/options';
import {
  DescribeNamespaceRequest,
  DescribeNamespaceResponse,
} from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import Long from 'long';
import { BaseActivityWorker } from './base-worker';
import { type NativeConnectionParts, NativeTaskSource } from './native-source';
import {
  accepts,
  type CommonActivityWorkerOptions,
  duration,
  object,
  type ResolvedOptions,
  resolveOptions,
  text,
} from './options';

export type { ActivityWorkerStatus } from './base-worker';
export {
  ActivityWorkerFailedError,
  ActivityWorkerOptionsError,
  GracefulShutdownPeriodExpiredError,
} from './errors';
export type { CommonActivityWorkerOptions } from './options';
export type { State } from './state';

/** TLS of the native connection, all PEM. */
export interface NativeTlsOptions {
  /** CA of the server's certificate. (=the system's roots) */
  serverRootCACertificate?: Uint8Array;
  /** Name that the certificate must carry, also sent as SNI. (=the address's host) */
  serverNameOverride?: string;
  /** Certificate and key of this client, for mTLS. */
  clientCertPair?: { crt: Uint8Array; key: Uint8Array };
}

export interface NativeActivityWorkerOptions extends CommonActivityWorkerOptions {
  /** `host:port` of the server. (='localhost:7233') */
  address?: string;
  /** (=off, on with an API key) */
  tls?: NativeTlsOptions | boolean;
  /** Sent as `Authorization: Bearer …`. (=none) */
  apiKey?: string;
  /** Headers of every call. (=none) */
  metadata?: Readonly<Record<string, string>>;
  /** How long `create` tries to reach the server. (='10s') */
  connectTimeout?: Duration;
  /** Gives `Context.client`; asked for once, when an activity first wants it. (=no client) */
  client?: () => ContextClient;
}

/** Least severe native lines that reach the logger. */
const NATIVE_LOG_FILTER = 'temporalio_sdk_core=WARN,temporalio_client=WARN,temporalio_sdk=WARN,ERROR';
const CALL_TIMEOUT_MS = 10_000;
const LEVELS: ReadonlySet<string> = new Set(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR']);
const CHECKS = {
  address: accepts((v) => typeof v === 'string' && /^[^/\s]+:\d+$/.test(v), 'host:port'),
  tls: accepts(
    (v) => typeof v === 'boolean' || (typeof v === 'object' && v !== null),
    'true, false or an object',
  ),
  apiKey: text,
  metadata: object,
  connectTimeout: duration,
  client: accepts((v) => typeof v === 'function', 'a function that makes a client'),
};

export class NativeActivityWorker extends BaseActivityWorker {
  /**
   * Makes a worker that does not poll yet: checks the options, connects, asks the server about the namespace.
   * @throws {ActivityWorkerOptionsError} with all problems of the options
   * @throws {CoreError} the server cannot be reached, or refuses namespace or credentials
   */
  static async create(given: NativeActivityWorkerOptions): Promise<NativeActivityWorker> {
    const options = resolveOptions(given, CHECKS);
    const makeClient = given.client;
    const native = loadNative();
    const runtime = native.runtimeOpen(
      RuntimeOptions.encode({ logging: { filter: NATIVE_LOG_FILTER, forward: true } }).finish(),
      (batch) => forwardLines(batch, options),
    );
    const release = () => native.runtimeClose(runtime);
    let parts: NativeConnectionParts;
    try {
      const message = connectionOptions(given, options.identity);
      parts = { runtime, connection: await native.connectionOpen(runtime, message) };
    } catch (error) {
      release();
      throw error;
    }
    const source = await NativeTaskSource.open(options, parts, release);
    let client: ContextClient | undefined;
    return new NativeActivityWorker(options, {
      source,
      ...(makeClient && {
        client: () => {
          client ??= makeClient();
          return client;
        },
      }),
      payloadLimits: options.disablePayloadErrorLimit
        ? false
        : () => namespaceLimits(parts, options.namespace),
    });
  }
}

function connectionOptions(given: NativeActivityWorkerOptions, identity: string): Uint8Array {
  const { address = 'localhost:7233', apiKey, metadata = {}, connectTimeout = '10s' } = given;
  const { tls = apiKey !== undefined } = given;
  const config = typeof tls === 'object' ? tls : {};
  return ConnectionOptions.encode({
    targetUrl: `${tls ? 'https' : 'http'}://${address}`,
    identity,
    clientName: 'perdure-typescript',
    clientVersion: (require('../package.json') as { version: string }).version,
    headers: metadata,
    apiKey: apiKey ?? '',
    connectTimeoutMs: Long.fromNumber(msToNumber(connectTimeout)),
    keepAlive: { intervalMs: Long.fromNumber(30_000), timeoutMs: Long.fromNumber(15_000) },
    ...(tls && {
      tls: {
        serverRootCaCert: config.serverRootCACertificate,
        domain: config.serverNameOverride,
        clientCert: config.clientCertPair?.crt,
        clientPrivateKey: config.clientCertPair?.key,
      },
    }),
  }).finish();
}

async function namespaceLimits({ connection }: NativeConnectionParts, namespace: string) {
  const call = RpcCall.encode({
    service: 'workflow',
    method: 'DescribeNamespace',
    request: DescribeNamespaceRequest.encode({ namespace }).finish(),
    retry: true,
    timeoutMs: Long.fromNumber(CALL_TIMEOUT_MS),
  });
  const { namespaceInfo } = DescribeNamespaceResponse.decode(
    await loadNative().connectionCall(connection, call.finish()),
  );
  return limitsOfNamespace(namespaceInfo?.limits);
}

function forwardLines(batch: Uint8Array, { logger }: ResolvedOptions): void {
  for (const { level = '', message = '', target } of TelemetryBatch.decode(batch).logs ?? []) {
    const known = LEVELS.has(level) ? (level as LogLevel) : 'INFO';
    logger.log(known, message, { sdkComponent: SdkComponent.core, target });
  }
}
