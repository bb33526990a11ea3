/** Interceptors under which some histories of recorded.ts were recorded: each adds to what is sent, or waits. */
import { sleep, type WorkflowInterceptors, workflowInfo } from '@perdure/workflow';

export const interceptors = (): WorkflowInterceptors => ({
  inbound: [
    {
      async execute(input, next) {
        await sleep(1);
        const result = await next(input);
        await sleep(2);
        return result;
      },
      async handleSignal(input, next) {
        await Promise.resolve();
        await next(input);
      },
      async handleUpdate(input, next) {
        const result = await next(input);
        await Promise.resolve();
        return result;
      },
    },
  ],
  outbound: [
    {
      async scheduleActivity(input, next) {
        await Promise.resolve();
        return next({ ...input, options: { ...input.options, summary: workflowInfo().workflowType } });
      },
      async startTimer(input, next) {
        return next({ ...input, durationMs: input.durationMs + 1 });
      },
      async startChildWorkflowExecution(input, next) {
        const [started, completed] = await next(input);
        return [started, completed];
      },
    },
  ],
});
