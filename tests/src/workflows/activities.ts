/** Workflows that call activities. */
import {
  type ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineSignal,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
} from '@perdure/workflow';

interface Activities {
  greet(name: string): Promise<string>;
  failTimes(times: number): Promise<string>;
  fatal(): Promise<never>;
  slow(): Promise<string>;
  beat(): Promise<string>;
  waitForCancel(): Promise<string>;
  describe(): Promise<Record<string, unknown>>;
}

const { greet } = proxyActivities<Activities>({ startToCloseTimeout: '1m' });

export async function greetOnce(name: string): Promise<string> {
  return greet(name);
}

export async function greetMany(count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => greet(`nr ${i}`)));
}

export async function allOptions(): Promise<Record<string, unknown>> {
  const { describe } = proxyActivities<Activities>({
    activityId: 'chosen-id',
    startToCloseTimeout: '61s',
    scheduleToStartTimeout: '62s',
    scheduleToCloseTimeout: '63s',
    heartbeatTimeout: '50s',
    retry: {
      initialInterval: '2s',
      backoffCoefficient: 3,
      maximumInterval: '9s',
      maximumAttempts: 4,
      nonRetryableErrorTypes: ['Fatal'],
    },
    summary: 'a summary',
    priority: { priorityKey: 1 },
    allowEagerDispatch: false,
  });
  return describe();
}

export async function retries(times: number): Promise<string> {
  const { failTimes } = proxyActivities<Activities>({
    startToCloseTimeout: '1m',
    retry: { initialInterval: '50ms', backoffCoefficient: 1 },
  });
  return failTimes(times);
}

export async function notRetried(): Promise<unknown> {
  const { fatal } = proxyActivities<Activities>({
    startToCloseTimeout: '1m',
    retry: { initialInterval: '10ms' },
  });
  try {
    return await fatal();
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    const cause = error.cause as ApplicationFailure;
    return {
      activityType: error.activityType,
      retryState: error.retryState,
      causeIsApplicationFailure: cause instanceof ApplicationFailure,
      type: cause.type,
      message: cause.message,
      details: cause.details,
    };
  }
}

export async function timesOut(): Promise<unknown> {
  const { slow } = proxyActivities<Activities>({
    startToCloseTimeout: '300ms',
    retry: { maximumAttempts: 1 },
  });
  try {
    return await slow();
  } catch (error) {
    const cause = (error as ActivityFailure).cause as any;
    return { name: cause?.name, timeoutType: cause?.timeoutType };
  }
}

export async function heartbeats(): Promise<string> {
  const { beat } = proxyActivities<Activities>({
    startToCloseTimeout: '1m',
    heartbeatTimeout: '30s',
    retry: { initialInterval: '10ms' },
  });
  return beat();
}

const cancelIt = defineSignal('cancelIt');

/** Cancels an activity that has told that it runs. */
export async function cancelsActivity(type: ActivityCancellationType): Promise<string> {
  const { waitForCancel } = proxyActivities<Activities>({
    startToCloseTimeout: '1m',
    heartbeatTimeout: '30s',
    cancellationType: type,
    retry: { maximumAttempts: 1 },
  });
  const scope = new CancellationScope();
  const running = scope.run(() => waitForCancel());
  running.catch(() => undefined);
  let runs = false;
  setHandler(cancelIt, () => {
    runs = true;
  });
  await condition(() => runs);
  scope.cancel();
  try {
    return `returned ${await running}`;
  } catch (error) {
    return isCancellation(error) ? 'cancelled' : `failed with ${(error as Error).name}`;
  }
}

export async function local(name: string): Promise<unknown> {
  const { describe, failTimes } = proxyLocalActivities<Activities>({
    startToCloseTimeout: '1m',
    retry: { initialInterval: '10ms', backoffCoefficient: 1 },
  });
  const info = await describe();
  return { name, isLocal: info.isLocal, retried: await failTimes(2) };
}

export async function completedBySomebodyElse(): Promise<string> {
  const { slow } = proxyActivities<Activities>({ startToCloseTimeout: '1m' });
  return slow();
}
