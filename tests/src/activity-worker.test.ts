/**
 * Activity-only workers on a real server: the same behaviour over plain gRPC and on the native core. Workflows that
 * call the activities run on a worker of their own.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type Socket, connect as tcpConnect } from 'node:net';
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
import { ActivityWorker, type CommonActivityWorkerOptions } from '@perdure/activity-worker';
import { NativeActivityWorker } from '@perdure/activity-worker/native';
import { type AsyncCompletionClient, Client, Connection } from '@perdure/client';
import { tsToMs } from '@perdure/common';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import { NativeConnection, Worker } from '@perdure/worker';
import { eventsOfType, harness, LineKeeper, rejection, until, workflowsDir } from './support/harness';

const h = harness();
type AnyWorker = ActivityWorker | NativeActivityWorker;
type Options = Partial<CommonActivityWorkerOptions> & Pick<CommonActivityWorkerOptions, 'activities'>;

let caller: Worker;
let connection: Connection;

beforeAll(async () => {
  caller = await h.worker({ workflowsPath: join(workflowsDir, 'call-activity.ts') });
  h.background(caller);
  connection = await Connection.connect({ address: h.address });
});
afterAll(() => connection?.close());

/** Starts `workflow` with an activity that `worker` is to run. */
const start = (workflow: string, worker: AnyWorker, name: string, args: unknown, options: object = {}) =>
  h.start(caller, workflow, [name, args, { taskQueue: worker.options.taskQueue, ...options }]);
const call = async (
  worker: AnyWorker,
  name: string,
  args: unknown[] = [],
  options: object = {},
): Promise<any> => (await start('howItEnds', worker, name, args, options)).result();
const once = { retry: { maximumAttempts: 1 } };
const quickly = { retry: { initialInterval: '20ms', backoffCoefficient: 1 } };

const kinds = {
  'over plain gRPC': (options: CommonActivityWorkerOptions) =>
    ActivityWorker.create({ connection, ...options }),
  'on the native core': (options: CommonActivityWorkerOptions) =>
    NativeActivityWorker.create({ address: h.address, client: () => h.client, ...options }),
} satisfies Record<string, (options: CommonActivityWorkerOptions) => Promise<AnyWorker>>;

describe.each(Object.keys(kinds) as (keyof typeof kinds)[])('an activity-only worker %s', (kind) => {
  const make = (options: Options, taskQueue = `queue-${randomUUID()}`): Promise<AnyWorker> =>
    kinds[kind]({ taskQueue, logger: new LineKeeper(), ...options });

  const withWorker = (options: Options, test: (worker: AnyWorker) => Promise<void>) => async () => {
    const worker = await make(options);
    expect(worker.getState()).toBe('INITIALIZED');
    await worker.runUntil(() => test(worker));
    expect(worker.getState()).toBe('STOPPED');
    expect(worker.getStatus()).toMatchObject({ runState: 'STOPPED', inFlight: 0 });
  };

  it(
    'runs activities, and tells them what they may know',
    withWorker(
      {
        activities: {
          describe: async (...args: unknown[]) => {
            const { workflowExecution, scheduledTimestampMs, ...info } = activityInfo();
            return { args, info, scheduledTimestampMs, workflowId: workflowExecution?.workflowId };
          },
        },
      },
      async (worker) => {
        const handle = await start('callActivity', worker, 'describe', ['a', 2], {
          heartbeatTimeout: '70s',
          startToCloseTimeout: '80s',
          priority: { priorityKey: 2 },
          retry: { maximumAttempts: 3 },
        });
        const { args, info, scheduledTimestampMs, workflowId } = (await handle.result()) as any;
        expect(args).toEqual(['a', 2]);
        expect(workflowId).toBe(handle.workflowId);
        const [scheduled] = await eventsOfType(handle, 'ActivityTaskScheduled');
        const scheduledMs = tsToMs(scheduled!.eventTime);
        expect(Math.abs(scheduledTimestampMs - scheduledMs)).toBeLessThan(1000);
        expect(info).toMatchObject({
          activityType: 'describe',
          attempt: 1,
          isLocal: false,
          inWorkflow: true,
          namespace: 'default',
          taskQueue: worker.options.taskQueue,
          workflowType: 'callActivity',
          heartbeatTimeoutMs: 70_000,
          startToCloseTimeoutMs: 80_000,
          priority: { priorityKey: 2 },
          retryPolicy: { maximumAttempts: 3 },
        });
        const [started] = await eventsOfType(handle, 'ActivityTaskStarted');
        expect(started!.activityTaskStartedEventAttributes!.identity).toBe(worker.options.identity);
      },
    ),
  );

  it(
    'fails attempts with type, details and finality, and tries again when the failure says',
    withWorker(
      {
        activities: {
          fatal: async () => {
            throw ApplicationFailure.nonRetryable('no', 'Fatal', { code: 7 });
          },
          later: async () => {
            if (activityInfo().attempt === 1) {
              throw ApplicationFailure.create({ message: 'not yet', nextRetryDelay: '10ms' });
            }
            return activityInfo().attempt;
          },
        },
      },
      async (worker) => {
        const ended = { type: 'Fatal', message: 'no', details: [{ code: 7 }], nonRetryable: true };
        expect(await call(worker, 'fatal')).toEqual(ended);
        const retry = { initialInterval: '1h' };
        expect(await call(worker, 'later', [], { retry })).toEqual({ returned: 2 });
      },
    ),
  );

  it(
    'gives the next attempt the details of the last heartbeat, throttled or not',
    withWorker(
      {
        activities: {
          beat: async () => {
            const { attempt, heartbeatDetails } = activityInfo();
            if (attempt > 1) return heartbeatDetails;
            for (let step = 1; step <= 50; step++) heartbeat({ step });
            throw new Error('half way');
          },
        },
      },
      async (worker) => {
        const options = { heartbeatTimeout: '1m', ...quickly };
        expect(await call(worker, 'beat', [], options)).toEqual({ returned: { step: 50 } });
      },
    ),
  );

  it('cancels an activity when its workflow asks for it, is paused or reset, or is gone', async () => {
    const seen: unknown[] = [];
    const worker = await make({
      maxHeartbeatThrottleInterval: '100ms',
      activities: {
        wait: async () => {
          const context = Context.current();
          if (context.info.attempt > 1) return `attempt ${context.info.attempt}`;
          for (;;) {
            context.heartbeat();
            try {
              await context.sleep(50);
            } catch (error) {
              const { cancelRequested, paused, reset, notFound } = context.cancellationDetails!;
              seen.push({ cancelRequested, paused, reset, notFound });
              throw error;
            }
          }
        },
      },
    });
    const none = { cancelRequested: false, paused: false, reset: false, notFound: false };
    await worker.runUntil(async () => {
      const running = async (type = 'WAIT_CANCELLATION_COMPLETED') => {
        seen.length = 0;
        const options = {
          startToCloseTimeout: '5m',
          heartbeatTimeout: '2m',
          cancellationType: type,
          ...quickly,
        };
        const handle = await start('howItEnds', worker, 'wait', [], options);
        await until(() => worker.getStatus().heartbeating === 1, 'the activity runs');
        const execution = { workflowId: handle.workflowId };
        return { handle, target: { namespace: 'default', execution, type: 'wait', identity: 'test' } };
      };
      const { workflowService } = connection;
      const cancelled = await running();
      await cancelled.handle.cancel();
      expect(await cancelled.handle.result()).toBe('cancelled');
      expect(seen).toEqual([{ ...none, cancelRequested: true }]);

      const paused = await running();
      await workflowService.pauseActivity(paused.target);
      await until(() => seen.length === 1, 'the activity knows that it is paused');
      expect(seen).toEqual([{ ...none, paused: true }]);
      await workflowService.unpauseActivity(paused.target);
      expect(await paused.handle.result()).toEqual({ returned: 'attempt 2' });

      const reset = await running();
      await workflowService.resetActivity(reset.target);
      await until(() => seen.length === 1, 'the activity knows that it was reset');
      expect(seen).toEqual([{ ...none, reset: true }]);
      await reset.handle.terminate();
      await until(() => worker.getStatus().inFlight === 0, 'nothing runs');

      const gone = await running();
      await gone.handle.terminate();
      await until(() => seen.length === 1, 'the activity knows that its workflow is gone');
      expect(seen).toEqual([{ ...none, notFound: true }]);
    });
  });

  it('lets somebody else complete an activity', () => {
    const left: { taskToken: Uint8Array; activity: AsyncCompletionClient }[] = [];
    const leave = (): never => {
      left.push({ taskToken: activityInfo().taskToken, activity: Context.current().client.activity });
      throw new CompleteAsyncError();
    };
    return withWorker(
      {
        activities: {
          elsewhere: async () => {
            const { attempt, heartbeatDetails } = activityInfo();
            if (attempt > 1) return `after ${heartbeatDetails}`;
            for (const step of [1, 2, 3]) heartbeat(step);
            return leave();
          },
          outside: async () => leave(),
        },
      },
      async (worker) => {
        const completed = await start('howItEnds', worker, 'outside', []);
        await until(() => left.length === 1, 'it has left');
        await left[0]!.activity.complete(left[0]!.taskToken, 'from outside');
        expect(await completed.result()).toEqual({ returned: 'from outside' });

        const options = { startToCloseTimeout: '2m', heartbeatTimeout: '2m', ...quickly };
        const failed = await start('howItEnds', worker, 'elsewhere', [], options);
        // The core drops what its throttle holds back.
        const last = kind === 'over plain gRPC' ? 3 : 1;
        await until(async () => {
          const { raw } = (await failed.describe()) as any;
          const details = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0]?.data;
          return left.length === 2 && Buffer.from(details ?? []).toString() === String(last);
        }, 'it has left, and the server knows the last heartbeat');
        await left[1]!.activity.fail(left[1]!.taskToken, new Error('not yet'));
        expect(await failed.result()).toEqual({ returned: `after ${last}` });
      },
    )();
  });

  it('keeps to its number of slots', async () => {
    let running = 0;
    let most = 0;
    const worker = await make({
      maxConcurrentActivityTaskExecutions: 2,
      activities: {
        work: async () => {
          most = Math.max(most, ++running);
          await until(() => most >= 2, 'two run together');
          await sleep(50); // room for a third
          running--;
        },
      },
    });
    await worker.runUntil(async () => {
      const options = { taskQueue: worker.options.taskQueue };
      await h.execute(caller, 'callMany', ['work', 8, options]);
    });
    expect(most).toBe(2);
  });

  it('keeps to its rate', async () => {
    let lastMs = 0;
    const worker = await make({
      maxActivitiesPerSecond: 10,
      maxConcurrentActivityTaskPolls: 2,
      activities: {
        work: async () => {
          lastMs = performance.now();
        },
      },
    });
    // From before the first poll: where the machine stops for a moment, tasks come closer together, but never earlier.
    const beganMs = performance.now();
    await worker.runUntil(async () => {
      await h.execute(caller, 'callMany', ['work', 10, { taskQueue: worker.options.taskQueue }]);
    });
    expect(lastMs - beganMs).toBeGreaterThan(700);
  });

  it(
    'fails an attempt whose result, failure or heartbeat is too large, with the sizes',
    withWorker(
      {
        activities: {
          bigResult: async () => 'x'.repeat(3_000_000),
          bigFailure: async () => {
            throw ApplicationFailure.nonRetryable('with details', 'Big', 'x'.repeat(3_000_000));
          },
          bigHeartbeat: async () => {
            heartbeat('x'.repeat(3_000_000));
            await Context.current().cancelled;
          },
        },
      },
      async (worker) => {
        const sizes = /30000\d\d bytes.* 2097152/;
        const tooLarge = { type: 'PayloadsTooLarge', message: expect.stringMatching(sizes) };
        const [result, failure, beat] = await Promise.all(
          ['bigResult', 'bigFailure', 'bigHeartbeat'].map((name) => call(worker, name, [], once)),
        );
        expect(result).toMatchObject({ ...tooLarge, nonRetryable: false });
        expect(failure).toMatchObject({ type: 'PayloadsTooLarge', nonRetryable: true });
        expect(failure.message).toMatch(/the failure of activity 'bigFailure'.*bytes/);
        expect(beat).toMatchObject(tooLarge);
      },
    ),
  );

  it('finishes what runs within the grace time, and takes nothing new', async () => {
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const worker = await make({
      shutdownGraceTime: '5m',
      maxConcurrentActivityTaskPolls: 2,
      activities: {
        slow: async () => {
          await finished;
          return 'finished';
        },
        late: async () => 'taken',
      },
    });
    const run = worker.run();
    const handle = await start('howItEnds', worker, 'slow', []);
    await until(() => worker.getStatus().inFlight === 1, 'the activity runs');
    worker.shutdown();
    expect(worker.getState()).toBe('STOPPING');
    // Polls over gRPC end when no task has come for a moment. The server may match a task with one that has just ended.
    if (kind === 'over plain gRPC') await until(() => worker.getState() === 'DRAINING', 'polls have ended');
    const short = { scheduleToStartTimeout: '1s', startToCloseTimeout: '3s', ...once };
    const takeNext = () => call(worker, 'late', [], short);
    await until(async () => (await takeNext()).timeout === 'SCHEDULE_TO_START', 'nothing is taken any more');
    expect(await takeNext()).toEqual({ timeout: 'SCHEDULE_TO_START' });
    expect(worker.getStatus().inFlight).toBe(1);
    finish();
    await run;
    expect(worker.getState()).toBe('STOPPED');
    expect(await handle.result()).toEqual({ returned: 'finished' });
  });

  it('cancels what runs after the grace time, for another worker to try again', async () => {
    const activities = {
      wait: async () => {
        const context = Context.current();
        if (context.info.attempt > 1) return `attempt ${context.info.attempt}`;
        heartbeat('kept');
        return context.cancelled.catch((error) => {
          expect(context.cancellationDetails?.workerShutdown).toBe(true);
          throw error;
        });
      },
    };
    const worker = await make({ activities, shutdownGraceTime: 100 });
    const run = worker.run();
    const handle = await start('howItEnds', worker, 'wait', [], quickly);
    await until(() => worker.getStatus().inFlight === 1, 'the activity runs');
    worker.shutdown();
    await run;
    const other = await make({ activities }, worker.options.taskQueue);
    await other.runUntil(async () => expect(await handle.result()).toEqual({ returned: 'attempt 2' }));
    const [started] = await eventsOfType(handle, 'ActivityTaskStarted');
    const { lastFailure } = started!.activityTaskStartedEventAttributes!;
    expect(lastFailure?.applicationFailureInfo?.type).toBe('WorkerShutdown');
  });

  it('gives up hung activities after the force time, and says so to the server', async () => {
    const worker = await make({
      shutdownForceTime: '300ms',
      activities: { hang: () => new Promise<never>(() => undefined) },
    });
    const run = worker.run();
    const handle = await start('howItEnds', worker, 'hang', [], once);
    await until(() => worker.getStatus().inFlight === 1, 'the activity runs');
    worker.shutdown();
    expect(await rejection(run)).toMatchObject({ code: 'WORKER_SHUTDOWN_PERIOD_EXPIRED' });
    expect(worker.getState()).toBe('FAILED');
    expect(await handle.result()).toMatchObject({
      type: 'WorkerShutdown',
      message: expect.stringContaining('shut down by force'),
    });
  });

  it('logs with the attributes of the activity, and runs interceptors', async () => {
    const logger = new LineKeeper();
    const worker = await make({
      logger,
      interceptors: [
        () => ({
          inbound: { execute: async (input, next) => `<${await next({ ...input, args: ['changed'] })}>` },
          outbound: { getLogAttributes: (input, next) => next({ ...input, own: 1 }) },
        }),
      ],
      activities: {
        say: async (text: string) => {
          log.info('said', { text });
          return text;
        },
      },
    });
    await worker.runUntil(async () => {
      expect(await call(worker, 'say', ['given'])).toEqual({ returned: '<changed>' });
    });
    const line = logger.lines.find(({ message }) => message === 'said');
    expect(line?.meta).toMatchObject({
      sdkComponent: 'activity',
      activityType: 'say',
      text: 'changed',
      own: 1,
    });
  });

  it('reports its deployment version', async () => {
    const version = { deploymentName: `deployment-${randomUUID()}`, buildId: 'b1' };
    const worker = await make({
      activities: { noop: async () => 1 },
      workerDeploymentOptions: { version, useWorkerVersioning: true },
    });
    await worker.runUntil(() =>
      until(async () => {
        const { workerDeploymentVersionInfo } = await connection.workflowService
          .describeWorkerDeploymentVersion({ namespace: 'default', deploymentVersion: version })
          .catch(() => ({ workerDeploymentVersionInfo: undefined }));
        return workerDeploymentVersionInfo?.taskQueueInfos?.some(
          ({ name }) => name === worker.options.taskQueue,
        );
      }, 'the server knows the version'),
    );
  });

  it('refuses unusable options with all problems, and unknown namespaces', async () => {
    const wrong: any = {
      taskQueue: '',
      activities: {},
      maxConcurrentActivityTaskPolls: 0,
      shutdownGracetime: 5,
    };
    const error = await rejection(kinds[kind](wrong));
    expect(error).toMatchObject({ code: 'ACTIVITY_WORKER_OPTIONS_INVALID' });
    expect(error.problems).toEqual([
      'taskQueue: got "", takes a non-empty text',
      'activities: got an object, takes an object with at least one function',
      'maxConcurrentActivityTaskPolls: got 0, takes a whole number of at least 1',
      expect.stringMatching(/^shutdownGracetime: unknown option/),
    ]);
    const nowhere = await rejection(make({ namespace: 'nowhere', activities: { a: async () => 1 } }));
    expect(nowhere.code).toMatch(/^(NAMESPACE_NOT_FOUND|CORE_NAMESPACE_UNUSABLE)$/);
  });
});

describe('workers that come and go', () => {
  const COUNT = 120;
  let polite: DevServer;
  /** Side by side, for they wait more than they work. */
  const runs = new Map<string, ReturnType<typeof runAll>>();
  beforeAll(async () => {
    polite = await startDevServer({
      useExisting: false,
      startTimeoutMs: 100_000,
      dynamicConfigValues: { 'frontend.enableCancelWorkerPollsOnShutdown': true },
    });
    const own = await Connection.connect({ address: polite.address });
    const over = (via: Connection) => (options: CommonActivityWorkerOptions) =>
      ActivityWorker.create({ connection: via, ...options });
    runs.set(
      'polite',
      runAll(polite.address, over(own)).finally(() => own.close()),
    );
    runs.set('any', runAll(h.address, over(connection)));
    runs.set(
      'native',
      runAll(h.address, (options) => NativeActivityWorker.create({ address: h.address, ...options })),
    );
    for (const each of runs.values()) each.catch(() => undefined);
  });
  afterAll(async () => {
    await Promise.allSettled(runs.values());
    await polite?.stop();
  });

  /**
   * Runs activities on workers of which each lives for a moment.
   * @returns how many workers there were, and how many tasks were lost on their way to one, and had to time out
   */
  async function runAll(address: string, make: (options: CommonActivityWorkerOptions) => Promise<AnyWorker>) {
    const native = await NativeConnection.connect({ address });
    const flows = await Worker.create({
      connection: native,
      taskQueue: `queue-${randomUUID()}`,
      workflowsPath: join(workflowsDir, 'call-activity.ts'),
    });
    const client = new Client({ connection: await Connection.connect({ address }) });
    const taskQueue = `queue-${randomUUID()}`;
    const attempts = Array.from({ length: COUNT }, () => new Set<number>());
    const work = async (n: number) => {
      attempts[n]!.add(activityInfo().attempt);
      await sleep(20);
      return n;
    };
    let workers = 0;
    await flows.runUntil(async () => {
      const options = { taskQueue, startToCloseTimeout: '2s', ...quickly };
      let done = false;
      const finished = client.workflow
        .execute('callMany', {
          workflowId: randomUUID(),
          taskQueue: flows.options.taskQueue,
          args: ['work', COUNT, options],
        })
        .finally(() => {
          done = true;
        });
      finished.catch(() => undefined);
      for (; !done; workers++) {
        const worker = await make({
          taskQueue,
          activities: { work },
          logger: new LineKeeper(),
          shutdownGraceTime: '5s',
          maxConcurrentActivityTaskExecutions: 4,
        });
        const stop = Promise.race([new Promise((resolve) => setTimeout(resolve, 100)), finished]);
        await worker.runUntil(() => stop.catch(() => undefined));
      }
      expect(await finished).toEqual(Array.from({ length: COUNT }, (_, i) => i));
    });
    await client.connection.close();
    await native.close();
    expect(workers).toBeGreaterThan(3);
    // An attempt that runs too late, because the machine had something else to do, is none that was lost.
    return { workers, lost: attempts.reduce((sum, ran) => sum + Math.max(...ran) - ran.size, 0) };
  }

  // Some servers lose tasks of polls that end; a worker cannot see that, only avoid to end polls while tasks come. One
  // that does not avoid it loses more than one task whenever it stops.
  async function expectFewLost(name: string): Promise<void> {
    const { workers, lost } = await runs.get(name)!;
    expect(lost).toBeLessThan(workers / 2);
  }

  it('lose next to no task over plain gRPC, on a server that ends polls', async () => {
    await expectFewLost('polite');
  }, 300_000);

  it('lose next to no task over plain gRPC, on any server', async () => {
    await expectFewLost('any');
  }, 300_000);

  it('finish all work on the native core', async () => {
    await runs.get('native');
  }, 300_000);
});

describe('over plain gRPC, while the server is away', () => {
  /** A way to the server that can be cut. */
  async function cuttable() {
    const [host, port] = h.address.split(':');
    const sockets = new Set<Socket>();
    let cut = false;
    const proxy = createServer((near) => {
      if (cut) return void near.destroy();
      const far = tcpConnect(Number(port), host);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(one);
        one
          .on('error', () => undefined)
          .on('close', () => {
            sockets.delete(one);
            other.destroy();
          });
        one.pipe(other);
      }
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    return {
      address: `127.0.0.1:${(proxy.address() as { port: number }).port}`,
      cut: () => {
        cut = true;
        for (const socket of sockets) socket.destroy();
      },
      mend: () => {
        cut = false;
      },
      close: () => {
        for (const socket of sockets) socket.destroy();
        return new Promise((resolve) => proxy.close(resolve));
      },
    };
  }

  it('keeps results until the server is back, and goes on by itself', async () => {
    const way = await cuttable();
    const wobbly = await Connection.connect({ address: way.address });
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const worker = await ActivityWorker.create({
      connection: wobbly,
      taskQueue: `queue-${randomUUID()}`,
      logger: new LineKeeper(),
      activities: { work: async () => finished.then(() => 'kept'), other: async () => 'goes on' },
    });
    await worker.runUntil(async () => {
      const handle = await start('howItEnds', worker, 'work', [], once);
      await until(() => worker.getStatus().inFlight === 1, 'the activity runs');
      way.cut();
      finish();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(worker.getState()).toBe('RUNNING');
      way.mend();
      expect(await handle.result()).toEqual({ returned: 'kept' });
      expect(await call(worker, 'other')).toEqual({ returned: 'goes on' });
    });
    await wobbly.close();
    await way.close();
  });

  it('fails, and says why, when its connection is closed under it', async () => {
    const own = await Connection.connect({ address: h.address });
    const worker = await ActivityWorker.create({
      connection: own,
      taskQueue: `queue-${randomUUID()}`,
      logger: new LineKeeper(),
      maxConcurrentActivityTaskPolls: 1,
      activities: { work: async () => 1 },
    });
    const failed = rejection(worker.run());
    await call(worker, 'work');
    await own.close(); // ends the poll that waits, and the next one cannot be sent
    const error = await failed;
    expect(error).toMatchObject({ code: 'ACTIVITY_WORKER_FAILED', cause: { code: 'ILLEGAL_STATE' } });
    expect(worker.getState()).toBe('FAILED');
    expect(() => worker.shutdown()).toThrow(/Not running/);
    expect((await rejection(worker.run())).code).toBe('ILLEGAL_STATE');
  });
});
