/** TLS and proxy options of connections, as clients and workers take them. */
import { ValueError } from '../errors';

export interface TLSConfig {
  /** Name to verify, and to send as SNI, instead of the host of the address. */
  serverNameOverride?: string;
  /** PEM of the authority that signed the server's certificate. Default: those of the system. */
  serverRootCACertificate?: Uint8Array;
  /** PEM of certificate and key, for mutual TLS. */
  clientCertPair?: {
    crt: Uint8Array;
    key: Uint8Array;
  };
}

/** False, null, undefined: no TLS. True, {}: TLS with the system's authorities. */
export type TLSConfigOption = TLSConfig | boolean | undefined | null;

/**
 * The TLS configuration of an option, undefined for no TLS.
 * @param apiKeyIsSet  with an API key, TLS is on unless it is switched off
 */
export function normalizeTlsConfig(tls: TLSConfigOption, apiKeyIsSet?: boolean): TLSConfig | undefined {
  if (tls === false) return undefined;
  if (tls === true) return {};
  if (tls === undefined || tls === null) return apiKeyIsSet === true ? {} : undefined;
  if (typeof tls !== 'object')
    throw new ValueError(`tls: expected a boolean or an object, got ${typeof tls}`);
  return tls;
}

/** A proxy that is asked to open the connection with HTTP CONNECT. */
export interface HttpConnectProxyConfig {
  type: 'http-connect';
  /** host:port */
  targetHost: string;
  basicAuth?: {
    username: string;
    password: string;
  };
}

export type ProxyConfig = HttpConnectProxyConfig;
