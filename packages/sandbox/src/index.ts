export type { BoardState } from './activity-board';
export { type BundleSource, bundleFileName, compileBundle } from './bundle-script';
export type { BundleCoverage, FunctionCoverage } from './coverage';
export {
  BundleRefusedError,
  LaneLostError,
  LaneStartError,
  PoolClosedError,
  SandboxOptionsError,
} from './errors';
export { type Isolation, Lane, type LaneEvents, type LaneStats, type LaneWarning } from './lane';
export {
  type GuiltyRun,
  type LaneLostReport,
  LanePool,
  type LanePoolOptions,
  type TransportData,
} from './lane-pool';
export type { PatchRequest } from './lane-protocol';
export { POLICY, type PolicyRow, type Treatment } from './policy';
export { Realm, type RealmOptions } from './realm';
export type { LaneEnd, LaneTransport, LaneTransportModule } from './transport';
export { MessagePortHost, messagePortTransport } from './transports/message-port';
