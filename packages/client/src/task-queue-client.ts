/**
 * The client for task queues: which build ids their workers may have, the older form of worker versioning.
 *
 * Servers offer it only where an operator has switched it on (`frontend.workerVersioningDataAPIs`,
 * `frontend.workerVersioningWorkflowAPIs`); worker deployments are its successor (`workflowService`).
 */
import { ValueError } from '@perdure/common';
import { makeProtoEnumConverters } from '@perdure/common/lib/enum-codecs';
import { brandError, type RequireAtLeastOne } from '@perdure/common/lib/type-helpers';
import type { TaskReachability as ProtoTaskReachability } from '@perdure/proto/temporal/api/enums/v1/task_queue';
import type {
  GetWorkerTaskReachabilityResponse,
  UpdateWorkerBuildIdCompatibilityRequest,
} from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import {
  BaseClient,
  type BaseClientOptions,
  type LoadedBaseClientOptions,
  resolveBaseClientOptions,
} from './base-client';
import { type BuildIdOperation, versionSetsFromProto, type WorkerBuildIdVersionSets } from './build-id-types';
import { isGrpcServiceError, ServiceError } from './errors';
import { grpcStatus } from './grpc';
import { errorDetail, rethrowGrpcError } from './grpc-failures';

/** @deprecated use worker deployments */
export type TaskQueueClientOptions = BaseClientOptions;
/** @deprecated use worker deployments */
export type LoadedTaskQueueClientOptions = LoadedBaseClientOptions;

/**
 * Stands for workers without a build id.
 * @deprecated use worker deployments
 */
export const UnversionedBuildId: unique symbol = Symbol.for('__temporal_unversionedBuildId');
export type UnversionedBuildIdType = typeof UnversionedBuildId;

/**
 * Who may still need workers with a build id.
 * @deprecated use worker deployments
 */
export const ReachabilityType = {
  /** Workflows to come. */
  NEW_WORKFLOWS: 'NEW_WORKFLOWS',
  /** Open workflows, or closed ones that are queried. */
  EXISTING_WORKFLOWS: 'EXISTING_WORKFLOWS',
  OPEN_WORKFLOWS: 'OPEN_WORKFLOWS',
  CLOSED_WORKFLOWS: 'CLOSED_WORKFLOWS',
} as const;
export type ReachabilityType = (typeof ReachabilityType)[keyof typeof ReachabilityType];

const reachabilities = makeProtoEnumConverters<ReachabilityType, ProtoTaskReachability, 'TASK_REACHABILITY_'>(
  { NEW_WORKFLOWS: 1, EXISTING_WORKFLOWS: 2, OPEN_WORKFLOWS: 3, CLOSED_WORKFLOWS: 4 },
  'TASK_REACHABILITY_',
);
export const encodeTaskReachability = reachabilities[0];
export const decodeTaskReachability = reachabilities[1];

/** @deprecated use worker deployments */
export interface BaseReachabilityOptions {
  /** At least one. */
  buildIds: (string | UnversionedBuildIdType)[];
  /**
   * Needed for UnversionedBuildId.
   * @default all queues that know the build ids
   */
  taskQueues?: string[];
  /** @default EXISTING_WORKFLOWS */
  reachability?: ReachabilityType;
}
/** @deprecated use worker deployments */
export type ReachabilityOptions = RequireAtLeastOne<BaseReachabilityOptions, 'buildIds' | 'taskQueues'>;

/** @deprecated use worker deployments */
export interface ReachabilityResponse {
  buildIdReachability: Record<string | UnversionedBuildIdType, BuildIdReachability>;
}
/**
 * NOT_FETCHED: too many queues for one answer; ask for this one again.
 * @deprecated use worker deployments
 */
export type ReachabilityTypeResponse = ReachabilityType | 'NOT_FETCHED';
/** @deprecated use worker deployments */
export interface BuildIdReachability {
  /** By task queue; an empty list means that nobody needs the build id there. */
  taskQueueReachability: Record<string, ReachabilityTypeResponse[]>;
}

/** The public form of the server's answer. */
export function reachabilityResponseFromProto(resp: GetWorkerTaskReachabilityResponse): ReachabilityResponse {
  const byBuildId = (resp.buildIdReachability ?? []).map(({ buildId, taskQueueReachability = [] }) => {
    const byQueue = taskQueueReachability
      .filter(({ taskQueue }) => taskQueue !== undefined)
      .map(({ taskQueue, reachability = [] }) => [
        taskQueue,
        reachability.map((type) => decodeTaskReachability(type) ?? 'NOT_FETCHED'),
      ]);
    return [buildId || UnversionedBuildId, { taskQueueReachability: Object.fromEntries(byQueue) }];
  });
  return { buildIdReachability: Object.fromEntries(byBuildId) };
}

/**
 * The task queue does not know the build id: it is spelled wrongly, or old enough that the server has dropped it.
 * @deprecated use worker deployments
 */
export class BuildIdNotFoundError extends ServiceError {
  override readonly code = 'BUILD_ID_NOT_FOUND';
}
brandError(BuildIdNotFoundError, 'BuildIdNotFoundError');

function operationFields(given: BuildIdOperation): UpdateWorkerBuildIdCompatibilityRequest {
  switch (given.operation) {
    case 'addNewIdInNewDefaultSet':
      return { addNewBuildIdInNewDefaultSet: given.buildId };
    case 'addNewCompatibleVersion':
      return {
        addNewCompatibleBuildId: {
          newBuildId: given.buildId,
          existingCompatibleBuildId: given.existingCompatibleBuildId,
          makeSetDefault: given.promoteSet,
        },
      };
    case 'promoteSetByBuildId':
      return { promoteSetByBuildId: given.buildId };
    case 'promoteBuildIdWithinSet':
      return { promoteBuildIdWithinSet: given.buildId };
    case 'mergeSets':
      return {
        mergeSets: { primarySetBuildId: given.primaryBuildId, secondarySetBuildId: given.secondaryBuildId },
      };
    default:
      throw new ValueError(
        `Unknown operation on build ids: ${JSON.stringify((given as { operation: unknown }).operation)}`,
      );
  }
}

/** @deprecated use worker deployments */
export class TaskQueueClient extends BaseClient {
  readonly options: LoadedTaskQueueClientOptions;

  constructor(options: TaskQueueClientOptions = {}) {
    const base = resolveBaseClientOptions(options);
    super(options, base);
    this.options = base;
  }

  /**
   * Adds build ids to a task queue, or changes how they relate.
   * @throws {BuildIdNotFoundError} an existing build id is not known on the queue
   * @throws {ServiceError} anything else, also where the server has this switched off
   * @deprecated use worker deployments
   */
  async updateBuildIdCompatibility(taskQueue: string, operation: BuildIdOperation): Promise<void> {
    const request = { namespace: this.base.namespace, taskQueue, ...operationFields(operation) };
    await this.call('update build ids', () => this.workflowService.updateWorkerBuildIdCompatibility(request));
  }

  /**
   * The sets of compatible build ids of a task queue.
   * @returns undefined if it has none
   * @deprecated use worker deployments
   */
  async getBuildIdCompatability(taskQueue: string): Promise<WorkerBuildIdVersionSets | undefined> {
    const request = { namespace: this.base.namespace, taskQueue };
    return versionSetsFromProto(
      await this.call('fetch build ids', () => this.workflowService.getWorkerBuildIdCompatibility(request)),
    );
  }

  /**
   * Who may still need workers with these build ids: whether such workers can go.
   * @deprecated use worker deployments
   */
  async getReachability({
    buildIds,
    taskQueues,
    reachability,
  }: ReachabilityOptions): Promise<ReachabilityResponse> {
    const request = {
      namespace: this.base.namespace,
      buildIds: buildIds?.map((buildId) => (buildId === UnversionedBuildId ? '' : buildId)),
      taskQueues,
      reachability: encodeTaskReachability(reachability),
    };
    return reachabilityResponseFromProto(
      await this.call('fetch reachability', () => this.workflowService.getWorkerTaskReachability(request)),
    );
  }

  private async call<R>(doing: string, rpc: () => Promise<R>): Promise<R> {
    try {
      return await rpc();
    } catch (error) {
      const unknown =
        isGrpcServiceError(error) &&
        error.code === grpcStatus.NOT_FOUND &&
        errorDetail(error, 'NamespaceNotFoundFailure') === undefined;
      if (unknown) throw new BuildIdNotFoundError(error.details || 'Build id not found', { cause: error });
      return rethrowGrpcError(error, { doing, namespace: this.base.namespace });
    }
  }
}
