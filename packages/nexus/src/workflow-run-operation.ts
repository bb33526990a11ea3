/** Operations that are backed by the run of a workflow. */
import {
  type CancelOperationContext,
  HandlerError,
  HandlerStartOperationResult,
  type OperationHandler,
  type StartOperationContext,
} from 'nexus-rpc';
import { handlerContext } from './context';
import { decodeOperationToken, encodeOperationToken, type OperationToken } from './token';
import type { WorkflowHandle } from './workflow-handle';

/** Starts the workflow, with `startWorkflow`, and gives its handle. */
export type WorkflowRunOperationStartHandler<I, O> = (
  ctx: StartOperationContext,
  input: I,
) => Promise<WorkflowHandle<O>>;

/** An operation that ends when a workflow does; cancelling it asks the workflow to cancel. */
export class WorkflowRunOperationHandler<I, O> implements OperationHandler<I, O> {
  constructor(readonly handler: WorkflowRunOperationStartHandler<I, O>) {}

  async start(ctx: StartOperationContext, input: I): Promise<HandlerStartOperationResult<O>> {
    const { namespace } = handlerContext();
    const { workflowId } = await this.handler(ctx, input);
    return HandlerStartOperationResult.async(
      encodeOperationToken({ kind: 'workflow-run', namespace, workflowId }),
    );
  }

  async cancel(_ctx: CancelOperationContext, token: string): Promise<void> {
    const decoded = decodeOwnToken(token);
    if (decoded.kind !== 'workflow-run') {
      throw new HandlerError('BAD_REQUEST', `Invalid operation token: it is of a ${decoded.kind}`);
    }
    await handlerContext().client.workflow.getHandle(decoded.workflowId).cancel();
  }
}

/**
 * The token of an operation that this handler may touch.
 * @throws {HandlerError} BAD_REQUEST: no valid token, or one of another namespace
 */
export function decodeOwnToken(text: string): OperationToken {
  const token = decodeOperationToken(text);
  const { namespace } = handlerContext();
  if (token.namespace !== '' && token.namespace !== namespace) {
    throw new HandlerError('BAD_REQUEST', 'Invalid operation token: it is of another namespace');
  }
  return token;
}
