/** A profile in the form that connections take. */
import type { TLSConfig } from '@perdure/common/lib/internal-non-workflow';
import { readSource } from './data-source';
import { ClientConfigError, type ConfigPlace } from './errors';
import { originOf } from './origin';
import { present } from './toml-model';
import type { ClientConfigProfile, ClientConfigTLS, ClientConnectConfig } from './types';

/**
 * Turns a profile into options for connections; certificates and keys are read from their files here.
 * TLS is off if `tls.disabled`, on if there is anything else in `tls` or an API key, else left to the connection.
 * @throws {ClientConfigError} a file cannot be read, or only one of client certificate and key is given
 */
export function toClientOptions(profile: ClientConfigProfile): ClientConnectConfig {
  const { address, namespace, apiKey, grpcMeta } = profile;
  return present<ClientConnectConfig>({
    connectionOptions: present({
      address,
      apiKey,
      tls: tlsOption(profile),
      metadata: grpcMeta && { ...grpcMeta },
    }),
    namespace,
  });
}

function tlsOption(profile: ClientConfigProfile): TLSConfig | boolean | undefined {
  const { tls, apiKey } = profile;
  if (tls === undefined) return apiKey === undefined ? undefined : true;
  return tls.disabled ? false : tlsConfig(tls, originOf(profile));
}

function tlsConfig({ serverName, ...sources }: ClientConfigTLS, origin: ConfigPlace): TLSConfig {
  const crt = readSource(sources.clientCert, { ...origin, key: 'tls.client_cert_path' });
  const key = readSource(sources.clientKey, { ...origin, key: 'tls.client_key_path' });
  if ((crt === undefined) !== (key === undefined)) {
    const [has, lacks] = crt === undefined ? ['client_key', 'client_cert'] : ['client_cert', 'client_key'];
    throw new ClientConfigError(
      'ENVCONFIG_VALUE_INVALID',
      `tls.${has}_path or _data is given without ${lacks}_path or _data`,
      { ...origin, key: `tls.${lacks}_path` },
      { hint: 'mutual TLS takes both the certificate and its key' },
    );
  }
  return present<TLSConfig>({
    serverNameOverride: serverName,
    serverRootCACertificate: readSource(sources.serverCACert, { ...origin, key: 'tls.server_ca_cert_path' }),
    clientCertPair: crt && key && { crt, key },
  });
}
