/** Every type of the reference, so that the compiler says which one is not there. */
export type {
  ClientConfig,
  ClientConfigFromTomlOptions,
  ClientConfigProfile,
  ClientConfigTLS,
  ClientConnectConfig,
  ConfigDataSource,
  LoadClientConfigOptions,
  LoadClientProfileOptions,
} from '..';
