/** What the options of schedules, versions and converters change on a real server. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Client,
  Connection,
  type QueryDefinition,
  type ScheduleHandle,
  type ScheduleOptions,
  type UpdateDefinition,
} from '@perdure/client';
import { defineSearchAttributeKey } from '@perdure/common';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import { eventually } from './testing/eventually';
import { HandWorker } from './testing/hand-worker';

const region = defineSearchAttributeKey('Region', 'KEYWORD');
const HOUR_MS = 3_600_000;

let server: DevServer;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  server = await startDevServer({
    useExisting: false,
    searchAttributes: { Region: 'Keyword' },
    dynamicConfigValues: { 'system.enableDeploymentVersions': true },
  });
  connection = await Connection.connect({ address: server.address });
  client = new Client({ connection });
});
afterAll(async () => {
  await connection?.close();
  await server?.stop();
});

describe('schedules', () => {
  const schedule = (rest: Partial<ScheduleOptions> = {}): Promise<ScheduleHandle> =>
    client.schedule.create({
      scheduleId: randomUUID(),
      spec: { intervals: [{ every: '1 hour' }] },
      action: { type: 'startWorkflow', workflowType: 'open', taskQueue: 'idle' },
      ...rest,
    });
  const info = async (handle: ScheduleHandle) => (await handle.describe()).info;
  /** The hour that ended at least an hour ago, and `hours` before it. */
  const past = (hours: number) => {
    const end = new Date((Math.floor(Date.now() / HOUR_MS) - 1) * HOUR_MS);
    return { start: new Date(end.getTime() - hours * HOUR_MS), end };
  };

  it('are found by their search attributes', async () => {
    const value = randomUUID();
    const typedSearchAttributes = [{ key: region, value }];
    const [here] = await Promise.all([
      schedule({ typedSearchAttributes, state: { paused: true } }),
      schedule({ state: { paused: true } }),
    ]);
    const find = async () => {
      const found = [];
      for await (const summary of client.schedule.list({ query: `Region = '${value}'` })) found.push(summary);
      return found;
    };
    const [found] = await eventually(find, ({ length }) => length > 0);
    expect(found!.scheduleId).toBe(here!.scheduleId);
    expect(found!.typedSearchAttributes!.get(region)).toBe(value);
    expect(await find()).toHaveLength(1);
    await expect(
      (async () => {
        for await (const _ of client.schedule.list({ query: 'what is this' }));
      })(),
    ).rejects.toMatchObject({ code: 'CLIENT_RPC_FAILED' });
  });

  it('make up for past times when they are created, and wait for the action before as they buffer', async () => {
    const made = await Promise.all(
      (['BUFFER_ALL', 'BUFFER_ONE', 'SKIP'] as const).map((overlap) =>
        schedule({ state: { paused: true, backfill: [{ ...past(2), overlap }] } }),
      ),
    );
    // Three times, of which the first starts; the others are kept, kept once, or left out.
    const after = async (handle: ScheduleHandle) => {
      const ended = new Set<string>();
      const endWhatRuns = async () => {
        const { runningActions, numActionsTaken, numActionsSkippedOverlap } = await info(handle);
        for (const { workflow } of runningActions) {
          const { workflowId, firstExecutionRunId: runId } = workflow;
          if (ended.has(runId)) continue; // the server tells of it for a moment longer
          ended.add(runId);
          await client.workflow.getHandle(workflowId, runId).terminate();
        }
        return { numActionsTaken, numActionsSkippedOverlap };
      };
      return await eventually(
        endWhatRuns,
        ({ numActionsTaken, numActionsSkippedOverlap }) => numActionsTaken + numActionsSkippedOverlap === 3,
      );
    };
    const [all, one, none] = await Promise.all(made.map(after));
    expect(all).toEqual({ numActionsTaken: 3, numActionsSkippedOverlap: 0 });
    expect(one).toEqual({ numActionsTaken: 2, numActionsSkippedOverlap: 1 });
    expect(none).toEqual({ numActionsTaken: 1, numActionsSkippedOverlap: 2 });
  });

  it('are triggered with an overlap policy of that time', async () => {
    const handle = await schedule({ policies: { overlap: 'SKIP' }, state: { paused: true } });
    await handle.trigger();
    await eventually(
      () => info(handle),
      ({ runningActions }) => runningActions.length === 1,
    );
    await handle.trigger();
    await eventually(
      () => info(handle),
      ({ numActionsSkippedOverlap }) => numActionsSkippedOverlap === 1, // the schedule's own policy
    );
    await new Promise((resolve) => setTimeout(resolve, 1_100)); // workflow ids carry the second
    await handle.trigger('ALLOW_ALL');
    await eventually(
      () => info(handle),
      ({ numActionsTaken }) => numActionsTaken === 2,
    );
  });
});

describe('a workflow', () => {
  it('is pinned to a version that a worker has shown', async () => {
    const taskQueue = randomUUID();
    const pinnedTo = { deploymentName: `d-${randomUUID()}`, buildId: '1.0' };
    const stop = new AbortController();
    const polling = connection
      .withAbortSignal(stop.signal, () =>
        connection.withDeadline(Date.now() + 300_000, () =>
          connection.workflowService.pollWorkflowTaskQueue({
            namespace: 'default',
            taskQueue: { name: taskQueue },
            identity: 'poller',
            deploymentOptions: { ...pinnedTo, workerVersioningMode: 2 },
          }),
        ),
      )
      .catch(() => undefined);
    const start = () =>
      client.workflow.start('open', {
        workflowId: randomUUID(),
        taskQueue,
        versioningOverride: { pinnedTo },
      });
    const { handle } = await eventually(
      () =>
        start().then(
          (started) => ({ handle: started }),
          () => ({ handle: undefined }),
        ),
      (started) => started.handle !== undefined,
    );
    const { versioningInfo } = (await handle!.describe()).raw.workflowExecutionInfo!;
    expect(versioningInfo!.versioningOverride!.pinned!.version).toEqual(pinnedTo);
    await handle!.terminate();
    stop.abort();
    await polling;
  });
});

describe('converters that are given by path', () => {
  it('convert what the client sends, and the failures that it gets', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'perdure-converters-'));
    const common = JSON.stringify(require.resolve('@perdure/common'));
    const payloads = join(directory, 'payloads.js');
    writeFileSync(
      payloads,
      `const { defaultPayloadConverter: plain } = require(${common});
      exports.payloadConverter = {
        toPayload: (value) => plain.toPayload({ wrapped: value }),
        fromPayload: (payload) => {
          const value = plain.fromPayload(payload);
          return value && 'wrapped' in Object(value) ? value.wrapped : value;
        },
      };`,
    );
    const failures = join(directory, 'failures.js');
    writeFileSync(
      failures,
      `const { DefaultFailureConverter } = require(${common});
      exports.failureConverter = new (class extends DefaultFailureConverter {
        failureToError(failure, converter) {
          return Object.assign(super.failureToError(failure, converter), { readBy: 'ours' });
        }
      })();`,
    );
    const taskQueue = randomUUID();
    const worker = new HandWorker(connection, taskQueue);
    try {
      const converting = new Client({
        connection,
        dataConverter: { payloadConverterPath: payloads, failureConverterPath: failures },
      });
      const options = () => ({ workflowId: randomUUID(), taskQueue, args: ['value'] });
      const handle = await converting.workflow.start('echo', options());
      expect(await handle.result()).toBe('value');
      expect(await client.workflow.getHandle(handle.workflowId).result()).toEqual({ wrapped: 'value' });
      const { cause } = await converting.workflow.execute('fail', options()).catch((error) => error);
      expect(cause).toMatchObject({ message: 'outer', readBy: 'ours', cause: { readBy: 'ours' } });
    } finally {
      await worker.stop();
      await rm(directory, { recursive: true });
    }
  });
});

describe('conversions that a call names', () => {
  /** An amount that is stored as a text. */
  const cents = {
    transferTypeConverter: {
      toTransferType: (value: number) => `${value} cents`,
      fromTransferType: (text: string) => Number.parseInt(text, 10),
    },
  };
  const both = { inputTypes: [cents], outputType: cents };
  const open = () => ({ workflowId: randomUUID(), taskQueue: 'open' });
  const inputs = async (workflowId: string) => {
    const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
    const lists = events!.flatMap(
      ({
        workflowExecutionStartedEventAttributes: started,
        workflowExecutionSignaledEventAttributes: signaled,
      }) => (started ?? signaled)?.input?.payloads ?? [],
    );
    return lists.map(({ data }) => Buffer.from(data!).toString());
  };

  it('apply to arguments and results of workflows', async () => {
    const taskQueue = randomUUID();
    const worker = new HandWorker(connection, taskQueue);
    try {
      const options = () => ({ workflowId: randomUUID(), taskQueue, args: [7], typeInfo: both });
      const handle = await client.workflow.start('echo', options());
      expect(await handle.result()).toBe(7);
      expect(await inputs(handle.workflowId)).toEqual(['"7 cents"']);
      const plain = client.workflow.getHandle(handle.workflowId);
      expect(await plain.result()).toBe('7 cents');
      const typed = client.workflow.getHandle(handle.workflowId, undefined, { typeInfo: both });
      expect(await typed.result()).toBe(7);

      const running = await client.workflow.start('open', { ...options(), args: ['8 cents'], typeInfo: {} });
      const args = { type: 'query', name: 'args', typeInfo: { outputType: first(cents) } };
      expect(await running.query(args as unknown as QueryDefinition<number>)).toBe(8);
      expect(
        await running.queryWithOptions<number>('args', { typeInfo: { outputType: first(cents) } } as any),
      ).toBe(8);
      // The worker doubles what it gets: text it cannot, so the argument must have been converted to a number.
      const dozens = {
        transferTypeConverter: {
          toTransferType: (n: number) => n * 12,
          fromTransferType: (n: number) => n / 12,
        },
      };
      const typeInfo = { inputTypes: [dozens], outputType: dozens } as any;
      expect(await running.executeUpdate<number, [number]>('double', { args: [2], typeInfo })).toBe(4);
      const double = { type: 'update', name: 'double', typeInfo } as unknown as UpdateDefinition<
        number,
        [number]
      >;
      const update = await running.startUpdate(double, { args: [3], waitForStage: 'ACCEPTED' });
      expect(await update.result()).toBe(6);
      expect(await running.getUpdateHandle<number>(update.updateId).result()).toBe(72);
      const again = running.getUpdateHandle<number>(update.updateId, { typeInfo });
      expect(await again.result()).toBe(6);
      await running.terminate();
    } finally {
      await worker.stop();
    }
  });

  it('apply to signals, and to the workflows of schedules', async () => {
    const handle = await client.workflow.signalWithStart('open', {
      ...open(),
      args: [1],
      typeInfo: both,
      signal: 's',
      signalArgs: [2],
      signalTypeInfo: { inputTypes: [cents] },
    } as any);
    await handle.signal(
      { type: 'signal', name: 's', typeInfo: { inputTypes: [cents] } } as any,
      ...([3] as any),
    );
    await handle.signalWithOptions('s', { args: [4], typeInfo: { inputTypes: [cents] } } as any);
    expect(await inputs(handle.workflowId)).toEqual([1, 2, 3, 4].map((n) => `"${n} cents"`));
    await handle.terminate();

    const schedule = await client.schedule.create({
      scheduleId: randomUUID(),
      spec: {},
      action: {
        type: 'startWorkflow',
        workflowType: 'open',
        taskQueue: 'idle',
        args: [5],
        typeInfo: both,
      } as any,
      state: { paused: true },
    });
    expect((await schedule.describe()).action.args).toEqual(['5 cents']);
    await schedule.delete();
  });

  /** Of a list, its first value alone. */
  function first({ transferTypeConverter: of }: typeof cents) {
    return {
      transferTypeConverter: {
        toTransferType: (value: number) => [of.toTransferType(value)],
        fromTransferType: ([text]: [string]) => of.fromTransferType(text),
      },
    };
  }
});
