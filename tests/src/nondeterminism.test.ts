/** Workflow code that leaves its history: what is said of it, in every way in which it can happen. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { History } from '@perdure/proto/temporal/api/history/v1/message';
import { Worker } from '@perdure/worker';
import { DeterminismViolationError } from '@perdure/workflow';
import { eventsOfType, harness, type LogLine, rejection, until, workflowsDir } from './support/harness';

const h = harness();
const workflowsPath = join(workflowsDir, 'drifted.ts');
const activities = { one: async () => undefined, two: async () => undefined };

/** The line of the source that carries the comment. */
function lineOf(comment: string): number {
  const lines = readFileSync(workflowsPath, 'utf8').split('\n');
  const line = lines.findIndex((text) => text.endsWith(`// ${comment}`));
  if (line < 0) throw new Error(`no line is marked with "${comment}"`);
  return line + 1;
}

/** Kind of drift, the event that is named, the command that is named. */
const KINDS: readonly (readonly [kind: string, event: RegExp, command: RegExp])[] = [
  ['another activity', /ActivityTaskScheduled \(one,/, /the command ScheduleActivity \(two\)/],
  ['a timer that was removed', /TimerStarted/, /the command ScheduleActivity \(two\)/],
  [
    'a child that was added',
    /ActivityTaskScheduled \(one,/,
    /the command StartChildWorkflowExecution \(little\)/,
  ],
  [
    'a child of another id',
    /StartChildWorkflowExecutionInitiated \(little, id ".*first"\)/,
    /with id ".*second"/,
  ],
  [
    'a signal that became a request to cancel',
    /SignalExternalWorkflowExecutionInitiated \(hi\)/,
    /the command RequestCancelExternalWorkflowExecution/,
  ],
  ['another order', /ActivityTaskScheduled \(one,/, /the command StartTimer/],
  ['an end that comes too early', /TimerStarted/, /the command CompleteWorkflowExecution/],
  ['an end that comes too late', /WorkflowExecutionCompleted/, /the command StartTimer/],
  ['an end of another kind', /WorkflowExecutionCompleted/, /the command ContinueAsNewWorkflowExecution/],
  ['a command that is missing', /TimerStarted/, /no command/],
  ['a patch that was removed', /MarkerRecorded \(patch p\)/, /the command ScheduleActivity \(one\)/],
  ['another patch', /MarkerRecorded \(patch p\)/, /the command ScheduleActivity \(two\)/],
  [
    'another local activity',
    /MarkerRecorded \(local activity one\)/,
    /the command ScheduleLocalActivity \(two\)/,
  ],
  [
    'a local activity that became a remote one',
    /MarkerRecorded \(local activity one\)/,
    /ScheduleActivity \(one\)/,
  ],
  ['a timer that is not cancelled any more', /TimerCanceled/, /the command ScheduleActivity \(two\)/],
  ['a memo that was added', /ActivityTaskScheduled \(one,/, /the command ModifyWorkflowProperties/],
  [
    'a child that is signalled no more',
    /SignalExternalWorkflowExecutionInitiated \(hi\)/,
    /the command ScheduleActivity \(one\)/,
  ],
];

let recorded: Map<string, { readonly workflowId: string; readonly history: History }>;

beforeAll(async () => {
  // Replays happen on the recording worker, too: when a child ends while its parent does, or a task takes too long.
  const worker = await h.worker({ workflowsPath: join(workflowsDir, 'drifted-recorded.ts'), activities });
  recorded = await worker.runUntil(async () => {
    const rows = KINDS.map(async ([kind]) => {
      const handle = await h.start(worker, 'drifted', [kind]);
      await handle.result();
      return [kind, { workflowId: handle.workflowId, history: await handle.fetchHistory() }] as const;
    });
    return new Map(await Promise.all(rows));
  });
});

it.each(KINDS)('names event, command and line of %s', async (kind, event, command) => {
  const { workflowId, history } = recorded.get(kind)!;
  const error = await rejection(Worker.runReplayHistory({ workflowsPath }, history, workflowId));
  expect(error).toBeInstanceOf(DeterminismViolationError);
  const [said, sentence = ''] = error.message.split('\n');
  expect(said).toMatch(/^\[TMPRL1100\] /);
  expect(sentence).toMatch(event);
  expect(sentence).toMatch(command);
  expect(sentence).toMatch(new RegExp(`drifted\\.ts:${lineOf(kind)}:\\d+\\.$`));
});

it('warns once of a live run that does not fit its history, with event, command and line', async () => {
  const kind = 'a child that was added';
  let began: () => void = () => undefined;
  let goOn: () => void = () => undefined;
  const beginning = new Promise<void>((resolve) => {
    began = resolve;
  });
  const one = () =>
    new Promise<void>((resolve) => {
      goOn = resolve;
      began();
    });
  const worker = await h.worker({ workflowsPath, activities: { one }, maxCachedWorkflows: 1 });
  await worker.runUntil(async () => {
    const handle = await h.start(worker, 'drifted', [kind]);
    await beginning;
    await h.execute(worker, 'little'); // takes the one place in the cache: what comes next is a replay
    goOn();
    const warnings = () =>
      h.log.lines.filter(({ level, message }) => level === 'WARN' && message.includes('[TMPRL1100]'));
    const failures = async () => (await eventsOfType(handle, 'WorkflowTaskFailed')).length;
    await until(() => warnings().length > 0, 'the run has been explained');
    await until(async () => (await failures()) > 0, 'its task has failed');
    await handle.terminate();
    expect(warnings()).toHaveLength(1);
    const [{ message, meta }] = warnings() as [LogLine];
    expect(message).toMatch(
      new RegExp(
        `\\nEvent \\d+ is ActivityTaskScheduled \\(one, id "1"\\), where the workflow code now issues the command ` +
          `StartChildWorkflowExecution \\(little\\) at .*drifted\\.ts:${lineOf(kind)}:\\d+\\.$`,
      ),
    );
    expect(meta).toMatchObject({
      sdkComponent: 'worker',
      taskQueue: worker.options.taskQueue,
      workflowId: handle.workflowId,
      runId: handle.firstExecutionRunId,
      workflowType: 'drifted',
    });
  });
});
