import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import {
  type ActivityClient,
  type ActivityClientInterceptor,
  ActivityExecutionAlreadyStartedError,
  ActivityExecutionFailedError,
  type ActivityExecutionInfo,
  type ActivityHandle,
  ActivityNotFoundError,
  type ActivityOptions,
  ApplicationFailure,
  CancelledFailure,
  Client,
  type ClientOptions,
  Connection,
  decodeActivityExecutionStatus,
  decodeActivityIdConflictPolicy,
  decodeActivityIdReusePolicy,
  decodePendingActivityState,
  encodeActivityExecutionStatus,
  encodeActivityIdConflictPolicy,
  encodeActivityIdReusePolicy,
  encodePendingActivityState,
  isGrpcCancelledError,
  isGrpcDeadlineError,
  NamespaceNotFoundError,
  ServerFeatureUnavailableError,
  ServiceError,
  TerminatedFailure,
  TimeoutFailure,
  ValueError,
} from '@perdure/client';
import {
  defaultPayloadConverter,
  defineSearchAttributeKey,
  ExternalStorage,
  hasCode,
  type Payload,
  type SerializationContext,
  StorageDriverClaim,
  TimeoutType,
  TypedSearchAttributes,
} from '@perdure/common';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import {
  ActivityExecutionStatus,
  ActivityIdConflictPolicy,
  ActivityIdReusePolicy,
} from '@perdure/proto/temporal/api/enums/v1/activity';
import { PendingActivityState } from '@perdure/proto/temporal/api/enums/v1/workflow';
import { FlipCodec } from './testing/codec';
import { eventually } from './testing/eventually';
import { type Attempt, HandActivities } from './testing/hand-activities';
import { type Answer, ScriptedServer } from './testing/scripted-server';

const customer = defineSearchAttributeKey('Customer', 'KEYWORD');
const taskQueue = 'activities';
const idle = 'nobody-works-here';

let server: DevServer;
let connection: Connection;
let client: ActivityClient;
let worker: HandActivities;
/** Resolved by a test to let the attempt of that activity end. */
const gates = new Map<string, (value: unknown) => void>();
const attempts = new Map<string, Attempt[]>();

/** Notes the attempt and waits for the test. */
async function hold(attempt: Attempt): Promise<unknown> {
  const id = attempt.task.activityId!;
  attempts.set(id, [...(attempts.get(id) ?? []), attempt]);
  return await new Promise((resolve) => gates.set(id, resolve));
}

const activities = {
  echo: async ({ args: [first] }: Attempt) => first,
  sum: async ({ args }: Attempt) => (args as number[]).reduce((a, b) => a + b, 0),
  nothing: async () => undefined,
  fail: async ({ args: [what] }: Attempt) => {
    const cause = ApplicationFailure.create({ message: 'inner', details: [what] });
    throw ApplicationFailure.create({ message: 'outer', type: 'Outer', nonRetryable: true, cause });
  },
  hold,
  beats: async (attempt: Attempt) => {
    await attempt.beat({ done: 1 });
    return await hold(attempt);
  },
  untilCancelled: async ({ beat }: Attempt) => {
    for (;;) {
      const { cancelRequested } = await beat();
      if (cancelRequested) throw new CancelledFailure('cancelled', ['tidied up']);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
  failsThrice: async (attempt: Attempt) => {
    const id = attempt.task.activityId!;
    const before = attempts.get(id) ?? [];
    attempts.set(id, [...before, attempt]);
    if (before.length === 2) return 'third time';
    await attempt.beat(`attempt ${attempt.task.attempt}`);
    throw ApplicationFailure.create({ message: 'not yet' });
  },
  failsOnce: async ({ task }: Attempt) => {
    if (task.attempt === 1) throw ApplicationFailure.create({ message: 'not yet' });
    return task.attempt;
  },
};

beforeAll(async () => {
  server = await startDevServer({
    useExisting: false,
    searchAttributes: { Customer: 'Keyword' },
    // Short enough that a result takes several polls.
    dynamicConfigValues: { 'activity.longPollTimeout': '300ms', 'activity.longPollBuffer': '100ms' },
  });
  connection = await Connection.connect({ address: server.address });
  client = new Client({ connection, identity: 'the-client' }).activity;
  worker = new HandActivities(connection, taskQueue, activities);
});
afterAll(async () => {
  for (const open of gates.values()) open(undefined);
  await worker?.stop();
  await connection?.close();
  await server?.stop();
});

const options = (rest: Partial<ActivityOptions> = {}): ActivityOptions => ({
  id: randomUUID(),
  taskQueue,
  startToCloseTimeout: '1m',
  ...rest,
});
const makeClient = (rest: ClientOptions) => new Client({ connection, ...rest }).activity;

async function failureOf(running: Promise<unknown>): Promise<any> {
  try {
    await running;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

/** An activity whose first attempt is with the worker. */
async function held(rest: Partial<ActivityOptions> = {}, activity = 'hold'): Promise<ActivityHandle> {
  const handle = await client.start(activity, options(rest));
  await eventually(() => attempts.get(handle.activityId)?.length === 1);
  return handle;
}

async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of all) items.push(item);
  return items;
}

describe('start', () => {
  it('sends every option to the server', async () => {
    const headers: ActivityClientInterceptor = {
      start: (input, next) =>
        next({ ...input, headers: { trace: defaultPayloadConverter.toPayload('t1')! } }),
    };
    const handle = await makeClient({ identity: 'the-client', interceptors: { activity: [headers] } }).start(
      'echo',
      {
        id: randomUUID(),
        taskQueue: idle,
        args: [1, 'two', { three: 3 }],
        heartbeatTimeout: '7s',
        retry: {
          initialInterval: '2s',
          backoffCoefficient: 3,
          maximumInterval: '1m',
          maximumAttempts: 4,
          nonRetryableErrorTypes: ['Never'],
        },
        startToCloseTimeout: '10s',
        scheduleToStartTimeout: 20_000,
        scheduleToCloseTimeout: '30s',
        summary: 'what it is for',
        priority: { priorityKey: 2, fairnessKey: 'tenant', fairnessWeight: 1.5 },
        startDelay: '1h',
        typedSearchAttributes: [{ key: customer, value: 'Ada' }],
      },
    );
    const description = await handle.describe({ includeInput: true });
    expect(description).toMatchObject({
      activityId: handle.activityId,
      activityRunId: handle.runId,
      activityType: 'echo',
      taskQueue: idle,
      status: 'RUNNING',
      runState: 'SCHEDULED',
      attempt: 1,
      heartbeatTimeoutMs: 7_000,
      startToCloseTimeoutMs: 10_000,
      scheduleToStartTimeoutMs: 20_000,
      scheduleToCloseTimeoutMs: 30_000,
      startDelayMs: 3_600_000,
      retryPolicy: {
        initialInterval: 2_000,
        backoffCoefficient: 3,
        maximumInterval: 60_000,
        maximumAttempts: 4,
        nonRetryableErrorTypes: ['Never'],
      },
      priority: { priorityKey: 2, fairnessKey: 'tenant', fairnessWeight: 1.5 },
      hasInput: true,
      hasResult: false,
      hasOutcomeFailure: false,
      hasHeartbeatDetails: false,
      hasLastFailure: false,
      rawCallbacks: [],
    });
    expect(description.typedSearchAttributes.get(customer)).toBe('Ada');
    expect(await description.getInput()).toEqual([1, 'two', { three: 3 }]);
    const { scheduleTime, executionTime, expirationTime } = description;
    expect(executionTime!.getTime() - scheduleTime!.getTime()).toBe(3_600_000);
    expect(expirationTime!.getTime() - executionTime!.getTime()).toBe(30_000);
    const { header, userMetadata } = description.rawInfo;
    expect(defaultPayloadConverter.fromPayload(header!.fields!.trace!)).toBe('t1');
    expect(defaultPayloadConverter.fromPayload(userMetadata!.summary!)).toBe('what it is for');
    await handle.terminate('tested');
  });

  it('tells all problems of the options in one error', async () => {
    const wrong = { id: '', args: 3, startDelay: -1, heartbeatTimeout: 'soon', idReusePolicy: 'MAYBE' };
    const error = await failureOf(client.start('', wrong as any));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toMatch(
      /name of the activity.*id must.*taskQueue must.*startToCloseTimeout or scheduleToCloseTimeout.*args must.*startDelay must not be negative.*heartbeatTimeout.*MAYBE/,
    );
    expect(() => client.getHandle('')).toThrow(ValueError);
  });

  it('refuses the id of a running activity, and shares it where the policy allows', async () => {
    const first = await client.start('echo', options({ taskQueue: idle }));
    const { activityId: id, runId } = first;
    const error = await failureOf(client.start('echo', options({ id, taskQueue: idle })));
    expect(error).toBeInstanceOf(ActivityExecutionAlreadyStartedError);
    expect(hasCode(error, 'ACTIVITY_EXECUTION_ALREADY_STARTED')).toBe(true);
    expect(error).toMatchObject({ activityId: id, runId, cause: { code: status.ALREADY_EXISTS } });
    const shared = await client.start(
      'echo',
      options({ id, taskQueue: idle, idConflictPolicy: 'USE_EXISTING' }),
    );
    expect(shared.runId).toBe(runId);
    await first.terminate('tested');
  });

  it('uses the id of a closed activity again as the policy says', async () => {
    const id = randomUUID();
    const again = (idReusePolicy?: ActivityOptions['idReusePolicy'], activity = 'echo') =>
      client.start(activity, options({ id, idReusePolicy }));
    const failed = await again(undefined, 'fail');
    await failureOf(failed.result());
    await expect(again('REJECT_DUPLICATE')).rejects.toThrow(ActivityExecutionAlreadyStartedError);
    const completed = await again('ALLOW_DUPLICATE_FAILED_ONLY');
    await completed.result();
    await expect(again('ALLOW_DUPLICATE_FAILED_ONLY')).rejects.toThrow(ActivityExecutionAlreadyStartedError);
    const last = await again();
    expect(new Set([failed.runId, completed.runId, last.runId]).size).toBe(3);
    expect((await client.getHandle(id).describe()).activityRunId).toBe(last.runId);
    expect((await client.getHandle(id, failed.runId).describe()).status).toBe('FAILED');
  });

  it('says which namespace is unknown', async () => {
    const error = await failureOf(makeClient({ namespace: 'nowhere' }).start('echo', options()));
    expect(error).toBeInstanceOf(NamespaceNotFoundError);
  });
});

describe('the result', () => {
  it('is the value that the activity returned', async () => {
    expect(await client.execute('echo', options({ args: [{ deep: [1, null] }] }))).toEqual({
      deep: [1, null],
    });
    expect(await client.execute('nothing', options())).toBeUndefined();
    const typed = client.typed<{ sum(a: number, b: number): Promise<number> }>();
    expect(await typed.execute('sum', { ...options(), args: [40, 2] })).toBe(42);
    const handle = await client.start('echo', options({ args: ['later'] }));
    expect(await client.getHandle(handle.activityId, handle.runId).result()).toBe('later');
    expect(await client.getHandleWithOptions(handle.activityId, {}).result()).toBe('later');
  });

  it('is waited for over as many polls as it takes', async () => {
    const handle = await held();
    const result = handle.result();
    await new Promise((resolve) => setTimeout(resolve, 700));
    gates.get(handle.activityId)!('at last');
    expect(await result).toBe('at last');
  });

  it('is the failure of the activity, with its causes', async () => {
    const handle = await client.start('fail', options({ args: ['detail'] }));
    const error = await failureOf(handle.result());
    expect(error).toBeInstanceOf(ActivityExecutionFailedError);
    expect(hasCode(error, 'ACTIVITY_EXECUTION_FAILED')).toBe(true);
    expect(error).toMatchObject({
      message: 'Activity execution failed',
      activityId: handle.activityId,
      runId: handle.runId,
    });
    expect(error.cause).toBeInstanceOf(ApplicationFailure);
    expect(error.cause).toMatchObject({ message: 'outer', type: 'Outer', nonRetryable: true });
    expect(error.cause.cause).toMatchObject({ message: 'inner', details: ['detail'] });
  });

  it('is a timeout, a termination or a cancellation where that is how the activity ended', async () => {
    const late = options({ taskQueue: idle, scheduleToStartTimeout: 100 });
    const timedOut = await failureOf(client.execute('echo', late));
    expect(timedOut.cause).toBeInstanceOf(TimeoutFailure);
    expect(timedOut.cause.timeoutType).toBe(TimeoutType.SCHEDULE_TO_START);
    const terminated = await client.start('echo', options({ taskQueue: idle }));
    await terminated.terminate('no longer needed');
    const termination = await failureOf(terminated.result());
    expect(termination.cause).toBeInstanceOf(TerminatedFailure);
    expect(termination.cause.message).toContain('no longer needed');
    const cancelled = await client.start('untilCancelled', options({ heartbeatTimeout: '10s' }));
    await eventually(
      () => cancelled.describe(),
      ({ runState }) => runState === 'STARTED',
    );
    await cancelled.cancel('changed our mind');
    const cancellation = await failureOf(cancelled.result());
    expect(cancellation.cause).toBeInstanceOf(CancelledFailure);
    expect(cancellation.cause.details).toEqual(['tidied up']);
    expect(await cancelled.describe()).toMatchObject({
      status: 'CANCELED',
      canceledReason: 'changed our mind',
      executionDurationMs: expect.any(Number),
      closeTime: expect.any(Date),
    });
  });

  it('is waited for no longer than a deadline or a signal allows', async () => {
    const handle = await client.start('echo', options({ taskQueue: idle }));
    const late = await failureOf(client.withDeadline(Date.now() + 500, () => handle.result()));
    expect(late).toBeInstanceOf(ServiceError);
    expect(isGrpcDeadlineError(late)).toBe(true);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 100);
    const aborted = await failureOf(client.withAbortSignal(abort.signal, () => handle.result()));
    expect(isGrpcCancelledError(aborted)).toBe(true);
    await handle.terminate('tested');
  });

  it('has no activity where there is none', async () => {
    const nobody = client.getHandle('nobody');
    for (const call of [
      () => nobody.result(),
      () => nobody.describe(),
      () => nobody.cancel('x'),
      () => nobody.terminate('x'),
      () => nobody.pause(),
      () => nobody.unpause(),
      () => nobody.reset(),
      () => nobody.updateOptions({ taskQueue: 'q' }),
      () => nobody.restoreOriginalOptions(),
    ]) {
      const error = await failureOf(call());
      expect(error).toBeInstanceOf(ActivityNotFoundError);
      expect(error.cause.code).toBe(status.NOT_FOUND);
    }
  });
});

describe('describe', () => {
  it('gives what it is asked for, and nothing else', async () => {
    const handle = await held({ args: ['in'], heartbeatTimeout: '1m' }, 'beats');
    const plain = await handle.describe();
    expect(plain).toMatchObject({
      runState: 'STARTED',
      totalHeartbeatCount: 1,
      lastHeartbeatTime: expect.any(Date),
      lastStartedTime: expect.any(Date),
      lastWorkerIdentity: 'hand-activities',
      hasInput: false,
      hasHeartbeatDetails: false,
    });
    expect(await plain.getInput()).toBeUndefined();
    expect(await plain.getHeartbeatDetails()).toBeUndefined();
    const running = await handle.describe({ includeInput: true, includeHeartbeatDetails: true });
    expect(running).toMatchObject({ hasInput: true, hasHeartbeatDetails: true });
    expect(await running.getInput()).toEqual(['in']);
    expect(await running.getHeartbeatDetails()).toEqual({ done: 1 });
    gates.get(handle.activityId)!('out');
    await handle.result();
    const closed = await handle.describe({ includeOutcome: true });
    expect(closed).toMatchObject({ status: 'COMPLETED', runState: undefined, hasResult: true });
    expect(await closed.getResult()).toBe('out');
    expect(await closed.getOutcomeFailure()).toBeUndefined();
  });

  it('gives the last failure and the failure that the activity ended with', async () => {
    const retried = await client.start('failsOnce', options({ retry: { initialInterval: 1 } }));
    expect(await retried.result()).toBe(2);
    const description = await retried.describe({ includeLastFailure: true, includeOutcome: true });
    expect(description).toMatchObject({ attempt: 2, hasLastFailure: true, hasOutcomeFailure: false });
    expect(await description.getLastFailure()).toMatchObject({ message: 'not yet' });
    expect(await (await retried.describe()).getLastFailure()).toBeUndefined();
    const failed = await client.start('fail', options());
    await failureOf(failed.result());
    const outcome = await failed.describe({ includeOutcome: true });
    expect(outcome).toMatchObject({ status: 'FAILED', hasOutcomeFailure: true, hasResult: false });
    expect(await outcome.getOutcomeFailure()).toMatchObject({
      message: 'outer',
      cause: { message: 'inner' },
    });
    expect(await outcome.getResult()).toBeUndefined();
  });
});

describe('an activity that runs', () => {
  it('makes no further attempt while it is paused', async () => {
    // Nobody works on its queue before it is paused.
    const queue = `paused-${randomUUID()}`;
    const handle = await client.start('echo', options({ args: ['done'], taskQueue: queue }));
    await handle.pause({ reason: 'wait' });
    expect(await handle.describe()).toMatchObject({ status: 'PAUSED', runState: 'PAUSED' });
    const late = new HandActivities(connection, queue, activities);
    try {
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect((await handle.describe()).status).toBe('PAUSED');
      const twice = await failureOf(handle.pause());
      expect(twice).toBeInstanceOf(ServiceError);
      expect(twice.cause.code).toBe(status.FAILED_PRECONDITION);
      await handle.unpause({ reason: 'go on', jitter: 10 });
      expect(await handle.result()).toBe('done');
    } finally {
      await late.stop();
    }
  });

  it('hears of a pause with its next heartbeat', async () => {
    const handle = await held({ heartbeatTimeout: '1m' });
    await handle.pause();
    expect(await handle.describe()).toMatchObject({ runState: 'PAUSE_REQUESTED' });
    const [attempt] = attempts.get(handle.activityId)!;
    expect(await attempt!.beat()).toMatchObject({ activityPaused: true });
    gates.get(handle.activityId)!('done');
    expect(await handle.result()).toBe('done');
  });

  it('begins anew, with or without what its heartbeats said', async () => {
    const handle = await client.start('failsThrice', options({ retry: { initialInterval: '1m' } }));
    const waits = async (attempt: number) =>
      await eventually(
        () => handle.describe({ includeHeartbeatDetails: true }),
        (description) => description.attempt === attempt && description.lastAttemptCompleteTime !== undefined,
      );
    expect(await (await waits(2)).getHeartbeatDetails()).toBe('attempt 1');
    await handle.updateOptions({ retry: { initialInterval: '2m' } });
    const before = attempts.get(handle.activityId)!.length;
    await handle.reset();
    await eventually(() => attempts.get(handle.activityId)!.length > before);
    const last = () => attempts.get(handle.activityId)!.at(-1)!.task;
    expect(last().attempt).toBe(1);
    expect(last().heartbeatDetails?.payloads).toHaveLength(1);
    await eventually(
      () => handle.describe(),
      ({ runState, attempt }) => runState === 'SCHEDULED' && attempt === 2,
    );
    expect((await handle.describe()).retryPolicy.initialInterval).toBe(120_000);
    await handle.reset({ resetHeartbeat: true, restoreOriginalOptions: true, jitter: 10 });
    expect(await handle.result()).toBe('third time');
    expect(last().heartbeatDetails?.payloads ?? []).toEqual([]);
    expect((await handle.describe()).retryPolicy.initialInterval).toBe(60_000);
  });

  it('stays paused when it is reset, if asked to', async () => {
    const handle = await client.start('echo', options({ taskQueue: idle }));
    await handle.pause();
    await handle.reset({ keepPaused: true });
    expect((await handle.describe()).status).toBe('PAUSED');
    await handle.reset();
    expect((await handle.describe()).status).toBe('RUNNING');
    await handle.terminate('tested');
  });

  it('gets other options, loses some, and gets those back that it was started with', async () => {
    const handle = await client.start(
      'echo',
      options({ taskQueue: idle, heartbeatTimeout: '5s', startDelay: '1h', args: ['moved'] }),
    );
    const changed = await handle.updateOptions({
      scheduleToCloseTimeout: '3h',
      scheduleToStartTimeout: '2h',
      startToCloseTimeout: '2m',
      heartbeatTimeout: null,
      retry: { maximumAttempts: 3, initialInterval: '2s' },
      priority: { priorityKey: 4 },
      startDelay: '2h',
    });
    const expected = {
      taskQueue: idle,
      scheduleToCloseTimeout: 10_800_000,
      scheduleToStartTimeout: 7_200_000,
      startToCloseTimeout: 120_000,
      heartbeatTimeout: 0,
      retry: { maximumAttempts: 3, initialInterval: 2_000 },
      priority: { priorityKey: 4 },
      startDelay: 7_200_000,
    };
    expect(changed).toMatchObject(expected);
    expect(await handle.describe()).toMatchObject({
      scheduleToCloseTimeoutMs: 10_800_000,
      heartbeatTimeoutMs: 0,
      retryPolicy: { maximumAttempts: 3 },
      priority: { priorityKey: 4 },
    });
    expect(await handle.updateOptions({ priority: null, retry: null })).toMatchObject({
      startToCloseTimeout: 120_000,
      priority: undefined,
      retry: { maximumAttempts: undefined, initialInterval: 1_000 },
    });
    expect(await handle.restoreOriginalOptions()).toMatchObject({
      taskQueue: idle,
      startToCloseTimeout: 60_000,
      scheduleToCloseTimeout: 0,
      heartbeatTimeout: 5_000,
      startDelay: 3_600_000,
    });
    await expect(handle.updateOptions({})).rejects.toThrow(ValueError);
    await expect(handle.updateOptions({ startToCloseTimeout: null })).rejects.toThrow(ServiceError);
    // What is in force is what counts: the worker's queue, and no delay any more.
    await handle.updateOptions({ taskQueue, startDelay: 0 });
    expect(await handle.result()).toBe('moved');
  });

  it('can be completed, failed and kept alive from outside', async () => {
    const completed = await held({ heartbeatTimeout: '1m' });
    const { activityId, runId } = completed;
    await client.heartbeat({ activityId, runId }, 'alive');
    const alive = await completed.describe({ includeHeartbeatDetails: true });
    expect(await alive.getHeartbeatDetails()).toBe('alive');
    await client.complete({ activityId, runId }, 'from outside');
    expect(await completed.result()).toBe('from outside');
    const failed = await held({ retry: { maximumAttempts: 1 } });
    await client.fail({ activityId: failed.activityId }, new Error('broken outside'));
    expect((await failureOf(failed.result())).cause.message).toBe('broken outside');
  });
});

describe('list and count', () => {
  it('find what a query asks for', async () => {
    const who = randomUUID();
    const typedSearchAttributes = new TypedSearchAttributes([{ key: customer, value: who }]);
    const running = await client.start('echo', options({ taskQueue: idle, typedSearchAttributes }));
    const done = await client.start('echo', options({ typedSearchAttributes }));
    await done.result();
    const query = `Customer = '${who}'`;
    const found = await eventually(
      () => collect(client.list(query)),
      (all) => all.length === 2 && all.some((info) => info.status === 'COMPLETED'),
    );
    const byId = (id: string): ActivityExecutionInfo => found.find(({ activityId }) => activityId === id)!;
    expect(byId(done.activityId)).toMatchObject({
      activityRunId: done.runId,
      activityType: 'echo',
      taskQueue,
      closeTime: expect.any(Date),
      executionDurationMs: expect.any(Number),
    });
    expect(byId(done.activityId).typedSearchAttributes.get(customer)).toBe(who);
    expect(byId(running.activityId)).toMatchObject({ status: 'RUNNING', closeTime: undefined });
    expect(byId(running.activityId).rawListInfo!.runId).toBe(running.runId);
    expect((await client.count(query)).count).toBe(2);
    const { count, groups } = await client.count(`${query} GROUP BY ExecutionStatus`);
    expect(count).toBe(2);
    expect(groups).toHaveLength(2);
    expect(groups).toContainEqual({ count: 1, groupValues: [['Running']] });
    await running.terminate('tested');
  });

  it('say what is wrong with a query', async () => {
    for (const run of [() => collect(client.list('what?')), () => client.count('what?')]) {
      const error = await failureOf(run());
      expect(error).toBeInstanceOf(ServiceError);
      expect(error.cause.code).toBe(status.INVALID_ARGUMENT);
      expect(error.message).toContain('invalid query');
    }
  });
});

describe('interceptors', () => {
  it('see every call, the first one outermost, and may change it', async () => {
    const seen: string[] = [];
    const watch = (name: string): ActivityClientInterceptor =>
      Object.fromEntries(
        (
          [
            'start',
            'getResult',
            'describe',
            'cancel',
            'terminate',
            'list',
            'count',
            'pause',
            'unpause',
            'reset',
            'updateOptions',
            'restoreOriginalOptions',
          ] as const
        ).map((method) => [
          method,
          (input: any, next: any) => {
            seen.push(`${name}.${method}`);
            return next(
              method === 'start' ? { ...input, options: { ...input.options, summary: name } } : input,
            );
          },
        ]),
      );
    const watched = makeClient({ interceptors: { activity: [watch('outer'), watch('inner')] } });
    const handle = await watched.start('echo', options({ taskQueue: idle }));
    const { rawInfo } = await handle.describe();
    expect(defaultPayloadConverter.fromPayload(rawInfo.userMetadata!.summary!)).toBe('inner');
    await handle.pause();
    await handle.unpause();
    await handle.reset();
    await handle.updateOptions({ heartbeatTimeout: '1s' });
    await handle.restoreOriginalOptions();
    await handle.cancel('x');
    await failureOf(handle.result());
    await failureOf(handle.terminate('x'));
    await collect(watched.list(`ActivityId = '${handle.activityId}'`));
    await watched.count('');
    const calls = [
      'start',
      'describe',
      'pause',
      'unpause',
      'reset',
      'updateOptions',
      'restoreOriginalOptions',
    ];
    expect(seen).toEqual(
      [...calls, 'cancel', 'getResult', 'terminate', 'list', 'count'].flatMap((method) => [
        `outer.${method}`,
        `inner.${method}`,
      ]),
    );
  });

  it('may answer in place of the server', async () => {
    const faked = makeClient({
      interceptors: { activity: [{ getResult: async () => 'made up', count: async () => ({ count: 7 }) }] },
    });
    expect(await faked.getHandle('whatever').result()).toBe('made up');
    expect(await faked.count('')).toEqual({ count: 7 });
  });
});

describe('payloads', () => {
  it('pass the codec, which is told which activity they belong to', async () => {
    const contexts: (SerializationContext | undefined)[] = [];
    class Noting extends FlipCodec {
      override async encode(...[payloads, context]: [any, SerializationContext?]) {
        contexts.push(context);
        return await super.encode(payloads);
      }
      override async decode(...[payloads, context]: [any, SerializationContext?]) {
        contexts.push(context);
        return await super.decode(payloads);
      }
    }
    const codec = new Noting();
    const secret = makeClient({ dataConverter: { payloadCodecs: [codec] } });
    const queue = `secret-${randomUUID()}`;
    const secretWorker = new HandActivities(connection, queue, activities, {
      payloadCodecs: [new FlipCodec()],
    });
    try {
      const done = await secret.start('echo', options({ taskQueue: queue, args: ['x'], summary: 'y' }));
      expect(await done.result()).toBe('x');
      const failed = await secret.start('fail', options({ taskQueue: queue, args: ['x'] }));
      expect((await failureOf(failed.result())).cause.cause.details).toEqual(['x']);
      const raw = await client.getHandle(done.activityId).describe({ includeInput: true });
      expect(await failureOf(raw.getInput())).toBeInstanceOf(Error);
      expect(await (await done.describe({ includeInput: true })).getInput()).toEqual(['x']);
      for (const { activityId } of [done, failed]) {
        expect(contexts).toContainEqual({
          type: 'activity',
          namespace: 'default',
          activityId,
          isLocal: false,
        });
      }
      expect(contexts.every((context) => context?.type === 'activity')).toBe(true);
    } finally {
      await secretWorker.stop();
    }
  });
});

describe('external storage', () => {
  it('holds large arguments and results, and is told whose they are', async () => {
    const stored: Payload[] = [];
    const targets: unknown[] = [];
    const externalStorage = new ExternalStorage({
      payloadSizeThreshold: 1_000,
      drivers: [
        {
          name: 'memory',
          type: 'memory',
          store: async ({ target }, payloads) =>
            payloads.map((payload) => {
              targets.push(target);
              return new StorageDriverClaim({ at: String(stored.push(payload) - 1) });
            }),
          retrieve: async (_context, claims) => claims.map(({ claimData }) => stored[Number(claimData.at)]!),
        },
      ],
    });
    const storing = makeClient({ dataConverter: { externalStorage } });
    const queue = `storing-${randomUUID()}`;
    const storingWorker = new HandActivities(connection, queue, activities, { externalStorage });
    try {
      const long = 'x'.repeat(5_000);
      const handle = await storing.start('echo', options({ taskQueue: queue, args: [long] }));
      expect(await handle.result()).toBe(long);
      expect(stored).toHaveLength(2); // argument and result
      const target = { kind: 'activity', namespace: 'default', id: handle.activityId };
      expect(targets).toEqual([{ ...target, type: 'echo' }, expect.objectContaining(target)]);
      const described = await handle.describe({ includeInput: true, includeOutcome: true });
      expect([await described.getInput(), await described.getResult()]).toEqual([[long], long]);
      const without = await client.getHandle(handle.activityId).describe({ includeInput: true });
      await expect(without.getInput()).rejects.toThrow(/external storage/i);
    } finally {
      await storingWorker.stop();
    }
  });
});

describe('a server without activities of their own', () => {
  it('is told apart by an error that names the setting', async () => {
    const without = await startDevServer({
      useExisting: false,
      dynamicConfigValues: { 'activity.enableStandalone': false },
    });
    const to = await Connection.connect({ address: without.address });
    try {
      const refused = new Client({ connection: to }).activity;
      const handle = refused.getHandle('a');
      const calls: [string, () => Promise<unknown>][] = [
        ['start', () => refused.start('echo', options())],
        ['result', () => handle.result()],
        ['describe', () => handle.describe()],
        ['cancel', () => handle.cancel('')],
        ['terminate', () => handle.terminate('')],
        ['pause', () => handle.pause()],
        ['unpause', () => handle.unpause()],
        ['reset', () => handle.reset()],
        ['updateOptions', () => handle.updateOptions({ startDelay: 1 })],
        ['restoreOriginalOptions', () => handle.restoreOriginalOptions()],
        ['list', () => collect(refused.list(''))],
        ['count', () => refused.count('')],
      ];
      for (const [name, call] of calls) {
        const error = await failureOf(call());
        expect([name, error.code, error.setting]).toEqual([
          name,
          'SERVER_FEATURE_UNAVAILABLE',
          'activity.enableStandalone',
        ]);
        expect(error).toBeInstanceOf(ServerFeatureUnavailableError);
        expect(error).toBeInstanceOf(ServiceError);
        expect(error.hint).toContain('--dynamic-config-value activity.enableStandalone=true');
        expect(error.cause.code).toBe(status.UNIMPLEMENTED);
      }
    } finally {
      await to.close();
      await without.stop();
    }
  });
});

describe('the traffic', () => {
  async function scripted<T>(
    script: Record<string, Answer[]>,
    fn: (activity: ActivityClient, server: ScriptedServer) => Promise<T>,
  ): Promise<T> {
    const fake = new ScriptedServer();
    fake.script = script;
    const to = await Connection.connect({ address: await fake.listen() });
    fake.asked.length = 0;
    try {
      return await fn(new Client({ connection: to, identity: 'me', namespace: 'ns' }).activity, fake);
    } finally {
      await to.close();
      fake.close();
    }
  }

  it('repeats what failed on the way with the same request id', async () => {
    const twice: Answer[] = [{ code: status.UNAVAILABLE }, { message: { runId: 'r' } }];
    const script = Object.fromEntries(
      [
        'startActivityExecution',
        'requestCancelActivityExecution',
        'terminateActivityExecution',
        'pauseActivityExecution',
        'unpauseActivityExecution',
        'resetActivityExecution',
        'updateActivityExecutionOptions',
      ].map((method) => [method, [...twice]]),
    );
    await scripted(script, async (activity, fake) => {
      const handle = await activity.start('echo', options());
      expect(handle.runId).toBe('r');
      await handle.cancel('c');
      await handle.terminate('t');
      await handle.pause({ reason: 'p' });
      await handle.unpause({ reason: 'u', jitter: '2s' });
      await handle.reset({ keepPaused: true });
      await handle.updateOptions({ taskQueue: 'other', heartbeatTimeout: null });
      for (const method of Object.keys(script)) {
        const [first, second, ...more] = fake.asked.filter((asked) => asked.method === method);
        expect(more).toEqual([]);
        expect(second!.request).toEqual(first!.request);
        expect(first!.request).toMatchObject({
          namespace: 'ns',
          identity: 'me',
          requestId: expect.any(String),
        });
        expect(first!.headers.get('temporal-namespace')).toEqual(['ns']);
      }
      const requestOf = (method: string) => fake.asked.find((asked) => asked.method === method)!.request;
      expect(requestOf('requestCancelActivityExecution')).toMatchObject({ runId: 'r', reason: 'c' });
      expect(requestOf('unpauseActivityExecution').jitter.seconds.toNumber()).toBe(2);
      const { updateMask, activityOptions, restoreOriginal } = requestOf('updateActivityExecutionOptions');
      expect(updateMask).toEqual(['task_queue.name', 'heartbeat_timeout']);
      expect(activityOptions).toMatchObject({ taskQueue: { name: 'other' }, heartbeatTimeout: undefined });
      expect(restoreOriginal).toBe(false);
    });
  });

  it('stays with the run that was the latest when the wait began', async () => {
    const payload = defaultPayloadConverter.toPayload('out');
    const answers: Answer[] = [
      { message: { runId: 'first' } },
      { message: { runId: 'first', outcome: { result: { payloads: [payload] } } } },
    ];
    await scripted({ pollActivityExecution: answers }, async (activity, fake) => {
      expect(await activity.getHandle('a').result()).toBe('out');
      expect(fake.asked.map(({ request }) => request.runId)).toEqual(['', 'first']);
    });
  });

  it('asks for the next page when that is needed, and not before', async () => {
    const page = (id: string, token: string): Answer => ({
      message: { executions: [{ activityId: id, status: 1 }], nextPageToken: Buffer.from(token) },
    });
    const pages = () => [page('a', 'one'), page('b', 'two'), page('c', '')];
    await scripted({ listActivityExecutions: pages() }, async (activity, fake) => {
      for await (const { activityId } of activity.list('q')) if (activityId === 'b') break;
      expect(
        fake.asked.map(({ request }) => [request.query, Buffer.from(request.nextPageToken).toString()]),
      ).toEqual([
        ['q', ''],
        ['q', 'one'],
      ]);
    });
    await scripted({ listActivityExecutions: pages() }, async (activity) => {
      expect((await collect(activity.list(''))).map(({ activityId }) => activityId)).toEqual(['a', 'b', 'c']);
    });
  });

  it('tells servers that know no such call from those that refuse it', async () => {
    const unknown: Answer = { code: status.UNIMPLEMENTED, details: 'unknown method' };
    const script = {
      startActivityExecution: [unknown],
      pauseActivityExecution: [unknown],
      countActivityExecutions: [{ code: status.PERMISSION_DENIED, details: 'not yours' }],
      describeActivityExecution: [{ message: {} }],
    };
    await scripted(script, async (activity, fake) => {
      expect(await failureOf(activity.start('echo', options()))).toMatchObject({
        code: 'SERVER_FEATURE_UNAVAILABLE',
        setting: 'activity.enableStandalone',
      });
      expect(await failureOf(activity.getHandle('a').pause())).toMatchObject({
        code: 'SERVER_FEATURE_UNAVAILABLE',
        setting: 'history.enableStandaloneActivityOperatorCommands',
      });
      expect(await failureOf(activity.count(''))).toMatchObject({
        code: 'CLIENT_PERMISSION_DENIED',
        message: 'Failed to count activities: not yours',
        cause: { code: status.PERMISSION_DENIED },
      });
      expect((await failureOf(activity.getHandle('a').describe())).message).toContain('is empty');
      expect(fake.asked).toHaveLength(4); // none of these is repeated
    });
  });
});

describe('the enums', () => {
  it('are those of the protocol', () => {
    const pairs: [any, (value: any) => unknown, (value: any) => unknown, string][] = [
      [
        ActivityIdReusePolicy,
        encodeActivityIdReusePolicy,
        decodeActivityIdReusePolicy,
        'ACTIVITY_ID_REUSE_POLICY_',
      ],
      [
        ActivityIdConflictPolicy,
        encodeActivityIdConflictPolicy,
        decodeActivityIdConflictPolicy,
        'ACTIVITY_ID_CONFLICT_POLICY_',
      ],
      [
        ActivityExecutionStatus,
        encodeActivityExecutionStatus,
        decodeActivityExecutionStatus,
        'ACTIVITY_EXECUTION_STATUS_',
      ],
      [
        PendingActivityState,
        encodePendingActivityState,
        decodePendingActivityState,
        'PENDING_ACTIVITY_STATE_',
      ],
    ];
    for (const [proto, encode, decode, prefix] of pairs) {
      const names = Object.keys(proto).filter((name) => name.startsWith(prefix));
      for (const name of names) {
        const short = name.slice(prefix.length);
        expect([name, encode(short), encode(name), encode(proto[name])]).toEqual([
          name,
          proto[name],
          proto[name],
          proto[name],
        ]);
        expect(decode(proto[name])).toBe(short === 'UNSPECIFIED' ? undefined : short);
      }
      expect(names.length).toBeGreaterThan(2);
      expect(encode(undefined)).toBeUndefined();
      expect(() => encode('SOMETHING')).toThrow(ValueError);
    }
  });
});
