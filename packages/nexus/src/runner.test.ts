import {
  ApplicationFailure,
  CancelledFailure,
  defaultDataConverter,
  type PayloadCodec,
} from '@perdure/common';
import type { NexusTaskCompletion } from '@perdure/proto/temporal/sdk/core/nexus/nexus';
import {
  HandlerError,
  HandlerStartOperationResult,
  OperationError,
  type StartOperationContext,
} from 'nexus-rpc';
import { getClient, log, metricMeter, operationInfo } from './index';
import { NexusRunner } from './runner';
import { cancel, harness, LineKeeper, service, start, text } from './testing/harness';

const sync = ({ completed }: NexusTaskCompletion) => {
  const data = completed?.startOperation?.syncSuccess?.payload?.data;
  return data && JSON.parse(text.decode(data));
};
const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
};

describe('a start', () => {
  it('is answered with the result of a plain function', async () => {
    const h = harness({ greet: async (_: unknown, name: string) => `hello, ${name}` });
    expect(sync(await h.ask(start('greet', 'Ada')))).toBe('hello, Ada');
    expect(h.runner.inFlight).toBe(0);
  });

  it('is answered with a token and links by an asynchronous handler', async () => {
    const url = 'temporal:///namespaces/n/workflows/w/r/history';
    const h = harness({
      begin: {
        start: async (ctx: StartOperationContext) => {
          ctx.outboundLinks.push({ url: new URL(url), type: 'a.b' });
          return HandlerStartOperationResult.async('token');
        },
        cancel: async () => undefined,
      },
    });
    expect((await h.ask(start('begin'))).completed).toMatchObject({
      startOperation: { asyncSuccess: { operationToken: 'token', links: [{ url, type: 'a.b' }] } },
    });
  });

  it('shows the handler the whole request', async () => {
    const contexts: StartOperationContext[] = [];
    const h = harness({
      look: async (ctx: StartOperationContext, input: unknown) =>
        void contexts.push({ ...ctx, input } as any),
    });
    const deadline = new Date(Date.now() + 60_000);
    await h.ask(
      {
        ...start('look', undefined, {
          callback: 'http://callback',
          callbackHeader: { token: 't' },
          links: [{ url: 'temporal:///x', type: 'some.Type' }],
        }),
        header: { 'X-Custom': 'value' },
      },
      { deadline },
    );
    const [ctx] = contexts as any[];
    expect(ctx).toMatchObject({
      service: 'svc',
      operation: 'look',
      requestId: 'request-id',
      callbackUrl: 'http://callback',
      callbackHeaders: { token: 't' },
      requestDeadline: deadline,
      outboundLinks: [],
      input: undefined,
    });
    expect(ctx.abortSignal.aborted).toBe(false);
    expect(ctx.inboundLinks[0].url.href).toBe('temporal:///x');
    expect([ctx.headers['x-custom'], ctx.headers['X-CUSTOM'], ctx.headers.toString]).toEqual([
      'value',
      'value',
      undefined,
    ]);
  });

  it('has info, log lines and metrics of its own, as interceptors change them', async () => {
    const recorded: unknown[] = [];
    const meter: any = {
      createCounter: () => ({ add: (value: number, tags: object) => recorded.push([value, tags]) }),
    };
    const lines = new LineKeeper();
    const h = harness(
      {
        talk: async () => {
          log.info('hi', { more: 1 });
          metricMeter.createCounter('c').add(2, { extra: 'x' });
          return operationInfo();
        },
      },
      {
        logger: lines,
        metricMeter: meter,
        interceptors: [
          () => ({
            outbound: {
              getLogAttributes: (given, next) => next({ ...given, added: 'a' }),
              getMetricTags: (given, next) => ({ ...next(given), tagged: 't' }),
            },
          }),
          () => ({
            outbound: {
              getLogAttributes: () => {
                throw new Error('no');
              },
            },
          }),
        ],
      },
    );
    const tags = { namespace: 'ns', taskQueue: 'queue', service: 'svc', operation: 'talk' };
    expect(sync(await h.ask(start('talk')))).toEqual({
      namespace: 'ns',
      taskQueue: 'queue',
      endpoint: 'endpoint',
    });
    expect(lines.lines.find(({ message }) => message === 'hi')?.meta).toEqual({
      ...tags,
      sdkComponent: 'nexus',
      added: 'a',
      more: 1,
    });
    expect(recorded).toEqual([[2, { ...tags, tagged: 't', extra: 'x' }]]);
    expect(lines.lines.map(({ message }) => message)).toEqual([
      'Nexus handler started',
      'hi',
      'Nexus handler completed',
    ]);
  });

  it('goes through interceptors, the first one outermost', async () => {
    const seen: string[] = [];
    const h = harness(
      {
        op: {
          start: async (_: unknown, input: string) => HandlerStartOperationResult.sync(input),
          cancel: async () => undefined,
        },
      },
      {
        interceptors: ['outer', 'inner'].map((name) => (ctx) => ({
          inbound: {
            startOperation: async (input, next) => {
              seen.push(`${name} start ${ctx.operation}`);
              const output = await next({ ...input, input: `${input.input} ${name}` });
              return { result: HandlerStartOperationResult.sync(`${(output.result as any).value}!`) };
            },
            cancelOperation: async (input, next) => {
              seen.push(`${name} cancel ${input.token}`);
              await next(input);
            },
          },
        })),
      },
    );
    expect(sync(await h.ask(start('op', 'in')))).toBe('in outer inner!!');
    expect((await h.ask(cancel('op', 'tok'))).completed).toEqual({ cancelOperation: {} });
    expect(seen).toEqual(['outer start op', 'inner start op', 'outer cancel tok', 'inner cancel tok']);
  });

  it('converts through codecs both ways', async () => {
    const flip: PayloadCodec = {
      encode: async (payloads) => payloads.map((p) => ({ ...p, data: p.data?.map((byte) => byte ^ 255) })),
      decode: async (payloads) => payloads.map((p) => ({ ...p, data: p.data?.map((byte) => byte ^ 255) })),
    };
    const h = harness(
      {
        echo: async (_: unknown, input: string) => input,
        fail: async () => {
          throw new OperationError('failed', 'm', {
            cause: ApplicationFailure.create({ message: 'c', details: ['secret'] }),
          });
        },
      },
      { dataConverter: { ...defaultDataConverter, payloadCodecs: [flip] } },
    );
    const payload = defaultDataConverter.payloadConverter.toPayload('text')!;
    const [input] = await flip.encode([payload]);
    const { completed } = await h.ask(start('echo', undefined, { payload: input }));
    const [output] = await flip.decode([completed!.startOperation!.syncSuccess!.payload!]);
    expect(text.decode(output!.data)).toBe('"text"');
    const failed = (await h.ask(start('fail'))).completed?.startOperation?.failure;
    const [detail] = await flip.decode(failed!.cause!.applicationFailureInfo!.details!.payloads!);
    expect(text.decode(detail!.data)).toBe('"secret"');
  });
});

describe('what a handler throws', () => {
  const failing = (error: unknown) =>
    harness({
      op: {
        start: async () => {
          throw error;
        },
        cancel: async () => {
          throw error;
        },
      },
    });

  it('ends the operation when it is an OperationError', async () => {
    const cause = ApplicationFailure.create({ message: 'why', type: 'Why' });
    expect(
      (await failing(new OperationError('failed', 'no', { cause })).ask(start('op'))).completed,
    ).toMatchObject({
      startOperation: {
        failure: {
          message: 'no',
          applicationFailureInfo: { type: 'OperationError', nonRetryable: true },
          cause: { message: 'why', applicationFailureInfo: { type: 'Why' } },
        },
      },
    });
    const { completed } = await failing(new OperationError('canceled', 'stop')).ask(start('op'));
    expect(completed?.startOperation?.failure).toMatchObject({ message: 'stop', canceledFailureInfo: {} });
  });

  it('fails the request when it is a HandlerError, and says whether to repeat it', async () => {
    for (const [error, type, retryBehavior] of [
      [new HandlerError('NOT_FOUND', 'm'), 'NOT_FOUND', 2],
      [new HandlerError('UNAVAILABLE', 'm'), 'UNAVAILABLE', 1],
      [new HandlerError('INTERNAL', 'm', { retryableOverride: false }), 'INTERNAL', 2],
      [new HandlerError('UNKNOWN', 'm', { rawErrorType: 'TEAPOT' }), 'TEAPOT', 1],
    ] as const) {
      const h = failing(error);
      for (const request of [start('op'), cancel('op', 't')]) {
        const { failure } = await h.ask(request);
        expect(failure).toMatchObject({ message: 'm', nexusHandlerFailureInfo: { type, retryBehavior } });
        expect(failure?.applicationFailureInfo).toBeUndefined();
      }
    }
  });

  it('is INTERNAL otherwise, and final only when it says so', async () => {
    for (const [error, retryBehavior, cause] of [
      [new Error('oops'), 1, 'oops'],
      [ApplicationFailure.nonRetryable('never'), 2, 'never'],
      [ApplicationFailure.retryable('later'), 1, 'later'],
    ] as const) {
      const { failure } = await failing(error).ask(start('op'));
      expect(failure).toMatchObject({
        nexusHandlerFailureInfo: { type: 'INTERNAL', retryBehavior },
        cause: { message: cause },
      });
    }
  });

  it('may be hostile', async () => {
    const looping = new Error('loop');
    looping.cause = looping;
    const throwing = new Proxy(
      {},
      {
        get: () => {
          throw new Error('trap');
        },
        getPrototypeOf: () => {
          throw new Error('trap');
        },
      },
    );
    for (const error of [null, undefined, 0, 'text', Symbol('s'), looping, throwing, Object.create(null)]) {
      const { failure } = await failing(error).ask(start('op'));
      expect(failure?.nexusHandlerFailureInfo?.type).toBe('INTERNAL');
    }
  });
});

describe('a request that does not fit', () => {
  it('is refused with the reason', async () => {
    const h = harness({
      op: async () => 1,
      circular: async () => {
        const a: any = {};
        a.a = a;
        return a;
      },
      wrong: { start: async () => 'plain', cancel: async () => undefined },
    });
    const cases: [object, string, RegExp][] = [
      [
        { startOperation: { service: 'other', operation: 'op', requestId: 'r' } },
        'NOT_FOUND',
        /'other'.*svc/,
      ],
      [start('other'), 'NOT_FOUND', /other/],
      [start('toString'), 'NOT_FOUND', /toString/],
      [start('op', undefined, { requestId: '' }), 'BAD_REQUEST', /id/],
      [start('op', undefined, { payload: { data: new Uint8Array([1]) } }), 'BAD_REQUEST', /input/],
      [start('op', undefined, { links: [{ url: 'no url', type: 't' }] }), 'BAD_REQUEST', /link/],
      [{}, 'NOT_IMPLEMENTED', /not known/],
      [cancel('op', 't'), 'NOT_IMPLEMENTED', /./],
      [start('wrong'), 'INTERNAL', /HandlerStartOperationResult/],
      [start('circular'), 'INTERNAL', /./],
    ];
    for (const [request, type, message] of cases) {
      const { failure } = await h.ask(request);
      expect([failure?.nexusHandlerFailureInfo?.type, failure?.message]).toEqual([
        type,
        expect.stringMatching(message),
      ]);
    }
  });

  it('is logged when it cannot be read at all', () => {
    const h = harness({});
    h.runner.handle(new Uint8Array([255, 255]));
    expect(h.log.lines.map(({ level }) => level)).toEqual(['ERROR']);
  });

  it('finds no service that is none, or there twice', () => {
    const make = (services: any[]) => () =>
      new NexusRunner({
        namespace: 'n',
        taskQueue: 'q',
        services,
        dataConverter: defaultDataConverter,
        logger: new LineKeeper(),
        hooks: { complete: async () => undefined },
      });
    expect(make([{}])).toThrow(/serviceHandler/);
    expect(make([null])).toThrow(/serviceHandler/);
    expect(make([service('a', {}), service('a', {})])).toThrow(/'a' is there twice/);
  });
});

describe('a request that is cancelled', () => {
  const waiting = () =>
    harness({
      wait: (ctx: StartOperationContext) =>
        new Promise((_, reject) =>
          ctx.abortSignal.addEventListener('abort', () => reject(ctx.abortSignal.reason)),
        ),
      ignore: (ctx: StartOperationContext) =>
        new Promise((resolve) =>
          ctx.abortSignal.addEventListener('abort', () => resolve(ctx.abortSignal.reason.message)),
        ),
      stuck: () => new Promise(() => undefined),
    });

  it('after it has timed out is only acknowledged', async () => {
    const h = waiting();
    const token = h.give(start('wait'));
    await until(() => h.log.lines.length > 0);
    h.cancel(token, 0);
    await h.runner.idle();
    expect(h.completions).toMatchObject([{ ackCancel: true }]);
    expect(h.completions[0]?.failure).toBeUndefined();
    expect(h.log.lines.map(({ message }) => message)).toContain('Nexus handler completed as cancelled');
  });

  it('because the worker stops may go to another worker', async () => {
    const h = waiting();
    const token = h.give(start('wait'));
    await until(() => h.log.lines.length > 0);
    h.cancel(token, 1);
    await h.runner.idle();
    expect(h.completions[0]?.failure?.nexusHandlerFailureInfo).toEqual({
      type: 'UNAVAILABLE',
      retryBehavior: 1,
    });
  });

  it('before its handler was called does not reach it', async () => {
    const h = waiting();
    h.cancel(h.give(start('ignore')), 0);
    await h.runner.idle();
    expect(h.completions).toMatchObject([{ ackCancel: true }]);
    expect(h.log.lines).toEqual([]);
  });

  it('may still be answered; the first reason stays', async () => {
    const h = waiting();
    const token = h.give(start('ignore'));
    await until(() => h.log.lines.length > 0);
    h.cancel(token, 1);
    h.cancel(token, 0);
    await h.runner.idle();
    expect(sync(h.completions[0]!)).toBe('WORKER_SHUTDOWN');
    h.cancel(token, 0); // it is over: nothing happens
    expect(h.completions).toHaveLength(1);
  });

  it('is cancelled at its deadline without being told', async () => {
    const h = waiting();
    const keepAlive = setTimeout(() => undefined, 10_000);
    const startedMs = Date.now();
    expect((await h.ask(start('wait'), { deadline: new Date(Date.now() + 50) })).ackCancel).toBe(true);
    expect(Date.now() - startedMs).toBeGreaterThanOrEqual(45);
    clearTimeout(keepAlive);
  });

  it('is answered for handlers that never end when the runner is abandoned', async () => {
    const h = waiting();
    h.give(start('stuck'));
    h.give(start('wait'));
    expect(h.runner.inFlight).toBe(2);
    h.runner.abandon('gone');
    await h.runner.idle();
    expect(h.completions).toHaveLength(2);
    expect(h.completions.map(({ failure }) => failure?.message)).toContain('gone');
    expect(h.runner.inFlight).toBe(0);
  });
});

describe('the context', () => {
  it('is only there inside of a handler', async () => {
    for (const use of [operationInfo, getClient, () => log.info('x'), () => metricMeter.createCounter('c')]) {
      expect(use).toThrow(expect.objectContaining({ code: 'ILLEGAL_STATE' }));
    }
  });

  it('has a client only where the runner has one', async () => {
    const use = { op: async () => getClient() === (client as any) };
    const client = { withAbortSignal: (_signal: AbortSignal, fn: () => unknown) => fn() };
    expect(sync(await harness(use, { client: () => client as any }).ask(start('op')))).toBe(true);
    const { failure } = await harness(use).ask(start('op'));
    expect(failure?.cause?.message).toMatch(/No client/);
  });

  it('ends calls of the client with the request', async () => {
    const signals: AbortSignal[] = [];
    const client = {
      withAbortSignal: (signal: AbortSignal, fn: () => unknown) => {
        signals.push(signal);
        return fn();
      },
    };
    const h = harness(
      { op: async (ctx: any) => ctx.abortSignal === signals[0] },
      { client: () => client as any },
    );
    expect(sync(await h.ask(start('op')))).toBe(true);
  });
});

describe('a completion', () => {
  it('that the host refuses is logged, and the runner goes on', async () => {
    const h = harness(
      { op: async () => 1 },
      { hooks: { complete: () => Promise.reject(new Error('refused')) } },
    );
    h.give(start('op'));
    await h.runner.idle();
    expect(h.log.lines.at(-1)).toMatchObject({ level: 'ERROR', meta: { service: 'svc', operation: 'op' } });
  });

  it('is made even when the failure converter fails', async () => {
    const failureConverter: any = {
      errorToFailure: () => {
        throw new CancelledFailure('converter broke');
      },
    };
    const h = harness(
      {
        op: async () => {
          throw new Error('secret');
        },
      },
      { dataConverter: { ...defaultDataConverter, failureConverter } },
    );
    const { failure } = await h.ask(start('op'));
    expect(failure?.message).toMatch(/could not be encoded: converter broke/);
    expect(JSON.stringify(failure)).not.toContain('secret');
  });
});
