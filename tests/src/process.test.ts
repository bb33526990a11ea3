/** Worker processes that are killed, told to stop, or simply end, on a real server. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@perdure/client';
import { eventsOfType, serverAddress, until } from './support/harness';
import { endPrograms, type Program, startProgram, within } from './support/programs';

const address = serverAddress();
let client: Client;
let directory: string;

beforeAll(async () => {
  client = new Client({ connection: await Connection.connect({ address }) });
  directory = mkdtempSync(join(tmpdir(), 'perdure-tests-'));
});
afterAll(async () => {
  endPrograms();
  await client.connection.close();
  rmSync(directory, { recursive: true, force: true });
});

const workerProcess = (taskQueue: string, env: Record<string, string> = {}): Program =>
  startProgram('support/worker-process.js', { TEST_ADDRESS: address, TEST_QUEUE: taskQueue, ...env });

/** Tasks that the server gives to a poll of a worker that ends come again after five seconds instead of ten. */
const start = (workflow: string, taskQueue: string, args: unknown[]) =>
  client.workflow.start(workflow, { taskQueue, workflowId: randomUUID(), args, workflowTaskTimeout: '5s' });

/** Far more than anything here takes, and less than Jest waits. */
const LIMIT_MS = 60_000;

it('completes 100 workflows of 4 activities although the worker is killed in the middle', async () => {
  const taskQueue = randomUUID();
  const file = join(directory, taskQueue);
  // It gets through a good part of the activities and never through all, however late it is killed.
  const first = workerProcess(taskQueue, { TEST_FILE: file, TEST_STEPS: '150' });
  await first.says('polling');
  const handles = await Promise.all(
    Array.from({ length: 100 }, (_, i) => start('severalSteps', taskQueue, [i])),
  );
  const steps = () => {
    try {
      return readFileSync(file, 'utf8').trim().split('\n');
    } catch {
      return [];
    }
  };
  await until(() => steps().length > 150, 'a good part of the activities has run');
  first.child.kill('SIGKILL');
  await first.ended;
  const second = workerProcess(taskQueue, { TEST_FILE: file });
  const results = await within(Promise.all(handles.map((handle) => handle.result())), LIMIT_MS, second);
  expect(results).toEqual(Array.from({ length: 100 }, (_, i) => [0, 1, 2, 3].map((step) => i * 1000 + step)));
  expect(new Set(steps().map((line) => line.split(' ')[0])).size).toBe(2);
  second.child.kill('SIGTERM');
  expect(await within(second.ended, LIMIT_MS, second)).toBe(0);
}, 180_000);

it.each(['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGUSR2'] as const)(
  'shuts down on %s and exits by itself',
  async (signal) => {
    const worker = workerProcess(randomUUID());
    await worker.says('polling');
    worker.child.kill(signal);
    expect(await within(worker.ended, LIMIT_MS, worker)).toBe(0);
    expect(worker.output()).toContain('ended STOPPED');
    expect(worker.output()).toContain('closed');
  },
);

it('dies of a second signal', async () => {
  const taskQueue = randomUUID();
  const worker = workerProcess(taskQueue);
  await worker.says('polling');
  const handle = await start('one', taskQueue, ['never']);
  await worker.says('never started');
  worker.child.kill('SIGINT');
  await worker.says('told to stop');
  worker.child.kill('SIGINT');
  expect(await within(worker.ended, LIMIT_MS, worker)).toBe('SIGINT');
  await handle.terminate();
});

it('loses no result of an activity that runs at shutdown, within the grace time', async () => {
  const taskQueue = randomUUID();
  const worker = workerProcess(taskQueue, { TEST_MODE: 'grace' });
  await worker.says('polling');
  const handle = await start('one', taskQueue, ['slow', 800]);
  await worker.says('slow started');
  worker.child.kill('SIGTERM');
  expect(await within(worker.ended, LIMIT_MS, worker)).toBe(0);
  const second = workerProcess(taskQueue);
  expect(await within(handle.result(), LIMIT_MS, second)).toBe('slept 800 in attempt 1');
  second.child.kill('SIGTERM');
  await within(second.ended, LIMIT_MS, second);
});

it('cancels activities at shutdown without a grace time', async () => {
  const taskQueue = randomUUID();
  const worker = workerProcess(taskQueue);
  await worker.says('polling');
  const handle = await start('one', taskQueue, ['untilCancelled']);
  await worker.says('untilCancelled started');
  worker.child.kill('SIGTERM');
  expect(await within(worker.ended, LIMIT_MS, worker)).toBe(0);
  const second = workerProcess(taskQueue);
  expect(await within(handle.result(), LIMIT_MS, second)).toBe('cancelled: WORKER_SHUTDOWN');
  second.child.kill('SIGTERM');
  await within(second.ended, LIMIT_MS, second);
});

it('fails after the force time when an activity never ends, and still exits', async () => {
  const taskQueue = randomUUID();
  const worker = workerProcess(taskQueue, { TEST_MODE: 'force' });
  await worker.says('polling');
  const handle = await start('one', taskQueue, ['never']);
  await worker.says('never started');
  worker.child.kill('SIGTERM');
  expect(await within(worker.ended, LIMIT_MS, worker)).toBe(0);
  expect(worker.output()).toContain('failed FAILED WORKER_SHUTDOWN_PERIOD_EXPIRED');
  expect(worker.output()).toContain('closed');
  await handle.terminate();
});

it('exits when process.exit is called while it polls', async () => {
  const worker = workerProcess(randomUUID(), { TEST_MODE: 'exit' });
  expect(await within(worker.ended, LIMIT_MS, worker)).toBe(7);
});

it('exits on an uncaught exception while it polls', async () => {
  const worker = workerProcess(randomUUID(), { TEST_MODE: 'throw' });
  expect(await within(worker.ended, LIMIT_MS, worker)).toBe(1);
  expect(worker.output()).toContain('uncaught on purpose');
});

it('does not keep the process alive when the worker is never run', async () => {
  const worker = workerProcess(randomUUID(), { TEST_MODE: 'created' });
  expect(await within(worker.ended, LIMIT_MS, worker)).toBe(0);
  expect(worker.output()).toContain('created');
});

it('does not keep the process alive when a worker cannot be made', async () => {
  const worker = workerProcess(randomUUID(), { TEST_MODE: 'failed' });
  expect(await within(worker.ended, LIMIT_MS, worker)).toBe(0);
  expect(worker.output()).toContain('create failed with BUNDLE_');
});

it('exits on a signal while a workflow loops for ever', async () => {
  const taskQueue = randomUUID();
  const worker = workerProcess(taskQueue);
  await worker.says('polling');
  const handle = await start('loopsForever', taskQueue, []);
  await until(async () => (await eventsOfType(handle, 'WorkflowTaskStarted')).length > 0, 'the loop begins');
  await new Promise((resolve) => setTimeout(resolve, 200));
  worker.child.kill('SIGTERM');
  expect(await within(worker.ended, LIMIT_MS, worker)).toBe(0);
  await handle.terminate();
});
