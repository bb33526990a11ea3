/**
 * What an activity may know about its own execution.
 *
 * Owns    the translation of a Start message into `Info`.
 * I1  Times are epoch milliseconds, timeouts milliseconds; a timeout the server did not set is 0, or absent where
 *     the type says so.
 */
import type { Priority, RetryPolicy } from '@perdure/common';
import { decodePriority, decompileRetryPolicy } from '@perdure/common';
import { optionalTsToMs } from '@perdure/common/lib/time';
import type { Start } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';

/** Information about one attempt of an activity. */
export interface Info {
  /** Identifies the attempt towards the server; for asynchronous completion. */
  readonly taskToken: Uint8Array;
  /** `taskToken` as base64 text. */
  readonly base64TaskToken: string;
  readonly activityId: string;
  readonly activityType: string;
  /** Starts at 1. */
  readonly attempt: number;
  readonly isLocal: boolean;
  /** The workflow that scheduled the activity; absent for standalone activities. */
  readonly workflowExecution?: { readonly workflowId: string; readonly runId: string };
  readonly workflowType?: string;
  /** When the first attempt was scheduled, epoch milliseconds. */
  readonly scheduledTimestampMs: number;
  readonly scheduleToCloseTimeoutMs: number;
  readonly startToCloseTimeoutMs: number;
  /** When this attempt was scheduled, epoch milliseconds. */
  readonly currentAttemptScheduledTimestampMs: number;
  readonly heartbeatTimeoutMs?: number;
  /** What the last attempt gave to its last heartbeat that reached the server. */
  readonly heartbeatDetails: any;
  readonly taskQueue: string;
  readonly priority?: Priority;
  /** The policy in force, as the server reports it. */
  readonly retryPolicy?: RetryPolicy;
  readonly namespace: string;
  /** Standalone activities only. */
  readonly activityRunId?: string;
  /** Whether a workflow started the activity. */
  readonly inWorkflow: boolean;
  /** @deprecated use `namespace` */
  readonly activityNamespace: string;
  /** @deprecated use `namespace` */
  readonly workflowNamespace?: string;
}

/** Where an activity runs, as far as a Start message does not say it. */
export interface ActivityPlace {
  readonly namespace: string;
  readonly taskQueue: string;
}

/** Decodes `start`. @param heartbeatDetails already decoded details of the last attempt */
export function infoFromStart(
  taskToken: Uint8Array,
  start: Start,
  place: ActivityPlace,
  heartbeatDetails: unknown,
): Info {
  const namespace = start.workflowNamespace || place.namespace;
  const workflowId = start.workflowExecution?.workflowId ?? '';
  const inWorkflow = workflowId !== '';
  return {
    taskToken,
    base64TaskToken: Buffer.from(taskToken).toString('base64'),
    activityId: start.activityId ?? '',
    activityType: start.activityType ?? '',
    attempt: start.attempt || 1,
    isLocal: start.isLocal ?? false,
    ...(inWorkflow && {
      workflowExecution: { workflowId, runId: start.workflowExecution?.runId ?? '' },
      workflowType: start.workflowType ?? '',
      workflowNamespace: namespace,
    }),
    ...(!inWorkflow && start.runId && { activityRunId: start.runId }),
    scheduledTimestampMs: optionalTsToMs(start.scheduledTime) ?? 0,
    scheduleToCloseTimeoutMs: optionalTsToMs(start.scheduleToCloseTimeout) ?? 0,
    startToCloseTimeoutMs: optionalTsToMs(start.startToCloseTimeout) ?? 0,
    currentAttemptScheduledTimestampMs: optionalTsToMs(start.currentAttemptScheduledTime) ?? 0,
    heartbeatTimeoutMs: optionalTsToMs(start.heartbeatTimeout) || undefined,
    heartbeatDetails,
    taskQueue: place.taskQueue,
    priority: start.priority && decodePriority(start.priority),
    retryPolicy: decompileRetryPolicy(start.retryPolicy),
    namespace,
    activityNamespace: namespace,
    inWorkflow,
  };
}
