/**
 * `Worker`: polls one task queue, runs its workflows in lanes and its activities in this thread.
 *
 * Owns    the state machine, the native worker, the parts that tasks are given to.
 * Leaves  activities to @perdure/activity, Nexus operations to @perdure/nexus, workflows to @perdure/sandbox, options to worker-options.ts.
 * W1  States change only as state.ts says, and `run` settles only in STOPPED or FAILED.
 * W2  Every activity and Nexus task is answered before the native worker is closed, unless the force time has passed:
 *     then what still runs is answered as failed.
 * W3  Whatever ends a worker, its lanes, connection and runtime are released.
 */

import type { ActivityRunner } from '@perdure/activity/runner';
import type { Client } from '@perdure/client';
import type { Duration, Logger } from '@perdure/common';
import { IllegalStateError } from '@perdure/common';
import { msToNumber } from '@perdure/common/lib/time';
import type { WorkerHandle } from '@perdure/core';
import { loadNative } from '@perdure/core';
import type { NexusRunner } from '@perdure/nexus/runner';
import type { Evicted, WorkerEvent } from '@perdure/proto/perdure/core/v1/exchange';
import { TaskBatch } from '@perdure/proto/perdure/core/v1/exchange';
import { WorkerOptions as WorkerOptionsMessage } from '@perdure/proto/perdure/core/v1/options';
import { makeActivityRunner } from './activities';
import { loadBundle, loadWatchedBundle, type WatchedBundle } from './bundle';
import { CodecStage, workerStages } from './codec-stage';
import { NativeConnection } from './connection';
import { defaultServer } from './core';
import { loadConverters } from './data-converter';
import type { DriftReporter } from './drift';
import {
  CombinedWorkerRunError,
  GracefulShutdownPeriodExpiredError,
  PromiseCompletionTimeoutError,
  WorkerFatalError,
} from './errors';
import { Gauge } from './gauge';
import { workerOptionsMessage } from './native-options';
import { makeNexusRunner } from './nexus';
import type { WorkerPlugin } from './plugins';
import type { ReplayHistoriesIterable, ReplayResult } from './replay';
import { Runtime } from './runtime';
import { ServerWatch } from './server-watch';
import { SlotSuppliers } from './slot-suppliers';
import type { State } from './state';
import { WorkerState } from './state';
import { withWorkDir } from './work-dir';
import type { CompiledWorkerOptions, ReplayWorkerOptions, WorkerOptions } from './worker-options';
import { compileWorkerOptions } from './worker-options';
import type { HostedWorker, LoadedBundle } from './workflow-host';
import type { WorkflowWatch } from './workflow-watch';

/** State of the polls of one kind. */
export type PollerState = 'POLLING' | 'SHUTDOWN' | 'FAILED';

/** A worker at one moment. */
export interface WorkerStatus {
  runState: State;
  workflowPollerState: PollerState;
  activityPollerState: PollerState;
  hasOutstandingWorkflowPoll: boolean;
  hasOutstandingActivityPoll: boolean;
  /** Activations that lanes work on. */
  numInFlightWorkflowActivations: number;
  numInFlightActivities: number;
  numInFlightNonLocalActivities: number;
  numInFlightLocalActivities: number;
  /** Open workflows in memory. */
  numCachedWorkflows: number;
  /** Running activities that have called heartbeat. */
  numHeartbeatingActivities: number;
}

/** Options of `Worker.runUntil`. */
export interface RunUntilOptions {
  /** Wait for the promise once the worker has stopped. (=0) */
  promiseCompletionTimeout?: Duration;
}

/** Reasons of evictions that say that code and history disagree. */
const DRIFTS = new Set(['NONDETERMINISM', 'FATAL']);

/** How long a worker that is given up may take to close what it has open. */
const ABANDON_MS = 5000;

export class Worker {
  /**
   * Makes a worker that does not poll yet: checks the options, bundles workflows if need be, asks the server
   * whether the namespace is there.
   * @throws {InvalidOptionsError} with all problems of the options
   * @throws errors of the bundler; errors of the native side when the server cannot be reached or refuses
   */
  static async create(options: WorkerOptions): Promise<Worker> {
    const runtime = Runtime.instance();
    let configured = withConnectionPlugins(options);
    for (const plugin of configured?.plugins ?? []) {
      configured = (await plugin.configureWorker?.(configured)) ?? configured;
    }
    configured = withDefaultServer(await withWorkDir(configured));
    const compiled = compileWorkerOptions(configured, runtime.logger);
    const parts = new Parts(runtime, compiled);
    const stayAlive = setInterval(() => undefined, 2 ** 30);
    let opened: WorkerHandle | undefined;
    try {
      if (compiled.workflowsPath !== undefined || compiled.workflowBundle !== undefined) {
        runtime.workflows.prepare(compiled);
      }
      const [connection, { bundle, watched }] = await Promise.all([
        parts.useConnection(configured.connection),
        loadCode(compiled, runtime.logger),
      ]);
      const converters = loadConverters(compiled.dataConverter);
      const stages = workerStages(converters);
      const codec = stages.length > 0;
      const buildId = bundle?.buildId ?? `perdure-activities-${process.pid}`;
      const message = workerOptionsMessage(compiled, {
        workflows: bundle !== undefined,
        activities: compiled.activities !== undefined,
        nexus: compiled.nexusServices.length > 0,
        codec,
        buildId,
      });
      const worker = new Worker(runtime, compiled, parts, {
        workflows: bundle !== undefined,
        activities: compiled.activities !== undefined,
        nexus: compiled.nexusServices.length > 0,
      });
      const native = loadNative();
      worker.#handle = native.workerOpen(
        runtime.native,
        connection.handle,
        WorkerOptionsMessage.encode(message).finish(),
        (batch) => worker.#onTasks(batch),
      );
      opened = worker.#handle;
      if (codec) {
        worker.#codecs = new CodecStage(stages, compiled.namespace, (response) =>
          native.codecComplete(worker.#handle!, response),
        );
      }
      if (SlotSuppliers.areIn(compiled.tuner)) {
        worker.#slots = new SlotSuppliers({
          tuner: compiled.tuner,
          taskQueue: compiled.taskQueue,
          identity: compiled.identity,
          buildId: compiled.workerDeploymentOptions?.version.buildId ?? compiled.buildId ?? buildId,
          deploymentVersion: compiled.workerDeploymentOptions?.version,
          logger: runtime.logger,
          answer: (answer) => worker.#handle && native.slotAnswer(worker.#handle, answer),
        });
      }
      if (compiled.activities !== undefined) {
        worker.#activities = makeActivityRunner(compiled, converters, runtime, () => worker.client, {
          complete: (completion) => native.activityComplete(worker.#handle!, completion),
          heartbeat: (heartbeat) => native.activityHeartbeat(worker.#handle!, heartbeat),
        });
      }
      if (compiled.nexusServices.length > 0) {
        worker.#nexus = makeNexusRunner(compiled, converters, runtime, () => worker.client, {
          complete: (completion) => native.nexusComplete(worker.#handle!, completion),
        });
      }
      const [hosted] = await Promise.all([
        bundle &&
          parts.useLanes(native.workerNumber(worker.#handle), bundle, (lanes) =>
            native.workerSetLanes(worker.#handle!, lanes),
          ),
        // The server may not be there yet: the native side asks it once it is.
        connection.lazy ? undefined : native.workerValidate(worker.#handle),
      ]);
      worker.#hosted = hosted;
      worker.#bundle = bundle;
      worker.#watched = watched;
      return worker;
    } catch (error) {
      if (opened !== undefined) discard(opened);
      await parts.release(); // W3
      throw error;
    } finally {
      clearInterval(stayAlive);
    }
  }

  /**
   * Replays one history.
   * @param history a History message, its JSON form as an object or text, or what `fetchHistory` gives
   * @throws {DeterminismViolationError} the workflow code does not fit the history
   * @throws {ReplayError} the replay failed in another way
   */
  static async runReplayHistory(
    options: ReplayWorkerOptions,
    history: unknown,
    workflowId?: string,
  ): Promise<void> {
    return replayModule().runReplayHistory(options, history, workflowId);
  }

  /** Replays many histories, side by side over all lanes. Yields a result for each, as they end. */
  static runReplayHistories(
    options: ReplayWorkerOptions,
    histories: ReplayHistoriesIterable,
  ): AsyncIterableIterator<ReplayResult> {
    return replayModule().runReplayHistories(options, histories);
  }

  readonly #state: WorkerState;
  readonly #done: Promise<void>;
  readonly #pollers: Map<string, PollerState>;
  #settle!: (error?: unknown) => void;
  #left!: () => void;
  #failure: unknown;
  #handle: WorkerHandle | undefined;
  #activities: ActivityRunner | undefined;
  #nexus: NexusRunner | undefined;
  #codecs: CodecStage | undefined;
  #slots: SlotSuppliers | undefined;
  #hosted: HostedWorker | undefined;
  #bundle: LoadedBundle | undefined;
  #drift: DriftReporter | undefined;
  #watched: WatchedBundle | undefined;
  #client: Client | undefined;
  #forceTimer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly runtime: Runtime,
    /** Options with every field set. */
    readonly options: CompiledWorkerOptions,
    private readonly parts: Parts,
    kinds: { readonly workflows: boolean; readonly activities: boolean; readonly nexus: boolean },
  ) {
    this.#state = new WorkerState((state) => {
      runtime.logger.info('Worker state changed', {
        sdkComponent: 'worker',
        taskQueue: options.taskQueue,
        state,
      });
      if (state !== 'RUNNING') this.#left();
    });
    this.stopping = new Promise((resolve) => {
      this.#left = resolve;
    });
    this.#done = new Promise<void>((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error));
    });
    this.#done.catch(() => undefined);
    this.#pollers = new Map();
    if (kinds.workflows) this.#pollers.set('workflow', 'POLLING');
    if (kinds.activities && options.enableNonLocalActivities) this.#pollers.set('activity', 'POLLING');
    else if (kinds.activities && kinds.workflows) this.#pollers.set('activity', 'POLLING');
    if (kinds.nexus) this.#pollers.set('nexus', 'POLLING');
  }

  /** Resolves when the worker begins to stop, or has failed: for what runs beside it. @internal */
  readonly stopping: Promise<void>;

  /** Activations that lanes work on, as they change; see gauge.ts for what an observable is here. */
  readonly numInFlightActivations$ = new Gauge(() => this.#hosted?.inFlightActivations ?? 0);
  /** Activities that run, local ones too, as they change. */
  readonly numInFlightActivities$ = new Gauge(() => this.#activities?.status.inFlight ?? 0);
  /** Open workflows in memory, as they change. */
  readonly numRunningWorkflowInstances$ = new Gauge(() => this.#cachedWorkflows());

  /**
   * A client on the worker's connection, in its namespace, with its identity and data converter. Plugins of the
   * connection configure it; plugins that only the worker was given do not.
   */
  get client(): Client | undefined {
    const connection = this.connection;
    if (connection === undefined) return undefined;
    if (this.#client === undefined) {
      const client = require('@perdure/client') as typeof import('@perdure/client');
      this.#client = new client.Client({
        connection,
        identity: this.options.identity,
        namespace: this.options.namespace,
        dataConverter: this.options.dataConverter,
        ...(this.options.interceptors.client && { interceptors: this.options.interceptors.client }),
      });
    }
    return this.#client;
  }

  /** The connection; a new one can be set while the worker runs. */
  get connection(): NativeConnection | undefined {
    return this.parts.connection;
  }

  set connection(connection: NativeConnection | undefined) {
    if (connection === undefined) throw new IllegalStateError('A worker needs a connection');
    if (this.#handle === undefined) throw new IllegalStateError('The worker has stopped');
    loadNative().workerSetConnection(this.#handle, connection.handle);
    this.parts.replaceConnection(connection);
    this.#client = undefined;
  }

  getState(): State {
    return this.#state.current;
  }

  getStatus(): WorkerStatus {
    const activities = this.#activities?.status ?? { inFlight: 0, inFlightLocal: 0, heartbeating: 0 };
    const polling = this.#state.current === 'RUNNING' || this.#state.current === 'STOPPING';
    const poller = (kind: string): PollerState =>
      this.#state.current === 'FAILED' ? 'FAILED' : (polling && this.#pollers.get(kind)) || 'SHUTDOWN';
    return {
      runState: this.#state.current,
      workflowPollerState: poller('workflow'),
      activityPollerState: poller('activity'),
      hasOutstandingWorkflowPoll: poller('workflow') === 'POLLING',
      hasOutstandingActivityPoll: poller('activity') === 'POLLING',
      numInFlightWorkflowActivations: this.#hosted?.inFlightActivations ?? 0,
      numInFlightActivities: activities.inFlight,
      numInFlightNonLocalActivities: activities.inFlight - activities.inFlightLocal,
      numInFlightLocalActivities: activities.inFlightLocal,
      numCachedWorkflows: this.#cachedWorkflows(),
      numHeartbeatingActivities: activities.heartbeating,
    };
  }

  #cachedWorkflows(): number {
    if (this.#handle === undefined || this.#hosted === undefined) return 0;
    return loadNative().workerCachedRuns(this.#handle);
  }

  /**
   * Begins to shut down; `run` resolves once everything has ended.
   * @throws {IllegalStateError} the worker does not run
   */
  shutdown(): void {
    if (this.#state.current !== 'RUNNING') {
      throw new IllegalStateError(`Not running. Current state: ${this.#state.current}`);
    }
    this.#state.to('STOPPING');
    loadNative().workerShutdown(this.#handle!);
    const forceMs = this.options.shutdownForceTimeMs;
    if (forceMs !== undefined) {
      this.#forceTimer = setTimeout(() => {
        this.#fail(
          new GracefulShutdownPeriodExpiredError(
            `Timed out while waiting for worker to shutdown gracefully: ${forceMs} ms have passed`,
          ),
        );
      }, forceMs);
    }
  }

  /**
   * Polls until the worker is shut down, by `shutdown` or by a signal.
   * @throws {IllegalStateError} the worker has been run already
   * @throws what made the worker fail; {GracefulShutdownPeriodExpiredError} after `shutdownForceTime`
   */
  async run(): Promise<void> {
    if (this.#state.current !== 'INITIALIZED') {
      throw new IllegalStateError('Poller was already started');
    }
    let run = (_worker: Worker): Promise<void> => this.#run();
    for (const plugin of [...this.options.plugins].reverse()) {
      const inner = run;
      if (plugin.runWorker !== undefined) run = (worker) => plugin.runWorker!(worker, inner);
    }
    await run(this);
  }

  /**
   * Runs until `fnOrPromise` has settled, then shuts down.
   * @returns what the promise resolved to
   * @throws what the promise rejected with, or what made the worker fail, or {CombinedWorkerRunError} of both
   */
  async runUntil<R>(
    fnOrPromise: Promise<R> | (() => Promise<R>),
    { promiseCompletionTimeout = 0 }: RunUntilOptions = {},
  ): Promise<R> {
    const timeoutMs = msToNumber(promiseCompletionTimeout);
    const running = settled(this.run());
    // Called in the next turn: the worker is RUNNING by then, or has failed.
    const inner = settled(
      (async () => (typeof fnOrPromise === 'function' ? fnOrPromise() : fnOrPromise))().finally(() => {
        if (this.#state.current === 'RUNNING') this.shutdown();
      }),
    );
    const worker = await running;
    const result = await withTimeout(inner, timeoutMs, () => ({
      error: new PromiseCompletionTimeoutError(
        `Promise did not resolve within ${timeoutMs} ms after the worker had stopped`,
      ),
    }));
    if ('error' in worker && 'error' in result) {
      throw new CombinedWorkerRunError('Worker terminated with fatal error in `runUntil`', {
        cause: { workerError: worker.error, innerError: result.error },
      });
    }
    if ('error' in worker) throw worker.error;
    if ('error' in result) throw result.error;
    return result.value;
  }

  async #run(): Promise<void> {
    this.#state.to('RUNNING');
    this.runtime.started(this.#stoppable);
    const watch = new ServerWatch({
      probe: async () => this.connection?.probe(),
      logger: this.runtime.logger,
      attributes: { taskQueue: this.options.taskQueue, namespace: this.options.namespace },
    });
    const workflows = this.#watchWorkflows();
    this.#done
      .catch(() => undefined)
      .finally(() => {
        watch.stop();
        workflows?.stop();
      });
    try {
      loadNative().workerStart(this.#handle!, this.#hosted?.lanes ?? []);
      await this.#done;
    } catch (error) {
      this.#fail(error);
      await this.#close(ABANDON_MS);
      throw this.#failure;
    }
    try {
      await this.#close();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    this.#state.to('STOPPED');
  }

  #watchWorkflows(): WorkflowWatch | undefined {
    const { watchWorkflows, namespace, taskQueue } = this.options;
    if (this.#watched === undefined || watchWorkflows === undefined) return undefined;
    const { replayOpenWorkflows, WorkflowWatch } =
      require('./watch-worker') as typeof import('./watch-worker');
    return new WorkflowWatch(this.#watched, {
      options: watchWorkflows,
      logger: this.runtime.logger,
      attributes: { taskQueue, namespace },
      replace: async (bundle) => {
        await this.#hosted?.replaceBundle(bundle);
        this.#bundle = bundle;
      },
      replayOpen: (bundle, limit) => replayOpenWorkflows(this.client!, this.options, bundle, limit),
    });
  }

  /** What the runtime tells to stop on a signal. */
  readonly #stoppable = {
    shutdown: () => {
      if (this.#state.current === 'RUNNING') this.shutdown();
    },
  };

  #onTasks(bytes: Uint8Array): void {
    const { items = [] } = TaskBatch.decode(bytes);
    for (const item of items) {
      if (item.activityTask !== undefined) this.#activities?.handle(item.activityTask);
      else if (item.nexusTask !== undefined) this.#nexus?.handle(item.nexusTask);
      else if (item.codec !== undefined) void this.#codecs?.serve(item.codec);
      else if (item.event !== undefined) this.#onEvent(item.event);
      else if (item.slot !== undefined) this.#slots?.handle(item.slot);
    }
    this.numInFlightActivities$.poke();
  }

  #onEvent({ pollerDrained, fatal, evicted }: WorkerEvent): void {
    if (evicted !== undefined) this.#onEvicted(evicted);
    if (fatal !== undefined) {
      this.#fail(
        new WorkerFatalError(fatal.message || 'the native worker failed', fatal.code || 'CORE_UNKNOWN'),
      );
      return;
    }
    if (pollerDrained === undefined) return;
    this.#pollers.set(pollerDrained, 'SHUTDOWN');
    if (this.#state.current === 'RUNNING') {
      this.#fail(
        new WorkerFatalError(`polling for ${pollerDrained} tasks has ended by itself`, 'CORE_POLL_FAILED'),
      );
      return;
    }
    if (this.#state.current === 'STOPPING') this.#state.to('DRAINING');
    if ([...this.#pollers.values()].every((state) => state !== 'POLLING')) void this.#drained();
  }

  /** Runs that do not fit their history are explained; other reasons are the core's own and in its log. */
  #onEvicted(evicted: Evicted): void {
    const { client, options, runtime } = this;
    const bundle = this.#bundle;
    if (!DRIFTS.has(evicted.reason ?? '') || bundle === undefined || client === undefined) return;
    if (this.#drift === undefined) {
      const { DriftReporter } = require('./drift') as typeof import('./drift');
      this.#drift = new DriftReporter();
    }
    this.#drift.report(evicted, {
      runtime,
      options,
      bundle,
      fetchHistory: (workflowId, runId) => client.workflow.getHandle(workflowId, runId).fetchHistory(),
    });
  }

  /** All polls have ended: wait for activities and Nexus handlers, then `run` goes on to close. */
  async #drained(): Promise<void> {
    // The core ends its polls when it waits for no activity any more. What still runs then are local activities of runs
    // that it has evicted meanwhile: it never tells those to stop, and nobody takes their outcome.
    this.#activities?.cancelAll();
    await Promise.all([this.#activities?.idle(), this.#nexus?.idle()]); // W2
    if (this.#state.current === 'DRAINING') {
      this.#state.to('DRAINED');
      this.#settle();
    }
  }

  #fail(error: unknown): void {
    if (this.#state.current === 'STOPPED' || this.#state.current === 'FAILED') return;
    this.#failure = error;
    this.#state.to('FAILED');
    this.runtime.logger.error('Worker failed', { sdkComponent: 'worker', error });
    this.#settle(error);
  }

  /** @param limitMs after it nothing is waited for any more */
  async #close(limitMs?: number): Promise<void> {
    clearTimeout(this.#forceTimer);
    this.runtime.stopped(this.#stoppable);
    const handle = this.#handle!;
    const native = loadNative();
    try {
      if (this.#failure !== undefined) {
        native.workerShutdown(handle);
        const reason = `The worker was shut down by force: ${textOf(this.#failure)}`;
        this.#activities?.abandon(reason); // W2
        this.#nexus?.abandon(reason);
      }
      const finalized = settled(native.workerFinalize(handle));
      const result =
        limitMs === undefined
          ? await finalized
          : await withTimeout(finalized, limitMs, () => ({ value: undefined }));
      if ('error' in result && this.#failure === undefined) throw result.error;
    } finally {
      this.#handle = undefined;
      this.#slots?.close();
      for (const gauge of [
        this.numInFlightActivations$,
        this.numInFlightActivities$,
        this.numRunningWorkflowInstances$,
      ]) {
        gauge.end();
      }
      await this.parts.release(); // W3
    }
  }
}

/** The code of the workflows, and how to make it again if it is watched. */
async function loadCode(
  options: CompiledWorkerOptions,
  logger: Logger,
): Promise<{ readonly bundle?: LoadedBundle; readonly watched?: WatchedBundle }> {
  if (options.watchWorkflows === undefined || options.workflowsPath === undefined) {
    const bundle = await loadBundle(options, logger);
    return bundle === undefined ? {} : { bundle };
  }
  const watched = await loadWatchedBundle(options, options.workflowsPath, logger);
  return { bundle: watched.bundle, watched };
}

/** Closes a native worker that was never started: it has no task that anybody would have to wait for. */
function discard(handle: WorkerHandle): void {
  loadNative().workerShutdown(handle);
  void settled(loadNative().workerFinalize(handle));
}

/** What a worker holds of others, and gives back exactly once. */
class Parts {
  connection: NativeConnection | undefined;
  #ownsConnection = false;
  #hosted: HostedWorker | undefined;

  constructor(
    private readonly runtime: Runtime,
    private readonly options: CompiledWorkerOptions,
  ) {
    runtime.acquire(this);
  }

  async useConnection(given: NativeConnection | undefined): Promise<NativeConnection> {
    const connection = given ?? (await NativeConnection.connect(defaultServer().connection));
    this.#ownsConnection = given === undefined;
    connection.acquire(this);
    this.connection = connection;
    return connection;
  }

  replaceConnection(connection: NativeConnection): void {
    connection.acquire(this);
    this.#giveConnectionBack();
    this.connection = connection;
    this.#ownsConnection = false;
  }

  async useLanes(
    worker: number,
    bundle: Parameters<Runtime['workflows']['add']>[2],
    setLanes: (lanes: readonly number[]) => void,
  ): Promise<HostedWorker> {
    this.#hosted = await this.runtime.workflows.add(worker, this.options, bundle, setLanes);
    return this.#hosted;
  }

  async release(): Promise<void> {
    try {
      await this.#hosted?.remove();
    } finally {
      this.#hosted = undefined;
      this.#giveConnectionBack();
      this.runtime.release(this);
    }
  }

  #giveConnectionBack(): void {
    const { connection } = this;
    this.connection = undefined;
    connection?.release(this);
    if (connection !== undefined && this.#ownsConnection) void connection.close().catch(() => undefined);
  }
}

type Settled<T> = { value: T } | { error: unknown };

function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

async function withTimeout<T>(promise: Promise<T>, limitMs: number, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(late()), limitMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The worker's own plugins, then those of its connection that know workers or their bundles. */
function withConnectionPlugins(options: WorkerOptions): WorkerOptions {
  const inherited = (options?.connection?.plugins ?? []).filter(
    (plugin): plugin is WorkerPlugin & typeof plugin =>
      'configureWorker' in plugin ||
      'configureReplayWorker' in plugin ||
      'configureBundler' in plugin ||
      'runWorker' in plugin,
  );
  if (inherited.length === 0) return options;
  return { ...options, plugins: [...(options.plugins ?? []), ...inherited] };
}

function withDefaultServer(options: WorkerOptions): WorkerOptions {
  const { namespace } = defaultServer();
  if (namespace === undefined || options?.connection !== undefined || options?.namespace !== undefined) {
    return options;
  }
  return { ...options, namespace };
}

/** Loaded when something is replayed. */
function replayModule(): typeof import('./replay') {
  return require('./replay');
}
