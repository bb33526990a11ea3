/**
 * Workflows, signals, queries, updates and activities by name alone, in this and in other namespaces; and by the real
 * CLI, which is made with the SDK of another language.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  ActivityNotFoundError,
  Client,
  Connection,
  QueryNotRegisteredError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@perdure/client';
import { defaultPayloadConverter } from '@perdure/common';
import { type DevServer, findServerBinary, startDevServer } from '@perdure/dev-server';
import { NativeConnection, Runtime, Worker } from '@perdure/worker';
import * as nexus from 'nexus-rpc';
import { LineKeeper, until, workflowsDir } from './support/harness';

const taskQueue = 'by-name';
const item = (sku: string, count: number) => ({ sku, count });
const service = nexus.service('desk', { ask: nexus.operation<string, string>({ name: 'ask-op' }) });

let server: DevServer;
let native: NativeConnection;
let connection: Connection;
let here: Client;
let there: Client;
const workers: Worker[] = [];
const running: Promise<void>[] = [];

beforeAll(async () => {
  server = await startDevServer({
    useExisting: false,
    startTimeoutMs: 100_000,
    namespace: 'there',
    dynamicConfigValues: { 'nexusoperation.enableStandalone': true },
  });
  Runtime.install({ logger: new LineKeeper() });
  native = await NativeConnection.connect({ address: server.address });
  connection = await Connection.connect({ address: server.address });
  here = new Client({ connection });
  there = new Client({ connection, namespace: 'there' });
  for (const namespace of ['default', 'there']) {
    const worker = await Worker.create({
      connection: native,
      namespace,
      taskQueue,
      workflowsPath: join(workflowsDir, 'by-name.ts'),
      activities: {
        'charge-card': async (account: string, cents: number) => ({ account, cents, namespace }),
        default: async (...args: unknown[]) => args,
      },
      nexusServices: [
        nexus.serviceHandler(service, { ask: async (_ctx, question) => `${question}? ${namespace}` }),
      ],
    });
    workers.push(worker);
    running.push(worker.run());
  }
});
afterAll(async () => {
  for (const worker of workers) worker.shutdown();
  await Promise.all(running);
  await connection?.close();
  await native?.close();
  await server?.stop();
});

const withId = () => ({ workflowId: `wf-${randomUUID()}`, taskQueue });

async function failureOf(wait: Promise<unknown>): Promise<any> {
  try {
    await wait;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

describe('by name alone', () => {
  it('workflows are started, signalled, asked, updated, and give their results', async () => {
    const handle = await here.workflow.start('order_flow', { ...withId(), args: ['Ada', [item('a', 1)]] });
    await handle.signal('add-item', item('b', 2));
    await handle.signal<[{ sku: string; count: number }]>('add-item', item('a', 4));
    expect(await handle.query('Order.count')).toBe(7);
    expect(await handle.query<number, [string]>('Order.count', 'a')).toBe(5);
    expect(await handle.executeUpdate<string, [string]>('set_note', { args: ['first'] })).toBe('');
    const update = await handle.startUpdate<string, [string]>('set_note', {
      args: ['second'],
      waitForStage: 'ACCEPTED',
    });
    expect(await update.result()).toBe('first');
    await handle.signal('close');
    expect(await handle.result()).toEqual({
      customer: 'Ada',
      items: [item('a', 1), item('b', 2), item('a', 4)],
      note: 'second',
      namespace: 'default',
    });
  });

  it('a start and a signal or update are one step', async () => {
    const signalled = await here.workflow.signalWithStart('order_flow', {
      ...withId(),
      args: ['Bob'],
      signal: 'add-item',
      signalArgs: [item('c', 3)],
    });
    expect(await signalled.query('Order.count')).toBe(3);
    await signalled.signal('close');
    expect(await signalled.result()).toMatchObject({ customer: 'Bob' });
  });

  it('what has no handler is refused by its name', async () => {
    const handle = await here.workflow.start('order_flow', { ...withId(), args: ['Cy'] });
    const query = await failureOf(handle.query('order.count'));
    expect(query).toBeInstanceOf(QueryNotRegisteredError);
    expect(query.message).toContain('order.count');
    const update = await failureOf(handle.executeUpdate('SetNote', { args: ['x'] }));
    expect(update).toBeInstanceOf(WorkflowUpdateFailedError);
    expect(update.cause.message).toContain('SetNote');
    await handle.terminate();
  });

  it.each([
    'com.example.Orders/v1.Process',
    'github.com/acme/orders.(*Flow).Run-fm',
    'Process Order',
    'naïve ☃ 注文',
    'constructor',
    '__proto__',
    'toString',
    '42',
    'x'.repeat(300),
  ])('%j names a workflow, a signal, a query and an update', async (name) => {
    const handle = await here.workflow.start(name, { ...withId(), args: [name, null] });
    await handle.signal(name, { given: name });
    expect(await handle.executeUpdate(name, { args: [1] })).toBe(name);
    expect(await handle.query(name, 2)).toEqual([name, 2]);
    await handle.signal('end');
    const heard = [
      ['signal', name, { given: name }],
      ['update', name, 1],
      ['signal', 'end'],
    ];
    expect(await handle.result()).toEqual([name, [name, null], heard]);
    expect((await handle.describe()).type).toBe(name);
  });

  it('activities are called, from workflows and without one', async () => {
    const args = ['account', 5] as const;
    const charged = { account: 'account', cents: 5, namespace: 'default' };
    expect(await here.workflow.execute('calls', { ...withId(), args: ['charge-card', ...args] })).toEqual(
      charged,
    );
    const options = { id: randomUUID(), taskQueue, startToCloseTimeout: '2m' as const };
    expect(await here.activity.execute('charge-card', { ...options, args })).toEqual(charged);
    for (const name of ['constructor', '__proto__', 'pkg.Charge Card']) {
      expect(await here.workflow.execute('calls', { ...withId(), args: [name, name] })).toEqual([name]);
    }
  });
});

describe('another namespace', () => {
  it('has its own workflows, of the same types and with the same ids', async () => {
    const options = { ...withId(), args: ['Dee'] };
    const [mine, theirs] = await Promise.all([
      here.workflow.start('order_flow', options),
      there.workflow.start('order_flow', options),
    ]);
    await theirs.signal('add-item', item('t', 9));
    expect(await mine.query('Order.count')).toBe(0);
    expect(await theirs.query('Order.count')).toBe(9);
    await mine.signal('close');
    expect(await mine.result()).toMatchObject({ namespace: 'default', items: [] });
    expect((await theirs.describe()).status.name).toBe('RUNNING');
    await there.workflow.getHandle(options.workflowId).signal('close');
    expect(await theirs.result()).toMatchObject({ namespace: 'there', items: [item('t', 9)] });
  });

  it('does not know the workflows and activities of this one', async () => {
    const handle = await here.workflow.start('order_flow', { ...withId(), args: ['Eve'] });
    const same = there.workflow.getHandle(handle.workflowId);
    for (const call of [
      () => same.describe(),
      () => same.signal('close'),
      () => same.query('Order.count'),
      () => same.result(),
    ]) {
      expect(await failureOf(call())).toBeInstanceOf(WorkflowNotFoundError);
    }
    await handle.terminate();
    const options = { id: randomUUID(), taskQueue, startToCloseTimeout: '2m' as const };
    await here.activity.execute('charge-card', { ...options, args: ['a', 1] });
    expect(await failureOf(there.activity.getHandle(options.id).describe())).toBeInstanceOf(
      ActivityNotFoundError,
    );
    expect(await there.activity.execute('charge-card', { ...options, args: ['a', 1] })).toMatchObject({
      namespace: 'there',
    });
  });

  it('lists, counts and schedules its own', async () => {
    const { workflowId } = withId();
    const schedule = await there.schedule.create({
      scheduleId: `schedule-${workflowId}`,
      spec: {},
      action: {
        type: 'startWorkflow',
        workflowType: 'calls',
        workflowId,
        taskQueue,
        args: ['charge-card', 'a', 2],
      },
      state: { triggerImmediately: true },
    });
    let started = '';
    await until(async () => {
      for await (const each of there.workflow.list({ query: `WorkflowId STARTS_WITH '${workflowId}'` })) {
        started = each.workflowId;
      }
      return started !== '';
    }, 'the schedule has started it');
    expect(await there.workflow.getHandle(started).result()).toMatchObject({ namespace: 'there' });
    expect((await here.workflow.count(`WorkflowId = '${started}'`)).count).toBe(0);
    await schedule.delete();
  });

  it('is reached by Nexus operations, which name an endpoint and no namespace', async () => {
    const name = `desk-${randomUUID()}`;
    await connection.operatorService.createNexusEndpoint({
      spec: { name, target: { worker: { namespace: 'there', taskQueue } } },
    });
    const desk = here.nexus.createServiceClient({ endpoint: name, service });
    const options = { id: randomUUID(), scheduleToCloseTimeout: '2m' as const };
    expect(await desk.executeOperation('ask', 'where', options)).toBe('where? there');
    expect((await here.nexus.getHandle(options.id).describe()).status).toBe('COMPLETED');
  });
});

describe('the real CLI', () => {
  const run = promisify(execFile);
  let path: string;
  beforeAll(async () => {
    ({ path } = await findServerBinary('temporal'));
  });
  const cli = async (...args: string[]) => {
    const { stdout } = await run(path, [...args, '--address', server.address, '-o', 'json']);
    return stdout.trim() === '' ? undefined : JSON.parse(stdout);
  };

  it('starts workflows of this SDK, signals, asks and updates them, and reads their results', async () => {
    const { workflowId } = withId();
    const target = ['--workflow-id', workflowId, '--namespace', 'there'];
    const type = ['--type', 'order_flow', '--task-queue', taskQueue];
    const input = ['--input', '"Fay"', '--input', JSON.stringify([item('f', 1)])];
    await cli('workflow', 'start', ...target, ...type, ...input);
    await cli('workflow', 'signal', ...target, '--name', 'add-item', '--input', JSON.stringify(item('g', 2)));
    const { queryResult } = await cli(
      'workflow',
      'query',
      ...target,
      '--name',
      'Order.count',
      '--input',
      '"g"',
    );
    expect(queryResult).toEqual([2]);
    const updated = await cli(
      'workflow',
      'update',
      'execute',
      ...target,
      '--name',
      'set_note',
      '--input',
      '"n"',
    );
    expect(updated).toMatchObject({ result: '' });
    await cli('workflow', 'signal', ...target, '--name', 'close');
    const expected = { customer: 'Fay', items: [item('f', 1), item('g', 2)], note: 'n', namespace: 'there' };
    expect(await cli('workflow', 'result', ...target)).toMatchObject({
      result: expected,
      status: 'COMPLETED',
    });
    expect(await there.workflow.getHandle(workflowId).result()).toEqual(expected);
  });

  it('starts activities of this SDK without a workflow, and acts on those that this client has started', async () => {
    const id = ['--activity-id', randomUUID()];
    const options = ['--task-queue', taskQueue, '--start-to-close-timeout', '2m'];
    const input = ['--input', '"cli"', '--input', '3'];
    const executed = await cli('activity', 'execute', ...id, '--type', 'charge-card', ...options, ...input);
    expect(executed).toMatchObject({ result: { account: 'cli', cents: 3, namespace: 'default' } });
    const described = await here.activity.getHandle(id[1]!).describe({ includeInput: true });
    expect(await described.getInput()).toEqual(['cli', 3]);
    const mine = await here.activity.start('nobody', {
      id: randomUUID(),
      taskQueue: 'idle',
      startToCloseTimeout: '2m',
      summary: 'for the eye',
    });
    const shown = await cli('activity', 'describe', '--activity-id', mine.activityId);
    expect(JSON.stringify(shown)).toContain(mine.runId);
    const args = ['--activity-id', mine.activityId, '--identity', 'somebody'];
    await cli('activity', 'complete', ...args, '--result', '{"by":"cli"}');
    expect(await mine.result()).toEqual({ by: 'cli' });
  });

  it('starts Nexus operations of this SDK, which this client finds', async () => {
    const endpoint = `cli-${randomUUID()}`;
    await connection.operatorService.createNexusEndpoint({
      spec: { name: endpoint, target: { worker: { namespace: 'there', taskQueue } } },
    });
    const operationId = randomUUID();
    const executed = await cli(
      ...['nexus', 'operation', 'execute', '--operation-id', operationId, '--endpoint', endpoint],
      ...['--service', 'desk', '--operation', 'ask-op', '--input', '"who"'],
    );
    expect(executed).toMatchObject({ result: 'who? there' });
    const handle = here.nexus.getHandle<typeof service.operations.ask>(operationId);
    expect(await handle.result()).toBe('who? there');
    expect(await handle.describe()).toMatchObject({ endpoint, service: 'desk', operation: 'ask-op' });
  });
});

it('payloads without an encoding of this SDK are told by their names', async () => {
  const handle = await here.workflow.start('order_flow', { ...withId(), args: ['Gus'] });
  const payload = defaultPayloadConverter.toPayload('x')!;
  await connection.workflowService.signalWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: handle.workflowId },
    signalName: 'add-item',
    input: { payloads: [{ ...payload, metadata: { encoding: Buffer.from('binary/elsewhere') } }] },
  });
  let failed: string | undefined;
  await until(async () => {
    const { events } = await handle.fetchHistory();
    failed = events!.find((event) => event.workflowTaskFailedEventAttributes)
      ?.workflowTaskFailedEventAttributes?.failure?.message;
    return failed !== undefined;
  }, 'a task has failed');
  expect(failed).toContain('binary/elsewhere');
  await handle.terminate();
});
