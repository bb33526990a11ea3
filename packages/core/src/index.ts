export {
  CoreError,
  type CoreErrorCode,
  CoreRpcError,
  ShutdownError,
  TransportError,
  UnexpectedError,
} from './errors';
export { laneTransport } from './lane-transport';
export { BufferedMetricsReader, type BufferedMetricUpdate, coreMetricMeter } from './metrics';
export type { BatchListener, ConnectionHandle, Native, RuntimeHandle, WorkerHandle } from './native';
export { loadNative } from './native-errors';
