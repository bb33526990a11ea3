/** Resolved options in the form the native side takes: perdure.core.v1.WorkerOptions. */
import type {
  PollerBehavior,
  Versioning,
  WorkerOptions as WorkerOptionsMessage,
} from '@perdure/proto/perdure/core/v1/options';
import Long from 'long';
import { tunerMessage } from './tuner';
import type { CompiledWorkerOptions, ResolvedPollers } from './worker-options';

/** What a worker turns out to do, known once its parts are made. */
export interface WorkerAbilities {
  readonly workflows: boolean;
  readonly activities: boolean;
  readonly nexus: boolean;
  readonly codec: boolean;
  /** Stands for the code when nobody named a build. */
  readonly buildId: string;
}

export function workerOptionsMessage(
  options: CompiledWorkerOptions,
  { workflows, activities, nexus, codec, buildId }: WorkerAbilities,
): WorkerOptionsMessage {
  return {
    namespace: options.namespace,
    taskQueue: options.taskQueue,
    identity: options.identity,
    workflows,
    remoteActivities: activities && options.enableNonLocalActivities,
    localActivities: activities && workflows,
    nexus,
    maxCachedWorkflows: options.maxCachedWorkflows,
    slots: tunerMessage(options.tuner),
    workflowPollers: pollers(options.workflowPollers),
    activityPollers: pollers(options.activityPollers),
    nexusPollers: pollers(options.nexusPollers),
    nonstickyToStickyPollRatio: options.nonStickyToStickyPollRatio,
    stickyQueueScheduleToStartTimeoutMs: Long.fromNumber(options.stickyQueueScheduleToStartTimeoutMs),
    maxHeartbeatThrottleIntervalMs: Long.fromNumber(options.maxHeartbeatThrottleIntervalMs),
    defaultHeartbeatThrottleIntervalMs: Long.fromNumber(options.defaultHeartbeatThrottleIntervalMs),
    maxTaskQueueActivitiesPerSecond: options.maxTaskQueueActivitiesPerSecond,
    maxWorkerActivitiesPerSecond: options.maxActivitiesPerSecond,
    maxEagerActivityReservationsPerWorkflowTask: options.maxEagerActivityReservationsPerWorkflowTask,
    gracefulShutdownMs: Long.fromNumber(options.shutdownGraceTimeMs),
    versioning: versioning(options, buildId),
    workflowFailureErrors: nondeterminismFailures(options.workflowFailureErrorTypes),
    disablePayloadErrorLimit: options.disablePayloadErrorLimit,
    codec,
    plugins: options.plugins.map(({ name }) => name),
  };
}

function pollers(resolved: ResolvedPollers): PollerBehavior {
  if (resolved.kind === 'fixed') return { fixed: resolved.count };
  const { minimum, maximum, initial } = resolved;
  return { autoscaling: { minimum, maximum, initial } };
}

function versioning(options: CompiledWorkerOptions, buildId: string): Versioning {
  const deployment = options.workerDeploymentOptions;
  if (deployment !== undefined) {
    return {
      deployment: {
        deploymentName: deployment.version.deploymentName,
        buildId: deployment.version.buildId,
        useVersioning: deployment.useWorkerVersioning,
        defaultBehavior: deployment.defaultVersioningBehavior ?? '',
      },
    };
  }
  if (options.useVersioning) return { legacyBuildId: options.buildId };
  return { buildId: options.buildId ?? buildId };
}

/** The native side decides about nondeterminism alone; other error types are matched in the workflow runtime. */
function nondeterminismFailures(
  types: CompiledWorkerOptions['workflowFailureErrorTypes'],
): Record<string, { types: string[] }> {
  const found: Record<string, { types: string[] }> = {};
  for (const [workflowType, names] of Object.entries(types)) {
    if (names.includes('NondeterminismError')) found[workflowType] = { types: ['NondeterminismError'] };
  }
  return found;
}
