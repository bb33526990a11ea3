/** What the client says about activities that no workflow has started, and the string enums of these. */
import type { Priority, RetryPolicy, TypedSearchAttributes, WorkerDeploymentVersion } from '@perdure/common';
import { makeProtoEnumConverters } from '@perdure/common/lib/enum-codecs';
import type { CallbackInfo } from '@perdure/proto/temporal/api/activity/v1/message';
import type {
  ActivityIdConflictPolicy as ProtoConflictPolicy,
  ActivityIdReusePolicy as ProtoReusePolicy,
  ActivityExecutionStatus as ProtoStatus,
} from '@perdure/proto/temporal/api/enums/v1/activity';
import type { PendingActivityState as ProtoPendingState } from '@perdure/proto/temporal/api/enums/v1/workflow';
import type { RawActivityExecutionInfo, RawActivityExecutionListInfo } from './types';

export type RawActivityExecutionCallbacks = CallbackInfo[];

/** Whether a start may take the id of a closed activity. */
export const ActivityIdReusePolicy = {
  /** Yes. */
  ALLOW_DUPLICATE: 'ALLOW_DUPLICATE',
  /** Only if that one failed, was cancelled or terminated, or timed out. */
  ALLOW_DUPLICATE_FAILED_ONLY: 'ALLOW_DUPLICATE_FAILED_ONLY',
  /** No. */
  REJECT_DUPLICATE: 'REJECT_DUPLICATE',
} as const;
export type ActivityIdReusePolicy = (typeof ActivityIdReusePolicy)[keyof typeof ActivityIdReusePolicy];

const reusePolicies = makeProtoEnumConverters<
  ActivityIdReusePolicy,
  ProtoReusePolicy,
  'ACTIVITY_ID_REUSE_POLICY_'
>({ ALLOW_DUPLICATE: 1, ALLOW_DUPLICATE_FAILED_ONLY: 2, REJECT_DUPLICATE: 3 }, 'ACTIVITY_ID_REUSE_POLICY_');
export const encodeActivityIdReusePolicy = reusePolicies[0];
export const decodeActivityIdReusePolicy = reusePolicies[1];

/** What a start does when an activity with its id runs. */
export const ActivityIdConflictPolicy = {
  /** It fails. */
  FAIL: 'FAIL',
  /** It gives a handle to that one. */
  USE_EXISTING: 'USE_EXISTING',
} as const;
export type ActivityIdConflictPolicy =
  (typeof ActivityIdConflictPolicy)[keyof typeof ActivityIdConflictPolicy];

const conflictPolicies = makeProtoEnumConverters<
  ActivityIdConflictPolicy,
  ProtoConflictPolicy,
  'ACTIVITY_ID_CONFLICT_POLICY_'
>({ FAIL: 1, USE_EXISTING: 2 }, 'ACTIVITY_ID_CONFLICT_POLICY_');
export const encodeActivityIdConflictPolicy = conflictPolicies[0];
export const decodeActivityIdConflictPolicy = conflictPolicies[1];

/** Where an activity is in its life. Note the spelling of CANCELED. */
export const ActivityExecutionStatus = {
  RUNNING: 'RUNNING',
  COMPLETED: 'COMPLETED',
  FAILED: 'FAILED',
  CANCELED: 'CANCELED',
  TERMINATED: 'TERMINATED',
  TIMED_OUT: 'TIMED_OUT',
  PAUSED: 'PAUSED',
} as const;
export type ActivityExecutionStatus = (typeof ActivityExecutionStatus)[keyof typeof ActivityExecutionStatus];

const statuses = makeProtoEnumConverters<ActivityExecutionStatus, ProtoStatus, 'ACTIVITY_EXECUTION_STATUS_'>(
  { RUNNING: 1, COMPLETED: 2, FAILED: 3, CANCELED: 4, TERMINATED: 5, TIMED_OUT: 6, PAUSED: 7 },
  'ACTIVITY_EXECUTION_STATUS_',
);
export const encodeActivityExecutionStatus = statuses[0];
export const decodeActivityExecutionStatus = statuses[1];

/** What a running activity does at the moment. */
export const PendingActivityState = {
  /** Waits for a worker, or for the next attempt. */
  SCHEDULED: 'SCHEDULED',
  /** A worker has it. */
  STARTED: 'STARTED',
  CANCEL_REQUESTED: 'CANCEL_REQUESTED',
  PAUSED: 'PAUSED',
  /** A worker has it, and it pauses when that attempt ends. */
  PAUSE_REQUESTED: 'PAUSE_REQUESTED',
} as const;
export type PendingActivityState = (typeof PendingActivityState)[keyof typeof PendingActivityState];

const pendingStates = makeProtoEnumConverters<
  PendingActivityState,
  ProtoPendingState,
  'PENDING_ACTIVITY_STATE_'
>(
  { SCHEDULED: 1, STARTED: 2, CANCEL_REQUESTED: 3, PAUSED: 4, PAUSE_REQUESTED: 5 },
  'PENDING_ACTIVITY_STATE_',
);
export const encodePendingActivityState = pendingStates[0];
export const decodePendingActivityState = pendingStates[1];

/** What a list says about an activity. */
export interface ActivityExecutionInfo {
  /** In lists only. */
  rawListInfo?: RawActivityExecutionListInfo;
  activityId: string;
  activityRunId: string;
  activityType: string;
  scheduleTime?: Date;
  closeTime?: Date;
  status: ActivityExecutionStatus;
  typedSearchAttributes: TypedSearchAttributes;
  taskQueue: string;
  /** Milliseconds from schedule to close; of closed activities only. */
  executionDurationMs?: number;
  /** When the first attempt may begin: the schedule time and the start delay. */
  executionTime?: Date;
}

/** What `describe` says about an activity. What is marked as included has to be asked for. */
export interface ActivityExecutionDescription extends ActivityExecutionInfo {
  rawCallbacks: RawActivityExecutionCallbacks;
  rawInfo: RawActivityExecutionInfo;
  /** While it runs. */
  runState?: PendingActivityState;
  /** Milliseconds; 0 for none, as for all timeouts here. */
  scheduleToCloseTimeoutMs?: number;
  scheduleToStartTimeoutMs?: number;
  startToCloseTimeoutMs?: number;
  heartbeatTimeoutMs?: number;
  /** The one in effect, defaults of the server included. */
  retryPolicy: RetryPolicy;
  lastHeartbeatTime?: Date;
  lastStartedTime?: Date;
  /** From 1. */
  attempt: number;
  /** When the schedule-to-close timeout ends. */
  expirationTime?: Date;
  lastWorkerIdentity?: string;
  /** Milliseconds between the last failure and the next attempt. */
  currentRetryIntervalMs?: number;
  lastAttemptCompleteTime?: Date;
  nextAttemptScheduleTime?: Date;
  lastDeploymentVersion?: WorkerDeploymentVersion;
  priority: Priority;
  /** If cancellation was asked for, and with a reason. */
  canceledReason?: string;
  startDelayMs?: number;
  /** Of all attempts. */
  totalHeartbeatCount?: number;
  /** Included by `includeHeartbeatDetails`. */
  hasHeartbeatDetails: boolean;
  /** Included by `includeLastFailure`. */
  hasLastFailure: boolean;
  /** Included by `includeInput`; false also for activities without arguments. */
  hasInput: boolean;
  /** Included by `includeOutcome`. */
  hasResult: boolean;
  /** Included by `includeOutcome`. */
  hasOutcomeFailure: boolean;
  /** Decodes the details; undefined if there are none. So do the others, each with what it is called after. */
  getHeartbeatDetails<T = any>(): Promise<T | undefined>;
  getLastFailure(): Promise<Error | undefined>;
  getInput<T extends any[] = any[]>(): Promise<T | undefined>;
  getResult<T = any>(): Promise<T | undefined>;
  getOutcomeFailure(): Promise<Error | undefined>;
}

export interface CountActivityExecutions {
  /** Approximate. */
  readonly count: number;
  /** One per group of a query with GROUP BY. */
  readonly groups?: { readonly count: number; readonly groupValues?: any[] }[];
}
