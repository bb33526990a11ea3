import {
  activityInfo,
  Context,
  cancellationDetails,
  cancellationSignal,
  cancelled,
  getClient,
  heartbeat,
  log,
  metricMeter,
  sleep,
} from '@perdure/activity';
import { Client } from '@perdure/client';
import {
  ActivityCancellationDetails,
  ApplicationFailure,
  CancelledFailure,
  type Logger,
  type LogMetadata,
} from '@perdure/common';
import { defaultActivityInfo, MockActivityEnvironment } from './index';
import { rejection } from './testing/support';

const never = () => new Promise<never>(() => undefined);

describe('an activity in a mock environment', () => {
  it('gets its arguments and gives its result as they are', async () => {
    const env = new MockActivityEnvironment();
    const argument = { f: () => 1, self: undefined as unknown };
    argument.self = argument;
    const result = await env.run(async (given: typeof argument, n: number) => ({ given, n }), argument, 3);
    expect(result.given).toBe(argument);
    expect(result.n).toBe(3);
  });

  it('rejects with the very error that was thrown', async () => {
    const failure = ApplicationFailure.create({ message: 'no', type: 'Kind' });
    const env = new MockActivityEnvironment();
    expect(
      await rejection(
        env.run(async () => {
          throw failure;
        }),
      ),
    ).toBe(failure);
    expect(
      await rejection(
        env.run((() => {
          throw null;
        }) as any),
      ),
    ).toBeNull();
  });

  it('sees the info of the test over the default one', async () => {
    const env = new MockActivityEnvironment({ attempt: 3, heartbeatDetails: { at: 7 } });
    const info = await env.run(async () => activityInfo());
    expect(info).toEqual({ ...defaultActivityInfo, attempt: 3, heartbeatDetails: { at: 7 } });
    expect(await env.run(async () => Context.current())).toBe(env.context);
  });

  it('has one context through all awaits, and none outside', async () => {
    const env = new MockActivityEnvironment();
    await env.run(async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      expect(Context.current()).toBe(env.context);
    });
    expect(() => Context.current()).toThrow('not inside an activity');
  });

  it('emits its heartbeats in order', async () => {
    const env = new MockActivityEnvironment();
    const beats: unknown[] = [];
    env.on('heartbeat', (details) => beats.push(details));
    await env.run(async () => {
      heartbeat(1);
      heartbeat({ two: 2 });
      heartbeat();
    });
    expect(beats).toEqual([1, { two: 2 }, undefined]);
  });

  it('is cancelled by the test, once, with a reason and details', async () => {
    const env = new MockActivityEnvironment();
    env.on('heartbeat', () => env.cancel('PAUSED'));
    const error = await rejection(
      env.run(async () => {
        expect(cancellationDetails()).toBeUndefined();
        heartbeat();
        expect(cancellationSignal().aborted).toBe(true);
        await cancelled();
      }),
    );
    expect(error).toBeInstanceOf(CancelledFailure);
    expect(error.message).toBe('PAUSED');
    expect(env.context.cancellationDetails).toMatchObject({ paused: true, cancelRequested: false });
    env.cancel('CANCELLED');
    expect(env.context.cancellationDetails).toMatchObject({ paused: true, cancelRequested: false });
  });

  it('wakes from sleep when it is cancelled, with CANCELLED unless told otherwise', async () => {
    const env = new MockActivityEnvironment();
    setTimeout(() => env.cancel(undefined, new ActivityCancellationDetails({ reset: true })), 5);
    const error = await rejection(env.run(() => sleep('1 day')));
    expect(error.message).toBe('CANCELLED');
    expect(env.context.cancellationDetails).toMatchObject({ reset: true });
  });

  it('may be cancelled before it runs, and nobody has to handle that', async () => {
    const env = new MockActivityEnvironment();
    env.cancel();
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect((await rejection(env.run(() => Promise.race([never(), cancelled()])))).message).toBe('CANCELLED');
    expect(env.context.cancellationDetails).toMatchObject({ cancelRequested: true });
  });

  it('passes interceptors, first one outermost, which see the context', async () => {
    const seen: unknown[] = [];
    const around = (name: string) => (context: Context) => {
      seen.push([name, context.info.activityType]);
      return {
        inbound: {
          execute: async (input: any, next: any) =>
            `${name}(${await next({ ...input, args: [...input.args, name] })})`,
        },
      };
    };
    const env = new MockActivityEnvironment(
      { activityType: 'join' },
      { interceptors: [around('a'), around('b')] },
    );
    expect(await env.run(async (...args: string[]) => args.join(), 'x')).toBe('a(b(x,a,b))');
    expect(seen).toEqual([
      ['a', 'join'],
      ['b', 'join'],
    ]);
  });

  it('logs and measures with the attributes of the activity and of interceptors', async () => {
    const lines: [string, LogMetadata | undefined][] = [];
    const write = (message: string, meta?: LogMetadata) => void lines.push([message, meta]);
    const logger = {
      info: write,
      log: (_: string, m: string, meta: any) => write(m, meta),
    } as unknown as Logger;
    const records: unknown[] = [];
    const counter = { add: (value: number, tags: object) => records.push([value, tags]) };
    const meter: any = { createCounter: () => counter, withTags: () => meter };
    const env = new MockActivityEnvironment(
      { activityType: 'measured' },
      {
        ...{ logger, metricMeter: meter },
        interceptors: [
          () => ({
            outbound: {
              getLogAttributes: (input: any, next: any) => next({ ...input, extra: 1 }),
              getMetricTags: (input: any, next: any) => next({ ...input, more: 'x' }),
            },
          }),
        ],
      },
    );
    await env.run(async () => {
      log.info('said', { own: true });
      metricMeter.createCounter('count').add(2);
    });
    expect(lines[0]![0]).toBe('said');
    expect(lines[0]![1]).toMatchObject({ activityType: 'measured', extra: 1, own: true });
    expect(records).toEqual([[2, expect.objectContaining({ activityType: 'measured', more: 'x' })]]);
  });

  it('gets the client of the test, and none without one', async () => {
    const client = new Client();
    expect(await new MockActivityEnvironment({}, { client }).run(async () => getClient())).toBe(client);
    expect((await rejection(new MockActivityEnvironment().run(async () => getClient()))).code).toBe(
      'ILLEGAL_STATE',
    );
  });
});
