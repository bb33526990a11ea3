/** Every option of every command, as the events of the history have it. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { CancelledFailure, Context } from '@perdure/activity';
import type { WorkflowHandle } from '@perdure/client';
import type { Worker } from '@perdure/worker';
import {
  eventNames,
  eventsOfType,
  harness,
  rejection,
  replayAll,
  until,
  workflowsDir,
} from './support/harness';
import { attributesOf, attributesOfEvent, plain } from './support/plain';

const h = harness();
const workflowsPath = join(workflowsDir, 'commands.ts');
const workflowFailureErrorTypes = { throwsOwnError: ['OfTheWorker'] };
/** Workflows whose `waits` runs, was told to stop, and may end. */
const running = new Set<string>();
const told = new Set<string>();
const released = new Set<string>();
let worker: Worker;

const activities = {
  echo: async (...values: unknown[]) => values,
  /** Ends when it is released: as cancelled, if it was cancelled. */
  waits: async () => {
    const context = Context.current();
    const { workflowId } = context.info.workflowExecution!;
    running.add(workflowId);
    context.cancelled.catch(() => told.add(workflowId));
    const beat = setInterval(() => context.heartbeat(), 20);
    try {
      await until(() => released.has(workflowId), 'it is released');
      context.cancellationSignal.throwIfAborted();
    } finally {
      clearInterval(beat);
      running.delete(workflowId);
    }
  },
};

const cancelledLocally = new Map<string, WorkflowHandle>();

beforeAll(async () => {
  worker = await h.worker({ workflowsPath, activities, maxHeartbeatThrottleInterval: '100ms' });
  h.background(worker);
  // Their timers start when the task that runs the activity is reported to go on: other tests run meanwhile.
  for (const cancellationType of ['TRY_CANCEL', 'WAIT_CANCELLATION_COMPLETED', 'ABANDON']) {
    const options = { startToCloseTimeout: '2m', cancellationType, retry: { maximumAttempts: 1 } };
    const handle = await h.start(worker, 'cancelsWork', ['local', options], { workflowTaskTimeout: '5s' });
    cancelledLocally.set(cancellationType, handle);
  }
});

/** Sees a workflow through that cancels its activity, which goes on until the workflow has to wait for it no more. */
async function untilCancelled(handle: WorkflowHandle, waitsForEnd: boolean): Promise<void> {
  try {
    if (waitsForEnd) {
      await until(() => told.has(handle.workflowId), 'the activity knows');
      expect((await handle.describe()).status.name).toBe('RUNNING');
      released.add(handle.workflowId);
    }
    expect(await handle.result()).toBe('cancelled');
    expect(running.has(handle.workflowId)).toBe(!waitsForEnd);
  } finally {
    released.add(handle.workflowId);
  }
  await until(() => !running.has(handle.workflowId), 'it has ended');
}

describe('activities', () => {
  it('are scheduled with every option, by proxy, by name and with options of the call', async () => {
    const other = await h.worker({ activities });
    h.background(other);
    const options = {
      taskQueue: other.options.taskQueue,
      activityId: 'first',
      scheduleToCloseTimeout: '40s',
      scheduleToStartTimeout: '30s',
      startToCloseTimeout: '20s',
      heartbeatTimeout: '10s',
      retry: {
        initialInterval: '2s',
        backoffCoefficient: 3,
        maximumInterval: '9s',
        maximumAttempts: 4,
        nonRetryableErrorTypes: ['Fatal'],
      },
      summary: 'a summary',
      priority: { priorityKey: 2, fairnessKey: 'tenant', fairnessWeight: 1.5 },
      versioningIntent: 'DEFAULT',
      allowEagerDispatch: false,
    };
    const handle = await h.start(worker, 'activities', [options]);
    expect(await handle.result()).toEqual([
      ['proxied', 1],
      ['by name'],
      ['with options'],
      ['as the proxy says'],
    ]);
    const scheduled = await attributesOf(handle, 'ActivityTaskScheduled');
    const common = {
      activityType: { name: 'echo' },
      taskQueue: { name: other.options.taskQueue },
      scheduleToCloseTimeout: 40_000,
      scheduleToStartTimeout: 30_000,
      startToCloseTimeout: 20_000,
      heartbeatTimeout: 10_000,
      retryPolicy: {
        initialInterval: 2000,
        backoffCoefficient: 3,
        maximumInterval: 9000,
        maximumAttempts: 4,
        nonRetryableErrorTypes: ['Fatal'],
      },
      summary: 'a summary',
      priority: { priorityKey: 2, fairnessKey: 'tenant', fairnessWeight: 1.5 },
    };
    expect(scheduled).toMatchObject([
      { ...common, activityId: 'first', input: { payloads: ['proxied', 1] } },
      { ...common, activityId: 'second', input: { payloads: ['by name'] } },
      { ...common, activityId: 'third', input: { payloads: ['with options'] } },
      {
        activityId: '4',
        taskQueue: { name: worker.options.taskQueue },
        scheduleToCloseTimeout: 60_000,
        summary: 'of the proxy',
      },
    ]);
    expect(scheduled[3].heartbeatTimeout).toBe(0);
  });

  it('are scheduled through createActivityHandle, the older spelling of proxyActivities', async () => {
    const handle = await h.start(worker, 'olderSpelling');
    expect(await handle.result()).toEqual(['as it was written then']);
    expect(await attributesOf(handle, 'ActivityTaskScheduled')).toMatchObject([
      { activityType: { name: 'echo' }, startToCloseTimeout: 61_000 },
    ]);
  });

  it.each([
    ['TRY_CANCEL', true, true],
    ['WAIT_CANCELLATION_COMPLETED', true, false],
    ['ABANDON', false, true],
  ] as const)('are cancelled by %s', async (cancellationType, asked, stillRuns) => {
    const handle = await h.start(worker, 'cancelsWork', [
      'activity',
      { startToCloseTimeout: '2m', heartbeatTimeout: '1m', cancellationType, retry: { maximumAttempts: 1 } },
    ]);
    await until(() => running.has(handle.workflowId), 'the activity runs');
    await handle.signal('go');
    await untilCancelled(handle, !stillRuns);
    const names = await eventNames(handle);
    expect(names.includes('ActivityTaskCancelRequested')).toBe(asked);
    expect(names.includes('ActivityTaskCanceled')).toBe(!stillRuns);
  });
});

describe('local activities', () => {
  it('leave a marker with all that a replay needs', async () => {
    const handle = await h.start(worker, 'locals', [
      {
        startToCloseTimeout: '20s',
        scheduleToCloseTimeout: '40s',
        scheduleToStartTimeout: '30s',
        localRetryThreshold: '50s',
        retry: { maximumAttempts: 2 },
        summary: 'a summary',
      },
    ]);
    expect(await handle.result()).toEqual([['proxied', 1], ['by name'], ['with options']]);
    const markers = await attributesOf(handle, 'MarkerRecorded');
    expect(markers).toMatchObject([
      { markerName: 'core_local_activity', summary: 'a summary' },
      { markerName: 'core_local_activity', summary: 'a summary' },
      { markerName: 'core_local_activity', summary: 'a summary' },
    ]);
    expect(
      markers.map(({ details }) => [details.data.payloads[0].activity_type, details.result.payloads[0]]),
    ).toEqual([
      ['echo', ['proxied', 1]],
      ['echo', ['by name']],
      ['echo', ['with options']],
    ]);
  });

  it.each([
    ['TRY_CANCEL', true],
    ['WAIT_CANCELLATION_COMPLETED', false],
    ['ABANDON', true],
  ] as const)('are cancelled by %s', async (cancellationType, stillRuns) => {
    const handle = cancelledLocally.get(cancellationType)!;
    await untilCancelled(handle, !stillRuns);
    expect(await attributesOf(handle, 'MarkerRecorded')).toHaveLength(1);
  });
});

it('timers have their duration, summary and groups; cleared ones are cancelled', async () => {
  const handle = await h.start(worker, 'timers');
  const order = await handle.result();
  expect(new Set(order as string[])).toEqual(new Set(['short', 'nap', 'condition true']));
  const started = await attributesOf(handle, 'TimerStarted');
  expect(started).toMatchObject([
    { timerId: '1', startToFireTimeout: 1000, summary: 'a nap' },
    { timerId: '2', startToFireTimeout: 10 },
    { timerId: '3', startToFireTimeout: 3_600_000, summary: 'a deadline' },
  ]);
  const events = await eventsOfType(handle, 'TimerStarted');
  expect(
    events.map(({ eventGroupMarkers }) => eventGroupMarkers?.map(({ label }) => plain(label))),
  ).toMatchObject([[], [{ label: 'a group' }, { id: 'other', label: 'another' }], []]);
  expect(await attributesOf(handle, 'TimerFired')).toMatchObject([{ timerId: '2' }, { timerId: '1' }]);
  expect(await attributesOf(handle, 'TimerCanceled')).toMatchObject([{ timerId: '3' }]);
});

describe('child workflows', () => {
  it('are initiated with every option', async () => {
    const other = await h.worker({ workflowsPath });
    h.background(other);
    const workflowId = `child-${randomUUID()}`;
    const handle = await h.start(worker, 'startsChild', [
      {
        workflowId,
        taskQueue: other.options.taskQueue,
        workflowExecutionTimeout: '50s',
        workflowRunTimeout: '40s',
        workflowTaskTimeout: '8s',
        parentClosePolicy: 'REQUEST_CANCEL',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        retry: { maximumAttempts: 3, initialInterval: '2s' },
        memo: { note: 'to self' },
        staticSummary: 'a summary',
        staticDetails: 'some details',
        priority: { priorityKey: 4 },
        cancellationType: 'TRY_CANCEL',
        versioningIntent: 'DEFAULT',
      },
    ]);
    expect(await handle.result()).toEqual({
      value: 'a value',
      parent: { workflowId: handle.workflowId, runId: handle.firstExecutionRunId, namespace: 'default' },
      root: { workflowId: handle.workflowId, runId: handle.firstExecutionRunId },
      taskQueue: other.options.taskQueue,
      workflowId,
      memo: { note: 'to self' },
      priority: { priorityKey: 4 },
      searchAttributes: [{ key: { name: 'TestKeyword', type: 'KEYWORD' }, value: 'of the child' }],
    });
    const [event] = await eventsOfType(handle, 'StartChildWorkflowExecutionInitiated');
    expect(attributesOfEvent(event!)).toMatchObject({
      namespace: 'default',
      workflowId,
      workflowType: { name: 'child' },
      taskQueue: { name: other.options.taskQueue },
      input: { payloads: ['a value'] },
      workflowExecutionTimeout: 50_000,
      workflowRunTimeout: 40_000,
      workflowTaskTimeout: 8000,
      parentClosePolicy: 3,
      workflowIdReusePolicy: 3,
      retryPolicy: { maximumAttempts: 3, initialInterval: 2000 },
      memo: { fields: { note: 'to self' } },
      searchAttributes: { indexedFields: { TestKeyword: 'of the child' } },
      summary: 'a summary',
      details: 'some details',
      priority: { priorityKey: 4 },
    });
    expect(await attributesOf(handle, 'ChildWorkflowExecutionCompleted')).toMatchObject([
      {
        workflowExecution: { workflowId },
        workflowType: { name: 'child' },
        initiatedEventId: plain(event!.eventId),
      },
    ]);
  });

  it('on a schedule have it in the event', async () => {
    const handle = await h.start(worker, 'startsChild', [
      {
        cronSchedule: '0 0 1 1 *',
        workflowId: `cron-${randomUUID()}`,
        parentClosePolicy: 'TERMINATE',
        versioningIntent: 'COMPATIBLE',
      },
    ]);
    await until(
      async () => (await eventNames(handle)).includes('ChildWorkflowExecutionStarted'),
      'the child is started',
    );
    const [initiated] = await attributesOf(handle, 'StartChildWorkflowExecutionInitiated');
    expect(initiated).toMatchObject({
      cronSchedule: '0 0 1 1 *',
      parentClosePolicy: 1,
      inheritBuildId: true,
    });
    await handle.terminate();
  });

  it('are told apart by id: the second start is an error of a type of its own', async () => {
    const workflowId = `twice-${randomUUID()}`;
    const handle = await h.start(worker, 'startsTwice', [workflowId]);
    expect(await handle.result()).toBe('WorkflowExecutionAlreadyStartedError true');
    expect(await attributesOf(handle, 'StartChildWorkflowExecutionFailed')).toMatchObject([
      { workflowId, cause: 1 },
    ]);
  });

  it('end, go on or are cancelled with their parent, by the policy', async () => {
    const handle = await h.start(worker, 'leavesChildren');
    await handle.result();
    const child = (policy: string) => h.client.workflow.getHandle(`${handle.workflowId}-${policy}`);
    expect((await rejection(child('TERMINATE').result())).cause.name).toBe('TerminatedFailure');
    expect((await rejection(child('REQUEST_CANCEL').result())).cause).toBeInstanceOf(CancelledFailure);
    expect((await child('ABANDON').describe()).status.name).toBe('RUNNING');
    expect(await attributesOf(handle, 'StartChildWorkflowExecutionInitiated')).toMatchObject([
      { parentClosePolicy: 1 },
      { parentClosePolicy: 2 },
      { parentClosePolicy: 3 },
    ]);
    await child('ABANDON').terminate();
  });

  it.each([
    ['ABANDON', [], 'cancelled'],
    ['TRY_CANCEL', ['RequestCancelExternalWorkflowExecutionInitiated'], 'cancelled'],
    [
      'WAIT_CANCELLATION_REQUESTED',
      // The core knows no difference to the next one (temporalio-sdk-core 0.10).
      [
        'RequestCancelExternalWorkflowExecutionInitiated',
        'ExternalWorkflowExecutionCancelRequested',
        'ChildWorkflowExecutionCanceled',
      ],
      'cancelled',
    ],
    [
      'WAIT_CANCELLATION_COMPLETED',
      [
        'RequestCancelExternalWorkflowExecutionInitiated',
        'ExternalWorkflowExecutionCancelRequested',
        'ChildWorkflowExecutionCanceled',
      ],
      'cancelled',
    ],
  ] as const)('are cancelled by %s', async (cancellationType, events, outcome) => {
    const handle = await h.start(worker, 'cancelsChild', [cancellationType]);
    if (cancellationType.startsWith('WAIT')) {
      await until(
        async () => (await eventNames(handle)).includes('ExternalWorkflowExecutionCancelRequested'),
        'the child is asked',
      );
      await h.client.workflow.getHandle(`${handle.workflowId}-child`).signal('end');
    }
    expect(await handle.result()).toMatchObject({ outcome });
    const names = await eventNames(handle);
    expect(names.filter((name) => name.includes('Cancel') && !name.startsWith('WorkflowExecution'))).toEqual(
      events,
    );
  });
});

it('other workflows are signalled and cancelled by id and run', async () => {
  const target = await h.start(worker, 'collects');
  const { workflowId, firstExecutionRunId: runId } = target;
  const handle = await h.start(worker, 'reachesOut', [workflowId, runId]);
  await handle.result();
  expect(await target.result()).toEqual([
    ['a', 1],
    ['b', 2],
  ]);
  expect(await attributesOf(handle, 'SignalExternalWorkflowExecutionInitiated')).toMatchObject([
    {
      namespace: 'default',
      workflowExecution: { workflowId, runId },
      signalName: 'news',
      input: { payloads: ['a', 1] },
    },
    { workflowExecution: { workflowId, runId }, signalName: 'news', input: { payloads: ['b', 2] } },
  ]);
  expect(await attributesOf(handle, 'RequestCancelExternalWorkflowExecutionInitiated')).toMatchObject([
    { namespace: 'default', workflowExecution: { workflowId, runId } },
  ]);
  expect(await attributesOf(target, 'WorkflowExecutionCancelRequested')).toMatchObject([
    { externalWorkflowExecution: { workflowId: handle.workflowId } },
  ]);
});

it('a run continues as new with every option', async () => {
  const other = await h.worker({ workflowsPath });
  h.background(other);
  const options = {
    taskQueue: other.options.taskQueue,
    workflowRunTimeout: '40s',
    workflowTaskTimeout: '8s',
    memo: { note: 'to my next run' },
    backoffStartInterval: '1s',
  };
  const handle = await h.start(worker, 'continues', [options, 1], { memo: { note: 'first', old: true } });
  expect(await handle.result()).toEqual({
    memo: { note: 'to my next run' },
    searchAttributes: [{ key: { name: 'TestKeyword', type: 'KEYWORD' }, value: 'of the next' }],
    taskQueue: other.options.taskQueue,
    runTimeoutMs: 40_000,
    taskTimeoutMs: 8000,
    continued: true,
    original: true,
  });
  const first = h.client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId);
  expect(await attributesOf(first, 'WorkflowExecutionContinuedAsNew')).toMatchObject([
    {
      workflowType: { name: 'continues' },
      taskQueue: { name: other.options.taskQueue },
      workflowRunTimeout: 40_000,
      workflowTaskTimeout: 8000,
      backoffStartInterval: 1000,
      memo: { fields: { note: 'to my next run' } },
      searchAttributes: { indexedFields: { TestKeyword: 'of the next' } },
    },
  ]);
});

it('memo and search attributes change in events of their own, in both forms, and null takes them away', async () => {
  const handle = await h.start(worker, 'describesItself', [], {
    memo: { given: 1, kept: 2 },
    searchAttributes: { TestKeyword: ['at first'] },
  });
  expect(await handle.result()).toEqual([
    { memo: { given: 1, kept: 2 }, typed: 'at first', untyped: ['at first'] },
    { memo: { kept: 2, added: [1, 2] }, typed: 'typed', untyped: ['typed'] },
    { memo: { kept: 2, added: [1, 2] }, typed: 'untyped', untyped: ['untyped'] },
    { memo: { kept: 2, added: 3 } },
  ]);
  expect(await attributesOf(handle, 'WorkflowPropertiesModified')).toMatchObject([
    { upsertedMemo: { fields: { given: null, added: [1, 2] } } },
    { upsertedMemo: { fields: { added: 3 } } },
  ]);
  expect(
    (await attributesOf(handle, 'UpsertWorkflowSearchAttributes')).map(
      ({ searchAttributes }) => searchAttributes?.indexedFields,
    ),
  ).toMatchObject([{ TestKeyword: 'typed' }, { TestKeyword: ['untyped'] }, {}]);
  const description = await handle.describe();
  expect(description.memo).toEqual({ kept: 2, added: 3 });
  expect(description.typedSearchAttributes.getAll().map(({ key }) => key.name)).toEqual(['BuildIds']);
});

it('a run knows everything about itself that the server knows', async () => {
  const handle = await h.start(worker, 'knowsItself', [], {
    workflowExecutionTimeout: '50s',
    workflowRunTimeout: '40s',
    workflowTaskTimeout: '8s',
    retry: { maximumAttempts: 2, initialInterval: '3s', maximumInterval: '9s', backoffCoefficient: 1.5 },
    memo: { note: 1 },
    searchAttributes: { TestKeyword: ['mine'] },
    priority: { priorityKey: 2 },
  });
  const info = (await handle.result()) as Record<string, any>;
  const { workflowId, firstExecutionRunId: runId } = handle;
  // The server may read its clock twice for the start of a run: its answers may lie some milliseconds apart.
  const { startTime } = await handle.describe();
  expect(Math.abs(Date.parse(info.startTime) - startTime.getTime())).toBeLessThan(5000);
  expect(info).toEqual({
    workflowId,
    runId,
    workflowType: 'knowsItself',
    taskQueue: worker.options.taskQueue,
    namespace: 'default',
    firstExecutionRunId: runId,
    originalExecutionRunId: runId,
    attempt: 1,
    cronScheduleToScheduleInterval: 0,
    historyLength: 3,
    historySize: expect.any(Number),
    continueAsNewSuggested: false,
    targetWorkerDeploymentVersionChanged: false,
    startTime: expect.stringMatching(/Z$/),
    runStartTime: expect.stringMatching(/Z$/),
    executionTimeoutMs: 50_000,
    executionExpirationTime: expect.stringMatching(/Z$/),
    runTimeoutMs: 40_000,
    taskTimeoutMs: 8000,
    retryPolicy: {
      maximumAttempts: 2,
      initialInterval: 3000,
      maximumInterval: 9000,
      backoffCoefficient: 1.5,
      nonRetryableErrorTypes: [],
    },
    memo: { note: 1 },
    priority: { priorityKey: 2 },
    currentBuildId: expect.any(String),
    currentDeploymentVersion: { deploymentName: '', buildId: expect.any(String) },
    typed: [{ key: { name: 'TestKeyword', type: 'KEYWORD' }, value: 'mine' }],
    untyped: { TestKeyword: ['mine'] },
    replaying: [false, false],
    clockIsReal: true,
  });
  // The server reads its clock for each of the two, so they may lie some milliseconds further apart.
  const lifetimeMs = Date.parse(info.executionExpirationTime) - Date.parse(info.startTime);
  expect(lifetimeMs).toBeGreaterThanOrEqual(49_900);
  expect(lifetimeMs).toBeLessThan(55_000);
});

it('errors of classes that the worker names fail the workflow, not its task', async () => {
  const own = await h.worker({
    workflowsPath,
    workflowFailureErrorTypes: { throwsOwnError: ['OfTheWorker'] },
  });
  await own.runUntil(async () => {
    const handle = await h.start(own, 'throwsOwnError');
    expect((await rejection(handle.result())).cause).toMatchObject({
      message: 'named by the worker',
      type: 'OfTheWorker',
    });
    expect(await attributesOf(handle, 'WorkflowExecutionFailed')).toMatchObject([
      { failure: { message: 'named by the worker', applicationFailureInfo: { type: 'OfTheWorker' } } },
    ]);
  });
});

it('every history of this file replays from an empty cache', async () => {
  expect(h.started.length).toBeGreaterThan(10);
  expect(await replayAll(h, { workflowsPath, workflowFailureErrorTypes })).toEqual([]);
});
