/** Handles to workflows, for handlers of operations: signals and queries carry the links of the operation. */
import type { QueryDefinition, SignalDefinition } from '@perdure/common';
import type { StartOperationContext } from 'nexus-rpc';
import { handlerContext } from './context';
import { linksForServer } from './links';
import { callWith } from './started';

declare const resultType: unique symbol;

/** A workflow that an operation started or talks to. */
export interface WorkflowHandle<T> {
  readonly workflowId: string;
  /** Absent: the latest run. */
  readonly runId?: string;
  /** Sends a signal that is linked with the operation. */
  signal<Args extends any[] = [], Name extends string = string>(
    def: SignalDefinition<Args, Name> | string,
    ...args: Args
  ): Promise<void>;
  /** Asks the workflow, for operations that answer at once. */
  query<Ret, Args extends any[] = []>(def: QueryDefinition<Ret, Args> | string, ...args: Args): Promise<Ret>;
  /** Compile time only: tells results apart, and these handles from the client's, which back no operation. @internal */
  readonly [resultType]: T;
}

export function makeWorkflowHandle<T>(
  ctx: StartOperationContext,
  workflowId: string,
  runId?: string,
): WorkflowHandle<T> {
  const handle = () => handlerContext().client.workflow.getHandle(workflowId, runId);
  const ofThis = (execution: { workflowId?: string } | undefined) => execution?.workflowId === workflowId;
  const made: Omit<WorkflowHandle<T>, typeof resultType> = {
    workflowId,
    ...(runId !== undefined && { runId }),
    signal: (def, ...args) =>
      callWith(
        ctx,
        {
          method: 'signalWorkflowExecution',
          matches: (request) => ofThis(request.workflowExecution),
          extend: (request) => ({ ...request, links: linksForServer(ctx.inboundLinks) }),
          linkOf: (response) => response.link,
        },
        () => handle().signal(def as SignalDefinition<any[]>, ...args),
      ),
    query: (def, ...args) =>
      callWith(
        ctx,
        {
          method: 'queryWorkflow',
          matches: (request) => ofThis(request.execution),
          extend: (request) => request,
          linkOf: (response) => response.link,
        },
        () => handle().query(def as QueryDefinition<any, any[]>, ...args),
      ),
  };
  return made as WorkflowHandle<T>;
}
