/** Options and records of Nexus operations that no workflow has started, and the string enums of these. */
import type {
  Duration,
  PayloadTypeInfo,
  SearchAttributePair,
  SearchAttributeType,
  TypedSearchAttributes,
} from '@perdure/common';
import { makeProtoEnumConverters } from '@perdure/common/lib/enum-codecs';
import type { TypedSearchAttributeValue } from '@perdure/common/lib/search-attributes';
import type {
  NexusOperationCancellationState as ProtoCancellationState,
  PendingNexusOperationState as ProtoPendingState,
} from '@perdure/proto/temporal/api/enums/v1/common';
import type {
  NexusOperationIdConflictPolicy as ProtoConflictPolicy,
  NexusOperationIdReusePolicy as ProtoReusePolicy,
  NexusOperationExecutionStatus as ProtoStatus,
} from '@perdure/proto/temporal/api/enums/v1/nexus';
import type {
  NexusOperationExecutionInfo,
  NexusOperationExecutionListInfo,
  NexusOperationExecutionCancellationInfo as ProtoCancellationInfo,
} from '@perdure/proto/temporal/api/nexus/v1/message';

export type RawNexusOperationExecutionInfo = NexusOperationExecutionInfo;
export type RawNexusOperationExecutionListInfo = NexusOperationExecutionListInfo;
export type RawNexusOperationExecutionCancellationInfo = ProtoCancellationInfo;

/** Whether a start may take the id of a closed operation. */
export const NexusOperationIdReusePolicy = {
  /** Yes. */
  ALLOW_DUPLICATE: 'ALLOW_DUPLICATE',
  /** Only if that one did not complete. */
  ALLOW_DUPLICATE_FAILED_ONLY: 'ALLOW_DUPLICATE_FAILED_ONLY',
  /** No. */
  REJECT_DUPLICATE: 'REJECT_DUPLICATE',
} as const;
export type NexusOperationIdReusePolicy =
  (typeof NexusOperationIdReusePolicy)[keyof typeof NexusOperationIdReusePolicy];

const reusePolicies = makeProtoEnumConverters<
  NexusOperationIdReusePolicy,
  ProtoReusePolicy,
  'NEXUS_OPERATION_ID_REUSE_POLICY_'
>(
  { ALLOW_DUPLICATE: 1, ALLOW_DUPLICATE_FAILED_ONLY: 2, REJECT_DUPLICATE: 3 },
  'NEXUS_OPERATION_ID_REUSE_POLICY_',
);
export const encodeNexusOperationIdReusePolicy = reusePolicies[0];
export const decodeNexusOperationIdReusePolicy = reusePolicies[1];

/** What a start does when an operation with its id runs. */
export const NexusOperationIdConflictPolicy = {
  /** It fails. */
  FAIL: 'FAIL',
  /** It gives a handle to that one. */
  USE_EXISTING: 'USE_EXISTING',
} as const;
export type NexusOperationIdConflictPolicy =
  (typeof NexusOperationIdConflictPolicy)[keyof typeof NexusOperationIdConflictPolicy];

const conflictPolicies = makeProtoEnumConverters<
  NexusOperationIdConflictPolicy,
  ProtoConflictPolicy,
  'NEXUS_OPERATION_ID_CONFLICT_POLICY_'
>({ FAIL: 1, USE_EXISTING: 2 }, 'NEXUS_OPERATION_ID_CONFLICT_POLICY_');
export const encodeNexusOperationIdConflictPolicy = conflictPolicies[0];
export const decodeNexusOperationIdConflictPolicy = conflictPolicies[1];

/** Where an operation is in its life. Note the spelling of CANCELED. */
export const NexusOperationExecutionStatus = {
  RUNNING: 'RUNNING',
  COMPLETED: 'COMPLETED',
  FAILED: 'FAILED',
  CANCELED: 'CANCELED',
  TERMINATED: 'TERMINATED',
  TIMED_OUT: 'TIMED_OUT',
} as const;
export type NexusOperationExecutionStatus =
  (typeof NexusOperationExecutionStatus)[keyof typeof NexusOperationExecutionStatus];

const statuses = makeProtoEnumConverters<
  NexusOperationExecutionStatus,
  ProtoStatus,
  'NEXUS_OPERATION_EXECUTION_STATUS_'
>(
  { RUNNING: 1, COMPLETED: 2, FAILED: 3, CANCELED: 4, TERMINATED: 5, TIMED_OUT: 6 },
  'NEXUS_OPERATION_EXECUTION_STATUS_',
);
export const encodeNexusOperationExecutionStatus = statuses[0];
export const decodeNexusOperationExecutionStatus = statuses[1];

/** What a running operation does at the moment. */
export const PendingNexusOperationState = {
  /** Is being handed to its handler. */
  SCHEDULED: 'SCHEDULED',
  /** Waits for the next attempt to hand it over. */
  BACKING_OFF: 'BACKING_OFF',
  /** The handler has answered with a token, and will complete it later. */
  STARTED: 'STARTED',
  /** The server holds it back; `blockedReason` says why. */
  BLOCKED: 'BLOCKED',
} as const;
export type PendingNexusOperationState =
  (typeof PendingNexusOperationState)[keyof typeof PendingNexusOperationState];

const pendingStates = makeProtoEnumConverters<
  PendingNexusOperationState,
  ProtoPendingState,
  'PENDING_NEXUS_OPERATION_STATE_'
>({ SCHEDULED: 1, BACKING_OFF: 2, STARTED: 3, BLOCKED: 4 }, 'PENDING_NEXUS_OPERATION_STATE_');
export const encodePendingNexusOperationState = pendingStates[0];
export const decodePendingNexusOperationState = pendingStates[1];

/** How far the request to cancel an operation has come. */
export const NexusOperationCancellationState = {
  SCHEDULED: 'SCHEDULED',
  BACKING_OFF: 'BACKING_OFF',
  /** The handler has taken it. */
  SUCCEEDED: 'SUCCEEDED',
  /** The handler has refused it. */
  FAILED: 'FAILED',
  TIMED_OUT: 'TIMED_OUT',
  /** The server holds it back; `blockedReason` says why. */
  BLOCKED: 'BLOCKED',
} as const;
export type NexusOperationCancellationState =
  (typeof NexusOperationCancellationState)[keyof typeof NexusOperationCancellationState];

const cancellationStates = makeProtoEnumConverters<
  NexusOperationCancellationState,
  ProtoCancellationState,
  'NEXUS_OPERATION_CANCELLATION_STATE_'
>(
  { SCHEDULED: 1, BACKING_OFF: 2, SUCCEEDED: 3, FAILED: 4, TIMED_OUT: 5, BLOCKED: 6 },
  'NEXUS_OPERATION_CANCELLATION_STATE_',
);
export const encodeNexusOperationCancellationState = cancellationStates[0];
export const decodeNexusOperationCancellationState = cancellationStates[1];

/** How an operation is started. */
export interface StartNexusOperationOptions {
  /** Names the operation within the namespace of the caller. */
  id: string;
  /** Limit of the whole. */
  scheduleToCloseTimeout?: Duration;
  /** Limit until the handler has begun, or has answered. */
  scheduleToStartTimeout?: Duration;
  /** Limit from there to the end, of operations that complete later. */
  startToCloseTimeout?: Duration;
  /** One line for user interfaces. */
  summary?: string;
  /**
   * Whether the id of a closed operation may be used again.
   * @default ALLOW_DUPLICATE
   */
  idReusePolicy?: NexusOperationIdReusePolicy;
  /**
   * What happens when an operation with this id runs.
   * @default FAIL
   */
  idConflictPolicy?: NexusOperationIdConflictPolicy;
  searchAttributes?: SearchAttributePair[] | TypedSearchAttributes;
  /** Reach the handler as they are: they pass no codec. */
  headers?: Record<string, string>;
}

export interface ListNexusOperationsOptions {
  /** A visibility query, e.g. `Service = 'billing' AND ExecutionStatus = 'Running'`. */
  query?: string;
  /**
   * Operations per request.
   * @default what the server takes
   */
  pageSize?: number;
}

export interface GetNexusOperationHandleOptions {
  /**
   * The run.
   * @default the latest one
   */
  runId?: string;
  /** How the result converts. */
  typeInfo?: Pick<PayloadTypeInfo, 'outputType'>;
}

/** Nothing to choose yet. */
// biome-ignore lint/suspicious/noEmptyInterface: a place for options to come
export interface DescribeNexusOperationOptions {}

/** How far a request to cancel has come. */
export interface NexusOperationExecutionCancellationInfo {
  readonly requestedTime: Date | undefined;
  readonly state: NexusOperationCancellationState | undefined;
  /** Attempts to hand the request over. */
  readonly attempt: number;
  readonly lastAttemptCompleteTime: Date | undefined;
  readonly nextAttemptScheduleTime: Date | undefined;
  readonly lastAttemptFailure: Error | undefined;
  readonly blockedReason: string | undefined;
  readonly reason: string;
  readonly raw: RawNexusOperationExecutionCancellationInfo;
}

/** What a list says about an operation. */
export interface NexusOperationExecution {
  readonly operationId: string;
  readonly runId: string;
  readonly endpoint: string;
  readonly service: string;
  readonly operation: string;
  readonly scheduleTime: Date | undefined;
  readonly closeTime: Date | undefined;
  readonly status: NexusOperationExecutionStatus | undefined;
  readonly searchAttributes: TypedSearchAttributes;
  readonly stateTransitionCount: number;
  /** Milliseconds from schedule to close. */
  readonly executionDuration: number | undefined;
  readonly raw: RawNexusOperationExecutionListInfo;
}

/** What `describe` says about an operation. Timeouts are in milliseconds, 0 for none. */
export type NexusOperationExecutionDescription = Omit<NexusOperationExecution, 'raw'> & {
  raw: RawNexusOperationExecutionInfo;
  /** While it runs. */
  readonly state: PendingNexusOperationState | undefined;
  readonly scheduleToCloseTimeout: number | undefined;
  readonly scheduleToStartTimeout: number | undefined;
  readonly startToCloseTimeout: number | undefined;
  /** Attempts to hand the operation to its handler. */
  readonly attempt: number;
  /** When the schedule-to-close timeout ends. */
  readonly expirationTime: Date | undefined;
  readonly lastAttemptCompleteTime: Date | undefined;
  readonly nextAttemptScheduleTime: Date | undefined;
  readonly lastAttemptFailure: Error | undefined;
  readonly blockedReason: string | undefined;
  /** What the handler gets as request id. */
  readonly requestId: string;
  /** What the handler answered with, if it completes the operation later. */
  readonly operationToken: string | undefined;
  /** Who started it. */
  readonly identity: string;
  /** If cancellation was asked for. */
  readonly cancellationInfo: NexusOperationExecutionCancellationInfo | undefined;
  /** The summary that the operation was started with, decoded. */
  staticSummary: () => Promise<string | undefined>;
  /** The details that the operation was started with, decoded. */
  staticDetails: () => Promise<string | undefined>;
};

/** The value of a search attribute that operations are grouped by. */
export interface NexusOperationGroupValue {
  readonly type: SearchAttributeType;
  readonly value: TypedSearchAttributeValue<SearchAttributeType>;
}

export interface NexusOperationExecutionCountGroup {
  readonly count: number;
  readonly groupValues: readonly NexusOperationGroupValue[];
}

export interface NexusOperationExecutionCount {
  /** Approximate. */
  readonly count: number;
  /** One per group of a query with GROUP BY. */
  readonly groups: readonly NexusOperationExecutionCountGroup[];
}
