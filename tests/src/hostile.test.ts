/**
 * Workflows that do what they should not, each beside 50 that only want to get on, on a real server.
 *
 * What is held to account: the 50 finish in time, no task of theirs fails, the worker runs on, and the history of the
 * guilty one says what went wrong and what to do.
 */
import { join } from 'node:path';
import type { WorkflowHandle } from '@perdure/client';
import { WorkflowTaskFailedCause as Cause } from '@perdure/proto/temporal/api/enums/v1/failed_cause';
import type { HistoryEvent } from '@perdure/proto/temporal/api/history/v1/message';
import type { Worker } from '@perdure/worker';
import { eventsOf, eventsOfType, harness, rejection, until, workflowsDir } from './support/harness';

const h = harness();
const HEALTHY = 50;
/**
 * Alone, the 50 take about a second on two quiet cores. A lane that has to be ended costs them its deadline, and what
 * they had done on it is done again on another; the rest is for machines that are busy, where the server loses a task now
 * and then, which comes again after its timeout.
 */
const IN_TIME_MS = 90_000;
jest.setTimeout(300_000);

const options = {
  workflowsPath: join(workflowsDir, 'hostile.ts'),
  activities: { note: async (n: number) => n },
};
let worker: Worker;
beforeAll(async () => {
  worker = await h.worker(options);
  h.background(worker);
});
afterEach(() => {
  expect(worker.getState()).toBe('RUNNING');
});

/** Runs the 50 while the guilty one does its worst. @returns their handles */
async function neighbours(on = worker): Promise<WorkflowHandle[]> {
  const began = Date.now();
  const handles = await Promise.all(
    Array.from({ length: HEALTHY }, (_, n) => h.start(on, 'healthy', [n], { workflowTaskTimeout: '30s' })),
  );
  const results = await Promise.all(handles.map((handle) => handle.result()));
  expect(results).toEqual(Array.from({ length: HEALTHY }, (_, n) => 2 * n));
  expect(Date.now() - began).toBeLessThan(IN_TIME_MS);
  return handles;
}

/** How many of the runs have a task that failed. */
async function disturbed(handles: readonly WorkflowHandle[]): Promise<number> {
  const failed = await Promise.all(handles.map((handle) => eventsOfType(handle, 'WorkflowTaskFailed')));
  return failed.filter((events) => events.length > 0).length;
}

async function firstEvent(
  handle: WorkflowHandle,
  has: (event: HistoryEvent) => unknown,
): Promise<HistoryEvent> {
  let found: HistoryEvent | undefined;
  await until(
    async () => {
      found = (await eventsOf(handle)).find(has);
      return found;
    },
    'the guilty workflow has an end',
    IN_TIME_MS,
  );
  return found!;
}

/** Why the first task that failed has failed. */
async function taskFailure(handle: WorkflowHandle): Promise<{ cause: string; message: string }> {
  const event = await firstEvent(handle, (each) => each.workflowTaskFailedEventAttributes);
  const { cause, failure } = event.workflowTaskFailedEventAttributes!;
  return { cause: Cause[cause ?? 0]!, message: failure?.message ?? '' };
}

const UNHANDLED = 'WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE';
const TOO_LARGE = 'WORKFLOW_TASK_FAILED_CAUSE_PAYLOADS_TOO_LARGE';

it.each([
  ['endlessLoop', /endlessLoop \(run .*\) did not yield within 2000 ms.*look for a loop without await/],
  ['endlessMicrotasks', /endlessMicrotasks \(run .*\) did not yield within 2000 ms/],
  ['catastrophicRegExp', /catastrophicRegExp \(run .*\) did not yield within 2000 ms.*regular expression/],
])('%s: fails at the deadline, by name', async (type, message) => {
  const guilty = await h.start(worker, type);
  await until(async () => (await eventsOfType(guilty, 'TimerFired')).length > 0, 'it has begun');
  expect(await disturbed(await neighbours())).toBe(0);
  expect(await taskFailure(guilty)).toMatchObject({
    cause: UNHANDLED,
    message: expect.stringMatching(message),
  });
  await guilty.terminate();
});

it('memoryBomb: fails when the heap of its lane is used up, by name', async () => {
  const guilty = await h.start(worker, 'memoryBomb');
  await until(async () => (await eventsOfType(guilty, 'TimerFired')).length > 0, 'it has begun');
  expect(await disturbed(await neighbours())).toBe(0);
  const { message } = await taskFailure(guilty);
  expect(message).toMatch(/memoryBomb \(run .*\) (was running when its lane used up|did not yield)/);
  await guilty.terminate();
});

it.each(['hugeAllocation', 'memoryBomb'])('%s: ends no more than a lane that is a process', async (type) => {
  const guarded = await h.worker({ ...options, lanes: 'process', workflowThreadPoolSize: 2 });
  h.background(guarded);
  const guilty = await h.start(guarded, type);
  await until(async () => (await eventsOfType(guilty, 'TimerFired')).length > 0, 'it has begun');
  expect(await disturbed(await neighbours(guarded))).toBe(0);
  const { cause, message } = await taskFailure(guilty);
  expect(cause).toBe(UNHANDLED);
  expect(message).toMatch(
    new RegExp(`${type} \\(run .*\\) (was running when its lane used up its \\d+ MB of heap|did not yield)`),
  );
  expect(guarded.getState()).toBe('RUNNING');
  await guilty.terminate();
});

const WRONG: readonly (readonly [type: string, args: unknown[], cause: string, message: RegExp])[] = [
  ['deepRecursion', [], UNHANDLED, /Maximum call stack size exceeded/],
  ['deepResult', [], UNHANDLED, /result of the workflow cannot be turned into a payload.*call stack/],
  ['hugeResult', [3], TOO_LARGE, /result has \d+ bytes, the server takes 2097152 at most: pass a reference/],
  ['hugeResult', [5], TOO_LARGE, /result has \d+ bytes, the server takes 2097152 at most: pass a reference/],
  ['hugeArgument', [3], TOO_LARGE, /activity "note" has \d+ bytes, the server takes 2097152 at most/],
  ['hugeFailure', [3], TOO_LARGE, /failure has \d+ bytes, the server takes 2097152 at most/],
  ['throwsNull', [], UNHANDLED, /has thrown null, which is no Error; throw an ApplicationFailure/],
  ['throwsUndefined', [], UNHANDLED, /has thrown undefined, which is no Error/],
  ['throwsSymbol', [], UNHANDLED, /has thrown Symbol\(odd\), which is no Error/],
  ['throwsHostileError', [], UNHANDLED, /./],
  ['throwsProxy', [], UNHANDLED, /a value that cannot be turned into text/],
  ['returnsFunction', [], UNHANDLED, /result of the workflow cannot .* a function .*; return plain data/],
  ['returnsBigInt', [], UNHANDLED, /result of the workflow cannot .*BigInt.*; return plain data/],
  ['returnsCycle', [], UNHANDLED, /result of the workflow cannot .*circular.*; return plain data/s],
  ['returnsGetter', [], UNHANDLED, /result of the workflow cannot .*the getter has been called/],
  ['returnsToJson', [], UNHANDLED, /result of the workflow cannot .*threw nothing/],
  ['returnsThenable', [], UNHANDLED, /the getter of then/],
  ['returnsTrickyPromise', [], UNHANDLED, /Cannot assign to read only property 'constructor'/],
  ['NotAFunction', [], UNHANDLED, /no workflow of type "NotAFunction".*export the workflow function/],
  ['__proto__', [], UNHANDLED, /no workflow of type "__proto__"/],
  ['valueOf', [], UNHANDLED, /no workflow of type "valueOf"/],
];

it('wrong values fail the tasks of those who made them, and say why', async () => {
  const guilty = await Promise.all(WRONG.map(([type, args]) => h.start(worker, type, args)));
  const handles = await neighbours();
  const failures = await Promise.all(guilty.map(taskFailure));
  expect(failures.map((failure, i) => [WRONG[i]![0], failure])).toEqual(
    WRONG.map(([type, , cause, message]) => [type, { cause, message: expect.stringMatching(message) }]),
  );
  expect(await disturbed(handles)).toBe(0);
  await Promise.all(guilty.map((handle) => handle.terminate()));
});

it('tricks that work out get their results, and harm nobody', async () => {
  const expected = {
    returnsEagerThenable: 'first',
    changesPromise: 'refused',
    constructor: 'constructor',
    hasOwnProperty: 'hasOwnProperty',
    toString: 'toString',
  };
  const guilty = await Promise.all(Object.keys(expected).map((type) => h.start(worker, type)));
  const handles = await neighbours();
  const results = await Promise.all(guilty.map((handle) => handle.result()));
  expect(results).toEqual(Object.values(expected));
  expect(await disturbed(handles)).toBe(0);
});

it('a promise that never settles keeps nobody but its own workflow', async () => {
  const guilty = await h.start(worker, 'returnsSilentThenable');
  expect(await disturbed(await neighbours())).toBe(0);
  expect((await guilty.describe()).status.name).toBe('RUNNING');
  await guilty.terminate();
});

it.each(['loopingCause', 'longCause'])('%s: fails the workflow, with as many causes as fit', async (type) => {
  const guilty = await h.start(worker, type);
  const handles = await neighbours();
  const event = await firstEvent(guilty, (each) => each.workflowExecutionFailedEventAttributes);
  const { failure } = event.workflowExecutionFailedEventAttributes!;
  expect(failure!.message).toMatch(/^first$|^number 4999$/);
  let depth = 0;
  for (let cause = failure; cause !== undefined; cause = cause.cause) depth++;
  expect(depth).toBeGreaterThan(1);
  expect(depth).toBeLessThan(200);
  expect(await disturbed(handles)).toBe(0);
});

it('more commands than fit into one answer end the workflow with the reason', async () => {
  const guilty = await h.start(worker, 'manySmallArguments', [6]);
  const handles = await neighbours();
  const event = await firstEvent(guilty, (each) => each.workflowExecutionTerminatedEventAttributes);
  expect(event.workflowExecutionTerminatedEventAttributes!.reason).toBe('GrpcMessageTooLarge');
  expect(await disturbed(handles)).toBe(0);
});

it('forbidden calls in query handlers and validators fail the query or the update alone', async () => {
  const guilty = await h.start(worker, 'forbiddenCalls');
  const neighbouring = neighbours();
  const query = async (name: string) => (await rejection(guilty.query(name))).message;
  expect(await query('schedules')).toMatch(/^Activities may not be used in a query handler; /);
  expect(await query('sleeps')).toMatch(/^sleep\(\) may not be used in a query handler; /);
  expect(await query('continues')).toMatch(/^continueAsNew\(\) may not be used in a query handler; /);
  expect(await query('cycle')).toMatch(/answer to the query cannot be turned into a payload/);
  expect(await query('throwsNull')).toBe('null');
  expect(await query('toString')).toMatch(/did not register a handler for toString/);
  expect(await guilty.query('fine')).toBe('fine');
  const update = async (name: string) =>
    (await rejection(guilty.executeUpdate(name, { args: [] }))).cause.message;
  expect(await update('schedules')).toMatch(/^Activities may not be used in an update validator; /);
  expect(await update('throwsNull')).toBe('null');
  expect(await guilty.executeUpdate('fine', { args: [] })).toBe('fine');
  expect(await disturbed([...(await neighbouring), guilty])).toBe(0);
  await guilty.signal('finish');
  expect(await guilty.result()).toBe('finished');
});
