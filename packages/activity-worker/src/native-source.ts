/**
 * Activity tasks through the native core: polls, throttles, retries and timers are the core's.
 *
 * Owns    the native worker, and with it the connection and the runtime if they were made for it.
 * N1  What was opened is closed, in the reverse order, however far it came.
 */
import type { ConnectionHandle, RuntimeHandle, WorkerHandle } from '@perdure/core';
import { loadNative } from '@perdure/core';
import { TaskBatch } from '@perdure/proto/perdure/core/v1/exchange';
import type { Versioning } from '@perdure/proto/perdure/core/v1/options';
import { WorkerOptions } from '@perdure/proto/perdure/core/v1/options';
import Long from 'long';
import { ActivityWorkerFailedError } from './errors';
import type { ResolvedOptions } from './options';
import type { TaskListener, TaskSource } from './task-source';

/** A runtime and a connection of the native side. */
export interface NativeConnectionParts {
  readonly runtime: RuntimeHandle;
  readonly connection: ConnectionHandle;
}

export class NativeTaskSource implements TaskSource {
  #listener: TaskListener | undefined;
  #started = false;

  private constructor(
    private readonly handle: WorkerHandle,
    private readonly release: () => void,
  ) {}

  /**
   * @param release  called once the native worker is closed, or could not be made
   * @throws {CoreError} the server cannot be reached, or refuses namespace or credentials
   */
  static async open(
    options: ResolvedOptions,
    { runtime, connection }: NativeConnectionParts,
    release: () => void,
  ): Promise<NativeTaskSource> {
    const native = loadNative();
    let source: NativeTaskSource | undefined;
    let handle: WorkerHandle | undefined;
    try {
      handle = native.workerOpen(runtime, connection, workerOptions(options), (batch) => {
        source?.onTasks(batch);
      });
      await native.workerValidate(handle);
      source = new NativeTaskSource(handle, release);
      return source;
    } catch (error) {
      if (handle !== undefined) {
        // Nothing of a worker that never polled has to be waited for.
        native.workerShutdown(handle);
        void native.workerFinalize(handle).catch(() => undefined);
      }
      release(); // N1
      throw error;
    }
  }

  start(listener: TaskListener): void {
    this.#listener = listener;
    this.#started = true;
    loadNative().workerStart(this.handle, []);
  }

  stop(): void {
    loadNative().workerShutdown(this.handle);
  }

  complete(completion: Uint8Array): Promise<void> {
    return loadNative().activityComplete(this.handle, completion);
  }

  heartbeat(heartbeat: Uint8Array): void {
    loadNative().activityHeartbeat(this.handle, heartbeat);
  }

  async close(): Promise<void> {
    try {
      await loadNative().workerFinalize(this.handle);
    } finally {
      this.release(); // N1
    }
  }

  private onTasks(bytes: Uint8Array): void {
    if (!this.#started) return;
    for (const { activityTask, event } of TaskBatch.decode(bytes).items ?? []) {
      if (activityTask !== undefined) this.#listener?.task(activityTask);
      if (event?.fatal !== undefined) {
        const { message, code } = event.fatal;
        this.#listener?.ended(
          new ActivityWorkerFailedError(`${message || 'the native worker failed'} (${code})`),
        );
      } else if (event?.pollerDrained !== undefined) {
        this.#listener?.ended();
      }
    }
  }
}

function workerOptions(options: ResolvedOptions): Uint8Array {
  return WorkerOptions.encode({
    namespace: options.namespace,
    taskQueue: options.taskQueue,
    identity: options.identity,
    remoteActivities: true,
    slots: {
      workflow: { fixed: 1 },
      activity: { fixed: options.maxConcurrentActivityTaskExecutions },
      localActivity: { fixed: 1 },
      nexus: { fixed: 1 },
    },
    activityPollers: { fixed: options.maxConcurrentActivityTaskPolls },
    maxHeartbeatThrottleIntervalMs: Long.fromNumber(options.maxHeartbeatThrottleIntervalMs),
    defaultHeartbeatThrottleIntervalMs: Long.fromNumber(options.defaultHeartbeatThrottleIntervalMs),
    maxTaskQueueActivitiesPerSecond: options.maxTaskQueueActivitiesPerSecond,
    maxWorkerActivitiesPerSecond: options.maxActivitiesPerSecond,
    gracefulShutdownMs: Long.fromNumber(options.shutdownGraceTimeMs),
    versioning: versioning(options),
    disablePayloadErrorLimit: options.disablePayloadErrorLimit,
  }).finish();
}

function versioning({ workerDeploymentOptions: deployment, buildId }: ResolvedOptions): Versioning {
  if (deployment === undefined) return { buildId: buildId ?? `perdure-activities-${process.pid}` };
  const { version, useWorkerVersioning } = deployment;
  return {
    deployment: {
      deploymentName: version.deploymentName,
      buildId: version.buildId,
      useVersioning: useWorkerVersioning,
      defaultBehavior: '',
    },
  };
}
