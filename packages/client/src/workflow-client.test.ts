import { randomUUID } from 'node:crypto';
import {
  ApplicationFailure,
  CancelledFailure,
  Client,
  type ClientOptions,
  Connection,
  isGrpcCancelledError,
  isGrpcDeadlineError,
  NamespaceNotFoundError,
  type QueryDefinition,
  QueryNotRegisteredError,
  QueryRejectedError,
  type SignalDefinition,
  TerminatedFailure,
  TimeoutFailure,
  type UpdateDefinition,
  WithStartWorkflowOperation,
  WorkflowClient,
  WorkflowContinuedAsNewError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@perdure/client';
import { defineSearchAttributeKey, hasCode, TypedSearchAttributes } from '@perdure/common';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import { FlipCodec } from './testing/codec';
import { eventually } from './testing/eventually';
import { HandWorker, POLL_MS } from './testing/hand-worker';

const args = { type: 'query', name: 'args' } as unknown as QueryDefinition<unknown[]>;
const double = { type: 'update', name: 'double' } as unknown as UpdateDefinition<number, [number]>;
const poke = { type: 'signal', name: 'poke' } as unknown as SignalDefinition<[string, number]>;
const customer = defineSearchAttributeKey('Customer', 'KEYWORD');
const amount = defineSearchAttributeKey('Amount', 'INT');

let server: DevServer;
let connection: Connection;
let client: Client;
let worker: HandWorker;
const taskQueue = 'client-test';

beforeAll(async () => {
  server = await startDevServer({
    useExisting: false,
    searchAttributes: { Customer: 'Keyword', Amount: 'Int' },
  });
  connection = await Connection.connect({ address: server.address });
  client = new Client({ connection, identity: 'the-client' });
  worker = new HandWorker(connection, taskQueue);
});
afterAll(async () => {
  await worker?.stop();
  await connection?.close();
  await server?.stop();
});

const withId = (rest: object = {}) => ({ workflowId: randomUUID(), taskQueue, ...rest });
/** Nobody works on this queue: workflows stay as they are. */
const idle = (rest: object = {}) => ({ workflowId: randomUUID(), taskQueue: 'idle', ...rest });
const makeClient = (options: ClientOptions) => new Client({ connection, ...options });

async function startedAttributes(handle: WorkflowHandle) {
  return (await handle.fetchHistory()).events![0]!.workflowExecutionStartedEventAttributes!;
}

describe('start', () => {
  it('sends every option to the server', async () => {
    const handle = await client.workflow.start('untouched', {
      ...idle(),
      args: [1, { two: 'three' }],
      workflowExecutionTimeout: '1 hour',
      workflowRunTimeout: 600_000,
      workflowTaskTimeout: '5s',
      startDelay: '1 day',
      retry: { maximumAttempts: 3, initialInterval: '2s', nonRetryableErrorTypes: ['No'] },
      memo: { note: 'remember', n: [1] },
      typedSearchAttributes: [
        { key: customer, value: 'ann' },
        { key: amount, value: 42 },
      ],
      staticSummary: 'one line',
      staticDetails: 'more\nlines',
      priority: { priorityKey: 2, fairnessKey: 'ann', fairnessWeight: 2 },
    });
    const started = await startedAttributes(handle);
    expect(started).toMatchObject({
      workflowType: { name: 'untouched' },
      taskQueue: { name: 'idle' },
      identity: 'the-client',
      retryPolicy: { maximumAttempts: 3, nonRetryableErrorTypes: ['No'] },
      priority: { priorityKey: 2, fairnessKey: 'ann', fairnessWeight: 2 },
    });
    expect(started.workflowExecutionTimeout!.seconds!.toNumber()).toBe(3600);
    expect(started.workflowRunTimeout!.seconds!.toNumber()).toBe(600);
    expect(started.workflowTaskTimeout!.seconds!.toNumber()).toBe(5);
    expect(started.firstWorkflowTaskBackoff!.seconds!.toNumber()).toBe(86_400);
    expect(started.input!.payloads!.map(({ data }) => Buffer.from(data!).toString())).toEqual([
      '1',
      '{"two":"three"}',
    ]);

    const description = await handle.describe();
    expect(description).toMatchObject({
      type: 'untouched',
      workflowId: handle.workflowId,
      runId: handle.firstExecutionRunId,
      taskQueue: 'idle',
      status: { code: 1, name: 'RUNNING' },
      historyLength: 1,
      memo: { note: 'remember', n: [1] },
      searchAttributes: { Customer: ['ann'], Amount: [42] },
      priority: { priorityKey: 2, fairnessKey: 'ann', fairnessWeight: 2 },
      rootExecution: { workflowId: handle.workflowId, runId: handle.firstExecutionRunId },
    });
    expect(description.parentExecution).toBeUndefined();
    expect(description.closeTime).toBeUndefined();
    expect(Math.abs(Date.now() - description.startTime.getTime())).toBeLessThan(60_000);
    expect(description.typedSearchAttributes).toEqual(
      new TypedSearchAttributes([
        { key: customer, value: 'ann' },
        { key: amount, value: 42 },
      ]),
    );
    expect(await description.staticSummary()).toBe('one line');
    expect(await description.staticDetails()).toBe('more\nlines');
  });

  it('takes the type from the function, and gives the result', async () => {
    async function echo(value: string) {
      return value;
    }
    expect(await client.workflow.execute(echo, withId({ args: ['hello'] }) as any)).toBe('hello');
    const handle = await client.workflow.start(echo, { ...withId(), args: ['again'] });
    expect(handle.eagerlyStarted).toBe(false);
    expect(await handle.result()).toBe('again');
    expect(await client.workflow.getHandle(handle.workflowId).result()).toBe('again');
    expect(await client.workflow.result(handle.workflowId, handle.firstExecutionRunId)).toBe('again');
  });

  it('refuses an id that is in use, unless the policies say otherwise', async () => {
    const options = idle();
    const first = await client.workflow.start('open', options as any);
    const failure = await client.workflow.start('other', options as any).catch((error) => error);
    expect(failure).toBeInstanceOf(WorkflowExecutionAlreadyStartedError);
    expect(failure).toMatchObject({ workflowId: first.workflowId, workflowType: 'other' });
    expect(hasCode(failure, 'WORKFLOW_EXECUTION_ALREADY_STARTED')).toBe(true);

    const attached = await client.workflow.start('open', {
      ...options,
      workflowIdConflictPolicy: 'USE_EXISTING',
    } as any);
    expect(attached.firstExecutionRunId).toBe(first.firstExecutionRunId);
    const replaced = await client.workflow.start('open', {
      ...options,
      workflowIdConflictPolicy: 'TERMINATE_EXISTING',
    } as any);
    expect(replaced.firstExecutionRunId).not.toBe(first.firstExecutionRunId);
    expect(
      (await client.workflow.getHandle(first.workflowId, first.firstExecutionRunId).describe()).status.name,
    ).toBe('TERMINATED');
    await replaced.terminate();
    await expect(
      client.workflow.start('open', { ...options, workflowIdReusePolicy: 'REJECT_DUPLICATE' } as any),
    ).rejects.toBeInstanceOf(WorkflowExecutionAlreadyStartedError);
  });

  it('names every wrong option, and what it does not support', async () => {
    const bad = {
      workflowId: '',
      taskQueue: undefined,
      args: 'no',
      cronSchedule: '* * * * *',
      startDelay: 1,
    } as any;
    const failure = await client.workflow.start('x', bad).catch((error) => error);
    for (const part of ['workflowId', 'taskQueue', 'args', 'startDelay'])
      expect(failure.message).toContain(part);
    await expect(
      client.workflow.start('x', { ...idle(), workflowRunTimeout: 'soon' } as any),
    ).rejects.toMatchObject({
      code: 'DURATION_INVALID',
    });
    await expect(
      client.workflow.start('x', { ...idle(), requestEagerStart: true } as any),
    ).rejects.toMatchObject({
      message: expect.stringContaining('native connection'),
    });
  });

  it('says which namespace is missing', async () => {
    const elsewhere = makeClient({ namespace: 'nowhere' });
    for (const call of [
      () => elsewhere.workflow.start('x', idle() as any),
      () => elsewhere.workflow.getHandle('x').describe(),
      () => elsewhere.workflow.count(),
    ]) {
      const failure = await call().catch((error) => error);
      expect(failure).toBeInstanceOf(NamespaceNotFoundError);
      expect(failure.namespace).toBe('nowhere');
    }
  });
});

describe('result', () => {
  it('throws the failure of the workflow, with its causes and details', async () => {
    const failure = await client.workflow
      .execute('fail', { ...withId(), args: [{ because: 7 }] })
      .catch((error) => error);
    expect(failure).toBeInstanceOf(WorkflowFailedError);
    expect(failure.retryState).toBe('RETRY_POLICY_NOT_SET');
    expect(failure.cause).toBeInstanceOf(ApplicationFailure);
    expect(failure.cause).toMatchObject({ message: 'outer', type: 'Outer' });
    expect(failure.cause.cause).toBeInstanceOf(ApplicationFailure);
    expect(failure.cause.cause).toMatchObject({ message: 'inner', details: [{ because: 7 }] });
  });

  it('tells cancellation, termination and timeout apart', async () => {
    const cancelled = await client.workflow.start('cancel', withId() as any);
    await cancelled.cancel();
    const ofCancelled = await cancelled.result().catch((error) => error);
    expect(ofCancelled).toBeInstanceOf(WorkflowFailedError);
    expect(ofCancelled.cause).toBeInstanceOf(CancelledFailure);
    expect(ofCancelled.cause.details).toEqual(['tidied up']);

    const terminated = await client.workflow.start('open', withId() as any);
    await terminated.terminate('enough');
    const ofTerminated = await terminated.result().catch((error) => error);
    expect(ofTerminated.cause).toBeInstanceOf(TerminatedFailure);
    expect(ofTerminated.cause.message).toBe('enough');
    expect(ofTerminated.message).toBe('enough');

    const timedOut = await client.workflow.start('open', withId({ workflowRunTimeout: '1s' }) as any);
    const ofTimedOut = await timedOut.result().catch((error) => error);
    expect(ofTimedOut.cause).toBeInstanceOf(TimeoutFailure);
    expect(ofTimedOut.cause.timeoutType).toBe('START_TO_CLOSE');
  });

  it('follows the chain of runs unless told not to', async () => {
    const handle = await client.workflow.start('again', { ...withId(), args: [2] });
    expect(await handle.result()).toBe('done');
    const failure = await client.workflow
      .getHandle(handle.workflowId, handle.firstExecutionRunId, { followRuns: false })
      .result()
      .catch((error) => error);
    expect(failure).toBeInstanceOf(WorkflowContinuedAsNewError);
    expect(failure.newExecutionRunId).not.toBe(handle.firstExecutionRunId);
    expect(await client.workflow.result(handle.workflowId, failure.newExecutionRunId)).toBe('done');
  });

  it('waits for the end of a workflow that is still open, and stops at a deadline', async () => {
    const handle = await client.workflow.start('open', withId() as any);
    const failure = await client
      .withDeadline(Date.now() + 300, () => handle.result())
      .catch((error) => error);
    expect(isGrpcDeadlineError(failure)).toBe(true);
    const waiting = handle.result().catch((error) => error);
    await handle.terminate();
    expect(await waiting).toBeInstanceOf(WorkflowFailedError);
  });
});

describe('signals, queries and updates', () => {
  it('delivers signals by definition, by name and with options', async () => {
    const handle = await client.workflow.start('open', idle() as any);
    await handle.signal(poke, 'a', 1);
    await handle.signal('poke');
    await handle.signalWithOptions('poke', { args: [['x']] });
    const { events } = await handle.fetchHistory();
    const signals = events!.flatMap((event) => event.workflowExecutionSignaledEventAttributes ?? []);
    expect(signals.map(({ signalName }) => signalName)).toEqual(['poke', 'poke', 'poke']);
    expect(
      signals.map(({ input }) => (input?.payloads ?? []).map(({ data }) => Buffer.from(data!).toString())),
    ).toEqual([['"a"', '1'], [], ['["x"]']]);
  });

  it('signals with start: starts once, then signals the same run', async () => {
    const options = { ...idle(), signal: poke, signalArgs: ['a', 1] as [string, number] };
    const first = await client.workflow.signalWithStart('open', options);
    const second = await client.workflow.signalWithStart('open', {
      ...options,
      signal: 'other',
      signalArgs: [],
    });
    expect(second.signaledRunId).toBe(first.signaledRunId);
    const { events } = await first.fetchHistory();
    expect(
      events!.flatMap((event) => event.workflowExecutionSignaledEventAttributes?.signalName ?? []),
    ).toEqual(['poke', 'other']);
  });

  it('answers queries on open and on closed workflows, and rejects them where asked to', async () => {
    const handle = await client.workflow.start('open', { ...withId(), args: [1, 'two'] });
    expect(await handle.query(args)).toEqual([1, 'two']);
    expect(await handle.query('args')).toEqual([1, 'two']);
    expect(await handle.queryWithOptions('args', {})).toEqual([1, 'two']);
    const unknown = await handle.query('unknown').catch((error) => error);
    expect(unknown).toBeInstanceOf(QueryNotRegisteredError);
    expect(unknown).toMatchObject({ code: 3, message: 'unknown query unknown' });
    await handle.terminate();
    expect(await handle.query(args)).toEqual([1, 'two']);
    const strict = makeClient({ workflow: { queryRejectCondition: 'NOT_OPEN' } });
    const rejected = await strict.workflow
      .getHandle(handle.workflowId)
      .query(args)
      .catch((error) => error);
    expect(rejected).toBeInstanceOf(QueryRejectedError);
    expect(rejected.status).toBe(5);
  });

  it('executes updates, starts them, finds them again, and throws what the workflow says', async () => {
    const handle = await client.workflow.start('open', withId() as any);
    expect(await handle.executeUpdate(double, { args: [21] })).toBe(42);
    const update = await handle.startUpdate(double, {
      args: [4],
      waitForStage: 'ACCEPTED',
      updateId: 'mine',
    });
    expect(update).toMatchObject({ updateId: 'mine', workflowId: handle.workflowId });
    expect(update.workflowRunId).toBe(handle.firstExecutionRunId);
    expect(await update.result()).toBe(8);
    expect(await handle.getUpdateHandle<number>('mine').result()).toBe(8);
    // the same id again is the same update, whatever its argument
    expect(await handle.executeUpdate(double, { args: [1000], updateId: 'mine' })).toBe(8);

    const broken = await handle
      .executeUpdate<any, [string]>('broken', { args: ['why'] })
      .catch((error) => error);
    expect(broken).toBeInstanceOf(WorkflowUpdateFailedError);
    expect(broken.cause).toMatchObject({ message: 'broken', details: ['why'] });
    const rejected = await handle.executeUpdate<any, []>('unknown').catch((error) => error);
    expect(rejected).toBeInstanceOf(WorkflowUpdateFailedError);
    expect(rejected.cause.message).toBe('no update unknown');
    await expect(
      handle.startUpdate(double, { args: [1], waitForStage: 'COMPLETED' as 'ACCEPTED' }),
    ).rejects.toMatchObject({ code: 'VALUE_INVALID' });
  });

  it('says when the wait for an update ends before the update', async () => {
    const handle = await client.workflow.start('open', idle() as any);
    const failure = await client
      .withDeadline(Date.now() + 300, () => handle.executeUpdate(double, { args: [1] }))
      .catch((error) => error);
    expect(failure.code).toBe('WORKFLOW_UPDATE_WAIT_INTERRUPTED');
    // Whoever notices first: the client says DEADLINE_EXCEEDED, the server CANCELLED.
    expect(isGrpcDeadlineError(failure.cause) || isGrpcCancelledError(failure.cause)).toBe(true);
  });

  it('starts and updates in one step, and attaches where the workflow runs', async () => {
    const make = (workflowId: string) =>
      new WithStartWorkflowOperation('open', {
        workflowId,
        taskQueue,
        workflowIdConflictPolicy: 'USE_EXISTING',
      });
    const workflowId = randomUUID();
    const first = make(workflowId);
    expect(
      await client.workflow.executeUpdateWithStart(double, { args: [3], startWorkflowOperation: first }),
    ).toBe(6);
    const handle = await first.workflowHandle();
    const second = make(workflowId);
    const update = await client.workflow.startUpdateWithStart(double, {
      args: [5],
      waitForStage: 'ACCEPTED',
      startWorkflowOperation: second,
    });
    expect(await update.result()).toBe(10);
    expect((await (await second.workflowHandle()).describe()).runId).toBe((await handle.describe()).runId);
    await expect(
      client.workflow.executeUpdateWithStart(double, { args: [3], startWorkflowOperation: first }),
    ).rejects.toMatchObject({ code: 'ILLEGAL_STATE' });

    const refused = new WithStartWorkflowOperation('open', {
      workflowId,
      taskQueue,
      workflowIdConflictPolicy: 'FAIL',
    });
    const failure = await client.workflow
      .executeUpdateWithStart(double, { args: [3], startWorkflowOperation: refused })
      .catch((error) => error);
    expect(failure).toBeInstanceOf(WorkflowExecutionAlreadyStartedError);
    await expect(refused.workflowHandle()).rejects.toBe(failure);
  });
});

describe('cancel, terminate and unknown workflows', () => {
  it('are checked against the first run of the chain', async () => {
    const options = idle();
    const old = await client.workflow.start('open', options as any);
    await old.terminate();
    const current = await client.workflow.start('open', options as any);
    await expect(old.terminate()).rejects.toBeInstanceOf(WorkflowNotFoundError);
    await expect(old.cancel()).rejects.toBeInstanceOf(WorkflowNotFoundError);
    expect((await current.describe()).status.name).toBe('RUNNING');
    await current.cancel();
    expect((await current.fetchHistory()).events!.at(-1)!.eventType).toBe(
      EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
    );
  });

  it('throw WorkflowNotFoundError for each call on an unknown id', async () => {
    const handle = client.workflow.getHandle('no-such-workflow');
    const calls: Record<string, () => Promise<unknown>> = {
      result: () => handle.result(),
      signal: () => handle.signal('x'),
      query: () => handle.query('x'),
      update: () => handle.executeUpdate('x'),
      terminate: () => handle.terminate(),
      cancel: () => handle.cancel(),
      describe: () => handle.describe(),
      fetchHistory: () => handle.fetchHistory(),
    };
    for (const [name, call] of Object.entries(calls)) {
      const failure: any = await call().catch((error) => error);
      expect([name, failure instanceof WorkflowNotFoundError, failure.workflowId]).toEqual([
        name,
        true,
        'no-such-workflow',
      ]);
    }
  });
});

describe('list and count', () => {
  it('page through what a query finds, and download the histories', async () => {
    const type = `listed-${randomUUID()}`;
    const ids = await Promise.all(
      [1, 2, 3, 4, 5].map(async (value) => {
        const typedSearchAttributes = [{ key: amount, value }];
        const handle = await client.workflow.start(type, {
          ...idle({ memo: { value } }),
          typedSearchAttributes,
        } as any);
        if (value > 3) await handle.terminate();
        return handle.workflowId;
      }),
    );
    const query = `WorkflowType = '${type}'`;
    await eventually(
      () => client.workflow.count(`${query} AND ExecutionStatus = 'Terminated'`),
      ({ count }) => count === 2,
    );
    const found = [];
    for await (const info of client.workflow.list({ query, pageSize: 2 })) found.push(info);
    expect(found.map(({ workflowId }) => workflowId).sort()).toEqual([...ids].sort());
    expect(found.map(({ memo }) => memo!.value).sort()).toEqual([1, 2, 3, 4, 5]);
    expect(found.map(({ typedSearchAttributes }) => typedSearchAttributes.get(amount)).sort()).toEqual([
      1, 2, 3, 4, 5,
    ]);

    const histories = [];
    for await (const item of client.workflow
      .list({ query })
      .intoHistories({ concurrency: 2, bufferLimit: 1 })) {
      histories.push(item);
    }
    expect(histories.map(({ workflowId }) => workflowId).sort()).toEqual([...ids].sort());
    expect(histories.map(({ history }) => (history as any).events.length).sort()).toEqual([2, 2, 2, 3, 3]);

    const { count, groups } = await eventually(
      () => client.workflow.count(`${query} GROUP BY ExecutionStatus`),
      (counted) => counted.groups.length === 2,
    );
    expect(count).toBe(5);
    expect(Object.fromEntries(groups.map((group) => [group.groupValues[0]![0], group.count]))).toEqual({
      Running: 3,
      Terminated: 2,
    });
  });

  it('throw a typed error for a query that cannot be read', async () => {
    await expect(client.workflow.count('what is this')).rejects.toMatchObject({ code: 'CLIENT_RPC_FAILED' });
  });
});

describe('data conversion', () => {
  it('runs codecs over everything that the server stores, both ways', async () => {
    const codec = new FlipCodec();
    const queue = `codec-${randomUUID()}`;
    const coded = makeClient({ dataConverter: { payloadCodecs: [codec] } });
    const codedWorker = new HandWorker(connection, queue, { payloadCodecs: [codec] });
    try {
      const base = { taskQueue: queue, memo: { secret: 'm' }, staticSummary: 'hidden' };
      expect(
        await coded.workflow.execute('echo', { ...base, workflowId: randomUUID(), args: ['plain'] }),
      ).toBe('plain');
      const open = await coded.workflow.start('open', {
        ...base,
        workflowId: randomUUID(),
        args: ['arg'],
        typedSearchAttributes: [{ key: customer, value: 'visible' }],
      });
      expect(await open.query(args)).toEqual(['arg']);
      expect(await open.executeUpdate(double, { args: [8] })).toBe(16);
      await open.signal('poke', ...(['hidden'] as unknown as []));
      const description = await open.describe();
      expect(description.memo).toEqual({ secret: 'm' });
      expect(await description.staticSummary()).toBe('hidden');
      expect(description.typedSearchAttributes.get(customer)).toBe('visible');
      // What a client without the codec sees is what the server stores.
      const raw = JSON.stringify(
        await client.workflow.getHandle(open.workflowId).fetchHistory(),
        (_key, value) =>
          value?.type === 'Buffer' || value instanceof Uint8Array
            ? Buffer.from(value.data ?? value).toString('latin1')
            : value,
      );
      for (const secret of ['"arg"', 'hidden', '"m"']) expect(raw).not.toContain(secret);

      const failure = await coded.workflow
        .execute('fail', { ...base, workflowId: randomUUID(), args: ['detail'] })
        .catch((error) => error);
      expect(failure.cause.cause).toMatchObject({ message: 'inner', details: ['detail'] });
      expect(codec.encoded).toBeGreaterThan(5);
      expect(codec.decoded).toBeGreaterThan(5);
    } finally {
      await codedWorker.stop();
    }
  });

  it('refuses a converter that cannot be loaded', () => {
    for (const path of ['/no/such/file', require.resolve('@perdure/client')]) {
      expect(() => new Client({ connection, dataConverter: { payloadConverterPath: path } })).toThrow(
        /payloadConverter/,
      );
    }
  });
});

describe('interceptors', () => {
  it('stand around every call, the first one outermost, and may change what is sent', async () => {
    const seen: string[] = [];
    const note = (name: string, layer: string) => async (input: any, next: any) => {
      seen.push(`${layer}:${name}`);
      return await next(input);
    };
    const names = [
      'start',
      'startUpdate',
      'startUpdateWithStart',
      'signal',
      'signalWithStart',
      'query',
      'terminate',
      'cancel',
      'describe',
    ];
    const layer = (label: string) => Object.fromEntries(names.map((name) => [name, note(name, label)]));
    const intercepted = makeClient({
      interceptors: {
        workflow: [
          layer('outer'),
          {
            ...layer('inner'),
            startWithDetails: async (input, next) =>
              await next({
                ...input,
                headers: { ...input.headers, trace: { data: Buffer.from('t1') } },
                options: { ...input.options, args: ['changed'] },
              }),
          },
        ],
      },
    });
    const handle = await intercepted.workflow.start('open', withId({ args: ['original'] }) as any);
    const started = await startedAttributes(handle);
    expect(Buffer.from(started.header!.fields!.trace!.data!).toString()).toBe('t1');
    expect(await handle.query(args)).toEqual(['changed']);
    await handle.signal('poke');
    await handle.executeUpdate(double, { args: [1] });
    await handle.describe();
    await handle.cancel();
    await handle.terminate();
    await intercepted.workflow.signalWithStart('open', { ...withId(), signal: 'poke' } as any);
    const startWorkflowOperation = new WithStartWorkflowOperation('open', {
      ...withId(),
      workflowIdConflictPolicy: 'FAIL',
    } as any);
    await intercepted.workflow.executeUpdateWithStart(double, { args: [1], startWorkflowOperation });
    const order = [
      'start',
      'query',
      'signal',
      'startUpdate',
      'describe',
      'cancel',
      'terminate',
      'signalWithStart',
      'startUpdateWithStart',
    ];
    expect(seen).toEqual(order.flatMap((name) => [`outer:${name}`, `inner:${name}`]));
  });
});

describe('older spellings', () => {
  it('start and await a workflow through createWorkflowHandle on a client made of a connection', async () => {
    async function echo(value: string) {
      return value;
    }
    const older = new WorkflowClient(connection);
    expect(await older.createWorkflowHandle(echo, { taskQueue }).execute('hello')).toBe('hello');
    const handle = older.createWorkflowHandle<() => Promise<void>>('open', { taskQueue });
    const runId = await handle.start();
    expect((await handle.describe()).runId).toBe(runId);
    expect(await older.createWorkflowHandle({ workflowId: handle.workflowId, runId }).query(args)).toEqual(
      [],
    );
    await handle.terminate();
    await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    const signaled = older.createWorkflowHandle(echo, { taskQueue: 'idle' });
    const signaledRun = await signaled.signalWithStart(poke, ['a', 1], ['x']);
    expect((await signaled.describe()).runId).toBe(signaledRun);
  });
});

describe('completion of activities from outside', () => {
  async function startActivity() {
    const handle = await client.workflow.start('activity', withId() as any);
    const { taskToken } = await connection.withDeadline(Date.now() + POLL_MS, () =>
      connection.workflowService.pollActivityTaskQueue({
        namespace: 'default',
        taskQueue: { name: taskQueue },
        identity: 'test',
      }),
    );
    return { handle, taskToken: taskToken!, id: { workflowId: handle.workflowId, activityId: 'act' } };
  }

  it('completes and fails activities by token and by id', async () => {
    const byToken = await startActivity();
    await client.activity.heartbeat(byToken.taskToken, { progress: 1 });
    await client.activity.complete(byToken.taskToken, 'by token');
    expect(await byToken.handle.result()).toBe('by token');
    const byId = await startActivity();
    await client.activity.heartbeat(byId.id, 2);
    await client.activity.complete(byId.id, { by: 'id' });
    expect(await byId.handle.result()).toEqual({ by: 'id' });
    for (const form of ['taskToken', 'id'] as const) {
      const failed = await startActivity();
      await client.activity.fail(failed[form] as Uint8Array, new TypeError('no'));
      const failure = await failed.handle.result().catch((error) => error);
      expect(failure.cause).toMatchObject({ message: 'no', type: 'TypeError' });
    }
  });

  it('hears of a cancellation by heartbeat and confirms it', async () => {
    const { handle, taskToken, id } = await startActivity();
    await handle.cancel();
    await eventually(
      () => client.activity.heartbeat(taskToken).catch((error) => error.code),
      (code) => code === 'ACTIVITY_CANCELLED',
    );
    await client.activity.reportCancellation(id, 'confirmed');
    expect(await handle.result()).toBe('confirmed');
    await expect(client.activity.complete(taskToken, 1)).rejects.toMatchObject({
      code: 'ACTIVITY_EXECUTION_NOT_FOUND',
    });
    await expect(client.activity.complete({ ...id, activityId: 'other' }, 1)).rejects.toMatchObject({
      code: 'ACTIVITY_EXECUTION_NOT_FOUND',
    });
  });
});
