/** Interceptors that once logged the life of workflows, which the SDK does by itself. They pass everything on. */
import type {
  GetLogAttributesInput,
  Next,
  WorkflowExecuteInput,
  WorkflowInboundCallsInterceptor,
  WorkflowInterceptorsFactory,
  WorkflowOutboundCallsInterceptor,
} from '@perdure/workflow';

/** @deprecated does nothing; a workflow's attributes are changed by an interceptor's `outbound.getLogAttributes` */
export class WorkflowLogInterceptor
  implements WorkflowInboundCallsInterceptor, WorkflowOutboundCallsInterceptor
{
  getLogAttributes(
    input: GetLogAttributesInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'getLogAttributes'>,
  ): Record<string, unknown> {
    return next(input);
  }

  execute(
    input: WorkflowExecuteInput,
    next: Next<WorkflowInboundCallsInterceptor, 'execute'>,
  ): Promise<unknown> {
    return next(input);
  }
}

/** @deprecated older name of {@link WorkflowLogInterceptor} */
export const WorkflowInboundLogInterceptor = WorkflowLogInterceptor;

/** So that this module can be named in `interceptors.workflowModules`. @deprecated does nothing */
export const interceptors: WorkflowInterceptorsFactory = () => {
  const interceptor = new WorkflowLogInterceptor();
  return { inbound: [interceptor], outbound: [interceptor] };
};
