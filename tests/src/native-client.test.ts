/** A client on the connection of a worker: every kind of call goes through the native side. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  isGrpcCancelledError,
  isGrpcDeadlineError,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@perdure/client';
import { ScriptedServer } from '@perdure/client/lib/testing/scripted-server';
import { NativeConnection, type Worker } from '@perdure/worker';
import { eventsOfType, eventually, harness, rejection, until, workflowsDir } from './support/harness';
import { add, addAndGet, counter, finish, timesContinued, total } from './workflows/counter';

const h = harness();
let worker: Worker;
let client: Client;

beforeAll(async () => {
  worker = await h.worker({
    workflowsPath: join(workflowsDir, 'counter.ts'),
    activities: { greet: async () => '' },
  });
  h.background(worker);
  client = new Client({ connection: h.connection });
});

const options = () => ({ taskQueue: worker.options.taskQueue, workflowId: `wf-${randomUUID()}` });

describe('workflows through a native connection', () => {
  it('start, take signals, queries and updates, and give results', async () => {
    const handle = await client.workflow.start(counter, { ...options(), args: [1] });
    await handle.signal(add, 2);
    expect(await handle.query(total)).toBe(3);
    expect(await handle.executeUpdate(addAndGet, { args: [4] })).toBe(7);
    const refused = await rejection(handle.executeUpdate(addAndGet, { args: [-1] }));
    expect(refused).toBeInstanceOf(WorkflowUpdateFailedError);
    expect(refused.cause).toMatchObject({ message: 'only upwards', type: 'Negative' });
    expect(await handle.describe()).toMatchObject({ status: { name: 'RUNNING' }, type: 'counter' });
    await handle.signal(finish);
    expect(await handle.result()).toBe(7);
    expect((await handle.fetchHistory()).events!.length).toBeGreaterThan(5);
  });

  it('start with a signal or an update in one step, and follow the chain of runs', async () => {
    const signalled = await client.workflow.signalWithStart(counter, {
      ...options(),
      args: [1],
      signal: add,
      signalArgs: [10],
    });
    expect(await signalled.query(total)).toBe(11);
    const startWorkflowOperation = new WithStartWorkflowOperation(counter, {
      ...options(),
      args: [5],
      workflowIdConflictPolicy: 'FAIL',
    });
    expect(
      await client.workflow.executeUpdateWithStart(addAndGet, { args: [1], startWorkflowOperation }),
    ).toBe(6);
    await signalled.cancel();
    await (await startWorkflowOperation.workflowHandle()).terminate('enough');
    const chain = await client.workflow.start(timesContinued, { ...options(), args: [2] });
    expect(await chain.result()).toBe(chain.firstExecutionRunId);
  });

  it('fail with the same typed errors', async () => {
    const taken = options();
    const first = await client.workflow.start(counter, taken);
    const again = await rejection(client.workflow.start(counter, taken));
    expect(again).toBeInstanceOf(WorkflowExecutionAlreadyStartedError);
    expect(again.cause).toMatchObject({ code: 6 });
    expect(await first.query(total)).toBe(0);
    expect(await rejection(first.query('unknown'))).toMatchObject({
      message: expect.stringContaining('unknown'),
      code: 3,
    });
    await first.terminate();
    const unknown = await rejection(client.workflow.getHandle('no-such-workflow').describe());
    expect(unknown).toBeInstanceOf(WorkflowNotFoundError);
    const elsewhere = new Client({ connection: h.connection, namespace: 'nowhere' });
    expect(await rejection(elsewhere.workflow.start(counter, options()))).toMatchObject({
      code: 'NAMESPACE_NOT_FOUND',
    });
  });

  it('are listed, counted and downloaded', async () => {
    const memo = { of: 'this test' };
    const handle = await client.workflow.start(counter, { ...options(), memo });
    const query = `WorkflowId = '${handle.workflowId}'`;
    await until(async () => (await client.workflow.count(query)).count === 1, 'the workflow is visible');
    for await (const info of client.workflow.list({ query })) expect(info.memo).toEqual(memo);
    for await (const { history } of client.workflow.list({ query }).intoHistories()) {
      expect((history as { events: unknown[] }).events.length).toBeGreaterThan(0);
    }
    await handle.terminate();
  });

  it('are started eagerly: the worker of the connection takes the first task from the response', async () => {
    const handle = await client.workflow.start(counter, { ...options(), args: [3], requestEagerStart: true });
    expect(handle.eagerlyStarted).toBe(true);
    expect(await handle.query(total)).toBe(3);
    await handle.signal(finish);
    expect(await handle.result()).toBe(3);
    expect(await eventsOfType(handle, 'WorkflowTaskTimedOut')).toEqual([]);
  });
});

describe('other clients on a native connection', () => {
  it('keep schedules', async () => {
    const handle = await client.schedule.create({
      scheduleId: randomUUID(),
      spec: { intervals: [{ every: '1h' }] },
      action: {
        type: 'startWorkflow',
        workflowType: timesContinued,
        taskQueue: worker.options.taskQueue,
        args: [0],
      },
      state: { triggerImmediately: true },
    });
    await until(async () => (await handle.describe()).info.numActionsTaken === 1, 'the schedule has acted');
    await handle.delete();
    await eventually(async () =>
      expect((await rejection(handle.describe())).code).toBe('SCHEDULE_NOT_FOUND'),
    );
  });

  it('complete activities from outside', async () => {
    const activity = { type: 'sleepUntilCompleted', activityId: randomUUID() };
    const { workflowService } = h.connection;
    const taskQueue = randomUUID();
    await client.activity.start(activity.type, {
      id: activity.activityId,
      taskQueue,
      startToCloseTimeout: '1m',
    });
    const { taskToken } = await h.connection.withDeadline(Date.now() + 70_000, () =>
      workflowService.pollActivityTaskQueue({
        namespace: 'default',
        taskQueue: { name: taskQueue },
        identity: 'me',
      }),
    );
    await client.activity.heartbeat(taskToken!, 'still there');
    await client.activity.complete(taskToken!, 'from outside');
    expect(await client.activity.getHandle(activity.activityId).result()).toBe('from outside');
    expect((await rejection(client.activity.complete(taskToken!, 1))).code).toBe(
      'ACTIVITY_EXECUTION_NOT_FOUND',
    );
  });

  it('ask the operator service, the health service and the namespace', async () => {
    const { operatorService, healthService, workflowService } = h.connection;
    const name = `Native${randomUUID().slice(0, 8)}`;
    await operatorService.addSearchAttributes({ namespace: 'default', searchAttributes: { [name]: 2 } });
    await eventually(async () => {
      const { customAttributes } = await operatorService.listSearchAttributes({ namespace: 'default' });
      expect(customAttributes![name]).toBe(2);
    });
    expect(
      (await healthService.check({ service: 'temporal.api.workflowservice.v1.WorkflowService' })).status,
    ).toBe(1);
    expect(await rejection(Promise.resolve(healthService.watch({})))).toMatchObject({
      code: 'ILLEGAL_STATE',
    });
    const told = await new Promise((resolve, reject) =>
      workflowService.describeNamespace({ namespace: 'default' }, (error, response) =>
        error ? reject(error) : resolve(response!.namespaceInfo!.name),
      ),
    );
    expect(told).toBe('default');
  });
});

describe('scopes of a native connection', () => {
  it('send headers, deadlines and aborts with the calls inside of them', async () => {
    const server = new ScriptedServer();
    const connection = await NativeConnection.connect({
      address: await server.listen(),
      metadata: { everywhere: 'yes' },
      apiKey: 'first',
      tls: false,
    });
    try {
      const scoped = new Client({ connection, namespace: 'ns' });
      const handle = scoped.workflow.getHandle('w');
      const asked = () => server.asked.filter(({ method }) => method === 'signalWorkflowExecution');
      await scoped.withMetadata({ inside: 'outer', both: 'outer' }, () =>
        connection.withMetadata({ both: 'inner' }, () => handle.signal('s')),
      );
      await connection.setApiKey('second');
      await handle.signal('s');
      expect(asked().map(({ headers }) => headers.get('authorization'))).toEqual([
        ['Bearer first'],
        ['Bearer second'],
      ]);
      const [{ headers }] = asked() as [(typeof server.asked)[number]];
      expect(['everywhere', 'inside', 'both'].map((name) => headers.get(name)[0])).toEqual([
        'yes',
        'outer',
        'inner',
      ]);

      server.script = { signalWorkflowExecution: [{ code: 14 }, { message: {} }] };
      await handle.signal('again');
      const attempts = asked().filter(({ request }) => request.signalName === 'again');
      expect(attempts).toHaveLength(2);
      expect(attempts[1]!.request.requestId).toBe(attempts[0]!.request.requestId);

      server.script = { signalWorkflowExecution: ['hang'] };
      const late = await rejection(scoped.withDeadline(Date.now() + 300, () => handle.signal('s')));
      expect(isGrpcDeadlineError(late)).toBe(true);
      expect(late.code).toBe('CLIENT_DEADLINE_EXCEEDED');

      const outer = new AbortController();
      const aborted = rejection(
        scoped.withAbortSignal(outer.signal, () =>
          connection.withAbortSignal(new AbortController().signal, () => handle.signal('s')),
        ),
      );
      await sleep(50);
      outer.abort();
      expect(isGrpcCancelledError(await aborted)).toBe(true);
      expect(
        isGrpcCancelledError(await rejection(scoped.withAbortSignal(outer.signal, () => handle.signal('s')))),
      ).toBe(true);
    } finally {
      await connection.close();
      server.close();
    }
  });
});
