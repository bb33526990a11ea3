/** The model of client configuration: what files and environment variables come to. */
import type { Duration } from '@perdure/common';
import type { ProxyConfig, TLSConfig } from '@perdure/common/lib/internal-non-workflow';

/** Where bytes come from: a file, or the bytes themselves (text counts as UTF-8). */
export type ConfigDataSource = { path: string } | { data: string | Uint8Array };

/** `[profile.NAME.tls]` */
export interface ClientConfigTLS {
  /** True: no TLS, whatever else is here. */
  disabled?: boolean;
  /** Name to verify, and to send as SNI, instead of the host of the address. */
  serverName?: string;
  /** PEM of this client's certificate; needs `clientKey`. */
  clientCert?: ConfigDataSource;
  /** PEM of this client's key; needs `clientCert`. */
  clientKey?: ConfigDataSource;
  /** PEM of the authority that signed the server's certificate. Default: those of the system. */
  serverCACert?: ConfigDataSource;
}

/** `[profile.NAME]` */
export interface ClientConfigProfile {
  /** host:port */
  address?: string;
  namespace?: string;
  /** Sent as bearer token; switches TLS on unless that is switched off. */
  apiKey?: string;
  tls?: ClientConfigTLS;
  /** Headers of every call; names in lower case, with hyphens. */
  grpcMeta?: Record<string, string>;
}

/** A whole configuration file. */
export interface ClientConfig {
  profiles: Record<string, ClientConfigProfile>;
}

/** Options of `loadClientConfig`. */
export interface LoadClientConfigOptions {
  /** (=the file of TEMPORAL_CONFIG_FILE, else temporalio/temporal.toml in the user's configuration folder) */
  configSource?: ConfigDataSource;
  /** Unknown keys are an error. (=false) */
  configFileStrict?: boolean;
  /** Used in place of the process's environment. (=process.env) */
  overrideEnvVars?: Record<string, string>;
}

/** Options of `loadClientConfigProfile` and `loadClientConnectConfig`. */
export interface LoadClientProfileOptions extends LoadClientConfigOptions {
  /** A profile that must exist. (=TEMPORAL_PROFILE, which must exist too; else 'default', which need not) */
  profile?: string;
  /** (=false) */
  disableFile?: boolean;
  /** No variable changes or chooses the profile; TEMPORAL_CONFIG_FILE still says where the file is. (=false) */
  disableEnv?: boolean;
}

/** Options of `loadClientConfigFromToml`. */
export interface ClientConfigFromTomlOptions {
  /** Unknown keys are an error. */
  strict: boolean;
}

/**
 * Options that `Connection.connect` of the client and `NativeConnection.connect` of the worker both take. Only
 * `address`, `tls`, `apiKey` and `metadata` are ever set here; the others may be added before connecting.
 */
export interface ConnectionOptions {
  address?: string;
  tls?: TLSConfig | boolean | null;
  apiKey?: string;
  metadata?: Record<string, string>;
  proxy?: ProxyConfig;
  dnsLoadBalancingConfig?: { resolutionInterval: Duration } | null;
  grpcCompression?: { codec: 'gzip' } | { codec: 'none' };
  disableErrorCodeMetricTags?: boolean;
  payloadLimits?: { payloadsWarnSize?: number; memoWarnSize?: number };
  plugins?: { get name(): string }[];
}

/** What a client or worker needs to connect. */
export interface ClientConnectConfig {
  /** For `Connection.connect` or `NativeConnection.connect`. */
  connectionOptions: ConnectionOptions;
  /** For the client or worker. */
  namespace?: string;
}
