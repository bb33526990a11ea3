/**
 * `SimplePlugin`: one object that says what it adds to clients, workers, bundles and connections.
 *
 * Owns    which option goes where.
 * Leaves  how values merge to merge.ts, interceptors.ts and activities.ts; when hooks are called to their hosts.
 * P1  A hook touches only the options that the plugin was given something for.
 * P2  What may reach a host by two ways (a worker hands on its options and its plugins to the bundler) is there once.
 */
import type {
  ClientInterceptors,
  ClientOptions,
  ClientPlugin,
  ConnectionOptions,
  ConnectionPlugin,
} from '@perdure/client';
import type { DataConverter } from '@perdure/common';
import type {
  BundleOptions,
  BundlerPlugin,
  NativeConnectionOptions,
  NativeConnectionPlugin,
  ReplayWorkerOptions,
  TLSConfig,
  Worker,
  WorkerInterceptors,
  WorkerOptions,
  WorkerPlugin,
  WorkflowBundleOption,
} from '@perdure/worker';
import type * as nexus from 'nexus-rpc';
import { mergeActivities } from './activities';
import { mergeClientInterceptors, mergeWorkerInterceptors } from './interceptors';
import { appended, defined, merged, overridden, type PluginParameter, replaced } from './merge';

/** What a {@link SimplePlugin} adds; each but `name` and `runContext` a value or a function (existing → new). */
export interface SimplePluginOptions {
  readonly name: string;
  /** Replaces that of connections. */
  readonly tls?: PluginParameter<TLSConfig | boolean | null>;
  /** Replaces that of connections, unless a function gives it there. */
  readonly apiKey?: PluginParameter<string>;
  /** Its fields override those of clients and workers. */
  readonly dataConverter?: PluginParameter<DataConverter>;
  /** Appended to those of clients. */
  readonly clientInterceptors?: PluginParameter<ClientInterceptors>;
  /** Merged into those of workers; wins where both have a name. */
  readonly activities?: PluginParameter<object>;
  /** Appended to those of workers. */
  readonly nexusServices?: PluginParameter<nexus.ServiceHandler<any>[]>;
  /** Replaces that of workers and bundles. */
  readonly workflowsPath?: PluginParameter<string>;
  /** Replaces that of workers. */
  readonly workflowBundle?: PluginParameter<WorkflowBundleOption>;
  /** Appended to those of workers; `workflowModules` also to those of bundles made beforehand. */
  readonly workerInterceptors?: PluginParameter<WorkerInterceptors>;
  /** Called around the run of a worker; has to call `next` and to wait for it. */
  readonly runContext?: (next: () => Promise<void>) => Promise<void>;
}

/** A plugin made of options. Works wherever a plugin does: client, worker, bundler, connection, native connection. */
export class SimplePlugin
  implements
    WorkerPlugin,
    ClientPlugin,
    BundlerPlugin<BundleOptions>,
    ConnectionPlugin,
    NativeConnectionPlugin
{
  readonly name: string;

  constructor(protected readonly options: SimplePluginOptions) {
    this.name = options.name;
  }

  configureClient(options: ClientOptions): ClientOptions {
    const { dataConverter, clientInterceptors } = this.options;
    return defined({
      ...options,
      dataConverter: overridden(options.dataConverter, dataConverter),
      interceptors: mergeClientInterceptors(options.interceptors, clientInterceptors),
    });
  }

  configureWorker(options: WorkerOptions): WorkerOptions {
    const { activities, nexusServices } = this.options;
    return defined({
      ...options,
      ...this.#forWorkflows(options),
      activities: merged(options.activities, activities, mergeActivities),
      nexusServices: appended(
        options.nexusServices as nexus.ServiceHandler<any>[] | undefined,
        nexusServices,
      ),
    });
  }

  configureReplayWorker(options: ReplayWorkerOptions): ReplayWorkerOptions {
    return defined({ ...options, ...this.#forWorkflows(options) });
  }

  runWorker(worker: Worker, next: (worker: Worker) => Promise<void>): Promise<void> {
    const { runContext } = this.options;
    return runContext === undefined ? next(worker) : runContext(() => next(worker));
  }

  configureBundler(options: BundleOptions): BundleOptions {
    const { workflowsPath, dataConverter, workerInterceptors } = this.options;
    const { payloadConverterPath, failureConverterPath } = options;
    const converter = overridden(defined({ payloadConverterPath, failureConverterPath }), dataConverter);
    const modules = options.workflowInterceptorModules;
    const interceptors = mergeWorkerInterceptors(defined({ workflowModules: modules }), workerInterceptors);
    return defined({
      ...options,
      workflowsPath: replaced(options.workflowsPath, workflowsPath)!,
      payloadConverterPath: converter?.payloadConverterPath,
      failureConverterPath: converter?.failureConverterPath,
      workflowInterceptorModules: interceptors?.workflowModules && [...new Set(interceptors.workflowModules)], // P2
    });
  }

  configureConnection(options: ConnectionOptions): ConnectionOptions {
    const { tls, apiKey } = this.options;
    return defined({
      ...options,
      tls: replaced(options.tls, tls),
      // A function gives keys that change: one that is fixed would end that.
      apiKey: typeof options.apiKey === 'function' ? options.apiKey : replaced(options.apiKey, apiKey),
    });
  }

  configureNativeConnection(options: NativeConnectionOptions): NativeConnectionOptions {
    const { tls, apiKey } = this.options;
    return defined({
      ...options,
      tls: replaced(options.tls, tls),
      apiKey: replaced(options.apiKey, apiKey),
    });
  }

  /** What running and replaying workers have in common. */
  #forWorkflows(options: WorkerOptions | ReplayWorkerOptions) {
    const { dataConverter, workflowsPath, workflowBundle, workerInterceptors } = this.options;
    const bundle = replaced(options.workflowBundle, workflowBundle);
    const interceptors = mergeWorkerInterceptors(options.interceptors, workerInterceptors);
    return {
      dataConverter: overridden(options.dataConverter, dataConverter),
      workflowsPath: replaced(options.workflowsPath, workflowsPath),
      workflowBundle: bundle,
      // A bundle made beforehand has its modules from configureBundler, and would be warned about others.
      interceptors:
        bundle !== undefined && interceptors !== undefined && workerInterceptors !== undefined
          ? defined({ ...interceptors, workflowModules: options.interceptors?.workflowModules })
          : interceptors,
    };
  }
}
