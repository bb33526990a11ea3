/** Messages, scopes, replay, interceptors and versions on a real server, with what each leaves in the history. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { WithStartWorkflowOperation, WorkflowUpdateFailedError } from '@perdure/client';
import { CancelledFailure, HandlerUnfinishedPolicy } from '@perdure/common';
import type { Worker } from '@perdure/worker';
import { SinkDispatcher } from '@perdure/worker/lib/sinks';
import {
  eventNames,
  eventually,
  harness,
  makeVersionCurrent,
  rejection,
  replayAll,
  until,
  workflowsDir,
} from './support/harness';
import { attributesOf } from './support/plain';

const h = harness();
const workflowsPath = join(workflowsDir, 'messages.ts');
const activities = { echo: async (value: unknown) => value };
let worker: Worker;

beforeAll(async () => {
  worker = await h.worker({ workflowsPath, activities });
  h.background(worker);
});

const warnings = (workflowId: string) =>
  h.log.lines.filter(({ level, meta }) => level === 'WARN' && meta.workflowId === workflowId);

describe('signals', () => {
  it('wait for their handler, in the order in which they came', async () => {
    const options = { taskQueue: worker.options.taskQueue, workflowId: `late-${randomUUID()}` };
    const handle = await h.client.workflow.signalWithStart('late', {
      ...options,
      signal: 'add',
      signalArgs: ['a'],
    });
    for (const what of ['b', 'c']) await handle.signal('add', what);
    await handle.signal('end');
    expect(await handle.result()).toEqual(['handlers', 'a', 'b', 'c', 'end']);
    expect(await attributesOf(handle, 'WorkflowExecutionSignaled')).toMatchObject([
      { signalName: 'add', input: { payloads: ['a'] } },
      { signalName: 'add', input: { payloads: ['b'] } },
      { signalName: 'add', input: { payloads: ['c'] } },
      { signalName: 'end' },
    ]);
  });
});

describe('updates', () => {
  it('know themselves in validator and handler, through what they await, and nowhere else', async () => {
    const handle = await h.start(worker, 'updatable');
    expect(await handle.query('seen')).toEqual(['main null']); // its first task is done
    const update = handle.executeUpdate('change', { updateId: 'one', args: ['it'] });
    expect(await update).toBe('changed it');
    const refused = await rejection(handle.executeUpdate('change', { updateId: 'two', args: ['refused'] }));
    expect(refused).toBeInstanceOf(WorkflowUpdateFailedError);
    expect(refused.cause.message).toBe('refused {"id":"two","name":"change"}');
    await handle.signal('end');
    expect(await handle.result()).toEqual([
      'main null',
      'handler {"id":"one","name":"change"}',
      'later {"id":"one","name":"change"}',
      'signal null',
    ]);
    expect(await attributesOf(handle, 'WorkflowExecutionUpdateAccepted')).toMatchObject([
      {
        protocolInstanceId: 'one',
        acceptedRequest: { meta: { updateId: 'one' }, input: { name: 'change', args: { payloads: ['it'] } } },
      },
    ]);
    expect(await attributesOf(handle, 'WorkflowExecutionUpdateCompleted')).toMatchObject([
      { meta: { updateId: 'one' }, outcome: { success: { payloads: ['changed it'] } } },
    ]);
  });

  it('that start their workflow come before what it does, and signals before updates', async () => {
    const startWorkflowOperation = new WithStartWorkflowOperation('updatable', {
      taskQueue: worker.options.taskQueue,
      workflowId: `uws-${randomUUID()}`,
      workflowIdConflictPolicy: 'FAIL',
    });
    await h.client.workflow.executeUpdateWithStart('change', {
      startWorkflowOperation,
      args: ['at once'],
      updateId: 'first',
    });
    const handle = await startWorkflowOperation.workflowHandle();
    await handle.signal('end');
    expect(await handle.result()).toEqual([
      'handler {"id":"first","name":"change"}',
      'main null',
      'later {"id":"first","name":"change"}',
      'signal null',
    ]);
  });
});

it('handlers can be replaced and removed', async () => {
  const handle = await h.start(worker, 'changesHandlers');
  expect(await handle.query('seen')).toEqual(['first']);
  await handle.signal('add', 'replace');
  expect(await handle.query('seen')).toEqual(['second', 'replace']);
  await handle.signal('add', 'remove');
  expect((await rejection(handle.query('seen'))).message).toMatch(
    /did not register a handler for seen.*call setHandler\(\)/,
  );
  await handle.signal('add', 'end');
  await handle.result();
});

describe('handlers that still run when the workflow ends', () => {
  it.each([
    ['are warned of', undefined, 2],
    ['are warned of by that policy', HandlerUnfinishedPolicy.WARN_AND_ABANDON, 2],
    ['are abandoned without a word by the other', HandlerUnfinishedPolicy.ABANDON, 0],
  ] as const)('%s', async (_, policy, count) => {
    const handle = await h.start(worker, 'leaves', [policy]);
    await handle.signal('add', 'for ever');
    const update = await handle.startUpdate('slow', {
      updateId: 'left-over',
      args: ['for ever'],
      waitForStage: 'ACCEPTED',
    });
    await handle.signal('end');
    expect(await handle.result()).toBe('left');
    const lost = await rejection(update.result());
    expect(lost.cause ?? lost).toMatchObject({ type: 'AcceptedUpdateCompletedWorkflow' });
    if (count > 0) await until(() => warnings(handle.workflowId).length >= count, 'the warnings are logged');
    const [ofUpdates, ofSignals, ...others] = warnings(handle.workflowId);
    expect(others).toEqual([]);
    expect([ofUpdates, ofSignals].filter(Boolean)).toHaveLength(count);
    if (count === 0) return;
    expect(ofUpdates?.message).toMatch(/\[TMPRL1102\].*update handlers.*allHandlersFinished/);
    expect(ofUpdates?.meta.updateHandlers).toEqual([{ name: 'slow', id: 'left-over' }]);
    expect(ofSignals?.message).toMatch(/\[TMPRL1102\].*signal handlers/);
    expect(ofSignals?.meta.signalHandlers).toEqual([{ name: 'add' }]);
  });
});

describe('cancellation scopes', () => {
  it('are kept through everything that workflow code can wait for', async () => {
    const same = await h.execute(worker, 'scopesThroughEverything');
    expect(Object.keys(same)).toHaveLength(10);
    expect(Object.entries(same).filter(([, kept]) => !kept)).toEqual([]);
  });

  it('time out, shield, tell and clean up, with the values of AsyncLocalStorage', async () => {
    const handle = await h.start(worker, 'scopes');
    await until(
      async () => (await eventNames(handle)).filter((name) => name === 'TimerStarted').length >= 4,
      'it waits for what never comes',
    );
    await handle.cancel();
    expect(await handle.result()).toEqual([
      'timeout true undefined',
      'asked true undefined',
      'both true undefined',
      'shielded kept',
      'done',
    ]);
    expect(await attributesOf(handle, 'TimerCanceled')).toMatchObject([
      { timerId: '2' },
      { timerId: '3' },
      { timerId: '4' },
    ]);
    const names = await eventNames(handle);
    expect(names.indexOf('WorkflowExecutionCancelRequested')).toBeLessThan(
      names.lastIndexOf('ActivityTaskScheduled'),
    );
    expect(names.at(-1)).toBe('WorkflowExecutionCompleted');
    // Behaviour that could change later is recorded where the run first depends on it (flags.ts).
    const flags = (await attributesOf(handle, 'WorkflowTaskCompleted')).flatMap(
      ({ sdkMetadata }) => sdkMetadata?.langUsedFlags ?? [],
    );
    expect(flags).toEqual([1]);
  });
});

it('what a run draws is the same on each replay; lines, metrics and sinks come once, unless a sink asks for more', async () => {
  const calls: string[] = [];
  const sink = (name: string, callDuringReplay: boolean) => ({
    fn: (_: unknown, what: string) => void calls.push(`${name} ${what}`),
    callDuringReplay,
  });
  const crossed = jest.spyOn(SinkDispatcher.prototype, 'call');
  const own = await h.worker({
    workflowsPath,
    activities,
    maxCachedWorkflows: 0,
    sinks: { audit: { once: sink('once', false), always: sink('always', true) } },
  });
  const handle = await own.runUntil(async () => {
    const started = await h.start(own, 'replayed');
    const result = (await started.result()) as unknown[][];
    expect(await started.query('drawn')).toEqual(result);
    expect(new Set(result.flatMap(([, ...rest]) => rest)).size).toBe(9);
    return started;
  });
  const rounds = ['round 0', 'round 1', 'round 2'];
  const metrics = () => crossed.mock.calls.filter(([{ sink }]) => sink === '__temporal_metrics').length;
  const lines = () =>
    h.log.lines
      .filter(({ meta, message }) => meta.workflowId === handle.workflowId && message.startsWith('round'))
      .map(({ message }) => message);
  await eventually(() => {
    expect(calls.filter((call) => call.startsWith('once'))).toEqual(rounds.map((round) => `once ${round}`));
    expect(calls.filter((call) => call === 'always round 0').length).toBeGreaterThan(2);
    expect(metrics()).toBe(3);
    expect(lines()).toEqual(rounds);
  });
  crossed.mockRestore();
});

it('interceptors of every method are called, and their headers are in the history', async () => {
  const noted: string[] = [];
  const own = await h.worker({
    workflowsPath,
    activities,
    interceptors: { workflowModules: [join(workflowsDir, 'every-interceptor.ts')] },
    sinks: {
      noted: {
        call: { fn: (_: unknown, method: string) => void noted.push(method), callDuringReplay: true },
      },
    },
  });
  const crossed = jest.spyOn(SinkDispatcher.prototype, 'call');
  const handle = await own.runUntil(async () => {
    const target = await h.start(worker, 'late');
    const started = await h.start(own, 'everything', [target.workflowId]);
    expect(await started.query('seen')).toEqual(['answer']);
    expect(await started.executeUpdate('change', { args: ['it'] })).toBe('it');
    await started.signal('end');
    expect(await started.result()).toBe('both rounds');
    await target.signal('end');
    expect(await target.result()).toEqual(['handlers', 'round 0', 'round 1', 'end']);
    return started;
  });
  await eventually(() => {
    expect(new Set(noted)).toEqual(
      new Set([
        'execute',
        'handleSignal',
        'handleQuery',
        'handleUpdate',
        'validateUpdate',
        'startTimer',
        'scheduleActivity',
        'scheduleLocalActivity',
        'startChildWorkflowExecution',
        'signalWorkflow',
        'continueAsNew',
        'activate',
        'concludeActivation',
      ]),
    );
    const metric = crossed.mock.calls.find(([{ sink }]) => sink === '__temporal_metrics');
    expect(metric?.[0].args[2]).toMatchObject({ workflowType: 'everything', extra: 'tag' });
    const line = h.log.lines.find(
      ({ message, meta }) => message === 'logged' && meta.workflowId === handle.workflowId,
    );
    expect(line?.meta.extra).toBe('field');
  });
  crossed.mockRestore();
  const first = h.client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId);
  for (const [type, mark] of [
    ['ActivityTaskScheduled', 'scheduleActivity'],
    ['StartChildWorkflowExecutionInitiated', 'startChildWorkflowExecution'],
    ['SignalExternalWorkflowExecutionInitiated', 'signalWorkflow'],
    ['WorkflowExecutionContinuedAsNew', 'continueAsNew'],
  ] as const) {
    const [attributes] = await attributesOf(first, type);
    expect([type, attributes.header?.fields]).toEqual([type, { mark }]);
  }
});

describe('in the history', () => {
  it('workflow tasks of versioned workers say how the workflow is versioned', async () => {
    const deploymentName = `deployment-${randomUUID()}`;
    const version = { deploymentName, buildId: 'build-1' };
    const own = await h.worker({
      workflowsPath,
      activities,
      workerDeploymentOptions: { version, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' },
    });
    await own.runUntil(async () => {
      await makeVersionCurrent(h, version);
      const handle = await h.start(own, 'pinnedByDefault');
      expect(await handle.result()).toBe(`${deploymentName} build-1`);
      const [{ versioningBehavior, deploymentVersion }] = await attributesOf(handle, 'WorkflowTaskCompleted');
      expect([versioningBehavior, deploymentVersion]).toEqual([1, version]);
      const [{ workflowExecution }] = await attributesOf(handle, 'ChildWorkflowExecutionCompleted');
      const child = h.client.workflow.getHandle(workflowExecution.workflowId);
      const [completed] = await attributesOf(child, 'WorkflowTaskCompleted');
      expect([completed.versioningBehavior, completed.deploymentVersion]).toEqual([2, version]);
    });
  });
});

it('a cancelled workflow is cancelled in the history too', async () => {
  const handle = await h.start(worker, 'late');
  await handle.cancel();
  expect((await rejection(handle.result())).cause).toBeInstanceOf(CancelledFailure);
  expect(await attributesOf(handle, 'WorkflowExecutionCancelRequested')).toHaveLength(1);
  expect(await attributesOf(handle, 'WorkflowExecutionCanceled')).toHaveLength(1);
});

it('every history of this file replays from an empty cache', async () => {
  expect(h.started.length).toBeGreaterThan(10);
  expect(await replayAll(h, { workflowsPath })).toEqual([]);
});
