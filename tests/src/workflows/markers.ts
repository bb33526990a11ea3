/** Workflows whose every input, output and error carries a mark that nobody but their owner may read. */
import {
  type ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  createEventGroup,
  createNexusServiceClient,
  defaultPayloadConverter,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  getExternalWorkflowHandle,
  makeContinueAsNewFunc,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  TimeoutFailure,
  upsertMemo,
  type WorkflowInterceptors,
} from '@perdure/workflow';
import * as nexus from 'nexus-rpc';

/** All marks begin with it. */
export const MARK = 'mrk7Zq0x';
export const mark = (name: string): string => `${MARK}-${name}-end`;

export interface MarkedActivities {
  echo(value: string): Promise<string>;
  fails(value: string): Promise<void>;
  beats(value: string): Promise<string>;
  beatsAndTimesOut(): Promise<void>;
  completedElsewhere(): Promise<string>;
  failedElsewhere(): Promise<void>;
  cancelledWithDetails(): Promise<void>;
  cancelledElsewhere(): Promise<void>;
}
const once = { maximumAttempts: 1 };
const activities = proxyActivities<MarkedActivities>({
  startToCloseTimeout: '5m',
  heartbeatTimeout: '5m',
  retry: { maximumAttempts: 2, initialInterval: 1 },
});
const waiting = proxyActivities<MarkedActivities>({
  startToCloseTimeout: '10 minutes',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: once,
});
const local = proxyLocalActivities<MarkedActivities>({ startToCloseTimeout: '5m', retry: once });

export const service = nexus.service('marked', {
  sync: nexus.operation<string, string>(),
  backed: nexus.operation<string, string>(),
  fails: nexus.operation<string, void>(),
});

export const poke = defineSignal<[string]>('poke');
export const done = defineSignal<[string]>('done');
export const ask = defineQuery<string, [string]>('ask');
export const askBadly = defineQuery<string>('askBadly');
export const change = defineUpdate<string, [string]>('change');
export const changeBadly = defineUpdate<string, [string]>('changeBadly');

/** @returns whether the server knows the heartbeat of the activity that timed out */
async function timesOut(): Promise<boolean> {
  const { beatsAndTimesOut } = proxyActivities<MarkedActivities>({
    startToCloseTimeout: '2m',
    heartbeatTimeout: '1s',
    retry: once,
  });
  try {
    await beatsAndTimesOut();
    return false;
  } catch (error) {
    const { cause } = error as ActivityFailure;
    return cause instanceof TimeoutFailure && cause.lastHeartbeatDetails !== undefined;
  }
}

async function quietly(what: Promise<unknown>): Promise<void> {
  await what.catch(() => undefined);
}

/** Everything that a workflow can give to a server. */
export async function everything(input: string, endpoint: string): Promise<string> {
  let pokes = 0;
  let finished = false;
  setHandler(poke, () => {
    pokes += 1;
  });
  setHandler(done, () => {
    finished = true;
  });
  setHandler(ask, () => mark('query-result'));
  setHandler(askBadly, () => {
    throw new Error(mark('query-failure-message'));
  });
  setHandler(change, () => mark('update-result'));
  setHandler(
    changeBadly,
    () => {
      throw ApplicationFailure.nonRetryable(
        mark('update-failure-message'),
        'T',
        mark('update-failure-details'),
      );
    },
    {
      validator: (what) => {
        if (what.includes('rejected')) throw new Error(mark('update-rejection-message'));
      },
    },
  );
  setCurrentDetails(mark('current-details'));
  upsertMemo({ note: mark('upserted-memo') });
  await sleep(1, { summary: mark('timer-summary') });
  await condition(() => pokes > 0, '10 minutes');
  await createEventGroup(mark('event-group-label')).withScope(() => sleep(1));

  await activities.echo.executeWithOptions({ summary: mark('activity-summary') }, [
    mark('activity-argument'),
  ]);
  await quietly(activities.fails(mark('activity-failing-argument')));
  await activities.beats(mark('activity-beating-argument'));
  // Where the machine stands still, the time may be over before the heartbeat has arrived.
  for (let known = false; !known; ) known = await timesOut();
  await activities.completedElsewhere();
  await quietly(activities.failedElsewhere());
  await quietly(activities.cancelledWithDetails());
  const scope = new CancellationScope();
  const cancelled = quietly(scope.run(() => waiting.cancelledElsewhere()));
  await condition(() => pokes > 1, '10 minutes');
  scope.cancel();
  await cancelled;
  await local.echo.executeWithOptions({ summary: mark('local-summary') }, [mark('local-argument')]);
  await quietly(local.fails(mark('local-failing-argument')));

  const child = await startChild(waits, {
    args: [mark('child-argument')],
    memo: { note: mark('child-memo') },
    staticSummary: mark('child-summary'),
    staticDetails: mark('child-details'),
  });
  await child.signal(done, mark('child-signal'));
  await child.result();
  const other = await startChild(waits, { args: [mark('other-argument')] });
  await getExternalWorkflowHandle(other.workflowId).signal(done, mark('external-signal'));
  await other.result();
  await quietly(executeChild(fails, { args: [mark('failing-child-argument')], retry: once }));

  const remote = createNexusServiceClient({ endpoint, service });
  await remote.executeOperation('sync', mark('nexus-input'), { summary: mark('nexus-summary') });
  await remote.executeOperation('backed', mark('nexus-backed-input'));
  await quietly(remote.executeOperation('fails', mark('nexus-failing-input')));

  await condition(() => finished, '10 minutes');
  return await makeContinueAsNewFunc<typeof continued>({
    workflowType: 'continued',
    memo: { note: mark('continued-memo') },
  })(mark('continued-argument'), input);
}

export async function continued(_first: string, _second: string): Promise<string> {
  return mark('workflow-result');
}

/** What backs an operation of Nexus. */
export async function backing(input: string): Promise<string> {
  return `${mark('nexus-backing-result')} ${input}`;
}

export async function waits(_input: string): Promise<string> {
  let finished = false;
  setHandler(done, () => {
    finished = true;
  });
  await condition(() => finished);
  return mark('child-result');
}

/** Fails as a workflow does, with causes and details. */
export async function fails(input: string): Promise<void> {
  throw ApplicationFailure.create({
    message: mark('workflow-failure-message'),
    nonRetryable: true,
    details: [mark('workflow-failure-details'), input],
    cause: new Error(mark('workflow-failure-cause-message')),
  });
}

/** Fails its task again and again. */
export async function stumbles(_input: string): Promise<void> {
  throw new TypeError(mark('task-failure-message'));
}

export async function isCancelled(_input: string): Promise<void> {
  await condition(() => false).catch(() => undefined);
  throw new CancelledFailure(mark('cancelled-message'), [mark('cancelled-details')]);
}

const header = (name: string) => ({ [name]: defaultPayloadConverter.toPayload(mark(`header-${name}`)) });

/** Marks in every header that a workflow sends. */
export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      scheduleActivity: (input, next) =>
        next({ ...input, headers: { ...input.headers, ...header('activity') } }),
      scheduleLocalActivity: (input, next) =>
        next({ ...input, headers: { ...input.headers, ...header('local-activity') } }),
      startChildWorkflowExecution: (input, next) =>
        next({ ...input, headers: { ...input.headers, ...header('child') } }),
      signalWorkflow: (input, next) =>
        next({ ...input, headers: { ...input.headers, ...header('outer-signal') } }),
      continueAsNew: (input, next) =>
        next({ ...input, headers: { ...input.headers, ...header('continued') } }),
    },
  ],
});
