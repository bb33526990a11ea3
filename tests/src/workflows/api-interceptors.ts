/** Interceptors that leave their mark wherever they are called. */
import type { WorkflowInterceptors } from '@perdure/workflow';

export const interceptors = (): WorkflowInterceptors => {
  const seen: string[] = [];
  return {
    inbound: [
      {
        async execute(input, next) {
          return { result: await next(input), seen };
        },
      },
    ],
    outbound: [
      {
        async scheduleActivity(input, next) {
          seen.push(`activity ${input.activityType}`);
          return next({ ...input, args: input.args.map((arg) => `${arg}!`) });
        },
        async startTimer(input, next) {
          seen.push(`timer ${input.durationMs}`);
          return next(input);
        },
      },
    ],
    internals: [
      {
        activate(input, next) {
          seen.push(`activation ${input.batchIndex}`);
          next(input);
        },
      },
    ],
  };
};
