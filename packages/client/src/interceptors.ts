/** What client interceptors see and may change. */
import type { Headers, Next, PayloadTypeInfo, SignalTypeInfo, TypeInfo } from '@perdure/common';
import type { QueryRejectCondition } from '@perdure/proto/temporal/api/enums/v1/query';
import type { Outcome } from '@perdure/proto/temporal/api/update/v1/message';
import type {
  DescribeWorkflowExecutionResponse,
  RequestCancelWorkflowExecutionResponse,
  TerminateWorkflowExecutionResponse,
  WorkflowExecution,
  WorkflowUpdateOptions,
} from './types';
import type { CompiledWorkflowOptions } from './workflow-options';

export type { Headers, Next };

export interface WorkflowStartInput {
  /** Name of the workflow type. */
  readonly workflowType: string;
  readonly headers: Headers;
  readonly options: CompiledWorkflowOptions;
}

export interface WorkflowStartOutput {
  readonly runId: string;
  /** Whether the server gave out the first task with the response. */
  readonly eagerlyStarted: boolean;
}

export interface WorkflowStartUpdateInput {
  readonly updateName: string;
  readonly args: unknown[];
  readonly typeInfo?: PayloadTypeInfo;
  readonly workflowExecution: WorkflowExecution;
  readonly firstExecutionRunId?: string;
  readonly headers: Headers;
  readonly options: WorkflowUpdateOptions;
}

export interface WorkflowStartUpdateOutput {
  readonly updateId: string;
  readonly workflowRunId: string;
  readonly outcome?: Outcome;
  readonly outputTypeInfo?: TypeInfo<any, any>;
}

export interface WorkflowStartUpdateWithStartInput {
  readonly workflowType: string;
  readonly workflowStartOptions: CompiledWorkflowOptions;
  readonly workflowStartHeaders: Headers;
  readonly updateName: string;
  readonly updateArgs: unknown[];
  readonly updateTypeInfo?: PayloadTypeInfo;
  readonly updateOptions: WorkflowUpdateOptions;
  readonly updateHeaders: Headers;
}

export interface WorkflowStartUpdateWithStartOutput {
  readonly workflowExecution: WorkflowExecution;
  readonly updateId: string;
  readonly updateOutcome?: Outcome;
  readonly updateOutputTypeInfo?: TypeInfo<any, any>;
}

export interface WorkflowSignalInput {
  readonly signalName: string;
  readonly args: unknown[];
  readonly typeInfo?: SignalTypeInfo;
  readonly workflowExecution: WorkflowExecution;
  readonly headers: Headers;
}

export interface WorkflowSignalWithStartInput {
  readonly workflowType: string;
  readonly signalName: string;
  readonly signalArgs: unknown[];
  readonly signalTypeInfo?: SignalTypeInfo;
  readonly headers: Headers;
  readonly options: CompiledWorkflowOptions;
}

export interface WorkflowQueryInput {
  readonly queryType: string;
  readonly args: unknown[];
  readonly typeInfo?: PayloadTypeInfo;
  readonly workflowExecution: WorkflowExecution;
  readonly queryRejectCondition?: QueryRejectCondition;
  readonly headers: Headers;
}

export interface WorkflowTerminateInput {
  readonly workflowExecution: WorkflowExecution;
  readonly reason?: string;
  readonly details?: unknown[];
  readonly firstExecutionRunId?: string;
}

export interface WorkflowCancelInput {
  readonly workflowExecution: WorkflowExecution;
  readonly firstExecutionRunId?: string;
}

export interface WorkflowDescribeInput {
  readonly workflowExecution: WorkflowExecution;
}

/** Stands around the calls of a WorkflowClient; every method is optional and calls `next` to go on. */
export interface WorkflowClientInterceptor {
  /** @deprecated use startWithDetails */
  start?: (input: WorkflowStartInput, next: Next<this, 'start'>) => Promise<string /* run id */>;
  startWithDetails?: (
    input: WorkflowStartInput,
    next: Next<this, 'startWithDetails'>,
  ) => Promise<WorkflowStartOutput>;
  startUpdate?: (
    input: WorkflowStartUpdateInput,
    next: Next<this, 'startUpdate'>,
  ) => Promise<WorkflowStartUpdateOutput>;
  startUpdateWithStart?: (
    input: WorkflowStartUpdateWithStartInput,
    next: Next<this, 'startUpdateWithStart'>,
  ) => Promise<WorkflowStartUpdateWithStartOutput>;
  signal?: (input: WorkflowSignalInput, next: Next<this, 'signal'>) => Promise<void>;
  /** Gives the run id. */
  signalWithStart?: (
    input: WorkflowSignalWithStartInput,
    next: Next<this, 'signalWithStart'>,
  ) => Promise<string>;
  query?: (input: WorkflowQueryInput, next: Next<this, 'query'>) => Promise<unknown>;
  terminate?: (
    input: WorkflowTerminateInput,
    next: Next<this, 'terminate'>,
  ) => Promise<TerminateWorkflowExecutionResponse>;
  cancel?: (
    input: WorkflowCancelInput,
    next: Next<this, 'cancel'>,
  ) => Promise<RequestCancelWorkflowExecutionResponse>;
  describe?: (
    input: WorkflowDescribeInput,
    next: Next<this, 'describe'>,
  ) => Promise<DescribeWorkflowExecutionResponse>;
}

/** @deprecated use WorkflowClientInterceptor */
export type WorkflowClientCallsInterceptor = WorkflowClientInterceptor;
/** @deprecated use WorkflowClientInterceptor */
export interface WorkflowClientCallsInterceptorFactoryInput {
  workflowId: string;
  runId?: string;
}
/** @deprecated use WorkflowClientInterceptor */
export type WorkflowClientCallsInterceptorFactory = (
  input: WorkflowClientCallsInterceptorFactoryInput,
) => WorkflowClientCallsInterceptor;
/** @deprecated use a list of WorkflowClientInterceptor */
export interface WorkflowClientInterceptors {
  calls?: WorkflowClientCallsInterceptorFactory[];
}
