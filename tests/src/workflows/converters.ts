/** Workflows for converters, codecs and interceptors. */
import {
  ApplicationFailure,
  log,
  proxyActivities,
  type WorkflowInterceptorsFactory,
} from '@perdure/workflow';

const { echo } = proxyActivities<{ echo(value: unknown): Promise<unknown> }>({ startToCloseTimeout: '10s' });

export async function echoes(value: unknown): Promise<unknown> {
  return echo(value);
}

export async function failsWith(detail: string): Promise<void> {
  throw ApplicationFailure.nonRetryable('failed', 'Type', detail);
}

export async function logsOnce(): Promise<void> {
  log.info('from the workflow');
}

export const interceptors: WorkflowInterceptorsFactory = () => ({
  inbound: [
    {
      async execute(input, next) {
        return `intercepted ${JSON.stringify(await next(input))}`;
      },
    },
  ],
  outbound: [
    {
      getLogAttributes(input, next) {
        return next({ ...input, fromInterceptor: true });
      },
    },
  ],
});
