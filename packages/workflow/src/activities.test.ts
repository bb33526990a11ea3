import { ActivityFailure, ApplicationFailure, CancelledFailure } from '@perdure/common';
import {
  CancellationScope,
  createActivityHandle,
  createEventGroup,
  proxyActivities,
  proxyLocalActivities,
  sleep,
} from './index';
import { ACTIVITY, job, scenario } from './testing/scenario';

interface Activities {
  greet(name: string): Promise<string>;
  other(): Promise<void>;
}
const { greet, other } = proxyActivities<Activities>({ startToCloseTimeout: '1 minute' });
const scheduled = (seq: number, activityType: string, args: unknown[], more: object = {}) => ({
  scheduleActivity: {
    ...ACTIVITY,
    seq,
    activityId: String(seq),
    activityType,
    ...(args.length > 0 && { arguments: args }),
    ...more,
  },
});

describe('an activity', () => {
  it('is scheduled under its number and gives its result', async () => {
    const s = scenario(async (name: string) => `${await greet(name)}!`);
    expect(await s.commands([job.start(['Ada'])])).toEqual([scheduled(1, 'greet', ['Ada'])]);
    expect(await s.commands([job.activityDone(1, 'Hello Ada')])).toEqual([
      { completeWorkflowExecution: { result: 'Hello Ada!' } },
    ]);
  });

  it('takes every option', async () => {
    const { greet } = proxyActivities<Activities>({
      activityId: 'my-id',
      taskQueue: 'elsewhere',
      heartbeatTimeout: 1000,
      scheduleToCloseTimeout: '3s',
      scheduleToStartTimeout: '2s',
      startToCloseTimeout: '1s',
      cancellationType: 'ABANDON',
      allowEagerDispatch: false,
      summary: 'greets',
      priority: { priorityKey: 2, fairnessKey: 'team', fairnessWeight: 1.5 },
      retry: {
        maximumAttempts: 3,
        initialInterval: '5s',
        backoffCoefficient: 3,
        nonRetryableErrorTypes: ['Bad'],
      },
    });
    const [command] = await scenario(() => greet('x')).commands([job.start()]);
    expect(command).toEqual({
      userMetadata: { summary: 'greets' },
      scheduleActivity: {
        seq: 1,
        activityId: 'my-id',
        activityType: 'greet',
        taskQueue: 'elsewhere',
        arguments: ['x'],
        heartbeatTimeout: 1000,
        scheduleToCloseTimeout: 3000,
        scheduleToStartTimeout: 2000,
        startToCloseTimeout: 1000,
        cancellationType: 2,
        doNotEagerlyExecute: true,
        priority: { priorityKey: 2, fairnessKey: 'team', fairnessWeight: 1.5 },
        retryPolicy: {
          maximumAttempts: 3,
          initialInterval: 5000,
          backoffCoefficient: 3,
          nonRetryableErrorTypes: ['Bad'],
        },
      },
    });
  });

  it('takes options for one call on top of those of the proxy', async () => {
    const s = scenario(() => greet.executeWithOptions({ summary: 'once', startToCloseTimeout: '2s' }, ['y']));
    expect(await s.commands([job.start()])).toEqual([
      { userMetadata: { summary: 'once' }, ...scheduled(1, 'greet', ['y'], { startToCloseTimeout: 2000 }) },
    ]);
  });

  it('takes options for one call field by field where they are objects: what the call does not name stays', async () => {
    const base = {
      startToCloseTimeout: '1s',
      retry: { initialInterval: '5s', maximumAttempts: 3, nonRetryableErrorTypes: ['Bad', 'Worse'] },
      priority: { priorityKey: 2 },
    } as const;
    const over = {
      retry: { maximumAttempts: 1, nonRetryableErrorTypes: ['Other'] },
      priority: { fairnessKey: 'team' },
    };
    const retryPolicy = { initialInterval: 5000, maximumAttempts: 1, nonRetryableErrorTypes: ['Other'] };
    const s = scenario(async () => {
      const remote = proxyActivities<Activities>(base as any).greet;
      const local = proxyLocalActivities<Activities>(base as any).greet;
      const { priority: _, ...localOver } = over;
      await Promise.all([
        remote.executeWithOptions(over, ['x']),
        local.executeWithOptions(localOver, ['y']),
        remote('z'),
      ]);
    });
    expect(await s.commands([job.start()])).toMatchObject([
      { scheduleActivity: { retryPolicy, priority: { priorityKey: 2, fairnessKey: 'team' } } },
      { scheduleLocalActivity: { retryPolicy } },
      { scheduleActivity: { retryPolicy: { maximumAttempts: 3 }, priority: { priorityKey: 2 } } },
    ]);
  });

  it('rejects with an ActivityFailure whose cause is what went wrong', async () => {
    const s = scenario(async () => {
      try {
        await greet('x');
      } catch (error) {
        const failure = error as ActivityFailure;
        const cause = failure.cause as ApplicationFailure;
        return [failure instanceof ActivityFailure, failure.activityType, cause.type, cause.message];
      }
    });
    await s.commands([job.start()]);
    const cause = ApplicationFailure.nonRetryable('no', 'Refused');
    const failure = new ActivityFailure(
      'activity failed',
      'greet',
      '1',
      'NON_RETRYABLE_FAILURE',
      'me',
      cause,
    );
    expect(await s.commands([job.activityFailed(1, failure)])).toEqual([
      { completeWorkflowExecution: { result: [true, 'greet', 'Refused', 'no'] } },
    ]);
  });

  it('fails the workflow when its failure is not caught', async () => {
    const s = scenario(() => greet('x'));
    await s.commands([job.start()]);
    const [command] = await s.commands([
      job.activityFailed(1, new ActivityFailure('activity failed', 'greet', '1', 'TIMEOUT', 'me')),
    ]);
    expect(command.failWorkflowExecution.failure).toMatchObject({ message: 'activity failed' });
  });

  it('is asked to cancel with its scope, and rejects when the core says it is cancelled', async () => {
    const s = scenario(async () => {
      const scope = new CancellationScope();
      const call = scope.run(() => greet('x'));
      await sleep(1);
      scope.cancel();
      return call.catch((error) => (error.cause as Error).message);
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([{ requestCancelActivity: { seq: 1 } }]);
    const cancelled = new ActivityFailure(
      'x',
      'greet',
      '1',
      'CANCEL_REQUESTED',
      'me',
      new CancelledFailure('stop'),
    );
    expect(await s.commands([job.activityCancelled(1, cancelled)])).toEqual([
      { completeWorkflowExecution: { result: 'stop' } },
    ]);
  });

  it('is not asked to cancel once it has been resolved', async () => {
    const s = scenario(async () => {
      const scope = new CancellationScope();
      await scope.run(() => greet('x'));
      scope.cancel();
      await sleep(1);
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.activityDone(1, 'v')])).toEqual([
      { startTimer: { seq: 1, startToFireTimeout: 1 } },
    ]);
  });

  it('is cancelled by TRY_CANCEL unless another type is given, and records no flag for it', async () => {
    const live = await scenario(() => greet('x')).activate([job.start()]);
    expect(live.commands![0].scheduleActivity.cancellationType).toBeUndefined(); // 0, TRY_CANCEL
    expect(live.flags).toEqual([]);
    const { greet: patient } = proxyActivities<Activities>({
      startToCloseTimeout: 1000,
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    });
    const [waiting] = await scenario(() => patient('x')).commands([job.start()]);
    expect(waiting.scheduleActivity.cancellationType).toBe(1);
  });

  it('rejects, and fails the task, when an argument cannot be serialised', async () => {
    const loop: any = {};
    loop.self = loop;
    const outcome = await scenario(() => greet(loop)).activate([job.start()]);
    expect(outcome.failed).toMatch(/Unable to convert/);
  });

  it('keeps numbers and ids in the order of the calls', async () => {
    const s = scenario(async () => {
      await Promise.all([greet('a'), other(), greet('b')]);
    });
    expect(await s.commands([job.start()])).toEqual([
      scheduled(1, 'greet', ['a']),
      scheduled(2, 'other', []),
      scheduled(3, 'greet', ['b']),
    ]);
    expect(await s.commands([job.activityDone(3), job.activityDone(1)])).toEqual([]);
    expect(await s.commands([job.activityDone(2)])).toEqual([{ completeWorkflowExecution: {} }]);
  });
});

describe('createActivityHandle', () => {
  it('is proxyActivities under its older name', async () => {
    const handle = createActivityHandle<Activities>({ startToCloseTimeout: '1 minute' });
    expect(await scenario(() => handle.greet('x')).commands([job.start()])).toEqual([
      scheduled(1, 'greet', ['x']),
    ]);
  });
});

describe('proxyActivities', () => {
  it('refuses options without a time limit', () => {
    expect(() => proxyActivities({ taskQueue: 'x' })).toThrow(
      /scheduleToCloseTimeout or startToCloseTimeout/,
    );
    expect(() => (proxyActivities as any)()).toThrow(/scheduleToCloseTimeout or startToCloseTimeout/);
    expect(() => proxyLocalActivities({})).toThrow(/scheduleToCloseTimeout or startToCloseTimeout/);
  });

  it('makes activities that throw outside a workflow', () => {
    expect(() => greet('x')).toThrow(/may only be used from a workflow execution/);
  });

  it('can be awaited by mistake, and gives the same function each time', async () => {
    const proxy: any = proxyActivities({ startToCloseTimeout: 1 });
    expect(await proxy).toBe(proxy);
    expect(proxy.a).toBe(proxy.a);
    expect(proxy[Symbol.iterator]).toBeUndefined();
  });
});

describe('a local activity', () => {
  const local = proxyLocalActivities<Activities>({ startToCloseTimeout: '1s', localRetryThreshold: '10s' });
  const scheduledLocal = (seq: number, attempt: number, more: object = {}) => ({
    scheduleLocalActivity: {
      seq,
      activityId: String(seq),
      activityType: 'greet',
      attempt,
      arguments: ['x'],
      startToCloseTimeout: 1000,
      localRetryThreshold: 10_000,
      ...more,
    },
  });

  it('that the worker does not have fails the task, unless it is replayed', async () => {
    const options = { registration: { activityNames: ['other'] } };
    const call = () => scenario(() => local.greet('x'), options);
    expect((await call().activate([job.start()])).failed).toBe(
      'Local activity of type \'greet\' not registered on worker: it has "other"; add it to the activities of the worker ' +
        'that runs the workflow, or call it with proxyActivities()',
    );
    expect(await call().commands([job.start()], { isReplaying: true })).toHaveLength(1);
    const withDefault = { registration: { activityNames: ['default'] } };
    expect(await scenario(() => local.greet('x'), withDefault).commands([job.start()])).toHaveLength(1);
  });

  it('is scheduled and gives its result', async () => {
    const s = scenario(() => local.greet('x'));
    expect(await s.commands([job.start()])).toEqual([scheduledLocal(1, 1)]);
    expect(await s.commands([job.activityDone(1, 'hi')])).toEqual([
      { completeWorkflowExecution: { result: 'hi' } },
    ]);
  });

  it('waits in a timer when the core says so, and goes on with the next attempt', async () => {
    const s = scenario(() => local.greet('x'));
    await s.commands([job.start()]);
    expect(await s.commands([job.activityBackoff(1, 4, 30_000)])).toEqual([
      { startTimer: { seq: 1, startToFireTimeout: 30_000 } },
    ]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([
      scheduledLocal(2, 4, { originalScheduleTime: 77_000 }),
    ]);
    expect(await s.commands([job.activityDone(2, 'late')])).toEqual([
      { completeWorkflowExecution: { result: 'late' } },
    ]);
  });

  it('waits for its next attempt in a timer of its event groups', async () => {
    const s = scenario(() => {
      const eventGroups = [createEventGroup('payments', { id: 'group' })];
      return local.greet.executeWithOptions({ eventGroups }, ['x']);
    });
    await s.commands([job.start()]);
    const marks = { eventGroupMarkers: [{ label: { id: 'group', label: 'payments' } }] };
    expect(await s.commands([job.activityBackoff(1, 4, 30_000)])).toEqual([
      { startTimer: { seq: 1, startToFireTimeout: 30_000 }, ...marks },
    ]);
  });

  it('can be cancelled while it waits for its next attempt', async () => {
    const s = scenario(() => local.greet('x'));
    await s.commands([job.start()]);
    await s.commands([job.activityBackoff(1, 2, 30_000)]);
    expect(await s.commands([job.cancel()])).toEqual([
      { cancelTimer: { seq: 1 } },
      { cancelWorkflowExecution: {} },
    ]);
  });

  it('is asked to cancel with the workflow', async () => {
    const s = scenario(() => local.greet('x'));
    await s.commands([job.start()]);
    expect(await s.commands([job.cancel()])).toEqual([{ requestCancelLocalActivity: { seq: 1 } }]);
  });

  it('shares its numbers with remote activities', async () => {
    const s = scenario(() => Promise.all([greet('a'), local.greet('x'), other()]));
    const commands = await s.commands([job.start()]);
    expect(commands.map((c) => (c.scheduleActivity ?? c.scheduleLocalActivity).seq)).toEqual([1, 2, 3]);
  });
});
