/** Starts workflows on behalf of an operation. */
import type {
  WorkflowSignalWithStartOptions as ClientSignalWithStartOptions,
  WorkflowStartOptions as ClientStartOptions,
  WorkflowOptions,
} from '@perdure/client';
import type { SignalDefinition, WithWorkflowArgs, Workflow, WorkflowResultType } from '@perdure/common';
import type { Link } from '@perdure/proto/temporal/api/common/v1/message';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import Long from 'long';
import type { StartOperationContext } from 'nexus-rpc';
import { handlerContext } from './context';
import { linksForServer } from './links';
import { ATTACH_ON_CONFLICT, backingOf, callWith } from './started';
import { encodeOperationToken } from './token';
import { makeWorkflowHandle, type WorkflowHandle } from './workflow-handle';

type OptionalTaskQueue<T> = T extends unknown
  ? Omit<T, 'taskQueue'> & {
      /** (=the one that the handler runs on) */
      taskQueue?: string;
    }
  : never;

/** As the client's, but for the task queue. */
export type WorkflowStartOptions<T extends Workflow> = OptionalTaskQueue<ClientStartOptions<T>>;

interface SignalWithStartBase<SignalArgs extends any[]>
  extends Omit<WorkflowOptions, 'taskQueue' | 'requestEagerStart'>,
    Pick<ClientSignalWithStartOptions, 'signalTypeInfo'> {
  /** (=the one that the handler runs on) */
  taskQueue?: string;
  signal: SignalDefinition<SignalArgs> | string;
}

/** As the client's, but for the task queue. */
export type WorkflowSignalWithStartOptions<SignalArgs extends any[] = []> = SignalArgs extends [any, ...any[]]
  ? SignalWithStartBase<SignalArgs> & { signalArgs: SignalArgs }
  : SignalWithStartBase<SignalArgs> & { signalArgs?: SignalArgs };

/**
 * Starts the workflow that backs an operation: when it ends, so does the operation.
 * Callback, links and request id of the operation are attached, also to a workflow that runs already, if
 * `workflowIdConflictPolicy` is USE_EXISTING.
 * @throws as the client's `start`; {HandlerError} BAD_REQUEST when options are not valid
 */
export async function startWorkflow<T extends Workflow>(
  ctx: StartOperationContext,
  workflowTypeOrFunc: string | T,
  workflowOptions: WorkflowStartOptions<T>,
): Promise<WorkflowHandle<WorkflowResultType<T>>> {
  const { client, taskQueue, namespace } = handlerContext();
  const options = { taskQueue, ...workflowOptions } as unknown as ClientStartOptions<T>;
  const { workflowId } = options;
  const token = encodeOperationToken({ kind: 'workflow-run', namespace, workflowId });
  const handle = await callWith(
    ctx,
    {
      method: 'startWorkflowExecution',
      matches: (request) => request.workflowId === workflowId,
      extend: (request) => ({
        ...request,
        ...backingOf(ctx, token),
        onConflictOptions: ATTACH_ON_CONFLICT,
      }),
      linkOf: (response) => response.link ?? linkToStart(namespace, workflowId, response.runId),
    },
    () => client.workflow.start(workflowTypeOrFunc, options),
  );
  return makeWorkflowHandle(ctx, workflowId, handle.firstExecutionRunId);
}

/** Servers that give no link still have the event: it is the first of the run. */
function linkToStart(namespace: string, workflowId: string, runId: string): Link {
  return {
    workflowEvent: {
      namespace,
      workflowId,
      runId,
      eventRef: { eventId: Long.ONE, eventType: EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED },
    },
  };
}

/**
 * Signals a workflow, and starts it if it does not run; both are linked with the operation. The workflow does not
 * back the operation: it may run on after that has ended.
 * @throws as the client's `signalWithStart`; {HandlerError} BAD_REQUEST when options are not valid
 */
export async function signalWithStartWorkflow<T extends Workflow, SignalArgs extends any[] = []>(
  ctx: StartOperationContext,
  workflowTypeOrFunc: string | T,
  workflowOptions: WithWorkflowArgs<T, WorkflowSignalWithStartOptions<SignalArgs>>,
): Promise<WorkflowHandle<WorkflowResultType<T>>> {
  const { client, taskQueue } = handlerContext();
  const options = { taskQueue, ...workflowOptions } as any;
  const { workflowId } = options as { workflowId: string };
  const handle = await callWith(
    ctx,
    {
      method: 'signalWithStartWorkflowExecution',
      matches: (request) => request.workflowId === workflowId,
      extend: (request) => ({ ...request, links: linksForServer(ctx.inboundLinks) }),
      linkOf: (response) => response.signalLink,
    },
    () => client.workflow.signalWithStart(workflowTypeOrFunc, options),
  );
  return makeWorkflowHandle(ctx, workflowId, handle.signaledRunId);
}
