/**
 * The calls that an activity worker makes, with what they have in common.
 *
 * Owns    identity, namespace and version fields of requests; deadlines.
 * Leaves  transport and its retries to the connection, decisions to grpc-source.ts.
 */
import { randomUUID } from 'node:crypto';
import type { ConnectionLike } from '@perdure/client';
import { NamespaceNotFoundError } from '@perdure/common';
import { limitsOfNamespace, type PayloadLimits } from '@perdure/common/lib/internal-non-workflow';
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import type { WorkerDeploymentOptions } from '@perdure/proto/temporal/api/deployment/v1/message';
import { WorkerVersioningMode } from '@perdure/proto/temporal/api/enums/v1/deployment';
import { TaskQueueType } from '@perdure/proto/temporal/api/enums/v1/task_queue';
import type {
  PollActivityTaskQueueResponse,
  RecordActivityTaskHeartbeatResponse,
  RespondActivityTaskFailedRequest,
} from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import { Status, statusOf } from './grpc-status';
import type { ResolvedOptions } from './options';

/** The server ends polls after a minute. */
const POLL_MS = 70_000;
const ANSWER_MS = 10_000;
const GOODBYE_MS = 2000;

/** What a namespace can do and takes. */
export interface NamespaceAbilities {
  /** Polls come back by themselves once the server knows that the worker stops: no task gets lost on the way. */
  readonly endsPollsOnShutdown: boolean;
  readonly limits: PayloadLimits;
}

export class Server {
  /** Tells this worker from others of the same identity. */
  readonly #instanceKey = randomUUID();
  readonly #deployment: WorkerDeploymentOptions | undefined;
  readonly #buildId: string | undefined;

  constructor(
    readonly connection: ConnectionLike,
    private readonly options: ResolvedOptions,
  ) {
    const { workerDeploymentOptions: deployment, buildId } = options;
    this.#buildId = deployment?.version.buildId ?? buildId;
    this.#deployment = deployment && {
      deploymentName: deployment.version.deploymentName,
      buildId: deployment.version.buildId,
      workerVersioningMode: deployment.useWorkerVersioning
        ? WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
        : WorkerVersioningMode.WORKER_VERSIONING_MODE_UNVERSIONED,
    };
  }

  /** @throws {NamespaceNotFoundError} there is no such namespace */
  async describeNamespace(): Promise<NamespaceAbilities> {
    const { namespace } = this.options;
    try {
      const { namespaceInfo } = await this.connection.workflowService.describeNamespace({ namespace });
      return {
        endsPollsOnShutdown: namespaceInfo?.capabilities?.workerPollCompleteOnShutdown ?? false,
        limits: limitsOfNamespace(namespaceInfo?.limits),
      };
    } catch (error) {
      if (statusOf(error) === Status.NOT_FOUND) throw new NamespaceNotFoundError(namespace);
      throw error;
    }
  }

  async poll(pollerGroupId: string, signal: AbortSignal): Promise<PollActivityTaskQueueResponse> {
    const { taskQueue, maxTaskQueueActivitiesPerSecond: perSecond } = this.options;
    return this.#within(signal, POLL_MS, () =>
      this.connection.workflowService.pollActivityTaskQueue({
        ...this.#who,
        taskQueue: { name: taskQueue },
        pollerGroupId,
        workerInstanceKey: this.#instanceKey,
        ...(perSecond > 0 && { taskQueueMetadata: { maxTasksPerSecond: perSecond } }),
        ...(this.#buildId !== undefined && {
          workerVersionCapabilities: { buildId: this.#buildId, useVersioning: false },
        }),
        deploymentOptions: this.#deployment,
      }),
    );
  }

  /** Tells the server that no more polls will come; it then ends those that wait. */
  async sayGoodbye(signal: AbortSignal): Promise<void> {
    await this.#within(signal, GOODBYE_MS, () =>
      this.connection.workflowService.shutdownWorker({
        ...this.#who,
        workerInstanceKey: this.#instanceKey,
        taskQueue: this.options.taskQueue,
        taskQueueTypes: [TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY],
        reason: 'graceful shutdown',
      }),
    );
  }

  heartbeat(
    taskToken: Uint8Array,
    details: Payload[],
    signal: AbortSignal,
  ): Promise<RecordActivityTaskHeartbeatResponse> {
    return this.#within(signal, ANSWER_MS, () =>
      this.connection.workflowService.recordActivityTaskHeartbeat({
        ...this.#who,
        taskToken,
        details: details.length > 0 ? { payloads: details } : undefined,
      }),
    );
  }

  complete(taskToken: Uint8Array, result: Payload | undefined, signal: AbortSignal): Promise<unknown> {
    return this.#within(signal, ANSWER_MS, () =>
      this.connection.workflowService.respondActivityTaskCompleted({
        ...this.#answer(taskToken),
        result: result && { payloads: [result] },
      }),
    );
  }

  cancel(taskToken: Uint8Array, details: Payload[] | undefined, signal: AbortSignal): Promise<unknown> {
    return this.#within(signal, ANSWER_MS, () =>
      this.connection.workflowService.respondActivityTaskCanceled({
        ...this.#answer(taskToken),
        details: details && { payloads: details },
      }),
    );
  }

  fail(
    taskToken: Uint8Array,
    failed: Pick<RespondActivityTaskFailedRequest, 'failure' | 'cause' | 'lastHeartbeatDetails'>,
    signal: AbortSignal,
  ): Promise<unknown> {
    return this.#within(signal, ANSWER_MS, () =>
      this.connection.workflowService.respondActivityTaskFailed({ ...this.#answer(taskToken), ...failed }),
    );
  }

  get #who() {
    return { namespace: this.options.namespace, identity: this.options.identity };
  }

  #answer(taskToken: Uint8Array) {
    return {
      ...this.#who,
      taskToken,
      deploymentOptions: this.#deployment,
      ...(this.#buildId !== undefined && { workerVersion: { buildId: this.#buildId } }),
    };
  }

  #within<R>(signal: AbortSignal, ms: number, call: () => Promise<R>): Promise<R> {
    const { connection } = this;
    return connection.withAbortSignal(signal, () => connection.withDeadline(Date.now() + ms, call));
  }
}
