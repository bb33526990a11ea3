/** Stack traces of runs that wait, and promises that nobody handles, on a real server. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Context } from '@perdure/activity';
import { ApplicationFailure } from '@perdure/common';
import type { Worker } from '@perdure/worker';
import type { EnhancedStackTrace } from '@perdure/workflow';
import { eventsOfType, harness, until, workflowsDir } from './support/harness';

const h = harness();
const file = join(workflowsDir, 'stacks.ts');
let worker: Worker;

beforeAll(async () => {
  worker = await h.worker({
    workflowsPath: file,
    showStackTraceSources: true,
    activities: {
      never: () => Context.current().cancelled,
      throws: async () => {
        throw ApplicationFailure.nonRetryable('nobody is there to catch this');
      },
    },
  });
  h.background(worker);
});

/** "stacks.ts:12" for the line that holds a text. */
const lineOf = (text: string) => {
  const lines = readFileSync(file, 'utf8').split('\n');
  return `${file}:${lines.findIndex((line) => line.includes(text)) + 1}:`;
};

it('shows the line of the source where each thing is waited for, asked once and again', async () => {
  const handle = await h.start(worker, 'waits');
  await until(
    async () => (await eventsOfType(handle, 'ChildWorkflowExecutionStarted')).length > 0,
    'it waits',
  );
  for (let i = 0; i < 2; i++) {
    const stacks = (await handle.query<string>('__stack_trace')).split('\n\n');
    expect(
      stacks.some((stack) => stack.includes(lineOf('the test looks')) && stack.includes('waitsInside')),
    ).toBe(true);
    for (const text of ['await Promise.all([', 'startChild(idles)']) {
      expect(stacks.join('\n')).toContain(lineOf(text));
    }
    expect(stacks.join('\n')).not.toMatch(/node:|perdure:|@perdure|packages/);
  }
  const enhanced = await handle.query<EnhancedStackTrace>('__enhanced_stack_trace');
  expect(enhanced.sdk.name).toBe('perdure');
  const sleeping = enhanced.stacks
    .flatMap(({ locations }) => locations)
    .find((at) => at.function_name === 'waitsInside');
  expect(`${sleeping?.file_path}:${sleeping?.line}:`).toBe(lineOf('the test looks'));
  expect(sleeping?.internal_code).toBe(false);
  const [source] = enhanced.sources[file] ?? [];
  expect(source).toEqual({ line_offset: 0, content: readFileSync(file, 'utf8') });
  await handle.terminate();
});

it('shows who waits for a trigger, and where a timer was begun that several wait for', async () => {
  const handle = await h.start(worker, 'waitsForOthers');
  const stacks = await handle.query<string>('__stack_trace');
  for (const text of ['nobody has pulled it', 'await Promise.all([waitsForTrigger', '// begun here']) {
    expect(stacks).toContain(lineOf(text));
  }
  expect(stacks).toMatch(/at async waitsForTrigger /);
  await handle.terminate();
});

it('names what several wait for, on workers that do not show sources, until it can show more', async () => {
  const own = await h.worker({ workflowsPath: file, maxCachedWorkflows: 0 });
  await own.runUntil(async () => {
    const handle = await h.start(own, 'waitsForOthers');
    const [first, second] = [await handle.query('__stack_trace'), await handle.query('__stack_trace')];
    expect(first).toMatch(/ {4}at timer 1 \(waited for in more than one place, or nowhere\)/);
    expect(second).toContain(lineOf('// begun here'));
    await handle.terminate();
  });
});

it('fails the task when a promise is rejected and nobody has taken it up', async () => {
  const handle = await h.start(worker, 'forgetsToAwait');
  await until(
    async () => (await eventsOfType(handle, 'WorkflowTaskFailed')).length > 0,
    'the task has failed',
  );
  const [failed] = await eventsOfType(handle, 'WorkflowTaskFailed');
  const failure = failed!.workflowTaskFailedEventAttributes!.failure!;
  expect(failure.message).toMatch(/^Unhandled Promise rejection/);
  expect(JSON.stringify(failure)).toContain('nobody is there to catch this');
  expect((await handle.describe()).status.name).toBe('RUNNING');
  await handle.terminate();
});

it('fails the task when a predicate throws while the workflow waits', async () => {
  const handle = await h.start(worker, 'waitsForName');
  await handle.signal('name', 'bad');
  await until(
    async () => (await eventsOfType(handle, 'WorkflowTaskFailed')).length > 0,
    'the task has failed',
  );
  const [failed] = await eventsOfType(handle, 'WorkflowTaskFailed');
  const failure = failed!.workflowTaskFailedEventAttributes!.failure!;
  expect(failure.message).toBe('a predicate that throws');
  expect(failure.stackTrace).toContain(lineOf("throw new Error('a predicate"));
  await handle.terminate();
});

// In a process of its own: jest keeps from its tests what Node.js tells of rejections on the main thread.
it('fails it in debug mode, too', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    join(__dirname, 'support', 'debug-worker.js'),
    h.address,
  ]);
  expect(stderr).not.toMatch(/UnhandledPromiseRejection|triggerUncaughtException/); // what Node.js says as it ends
  expect(stdout.trim().split('\n')).toEqual([
    expect.stringMatching(/^Unhandled Promise rejection: ActivityFailure.*await the promise/),
    'still here',
  ]);
});
