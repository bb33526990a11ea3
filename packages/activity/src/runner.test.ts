import {
  ApplicationFailureCategory,
  defaultPayloadConverter,
  METADATA_ENCODING_KEY,
  type PayloadConverter,
  TimeoutFailure,
} from '@perdure/common';
import type { Failure } from '@perdure/proto/temporal/api/failure/v1/message';
import { ActivityCancelReason } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';
import fc from 'fast-check';
import * as api from './index';
import {
  ApplicationFailure,
  activityInfo,
  CompleteAsyncError,
  Context,
  heartbeat,
  log,
  sleep,
} from './index';
import { envelopeCodec, fromPayload, harness, toPayload } from './testing/harness';

const untilAborted = () =>
  new Promise<never>((_, reject) => {
    const { cancellationSignal } = Context.current();
    cancellationSignal.addEventListener('abort', () => reject(cancellationSignal.reason));
  });

const tick = (ms = 5) => new Promise((resolve) => setTimeout(resolve, ms));

describe('results', () => {
  it('gives the arguments to the function and its value to the completion', async () => {
    const h = harness({ add: async (a: number, b: number) => a + b });
    expect(fromPayload((await h.run('add', [2, 3])).completed?.result)).toBe(5);
  });

  it('takes functions that are not async', async () => {
    const h = harness({ twice: (text: string) => text + text });
    expect(fromPayload((await h.run('twice', ['ab'])).completed?.result)).toBe('abab');
  });

  it('completes with an undefined value when the function returns nothing', async () => {
    const h = harness({ nothing: async () => undefined });
    const { completed } = await h.run('nothing');
    expect(Buffer.from(completed?.result?.metadata?.[METADATA_ENCODING_KEY] ?? []).toString()).toBe(
      'binary/null',
    );
  });

  it('runs several executions at the same time, each with its own context', async () => {
    const h = harness({
      who: async (ms: number) => {
        await sleep(ms);
        return activityInfo().activityId;
      },
    });
    const tokens = [30, 10, 20].map((ms, i) => h.start('who', [ms], { activityId: `a${i}` }));
    expect(h.runner.status.inFlight).toBe(3);
    const results = await Promise.all(tokens.map((token) => h.result(token)));
    expect(results.map((result) => fromPayload(result.completed?.result))).toEqual(['a0', 'a1', 'a2']);
    expect(h.completions.map(({ token }) => token)).toEqual([tokens[1], tokens[2], tokens[0]]);
    await h.runner.idle();
    expect(h.runner.status).toEqual({ inFlight: 0, inFlightLocal: 0, heartbeating: 0 });
  });

  it('follows a then that calls back twice and ignores the second call', async () => {
    const h = harness({
      tricky: () => ({
        then(resolve: (value: unknown) => void) {
          resolve('first');
          resolve('second');
        },
      }),
    });
    expect(fromPayload((await h.run('tricky')).completed?.result)).toBe('first');
  });
});

describe('registration', () => {
  class Base {
    greeting = 'hello';
    async inherited() {
      return `${this.greeting} from the base`;
    }
  }
  class Greeter extends Base {
    async greet(name: string) {
      return `${this.greeting}, ${name}`;
    }
    get broken(): never {
      throw new Error('a getter that throws');
    }
  }

  it('finds methods of a class instance and of its base class, bound to the instance', async () => {
    const h = harness(new Greeter());
    expect(fromPayload((await h.run('greet', ['you'])).completed?.result)).toBe('hello, you');
    expect(fromPayload((await h.run('inherited')).completed?.result)).toBe('hello from the base');
    expect(h.runner.activityTypes).toEqual(['greet', 'inherited']);
  });

  it('finds functions of a Map', async () => {
    const h = harness(new Map([['from map', async () => 'mapped']]));
    expect(fromPayload((await h.run('from map')).completed?.result)).toBe('mapped');
  });

  it('refuses a Map that holds something else than functions', () => {
    expect(() => harness(new Map<string, any>([['x', 1]]))).toThrow(/entry x/);
  });

  it('refuses reserved names', () => {
    expect(() => harness({ __temporal_x: async () => 1 })).toThrow(/__temporal_x/);
  });

  it('gives unknown types to the default activity', async () => {
    const h = harness({ default: async (...args: unknown[]) => [activityInfo().activityType, ...args] });
    expect(fromPayload((await h.run('whatever', [1])).completed?.result)).toEqual(['whatever', 1]);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'])(
    'does not find %s unless it is registered',
    async (name) => {
      const h = harness({ real: async () => 1 });
      const { failed } = await h.run(name);
      expect(failed?.failure?.applicationFailureInfo?.type).toBe('NotFoundError');
      expect(failed?.failure?.applicationFailureInfo?.nonRetryable ?? false).toBe(false);
      expect(failed?.failure?.message).toBe(
        `Activity function ${name} is not registered on this Worker, available activities: ["real"]`,
      );
    },
  );

  it('finds __proto__ when somebody did register it', async () => {
    const h = harness(new Map([['__proto__', async () => 'found']]));
    expect(fromPayload((await h.run('__proto__')).completed?.result)).toBe('found');
  });
});

describe('failures', () => {
  const failureOf = async (throwing: () => unknown): Promise<Failure> => {
    const h = harness({ f: throwing });
    const { failed } = await h.run('f');
    expect(failed).toBeDefined();
    return failed!.failure!;
  };

  it('keeps type, details, retryability and cause of an ApplicationFailure', async () => {
    const failure = await failureOf(async () => {
      throw ApplicationFailure.create({
        message: 'outer',
        type: 'Known',
        nonRetryable: true,
        details: ['detail', 2],
        nextRetryDelay: '3s',
        cause: new RangeError('inner'),
      });
    });
    expect(failure.message).toBe('outer');
    expect(failure.applicationFailureInfo).toMatchObject({ type: 'Known', nonRetryable: true });
    expect(failure.applicationFailureInfo?.details?.payloads?.map(fromPayload)).toEqual(['detail', 2]);
    expect(failure.applicationFailureInfo?.nextRetryDelay?.seconds?.toNumber()).toBe(3);
    expect(failure.cause?.message).toBe('inner');
    expect(failure.cause?.applicationFailureInfo?.type).toBe('RangeError');
  });

  it('reports a function that throws without being async', async () => {
    const failure = await failureOf(() => {
      throw new TypeError('at once');
    });
    expect(failure).toMatchObject({ message: 'at once', applicationFailureInfo: { type: 'TypeError' } });
  });

  it.each([
    ['null', null],
    ['undefined', undefined],
    ['a number', 17],
    ['a text', 'just text'],
    ['a symbol', Symbol('s')],
    ['an object without prototype', Object.create(null)],
    [
      'an object whose message getter throws',
      {
        get message() {
          throw new Error('no');
        },
      },
    ],
    [
      'a revoked proxy',
      (() => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      })(),
    ],
  ])('turns throwing %s into a failure', async (_, value) => {
    const failure = await failureOf(async () => {
      throw value;
    });
    expect(failure.applicationFailureInfo).toBeDefined();
  });

  it('ends with a failure when a cause chain loops', async () => {
    const failure = await failureOf(async () => {
      const a = new Error('a');
      const b = new Error('b', { cause: a });
      a.cause = b;
      throw a;
    });
    expect(failure.message).toBe('a');
  });

  it.each([
    ['a BigInt', () => 1n],
    [
      'a circular object',
      () => {
        const o: Record<string, unknown> = {};
        o.self = o;
        return o;
      },
    ],
    [
      'an object whose toJSON throws',
      () => ({
        toJSON() {
          throw new Error('no json');
        },
      }),
    ],
    ['a function', () => () => 1],
    ['a symbol', () => Symbol('s')],
  ])('fails when the result is %s', async (_, make) => {
    const failure = await failureOf(async () => make());
    expect(failure.message).toBeTruthy();
  });

  it('fails when the result has a then getter that throws', async () => {
    const failure = await failureOf(() => ({
      get then() {
        throw new Error('hostile then');
      },
    }));
    expect(failure.message).toBe('hostile then');
  });

  it('fails when an argument cannot be decoded', async () => {
    const h = harness({ f: async () => 1 });
    const token = h.startRaw({
      activityType: 'f',
      input: [{ metadata: { encoding: Buffer.from('martian') } }],
    });
    expect((await h.result(token)).failed?.failure?.message).toContain('martian');
  });

  it('fails when a converter gives no payload', async () => {
    const converter: PayloadConverter = {
      toPayload: () => 'junk' as any,
      fromPayload: (payload) => defaultPayloadConverter.fromPayload(payload),
    };
    const h = harness({ f: async () => 1 }, { converter: { payloadConverter: converter } });
    expect((await h.run('f')).failed?.failure?.message).toContain('in place of a payload');
  });

  it('fails when a converter gives a payload that cannot be encoded', async () => {
    const converter: PayloadConverter = {
      toPayload: () => ({ metadata: { encoding: 5 } }) as any,
      fromPayload: (payload) => defaultPayloadConverter.fromPayload(payload),
    };
    const h = harness({ f: async () => 1 }, { converter: { payloadConverter: converter } });
    expect((await h.run('f')).failed?.failure?.message).toContain('not a valid message');
  });

  it('does not tell the original message when a codec cannot encode the failure', async () => {
    const codec = {
      encode: async () => {
        throw new Error('key not found');
      },
      decode: async (payloads: any) => payloads,
    };
    const h = harness(
      {
        f: async () => {
          throw ApplicationFailure.create({ message: 'secret', details: ['secret'] });
        },
      },
      { converter: { payloadCodecs: [codec] } },
    );
    const failure = (await h.run('f')).failed?.failure;
    expect(failure?.message).toContain('key not found');
    expect(JSON.stringify(failure)).not.toContain('secret');
  });

  it('logs a failure as a warning, a benign one as debug', async () => {
    const h = harness({
      bad: async () => {
        throw new Error('bad');
      },
      benign: async () => {
        throw ApplicationFailure.create({ message: 'fine', category: ApplicationFailureCategory.BENIGN });
      },
    });
    await h.run('bad');
    await h.run('benign');
    const ends = h.log.lines.filter(({ message }) => message === 'Activity failed');
    expect(ends.map(({ level }) => level)).toEqual(['WARN', 'DEBUG']);
    expect(ends[0]!.meta).toMatchObject({ sdkComponent: 'worker', activityType: 'bad', workflowId: 'wf' });
  });

  it('goes on when the logger throws', async () => {
    const thrower = () => {
      throw new Error('disk full');
    };
    const logger = {
      log: thrower,
      trace: thrower,
      debug: thrower,
      info: thrower,
      warn: thrower,
      error: thrower,
    };
    const h = harness({ f: async () => 'fine' }, { logger });
    expect(fromPayload((await h.run('f')).completed?.result)).toBe('fine');
  });

  it('logs a task that cannot be decoded and goes on', async () => {
    const h = harness({ f: async () => 1 });
    h.runner.handle(new Uint8Array([255, 255, 255]));
    expect(h.log.lines[0]?.level).toBe('ERROR');
    expect((await h.run('f')).completed).toBeDefined();
  });

  it('is idle again after a completion that the host refused', async () => {
    const h = harness(
      { f: async () => 1 },
      { hooks: { complete: () => Promise.reject(new Error('refused')), heartbeat: () => undefined } },
    );
    h.start('f');
    await h.runner.idle();
    expect(h.runner.status.inFlight).toBe(0);
    expect(h.log.lines.some(({ level, message }) => level === 'ERROR' && message.includes('refused'))).toBe(
      true,
    );
  });
});

describe('any value at all', () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withObjectString: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
  });

  it('returned, ends in exactly one completion that can be read', async () => {
    await fc.assert(
      fc.asyncProperty(anything, async (value) => {
        const h = harness({ f: () => value });
        h.start('f');
        await h.runner.idle();
        expect(h.completions).toHaveLength(1);
        const { completed, failed } = h.completions[0]!.result;
        expect(Number(completed !== undefined) + Number(failed?.failure !== undefined)).toBe(1);
      }),
    );
  });

  it('thrown, ends in exactly one failure that can be read', async () => {
    await fc.assert(
      fc.asyncProperty(anything, async (value) => {
        const h = harness({
          f: async () => {
            throw value;
          },
        });
        h.start('f');
        await h.runner.idle();
        expect(h.completions).toHaveLength(1);
        expect(h.completions[0]!.result.failed?.failure?.applicationFailureInfo).toBeDefined();
      }),
    );
  });

  it('given as a heartbeat, never stops the activity from answering', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anything, { maxLength: 4 }), async (values) => {
        const h = harness({
          f: async () => {
            for (const value of values) heartbeat(value);
          },
        });
        h.start('f');
        await h.runner.idle();
        expect(h.completions[0]!.result.completed).toBeDefined();
      }),
    );
  });
});

describe('info', () => {
  it('tells everything the task says', async () => {
    let info: api.Info | undefined;
    const h = harness({
      f: async () => {
        info = activityInfo();
      },
    });
    const token = h.start('f', [], {
      attempt: 3,
      heartbeatDetails: [toPayload({ done: 5 })],
      retryPolicy: { maximumAttempts: 9, nonRetryableErrorTypes: ['Fatal'] },
      priority: { priorityKey: 2, fairnessKey: 'tenant', fairnessWeight: 1.5 },
    });
    await h.result(token);
    expect(info).toMatchObject({
      base64TaskToken: Buffer.from(token).toString('base64'),
      activityId: '7',
      activityType: 'f',
      attempt: 3,
      isLocal: false,
      workflowExecution: { workflowId: 'wf', runId: 'run' },
      workflowType: 'flow',
      scheduledTimestampMs: 1000,
      currentAttemptScheduledTimestampMs: 2000,
      startToCloseTimeoutMs: 10_000,
      scheduleToCloseTimeoutMs: 60_000,
      heartbeatTimeoutMs: 5000,
      heartbeatDetails: { done: 5 },
      taskQueue: 'queue',
      namespace: 'ns',
      inWorkflow: true,
      retryPolicy: { maximumAttempts: 9, nonRetryableErrorTypes: ['Fatal'] },
      priority: { priorityKey: 2, fairnessKey: 'tenant', fairnessWeight: 1.5 },
    });
    expect(Buffer.from(info!.taskToken).toString()).toBe(token);
    expect(info!.activityRunId).toBeUndefined();
  });

  it('has no workflow when the activity stands alone', async () => {
    let info: api.Info | undefined;
    const h = harness({
      f: async () => {
        info = activityInfo();
      },
    });
    await h.result(
      h.startRaw({ activityType: 'f', activityId: 'alone', runId: 'r1', workflowNamespace: 'ns' }),
    );
    expect(info).toMatchObject({
      inWorkflow: false,
      activityRunId: 'r1',
      activityId: 'alone',
      namespace: 'ns',
    });
    expect(info!.workflowExecution).toBeUndefined();
    expect(info!.workflowType).toBeUndefined();
    expect(info!.heartbeatTimeoutMs).toBeUndefined();
    expect(info!.attempt).toBe(1);
  });

  it('throws ILLEGAL_STATE outside of an activity', () => {
    expect(() => Context.current()).toThrow(expect.objectContaining({ code: 'ILLEGAL_STATE' }));
    expect(() => heartbeat()).toThrow(/context/i);
  });

  it('has no client unless the runner was given one', async () => {
    const without = harness({ f: async () => api.getClient() });
    expect((await without.run('f')).failed?.failure?.message).toContain('No client');
    let made = 0;
    const client = { name: 'client' };
    const withOne = harness(
      { use: async () => api.getClient().name, idle: async () => 1 },
      {
        client: () => {
          made++;
          return client;
        },
      },
    );
    await withOne.run('idle');
    expect(made).toBe(0);
    expect(fromPayload((await withOne.run('use')).completed?.result)).toBe('client');
  });
});

describe('cancellation', () => {
  it.each([
    [ActivityCancelReason.CANCELLED, { isCancelled: true }, 'CANCELLED', { cancelRequested: true }],
    [ActivityCancelReason.NOT_FOUND, { isNotFound: true }, 'NOT_FOUND', { notFound: true }],
    [ActivityCancelReason.TIMED_OUT, { isTimedOut: true }, 'TIMED_OUT', { timedOut: true }],
    [
      ActivityCancelReason.WORKER_SHUTDOWN,
      { isWorkerShutdown: true },
      'WORKER_SHUTDOWN',
      { workerShutdown: true },
    ],
  ])('completes as cancelled for reason %s with its details', async (reason, details, name, expected) => {
    let seen: unknown;
    const h = harness({
      f: async () => {
        try {
          await Context.current().cancelled;
        } catch (error) {
          seen = Context.current().cancellationDetails;
          throw error;
        }
      },
    });
    const token = h.start('f');
    await tick();
    h.cancel(token, { reason, details });
    const { cancelled } = await h.result(token);
    expect(cancelled?.failure).toMatchObject({ message: name, canceledFailureInfo: {} });
    expect(seen).toMatchObject({
      notFound: false,
      cancelRequested: false,
      paused: false,
      timedOut: false,
      workerShutdown: false,
      reset: false,
      ...expected,
    });
  });

  it.each([
    [ActivityCancelReason.PAUSED, { isPaused: true }, 'ActivityPause'],
    [ActivityCancelReason.RESET, { isReset: true }, 'ActivityReset'],
  ])('fails with a retryable %s failure so that the attempt comes again', async (reason, details, type) => {
    const h = harness({ f: untilAborted });
    const token = h.start('f');
    await tick();
    h.cancel(token, { reason, details });
    const { failed } = await h.result(token);
    expect(failed?.failure?.applicationFailureInfo).toMatchObject({ type });
    expect(failed?.failure?.applicationFailureInfo?.nonRetryable ?? false).toBe(false);
  });

  it('derives details from the reason when the task carries none', async () => {
    let details: unknown;
    const h = harness({
      f: async () => {
        await Context.current().cancelled.catch(() => undefined);
        details = api.cancellationDetails();
      },
    });
    const token = h.start('f');
    await tick();
    h.cancel(token, { reason: ActivityCancelReason.TIMED_OUT });
    await h.result(token);
    expect(details).toMatchObject({ timedOut: true, cancelRequested: false });
  });

  it('completes normally when user code ignores the cancellation', async () => {
    const h = harness({
      f: async () => {
        await Context.current().cancelled.catch(() => undefined);
        return 'all the same';
      },
    });
    const token = h.start('f');
    await tick();
    h.cancel(token, { reason: ActivityCancelReason.CANCELLED });
    expect(fromPayload((await h.result(token)).completed?.result)).toBe('all the same');
  });

  it('ends sleep at once and leaves no timer', async () => {
    const h = harness({ f: () => sleep('1 hour') });
    const token = h.start('f');
    await tick();
    h.cancel(token, { reason: ActivityCancelReason.CANCELLED });
    expect((await h.result(token)).cancelled).toBeDefined();
  });

  it('rejects sleep that begins after the cancellation', async () => {
    const h = harness({
      f: async () => {
        await Context.current().cancelled.catch(() => undefined);
        await sleep('1 hour');
      },
    });
    const token = h.start('f');
    await tick();
    h.cancel(token, { reason: ActivityCancelReason.CANCELLED });
    expect((await h.result(token)).cancelled).toBeDefined();
  });

  it('takes an AbortError of user code as the cancellation it came from', async () => {
    const h = harness({
      f: async () => {
        await Context.current().cancelled.catch(() => undefined);
        throw new DOMException('aborted', 'AbortError');
      },
    });
    const token = h.start('f');
    await tick();
    h.cancel(token, { reason: ActivityCancelReason.CANCELLED });
    expect((await h.result(token)).cancelled?.failure?.canceledFailureInfo).toBeDefined();
  });

  it('fails when user code throws a CancelledFailure that nobody asked for', async () => {
    const h = harness({
      f: async () => {
        throw new api.CancelledFailure('on my own', ['why']);
      },
      g: async () => {
        throw new TimeoutFailure('inner', undefined, 'START_TO_CLOSE');
      },
    });
    const { failure } = (await h.run('f')).failed!;
    expect(failure?.message).toBe('on my own');
    // A server would refuse any other kind, and let the attempt run into its timeout.
    expect(failure?.applicationFailureInfo?.type).toBe('CancelledFailure');
    expect(fromPayload(failure?.applicationFailureInfo?.details?.payloads?.[0])).toBe('why');
    expect((await h.run('g')).failed?.failure?.applicationFailureInfo?.type).toBe('TimeoutFailure');
  });

  it('fails with what user code throws after a cancellation', async () => {
    const h = harness({
      f: async () => {
        await Context.current().cancelled.catch(() => undefined);
        throw new RangeError('clean-up failed');
      },
    });
    const token = h.start('f');
    await tick();
    h.cancel(token, { reason: ActivityCancelReason.CANCELLED });
    expect((await h.result(token)).failed?.failure?.message).toBe('clean-up failed');
  });

  it('lets the first of two cancellations decide', async () => {
    const h = harness({ f: untilAborted });
    const token = h.start('f');
    await tick();
    h.cancel(token, { reason: ActivityCancelReason.TIMED_OUT });
    h.cancel(token, { reason: ActivityCancelReason.CANCELLED });
    expect((await h.result(token)).cancelled?.failure?.message).toBe('TIMED_OUT');
  });

  it('ignores a cancellation of something that does not run', async () => {
    const h = harness({ f: async () => 1 });
    h.cancel('nobody', { reason: ActivityCancelReason.CANCELLED });
    expect((await h.run('f')).completed).toBeDefined();
  });

  it('does not need anybody to handle the rejection of cancelled', async () => {
    const rejections: unknown[] = [];
    const listener = (error: unknown) => rejections.push(error);
    process.on('unhandledRejection', listener);
    const h = harness({ f: async () => tick(20) });
    const token = h.start('f');
    await tick();
    h.cancel(token, { reason: ActivityCancelReason.CANCELLED });
    await h.result(token);
    await tick(20);
    process.off('unhandledRejection', listener);
    expect(rejections).toEqual([]);
  });

  it('asks all executions to stop when told so, and waits for their ends', async () => {
    const h = harness({
      waits: async () => {
        const { cancelled } = Context.current();
        await cancelled.catch(() => undefined);
        return Context.current().cancellationDetails?.workerShutdown;
      },
    });
    const tokens = [h.start('waits'), h.start('waits', [], { isLocal: true })];
    await tick();
    h.runner.cancelAll();
    await h.runner.idle();
    for (const token of tokens) expect(fromPayload((await h.result(token)).completed?.result)).toBe(true);
  });

  it('answers abandoned executions as failed at once', async () => {
    const h = harness({ stuck: () => new Promise(() => undefined) });
    const token = h.start('stuck');
    await tick();
    h.runner.abandon('the worker was shut down by force');
    const { failed } = await h.result(token);
    expect(failed?.failure).toMatchObject({
      message: 'the worker was shut down by force',
      applicationFailureInfo: { type: 'WorkerShutdown' },
    });
    await h.runner.idle();
    expect(h.completions).toHaveLength(1);
  });
});

describe('heartbeats', () => {
  it('sends details at once when there is no codec', async () => {
    const h = harness({
      f: async () => {
        heartbeat({ step: 1 });
        const sent = h.heartbeats.length;
        heartbeat();
        return sent;
      },
    });
    expect(fromPayload((await h.run('f')).completed?.result)).toBe(1);
    expect(h.heartbeats.map(([payload]) => fromPayload(payload))).toEqual([{ step: 1 }, undefined]);
  });

  it('counts executions that have called heartbeat', async () => {
    const h = harness({
      f: async () => {
        heartbeat();
        await tick(20);
      },
    });
    const token = h.start('f');
    await tick();
    expect(h.runner.status).toEqual({ inFlight: 1, inFlightLocal: 0, heartbeating: 1 });
    await h.result(token);
  });

  it('keeps the order with slow codecs, drops what is overtaken, flushes the last before the completion', async () => {
    const order: string[] = [];
    const h = harness(
      {
        f: async () => {
          for (let i = 0; i < 5; i++) heartbeat(i);
        },
      },
      {
        converter: { payloadCodecs: [envelopeCodec('slow', 10)] },
        hooks: {
          heartbeat: () => order.push('heartbeat'),
          complete: async () => {
            order.push('complete');
          },
        },
      },
    );
    h.start('f');
    await h.runner.idle();
    expect(order).toEqual(['heartbeat', 'heartbeat', 'complete']);
  });

  it('sends the first and the newest of a burst through a codec', async () => {
    const codec = envelopeCodec('slow', 10);
    const h = harness(
      {
        f: async () => {
          for (let i = 0; i < 5; i++) heartbeat(i);
          await tick(40);
          heartbeat('last');
        },
      },
      { converter: { payloadCodecs: [codec] } },
    );
    await h.run('f');
    const values = [];
    for (const payloads of h.heartbeats) values.push(fromPayload((await codec.decode(payloads))[0]));
    expect(values).toEqual([0, 4, 'last']);
  });

  it('ends the attempt when details cannot be converted', async () => {
    const h = harness({
      f: async () => {
        heartbeat(1n);
        await Context.current().cancelled;
      },
    });
    const { failed } = await h.run('f');
    expect(failed?.failure?.message).toMatch(/BigInt/);
  });

  it('ignores heartbeats of local activities and of code that outlives its activity', async () => {
    let late: (() => void) | undefined;
    const h = harness({
      f: async () => {
        const context = Context.current();
        late = () => context.heartbeat('late');
        context.heartbeat('in time');
      },
    });
    await h.run('f', [], { isLocal: true });
    expect(h.heartbeats).toHaveLength(0);
    await h.run('f');
    late!();
    expect(h.heartbeats).toHaveLength(1);
  });
});

describe('completion by somebody else', () => {
  it('says so for a remote activity', async () => {
    const h = harness({
      f: async () => {
        throw new CompleteAsyncError();
      },
    });
    expect(await h.run('f')).toMatchObject({ willCompleteAsync: {} });
  });

  it('is refused for a local activity', async () => {
    const h = harness({
      f: async () => {
        throw new CompleteAsyncError();
      },
    });
    const { failed } = await h.run('f', [], { isLocal: true });
    expect(failed?.failure?.applicationFailureInfo).toMatchObject({
      type: 'CompleteAsyncError',
      nonRetryable: true,
    });
  });
});

describe('codecs', () => {
  it('decodes arguments, headers and heartbeat details, encodes results and failures, in order', async () => {
    const codecs = [envelopeCodec('a'), envelopeCodec('b')];
    const encode = async (value: unknown) => {
      let payloads = [toPayload(value)];
      for (const codec of codecs) payloads = await codec.encode(payloads);
      return payloads[0]!;
    };
    const decode = async (payload: any) => {
      let payloads = [payload];
      for (const codec of [...codecs].reverse()) payloads = await codec.decode(payloads);
      return fromPayload(payloads[0]);
    };
    const seen: unknown[] = [];
    const h = harness(
      {
        echo: async (value: unknown) => [value, activityInfo().heartbeatDetails],
        fail: async () => {
          throw ApplicationFailure.create({
            details: ['outer'],
            cause: ApplicationFailure.create({ details: ['inner'] }),
          });
        },
      },
      {
        converter: { payloadCodecs: codecs },
        interceptors: [
          () => ({
            inbound: {
              execute: async (input, next) => {
                if (input.headers.trace) seen.push(fromPayload(input.headers.trace));
                return next(input);
              },
            },
          }),
        ],
      },
    );
    const token = h.startRaw({
      activityType: 'echo',
      input: [await encode('value')],
      headerFields: { trace: await encode('id') },
      heartbeatDetails: [await encode('progress')],
    });
    expect(await decode((await h.result(token)).completed?.result)).toEqual(['value', 'progress']);
    expect(seen).toEqual(['id']);
    const { failed } = await h.result(h.startRaw({ activityType: 'fail' }));
    const details = (failure?: Failure) => failure?.applicationFailureInfo?.details?.payloads?.[0];
    expect(await decode(details(failed?.failure))).toBe('outer');
    expect(await decode(details(failed?.failure?.cause))).toBe('inner');
  });

  it('fails the activity when a codec cannot decode', async () => {
    const h = harness({ f: async () => 1 }, { converter: { payloadCodecs: [envelopeCodec('a')] } });
    expect((await h.run('f', ['plain'])).failed?.failure?.message).toContain('not an envelope');
  });

  it.each([['junk'], [[5]], [[]], [undefined]])('fails the activity when a codec gives %j', async (given) => {
    const codec: any = { encode: async () => given, decode: async (payloads: unknown) => payloads };
    const h = harness({ f: async () => 1 }, { converter: { payloadCodecs: [codec] } });
    expect((await h.run('f')).failed?.failure?.message).toMatch(/codec gave/);
  });

  it('tells converters and codecs whose payload it is', async () => {
    const contexts: unknown[] = [];
    const h = harness(
      { f: async () => 1 },
      {
        converter: {
          payloadCodecs: [
            {
              encode: async (payloads, context) => {
                contexts.push(context);
                return payloads;
              },
              decode: async (payloads) => payloads,
            },
          ],
        },
      },
    );
    await h.run('f');
    expect(contexts).toEqual([
      { type: 'activity', namespace: 'ns', activityId: '7', workflowId: 'wf', isLocal: false },
    ]);
  });
});

describe('interceptors', () => {
  it('wrap the call from the first to the last, and may change arguments and result', async () => {
    const order: string[] = [];
    const wrapper = (name: string) => () => ({
      inbound: {
        execute: async (input: any, next: any) => {
          order.push(`${name} in`);
          const result = await next({ ...input, args: [`${input.args[0]}>${name}`] });
          order.push(`${name} out`);
          return `${result}<${name}`;
        },
      },
    });
    const h = harness({ f: async (text: string) => text }, { interceptors: [wrapper('a'), wrapper('b')] });
    expect(fromPayload((await h.run('f', ['x'])).completed?.result)).toBe('x>a>b<b<a');
    expect(order).toEqual(['a in', 'b in', 'b out', 'a out']);
  });

  it('add to log lines of the activity, and cannot lose one', async () => {
    const h = harness(
      { f: async () => log.info('hello', { own: 1 }) },
      {
        interceptors: [
          () => ({ outbound: { getLogAttributes: (input, next) => next({ ...input, traceId: 't' }) } }),
          () => ({
            outbound: {
              getLogAttributes: () => {
                throw new Error('broken');
              },
            },
          }),
        ],
      },
    );
    await h.run('f');
    const line = h.log.lines.find(({ message }) => message === 'hello');
    expect(line).toMatchObject({
      level: 'INFO',
      meta: {
        sdkComponent: 'activity',
        own: 1,
        traceId: 't',
        workflowId: 'wf',
        activityType: 'f',
        attempt: 1,
      },
    });
  });

  it('fail the activity when a factory throws', async () => {
    const h = harness(
      { f: async () => 1 },
      {
        interceptors: [
          () => {
            throw new Error('no interceptor');
          },
        ],
      },
    );
    expect((await h.run('f')).failed?.failure?.message).toBe('no interceptor');
  });
});

describe('type info', () => {
  it('converts arguments and results as the definition says', async () => {
    const cents = {
      transferTypeConverter: {
        toTransferType: (v: number) => `${v} cents`,
        fromTransferType: (t: any) => parseInt(t, 10),
      },
    };
    const pay = async (amount: number) => amount + 1;
    api.setActivityOptions({ typeInfo: { inputTypes: [cents as any], outputType: cents as any } }, pay);
    const h = harness({ pay });
    expect(fromPayload((await h.run('pay', ['41 cents'])).completed?.result)).toBe('42 cents');
  });
});

describe('sizes', () => {
  const big = 'x'.repeat(1_000_000);
  const limits = (payloadsErrorBytes: number) => {
    const asked = jest.fn(async () => ({ payloadsErrorBytes }));
    return { asked, options: { payloadLimits: asked } };
  };

  it('asks for the limits when the first large payload comes, and once', async () => {
    const { asked, options } = limits(2_000_000);
    const h = harness({ f: async (length: number) => 'x'.repeat(length) }, options);
    await h.run('f', [200_000]);
    expect(asked).not.toHaveBeenCalled();
    expect((await h.run('f', [1_000_000])).completed).toBeDefined();
    expect((await h.run('f', [1_500_000])).completed).toBeDefined();
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('fails an attempt whose result is above the limit, with both sizes and the cause', async () => {
    const h = harness({ f: async () => big }, limits(500_000).options);
    const { failed } = await h.run('f');
    expect(failed?.cause).toBe(1); // PAYLOADS_TOO_LARGE
    expect(failed?.failure?.applicationFailureInfo).toMatchObject({
      type: 'PayloadsTooLarge',
      nonRetryable: false,
    });
    expect(failed?.failure?.message).toMatch(/the result of activity 'f'.*10000\d\d bytes.*500000/);
  });

  it('measures what is sent: after the codecs', async () => {
    const shrink = {
      encode: async (payloads: any[]) => payloads.map(() => ({ data: new Uint8Array(10) })),
      decode: async (payloads: any[]) => payloads,
    };
    const h = harness(
      { f: async () => big },
      { ...limits(500_000).options, converter: { payloadCodecs: [shrink] } },
    );
    expect((await h.run('f')).completed?.result?.data).toHaveLength(10);
  });

  it('keeps message, type and finality of a failure that is too large, and drops its details', async () => {
    const h = harness(
      {
        f: async () => {
          throw ApplicationFailure.nonRetryable('why', 'Own', big);
        },
      },
      limits(500_000).options,
    );
    const { failed } = await h.run('f');
    expect(failed?.failure).toMatchObject({
      applicationFailureInfo: { type: 'PayloadsTooLarge', nonRetryable: true },
      cause: { message: 'why', applicationFailureInfo: { type: 'Own', nonRetryable: true } },
    });
    expect(failed?.failure?.cause?.applicationFailureInfo?.details).toBeUndefined();
  });

  it('cancels an attempt whose heartbeat is too large, and fails it when it ends', async () => {
    const h = harness(
      {
        f: async () => {
          heartbeat('small');
          heartbeat(big);
          await Context.current().cancelled;
        },
      },
      limits(500_000).options,
    );
    const { failed } = await h.run('f');
    expect(h.heartbeats).toHaveLength(1);
    expect(failed?.failure?.applicationFailureInfo?.type).toBe('PayloadsTooLarge');
    expect(failed?.failure?.message).toMatch(/the heartbeat details of activity 'f'/);
  });

  it('takes the defaults of servers when nobody knows the limits, and none when told so', async () => {
    const activities = { f: async () => 'x'.repeat(2_200_000) };
    const failing = async () => {
      throw new Error('server away');
    };
    for (const payloadLimits of [undefined, failing]) {
      const { failed } = await harness(activities, { payloadLimits }).run('f');
      expect(failed?.failure?.message).toContain('2097152');
    }
    expect((await harness(activities, { payloadLimits: false }).run('f')).completed).toBeDefined();
  });
});
