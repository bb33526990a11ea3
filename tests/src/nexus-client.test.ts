/** Nexus operations that no workflow has started: client, server, handler, what backs it, and back. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { heartbeat, sleep } from '@perdure/activity';
import {
  Client,
  NexusOperationAlreadyStartedError,
  type NexusOperationExecution,
  NexusOperationFailureError,
  type NexusOperationHandle,
  NexusOperationNotFoundError,
  type NexusServiceClient,
  ServiceError,
  type StartNexusOperationOptions,
} from '@perdure/client';
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  defaultPayloadConverter,
  defineSearchAttributeKey,
  hasCode,
  NamespaceNotFoundError,
  type PayloadCodec,
  TerminatedFailure,
  TimeoutFailure,
  ValueError,
} from '@perdure/common';
import { startWorkflow, TemporalOperationHandler, WorkflowRunOperationHandler } from '@perdure/nexus';
import type { Worker } from '@perdure/worker';
import * as nexus from 'nexus-rpc';
import { eventually, harness, until, workflowsDir } from './support/harness';
import * as workflows from './workflows/nexus';

const h = harness();
const keyword = defineSearchAttributeKey('TestKeyword', 'KEYWORD');
const gates = new Map<string, () => void>();
const attempts = new Map<string, number>();
const intercepted: string[] = [];

const activities = {
  greet: async (name: string) => `activity ${name}`,
  fail: async () => {
    throw ApplicationFailure.nonRetryable('activity failed', 'Bad');
  },
  opens: async (id: string) => {
    await new Promise<void>((resolve) => gates.set(id, resolve));
    return `opened ${id}`;
  },
  untilCancelled: async () => {
    for (;;) {
      heartbeat();
      await sleep(20);
    }
  },
};

const handler = nexus.serviceHandler(workflows.service, {
  sync: async (ctx, input) => {
    if (input.startsWith('gate')) await new Promise<void>((resolve) => gates.set(input, resolve));
    return `sync ${input} ${ctx.headers['x-trace'] ?? ''}`.trim();
  },
  run: new WorkflowRunOperationHandler<string, string>((ctx, input) =>
    startWorkflow(ctx, input === 'forever' ? workflows.waitsForCancellation : workflows.greets, {
      args: [input],
      workflowId: `backing-${ctx.requestId}`,
    }),
  ),
  typed: new TemporalOperationHandler<{ how: string; id: string }, string>({
    start: async (_ctx, client, { how, id }) => {
      const options = { id, args: [id], startToCloseTimeout: '2m', summary: how } as const;
      switch (how) {
        case 'typed':
          return client.typedActivity<typeof activities>().startActivity('greet', { ...options, args: [id] });
        case 'shared':
          return client.startActivity('opens', { ...options, idConflictPolicy: 'USE_EXISTING' });
        case 'alone':
          return client.startActivity('opens', options);
        case 'cancelled':
          return client.startActivity('untilCancelled', { ...options, heartbeatTimeout: '30s' });
        case 'wrong':
          return client.startActivity('greet', { id });
        default:
          return client.startActivity<string>(how, options);
      }
    },
  }),
  fails: async (ctx, how) => {
    const attempt = (attempts.get(ctx.requestId) ?? 0) + 1;
    attempts.set(ctx.requestId, attempt);
    if (how === 'operation') {
      throw new nexus.OperationError('failed', 'it failed', {
        cause: ApplicationFailure.create({ message: 'because', type: 'Reason', details: ['d'] }),
      });
    }
    if (how === 'canceled') throw new nexus.OperationError('canceled', 'it was cancelled');
    if (how === 'handler') throw new nexus.HandlerError('BAD_REQUEST', 'bad input');
    throw new Error(`attempt ${attempt} failed`);
  },
});

const flip: PayloadCodec = {
  encode: async (payloads) =>
    payloads.map(({ metadata, data }) => ({
      metadata: { ...metadata, flipped: Buffer.from('1') },
      data: data?.map((byte) => byte ^ 0xff),
    })),
  decode: async (payloads) =>
    payloads.map(({ metadata: { flipped, ...metadata } = {}, data }) => {
      if (flipped === undefined) throw new Error('not flipped');
      return { metadata, data: data?.map((byte) => byte ^ 0xff) };
    }),
};

let worker: Worker;
let endpoint: string;
let service: NexusServiceClient<typeof workflows.service>;

async function makeEndpoint(taskQueue: string): Promise<string> {
  const name = `endpoint-${randomUUID()}`;
  await h.client.connection.operatorService.createNexusEndpoint({
    spec: { name, target: { worker: { namespace: 'default', taskQueue } } },
  });
  return name;
}

beforeAll(async () => {
  worker = await h.worker({
    workflowsPath: join(workflowsDir, 'nexus.ts'),
    nexusServices: [handler],
    activities,
    interceptors: {
      client: {
        activity: [
          {
            start: (input, next) => {
              intercepted.push(input.options.id);
              return next(input);
            },
          },
        ],
      },
    },
    maxHeartbeatThrottleInterval: '50ms',
    defaultHeartbeatThrottleInterval: '50ms',
  });
  h.background(worker);
  endpoint = await makeEndpoint(worker.options.taskQueue);
  service = h.client.nexus.createServiceClient({ endpoint, service: workflows.service });
});
afterAll(() => {
  for (const open of gates.values()) open();
});

const withId = (rest: Partial<StartNexusOperationOptions> = {}): StartNexusOperationOptions => ({
  id: `op-${randomUUID()}`,
  scheduleToCloseTimeout: '2m',
  ...rest,
});

async function failureOf(running: Promise<unknown>): Promise<any> {
  try {
    await running;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

/** An operation that waits in its handler. */
async function gated(rest: Partial<StartNexusOperationOptions> = {}) {
  const input = `gate ${randomUUID()}`;
  const handle = await service.startOperation('sync', input, withId(rest));
  await until(() => gates.has(input), 'the handler has it');
  return { handle, input, open: gates.get(input)! };
}

/** An operation that a workflow backs, and that has been started. */
async function forever(rest: Partial<StartNexusOperationOptions> = {}) {
  const handle = await service.startOperation('run', 'forever', withId(rest));
  await until(async () => (await handle.describe()).state === 'STARTED', 'the operation has started');
  return handle;
}

async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of all) items.push(item);
  return items;
}

describe('start', () => {
  it('sends every option, and describe gives them back', async () => {
    const { handle, open, input } = await gated({
      scheduleToCloseTimeout: '3m',
      scheduleToStartTimeout: 120_000,
      startToCloseTimeout: '1m',
      summary: 'what it is for',
      searchAttributes: [{ key: keyword, value: 'Ada' }],
      headers: { 'x-trace': 't1' },
    });
    const description = await handle.describe();
    expect(description).toMatchObject({
      operationId: handle.operationId,
      runId: handle.runId,
      endpoint,
      service: 'tested',
      operation: 'sync',
      status: 'RUNNING',
      state: 'SCHEDULED',
      scheduleToCloseTimeout: 180_000,
      scheduleToStartTimeout: 120_000,
      startToCloseTimeout: 60_000,
      scheduleTime: expect.any(Date),
      expirationTime: expect.any(Date),
      closeTime: undefined,
      operationToken: undefined,
      blockedReason: undefined,
      cancellationInfo: undefined,
      identity: h.client.options.identity,
      requestId: expect.stringMatching(/./),
    });
    expect(description.searchAttributes.get(keyword)).toBe('Ada');
    expect(await description.staticSummary()).toBe('what it is for');
    expect(await description.staticDetails()).toBeUndefined();
    expect(description.raw.nexusHeader).toMatchObject({ 'x-trace': 't1' });
    open();
    expect(await handle.result()).toBe(`sync ${input} t1`);
    expect(await handle.describe()).toMatchObject({
      status: 'COMPLETED',
      state: undefined,
      attempt: 1,
      closeTime: expect.any(Date),
      executionDuration: expect.any(Number),
    });
  });

  it('takes operations by definition and by key, and no others', async () => {
    expect(await service.executeOperation('sync', 'key', withId())).toBe('sync key');
    const { sync } = workflows.service.operations;
    expect(await service.executeOperation(sync, 'definition', withId())).toBe('sync definition');
    const error = await failureOf(service.startOperation('toString' as 'sync', '', withId()));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toMatch(/no operation 'toString'.*sync, run, typed, fails/);
    await expect(service.startOperation('sync', '', { id: '' })).rejects.toThrow(/id must be/);
    await expect(
      service.startOperation('sync', '', withId({ scheduleToStartTimeout: 'soon' as '1s' })),
    ).rejects.toThrow(/scheduleToStartTimeout/);
  });

  it('refuses the id of a running operation, and shares it where the policy allows', async () => {
    const { handle, open, input } = await gated();
    const { operationId: id, runId } = handle;
    const error = await failureOf(service.startOperation('sync', 'x', withId({ id })));
    expect(error).toBeInstanceOf(NexusOperationAlreadyStartedError);
    expect(hasCode(error, 'NEXUS_OPERATION_ALREADY_STARTED')).toBe(true);
    expect(error).toMatchObject({ operationId: id, runId });
    const shared = await service.startOperation(
      'sync',
      'x',
      withId({ id, idConflictPolicy: 'USE_EXISTING' }),
    );
    expect(shared.runId).toBe(runId);
    open();
    expect(await shared.result()).toBe(`sync ${input}`);
  });

  it('uses the id of a closed operation again as the policy says', async () => {
    const { id } = withId();
    const again = (idReusePolicy?: StartNexusOperationOptions['idReusePolicy'], how?: string) =>
      how === undefined
        ? service.startOperation('sync', 'again', withId({ id, idReusePolicy }))
        : service.startOperation('fails', how, withId({ id, idReusePolicy }));
    const failed = await again(undefined, 'operation');
    await failureOf(failed.result());
    await expect(again('REJECT_DUPLICATE')).rejects.toThrow(NexusOperationAlreadyStartedError);
    const completed = await again('ALLOW_DUPLICATE_FAILED_ONLY');
    await completed.result();
    await expect(again('ALLOW_DUPLICATE_FAILED_ONLY')).rejects.toThrow(NexusOperationAlreadyStartedError);
    const last = await again();
    expect(new Set([failed.runId, completed.runId, last.runId]).size).toBe(3);
    expect((await h.client.nexus.getHandle(id).describe()).runId).toBe(last.runId);
    expect((await h.client.nexus.getHandle(id, { runId: failed.runId }).describe()).status).toBe('FAILED');
  });

  it('says what is missing: endpoint, service, namespace', async () => {
    const nowhere = h.client.nexus.createServiceClient({ endpoint: 'nowhere', service: workflows.service });
    const error = await failureOf(nowhere.startOperation('sync', '', withId()));
    expect(error).toBeInstanceOf(ServiceError);
    expect(error.message).toMatch(/start Nexus operation.*endpoint.*nowhere/);
    const other = nexus.service('other', { sync: nexus.operation<string, string>() });
    const unknown = h.client.nexus.createServiceClient({ endpoint, service: other });
    const failure = await failureOf(unknown.executeOperation('sync', '', withId()));
    expect(failure).toBeInstanceOf(NexusOperationFailureError);
    expect(failure.cause.message).toMatch(/other/);
    const lost = new Client({ connection: h.client.connection, namespace: 'nowhere' }).nexus;
    expect(await failureOf(lost.getHandle('x').describe())).toBeInstanceOf(NamespaceNotFoundError);
  });
});

describe('the result', () => {
  it('comes from whatever backs the operation', async () => {
    const run = await service.startOperation('run', 'workflow', withId());
    expect(await run.result()).toBe('hello, workflow');
    expect((await run.describe()).operationToken).toMatch(/./);
    const id = `activity-${randomUUID()}`;
    expect(await service.executeOperation('typed', { how: 'typed', id }, withId())).toBe(`activity ${id}`);
    const activity = await h.client.activity.getHandle(id).describe();
    expect(activity).toMatchObject({ status: 'COMPLETED', taskQueue: worker.options.taskQueue });
    expect(defaultPayloadConverter.fromPayload(activity.rawInfo.userMetadata!.summary!)).toBe('typed');
    expect(intercepted).toContain(id); // by the interceptors of the worker's client
    const by = h.client.nexus.getHandle<typeof workflows.service.operations.run>(run.operationId);
    expect(await by.result()).toBe('hello, workflow');
  });

  it('is asked for once per handle', async () => {
    let asked = 0;
    const counting = new Client({
      connection: h.client.connection,
      interceptors: {
        nexus: [
          {
            getResult: (input, next) => {
              asked++;
              return next(input);
            },
          },
        ],
      },
    }).nexus.createServiceClient({ endpoint, service: workflows.service });
    const handle = await counting.startOperation('sync', 'once', withId());
    expect([await handle.result(), await handle.result()]).toEqual(['sync once', 'sync once']);
    const failing = await counting.startOperation('fails', 'operation', withId());
    const failures = [await failureOf(failing.result()), await failureOf(failing.result())];
    expect(failures[0]).toBe(failures[1]);
    expect(asked).toBe(2);
    // What interrupts the wait is no outcome.
    const { handle: waits, open } = await gated();
    const mine = h.client.nexus;
    const late = await failureOf(mine.withDeadline(Date.now() + 200, () => waits.result()));
    expect(late).toBeInstanceOf(ServiceError);
    open();
    expect(await waits.result()).toMatch(/^sync gate/);
  });

  it.each([
    ['operation', 'it failed', [ApplicationFailure, 'it failed', 'because']],
    ['canceled', 'it was cancelled', [CancelledFailure, 'it was cancelled']],
    ['handler', 'bad input', [nexus.HandlerError, 'bad input']],
  ] as const)('is the failure of the handler (%s), with its causes', async (how, message, chain) => {
    const error = await failureOf(service.executeOperation('fails', how, withId()));
    expect(error).toBeInstanceOf(NexusOperationFailureError);
    expect(hasCode(error, 'NEXUS_OPERATION_EXECUTION_FAILED')).toBe(true);
    const causes: any[] = [];
    for (let cause = error.cause; cause !== undefined; cause = cause.cause) causes.push(cause);
    const [type, ...messages] = chain;
    expect(causes.map(({ message }) => message).join(' | ')).toContain(messages.join(' | '));
    expect(causes.some((cause) => cause instanceof type)).toBe(true);
    expect(error.message).toContain('Nexus operation failed: ');
    expect([error, ...causes].some((each) => each.message.includes(message))).toBe(true);
  });

  it('is the failure of the activity or workflow that backs the operation', async () => {
    const id = `activity-${randomUUID()}`;
    const error = await failureOf(service.executeOperation('typed', { how: 'fail', id }, withId()));
    const causes: any[] = [];
    for (let cause = error.cause; cause !== undefined; cause = cause.cause) causes.push(cause);
    expect(causes.some((cause) => cause instanceof ApplicationFailure && cause.type === 'Bad')).toBe(true);
    expect(causes.some((cause) => cause instanceof ActivityFailure)).toBe(false);
  });

  it('is a timeout where nobody takes the operation', async () => {
    const deserted = await makeEndpoint(`deserted-${randomUUID()}`);
    const nobody = h.client.nexus.createServiceClient({ endpoint: deserted, service: workflows.service });
    const error = await failureOf(
      nobody.executeOperation('sync', '', withId({ scheduleToCloseTimeout: 1_000 })),
    );
    const causes: any[] = [];
    for (let cause = error.cause; cause !== undefined; cause = cause.cause) causes.push(cause);
    expect(causes.some((cause) => cause instanceof TimeoutFailure)).toBe(true);
  });
});

describe('an operation that runs', () => {
  it('is cancelled through its handler', async () => {
    const handle = await forever();
    await handle.cancel('changed our mind');
    const error = await failureOf(handle.result());
    let cause = error.cause;
    while (cause !== undefined && !(cause instanceof CancelledFailure)) cause = cause.cause;
    expect(cause).toBeInstanceOf(CancelledFailure);
    const { status, cancellationInfo } = await handle.describe();
    expect(status).toBe('CANCELED');
    // How far it came is settled below: where the operation ends first, the server does not write that down any more.
    expect(cancellationInfo).toMatchObject({ reason: 'changed our mind' });
  });

  it('tells how far its cancellation has come, and may complete all the same', async () => {
    const id = `activity-${randomUUID()}`;
    const handle = await service.startOperation('typed', { how: 'alone', id }, withId());
    await until(() => gates.has(id), 'the activity runs');
    await until(async () => (await handle.describe()).state === 'STARTED', 'the operation has started');
    await handle.cancel('changed our mind');
    // The activity hears of no cancellation: it has no heartbeats.
    await eventually(async () =>
      expect((await handle.describe()).cancellationInfo).toMatchObject({
        state: 'SUCCEEDED',
        reason: 'changed our mind',
        attempt: 1,
        lastAttemptCompleteTime: expect.any(Date),
        lastAttemptFailure: undefined,
        blockedReason: undefined,
      }),
    );
    gates.get(id)!();
    expect(await handle.result()).toBe(`opened ${id}`);
  });

  it('is ended at once by termination', async () => {
    const handle = await forever();
    await handle.terminate('no longer needed');
    const error = await failureOf(handle.result());
    expect(error.cause).toBeInstanceOf(TerminatedFailure);
    expect(error.cause.message).toContain('no longer needed');
    expect((await handle.describe()).status).toBe('TERMINATED');
  });

  it('tells why its last attempt failed', async () => {
    const handle = await service.startOperation('fails', 'again and again', withId());
    await until(async () => (await handle.describe()).lastAttemptFailure !== undefined, 'an attempt failed');
    const description = await handle.describe();
    expect(description.lastAttemptFailure).toBeInstanceOf(nexus.HandlerError);
    expect((description.lastAttemptFailure!.cause as Error).message).toMatch(/attempt \d failed/);
    expect(description).toMatchObject({ status: 'RUNNING', lastAttemptCompleteTime: expect.any(Date) });
    expect(['BACKING_OFF', 'SCHEDULED']).toContain(description.state);
    await handle.terminate();
  });

  it('is told apart from one that is not there', async () => {
    const nobody: NexusOperationHandle = h.client.nexus.getHandle('nobody', {
      runId: '01a1fe47-0000-7000-8000-000000000000',
    });
    for (const call of [
      () => nobody.result(),
      () => nobody.describe(),
      () => nobody.cancel(),
      () => nobody.terminate(),
    ]) {
      const error = await failureOf(call());
      expect(error).toBeInstanceOf(NexusOperationNotFoundError);
      expect(error).toMatchObject({ operationId: 'nobody', runId: nobody.runId, cause: { code: 5 } });
    }
  });
});

describe('an activity that backs an operation', () => {
  const started = (id: string) => until(() => gates.has(id), 'the activity runs');
  const newId = () => `activity-${randomUUID()}`;

  it('is cancelled with the operation', async () => {
    const id = newId();
    const handle = await service.startOperation('typed', { how: 'cancelled', id }, withId());
    const activity = h.client.activity.getHandle(id);
    await until(async () => (await handle.describe()).state === 'STARTED', 'the operation has started');
    await until(async () => (await activity.describe()).runState === 'STARTED', 'the activity runs');
    await handle.cancel();
    await failureOf(handle.result());
    expect((await handle.describe()).status).toBe('CANCELED');
    expect(await activity.describe()).toMatchObject({
      status: 'CANCELED',
      canceledReason: 'the Nexus operation was cancelled',
    });
  });

  it('may back several of them, where its options say so', async () => {
    const id = newId();
    const first = await service.startOperation('typed', { how: 'shared', id }, withId());
    await started(id);
    const second = await service.startOperation('typed', { how: 'shared', id }, withId());
    await until(async () => (await second.describe()).state === 'STARTED', 'the second is attached');
    const { rawCallbacks } = await h.client.activity.getHandle(id).describe();
    expect(rawCallbacks).toHaveLength(2);
    gates.get(id)!();
    expect([await first.result(), await second.result()]).toEqual([`opened ${id}`, `opened ${id}`]);
  });

  it('fails the operation where another one has its id, or where its options are wrong', async () => {
    const id = newId();
    const first = await service.startOperation('typed', { how: 'alone', id }, withId());
    await started(id);
    const refused = await failureOf(service.executeOperation('typed', { how: 'alone', id }, withId()));
    expect(refused.cause).toMatchObject({ type: 'INTERNAL', retryable: false });
    expect(refused.cause.cause.message).toBe('Activity execution already started');
    gates.get(id)!();
    await first.result();
    const wrong = await failureOf(service.executeOperation('typed', { how: 'wrong', id: newId() }, withId()));
    expect(wrong.cause).toMatchObject({ type: 'BAD_REQUEST' });
    expect(wrong.cause.message).toMatch(/startToCloseTimeout or scheduleToCloseTimeout is required/);
  });
});

describe('list and count', () => {
  it('find what a query asks for', async () => {
    const who = randomUUID();
    const searchAttributes = [{ key: keyword, value: who }] as const;
    const done = await service.startOperation(
      'sync',
      'x',
      withId({ searchAttributes: [...searchAttributes] }),
    );
    await done.result();
    const failed = await service.startOperation(
      'fails',
      'operation',
      withId({ searchAttributes: [...searchAttributes] }),
    );
    await failureOf(failed.result());
    const query = `TestKeyword = '${who}'`;
    let found: NexusOperationExecution[] = [];
    await until(async () => {
      found = await collect(h.client.nexus.list({ query, pageSize: 1 }));
      return found.length === 2 && found.every(({ status }) => status !== 'RUNNING');
    }, 'both are listed as closed');
    const byId = (id: string) => found.find(({ operationId }) => operationId === id)!;
    expect(byId(done.operationId)).toMatchObject({
      runId: done.runId,
      endpoint,
      service: 'tested',
      operation: 'sync',
      status: 'COMPLETED',
      closeTime: expect.any(Date),
      executionDuration: expect.any(Number),
      stateTransitionCount: expect.any(Number),
    });
    expect(byId(done.operationId).searchAttributes.get(keyword)).toBe(who);
    expect(byId(failed.operationId).status).toBe('FAILED');
    expect(await h.client.nexus.count(query)).toEqual({ count: 2, groups: [] });
    const { count, groups } = await h.client.nexus.count(`${query} GROUP BY ExecutionStatus`);
    expect(count).toBe(2);
    expect(groups).toContainEqual({ count: 1, groupValues: [{ type: 'KEYWORD', value: 'Completed' }] });
    expect(groups).toContainEqual({ count: 1, groupValues: [{ type: 'KEYWORD', value: 'Failed' }] });
    expect((await h.client.nexus.count()).count).toBeGreaterThanOrEqual(2);
  });

  it('say what is wrong with a query', async () => {
    const { nexus: client } = h.client;
    for (const run of [() => collect(client.list({ query: 'what?' })), () => client.count('what?')]) {
      expect((await failureOf(run())).message).toContain('invalid query');
    }
  });
});

describe('around operations', () => {
  it('interceptors see every call, the first one outermost, and may change it', async () => {
    const seen: string[] = [];
    const methods = ['startOperation', 'getResult', 'describe', 'cancel', 'terminate', 'list', 'count'];
    const watch = (name: string) =>
      Object.fromEntries(
        methods.map((method) => [
          method,
          (input: any, next: any) => {
            seen.push(`${name}.${method}`);
            if (method !== 'startOperation') return next(input);
            return next({ ...input, headers: { ...input.headers, 'x-trace': name } });
          },
        ]),
      );
    const client = new Client({
      connection: h.client.connection,
      interceptors: { nexus: [watch('outer'), watch('inner')] },
    });
    const mine = client.nexus.createServiceClient({ endpoint, service: workflows.service });
    const handle = await mine.startOperation('sync', 'x', withId());
    expect(await handle.result()).toBe('sync x inner');
    expect(handle.client).toBe(client.nexus);
    await handle.describe();
    await failureOf(handle.cancel());
    await failureOf(handle.terminate());
    await collect(client.nexus.list({ query: `OperationId = '${handle.operationId}'` }));
    await client.nexus.count();
    expect(seen).toEqual(methods.flatMap((method) => [`outer.${method}`, `inner.${method}`]));
  });

  it('codecs see input, result, failures and summaries', async () => {
    const dataConverter = { payloadCodecs: [flip] };
    const secret = await h.worker({ nexusServices: [handler], dataConverter });
    await secret.runUntil(async () => {
      const client = new Client({ connection: h.client.connection, dataConverter });
      const mine = client.nexus.createServiceClient({
        endpoint: await makeEndpoint(secret.options.taskQueue),
        service: workflows.service,
      });
      const handle = await mine.startOperation('sync', 'hidden', withId({ summary: 'hidden too' }));
      expect(await handle.result()).toBe('sync hidden');
      expect(await (await handle.describe()).staticSummary()).toBe('hidden too');
      const plain = h.client.nexus.getHandle(handle.operationId);
      await expect(plain.result()).rejects.toThrow();
      const error = await failureOf(mine.executeOperation('fails', 'operation', withId()));
      let cause = error;
      while (cause.cause !== undefined) cause = cause.cause;
      expect(cause).toMatchObject({ message: 'because', type: 'Reason', details: ['d'] });
    });
  });
});
