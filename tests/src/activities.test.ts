/** Activities called by workflows, on a real server, with the histories they leave. */
import { join } from 'node:path';
import {
  ApplicationFailure,
  activityInfo,
  CompleteAsyncError,
  Context,
  heartbeat,
  log,
  sleep,
} from '@perdure/activity';
import { defaultPayloadConverter, msToTs } from '@perdure/common';
import type { Worker } from '@perdure/worker';
import { eventNames, eventsOfType, harness, until, workflowsDir } from './support/harness';

const h = harness();
const workflowsPath = join(workflowsDir, 'activities.ts');

function withWorker(activities: object, test: (worker: Worker) => Promise<void>, options: object = {}) {
  return async () => {
    const worker = await h.worker({ workflowsPath, activities, ...options });
    await worker.runUntil(() => test(worker));
    expect(worker.getState()).toBe('STOPPED');
  };
}

it(
  'runs an activity and leaves the events of one',
  withWorker({ greet: async (name: string) => `hello, ${name}` }, async (worker) => {
    const handle = await h.start(worker, 'greetOnce', ['you']);
    expect(await handle.result()).toBe('hello, you');
    expect(await eventNames(handle)).toEqual([
      'WorkflowExecutionStarted',
      'ActivityTaskScheduled',
      'ActivityTaskStarted',
      'ActivityTaskCompleted',
      'WorkflowExecutionCompleted',
    ]);
  }),
);

it('runs many activities of one workflow side by side', () => {
  const running = new Set<string>();
  let allRun!: () => void;
  const together = new Promise<void>((resolve) => {
    allRun = resolve;
  });
  // None ends before all of them run.
  const greet = async (name: string) => {
    if (running.add(name).size === 20) allRun();
    await together;
    return name;
  };
  return withWorker({ greet }, async (worker) => {
    expect(await h.execute(worker, 'greetMany', [20])).toEqual(
      Array.from({ length: 20 }, (_, i) => `nr ${i}`),
    );
  })();
});

it(
  'tells server and activity every option of the call',
  withWorker(
    {
      describe: async () => {
        const {
          activityId,
          heartbeatTimeoutMs,
          startToCloseTimeoutMs,
          retryPolicy,
          attempt,
          isLocal,
          priority,
        } = activityInfo();
        return {
          activityId,
          heartbeatTimeoutMs,
          startToCloseTimeoutMs,
          retryPolicy,
          attempt,
          isLocal,
          priority,
        };
      },
    },
    async (worker) => {
      const handle = await h.start(worker, 'allOptions');
      expect(await handle.result()).toMatchObject({
        activityId: 'chosen-id',
        heartbeatTimeoutMs: 50_000,
        startToCloseTimeoutMs: 61_000,
        attempt: 1,
        isLocal: false,
        priority: { priorityKey: 1 },
        retryPolicy: {
          initialInterval: 2000,
          backoffCoefficient: 3,
          maximumInterval: 9000,
          maximumAttempts: 4,
          nonRetryableErrorTypes: ['Fatal'],
        },
      });
      const [scheduled] = await eventsOfType(handle, 'ActivityTaskScheduled');
      const attributes = scheduled!.activityTaskScheduledEventAttributes!;
      expect(attributes.activityId).toBe('chosen-id');
      expect(attributes.scheduleToStartTimeout?.seconds?.toNumber()).toBe(62);
      expect(attributes.scheduleToCloseTimeout?.seconds?.toNumber()).toBe(63);
      expect(Buffer.from(scheduled!.userMetadata?.summary?.data ?? []).toString()).toBe('"a summary"');
    },
  ),
);

it(
  'tries again until the activity succeeds',
  withWorker(
    {
      failTimes: async (times: number) => {
        if (activityInfo().attempt <= times) throw new Error(`attempt ${activityInfo().attempt}`);
        return `attempt ${activityInfo().attempt}`;
      },
    },
    async (worker) => {
      const handle = await h.start(worker, 'retries', [2]);
      expect(await handle.result()).toBe('attempt 3');
      const [started] = await eventsOfType(handle, 'ActivityTaskStarted');
      expect(started!.activityTaskStartedEventAttributes).toMatchObject({
        attempt: 3,
        lastFailure: { message: 'attempt 2' },
      });
    },
  ),
);

it(
  'ends with the failure that must not be retried, with its type, details and cause',
  withWorker(
    {
      fatal: async () => {
        throw ApplicationFailure.nonRetryable('not again', 'Fatal', { code: 7 });
      },
    },
    async (worker) => {
      const handle = await h.start(worker, 'notRetried');
      expect(await handle.result()).toEqual({
        activityType: 'fatal',
        retryState: 'NON_RETRYABLE_FAILURE',
        causeIsApplicationFailure: true,
        type: 'Fatal',
        message: 'not again',
        details: [{ code: 7 }],
      });
      expect(await eventNames(handle)).toContain('ActivityTaskFailed');
    },
  ),
);

it(
  'times out an activity that takes too long',
  withWorker({ slow: () => sleep('1h') }, async (worker) => {
    const handle = await h.start(worker, 'timesOut');
    expect(await handle.result()).toEqual({ name: 'TimeoutFailure', timeoutType: 'START_TO_CLOSE' });
    expect(await eventNames(handle)).toContain('ActivityTaskTimedOut');
  }),
);

it(
  'gives the next attempt the details of the last heartbeat',
  withWorker(
    {
      beat: async () => {
        const { attempt, heartbeatDetails } = activityInfo();
        if (attempt === 1) {
          heartbeat({ done: 1 });
          heartbeat({ done: 2 });
          throw new Error('half way');
        }
        return `went on from ${JSON.stringify(heartbeatDetails)}`;
      },
    },
    async (worker) => {
      expect(await h.execute(worker, 'heartbeats')).toBe('went on from {"done":2}');
    },
  ),
);

describe('cancellation', () => {
  const seen: string[] = [];
  const options = { maxHeartbeatThrottleInterval: '100ms' };
  const activities = {
    waitForCancel: async () => {
      const context = Context.current();
      await h.client.workflow.getHandle(context.info.workflowExecution!.workflowId).signal('cancelIt');
      for (;;) {
        context.heartbeat();
        try {
          await context.sleep(20);
        } catch (error) {
          seen.push(`${(error as Error).message} ${context.cancellationDetails?.cancelRequested}`);
          throw error;
        }
      }
    },
  };

  it(
    'waits for the activity to end when asked to',
    withWorker(
      activities,
      async (worker) => {
        seen.length = 0;
        const handle = await h.start(worker, 'cancelsActivity', ['WAIT_CANCELLATION_COMPLETED']);
        expect(await handle.result()).toBe('cancelled');
        expect(seen).toEqual(['CANCELLED true']);
        expect(await eventNames(handle)).toEqual(
          expect.arrayContaining(['ActivityTaskCancelRequested', 'ActivityTaskCanceled']),
        );
      },
      options,
    ),
  );

  it(
    'goes on at once when the activity is only told',
    withWorker(
      activities,
      async (worker) => {
        seen.length = 0;
        const handle = await h.start(worker, 'cancelsActivity', ['TRY_CANCEL']);
        expect(await handle.result()).toBe('cancelled');
        expect(await eventNames(handle)).toContain('ActivityTaskCancelRequested');
        await until(() => seen.length === 1, 'the activity has been cancelled');
      },
      options,
    ),
  );
});

it(
  'runs local activities in the worker, with retries, and records markers',
  withWorker(
    {
      describe: async () => ({ isLocal: activityInfo().isLocal }),
      failTimes: async (times: number) => {
        if (activityInfo().attempt <= times) throw new Error('not yet');
        return activityInfo().attempt;
      },
    },
    async (worker) => {
      const handle = await h.start(worker, 'local', ['x']);
      expect(await handle.result()).toEqual({ name: 'x', isLocal: true, retried: 3 });
      const names = await eventNames(handle);
      expect(names.filter((name) => name === 'MarkerRecorded')).toHaveLength(2);
      expect(names).not.toContain('ActivityTaskScheduled');
    },
  ),
);

it(
  'lets somebody else complete an activity',
  withWorker(
    {
      slow: async () => {
        const { taskToken } = activityInfo();
        setTimeout(() => void h.client.activity.complete(taskToken, 'from outside'), 200);
        throw new CompleteAsyncError();
      },
    },
    async (worker) => {
      expect(await h.execute(worker, 'completedBySomebodyElse')).toBe('from outside');
    },
  ),
);

it(
  'fails an attempt of an unknown activity and names the known ones',
  withWorker({ other: async () => 1 }, async (worker) => {
    const handle = await h.start(worker, 'greetOnce', ['x']);
    await until(async () => {
      const { raw } = (await handle.describe()) as any;
      return raw.pendingActivities?.[0]?.lastFailure?.message?.includes('["other"]');
    }, 'the pending activity shows the failure');
    await handle.terminate();
  }),
);

it(
  'logs with the attributes of the activity',
  withWorker(
    {
      greet: async (name: string) => {
        log.info('inside', { name });
        return name;
      },
    },
    async (worker) => {
      const handle = await h.start(worker, 'greetOnce', ['logged']);
      await handle.result();
      const line = h.log.lines.find(({ message, meta }) => message === 'inside' && meta.name === 'logged');
      expect(line?.meta).toMatchObject({
        sdkComponent: 'activity',
        activityType: 'greet',
        workflowId: handle.workflowId,
        workflowType: 'greetOnce',
        taskQueue: worker.options.taskQueue,
        attempt: 1,
      });
    },
  ),
);

it('gives an activity a client of its worker', async () => {
  // @ts-expect-error the worker says what type the client has
  void (() => Context.current().client.noSuchMember);
  const worker = await h.worker({
    workflowsPath,
    activities: {
      greet: async () => {
        const { workflowExecution } = activityInfo();
        const description = await Context.current()
          .client.workflow.getHandle(workflowExecution!.workflowId)
          .describe();
        return description.status.name;
      },
    },
  });
  await worker.runUntil(async () => {
    expect(await h.execute(worker, 'greetOnce', ['x'])).toBe('RUNNING');
  });
});

it('ends an attempt when the activity is paused, and runs the next one after that', async () => {
  const reasons: unknown[] = [];
  const worker = await h.worker({
    workflowsPath,
    activities: {
      beat: async () => {
        const context = Context.current();
        if (context.info.attempt > 1) return 'after the pause';
        for (;;) {
          context.heartbeat();
          try {
            await context.sleep(100);
          } catch (error) {
            reasons.push(context.cancellationDetails?.paused);
            throw error;
          }
        }
      },
    },
    maxHeartbeatThrottleInterval: '200ms',
    defaultHeartbeatThrottleInterval: '200ms',
  });
  await worker.runUntil(async () => {
    const handle = await h.start(worker, 'heartbeats');
    const target = { namespace: 'default', execution: { workflowId: handle.workflowId }, type: 'beat' };
    await until(() => worker.getStatus().numHeartbeatingActivities === 1, 'the activity runs');
    await h.connection.workflowService.pauseActivity({ ...target, identity: 'test' });
    await until(() => reasons.length === 1, 'the activity knows that it is paused');
    expect(reasons).toEqual([true]);
    await h.connection.workflowService.unpauseActivity({ ...target, identity: 'test' });
    expect(await handle.result()).toBe('after the pause');
  });
});

it('runs activities that no workflow has started', async () => {
  const infos: unknown[] = [];
  const worker = await h.worker({
    activities: {
      alone: async (value: number) => {
        const { inWorkflow, workflowExecution, activityRunId, activityId, namespace } = activityInfo();
        infos.push({ inWorkflow, workflowExecution, activityRunId, activityId, namespace });
        return value + 1;
      },
    },
  });
  await worker.runUntil(async () => {
    const { runId } = await h.connection.workflowService.startActivityExecution({
      namespace: 'default',
      requestId: 'request',
      activityId: `alone-${worker.options.taskQueue}`,
      activityType: { name: 'alone' },
      taskQueue: { name: worker.options.taskQueue },
      startToCloseTimeout: msToTs('1m'),
      input: { payloads: [defaultPayloadConverter.toPayload(41)] },
    });
    await until(() => infos.length === 1, 'the activity has run');
    expect(infos).toEqual([
      {
        inWorkflow: false,
        workflowExecution: undefined,
        activityRunId: runId,
        activityId: `alone-${worker.options.taskQueue}`,
        namespace: 'default',
      },
    ]);
    const poll = async () =>
      await h.connection.workflowService.pollActivityExecution({
        namespace: 'default',
        activityId: `alone-${worker.options.taskQueue}`,
        runId,
      });
    await until(async () => (await poll()).outcome !== undefined, 'it has ended');
    const { outcome } = await poll();
    expect(defaultPayloadConverter.fromPayload(outcome!.result!.payloads![0]!)).toBe(42);
  });
});

it('fails an attempt whose result cannot be serialised', async () => {
  const worker = await h.worker({ workflowsPath, activities: { greet: async () => 1n } });
  await worker.runUntil(async () => {
    const handle = await h.start(worker, 'greetOnce', ['x']);
    let message: string | undefined;
    await until(async () => {
      const { raw } = (await handle.describe()) as any;
      message = raw.pendingActivities?.[0]?.lastFailure?.message;
      return message !== undefined;
    }, 'the pending activity shows the failure');
    expect(message).toMatch(/BigInt/);
    await handle.terminate();
  });
});
