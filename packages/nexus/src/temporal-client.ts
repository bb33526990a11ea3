/**
 * The client that Temporal operation handlers get: what they start with it backs the operation.
 *
 * T1  An operation has at most one thing that backs it. A start that failed leaves room for another.
 */
import { type Client, WorkflowUpdateFailedError } from '@perdure/client';
import type { UpdateDefinition, WithWorkflowArgs, Workflow, WorkflowResultType } from '@perdure/common';
import { HandlerError, OperationError, type StartOperationContext } from 'nexus-rpc';
import { handlerContext } from './context';
import { type ActivityOptions, type NexusTypedActivityClient, startActivity } from './start-activity';
import {
  signalWithStartWorkflow,
  startWorkflow,
  type WorkflowSignalWithStartOptions,
  type WorkflowStartOptions,
} from './start-workflow';
import { backingOf, callWith } from './started';
import { TemporalOperationResult } from './temporal-result';
import { encodeOperationToken } from './token';
import { makeWorkflowHandle, type WorkflowHandle } from './workflow-handle';

/** Options of an update that backs an operation. */
export interface NexusUpdateWorkflowOptions {
  /** (=the request id of the operation) */
  updateId?: string;
}

/** A workflow that an operation can update. */
export interface UpdatableWorkflowHandle<T> extends WorkflowHandle<T> {
  /**
   * Sends an update, and waits until the workflow has accepted it: the operation ends with the update.
   * @throws {OperationError} the workflow has rejected it
   */
  update<Ret, Args extends [any, ...any[]], Name extends string = string>(
    def: UpdateDefinition<Ret, Args, Name> | string,
    options: NexusUpdateWorkflowOptions & { args: Args },
  ): Promise<TemporalOperationResult<Ret>>;
  update<Ret, Args extends [] = [], Name extends string = string>(
    def: UpdateDefinition<Ret, Args, Name> | string,
    options?: NexusUpdateWorkflowOptions & { args?: Args },
  ): Promise<TemporalOperationResult<Ret>>;
}

/** Starts what backs an operation. At most one thing does. */
export interface TemporalNexusClient {
  /** A plain client: what it does has nothing to do with the operation. */
  readonly client: Client;
  /** Backs the operation by a workflow. */
  startWorkflow<T extends Workflow>(
    workflowTypeOrFunc: string | T,
    workflowOptions: WorkflowStartOptions<T>,
  ): Promise<TemporalOperationResult<WorkflowResultType<T>>>;
  /** A workflow to signal, query or update; an update backs the operation. */
  getWorkflowHandle<T extends Workflow>(
    workflowId: string,
    runId?: string,
  ): UpdatableWorkflowHandle<WorkflowResultType<T>>;
  /** Signals a workflow, and starts it if it does not run. It does not back the operation. */
  signalWithStartWorkflow<T extends Workflow, SignalArgs extends any[] = []>(
    workflowTypeOrFunc: string | T,
    workflowOptions: WithWorkflowArgs<T, WorkflowSignalWithStartOptions<SignalArgs>>,
  ): Promise<void>;
  /** Backs the operation by an activity without a workflow; needs a server that has those. */
  startActivity<R = any>(activity: string, options: ActivityOptions): Promise<TemporalOperationResult<R>>;
  /** The same, with names, arguments and results of an interface of activities. */
  typedActivity<T>(): NexusTypedActivityClient<T>;
}

export function makeTemporalClient(ctx: StartOperationContext): TemporalNexusClient {
  const { client, namespace } = handlerContext();
  let backed = false;
  /** T1 */
  const backing = async <R>(start: () => Promise<R>): Promise<R> => {
    if (backed) {
      throw new HandlerError('INTERNAL', 'The operation is backed already: it can start only one thing', {
        retryableOverride: false,
      });
    }
    backed = true;
    try {
      return await start();
    } catch (error) {
      backed = false;
      throw error;
    }
  };

  const update = (
    workflowId: string,
    runId: string | undefined,
    def: UpdateDefinition<any, any> | string,
    { updateId = ctx.requestId, args = [] }: NexusUpdateWorkflowOptions & { args?: any[] } = {},
  ): Promise<TemporalOperationResult<any>> =>
    backing(async () => {
      const kind = 'workflow-update';
      const token = encodeOperationToken({ kind, namespace, workflowId, runId: runId ?? '', updateId });
      let done = false;
      const handle = await callWith(
        ctx,
        {
          method: 'updateWorkflowExecution',
          matches: (request) => request.request?.meta?.updateId === updateId,
          extend: (request) => ({ ...request, request: { ...request.request, ...backingOf(ctx, token) } }),
          linkOf: (response) => {
            done = response.outcome !== undefined;
            return response.link;
          },
        },
        () =>
          client.workflow
            .getHandle(workflowId, runId)
            .startUpdate(def as string, { args, updateId, waitForStage: 'ACCEPTED' } as any),
      );
      if (!done) return TemporalOperationResult.async(token);
      try {
        return TemporalOperationResult.sync(await handle.result()); // no callback will come
      } catch (error) {
        if (!(error instanceof WorkflowUpdateFailedError)) throw error;
        throw new OperationError('failed', error.message, { cause: error.cause as Error });
      }
    });

  const activity = (type: string, options: ActivityOptions): Promise<TemporalOperationResult<any>> =>
    backing(async () => TemporalOperationResult.async(await startActivity(ctx, type, options)));

  return {
    client,
    startWorkflow: (workflowTypeOrFunc, workflowOptions) =>
      backing(async () => {
        const { workflowId } = await startWorkflow(ctx, workflowTypeOrFunc, workflowOptions);
        return TemporalOperationResult.async(
          encodeOperationToken({ kind: 'workflow-run', namespace, workflowId }),
        );
      }),
    getWorkflowHandle: (workflowId: string, runId?: string) =>
      ({
        ...makeWorkflowHandle(ctx, workflowId, runId),
        update: (def: any, options?: any) => update(workflowId, runId, def, options),
      }) as UpdatableWorkflowHandle<any>,
    signalWithStartWorkflow: async (workflowTypeOrFunc, workflowOptions) => {
      await signalWithStartWorkflow(ctx, workflowTypeOrFunc, workflowOptions);
    },
    startActivity: activity,
    typedActivity: () => ({ startActivity: activity as any }),
  };
}
