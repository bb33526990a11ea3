import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@perdure/client';
import { defineSearchAttributeKey } from '@perdure/common';
import type { Worker } from '@perdure/worker';
import { TestWorkflowEnvironment, TimeSkippingWorkflowClient, workflowInterceptorModules } from './index';
import { quiet, rejection, workerOf } from './testing/support';
import * as workflows from './testing/workflows';

const DAY_MS = 86_400_000;
const id = () => `wf-${randomUUID()}`;

beforeAll(quiet);

describe('the time-skipping environment', () => {
  let env: TestWorkflowEnvironment;
  let worker: Worker;
  beforeAll(async () => {
    env = await TestWorkflowEnvironment.createTimeSkipping();
    worker = await workerOf(env, { interceptors: { workflowModules: workflowInterceptorModules } });
  });
  afterAll(() => env?.teardown());

  /** Locked: nothing but the real time passes while nobody waits. */
  async function standsStill(): Promise<void> {
    const begin = performance.now();
    const beforeMs = await env.currentTimeMs();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const passedMs = (await env.currentTimeMs()) - beforeMs;
    // A second for two clocks that are not the same; skipped are hours.
    expect(passedMs).toBeLessThan(performance.now() - begin + 1_000);
  }

  it('says what it is', async () => {
    expect(env.supportsTimeSkipping).toBe(true);
    expect(env.namespace).toBeUndefined();
    expect(env.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(env.options).toEqual({ server: { type: 'time-skipping' }, client: {}, plugins: [] });
    expect(env.client.workflow).toBeInstanceOf(TimeSkippingWorkflowClient);
    expect(env.workflowClient).toBe(env.client.workflow);
    expect(env.asyncCompletionClient).toBe(env.client.activity);
    expect(env.client.connection).toBe(env.connection);
  });

  it('skips a day while a result is waited for, and stands still before and after', async () => {
    const { taskQueue } = worker.options;
    const begunMs = await env.currentTimeMs();
    const slept = await worker.runUntil(
      env.client.workflow.execute(workflows.sleeper, { taskQueue, workflowId: id(), args: [DAY_MS] }),
    );
    expect(slept).toBeGreaterThanOrEqual(DAY_MS); // that this test has come here is the proof that it was skipped
    expect((await env.currentTimeMs()) - begunMs).toBeGreaterThanOrEqual(DAY_MS);
    await standsStill();
  });

  it('skips for several waits at once, and does not lock time under the one that goes on', async () => {
    const worker = await workerOf(env);
    const { taskQueue } = worker.options;
    const run = (days: number) =>
      env.client.workflow.execute(workflows.sleeper, {
        ...{ taskQueue, workflowId: id() },
        args: [days * DAY_MS],
      });
    const slept = await worker.runUntil(Promise.all([run(1), run(30), run(3)]));
    expect(slept.map((ms) => Math.floor(ms / DAY_MS))).toEqual([1, 30, 3]);
  });

  it('skips by sleep', async () => {
    const begunMs = await env.currentTimeMs();
    await env.sleep('2 days');
    expect((await env.currentTimeMs()) - begunMs).toBeGreaterThanOrEqual(2 * DAY_MS);
  });

  it('skips by sleep while a result is waited for', async () => {
    const worker = await workerOf(env);
    await worker.runUntil(async () => {
      const sleeper = await env.client.workflow.start(workflows.sleeper, {
        ...{ taskQueue: worker.options.taskQueue, workflowId: id(), args: [30 * DAY_MS] as [number] },
      });
      const result = sleeper.result();
      const beforeMs = await env.currentTimeMs();
      await env.sleep('3 days');
      expect((await env.currentTimeMs()) - beforeMs).toBeGreaterThanOrEqual(3 * DAY_MS);
      expect(await result).toBeGreaterThanOrEqual(30 * DAY_MS);
    });
  });

  it('waits for a result that somebody asks for during a sleep', async () => {
    const worker = await workerOf(env);
    const options = { taskQueue: worker.options.taskQueue, workflowId: id(), args: [DAY_MS] as [number] };
    const slept = worker.runUntil(
      Promise.all([env.sleep('1 hour'), env.client.workflow.execute(workflows.sleeper, options)]),
    );
    expect((await slept)[1]).toBeGreaterThanOrEqual(DAY_MS);
  });

  it('locks time again after a wait that failed', async () => {
    const { code } = await rejection(env.client.workflow.getHandle('no such workflow').result());
    expect(code).toBe('WORKFLOW_EXECUTION_NOT_FOUND');
    await standsStill();
  });

  it('refuses a client for skipping time whose connection cannot do it', () => {
    const connection = { ...Connection.lazy({ address: env.address }), testService: undefined } as any;
    expect(() => new TimeSkippingWorkflowClient({ connection })).toThrow('no test service');
  });
});

describe('assertions in workflows under test', () => {
  let env: TestWorkflowEnvironment;
  beforeAll(async () => {
    env = await TestWorkflowEnvironment.createLocal();
  });
  afterAll(() => env?.teardown());

  it('fail the workflow, also from a signal handler, and the update from an update handler', async () => {
    const worker = await workerOf(env, { interceptors: { workflowModules: workflowInterceptorModules } });
    const { taskQueue } = worker.options;
    await worker.runUntil(async () => {
      const failed = await rejection(
        env.client.workflow.execute(workflows.failsAssertion, { taskQueue, workflowId: id() }),
      );
      expect(failed.cause).toMatchObject({ type: 'AssertionError', nonRetryable: true });
      expect(failed.cause.message).toContain('strictly equal');
      expect(failed.cause.stack).toMatch(/failsAssertion .*workflows\.ts:\d+/);

      const signalled = await env.client.workflow.start(workflows.waitsForApproval, {
        ...{ taskQueue, workflowId: id() },
      });
      await signalled.signal(workflows.approve, '');
      expect((await rejection(signalled.result())).cause.message).toBe('a name is needed');

      const updated = await env.client.workflow.start(workflows.waitsForApproval, {
        ...{ taskQueue, workflowId: id() },
      });
      const refused = await rejection(updated.executeUpdate(workflows.check, { args: [-1] }));
      expect(refused.cause).toMatchObject({ type: 'AssertionError', message: 'must be positive' });
      expect(await updated.executeUpdate(workflows.check, { args: [7] })).toBe('7 is fine');
      await updated.signal(workflows.approve, 'Ada');
      expect(await updated.result()).toBe('Ada');
    });
  });

  it('leave other errors alone: those fail the workflow task, which is tried again', async () => {
    const worker = await workerOf(env, { interceptors: { workflowModules: workflowInterceptorModules } });
    const { taskQueue } = worker.options;
    await worker.runUntil(async () => {
      const handle = await env.client.workflow.start(workflows.failsOtherwise, {
        ...{ taskQueue, workflowId: id() },
      });
      for (let names = ''; !names.includes('failed'); ) {
        const { events } = await handle.fetchHistory();
        names = events?.some((event) => event.workflowTaskFailedEventAttributes) ? 'failed' : '';
      }
      expect((await handle.describe()).status.name).toBe('RUNNING');
      await handle.terminate();
    });
  });
});

describe('the local environment', () => {
  it('has the namespace and the search attributes it was asked for, and real time', async () => {
    const color = defineSearchAttributeKey('Color', 'KEYWORD');
    const env = await TestWorkflowEnvironment.createLocal({
      server: { namespace: 'mine', searchAttributes: [color], log: { format: 'json', level: 'error' } },
      client: { identity: 'tester' },
    });
    try {
      expect(env.supportsTimeSkipping).toBe(false);
      expect(env.namespace).toBe('mine');
      expect(env.client.options).toMatchObject({ namespace: 'mine', identity: 'tester' });
      expect(env.client.workflow).not.toBeInstanceOf(TimeSkippingWorkflowClient);
      const before = Date.now();
      const nowMs = await env.currentTimeMs();
      expect(nowMs).toBeGreaterThanOrEqual(before - 1_000);
      expect(nowMs).toBeLessThanOrEqual(Date.now() + 1_000);
      const begin = performance.now();
      await env.sleep(100);
      expect(performance.now() - begin).toBeGreaterThanOrEqual(95);
      const { customAttributes } = await env.connection.operatorService.listSearchAttributes({
        namespace: 'mine',
      });
      expect(Object.keys(customAttributes ?? {})).toContain('Color');
      const worker = await workerOf(env);
      const result = env.client.workflow.execute(workflows.hello, {
        ...{ taskQueue: worker.options.taskQueue, workflowId: id(), args: ['local'] as [string] },
      });
      expect(await worker.runUntil(result)).toBe('Hello, local!');
    } finally {
      await env.teardown();
    }
  });

  it('makes and deletes Nexus endpoints', async () => {
    await using env = await TestWorkflowEnvironment.createLocal();
    const endpoint = await env.createNexusEndpoint('to-orders', 'orders');
    expect(endpoint.raw.spec?.target?.worker).toEqual({ namespace: 'default', taskQueue: 'orders' });
    const list = async () => (await env.connection.operatorService.listNexusEndpoints({})).endpoints ?? [];
    expect((await list()).map(({ id }) => id)).toEqual([endpoint.id]);
    await env.deleteNexusEndpoint(endpoint);
    expect(await list()).toEqual([]);
  });

  it('stops its server at teardown, also while a worker keeps the connection, and says so', async () => {
    const env = await TestWorkflowEnvironment.createLocal();
    const worker = await workerOf(env);
    const { address } = env;
    const running = worker.run();
    expect((await rejection(env.teardown())).message).toContain('Workers hold a reference');
    const away = await rejection(Connection.connect({ address, connectTimeout: '1s' }));
    expect(away.code).toBe('CLIENT_CONNECTION_FAILED');
    worker.shutdown();
    await running;
    await env.nativeConnection.close();
  });
});

describe('the environment on an existing server', () => {
  it('uses its address and namespace, and leaves it alone at teardown', async () => {
    await using owner = await TestWorkflowEnvironment.createLocal({ server: { namespace: 'theirs' } });
    const { address } = owner;
    const env = await TestWorkflowEnvironment.createFromExistingServer({
      ...{ address, namespace: 'theirs' },
      connectionOptions: { metadata: { 'x-trace': 'yes', 'x-bytes-bin': new Uint8Array([1, 2]) } },
    });
    const worker = await workerOf(env);
    const options = { taskQueue: worker.options.taskQueue, workflowId: id() };
    const result = env.client.workflow.execute(workflows.hello, { ...options, args: ['there'] });
    expect(await worker.runUntil(result)).toBe('Hello, there!');
    await env.teardown();
    await env.teardown();
    const described = await owner.client.workflow.getHandle(options.workflowId).describe();
    expect(described.status.name).toBe('COMPLETED');
  });

  it('closes what it has opened when the server cannot be reached', async () => {
    const error = await rejection(
      TestWorkflowEnvironment.createFromExistingServer({ address: '127.0.0.1:1' }),
    );
    expect(error.code).toBe('CLIENT_CONNECTION_FAILED');
  });
});

describe('plugins', () => {
  it('reach the connections and the client, each once', async () => {
    const calls: string[] = [];
    const noting =
      (call: string, added: object = {}) =>
      (options: object) => {
        calls.push(call);
        return { ...options, ...added };
      };
    const plugin = {
      name: 'counting',
      configureConnection: noting('connection'),
      configureNativeConnection: noting('native'),
      configureClient: noting('client', { identity: 'from plugin' }),
    };
    await using env = await TestWorkflowEnvironment.createLocal({ plugins: [plugin] });
    expect(calls.sort()).toEqual(['client', 'connection', 'native']);
    expect(env.client).toBeInstanceOf(Client);
    expect(env.client.options.identity).toBe('from plugin');
  });
});

describe('wrong options', () => {
  it('are told together, before anything starts', async () => {
    const error = await rejection(
      TestWorkflowEnvironment.createLocal({
        server: {
          prot: 1,
          log: { format: 'xml', level: 'loud' },
          executable: { type: 'cached-download', version: 'v0.1' },
        },
      } as any),
    );
    expect(error.code).toBe('VALUE_INVALID');
    for (const field of ['prot', 'log.level', 'log.format', 'executable.version'])
      expect(error.message).toContain(field);
  });

  it('of the environment itself are refused, too', async () => {
    for (const make of ['createLocal', 'createTimeSkipping', 'createFromExistingServer'] as const) {
      const error = await rejection(TestWorkflowEnvironment[make]({ sever: {} } as any));
      expect(error.message).toContain('sever: unknown');
    }
    const executable = { type: 'existing-path', path: '/no/such/server' } as const;
    const missing = await rejection(TestWorkflowEnvironment.createTimeSkipping({ server: { executable } }));
    expect(missing.code).toBe('DEV_SERVER_NOT_FOUND');
  });
});
