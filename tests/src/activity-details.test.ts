/** What activities may do and what happens to them, on a full worker and a real server. */
import { join } from 'node:path';
import {
  ApplicationFailure,
  activityInfo,
  CompleteAsyncError,
  Context,
  heartbeat,
  log,
  metricMeter,
  setActivityOptions,
  sleep,
} from '@perdure/activity';
import { ApplicationFailureCategory } from '@perdure/common';
import type { Worker, WorkerOptions } from '@perdure/worker';
import { eventsOfType, harness, rejection, until, workflowsDir } from './support/harness';

const h = harness();
const workflowsPath = join(workflowsDir, 'call-activity.ts');

const once = { retry: { maximumAttempts: 1 } };
const quickly = { retry: { initialInterval: '20ms', backoffCoefficient: 1 } };

const startCall = (worker: Worker, name: string, args: unknown[] = [], options: object = {}) =>
  h.start(worker, 'howItEnds', [name, args, options]);
const call = async (worker: Worker, name: string, args: unknown[] = [], options: object = {}): Promise<any> =>
  (await startCall(worker, name, args, options)).result();

function withWorker(
  activities: object,
  test: (worker: Worker) => Promise<void>,
  options: Partial<WorkerOptions> = {},
) {
  return async () => {
    const worker = await h.worker({ workflowsPath, activities, ...options });
    await worker.runUntil(() => test(worker));
    expect(worker.getState()).toBe('STOPPED');
  };
}

describe('what may be an activity', () => {
  class Base {
    constructor(protected readonly greeting: string) {}
    async inherited(name: string): Promise<string> {
      return `${this.greeting} from the base, ${name}`;
    }
    async greet(): Promise<string> {
      return 'overridden';
    }
  }
  class Greeter extends Base {
    readonly #secret = 'private';
    readonly asProperty = async () => `property of ${this.greeting}`;
    override async greet(): Promise<string> {
      return `${this.greeting} ${this.#secret}`;
    }
    sync(): string {
      return `sync ${this.greeting}`;
    }
  }

  it(
    'methods of an instance, of its base classes too, synchronous ones, functions in properties',
    withWorker(new Greeter('hi'), async (worker) => {
      const results = await Promise.all(
        [['greet'], ['inherited', 'you'], ['sync'], ['asProperty']].map(([name, ...args]) =>
          call(worker, name!, args),
        ),
      );
      expect(results.map(({ returned }) => returned)).toEqual([
        'hi private',
        'hi from the base, you',
        'sync hi',
        'property of hi',
      ]);
      const missing = await call(worker, 'constructor', [], once);
      expect(missing).toMatchObject({ type: 'NotFoundError', message: expect.stringContaining('"greet"') });
    }),
  );

  it(
    'a default for every name that has no function of its own',
    withWorker(
      {
        known: async () => 'known',
        default: async (...args: unknown[]) => ({ type: activityInfo().activityType, args }),
      },
      async (worker) => {
        expect(await call(worker, 'known')).toEqual({ returned: 'known' });
        for (const name of ['anything', '__proto__', 'toString']) {
          expect(await call(worker, name, [1])).toEqual({ returned: { type: name, args: [1] } });
        }
      },
    ),
  );

  it('a function with conversions of its own', async () => {
    const cents = {
      transferTypeConverter: {
        toTransferType: (value: number) => `${value} cents`,
        fromTransferType: (text: string) => Number.parseInt(text, 10),
      },
    };
    const pay = async (amount: number) => amount + 1;
    setActivityOptions({ typeInfo: { inputTypes: [cents], outputType: cents } as any }, pay);
    await withWorker({ pay }, async (worker) => {
      expect(await call(worker, 'pay', ['41 cents'])).toEqual({ returned: '42 cents' });
    })();
  });
});

describe('failures', () => {
  it(
    'say when the next attempt comes, against the retry policy',
    withWorker(
      {
        soon: async () => {
          if (activityInfo().attempt > 1) return activityInfo().attempt;
          throw ApplicationFailure.create({ message: 'busy', nextRetryDelay: '10ms' });
        },
      },
      async (worker) => {
        const handle = await startCall(worker, 'soon', [], { retry: { initialInterval: '1h' } });
        expect(await handle.result()).toEqual({ returned: 2 });
        const [started] = await eventsOfType(handle, 'ActivityTaskStarted');
        const { lastFailure } = started!.activityTaskStartedEventAttributes!;
        expect(lastFailure!.applicationFailureInfo!.nextRetryDelay!.nanos).toBe(10_000_000);
      },
    ),
  );

  it(
    'that are benign are logged at DEBUG, others at WARN, and carry their category',
    withWorker(
      {
        benign: async () => {
          const category = ApplicationFailureCategory.BENIGN;
          throw ApplicationFailure.create({ message: 'expected', nonRetryable: true, category });
        },
        bad: async () => {
          throw ApplicationFailure.nonRetryable('unexpected');
        },
      },
      async (worker) => {
        const handle = await startCall(worker, 'benign');
        await handle.result();
        await call(worker, 'bad');
        const lines = h.log.lines.filter(
          ({ message, meta }) => message === 'Activity failed' && meta.taskQueue === worker.options.taskQueue,
        );
        expect(lines.map(({ level, meta }) => [level, meta.activityType])).toEqual([
          ['DEBUG', 'benign'],
          ['WARN', 'bad'],
        ]);
        const [failed] = await eventsOfType(handle, 'ActivityTaskFailed');
        const { failure } = failed!.activityTaskFailedEventAttributes!;
        expect(failure!.applicationFailureInfo!.category).toBe(1);
      },
    ),
  );
});

describe('heartbeats', () => {
  it('reach the server throttled, the newest wins, and the last one with the failure', async () => {
    let beats = 0;
    let enough = false;
    await withWorker(
      {
        busy: async () => {
          const { attempt, heartbeatDetails } = activityInfo();
          if (attempt > 1) return heartbeatDetails;
          while (!enough) {
            heartbeat(++beats);
            await sleep(1);
          }
          throw new Error('half way');
        },
      },
      async (worker) => {
        const options = { startToCloseTimeout: '1h', heartbeatTimeout: '1h', ...quickly };
        const handle = await startCall(worker, 'busy', [], options);
        const known = async () => {
          const { raw } = (await handle.describe()) as any;
          const details = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0]?.data;
          return details && Number(Buffer.from(details).toString());
        };
        // While it runs, the server knows the first one only: the next is due after 48 minutes.
        await until(async () => (await known()) !== undefined, 'the server knows a heartbeat');
        const before = beats;
        await until(() => beats > before + 50, 'it has called often');
        expect(await known()).toBe(1);
        enough = true;
        expect(await handle.result()).toEqual({ returned: beats });
      },
      { maxHeartbeatThrottleInterval: '1h' },
    )();
  });

  it('that stay away for heartbeatTimeout end the attempt at the server, and in the worker', async () => {
    const seen: unknown[] = [];
    await withWorker(
      {
        silent: async () => {
          const context = Context.current();
          if (context.info.attempt > 1) return 'tried again';
          try {
            return await context.cancelled;
          } finally {
            seen.push(context.cancellationDetails);
          }
        },
      },
      async (worker) => {
        const options = { heartbeatTimeout: '1s', ...quickly };
        expect(await call(worker, 'silent', [], options)).toEqual({ returned: 'tried again' });
        await until(() => seen.length === 1, 'the first attempt has been cancelled');
        expect(seen[0]).toMatchObject({ timedOut: true, cancelRequested: false });
      },
    )();
  });
});

describe('cancellation', () => {
  const reasons: unknown[] = [];
  const activities = {
    wait: async () => {
      const context = Context.current();
      if (context.info.attempt > 1) return 'attempt 2';
      const aborted = new Promise((resolve) =>
        context.cancellationSignal.addEventListener('abort', () =>
          resolve(context.cancellationSignal.reason),
        ),
      );
      const beat = setInterval(() => context.heartbeat(), 20);
      try {
        return await context.cancelled;
      } catch (error) {
        expect(await aborted).toBe(error);
        const { cancelRequested, notFound, paused, reset } = context.cancellationDetails!;
        reasons.push({ message: (error as Error).message, cancelRequested, notFound, paused, reset });
        throw error;
      } finally {
        clearInterval(beat);
      }
    },
  };
  const none = { cancelRequested: false, notFound: false, paused: false, reset: false };
  beforeEach(() => {
    reasons.length = 0;
  });

  it.each([
    ['CANCELLED', { cancelRequested: true }],
    ['NOT_FOUND', { notFound: true }],
    ['RESET', { reset: true }],
    ['PAUSED', { paused: true }],
  ] as const)('tells an activity that it is %s', (message, reason) =>
    withWorker(
      activities,
      async (worker) => {
        const cancellationType = 'WAIT_CANCELLATION_COMPLETED';
        const options = { startToCloseTimeout: '5m', heartbeatTimeout: '1m', cancellationType, ...quickly };
        const handle = await startCall(worker, 'wait', [], options);
        await until(() => worker.getStatus().numHeartbeatingActivities === 1, 'it runs');
        const execution = { workflowId: handle.workflowId };
        const target = { namespace: 'default', execution, type: 'wait', identity: 'test' };
        const { workflowService } = h.connection;
        if (message === 'CANCELLED') await handle.cancel();
        if (message === 'NOT_FOUND') await handle.terminate();
        if (message === 'RESET') await workflowService.resetActivity(target);
        if (message === 'PAUSED') await workflowService.pauseActivity(target);
        await until(() => reasons.length === 1, 'it knows');
        expect(reasons).toEqual([{ ...none, message, ...reason }]);
        if (message === 'CANCELLED') expect(await handle.result()).toBe('cancelled');
        if (message === 'PAUSED') await workflowService.unpauseActivity(target);
        if (message === 'PAUSED' || message === 'RESET') {
          await until(async () => {
            const { raw } = (await handle.describe()) as any;
            return raw.pendingActivities?.length !== 1;
          }, 'the next attempt has run');
        }
      },
      { maxHeartbeatThrottleInterval: '100ms' },
    )(),
  );
});

describe('completion by somebody else', () => {
  it.each(['token', 'id'] as const)('completes, fails and cancels by %s', (by) => {
    const tokens = new Map<string, Uint8Array>();
    return withWorker(
      {
        elsewhere: async (name: string) => {
          tokens.set(name, activityInfo().taskToken);
          throw new CompleteAsyncError();
        },
      },
      async (worker) => {
        const ended = async (name: string, answer: (target: any) => Promise<void>) => {
          const cancellationType = 'WAIT_CANCELLATION_COMPLETED';
          const options = { activityId: name, cancellationType, ...once };
          const handle = await startCall(worker, 'elsewhere', [name], options);
          await until(() => tokens.has(name), `${name} has been started`);
          const workflowId = handle.workflowId;
          await answer(by === 'token' ? tokens.get(name) : { workflowId, activityId: name });
          return handle;
        };
        const { activity } = h.client;
        const completed = await ended('completed', async (target) => {
          await activity.heartbeat(target, 'half way');
          await activity.complete(target, 'from outside');
        });
        expect(await completed.result()).toEqual({ returned: 'from outside' });
        const failed = await ended('failed', (target) =>
          activity.fail(target, ApplicationFailure.nonRetryable('no', 'Own')),
        );
        expect(await failed.result()).toMatchObject({ type: 'Own', message: 'no' });
        const cancelled = await ended('cancelled', async () => undefined);
        await cancelled.cancel();
        const target =
          by === 'token'
            ? tokens.get('cancelled')!
            : { workflowId: cancelled.workflowId, activityId: 'cancelled' };
        await until(
          () =>
            activity.heartbeat(target as Uint8Array, 1).then(
              () => false,
              () => true,
            ),
          'the cancellation is known outside',
        );
        await activity.reportCancellation(target as Uint8Array, 'stopped');
        expect(await cancelled.result()).toBe('cancelled');
      },
    )();
  });
});

describe('sizes', () => {
  const activities = {
    bigResult: async () => 'x'.repeat(3_000_000),
    bigHeartbeat: async () => {
      heartbeat('x'.repeat(3_000_000));
      await Context.current().cancelled;
    },
    bigFailure: async () => {
      throw ApplicationFailure.nonRetryable('why', 'Own', 'x'.repeat(3_000_000));
    },
  };

  it(
    'above the limit of the namespace fail the attempt with both sizes',
    withWorker(activities, async (worker) => {
      for (const [name, what] of [
        ['bigResult', 'the result'],
        ['bigHeartbeat', 'the heartbeat details'],
        ['bigFailure', 'the failure'],
      ] as const) {
        const ended = await call(worker, name, [], once);
        expect(ended.type).toBe('PayloadsTooLarge');
        expect(ended.message).toMatch(new RegExp(`${what} of activity '${name}'.* 30\\d{5} bytes.* 2097152`));
      }
    }),
  );

  it(
    'are left to the server when told so',
    withWorker(
      activities,
      async (worker) => {
        const handle = await startCall(worker, 'bigResult', [], once);
        const ended: any = await handle.result();
        expect(ended).toEqual({
          name: 'ServerFailure',
          message: expect.stringMatching(/exceeds size limit/),
        });
      },
      { disablePayloadErrorLimit: true },
    ),
  );
});

it('hung activities are given up at shutdown, with a failure that says so and another attempt elsewhere', async () => {
  const hanging = await h.worker({
    workflowsPath,
    activities: { hang: () => new Promise<never>(() => undefined) },
    shutdownForceTime: '300ms',
  });
  const run = hanging.run();
  const handle = await startCall(hanging, 'hang', [], quickly);
  await until(() => hanging.getStatus().numInFlightActivities === 1, 'it runs');
  hanging.shutdown();
  expect(await rejection(run)).toMatchObject({ code: 'WORKER_SHUTDOWN_PERIOD_EXPIRED' });
  expect(hanging.getState()).toBe('FAILED');
  const other = await h.worker({
    taskQueue: hanging.options.taskQueue,
    workflowsPath,
    activities: { hang: async () => `attempt ${activityInfo().attempt}` },
  });
  await other.runUntil(async () => expect(await handle.result()).toEqual({ returned: 'attempt 2' }));
  const [started] = await eventsOfType(handle, 'ActivityTaskStarted');
  const { lastFailure } = started!.activityTaskStartedEventAttributes!;
  expect(lastFailure).toMatchObject({
    message: expect.stringMatching(/shut down by force.*300 ms/),
    applicationFailureInfo: { type: 'WorkerShutdown', nonRetryable: false },
  });
});

it('local activities of a run that was evicted under them do not keep the worker from stopping', async () => {
  let begun = 0;
  let ended = 0;
  const activities = {
    forsaken: async () => {
      begun++;
      await Context.current().cancelled.catch(() => undefined);
      ended++;
    },
  };
  const worker = await h.worker({ workflowsPath, activities });
  await worker.runUntil(async () => {
    const handle = await h.start(worker, 'callLocalActivity', ['forsaken', [], {}], {
      workflowTaskTimeout: '1s',
    });
    await until(() => begun > 0 && worker.getStatus().numCachedWorkflows === 1, 'it runs');
    // When the worker next reports that its workflow task goes on, the server knows of none.
    await handle.terminate();
    await until(() => worker.getStatus().numCachedWorkflows === 0, 'the run is evicted');
  });
  // The core may tell the activity in time, but mostly forgets it.
  expect(worker.getState()).toBe('STOPPED');
  expect(ended).toBe(begun);
});

it('interceptors see calls on their way in, and log lines and metrics on their way out', async () => {
  const order: string[] = [];
  const interceptor = (name: string) => (context: Context) => ({
    inbound: {
      async execute(input: any, next: any) {
        order.push(`${name} ${context.info.activityType}`);
        return `${await next({ ...input, args: [...input.args, name] })}<${name}`;
      },
    },
    outbound: {
      getLogAttributes: (input: any, next: any) => ({ ...next(input), [name]: true }),
      getMetricTags: (input: any, next: any) => ({ ...next(input), [`tag_${name}`]: 'yes' }),
    },
  });
  await withWorker(
    {
      work: async (...args: string[]) => {
        log.info('from within', { own: 1 });
        metricMeter.createCounter('own_counter').add(1);
        return args.join('>');
      },
    },
    async (worker) => {
      expect(await call(worker, 'work', ['x'])).toEqual({ returned: 'x>a>b<b<a' });
      expect(order).toEqual(['a work', 'b work']);
      const line = h.log.lines.find(
        ({ message, meta }) => message === 'from within' && meta.taskQueue === worker.options.taskQueue,
      );
      expect(line?.meta).toMatchObject({ a: true, b: true, own: 1, activityType: 'work' });
    },
    { interceptors: { activity: [interceptor('a'), interceptor('b')] } },
  )();
});
