/** Workflow interceptors that a plugin brings. */
import type { WorkflowInterceptors } from '@perdure/workflow';

export const interceptors = (): WorkflowInterceptors => ({
  inbound: [
    {
      execute: async (input, next) => `intercepted ${await next(input)}`,
    },
  ],
});
