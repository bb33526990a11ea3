/** Activities that no workflow has started: client, server, worker, and back. */
import { randomUUID } from 'node:crypto';
import {
  activityInfo,
  CompleteAsyncError,
  cancellationDetails,
  cancellationSignal,
  getClient,
  heartbeat,
  type Info,
  log,
  sleep,
} from '@perdure/activity';
import { type ActivityOptions, Client, type TypedActivityClient } from '@perdure/client';
import {
  ApplicationFailure,
  CancelledFailure,
  defaultPayloadConverter,
  type Payload,
  type PayloadCodec,
  type SerializationContext,
  TimeoutFailure,
} from '@perdure/common';
import type { Worker } from '@perdure/worker';
import { harness, until } from './support/harness';

const h = harness();
const infos = new Map<string, Info>();
const running = new Set<string>();
const ends = new Map<string, unknown>();
const headersSeen: unknown[] = [];

const activities = {
  add: async (a: number, b: number) => {
    infos.set(activityInfo().activityId, activityInfo());
    return a + b;
  },
  refuse: async (why: string) => {
    throw ApplicationFailure.create({
      message: why,
      type: 'Refused',
      nonRetryable: true,
      details: [{ why }],
      cause: new TypeError('root'),
    });
  },
  /** Goes on where the attempt before has stopped. */
  resumes: async () => {
    const from: number = activityInfo().heartbeatDetails ?? 0;
    heartbeat(from + 1);
    if (activityInfo().attempt < 2) throw new Error(`stopped at ${from}`);
    return from + 1;
  },
  waits: async () => {
    const { activityId } = activityInfo();
    running.add(activityId);
    log.info('waiting');
    const beats = setInterval(() => heartbeat(), 20);
    try {
      await sleep('1h');
      return 'waited';
    } catch (error) {
      const { cancelRequested, paused, notFound, timedOut, reset } = cancellationDetails()!;
      const { aborted } = cancellationSignal();
      ends.set(activityId, { aborted, cancelRequested, paused, notFound, timedOut, reset });
      throw error;
    } finally {
      clearInterval(beats);
    }
  },
  later: async () => {
    ends.set(activityInfo().activityId, activityInfo().taskToken);
    throw new CompleteAsyncError();
  },
  /** What the worker's client sees of this very activity. */
  seesItself: async () => {
    const { activityId, activityRunId } = activityInfo();
    const { status, runState } = await getClient().activity.getHandle(activityId, activityRunId).describe();
    return [status, runState];
  },
  default: async (...args: unknown[]) => [activityInfo().activityType, ...args],
};

let worker: Worker;
let client: TypedActivityClient<typeof activities>;

beforeAll(async () => {
  worker = await h.worker({
    activities,
    maxHeartbeatThrottleInterval: '50ms',
    defaultHeartbeatThrottleInterval: '50ms',
    interceptors: {
      activity: [
        () => ({
          inbound: {
            execute: (input, next) => {
              if (input.headers.trace)
                headersSeen.push(defaultPayloadConverter.fromPayload(input.headers.trace));
              return next(input);
            },
          },
        }),
      ],
    },
  });
  h.background(worker);
  client = h.client.activity.typed<typeof activities>();
});

const options = <Rest extends Partial<ActivityOptions> = object>(rest?: Rest) => ({
  id: `alone-${randomUUID()}`,
  taskQueue: worker.options.taskQueue,
  startToCloseTimeout: '10m' as const,
  ...(rest as Rest),
});

async function failureOf(wait: Promise<unknown>): Promise<any> {
  try {
    await wait;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

async function waiting(rest: Partial<ActivityOptions> = {}) {
  const handle = await h.client.activity.start('waits', options({ heartbeatTimeout: '2m', ...rest }));
  await until(() => running.has(handle.activityId), 'the activity runs');
  return handle;
}

it('runs, knows that no workflow has started it, and gives its result', async () => {
  const handle = await client.start('add', {
    ...options({
      scheduleToCloseTimeout: '20m',
      heartbeatTimeout: '3m',
      priority: { priorityKey: 2 },
      retry: { maximumAttempts: 4 },
    }),
    args: [40, 2],
  });
  expect(await handle.result()).toBe(42);
  const { activityId, runId } = handle;
  expect(infos.get(activityId)).toMatchObject({
    inWorkflow: false,
    activityId,
    activityRunId: runId,
    activityType: 'add',
    namespace: 'default',
    taskQueue: worker.options.taskQueue,
    attempt: 1,
    isLocal: false,
    startToCloseTimeoutMs: 600_000,
    scheduleToCloseTimeoutMs: 1_200_000,
    heartbeatTimeoutMs: 180_000,
    priority: { priorityKey: 2 },
    retryPolicy: { maximumAttempts: 4 },
  });
  for (const absent of ['workflowExecution', 'workflowType', 'workflowNamespace']) {
    expect(infos.get(activityId)).not.toHaveProperty(absent);
  }
});

it('fails with what it threw, causes included', async () => {
  const error = await failureOf(client.execute('refuse', { ...options(), args: ['no'] }));
  expect(error.cause).toBeInstanceOf(ApplicationFailure);
  expect(error.cause).toMatchObject({ message: 'no', type: 'Refused', details: [{ why: 'no' }] });
  expect(error.cause.cause).toMatchObject({ message: 'root', type: 'TypeError' });
});

it('is repeated, and gets the details of its last heartbeat back', async () => {
  const handle = await client.start(
    'resumes',
    options({ retry: { initialInterval: 1, maximumInterval: 1 } }),
  );
  expect(await handle.result()).toBe(2);
  expect((await handle.describe()).attempt).toBe(2);
});

it('is not found by its name: the default activity gets it', async () => {
  expect(await h.client.activity.execute('unheard of', options({ args: [1, 2] }))).toEqual([
    'unheard of',
    1,
    2,
  ]);
});

it('sees a cancellation with its next heartbeat', async () => {
  const handle = await waiting();
  await handle.cancel('enough');
  const error = await failureOf(handle.result());
  expect(error.cause).toBeInstanceOf(CancelledFailure);
  expect(ends.get(handle.activityId)).toMatchObject({ aborted: true, cancelRequested: true, paused: false });
});

it('sees a pause with its next heartbeat, and runs again afterwards', async () => {
  const handle = await waiting();
  await handle.pause({ reason: 'for a while' });
  await until(() => ends.has(handle.activityId), 'the activity has seen it');
  expect(ends.get(handle.activityId)).toMatchObject({ aborted: true, paused: true, cancelRequested: false });
  await until(async () => (await handle.describe()).runState === 'PAUSED', 'the activity is paused');
  running.delete(handle.activityId);
  await handle.unpause();
  await until(() => running.has(handle.activityId), 'the activity runs again');
  await handle.terminate('tested');
});

it('sees that it was terminated', async () => {
  const handle = await waiting();
  await handle.terminate('no longer needed');
  expect((await failureOf(handle.result())).cause.message).toContain('no longer needed');
  await until(() => ends.has(handle.activityId), 'the activity has seen it');
  expect(ends.get(handle.activityId)).toMatchObject({ aborted: true, notFound: true });
});

it('times out', async () => {
  const handle = await h.client.activity.start(
    'waits',
    options({ startToCloseTimeout: 500, retry: { maximumAttempts: 1 } }),
  );
  const error = await failureOf(handle.result());
  expect(error.cause).toBeInstanceOf(TimeoutFailure);
  expect((await handle.describe()).status).toBe('TIMED_OUT');
});

it('may be completed from outside, by token and by id', async () => {
  const { activity } = h.client;
  const byToken = await activity.start('later', options());
  await until(() => ends.has(byToken.activityId), 'the activity has left');
  await activity.complete(ends.get(byToken.activityId) as Uint8Array, 'by token');
  expect(await byToken.result()).toBe('by token');
  const byId = await activity.start('later', options());
  const { activityId, runId } = byId;
  await until(() => ends.has(activityId), 'the activity has left');
  await activity.complete({ activityId, runId }, 'by id');
  expect(await byId.result()).toBe('by id');
});

it('finds itself through the client of its worker', async () => {
  expect(await client.execute('seesItself', options())).toEqual(['RUNNING', 'STARTED']);
});

it('carries headers from the interceptor of the client to that of the worker', async () => {
  const traced = new Client({
    connection: h.client.connection,
    interceptors: {
      activity: [
        {
          start: (input, next) =>
            next({
              ...input,
              headers: { ...input.headers, trace: defaultPayloadConverter.toPayload('t-1')! },
            }),
        },
      ],
    },
  });
  await traced.activity.execute('add', options({ args: [1, 2] }));
  expect(headersSeen).toContain('t-1');
});

it('logs with what names it', async () => {
  const handle = await waiting();
  const line = h.log.lines.find(
    ({ message, meta }) => message === 'waiting' && meta.activityId === handle.activityId,
  );
  expect(line!.meta).toMatchObject({ activityType: 'waits', activityRunId: handle.runId, isLocal: false });
  expect(line!.meta).not.toHaveProperty('workflowId');
  await handle.terminate('tested');
});

it('has the same serialization context at the client and at the worker', async () => {
  const keyOf = (context?: SerializationContext) => Buffer.from(JSON.stringify(context ?? null));
  /** Payloads can only be read with the context that they were written with. */
  const bound: PayloadCodec & {
    encode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]>;
    decode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]>;
  } = {
    encode: async (payloads, context) =>
      payloads.map((payload) => ({ ...payload, metadata: { ...payload.metadata, boundTo: keyOf(context) } })),
    decode: async (payloads, context) =>
      payloads.map((payload) => {
        const { boundTo, ...metadata } = payload.metadata ?? {};
        if (Buffer.compare(boundTo ?? Buffer.of(), keyOf(context)) !== 0) {
          throw new Error(`written for ${Buffer.from(boundTo ?? [])}, read for ${keyOf(context)}`);
        }
        return { ...payload, metadata };
      }),
  };
  const dataConverter = { payloadCodecs: [bound] };
  const other = await h.worker({ activities, dataConverter });
  await other.runUntil(async () => {
    const { activity } = new Client({ connection: h.client.connection, dataConverter });
    const { taskQueue } = other.options;
    expect(await activity.execute('add', options({ taskQueue, args: [1, 2], summary: 's' }))).toBe(3);
    const error = await failureOf(activity.execute('refuse', options({ taskQueue, args: ['no'] })));
    expect(error.cause).toMatchObject({ message: 'no', details: [{ why: 'no' }] });
    const retry = { initialInterval: 1, maximumInterval: 1 };
    expect(await activity.execute('resumes', options({ taskQueue, retry }))).toBe(2);
  });
});
