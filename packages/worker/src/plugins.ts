/** Plugins: objects that change options and wrap the run of a worker. */
import type { NativeConnectionOptions } from './connection-options';
import type { Worker } from './worker';
import type { ReplayWorkerOptions, WorkerOptions } from './worker-options';

/** Changes options of workers, wraps their runs. */
export interface WorkerPlugin {
  get name(): string;
  configureWorker?(options: WorkerOptions): WorkerOptions | Promise<WorkerOptions>;
  configureReplayWorker?(options: ReplayWorkerOptions): ReplayWorkerOptions | Promise<ReplayWorkerOptions>;
  /** Has to call `next` and to wait for it. */
  runWorker?(worker: Worker, next: (worker: Worker) => Promise<void>): Promise<void>;
}

/** Changes options of native connections. */
export interface NativeConnectionPlugin {
  get name(): string;
  configureNativeConnection?(options: NativeConnectionOptions): NativeConnectionOptions;
}

/** Changes options of bundles. */
export interface BundlerPlugin<O = any> {
  get name(): string;
  configureBundler?(options: O): O;
}
