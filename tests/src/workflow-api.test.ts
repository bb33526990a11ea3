/** More of the workflow API on a real server: every test looks at the history that the feature leaves. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { WithStartWorkflowOperation, WorkflowFailedError } from '@perdure/client';
import { hasCode } from '@perdure/common';
import type { Worker } from '@perdure/worker';
import * as workflow from '@perdure/workflow';
import { eventNames, eventsOfType, harness, rejection, until, workflowsDir } from './support/harness';

const h = harness();
let worker: Worker;
let failures = 0;
const activities = {
  echo: async (value: unknown) => value,
  failsOnce: async () => {
    if (failures++ === 0) throw new Error('the first time');
    return 'the second time';
  },
};

beforeAll(async () => {
  worker = await h.worker({ workflowsPath: join(workflowsDir, 'api.ts'), activities });
  h.background(worker);
});

it('records local activities as markers, and waits between attempts in a timer', async () => {
  const handle = await h.start(worker, 'localActivities');
  expect(await handle.result()).toEqual(['one', 'two', 'three', 'the second time']);
  const markers = await eventsOfType(handle, 'MarkerRecorded');
  expect(markers.map((event) => event.markerRecordedEventAttributes?.markerName)).toEqual(
    Array(5).fill('core_local_activity'),
  );
  expect(await eventsOfType(handle, 'TimerStarted')).toHaveLength(1);
  expect(await eventsOfType(handle, 'ActivityTaskScheduled')).toHaveLength(0);
});

it('hands every name to the default handlers', async () => {
  const handle = await h.start(worker, 'everyName');
  await handle.signal('unheard', 1, 2);
  expect(await handle.query('asked', 3)).toBe('query asked 3');
  expect(await handle.executeUpdate('changed', { args: [4] })).toBe(2);
  expect(await handle.result()).toEqual(['signal unheard 1,2', 'update changed 4']);
});

it('marks what the handler of an update commands with the update', async () => {
  const handle = await h.start(worker, 'everyName');
  await handle.executeUpdate('changed', { updateId: 'the-update', args: [1] });
  await handle.signal('end');
  await handle.result();
  const [scheduled] = await eventsOfType(handle, 'ActivityTaskScheduled');
  expect(scheduled?.eventGroupMarkers ?? []).toMatchObject([
    { inboundUpdate: { inboundUpdateId: 'the-update' } },
  ]);
});

it('starts a workflow with an update, whose handler the workflow sets first', async () => {
  const startWorkflowOperation = new WithStartWorkflowOperation('greeter', {
    taskQueue: worker.options.taskQueue,
    workflowId: `greeter-${randomUUID()}`,
    args: ['Hello'],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  const answer = await h.client.workflow.executeUpdateWithStart('greeting', {
    startWorkflowOperation,
    args: ['Ada'],
  });
  expect(answer).toBe('Hello 1 Ada');
  const handle = await startWorkflowOperation.workflowHandle();
  const refused = await rejection(handle.executeUpdate('greeting', { args: [''] }));
  expect(refused.cause).toMatchObject({ message: 'no name', type: 'NoName' });
  await handle.signal('close');
  expect(await handle.result()).toBe('Ada');
  expect(await eventsOfType(handle as never, 'WorkflowExecutionUpdateAccepted')).toHaveLength(1);
});

it('describes itself to user interfaces', async () => {
  const handle = await h.start(worker, 'greeter', ['Hi']);
  const metadata = await handle.query<any, []>('__temporal_workflow_metadata');
  expect(metadata).toMatchObject({
    definition: {
      type: 'greeter',
      signalDefinitions: [{ name: 'close', description: 'ends it' }],
      updateDefinitions: [{ name: 'greeting', description: 'greets' }],
    },
    currentDetails: 'waits for names',
  });
  expect(metadata.definition.queryDefinitions).toContainEqual({ name: 'state', description: 'names' });
  await handle.terminate();
});

it('keeps the values of AsyncLocalStorage through timers and activities', async () => {
  expect(await h.execute(worker, 'contexts')).toEqual(['aa', 'bb', true, true]);
});

it('records each patch once, and whether it is deprecated', async () => {
  const handle = await h.start(worker, 'versions');
  expect(await handle.result()).toEqual([true, true]);
  const markers = await eventsOfType(handle, 'MarkerRecorded');
  const details = markers.map((event) =>
    JSON.parse(
      Buffer.from(
        event.markerRecordedEventAttributes?.details?.['patch-data']?.payloads?.[0]?.data ?? [],
      ).toString(),
    ),
  );
  expect(details).toEqual([
    { id: 'old', deprecated: true },
    { id: 'new', deprecated: false },
  ]);
});

it('fails the workflow for errors of classes that its options name', async () => {
  const error = await rejection(h.execute(worker, 'refuses'));
  expect(error).toBeInstanceOf(WorkflowFailedError);
  expect(error.cause.message).toBe('by its own options');
});

it('runs types without a workflow of their own in the default one', async () => {
  expect(await h.execute(worker, 'of no such type', [1, 2])).toBe('of no such type got 2');
});

it('calls interceptors of every kind', async () => {
  const own = await h.worker({
    workflowsPath: join(workflowsDir, 'api.ts'),
    activities,
    interceptors: { workflowModules: [join(workflowsDir, 'api-interceptors.ts')] },
  });
  const { result, seen } = await own.runUntil(() => h.execute(own, 'intercepted'));
  expect(result).toEqual(['through!', 36]);
  expect(seen).toEqual(['activation 0', 'timer 1', 'activation 0', 'activity echo', 'activation 0']);
});

describe('mistakes', () => {
  it.each<[string, () => unknown]>([
    ['sleep', () => workflow.sleep(1)],
    ['an activity', () => workflow.proxyActivities<any>({ startToCloseTimeout: 1 }).act()],
    ['workflowInfo', () => workflow.workflowInfo()],
    ['condition', () => workflow.condition(() => true)],
    ['setHandler', () => workflow.setHandler(workflow.defineSignal('s'), () => undefined)],
    ['a child', () => workflow.startChild('child')],
  ])('%s outside a workflow is refused with a code', async (_, call) => {
    const error = await rejection(Promise.resolve().then(call));
    expect(hasCode(error, 'ILLEGAL_STATE')).toBe(true);
    expect(error.message).toMatch(/[Ww]orkflow/);
  });

  it('a local activity that the worker does not have fails the task', async () => {
    const handle = await h.start(worker, 'missing');
    await until(
      async () => (await eventsOfType(handle, 'WorkflowTaskFailed')).length > 0,
      'the task has failed',
    );
    const [failed] = await eventsOfType(handle, 'WorkflowTaskFailed');
    expect(failed?.workflowTaskFailedEventAttributes?.failure?.message).toMatch(/'absent' not registered/);
    await handle.terminate();
  });

  it('a reserved name is refused', async () => {
    const handle = await h.start(worker, 'everyName');
    await handle.signal('__temporal_secret');
    await until(
      async () => (await eventsOfType(handle, 'WorkflowTaskFailed')).length > 0,
      'the task has failed',
    );
    const [failed] = await eventsOfType(handle, 'WorkflowTaskFailed');
    expect(failed?.workflowTaskFailedEventAttributes?.failure?.message).toMatch(
      /__temporal_secret.*reserved/,
    );
    expect((await eventNames(handle)).at(-1)).toBe('WorkflowExecutionSignaled');
    await handle.terminate();
  });
});
