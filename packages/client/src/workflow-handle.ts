/** The handles that workflow clients give out; workflow-client.ts makes them. */
import type {
  BaseWorkflowHandle,
  QueryDefinition,
  UpdateDefinition,
  Workflow,
  WorkflowQueryOptions,
} from '@perdure/common';
import type { History } from '@perdure/proto/temporal/api/history/v1/message';
import type {
  GetWorkflowUpdateHandleOptions,
  RequestCancelWorkflowExecutionResponse,
  TerminateWorkflowExecutionResponse,
  WorkflowExecutionDescription,
  WorkflowUpdateOptions,
} from './types';
import type { WorkflowClient } from './workflow-client';

/** One execution, or the chain of runs of one workflow id. */
export interface WorkflowHandle<T extends Workflow = Workflow> extends BaseWorkflowHandle<T> {
  /**
   * Sends an update and waits for its result.
   * @throws {WorkflowUpdateFailedError} rejected, or the handler failed
   * @throws {WorkflowUpdateRPCTimeoutOrCancelledError} the wait ended early
   */
  executeUpdate<Ret, Args extends [any, ...any[]], Name extends string = string>(
    def: UpdateDefinition<Ret, Args, Name> | string,
    options: WorkflowUpdateOptions & { args: Args },
  ): Promise<Ret>;
  executeUpdate<Ret, Args extends [], Name extends string = string>(
    def: UpdateDefinition<Ret, Args, Name> | string,
    options?: WorkflowUpdateOptions & { args?: Args },
  ): Promise<Ret>;

  /** Sends an update and waits until the workflow has accepted it. */
  startUpdate<Ret, Args extends [any, ...any[]], Name extends string = string>(
    def: UpdateDefinition<Ret, Args, Name> | string,
    options: WorkflowUpdateOptions & { args: Args; waitForStage: 'ACCEPTED' },
  ): Promise<WorkflowUpdateHandle<Ret>>;
  startUpdate<Ret, Args extends [], Name extends string = string>(
    def: UpdateDefinition<Ret, Args, Name> | string,
    options: WorkflowUpdateOptions & { args?: Args; waitForStage: 'ACCEPTED' },
  ): Promise<WorkflowUpdateHandle<Ret>>;

  /** A handle to an update that was sent earlier; no call is made. */
  getUpdateHandle<Ret>(updateId: string, options?: GetWorkflowUpdateHandleOptions): WorkflowUpdateHandle<Ret>;

  /**
   * Asks the workflow; closed ones answer too.
   * @throws {QueryNotRegisteredError} no such query, or its handler failed (see `cause`)
   * @throws {QueryRejectedError} refused by the client's queryRejectCondition
   */
  query<Ret, Args extends any[] = []>(def: QueryDefinition<Ret, Args> | string, ...args: Args): Promise<Ret>;

  /** Asks by name, with hints on how values convert. */
  queryWithOptions<Ret, Args extends any[] = []>(
    queryName: string,
    options: WorkflowQueryOptions<Args>,
  ): Promise<Ret>;

  /** Ends the workflow at once; its code does not hear of it. */
  terminate(reason?: string): Promise<TerminateWorkflowExecutionResponse>;

  /** Asks the workflow to cancel itself. */
  cancel(): Promise<RequestCancelWorkflowExecutionResponse>;

  describe(): Promise<WorkflowExecutionDescription>;

  /** All events; payloads are as the server has them, encoded. */
  fetchHistory(): Promise<History>;

  readonly client: WorkflowClient;
}

export interface WorkflowHandleWithFirstExecutionRunId<T extends Workflow = Workflow>
  extends WorkflowHandle<T> {
  /** Run id of the first execution of the chain. */
  readonly firstExecutionRunId: string;
}

export interface WorkflowHandleWithStartDetails<T extends Workflow = Workflow>
  extends WorkflowHandleWithFirstExecutionRunId<T> {
  /** Whether the server gave out the first task with the response to the start. */
  readonly eagerlyStarted: boolean;
}

export interface WorkflowHandleWithSignaledRunId<T extends Workflow = Workflow> extends WorkflowHandle<T> {
  /** The run that got the signal. */
  readonly signaledRunId: string;
}

/** An update that is under way or done. */
export interface WorkflowUpdateHandle<Ret> {
  readonly updateId: string;
  readonly workflowId: string;
  readonly workflowRunId?: string;
  /** Waits for the outcome; throws as `executeUpdate` does. */
  result(): Promise<Ret>;
}
