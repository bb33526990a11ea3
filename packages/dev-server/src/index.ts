export { defaultCacheDir } from './cache';
export { DevServerError, type DevServerErrorCode } from './errors';
export { type FindServerBinaryOptions, findServerBinary, type ServerBinary } from './find';
export type {
  CommonServerOptions,
  DevServerLogLevel,
  DevServerOptions,
  SearchAttributeTypeName,
  TestServerOptions,
} from './options';
export { RELEASES, type Release, type ServerKind } from './releases';
export { type DevServer, type RunningServer, startDevServer, startTestServer } from './start';
