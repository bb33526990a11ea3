/** What a client can ask of a real server beyond starting and finding workflows. */
import { randomUUID } from 'node:crypto';
import {
  Client,
  Connection,
  type ScheduleHandle,
  type ScheduleOptions,
  WorkflowContinuedAsNewError,
  WorkflowFailedError,
} from '@perdure/client';
import { defineSearchAttributeKey } from '@perdure/common';
import { type DevServer, startDevServer, startTestServer } from '@perdure/dev-server';
import { IndexedValueType } from '@perdure/proto/temporal/api/enums/v1/common';
import { eventually } from './testing/eventually';
import { HandWorker } from './testing/hand-worker';

let server: DevServer;
let connection: Connection;
let client: Client;
let worker: HandWorker;
const taskQueue = 'features';

beforeAll(async () => {
  server = await startDevServer({
    useExisting: false,
    dynamicConfigValues: {
      'system.enableDeploymentVersions': true,
      'callback.allowedAddresses': [{ Pattern: '*', AllowInsecure: true }],
    },
  });
  connection = await Connection.connect({ address: server.address });
  client = new Client({ connection });
  worker = new HandWorker(connection, taskQueue);
});
afterAll(async () => {
  await worker?.stop();
  await connection?.close();
  await server?.stop();
});

const options = (rest: object = {}) => ({ workflowId: randomUUID(), taskQueue, ...rest });

describe('workflows', () => {
  it('run by cron until they are terminated', async () => {
    const handle = await client.workflow.start('echo', {
      ...options({ cronSchedule: '@every 1s' }),
      args: ['tick'],
      followRuns: false,
    });
    const first = await handle.fetchHistory();
    expect(first.events![0]!.workflowExecutionStartedEventAttributes!.cronSchedule).toBe('@every 1s');
    const latest = client.workflow.getHandle(handle.workflowId);
    const { runId } = await eventually(
      () => latest.describe(),
      (description) => description.runId !== handle.firstExecutionRunId,
    );
    expect(runId).not.toBe(handle.firstExecutionRunId);
    // A run of a cron workflow ends by continuing as the next, which knows its result.
    const ended = await handle.result().catch((error) => error);
    expect(ended).toBeInstanceOf(WorkflowContinuedAsNewError);
    const next = await client.workflow.getHandle(handle.workflowId, ended.newExecutionRunId).fetchHistory();
    const { lastCompletionResult } = next.events![0]!.workflowExecutionStartedEventAttributes!;
    expect(Buffer.from(lastCompletionResult!.payloads![0]!.data!).toString()).toBe('"tick"');
    await latest.terminate();
  });

  it('wait for their start delay', async () => {
    const begun = Date.now();
    const result = await client.workflow.execute('echo', {
      ...options({ startDelay: '1s' }),
      args: ['late'],
    });
    expect(result).toBe('late');
    expect(Date.now() - begun).toBeGreaterThan(950);
  });

  it('are pinned to a version, or moved on, by an override', async () => {
    const pinned = await client.workflow.start('echo', {
      ...options({ taskQueue: 'idle' }),
      versioningOverride: 'AUTO_UPGRADE',
    });
    const { raw } = await pinned.describe();
    expect(raw.workflowExecutionInfo!.versioningInfo!.versioningOverride!.autoUpgrade).toBe(true);
    const version = { deploymentName: `d-${randomUUID()}`, buildId: '1' };
    await expect(
      client.workflow.start('echo', {
        ...options({ taskQueue: 'idle' }),
        versioningOverride: { pinnedTo: version },
      }),
    ).rejects.toMatchObject({ message: expect.stringMatching(/version/i) }); // no worker of that version was ever seen
  });

  it('start once for a request id, and keep the links and callbacks they were started with', async () => {
    const workflowId = randomUUID();
    const request = {
      namespace: 'default',
      requestId: randomUUID(),
      workflowId,
      workflowType: { name: 'open' },
      taskQueue: { name: 'idle' },
      links: [
        {
          workflowEvent: {
            namespace: 'default',
            workflowId: 'other',
            runId: randomUUID(),
            eventRef: { eventId: 1, eventType: 1 },
          },
        },
      ],
      completionCallbacks: [{ nexus: { url: 'http://127.0.0.1:9/callback', header: { token: 't' } } }],
    } as any;
    const { workflowService } = client;
    const first = await workflowService.startWorkflowExecution(request);
    const second = await workflowService.startWorkflowExecution(request);
    expect(second.runId).toBe(first.runId);
    const handle = client.workflow.getHandle(workflowId);
    const [started] = (await handle.fetchHistory()).events!;
    expect(started!.links![0]!.workflowEvent!.workflowId).toBe('other');
    expect(started!.workflowExecutionStartedEventAttributes!.completionCallbacks![0]!.nexus!.url).toContain(
      '/callback',
    );
    const { raw } = await handle.describe();
    expect(raw.callbacks).toHaveLength(1);
    await handle.terminate();
  });

  it('are reset to an earlier task, and run on from there', async () => {
    const handle = await client.workflow.start('fail', options({ args: ['x'] }));
    await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    const { runId } = await client.workflowService.resetWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: handle.workflowId, runId: handle.firstExecutionRunId },
      reason: 'try again',
      workflowTaskFinishEventId: 3 as never,
      requestId: randomUUID(),
    });
    expect(runId).not.toBe(handle.firstExecutionRunId);
    await expect(client.workflow.result(handle.workflowId, runId)).rejects.toBeInstanceOf(
      WorkflowFailedError,
    );
    const { events } = await client.workflow.getHandle(handle.workflowId, runId).fetchHistory();
    const failed = events!.find((event) => event.workflowTaskFailedEventAttributes);
    expect(failed!.workflowTaskFailedEventAttributes!.failure!.message).toContain('try again');
  });

  it('carry search attributes that the operator service has just registered', async () => {
    const name = `Region${randomUUID().slice(0, 8)}`;
    const region = defineSearchAttributeKey(name, 'KEYWORD');
    const { operatorService } = connection;
    await operatorService.addSearchAttributes({
      namespace: 'default',
      searchAttributes: { [name]: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD },
    });
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace: 'default' });
    expect(customAttributes![name]).toBe(IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD);
    const handle = await eventually(
      () =>
        client.workflow
          .start('open', { ...options(), typedSearchAttributes: [{ key: region, value: 'north' }] })
          .catch(() => undefined),
      (started) => started !== undefined,
    );
    await eventually(
      () => client.workflow.count(`${name} = 'north'`).catch(() => ({ count: 0 })),
      ({ count }) => count === 1,
    );
    for await (const info of client.workflow.list({ query: `${name} = 'north'` })) {
      expect(info.typedSearchAttributes.get(region)).toBe('north');
    }
    await handle!.terminate();
    // The older form: every value in a list.
    const untyped = await client.workflow.start('open', {
      ...options(),
      searchAttributes: { [name]: ['south'] },
    });
    expect((await untyped.describe()).searchAttributes).toEqual({ [name]: ['south'] });
    await untyped.terminate();
    await operatorService.removeSearchAttributes({ namespace: 'default', searchAttributes: [name] });
    const after = await operatorService.listSearchAttributes({ namespace: 'default' });
    expect(after.customAttributes).not.toHaveProperty(name);
  });
});

describe('ids of closed workflows', () => {
  it('are used again as the reuse policy allows', async () => {
    const failed = options({ args: ['x'] });
    await expect(client.workflow.execute('fail', failed)).rejects.toBeInstanceOf(WorkflowFailedError);
    const again = { ...failed, workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY' as const };
    expect(await client.workflow.execute('echo', again)).toBe('x');
    await expect(client.workflow.start('echo', again)).rejects.toMatchObject({
      code: 'WORKFLOW_EXECUTION_ALREADY_STARTED',
      cause: { code: 6 },
    });
    expect(
      await client.workflow.execute('echo', { ...failed, workflowIdReusePolicy: 'ALLOW_DUPLICATE' }),
    ).toBe('x');
  });
});

describe('workflows by name in another namespace', () => {
  it('start, answer and end there, and are not seen from here', async () => {
    const namespace = `other-${randomUUID().slice(0, 8)}`;
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never, nanos: 0 },
    });
    const there = new Client({ connection, namespace });
    await eventually(
      () => there.workflow.count().catch((error) => error.code),
      (counted) => typeof counted === 'object',
    );
    const polyglot = new HandWorker(connection, taskQueue, {}, namespace);
    try {
      const { handle } = await eventually(
        () =>
          there.workflow.start('open', { ...options(), args: ['by', 'name'] }).then(
            (started) => ({ handle: started }),
            () => ({ handle: undefined }),
          ),
        (started) => started.handle !== undefined,
      );
      await handle!.signal('any signal', { of: 'any shape' });
      expect(await handle!.query('args')).toEqual(['by', 'name']);
      await expect(client.workflow.getHandle(handle!.workflowId).describe()).rejects.toMatchObject({
        code: 'WORKFLOW_EXECUTION_NOT_FOUND',
      });
      await handle!.terminate();
      expect(await there.workflow.execute('echo', { ...options(), args: ['there'] })).toBe('there');
    } finally {
      await polyglot.stop();
    }
  });
});

describe('the test service', () => {
  it('tells and moves the time of a time-skipping server', async () => {
    const skipping = await startTestServer();
    const time = await Connection.connect({ address: skipping.address });
    try {
      const { testService } = time;
      const now = async () => Number((await testService!.getCurrentTime({})).time!.seconds);
      const before = await now();
      await testService!.unlockTimeSkippingWithSleep({ duration: { seconds: 3_600 as never, nanos: 0 } });
      expect((await now()) - before).toBeGreaterThanOrEqual(3_600);
    } finally {
      await time.close();
      await skipping.stop();
    }
  });
});

describe('schedules', () => {
  const made: ScheduleHandle[] = [];
  afterAll(() => Promise.all(made.map((handle) => handle.delete().catch(() => undefined))));
  const schedule = async (rest: Partial<ScheduleOptions>) => {
    const handle = await client.schedule.create({
      scheduleId: randomUUID(),
      spec: { intervals: [{ every: '1s' }] },
      action: { type: 'startWorkflow', workflowType: 'open', taskQueue: 'idle' },
      ...rest,
    });
    made.push(handle);
    return handle;
  };
  const info = async (handle: ScheduleHandle) => (await handle.describe()).info;
  const statusOf = async (handle: ScheduleHandle, nth: number) => {
    const { workflow } = (await info(handle)).recentActions[nth]!.action;
    return (await client.workflow.getHandle(workflow.workflowId, workflow.firstExecutionRunId).describe())
      .status.name;
  };

  it('fire by cron string and by calendar', async () => {
    const echo = { type: 'startWorkflow', workflowType: 'echo', taskQueue, args: ['x'] } as const;
    const byCron = await schedule({ spec: { cronExpressions: ['*/1 * * * * * *'] }, action: echo });
    const byCalendar = await schedule({
      spec: { calendars: [{ second: '*', minute: '*', hour: '*' }], jitter: '100ms' },
      action: echo,
    });
    for (const handle of [byCron, byCalendar]) {
      const { recentActions } = await eventually(
        () => info(handle),
        ({ numActionsTaken }) => numActionsTaken >= 2,
      );
      const { workflow } = recentActions[0]!.action;
      expect(await client.workflow.result(workflow.workflowId, workflow.firstExecutionRunId)).toBe('x');
      await handle.pause();
    }
    expect((await byCron.describe()).spec.calendars).toHaveLength(1); // the server turns cron strings into calendars
  });

  it('leave out, cancel, terminate or add actions while the last one runs, as the overlap policy says', async () => {
    const [skip, terminate, all, cancel] = await Promise.all([
      schedule({ policies: { overlap: 'SKIP' } }),
      schedule({ policies: { overlap: 'TERMINATE_OTHER' } }),
      schedule({ policies: { overlap: 'ALLOW_ALL' } }),
      schedule({
        policies: { overlap: 'CANCEL_OTHER' },
        action: { type: 'startWorkflow', workflowType: 'cancel', taskQueue },
      }),
    ]);
    const skipped = await eventually(
      () => info(skip!),
      ({ numActionsSkippedOverlap }) => numActionsSkippedOverlap >= 2,
    );
    expect(skipped).toMatchObject({ numActionsTaken: 1, runningActions: [expect.anything()] });
    for (const handle of [terminate, all, cancel]) {
      await eventually(
        () => info(handle!),
        ({ recentActions }) => recentActions.length >= 2,
      );
    }
    expect(
      await eventually(
        () => statusOf(terminate!, 0),
        (name) => name !== 'RUNNING',
      ),
    ).toBe('TERMINATED');
    expect(
      await eventually(
        () => statusOf(cancel!, 0),
        (name) => name !== 'RUNNING',
      ),
    ).toBe('CANCELLED');
    expect([await statusOf(all!, 0), await statusOf(all!, 1)]).toEqual(['RUNNING', 'RUNNING']);
    await Promise.all([skip, terminate, all, cancel].map((handle) => handle!.delete()));
  });

  it('know their time zone and when they end', async () => {
    const year = new Date().getUTCFullYear() + 1;
    const endAt = new Date(`${year}-01-10T00:00:00Z`);
    const handle = await schedule({
      spec: {
        calendars: [{ hour: 9, month: 'JANUARY' }],
        timezone: 'Asia/Tokyo',
        startAt: new Date(`${year}-01-01T00:00:00Z`),
        endAt,
      },
    });
    const { nextActionTimes } = await info(handle);
    expect(nextActionTimes[0]!.toISOString()).toBe(`${year}-01-01T00:00:00.000Z`);
    expect(nextActionTimes.every((time) => time <= endAt && time.getUTCHours() === 0)).toBe(true);
    expect((await handle.describe()).spec).toMatchObject({ timezone: 'Asia/Tokyo', endAt });
  });

  it('pause by themselves when an action fails', async () => {
    const handle = await schedule({
      action: { type: 'startWorkflow', workflowType: 'fail', taskQueue, args: ['x'] },
      policies: { pauseOnFailure: true },
    });
    const { state } = await eventually(
      () => handle.describe(),
      (description) => description.state.paused,
    );
    expect(state.note).toMatch(/fail/i);
  });
});
