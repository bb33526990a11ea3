/** Large payloads, payloads that live elsewhere, payloads that other tools read. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Context } from '@perdure/activity';
import { Client, type WorkflowHandle } from '@perdure/client';
import {
  ApplicationFailure,
  type DataConverter,
  ExternalStorage,
  hasCode,
  type Payload,
  type PayloadCodec,
  type SerializationContext,
  type StorageDriver,
  StorageDriverClaim,
  type StorageDriverTargetInfo,
} from '@perdure/common';
import { findServerBinary } from '@perdure/dev-server';
import { AesGcmCodec, generateKey, keyRing, startCodecServer } from '@perdure/encryption';
import { WorkflowTaskFailedCause } from '@perdure/proto/temporal/api/enums/v1/failed_cause';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import { Worker } from '@perdure/worker';
import { eventsOfType, harness, type LogLine, until, workflowsDir } from './support/harness';
import { type DataActivities, give, see, swap } from './workflows/data';

const h = harness(undefined, {
  telemetryOptions: { logging: { forward: {}, filter: { core: 'WARN', other: 'WARN' } } },
});
const workflowsPath = join(workflowsDir, 'data.ts');
const activities: DataActivities = {
  same: async (value) => value,
  beatsThenSame: async (value) => {
    const { info } = Context.current();
    if (info.attempt === 1) {
      Context.current().heartbeat(value);
      throw new Error('once more');
    }
    return info.heartbeatDetails;
  },
  fails: async (value) => {
    throw ApplicationFailure.nonRetryable('failed', 'T', value);
  },
  large: async (bytes) => 'x'.repeat(bytes),
};

async function clientWith(dataConverter: DataConverter): Promise<Client> {
  return new Client({ connection: h.client.connection, dataConverter });
}

describe('external storage', () => {
  class MapDriver implements StorageDriver {
    readonly name = 'map';
    readonly type = 'map';
    readonly stored = new Map<string, Payload>();
    readonly targets: (StorageDriverTargetInfo | undefined)[] = [];
    retrieved = 0;

    async store({ target }: { target?: StorageDriverTargetInfo }, payloads: Payload[]) {
      return payloads.map((payload) => {
        this.targets.push(target);
        const key = String(this.stored.size);
        this.stored.set(key, payload);
        return new StorageDriverClaim({ key });
      });
    }
    async retrieve(_context: object, claims: StorageDriverClaim[]) {
      this.retrieved += claims.length;
      return claims.map(({ claimData }) => this.stored.get(claimData.key!)!);
    }
  }
  const driver = new MapDriver();
  const externalStorage = new ExternalStorage({ drivers: [driver], payloadSizeThreshold: 1000 });
  const value = 'kept elsewhere '.repeat(200);
  let worker: Worker;
  let client: Client;
  let handle: WorkflowHandle;

  beforeAll(async () => {
    worker = await h.worker({ workflowsPath, activities, dataConverter: { externalStorage } });
    h.background(worker);
    client = await clientWith({ externalStorage });
  });

  it('carries large payloads on every way of clients, workflows, activities and children', async () => {
    const { taskQueue } = worker.options;
    handle = await client.workflow.start('everyWay', {
      taskQueue,
      workflowId: `stored-${randomUUID()}`,
      args: [value],
      memo: { at: value },
    });
    await handle.signal(give, value);
    expect(await handle.query(see, value)).toEqual([value, value]);
    expect(await handle.executeUpdate(swap, { args: [value] })).toBe(value);
    expect(await handle.result()).toEqual([
      value,
      value,
      {
        activity: value,
        heartbeat: value,
        local: value,
        failure: value,
        child: value,
        signalled: value,
        memo: value,
      },
    ]);
    expect((await handle.describe()).memo).toEqual({ at: value });
  });

  it('lets nothing large into histories, and tells drivers whose payloads they get', async () => {
    const first = await handle.fetchHistory();
    expect(Buffer.from(History.encode(first).finish()).includes('kept elsewhere')).toBe(false);
    const ids = driver.targets.map((target) => target?.id);
    expect(ids).toContain(handle.workflowId);
    expect(driver.targets).toContainEqual({
      kind: 'workflow',
      namespace: 'default',
      id: handle.workflowId,
      runId: expect.any(String),
      type: 'everyWay',
    });
    // What children get and what they are signalled belongs to them.
    expect(driver.targets.some((target) => target?.type === 'waitsFor')).toBe(true);
  });

  it('replays histories with references, and stores nothing while it does', async () => {
    const storedBefore = driver.stored.size;
    const retrievedBefore = driver.retrieved;
    const echo = await client.workflow.start('echoes', {
      taskQueue: worker.options.taskQueue,
      workflowId: `replayed-${randomUUID()}`,
      args: [value],
    });
    await echo.result();
    const storedByRun = driver.stored.size - storedBefore;
    expect(storedByRun).toBeGreaterThanOrEqual(4);
    await Worker.runReplayHistory(
      { workflowsPath, dataConverter: { externalStorage } },
      await echo.fetchHistory(),
    );
    expect(driver.stored.size).toBe(storedBefore + storedByRun);
    expect(driver.retrieved).toBeGreaterThan(retrievedBefore + 4);
  });

  it('is missed by a client that has none', async () => {
    const error = await h.client.workflow
      .getHandle(handle.workflowId)
      .result()
      .catch((caught) => caught);
    expect([error.name, hasCode(error, 'EXTERNAL_STORAGE_NOT_CONFIGURED')]).toEqual([error.name, true]);
  });

  it('is missed by a worker that has none: the task fails and says why', async () => {
    const without = await h.worker({ workflowsPath, activities });
    h.background(without);
    const stuck = await client.workflow.start('echoes', {
      taskQueue: without.options.taskQueue,
      workflowId: `missed-${randomUUID()}`,
      args: [value],
    });
    await until(
      async () => (await eventsOfType(stuck, 'WorkflowTaskFailed')).length > 0,
      'the task has failed',
    );
    const [failed] = await eventsOfType(stuck, 'WorkflowTaskFailed');
    expect(failed?.workflowTaskFailedEventAttributes?.failure?.message).toMatch(
      /no external storage is configured/,
    );
    await stuck.terminate();
  });

  it('fails the task, not the worker, while a driver fails', async () => {
    let broken = true;
    const flaky: StorageDriver = {
      name: 'flaky',
      type: 'flaky',
      store: (context, payloads) => {
        if (broken) throw new Error('bucket is away');
        return driver.store(context, payloads);
      },
      retrieve: (context, claims) => driver.retrieve(context, claims),
    };
    const storage = new ExternalStorage({ drivers: [flaky], payloadSizeThreshold: 1000 });
    const unsteady = await h.worker({
      workflowsPath,
      activities,
      dataConverter: { externalStorage: storage },
    });
    h.background(unsteady);
    const reader = await clientWith({ externalStorage: storage });
    const run = await reader.workflow.start('gives', {
      taskQueue: unsteady.options.taskQueue,
      workflowId: `unsteady-${randomUUID()}`,
      workflowTaskTimeout: '1s', // how long an attempt takes that fails again
      args: [5000],
    });
    // From the second attempt on, servers leave failures out of the history; the first may have come too late to count.
    const tells = ({ meta }: LogLine) =>
      [run.firstExecutionRunId, 'bucket is away'].every((part) => JSON.stringify(meta).includes(part));
    await until(() => h.log.lines.some(tells), 'the task has failed');
    broken = false;
    expect(await run.result()).toBe('xxxxxxxxxx');
    for (const { workflowTaskFailedEventAttributes: failed } of await eventsOfType(
      run,
      'WorkflowTaskFailed',
    )) {
      expect(failed?.failure?.message).toContain('bucket is away');
    }
  });
});

describe('codecs', () => {
  it('are told whose payloads they have, by the same id on both sides', async () => {
    // Seals every payload with the owner's ids; opens it only for the same owner.
    const ownerOf = (context: SerializationContext | undefined) =>
      context === undefined
        ? 'nobody'
        : context.type === 'workflow'
          ? `workflow ${context.workflowId}`
          : `activity ${context.activityId} of ${context.workflowId}, ${context.isLocal ? 'local' : 'remote'}`;
    const owners = new Set<string>();
    const bound: PayloadCodec = {
      encode: async (payloads, context) =>
        payloads.map((payload) => {
          owners.add(ownerOf(context).replace(/[0-9a-f-]{30,}/g, 'ID'));
          return { ...payload, metadata: { ...payload.metadata, owner: Buffer.from(ownerOf(context)) } };
        }),
      decode: async (payloads, context) =>
        payloads.map((payload) => {
          const sealed = Buffer.from(payload.metadata?.owner ?? []).toString();
          if (sealed !== ownerOf(context))
            throw new Error(`sealed for ${sealed}, opened for ${ownerOf(context)}`);
          return payload;
        }),
    };
    const dataConverter = { payloadCodecs: [bound] };
    const worker = await h.worker({ workflowsPath, activities, dataConverter });
    h.background(worker);
    const client = await clientWith(dataConverter);
    const handle = await client.workflow.start('everyWay', {
      taskQueue: worker.options.taskQueue,
      workflowId: `mine:${randomUUID()}`,
      args: ['v'],
    });
    await handle.signal(give, 'g');
    const tasks = async () =>
      (await eventsOfType(handle, 'WorkflowTaskFailed')).map(
        ({ workflowTaskFailedEventAttributes: it }) => it?.failure?.message,
      );
    // A task that fails would be tried again and again.
    const result = handle.result();
    const ended = result.then(
      () => true,
      () => true,
    );
    await until(
      async () => (await Promise.race([ended, sleep(200)])) || (await tasks()).length > 0,
      'the workflow has ended, or one of its tasks has failed',
    );
    expect(await tasks()).toEqual([]);
    expect(await result).toMatchObject(['v', 'g', { activity: 'v', child: 'v', local: 'v', signalled: 'v' }]);
    expect([...owners].sort()).toEqual(
      expect.arrayContaining([
        'workflow mine:ID',
        'workflow ID',
        expect.stringMatching(/^activity \d+ of mine:ID, remote$/),
        expect.stringMatching(/^activity \d+ of mine:ID, local$/),
      ]),
    );
  });
});

describe('sizes', () => {
  let worker: Worker;
  beforeAll(async () => {
    worker = await h.worker({ workflowsPath, activities });
    h.background(worker);
  });

  it('over the limit fail in the client before anything is sent, with field, size and limit', async () => {
    const workflowId = `too-large-${randomUUID()}`;
    const options = { taskQueue: worker.options.taskQueue, workflowId };
    const error = await h.client.workflow
      .start('echoes', { ...options, args: ['x'.repeat(3_000_000)] })
      .catch((caught) => caught);
    expect(hasCode(error, 'PAYLOAD_TOO_LARGE')).toBe(true);
    expect(error.message).toMatch(
      new RegExp(`the data for workflow '${workflowId}': 3000\\d+ bytes, the server takes 2097152 at most`),
    );
    const memo = await h.client.workflow
      .start('echoes', { ...options, args: [1], memo: { large: 'x'.repeat(3_000_000) } })
      .catch((caught) => caught);
    expect(memo.message).toMatch(/the memo for workflow .*: 3000\d+ bytes, the server takes 2097152 at most/);
    await expect(h.client.workflow.getHandle(workflowId).describe()).rejects.toThrow(/not found/i);
  });

  it('over the limit fail the workflow task, with command, size and limit', async () => {
    const handle = await h.start(worker, 'gives', [3_000_000]);
    await until(
      async () => (await eventsOfType(handle, 'WorkflowTaskFailed')).length > 0,
      'the task has failed',
    );
    const [event] = await eventsOfType(handle, 'WorkflowTaskFailed');
    const { failure, cause } = event!.workflowTaskFailedEventAttributes!;
    expect(failure?.message).toMatch(
      /ScheduleActivity.arguments of activity "same" has 3000\d+ bytes, the server takes 2097152 at most/,
    );
    expect(cause).toBe(WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_PAYLOADS_TOO_LARGE);
    await handle.terminate();
  });

  it('over the limit fail the activity, with size and limit', async () => {
    const error = await h.execute(worker, 'takes', [3_000_000]).catch((caught) => caught);
    expect(error.cause.cause.message).toMatch(/3000\d+ bytes.*2097152/);
  });

  it('near the limit are warned of, once, with the size: client and workflow task', async () => {
    const emitted = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    try {
      const handle = await h.start(worker, 'echoes', ['x'.repeat(600_000)]);
      await h.start(worker, 'echoes', ['x'.repeat(600_000)]);
      expect(((await handle.result()) as string).length).toBe(600_000);
      expect(emitted.mock.calls.filter((call) => JSON.stringify(call).includes('TMPRL1103'))).toEqual([
        [
          expect.stringMatching(/600\d+ bytes.*524288.*refuses more than 2097152/),
          { code: 'TMPRL1103', type: 'PerdureWarning' },
        ],
      ]);
    } finally {
      emitted.mockRestore();
    }
    await until(
      async () => h.log.lines.some(({ message }) => message.includes('TMPRL1103')),
      'the worker has warned',
    );
  });

  it('pass where the worker is told so, and the server decides', async () => {
    const careless = await h.worker({ workflowsPath, activities, disablePayloadErrorLimit: true });
    h.background(careless);
    const handle = await h.start(careless, 'gives', [3_000_000]);
    const error = (await handle.result().catch((caught) => caught)) as Error & { cause?: Error };
    expect(String(error.cause?.message)).toMatch(/exceeds size limit/i);
  });
});

describe('the real CLI', () => {
  const keys = { k: generateKey() };
  const codec = new AesGcmCodec(keyRing({ keys, currentKeyId: 'k' }));
  const run = promisify(execFile);
  let worker: Worker;
  let cli: (...args: string[]) => Promise<string>;

  beforeAll(async () => {
    worker = await h.worker({ workflowsPath, activities, dataConverter: { payloadCodecs: [codec] } });
    h.background(worker);
    const { path } = await findServerBinary('temporal');
    cli = async (...args) => (await run(path, [...args, '--address', h.address, '--color', 'never'])).stdout;
  });

  it('shows payloads through the codec server, and nothing without it', async () => {
    const server = await startCodecServer({
      codecs: (namespace) => (namespace === 'default' ? [codec] : undefined),
      authorize: ({ headers }) => headers.authorization === 'Bearer letmein',
    });
    try {
      const client = await clientWith({ payloadCodecs: [codec] });
      const workflowId = `shown-${randomUUID()}`;
      await client.workflow.execute('echoes', {
        taskQueue: worker.options.taskQueue,
        workflowId,
        args: [{ secret: 'for my eyes only' }],
      });
      // As text the CLI shows the result, as JSON all payloads.
      const show = ['workflow', 'show', '--workflow-id', workflowId];
      const endpoint = ['--codec-endpoint', server.url];
      const auth = ['--codec-auth', 'Bearer letmein'];
      const encoded = Buffer.from('{"secret":"for my eyes only"}').toString('base64');
      expect(await cli(...show)).not.toContain('for my eyes only');
      expect(await cli(...show, ...endpoint, ...auth)).toContain('for my eyes only');
      const json = [...show, '--output', 'json'];
      expect(await cli(...json)).not.toContain(encoded);
      const shown = await cli(...json, ...endpoint, ...auth);
      expect(shown.split(encoded)).toHaveLength(5);
      // Refused, the CLI tries until its time is over and shows nothing.
      const wrong = ['--codec-auth', 'Bearer wrong', '--command-timeout', '1s'];
      const refused = await cli(...json, ...endpoint, ...wrong).catch((error) => error.stdout);
      expect(refused).not.toContain(encoded);
    } finally {
      await server.close();
    }
  });

  it('starts workflows with arguments that the codec server has encrypted', async () => {
    const server = await startCodecServer({ codecs: [codec] });
    try {
      const workflowId = `cli-${randomUUID()}`;
      const { taskQueue } = worker.options;
      await cli(
        ...['workflow', 'start', '--type', 'echoes', '--task-queue', taskQueue, '--workflow-id', workflowId],
        ...['--input', '"from the command line"', '--codec-endpoint', server.url],
      );
      const client = await clientWith({ payloadCodecs: [codec] });
      const handle = client.workflow.getHandle(workflowId);
      expect(await handle.result()).toBe('from the command line');
      expect(Buffer.from(History.encode(await handle.fetchHistory()).finish()).includes('command line')).toBe(
        false,
      );
    } finally {
      await server.close();
    }
  });
});

describe('bytes', () => {
  it('of 2 MB stay bytes at every border of the main thread', async () => {
    const value = new Uint8Array(2_000_000).map((_, index) => index * 31);
    const seen: unknown[] = [];
    const watch: PayloadCodec = {
      encode: async (payloads) => {
        seen.push(...payloads.map(({ data }) => data instanceof Uint8Array && data.length));
        return payloads;
      },
      decode: async (payloads) => payloads,
    };
    const texts: string[] = [];
    const { toString } = Buffer.prototype;
    const { from } = Array;
    Buffer.prototype.toString = function (this: Buffer, ...args: any[]) {
      if (this.length > 100_000) texts.push(`toString ${args[0]}`);
      return toString.apply(this, args as any);
    } as typeof toString;
    Array.from = ((source: any, ...rest: [any]) => {
      if (ArrayBuffer.isView(source) && source.byteLength > 100_000) texts.push('Array.from');
      return from(source, ...rest);
    }) as typeof from;
    try {
      const dataConverter = { payloadCodecs: [watch] };
      const worker = await h.worker({ workflowsPath, activities, dataConverter });
      const client = await clientWith(dataConverter);
      const result = await worker.runUntil(
        client.workflow.execute('kinds', {
          taskQueue: worker.options.taskQueue,
          workflowId: `bytes-${randomUUID()}`,
          workflowTaskTimeout: '1m', // a task that is tried again would pass its payloads once more
          args: [value],
        }),
      );
      expect(result).toEqual([true, true, 2_000_000, true]);
    } finally {
      Buffer.prototype.toString = toString;
      Array.from = from;
    }
    expect(seen.filter((it) => it === 2_000_000)).toHaveLength(3); // start, activity's argument, activity's result
    expect(texts).toEqual([]);
  });
});
