/** Client options from TOML profiles and environment variables. */
export { toClientOptions } from './connect-options';
export { loadConfigData } from './data-source';
export { ClientConfigError, type ClientConfigErrorCode } from './errors';
export { loadClientConfig, loadClientConfigProfile, loadClientConnectConfig } from './load';
export {
  fromTomlConfig,
  fromTomlProfile,
  type TomlClientConfig,
  type TomlClientConfigCodec,
  type TomlClientConfigProfile,
  type TomlClientConfigTLS,
  toTomlConfig,
  toTomlProfile,
} from './toml-model';
export { clientConfigToToml, loadClientConfigFromToml } from './toml-text';
export type {
  ClientConfig,
  ClientConfigFromTomlOptions,
  ClientConfigProfile,
  ClientConfigTLS,
  ClientConnectConfig,
  ConfigDataSource,
  ConnectionOptions,
  LoadClientConfigOptions,
  LoadClientProfileOptions,
} from './types';
