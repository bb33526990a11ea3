/** Types and string enums of the client's public API that several files share. */

import type {
  PayloadTypeInfo,
  Priority,
  SearchAttributes,
  SearchAttributeValue,
  TypedSearchAttributes,
} from '@perdure/common';
import { makeProtoEnumConverters } from '@perdure/common/lib/enum-codecs';
import type {
  ActivityExecutionInfo,
  ActivityExecutionListInfo,
} from '@perdure/proto/temporal/api/activity/v1/message';
import type { WorkflowExecution as ProtoWorkflowExecution } from '@perdure/proto/temporal/api/common/v1/message';
import type { QueryRejectCondition as ProtoQueryRejectCondition } from '@perdure/proto/temporal/api/enums/v1/query';
import type { WorkflowExecutionStatus } from '@perdure/proto/temporal/api/enums/v1/workflow';
import type { WorkflowExecutionInfo as RawInfo } from '@perdure/proto/temporal/api/workflow/v1/message';
import type {
  DescribeWorkflowExecutionResponse,
  GetWorkflowExecutionHistoryRequest,
  RequestCancelWorkflowExecutionResponse,
  StartWorkflowExecutionRequest,
  TerminateWorkflowExecutionResponse,
} from '@perdure/proto/temporal/api/workflowservice/v1/request_response';

export type {
  DescribeWorkflowExecutionResponse,
  GetWorkflowExecutionHistoryRequest,
  RequestCancelWorkflowExecutionResponse,
  StartWorkflowExecutionRequest,
  TerminateWorkflowExecutionResponse,
};
export type RawWorkflowExecutionInfo = RawInfo;
export type RawActivityExecutionInfo = ActivityExecutionInfo;
export type RawActivityExecutionListInfo = ActivityExecutionListInfo;

/** An execution; without `runId`, the latest run. */
export interface WorkflowExecution {
  workflowId: string;
  runId?: string;
}

/** When the server refuses a query. */
export const QueryRejectCondition = {
  /** Never. */
  NONE: 'NONE',
  /** The workflow is closed. */
  NOT_OPEN: 'NOT_OPEN',
  /** The workflow is closed and has not completed. */
  NOT_COMPLETED_CLEANLY: 'NOT_COMPLETED_CLEANLY',

  /** @deprecated use NONE */
  QUERY_REJECT_CONDITION_NONE: 'NONE',
  /** @deprecated use NOT_OPEN */
  QUERY_REJECT_CONDITION_NOT_OPEN: 'NOT_OPEN',
  /** @deprecated use NOT_COMPLETED_CLEANLY */
  QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY: 'NOT_COMPLETED_CLEANLY',
  /** @deprecated use undefined */
  QUERY_REJECT_CONDITION_UNSPECIFIED: undefined,
} as const;
export type QueryRejectCondition = (typeof QueryRejectCondition)[keyof typeof QueryRejectCondition];

const rejectConditions = makeProtoEnumConverters<
  NonNullable<QueryRejectCondition>,
  ProtoQueryRejectCondition,
  'QUERY_REJECT_CONDITION_'
>({ NONE: 1, NOT_OPEN: 2, NOT_COMPLETED_CLEANLY: 3 }, 'QUERY_REJECT_CONDITION_');
export const encodeQueryRejectCondition = rejectConditions[0];
export const decodeQueryRejectCondition = rejectConditions[1];

/** How far an update has come. */
export const WorkflowUpdateStage = {
  /** @deprecated not a stage */
  UNSPECIFIED: undefined,
  /** The server has it. Nobody may wait for this. */
  ADMITTED: 'ADMITTED',
  /** The validator has let it pass; it is in the history. */
  ACCEPTED: 'ACCEPTED',
  /** The handler has finished. */
  COMPLETED: 'COMPLETED',
} as const;
export type WorkflowUpdateStage = (typeof WorkflowUpdateStage)[keyof typeof WorkflowUpdateStage];

export type WorkflowExecutionStatusName =
  | 'UNSPECIFIED'
  | 'RUNNING'
  | 'COMPLETED'
  | 'FAILED'
  | 'CANCELLED'
  | 'TERMINATED'
  | 'CONTINUED_AS_NEW'
  | 'TIMED_OUT'
  | 'PAUSED'
  | 'UNKNOWN'; // a status that is newer than this client

/** What a list says about an execution. */
export interface WorkflowExecutionInfo {
  /** Workflow type. */
  type: string;
  workflowId: string;
  runId: string;
  taskQueue: string;
  status: { code: WorkflowExecutionStatus; name: WorkflowExecutionStatusName };
  /** Number of events. */
  historyLength: number;
  /** Bytes. */
  historySize?: number;
  startTime: Date;
  /** Time of the first task, after delay or back-off. */
  executionTime?: Date;
  closeTime?: Date;
  memo?: Record<string, unknown>;
  /** @deprecated use typedSearchAttributes */
  searchAttributes: SearchAttributes;
  typedSearchAttributes: TypedSearchAttributes;
  parentExecution?: Required<ProtoWorkflowExecution>;
  rootExecution?: Required<ProtoWorkflowExecution>;
  priority?: Priority;
  raw: RawWorkflowExecutionInfo;
}

/** What `describe` says about an execution. */
export type WorkflowExecutionDescription = Omit<WorkflowExecutionInfo, 'raw'> & {
  raw: DescribeWorkflowExecutionResponse;
  /** The details that the workflow was started with, decoded. */
  staticDetails: () => Promise<string | undefined>;
  /** The summary that the workflow was started with, decoded. */
  staticSummary: () => Promise<string | undefined>;
};

export interface CountWorkflowExecution {
  /** Approximate. */
  count: number;
  /** One per group of a query with GROUP BY. */
  groups: { count: number; groupValues: SearchAttributeValue[] }[];
}

export interface WorkflowResultOptions {
  /**
   * Whether the result is that of the last run of the chain (continue-as-new, retry, cron).
   * @default true
   */
  followRuns?: boolean;
  /** How the result converts. */
  typeInfo?: PayloadTypeInfo;
}

export interface GetWorkflowHandleOptions extends WorkflowResultOptions {
  /** Refuses to act on another chain of runs with the same workflow id. */
  firstExecutionRunId?: string;
}

export interface WorkflowUpdateOptions {
  /**
   * Idempotency key within the workflow.
   * @default a random UUID
   */
  updateId?: string;
  /** How arguments and result convert, for updates by name. */
  typeInfo?: PayloadTypeInfo;
}

export interface GetWorkflowUpdateHandleOptions {
  workflowRunId?: string;
  /** How the result converts. */
  typeInfo?: Pick<PayloadTypeInfo, 'outputType'>;
}
