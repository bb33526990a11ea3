import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationFailure, type PayloadCodec } from '@perdure/common';
import { historyToJSON } from '@perdure/common/lib/proto-utils';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import type { Worker } from '@perdure/worker';
import { formatDuration } from './history';
import { expectSteps, ReplayFolderError, readHistory, replayFolder, TestWorkflowEnvironment } from './index';
import { quiet, rejection, workerOf, workflowsPath } from './testing/support';
import * as workflows from './testing/workflows';

const id = () => `wf-${randomUUID()}`;
let env: TestWorkflowEnvironment;
let worker: Worker;
let running: Promise<void>;
const scratch: string[] = [];

beforeAll(async () => {
  quiet();
  env = await TestWorkflowEnvironment.createTimeSkipping();
  worker = await workerOf(env);
  running = worker.run();
});
afterAll(async () => {
  worker?.shutdown();
  await running;
  await env?.teardown();
  await Promise.all(scratch.map((dir) => rm(dir, { recursive: true, force: true })));
});

const start = <T extends (...args: any[]) => Promise<any>>(workflow: T, args: Parameters<T>) =>
  env.client.workflow.start<T>(workflow, {
    ...{ taskQueue: worker.options.taskQueue, workflowId: id(), args },
  } as any);

async function folder(files: Record<string, string | Uint8Array>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'perdure-histories-'));
  scratch.push(dir);
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
  return dir;
}

describe('the history of an order', () => {
  it('tells what was scheduled, in what order, with what arguments, and what became of it', async () => {
    const handle = await start(workflows.order, ['book']);
    expect(await handle.result()).toBe('Hello, book!');
    const history = await expectSteps(handle, [
      'localActivity price',
      'activity reserve',
      'timer 1 h',
      'activity charge',
      'childWorkflow hello',
    ]);
    expect(history.steps.map(({ outcome }) => outcome)).toEqual([
      ...['completed', 'completed', 'completed', 'failed', 'completed'],
    ]);
    const [price, reserve, timer, charge, child] = history.steps;
    expect(price!.result).toBe(40);
    expect(reserve).toMatchObject({ args: ['book', 2], result: { item: 'book', count: 2 } });
    expect(timer!.durationMs).toBe(3_600_000);
    expect(charge!.args).toEqual([{ item: 'book', count: 2 }, 40]);
    expect((charge!.failure as any).cause ?? charge!.failure).toBeInstanceOf(ApplicationFailure);
    expect(child).toMatchObject({ id: `${handle.workflowId}-child`, args: ['book'], result: 'Hello, book!' });
    expect(history.stepsOf('activity').map(({ name }) => name)).toEqual(['reserve', 'charge']);
    expect(history.stepsOf('activity', 'charge')).toEqual([charge]);
    expect(history.eventNames[0]).toBe('WorkflowExecutionStarted');
    expect(history.eventNames.at(-1)).toBe('WorkflowExecutionCompleted');
    expect(history.eventNames.filter((name) => name.startsWith('WorkflowTask'))).toEqual([]);
  });

  it('differs from what is expected with an error that shows both', async () => {
    const handle = await start(workflows.sleeper, [90_000]);
    await handle.result();
    const error = await rejection(expectSteps(handle, ['activity reserve']));
    expect(error.code).toBe('ERR_ASSERTION');
    expect(error.message).toContain('timer 90 s');
    expect(error.message).toContain('activity reserve');
    expect(error.expected).toEqual(['activity reserve']);
    expect(error.actual).toEqual(['timer 90 s']);
  });

  it('is read from a message and from its JSON alike', async () => {
    const handle = await start(workflows.sleeper, [1500]);
    await handle.result();
    const message = await handle.fetchHistory();
    const json = historyToJSON(message);
    for (const source of [handle, message, json, JSON.parse(json)]) {
      const { outline, steps } = await readHistory(source);
      expect(outline).toEqual(['timer 1500 ms']);
      expect(steps[0]!.outcome).toBe('completed');
    }
    expect((await rejection(readHistory('{"events":[]}'))).code).toBe('VALUE_INVALID');
    expect((await rejection(readHistory('{'))).message).toContain('not JSON');
  });

  it('shows steps that are open, signals to others, and continuations', async () => {
    const waiting = await start(workflows.waitsForApproval, []);
    const signaller = await start(workflows.signaller, [waiting.workflowId]);
    await signaller.result();
    expect(await waiting.result()).toBe('another');
    const { steps } = await readHistory(signaller);
    expect(steps).toMatchObject([
      { kind: 'signal', name: 'approve', id: waiting.workflowId, args: ['another'], outcome: 'completed' },
    ]);

    const again = await start(workflows.again, [1]);
    expect(await again.result()).toBe('done');
    const first = env.client.workflow.getHandle(again.workflowId, again.firstExecutionRunId);
    expect((await expectSteps(first, ['continueAsNew again'])).steps[0]!.args).toEqual([0]);

    const sleeper = await env.client.workflow.start(workflows.sleeper, {
      ...{ taskQueue: worker.options.taskQueue, workflowId: id(), args: [3_600_000] as [number] },
    });
    let outcomes: string[] = [];
    while (outcomes.length === 0) outcomes = (await readHistory(sleeper)).steps.map(({ outcome }) => outcome);
    expect(outcomes).toEqual(['open']);
    await sleeper.terminate();
  });

  it('is decoded with the codecs of the client, or with those that are given', async () => {
    const flip: PayloadCodec = {
      encode: async (payloads) =>
        payloads.map((p) => ({ ...p, data: p.data?.map((byte) => byte ^ 0xff) ?? new Uint8Array() })),
      decode: async (payloads) =>
        payloads.map((p) => ({ ...p, data: p.data?.map((byte) => byte ^ 0xff) ?? new Uint8Array() })),
    };
    const dataConverter = { payloadCodecs: [flip] };
    await using secret = await TestWorkflowEnvironment.createLocal({ client: { dataConverter } });
    const secretWorker = await workerOf(secret, { dataConverter });
    const handle = await secret.client.workflow.start(workflows.signaller, {
      ...{ taskQueue: secretWorker.options.taskQueue, workflowId: id(), args: ['nobody'] as [string] },
    });
    await secretWorker.runUntil(handle.result().catch(() => undefined));
    expect((await readHistory(handle)).steps[0]).toMatchObject({ args: ['another'], outcome: 'failed' });
    const message = await handle.fetchHistory();
    expect((await readHistory(message, { dataConverter })).steps[0]!.args).toEqual(['another']);
    await expect(readHistory(message)).rejects.toThrow();
  });
});

describe('a folder of histories', () => {
  it('is replayed as a whole, in every form a history is saved in', async () => {
    const order = await start(workflows.order, ['pen']);
    await order.result();
    const sleeper = await start(workflows.sleeper, [1000]);
    await sleeper.result();
    const [first, second] = [await order.fetchHistory(), await sleeper.fetchHistory()];
    const dir = await folder({
      [`${order.workflowId}.bin`]: History.encode(first).finish(),
      [`${order.workflowId}.json`]: historyToJSON(first),
      [`${sleeper.workflowId}.pb`]: History.encode(second).finish(),
      'notes.md': 'not a history',
    });
    const files = await replayFolder({ folder: dir, workflowsPath });
    const entry = ({ workflowId }: { workflowId: string }, extension: string, workflowType: string) => ({
      ...{ file: `${workflowId}.${extension}`, workflowId, workflowType },
    });
    const expected = [
      entry(order, 'bin', 'order'),
      entry(order, 'json', 'order'),
      entry(sleeper, 'pb', 'sleeper'),
    ];
    expect(files).toEqual(expected.sort((a, b) => (a.file < b.file ? -1 : 1)));
  });

  it('is replayed under the ids that the histories carry, whatever the files are called', async () => {
    await using local = await TestWorkflowEnvironment.createLocal();
    const worker = await workerOf(local);
    const handle = await local.client.workflow.start(workflows.signaller, {
      ...{ taskQueue: worker.options.taskQueue, workflowId: id(), args: ['nobody'] as [string] },
    });
    await worker.runUntil(handle.result().catch(() => undefined));
    const dir = await folder({ 'any-name.json': historyToJSON(await handle.fetchHistory()) });
    expect(await replayFolder({ folder: dir, workflowsPath })).toEqual([
      { file: 'any-name.json', workflowId: handle.workflowId, workflowType: 'signaller' },
    ]);
  });

  it('names every file that does not fit, and goes on behind it', async () => {
    const handle = await start(workflows.sleeper, [1000]);
    await handle.result();
    const good = historyToJSON(await handle.fetchHistory());
    const changed = good.replaceAll('"sleeper"', '"hello"'); // hello starts no timer
    const dir = await folder({ '1.json': changed, '2.json': '{ "events": [', '3.json': good });
    const error = await rejection(replayFolder({ folder: dir, workflowsPath }));
    expect(error).toBeInstanceOf(ReplayFolderError);
    expect(error.code).toBe('TESTING_REPLAY_FAILED');
    expect(error.message).toMatch(/^2 of 3 histories/);
    expect(error.message).toMatch(/1\.json \(hello\): .*nondetermin/is);
    expect(error.message).toContain('2.json (unknown type): the history cannot be read');
    expect(error.files.map(({ error }: any) => error?.name)).toEqual([
      ...['DeterminismViolationError', 'Error', undefined],
    ]);
  });

  it('without histories is an error, as is one that is not there', async () => {
    const empty = await folder({ 'readme.txt': '' });
    expect((await rejection(replayFolder({ folder: empty, workflowsPath }))).message).toContain(
      'holds no history',
    );
    const absent = await rejection(replayFolder({ folder: join(empty, 'nowhere'), workflowsPath }));
    expect(absent.code).toBe('VALUE_INVALID');
  });
});

describe('a duration', () => {
  it('is told in the largest unit that divides it', () => {
    expect([0, 1, 1500, 90_000, 120_000, 7_200_000, 86_400_000].map(formatDuration)).toEqual([
      ...['0 ms', '1 ms', '1500 ms', '90 s', '2 min', '2 h', '1 d'],
    ]);
  });
});
