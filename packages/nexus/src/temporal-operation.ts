/** Operations that are backed by whatever their handler starts: a workflow, an update, an activity, or nothing. */
import {
  type CancelOperationContext,
  HandlerError,
  HandlerStartOperationResult,
  type OperationHandler,
  type StartOperationContext,
} from 'nexus-rpc';
import { handlerContext } from './context';
import { cancelActivity } from './start-activity';
import { makeTemporalClient, type TemporalNexusClient } from './temporal-client';
import { contentOf, type TemporalOperationResult } from './temporal-result';
import { decodeOwnToken } from './workflow-run-operation';

export interface TemporalStartOperationContext extends StartOperationContext {}

export interface TemporalCancelOperationContext extends CancelOperationContext {}

/** Answers at once, or starts what backs the operation with `client`. */
export type TemporalOperationStartHandler<I, O> = (
  ctx: TemporalStartOperationContext,
  client: TemporalNexusClient,
  input: I,
) => Promise<TemporalOperationResult<O>>;

export interface CancelWorkflowRunOptions {
  readonly workflowId: string;
}

export interface CancelWorkflowUpdateOptions {
  readonly workflowId: string;
  /** Empty: the latest. */
  readonly runId: string;
  readonly updateId: string;
}

export interface CancelActivityOptions {
  readonly activityId: string;
  /** Empty: the latest. */
  readonly runId: string;
}

/** What happens when the operation is cancelled. */
export interface TemporalOperationHandlerOptions {
  /** (=ask the workflow to cancel) */
  cancelWorkflowRun?: (
    ctx: TemporalCancelOperationContext,
    options: CancelWorkflowRunOptions,
  ) => Promise<void>;
  /** (=refuse with NOT_IMPLEMENTED: updates cannot be cancelled) */
  cancelWorkflowUpdate?: (
    ctx: TemporalCancelOperationContext,
    options: CancelWorkflowUpdateOptions,
  ) => Promise<void>;
  /** (=ask the activity to cancel) */
  cancelActivity?: (ctx: TemporalCancelOperationContext, options: CancelActivityOptions) => Promise<void>;
}

export class TemporalOperationHandler<I, O> implements OperationHandler<I, O> {
  readonly #options: { start: TemporalOperationStartHandler<I, O> } & TemporalOperationHandlerOptions;

  constructor(options: { start: TemporalOperationStartHandler<I, O> } & TemporalOperationHandlerOptions) {
    this.#options = options;
  }

  async start(ctx: StartOperationContext, input: I): Promise<HandlerStartOperationResult<O>> {
    const result = contentOf(await this.#options.start(ctx, makeTemporalClient(ctx), input));
    if (result === undefined) {
      throw new HandlerError(
        'INTERNAL',
        'The start handler gave no TemporalOperationResult: use TemporalOperationResult.sync for a plain value',
        { retryableOverride: false },
      );
    }
    return result.isAsync
      ? HandlerStartOperationResult.async(result.token)
      : HandlerStartOperationResult.sync(result.value as O);
  }

  async cancel(ctx: CancelOperationContext, token: string): Promise<void> {
    const { kind, namespace: _, ...target } = decodeOwnToken(token) as any;
    const { cancelWorkflowRun, cancelWorkflowUpdate, cancelActivity: custom } = this.#options;
    switch (kind) {
      case 'workflow-run':
        if (cancelWorkflowRun !== undefined) return cancelWorkflowRun(ctx, target);
        await handlerContext().client.workflow.getHandle(target.workflowId).cancel();
        return;
      case 'workflow-update':
        if (cancelWorkflowUpdate !== undefined) return cancelWorkflowUpdate(ctx, target);
        throw new HandlerError('NOT_IMPLEMENTED', 'Updates of workflows cannot be cancelled');
      case 'activity':
        return custom !== undefined ? custom(ctx, target) : cancelActivity(target);
    }
  }
}
