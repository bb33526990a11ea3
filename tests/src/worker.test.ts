/** The life of workers in this process, on a real server. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { activityInfo, CancelledFailure, Context } from '@perdure/activity';
import { Client, Connection } from '@perdure/client';
import { hasCode, type PayloadCodec } from '@perdure/common';
import {
  bundleWorkflowCode,
  CombinedWorkerRunError,
  InvalidOptionsError,
  NativeConnection,
  PromiseCompletionTimeoutError,
  type State,
  Worker,
} from '@perdure/worker';
import { eventsOf, eventually, harness, rejection, until, workflowsDir } from './support/harness';
import { Proxy } from './support/tcp-proxy';

const h = harness();
const greet = { greet: async (name: string) => `hello, ${name}` };
const activityWorkflows = join(workflowsDir, 'activities.ts');

function statesOf(worker: Worker): State[] {
  return h.log.lines
    .filter(
      ({ message, meta }) =>
        message === 'Worker state changed' && meta.taskQueue === worker.options.taskQueue,
    )
    .map(({ meta }) => meta.state);
}

describe('states', () => {
  it('go from INITIALIZED to STOPPED in the documented order', async () => {
    const worker = await h.worker({ workflowsPath: activityWorkflows, activities: greet });
    expect(worker.getState()).toBe('INITIALIZED');
    expect(() => worker.shutdown()).toThrow(expect.objectContaining({ code: 'ILLEGAL_STATE' }));
    const run = worker.run();
    expect(worker.getState()).toBe('RUNNING');
    expect(hasCode(await rejection(worker.run()), 'ILLEGAL_STATE')).toBe(true);
    expect(worker.getStatus()).toMatchObject({
      runState: 'RUNNING',
      workflowPollerState: 'POLLING',
      activityPollerState: 'POLLING',
      hasOutstandingWorkflowPoll: true,
      numInFlightActivities: 0,
      numCachedWorkflows: 0,
    });
    worker.shutdown();
    expect(worker.getState()).toBe('STOPPING');
    expect(() => worker.shutdown()).toThrow(/STOPPING/);
    await run;
    expect(worker.getState()).toBe('STOPPED');
    expect(statesOf(worker)).toEqual(['RUNNING', 'STOPPING', 'DRAINING', 'DRAINED', 'STOPPED']);
    expect(worker.getStatus()).toMatchObject({ workflowPollerState: 'SHUTDOWN', numCachedWorkflows: 0 });
  });

  it('show what is in flight', async () => {
    let release!: () => void;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const worker = await h.worker({
      workflowsPath: activityWorkflows,
      activities: {
        greet: async () => {
          Context.current().heartbeat();
          await held;
          return 'held';
        },
      },
    });
    await worker.runUntil(async () => {
      const handle = await h.start(worker, 'greetOnce', ['x']);
      await eventually(() =>
        expect(worker.getStatus()).toMatchObject({
          numInFlightActivities: 1,
          numInFlightNonLocalActivities: 1,
          numInFlightLocalActivities: 0,
          numHeartbeatingActivities: 1,
          numCachedWorkflows: 1,
        }),
      );
      release();
      expect(await handle.result()).toBe('held');
      await until(() => worker.getStatus().numInFlightActivities === 0, 'the activity has ended');
    });
  });
});

describe('shutdown', () => {
  it('waits for activities within the grace time and delivers their results', async () => {
    const worker = await h.worker({
      workflowsPath: activityWorkflows,
      shutdownGraceTime: '1m',
      activities: {
        greet: async () => {
          worker.shutdown();
          await Context.current().sleep(500);
          return `attempt ${activityInfo().attempt}`;
        },
      },
    });
    const run = worker.run();
    const handle = await h.start(worker, 'greetOnce', ['x']);
    await run;
    const second = await h.worker({
      workflowsPath: activityWorkflows,
      taskQueue: worker.options.taskQueue,
      activities: greet,
    });
    await second.runUntil(async () => expect(await handle.result()).toBe('attempt 1'));
  });

  it('cancels activities after the grace time with the reason', async () => {
    let details: unknown;
    const worker = await h.worker({
      workflowsPath: activityWorkflows,
      activities: {
        greet: async () => {
          worker.shutdown();
          try {
            await Context.current().cancelled;
          } catch (error) {
            details = Context.current().cancellationDetails;
            expect(error).toBeInstanceOf(CancelledFailure);
            throw error;
          }
        },
      },
    });
    const run = worker.run();
    const handle = await h.start(worker, 'greetOnce', ['x']);
    await run;
    expect(details).toMatchObject({ workerShutdown: true, cancelRequested: false });
    await handle.terminate();
  });

  it('fails with its cause when the force time passes first, and the server may try again at once', async () => {
    const worker = await h.worker({
      workflowsPath: activityWorkflows,
      shutdownForceTime: '300ms',
      activities: {
        greet: () => {
          setTimeout(() => worker.shutdown(), 10);
          return new Promise(() => undefined);
        },
      },
    });
    const run = rejection(worker.run());
    const handle = await h.start(worker, 'greetOnce', ['x']);
    expect(hasCode(await run, 'WORKER_SHUTDOWN_PERIOD_EXPIRED')).toBe(true);
    expect(worker.getState()).toBe('FAILED');
    expect(worker.getStatus().workflowPollerState).toBe('FAILED');
    const second = await h.worker({
      workflowsPath: activityWorkflows,
      taskQueue: worker.options.taskQueue,
      activities: greet,
    });
    await second.runUntil(async () => expect(await handle.result()).toBe('hello, x'));
  });
});

describe('runUntil', () => {
  const make = () => h.worker({ activities: greet });

  it('gives what the promise gives, and stops', async () => {
    const worker = await make();
    expect(await worker.runUntil(async () => 42)).toBe(42);
    expect(worker.getState()).toBe('STOPPED');
    const other = await make();
    expect(await other.runUntil(Promise.resolve('direct'))).toBe('direct');
  });

  it('rejects with what the promise rejects with', async () => {
    const worker = await make();
    const boom = new Error('boom');
    expect(await rejection(worker.runUntil(() => Promise.reject(boom)))).toBe(boom);
    expect(worker.getState()).toBe('STOPPED');
  });

  it('does not wait for ever for a promise once the worker has stopped', async () => {
    const worker = await make();
    setTimeout(() => worker.shutdown(), 100);
    const error = await rejection(
      worker.runUntil(new Promise(() => undefined), { promiseCompletionTimeout: 200 }),
    );
    expect(error).toBeInstanceOf(PromiseCompletionTimeoutError);
  });

  it('tells of both when worker and promise fail', async () => {
    const worker = await h.worker({
      workflowsPath: activityWorkflows,
      shutdownForceTime: 100,
      activities: { greet: () => new Promise(() => undefined) },
    });
    const boom = new Error('boom');
    const error = await rejection(
      worker.runUntil(async () => {
        const handle = await h.start(worker, 'greetOnce', ['x']);
        await until(() => worker.getStatus().numInFlightActivities === 1, 'the activity runs');
        await handle.terminate();
        throw boom;
      }),
    );
    expect(error).toBeInstanceOf(CombinedWorkerRunError);
    expect(error.cause.innerError).toBe(boom);
    expect(hasCode(error.cause.workerError, 'WORKER_SHUTDOWN_PERIOD_EXPIRED')).toBe(true);
  });
});

it('runs two workers in one process, each with its own bundle and queue', async () => {
  const [first, second] = await Promise.all([
    h.worker({ workflowsPath: activityWorkflows, activities: greet }),
    h.worker({
      workflowsPath: join(workflowsDir, 'replayed.ts'),
      activities: { step: async (name: string) => name },
    }),
  ]);
  await first.runUntil(() =>
    second.runUntil(async () => {
      const results = await Promise.all([
        h.execute(first, 'greetOnce', ['a']),
        h.execute(second, 'replayed', ['b']),
        h.execute(first, 'greetOnce', ['c']),
      ]);
      expect(results).toEqual(['hello, a', 'b 1, b 2', 'hello, c']);
    }),
  );
});

it('runs local activities only, when told so', async () => {
  const worker = await h.worker({
    workflowsPath: activityWorkflows,
    enableNonLocalActivities: false,
    activities: { describe: async () => ({ isLocal: true }), failTimes: async () => 'fine' },
  });
  await worker.runUntil(async () => {
    expect(await h.execute(worker, 'local', ['x'])).toEqual({ name: 'x', isLocal: true, retried: 'fine' });
  });
  expect(worker.getState()).toBe('STOPPED');
});

it.each([
  { maxCachedWorkflows: 0 },
  { maxConcurrentWorkflowTaskPolls: 1, maxCachedWorkflows: 0 },
  { maxConcurrentWorkflowTaskExecutions: 1, maxCachedWorkflows: 0, maxConcurrentActivityTaskExecutions: 1 },
  {
    workflowTaskPollerBehavior: { type: 'autoscaling' },
    activityTaskPollerBehavior: { type: 'autoscaling' },
  },
  { tuner: { tunerOptions: { targetCpuUsage: 0.99, targetMemoryUsage: 0.99 } } },
  { workflowThreadPoolSize: 3 },
  { buildId: 'build' },
] as const)('runs with the options %j', async (options) => {
  const worker = await h.worker({
    workflowsPath: activityWorkflows,
    activities: greet,
    ...(options as object),
  });
  await worker.runUntil(async () => {
    const results = await Promise.all(['a', 'b', 'c'].map((name) => h.execute(worker, 'greetOnce', [name])));
    expect(results).toEqual(['hello, a', 'hello, b', 'hello, c']);
  });
});

it('evicts workflows beyond the size of the cache and brings them back by replay', async () => {
  const worker = await h.worker({
    workflowsPath: join(workflowsDir, 'features.ts'),
    activities: { record: async (what: string) => what },
    maxCachedWorkflows: 2,
  });
  await worker.runUntil(async () => {
    const handles = await Promise.all(Array.from({ length: 8 }, (_, i) => h.start(worker, 'counter', [i])));
    await Promise.all(handles.map((handle) => handle.signal('add', 10)));
    await until(async () => (await handles[0]!.query('total')) === 10, 'the first has been signalled');
    await until(() => worker.getStatus().numCachedWorkflows <= 2, 'no more than two are cached');
    await Promise.all(handles.map((handle) => handle.signal('finish')));
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(
      handles.map((_, i) => i + 10),
    );
  });
});

it('keeps 60 workflows right on several lanes with a cache that is far too small', async () => {
  const worker = await h.worker({
    workflowsPath: join(workflowsDir, 'crash.ts'),
    activities: {
      work: async (workflow: number, step: number) => {
        await new Promise((resolve) => setTimeout(resolve, (workflow * 7 + step * 3) % 20));
        return workflow * 1000 + step;
      },
    },
    workflowThreadPoolSize: 3,
    maxCachedWorkflows: 6,
  });
  await worker.runUntil(async () => {
    const results = await Promise.all(
      Array.from({ length: 60 }, (_, i) => h.execute(worker, 'severalSteps', [i])),
    );
    expect(results).toEqual(
      Array.from({ length: 60 }, (_, i) => [0, 1, 2, 3].map((step) => i * 1000 + step)),
    );
  });
});

describe('creation', () => {
  it('reports every wrong option', async () => {
    const error = await rejection(
      Worker.create({ taskQueue: '', activites: greet, maxConcurrentActivityTaskExecutions: -1 } as any),
    );
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toMatch(/taskQueue[\s\S]*activites[\s\S]*did you mean "activities"/);
  });

  it('fails for a namespace that does not exist', async () => {
    const error = await rejection(h.worker({ activities: greet, namespace: 'no-such-namespace' }));
    expect(error.message).toMatch(/no-such-namespace/);
    expect(typeof error.code).toBe('string');
  });

  it('fails for workflows that cannot be bundled, with the file', async () => {
    const error = await rejection(h.worker({ workflowsPath: join(workflowsDir, 'nothing-here.ts') }));
    expect(error.message).toMatch(/nothing-here/);
    expect(error.code).toMatch(/^BUNDLE_/);
  });

  it('fails for an address where no server listens', async () => {
    const error = await rejection(NativeConnection.connect({ address: '127.0.0.1:1' }));
    expect(hasCode(error, 'CORE_CONNECT_FAILED')).toBe(true);
  });

  it('takes a bundle from memory and from a file', async () => {
    const { code } = await bundleWorkflowCode({ workflowsPath: activityWorkflows });
    const directory = mkdtempSync(join(tmpdir(), 'perdure-tests-'));
    const codePath = join(directory, 'bundle.js');
    writeFileSync(codePath, code);
    try {
      for (const workflowBundle of [{ code }, { codePath }]) {
        const worker = await h.worker({ workflowBundle, activities: greet });
        await worker.runUntil(async () =>
          expect(await h.execute(worker, 'greetOnce', ['x'])).toBe('hello, x'),
        );
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
    const missing = await rejection(h.worker({ workflowBundle: { codePath }, activities: greet }));
    expect(missing).toBeInstanceOf(InvalidOptionsError);
  });
});

describe('connections', () => {
  it('cannot be closed while a worker uses them', async () => {
    const connection = await NativeConnection.connect({ address: h.address });
    const worker = await Worker.create({ connection, taskQueue: randomUUID(), activities: greet });
    expect(hasCode(await rejection(connection.close()), 'ILLEGAL_STATE')).toBe(true);
    await worker.runUntil(async () => undefined);
    await connection.close();
    expect(hasCode(await rejection(connection.ensureConnected()), 'ILLEGAL_STATE')).toBe(true);
  });

  it('make raw calls with headers and deadlines, and report what the server says', async () => {
    const connection = await NativeConnection.connect({ address: h.address });
    const { serverVersion } = await connection.workflowService.getSystemInfo({});
    expect(serverVersion).toMatch(/^\d+\./);
    const error = await rejection(
      connection.workflowService.describeNamespace({ namespace: 'no-such-namespace' }),
    );
    expect(error).toMatchObject({ code: 5, details: expect.stringContaining('no-such-namespace') });
    const late = await rejection(
      connection.withDeadline(Date.now() - 1, () => connection.workflowService.getSystemInfo({})),
    );
    expect(late.code).toBe(4);
    await connection.setMetadata({ 'x-test': 'value' });
    await connection.setApiKey('key');
    await connection.workflowService.getSystemInfo({});
    await connection.close();
  });

  it('serve a client', async () => {
    const client = new Client({ connection: h.connection });
    const worker = await h.worker({ workflowsPath: activityWorkflows, activities: greet });
    await worker.runUntil(async () => {
      const result = await client.workflow.execute('greetOnce', {
        taskQueue: worker.options.taskQueue,
        workflowId: randomUUID(),
        args: ['native'],
      });
      expect(result).toBe('hello, native');
    });
  });

  it('are replaced on a worker that runs, and the old one can be closed', async () => {
    const proxy = await Proxy.listen(h.address);
    const old = await NativeConnection.connect({ address: proxy.address });
    const worker = await Worker.create({
      connection: old,
      taskQueue: randomUUID(),
      workflowsPath: activityWorkflows,
      activities: { greet: async (name: string) => `hello, ${name}` },
    });
    await worker.runUntil(async () => {
      expect(await h.execute(worker, 'greetOnce', ['before'])).toBe('hello, before');
      const { client } = worker;
      worker.connection = h.connection;
      expect(worker.connection).toBe(h.connection);
      expect(worker.client).not.toBe(client);
      await old.close();
      await proxy.cut();
      const results = await Promise.all(
        ['a', 'b', 'c'].map((name) => h.execute(worker, 'greetOnce', [name])),
      );
      expect(results).toEqual(['hello, a', 'hello, b', 'hello, c']);
    });
    expect(() => {
      worker.connection = h.connection;
    }).toThrow(expect.objectContaining({ code: 'ILLEGAL_STATE' }));
    await proxy.close();
  });

  it('that are lazy let a worker start while the server is away', async () => {
    const proxy = await Proxy.listen(h.address);
    await proxy.cut();
    const connection = await NativeConnection.connect({ address: proxy.address, lazy: true });
    const worker = await Worker.create({
      connection,
      taskQueue: randomUUID(),
      workflowsPath: activityWorkflows,
      activities: greet,
    });
    await worker.runUntil(async () => {
      const handle = await h.start(worker, 'greetOnce', ['later']);
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(worker.getState()).toBe('RUNNING');
      await proxy.mend();
      expect(await handle.result()).toBe('hello, later');
    });
    const never = await Worker.create({
      connection: await NativeConnection.connect({ address: '127.0.0.1:1', lazy: true }),
      taskQueue: randomUUID(),
      workflowsPath: activityWorkflows,
    });
    await never.runUntil(async () => undefined);
    expect(never.getState()).toBe('STOPPED');
    await connection.close();
    await proxy.close();
  });

  it('that are lazy fail a worker whose namespace the server turns out not to know', async () => {
    const connection = await NativeConnection.connect({ address: h.address, lazy: true });
    const worker = await Worker.create({
      connection,
      namespace: 'no-such-namespace',
      taskQueue: randomUUID(),
      activities: greet,
    });
    const error = await rejection(worker.run());
    expect(worker.getState()).toBe('FAILED');
    expect(statesOf(worker)).toEqual(['RUNNING', 'FAILED']);
    expect(error).toMatchObject({ code: 'WORKER_FATAL', nativeCode: 'CORE_NAMESPACE_UNUSABLE' });
    expect(error.message).toMatch(/no-such-namespace/);
    await connection.close();
  });

  it('keep a worker RUNNING while the server is away, which goes on when it is back', async () => {
    const proxy = await Proxy.listen(h.address);
    const connection = await NativeConnection.connect({ address: proxy.address });
    const worker = await Worker.create({
      connection,
      taskQueue: randomUUID(),
      workflowsPath: activityWorkflows,
      activities: greet,
    });
    await worker.runUntil(async () => {
      expect(await h.execute(worker, 'greetOnce', ['before'])).toBe('hello, before');
      await proxy.cut();
      const handle = await h.start(worker, 'greetOnce', ['after']);
      await new Promise((resolve) => setTimeout(resolve, 2500));
      expect(worker.getState()).toBe('RUNNING');
      await proxy.mend();
      expect(await handle.result()).toBe('hello, after');
    });
    await connection.close();
    await proxy.close();
  });
});

describe('data', () => {
  const shift: PayloadCodec = {
    encode: async (payloads) =>
      payloads.map((payload) => ({
        metadata: { encoding: Buffer.from('test/shifted'), original: payload.metadata!.encoding! },
        data: payload.data?.map((byte) => byte ^ 0x55),
      })),
    decode: async (payloads) =>
      payloads.map((payload) => {
        const { encoding, original } = payload.metadata ?? {};
        if (Buffer.from(encoding!).toString() !== 'test/shifted') return payload;
        return { metadata: { encoding: original! }, data: payload.data?.map((byte) => byte ^ 0x55) };
      }),
  };
  const workflowsPath = join(workflowsDir, 'converters.ts');

  it('passes the codecs on its way in and out of workflows and activities', async () => {
    const client = new Client({
      connection: await Connection.connect({ address: h.address }),
      dataConverter: { payloadCodecs: [shift] },
    });
    const seen: unknown[] = [];
    const worker = await h.worker({
      workflowsPath,
      dataConverter: { payloadCodecs: [shift] },
      activities: {
        echo: async (value: unknown) => {
          seen.push(value);
          return value;
        },
      },
    });
    await worker.runUntil(async () => {
      const options = { taskQueue: worker.options.taskQueue, workflowId: randomUUID() };
      const handle = await client.workflow.start('echoes', { ...options, args: [{ secret: 'treasure' }] });
      expect(await handle.result()).toEqual({ secret: 'treasure' });
      expect(seen).toEqual([{ secret: 'treasure' }]);
      const plain = JSON.stringify(await eventsOf(handle), (_, value) =>
        value instanceof Uint8Array ? Buffer.from(value).toString() : value,
      );
      expect(plain).not.toContain('treasure');
      const failed = await rejection(
        client.workflow.execute('failsWith', { ...options, workflowId: randomUUID(), args: ['detail'] }),
      );
      expect(failed.cause).toMatchObject({ message: 'failed', details: ['detail'] });
    });
    await client.connection.close();
  });

  it('fails the workflow task, not the worker, when a codec cannot decode', async () => {
    const refuse: PayloadCodec = { ...shift, decode: () => Promise.reject(new Error('wrong key')) };
    const worker = await h.worker({
      workflowsPath,
      dataConverter: { payloadCodecs: [refuse] },
      activities: { echo: async () => 1 },
    });
    await worker.runUntil(async () => {
      const handle = await h.start(worker, 'echoes', ['x']);
      await until(
        async () =>
          (await eventsOf(handle)).some((event) =>
            event.workflowTaskFailedEventAttributes?.failure?.message?.includes('wrong key'),
          ),
        'the task has failed',
      );
      expect(worker.getState()).toBe('RUNNING');
      await handle.terminate();
    });
  });

  it('is converted by the converter of the path, in the sandbox and outside of it', async () => {
    const payloadConverterPath = require.resolve('./support/set-converter');
    const client = new Client({
      connection: await Connection.connect({ address: h.address }),
      dataConverter: { payloadConverterPath },
    });
    const worker = await h.worker({
      workflowsPath,
      dataConverter: { payloadConverterPath },
      activities: { echo: async (value: Set<number>) => new Set([...value].map((n) => n * 2)) },
    });
    await worker.runUntil(async () => {
      const result = await client.workflow.execute('echoes', {
        taskQueue: worker.options.taskQueue,
        workflowId: randomUUID(),
        args: [new Set([1, 2])],
      });
      expect(result).toEqual(new Set([2, 4]));
    });
    await client.connection.close();
  });
});

it('bundles the interceptors of workflows and calls those of activities', async () => {
  const calls: string[] = [];
  const workflowsPath = join(workflowsDir, 'converters.ts');
  const worker = await h.worker({
    workflowsPath,
    activities: { echo: async (value: unknown) => value },
    interceptors: {
      workflowModules: [workflowsPath],
      activity: [
        (ctx) => ({
          inbound: {
            execute: async (input, next) => {
              calls.push(ctx.info.activityType);
              return next(input);
            },
          },
        }),
      ],
    },
  });
  await worker.runUntil(async () => {
    expect(await h.execute(worker, 'echoes', [5])).toBe('intercepted 5');
    await h.execute(worker, 'logsOnce');
  });
  expect(calls).toEqual(['echo']);
  const line = () => h.log.lines.find(({ message }) => message === 'from the workflow');
  await until(line, 'the line is logged');
  expect(line()?.meta).toMatchObject({ fromInterceptor: true, workflowType: 'logsOnce' });
});

it('lets plugins change options and wrap the run', async () => {
  const order: string[] = [];
  const taskQueue = randomUUID();
  const worker = await h.worker({
    plugins: [
      {
        name: 'test',
        configureWorker: (options) => ({ ...options, taskQueue, activities: greet }),
        async runWorker(running, next) {
          order.push('before');
          await next(running);
          order.push('after');
        },
      },
    ],
  });
  expect(worker.options.taskQueue).toBe(taskQueue);
  await worker.runUntil(async () => undefined);
  expect(order).toEqual(['before', 'after']);
});
