/** Nexus operations from end to end: caller workflow, server, handler, what backs it, and back. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client } from '@perdure/client';
import { ApplicationFailure, type PayloadCodec } from '@perdure/common';
import {
  getClient,
  operationInfo,
  startWorkflow,
  TemporalOperationHandler,
  TemporalOperationResult,
  WorkflowRunOperationHandler,
} from '@perdure/nexus';
import type { Worker } from '@perdure/worker';
import * as nexus from 'nexus-rpc';
import { eventsOfType, harness, until, workflowsDir } from './support/harness';
import * as workflows from './workflows/nexus';

const h = harness();
const workflowsPath = join(workflowsDir, 'nexus.ts');
const seenContexts: { name: string; links: number; outbound: number; info: object; attempts: number }[] = [];
let attempts = 0;

const handler = nexus.serviceHandler(workflows.service, {
  sync: async (ctx, input) => {
    const count = await getClient().workflow.count(`TaskQueue = '${operationInfo().taskQueue}'`);
    seenContexts.push({
      name: ctx.operation,
      links: ctx.inboundLinks.length,
      outbound: 0,
      info: operationInfo(),
      attempts: count.count,
    });
    return `sync ${input}`;
  },
  run: new WorkflowRunOperationHandler<string, string>(async (ctx, input) => {
    const workflow = input === 'forever' ? workflows.waitsForCancellation : workflows.greets;
    const handle = await startWorkflow(ctx, workflow, {
      args: [input],
      workflowId: `backing-${ctx.requestId}`,
    });
    seenContexts.push({
      name: handle.workflowId,
      links: ctx.inboundLinks.length,
      outbound: ctx.outboundLinks.length,
      info: operationInfo(),
      attempts,
    });
    return handle;
  }),
  typed: new TemporalOperationHandler<{ how: string; id: string }, string>({
    start: async (_ctx, client, { how, id }) => {
      switch (how) {
        case 'sync':
          return TemporalOperationResult.sync(`sync ${id}`);
        case 'workflow':
          return client.startWorkflow(workflows.greets, { args: [id], workflowId: id });
        case 'twice':
          await client.startWorkflow(workflows.greets, { args: [id], workflowId: id });
          return client.startWorkflow(workflows.greets, { args: [id], workflowId: `${id}-2` });
        case 'existing':
          return client.startWorkflow(workflows.greets, {
            args: [id],
            workflowId: id,
            workflowIdConflictPolicy: 'USE_EXISTING',
          });
        case 'signal': {
          await client.signalWithStartWorkflow(workflows.collects, {
            workflowId: id,
            signal: workflows.add,
            signalArgs: ['first'],
          });
          const handle = client.getWorkflowHandle<typeof workflows.collects>(id);
          await handle.signal(workflows.add, 'second');
          return TemporalOperationResult.sync((await handle.query(workflows.seen)).join(' '));
        }
        case 'update':
          return client
            .getWorkflowHandle<typeof workflows.collects>(id)
            .update(workflows.finish, { args: ['last'] });
        case 'activity':
          return client.startActivity<string>('greet', { id, args: [id], startToCloseTimeout: '1m' });
        default:
          throw new nexus.HandlerError('BAD_REQUEST', `no way called ${how}`);
      }
    },
  }),
  fails: async (_ctx, how) => {
    attempts++;
    switch (how) {
      case 'operation':
        throw new nexus.OperationError('failed', 'it failed', {
          cause: ApplicationFailure.create({ message: 'because', type: 'Reason' }),
        });
      case 'canceled':
        throw new nexus.OperationError('canceled', 'it was cancelled');
      case 'handler':
        throw new nexus.HandlerError('BAD_REQUEST', 'bad input');
      case 'final':
        throw ApplicationFailure.nonRetryable('never again');
      default: // fails twice, then for good
        if (attempts < 3) throw new Error('try again');
        throw new nexus.HandlerError('NOT_FOUND', 'gave up');
    }
  },
});

let worker: Worker;
let endpoint: string;

beforeAll(async () => {
  worker = await h.worker({
    workflowsPath,
    nexusServices: [handler],
    activities: { greet: async (name: string) => `activity ${name}` },
  });
  h.background(worker);
  endpoint = `endpoint-${randomUUID()}`;
  await h.client.connection.operatorService.createNexusEndpoint({
    spec: {
      name: endpoint,
      target: { worker: { namespace: 'default', taskQueue: worker.options.taskQueue } },
    },
  });
});

const call = (workflow: string, ...args: unknown[]) => h.execute(worker, workflow, [endpoint, ...args]);

describe('an operation that is done at once', () => {
  it('gives its result, and its handler knows where it runs', async () => {
    expect(await call('callsSync', 'in')).toBe('sync in');
    expect(seenContexts.find(({ name }) => name === 'sync')).toMatchObject({
      links: 1,
      info: { namespace: 'default', taskQueue: worker.options.taskQueue, endpoint },
    });
  });
});

describe('an operation that a workflow backs', () => {
  it('ends with the workflow, and both are linked', async () => {
    const caller = await h.start(worker, 'callsRun', [endpoint, 'Ada']);
    expect(await caller.result()).toEqual([true, 'hello, Ada']);
    const context = seenContexts.find(({ name }) => name.startsWith('backing-'));
    expect(context).toMatchObject({ links: 1, outbound: 1 });
    const [started] = await eventsOfType(caller, 'NexusOperationStarted');
    expect(started?.links?.[0]?.workflowEvent).toMatchObject({
      workflowId: context!.name,
      namespace: 'default',
    });
    expect(
      JSON.parse(
        Buffer.from(started!.nexusOperationStartedEventAttributes!.operationToken!, 'base64url').toString(),
      ),
    ).toEqual({
      t: 1,
      ns: 'default',
      wid: context!.name,
    });
    const backing = h.client.workflow.getHandle(context!.name);
    const [backingStarted] = await eventsOfType(backing, 'WorkflowExecutionStarted');
    const callbacks = backingStarted?.workflowExecutionStartedEventAttributes?.completionCallbacks ?? [];
    expect(callbacks).toHaveLength(1);
    const links = [...(backingStarted?.links ?? []), ...(callbacks[0]?.links ?? [])];
    expect(links.map((link) => link.workflowEvent?.workflowId)).toContain(caller.workflowId);
  });

  it('is cancelled with its caller', async () => {
    expect(await call('cancelsRun', 'forever')).toBe('cancelled');
    const backing = seenContexts.filter(({ name }) => name.startsWith('backing-')).at(-1)!.name;
    await until(
      async () => (await h.client.workflow.getHandle(backing).describe()).status.name === 'CANCELLED',
      'the backing workflow is cancelled',
    );
  });
});

describe('an operation that fails', () => {
  it('tells its caller why', async () => {
    expect(await call('describesFailure', 'operation')).toEqual([
      true,
      'fails',
      ['ApplicationFailure', 'it failed', 'OperationError'],
      ['ApplicationFailure', 'because', 'Reason'],
    ]);
    expect((await call('describesFailure', 'canceled')).slice(0, 3)).toEqual([
      true,
      'fails',
      ['CancelledFailure', 'it was cancelled', null],
    ]);
  });

  it('for good is asked once', async () => {
    for (const [how, ...causes] of [
      ['handler', ['HandlerError', 'bad input', 'BAD_REQUEST']],
      [
        'final',
        ['HandlerError', 'Handler error: INTERNAL', 'INTERNAL'],
        ['ApplicationFailure', 'never again', 'Error'],
      ],
    ] as const) {
      attempts = 0;
      expect(await call('describesFailure', how)).toEqual([true, 'fails', ...causes]);
      expect(attempts).toBe(1);
    }
  });

  it('for now is asked again', async () => {
    attempts = 0;
    expect(JSON.stringify(await call('describesFailure', 'often'))).toMatch(/gave up/);
    expect(attempts).toBe(3);
  });
});

describe('an operation of any kind', () => {
  it('may be done at once, or backed by a workflow', async () => {
    expect(await call('callsTyped', 'sync', 'x')).toEqual([false, 'sync x']);
    const id = `typed-${randomUUID()}`;
    expect(await call('callsTyped', 'workflow', id)).toEqual([true, `hello, ${id}`]);
  });

  it('may wait for a workflow that runs already', async () => {
    const id = `shared-${randomUUID()}`;
    const results = await Promise.all([1, 2, 3].map(() => call('callsTyped', 'existing', id)));
    expect(results).toEqual(Array(3).fill([true, `hello, ${id}`]));
  });

  it('may signal and query', async () => {
    const id = `signalled-${randomUUID()}`;
    expect(await call('callsTyped', 'signal', id)).toEqual([false, 'first second']);
    const handle = h.client.workflow.getHandle(id);
    expect(
      (await eventsOfType(handle, 'WorkflowExecutionSignaled')).map(({ links }) => links?.length),
    ).toEqual([1, 1]);
    await handle.terminate();
  });

  it('may be backed by an update of a workflow', async () => {
    const target = await h.start(worker, 'collects');
    expect(await call('callsTyped', 'update', target.workflowId)).toEqual([true, 'last']);
    expect(await target.result()).toBe('last');
  });

  it('may be backed by an activity', async () => {
    const id = `activity-${randomUUID()}`;
    const caller = await h.start(worker, 'callsTyped', [endpoint, 'activity', id]);
    expect(await caller.result()).toEqual([true, `activity ${id}`]);
    const [started] = await eventsOfType(caller, 'NexusOperationStarted');
    expect(started?.links?.[0]?.activity).toMatchObject({ namespace: 'default', activityId: id });
  });

  it('is backed by one thing at most', async () => {
    const id = `twice-${randomUUID()}`;
    await expect(call('callsTyped', 'twice', id)).rejects.toMatchObject({
      cause: { cause: { message: expect.stringMatching(/backed already/) } },
    });
    await expect(h.client.workflow.getHandle(`${id}-2`).describe()).rejects.toThrow();
  });
});

describe('a worker with Nexus services', () => {
  const endpointOf = async (taskQueue: string) => {
    const name = `endpoint-${randomUUID()}`;
    await h.client.connection.operatorService.createNexusEndpoint({
      spec: { name, target: { worker: { namespace: 'default', taskQueue } } },
    });
    return name;
  };
  const answering = (sync: (ctx: nexus.StartOperationContext, input: string) => Promise<string>) =>
    nexus.serviceHandler(workflows.service, {
      sync,
      run: async () => '',
      typed: async () => '',
      fails: async () => {
        throw new Error('never called');
      },
    });

  it('aborts its handlers when it stops, and another worker answers', async () => {
    const reasons: unknown[] = [];
    const waiting = answering(
      (ctx) =>
        new Promise((_, reject) => {
          reasons.push('called');
          ctx.abortSignal.addEventListener('abort', () => {
            reasons.push(ctx.abortSignal.reason.message);
            reject(ctx.abortSignal.reason);
          });
        }),
    );
    const first = await h.worker({ nexusServices: [waiting] });
    const { taskQueue } = first.options;
    const name = await endpointOf(taskQueue);
    const firstRun = first.run();
    const caller = h.execute(worker, 'callsSync', [name, 'x']);
    await until(() => reasons.length > 0, 'the handler is called');
    first.shutdown();
    await firstRun;
    expect(first.getState()).toBe('STOPPED');
    expect(reasons).toEqual(['called', 'WORKER_SHUTDOWN']);
    const second = await h.worker({
      taskQueue,
      nexusServices: [answering(async (_, input) => `second ${input}`)],
    });
    expect(await second.runUntil(caller)).toBe('second x');
  });

  it('has called interceptors, and codecs for payloads', async () => {
    const calls: string[] = [];
    const codec: PayloadCodec = {
      encode: async (payloads) => payloads.map((p) => ({ ...p, data: p.data?.map((byte) => byte ^ 1) })),
      decode: async (payloads) => payloads.map((p) => ({ ...p, data: p.data?.map((byte) => byte ^ 1) })),
    };
    const options = { workflowsPath, dataConverter: { payloadCodecs: [codec] } };
    const intercepted = await h.worker({
      ...options,
      nexusServices: [answering(async (_, input) => `${input}!`)],
      interceptors: {
        nexus: [
          (ctx) => ({
            inbound: {
              startOperation: async (input, next) => {
                calls.push(`${ctx.service}.${ctx.operation} ${input.input}`);
                return next(input);
              },
            },
          }),
        ],
      },
    });
    const name = await endpointOf(intercepted.options.taskQueue);
    const client = new Client({ connection: h.client.connection, dataConverter: options.dataConverter });
    const result = await intercepted.runUntil(() =>
      client.workflow.execute<typeof workflows.callsSync>('callsSync', {
        taskQueue: intercepted.options.taskQueue,
        workflowId: `wf-${randomUUID()}`,
        args: [name, 'secret'],
      }),
    );
    expect(result).toBe('secret!');
    expect(calls).toEqual(['tested.sync secret']);
  });

  it('lets handlers end within the grace time', async () => {
    let called = false;
    const slow = answering(async (ctx, input) => {
      called = true;
      await new Promise((resolve) => setTimeout(resolve, 500));
      return `${input} ${ctx.abortSignal.aborted}`;
    });
    const stopping = await h.worker({ nexusServices: [slow], shutdownGraceTime: '1m' });
    const name = await endpointOf(stopping.options.taskQueue);
    const run = stopping.run();
    const caller = h.execute(worker, 'callsSync', [name, 'x']);
    await until(() => called, 'the handler is called');
    stopping.shutdown();
    await run;
    expect(await caller).toBe('x false');
  });

  it('that is stopped by force answers for handlers that do not end', async () => {
    let called = 0;
    const stuck = answering(() => {
      called++;
      return new Promise(() => undefined);
    });
    const first = await h.worker({ nexusServices: [stuck], shutdownForceTime: 200 });
    const { taskQueue } = first.options;
    const name = await endpointOf(taskQueue);
    const run = first.run();
    const caller = h.execute(worker, 'callsSync', [name, 'x']);
    await until(() => called > 0, 'the handler is called');
    first.shutdown();
    await expect(run).rejects.toMatchObject({ code: 'WORKER_SHUTDOWN_PERIOD_EXPIRED' });
    const second = await h.worker({
      taskQueue,
      nexusServices: [answering(async (_, input) => `second ${input}`)],
    });
    expect(await second.runUntil(caller)).toBe('second x');
  });
});
