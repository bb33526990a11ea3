/** Watch mode: workflow code that changes under a running worker. */
import { writeFileSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReplayResult, Worker, WorkflowReload } from '@perdure/worker';
import { DeterminismViolationError } from '@perdure/workflow';
import { harness, rejection, until } from './support/harness';

const h = harness();
let folder: string;
let worker: Worker;
const reloads: WorkflowReload[] = [];
const replays: ReplayResult[] = [];

const waits = (before: string, word: string) => `
  import { condition, defineSignal, setHandler, sleep } from '@perdure/workflow';
  import { decorate } from './words';
  export async function waits(): Promise<string> {
    let gone = false;
    setHandler(defineSignal('go'), () => void (gone = true));
    ${before}
    await condition(() => gone);
    return decorate('${word}');
  }`;
const words = (mark: string) => `export const decorate = (word: string): string => word + '${mark}';`;
/** In one step, as far as this thread and the worker on it can see: nobody finds a file that is half written. */
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
/** @returns what the worker has said of the change */
async function change(name: string, text: string): Promise<WorkflowReload> {
  const before = reloads.length;
  write(name, text);
  await until(() => reloads.length > before, 'the change was noticed');
  return reloads[before]!;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perdure-watch-'));
  write('words.ts', words('!'));
  write('workflows.ts', waits('', 'first'));
  worker = await h.worker({
    workflowsPath: join(folder, 'workflows.ts'),
    watchWorkflows: {
      onReload: (reload) => void reloads.push(reload),
      onReplay: (result) => void replays.push(result),
    },
  });
  h.background(worker);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('runs changed code for new runs and for open ones, without a restart', async () => {
  const open = await h.start(worker, 'waits');
  await until(() => worker.getStatus().numCachedWorkflows === 1, 'the run is in memory');

  const reload = await change('workflows.ts', waits('', 'second'));
  expect(reload).toMatchObject({ changedFiles: [join(folder, 'workflows.ts')] });
  expect(reload.error).toBeUndefined();
  await open.signal('go');
  expect(await open.result()).toBe('second!');

  // A module that the workflow imports, replaced in the way of editors.
  const before = reloads.length;
  write('words.ts~', words('?'));
  await rename(join(folder, 'words.ts~'), join(folder, 'words.ts'));
  await until(() => reloads.length > before, 'the import has changed');
  const other = await h.start(worker, 'waits');
  await other.signal('go');
  expect(await other.result()).toBe('second?');
});

it('goes on with the code it has when the new one cannot be bundled, and says why', async () => {
  const broken = await change('workflows.ts', `import './not-written-yet';${waits('', 'third')}`);
  expect(String((broken.error as Error)?.message)).toContain('not-written-yet');
  const handle = await h.start(worker, 'waits');
  await handle.signal('go');
  expect(await handle.result()).toBe('second?');

  // What was missing comes.
  const mended = await change('not-written-yet.ts', 'export {};');
  expect(mended.error).toBeUndefined();
  const again = await h.start(worker, 'waits');
  await again.signal('go');
  expect(await again.result()).toBe('third?');
});

it('says at once which open workflow the new code does not fit', async () => {
  const open = await h.start(worker, 'waits');
  await until(
    async () => (await open.describe()).historyLength >= 4 && (await listed(open.workflowId)),
    'the run waits and is listed',
  );
  replays.length = 0;
  await change('workflows.ts', waits('await sleep(1);', 'fourth'));
  await until(() => replays.some(({ workflowId }) => workflowId === open.workflowId), 'it was replayed');
  const { error } = replays.find(({ workflowId }) => workflowId === open.workflowId)!;
  // A timer that the history does not have yet is no difference until it is compared with later events.
  expect(error).toBeUndefined();

  await open.signal('go');
  await until(async () => (await open.describe()).status.name === 'COMPLETED', 'the timer has fired');
  expect(await open.result()).toBe('fourth?');

  const timed = await h.start(worker, 'waits');
  await until(async () => (await eventTypes(timed)).includes(17 /* TimerFired */), 'the timer has fired');
  await until(() => listed(timed.workflowId), 'the run is listed');
  replays.length = 0;
  await change('workflows.ts', waits('', 'fifth'));
  await until(() => replays.some(({ workflowId }) => workflowId === timed.workflowId), 'it was replayed');
  const result = replays.find(({ workflowId }) => workflowId === timed.workflowId)!;
  expect(result.error).toBeInstanceOf(DeterminismViolationError);
  await until(
    () =>
      h.log.lines.some(
        ({ level, message }) =>
          level === 'WARN' && message.includes(timed.workflowId) && message.includes('does not fit'),
      ),
    'the log says so',
  );

  // The run itself waits for code that fits, and then goes on.
  await change('workflows.ts', waits('await sleep(1);', 'sixth'));
  await timed.signal('go');
  expect(await timed.result()).toBe('sixth?');
});

it('does nothing when a file is saved without a change, and once for many changes at a time', async () => {
  const before = reloads.length;
  write('workflows.ts', waits('await sleep(1);', 'sixth'));
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(reloads).toHaveLength(before);
  // The worker looks when all are written.
  for (const mark of ['a', 'b', 'c', 'd']) write('words.ts', words(mark));
  await until(() => reloads.length > before, 'the last change is there');
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(reloads.length - before).toBeLessThanOrEqual(2);
  const handle = await h.start(worker, 'waits');
  await handle.signal('go');
  expect(await handle.result()).toBe('sixthd');
});

it('wants sources to watch', async () => {
  const error = await rejection(
    h.worker({ workflowBundle: { code: '0' }, watchWorkflows: { onReload: 1 as any, every: 2 } as any }),
  );
  expect(error.code).toBe('WORKER_OPTIONS_INVALID');
  expect(error.message).toMatch(/watchWorkflows: needs workflowsPath/);
  expect(error.message).toMatch(/watchWorkflows\.onReload: got 1/);
  expect(error.message).toMatch(/watchWorkflows\.every: unknown option/);
});

async function listed(workflowId: string): Promise<boolean> {
  for await (const _ of h.client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) return true;
  return false;
}

async function eventTypes(handle: { fetchHistory(): Promise<{ events?: any[] | null }> }): Promise<number[]> {
  return ((await handle.fetchHistory()).events ?? []).map(({ eventType }) => eventType);
}
