/**
 * A fuzz campaign: random workflow programs on a real server, then every history replayed in every way.
 *
 * C1  Every history replays as a whole.
 * C2  It also replays from its beginning up to every workflow task: what a worker with an empty cache would do with
 *     that task.
 * C3  With a witness, every instance of a run issues the same commands, arguments and results included: the one that
 *     ended the run, the whole replay, and, as far as they go, the replays that were cut.
 * C4  Every program ends.
 */
import { join } from 'node:path';
import { Context } from '@perdure/activity';
import { type Client, WorkflowFailedError, type WorkflowHandle } from '@perdure/client';
import { ApplicationFailure, type Duration } from '@perdure/common';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import type { History, HistoryEvent } from '@perdure/proto/temporal/api/history/v1/message';
import { type NativeConnection, Worker } from '@perdure/worker';
import type { Step } from '@perdure/workflow/lib/testing/program-language';
import { step } from '@perdure/workflow/lib/testing/programs';
import fc from 'fast-check';
import type Long from 'long';
import { until, workflowsDir } from '../support/harness';
import { Witness } from './witness';

export interface CampaignOptions {
  readonly client: Client;
  readonly connection: NativeConnection;
  readonly programs: number;
  readonly seed: number;
  /** Runs that the worker keeps; 1 makes nearly every task begin with a replay. */
  readonly maxCachedWorkflows: number;
  /** Whether the witness interceptor is there (C3). Interceptors change when promises settle: both ways count. */
  readonly witness: boolean;
  /** Programs that run side by side. */
  readonly concurrency?: number;
}

export interface CampaignReport {
  readonly programs: number;
  readonly events: number;
  readonly replays: number;
  /**
   * Workflow tasks that the worker let time out: the core evicts a run that waits for local activities when its cache
   * is full, and leaves the task to the server.
   */
  readonly timedOutTasks: number;
  /** How runs ended, by the name of their last event. */
  readonly ends: Readonly<Record<string, number>>;
  /** Instances of runs that were there before the replays: more than one means that a cache lost it. */
  readonly instances: number;
  /** Runs, one or two of each program. */
  readonly runs: number;
  /** One text per history that did not replay; empty if all is well. */
  readonly failures: readonly string[];
}

export interface Case {
  readonly steps: Step[];
  /** What happens to the run from outside, and when. */
  readonly disturbances: readonly { readonly what: Disturbance; readonly afterMs: number }[];
}
export type Disturbance = 'signal' | 'strong signal' | 'update' | 'working update' | 'query' | 'cancel';

const oneCase: fc.Arbitrary<Case> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 4 }),
  disturbances: fc.array(
    fc.record({
      what: fc.oneof(
        {
          arbitrary: fc.constantFrom<Disturbance>(
            'signal',
            'strong signal',
            'update',
            'working update',
            'query',
          ),
          weight: 9,
        },
        { arbitrary: fc.constant<Disturbance>('cancel'), weight: 1 },
      ),
      afterMs: fc.integer({ min: 0, max: 60 }),
    }),
    { maxLength: 5 },
  ),
});

/** How long a program may take before it counts as one that does not end (C4): it takes seconds. */
const LIMIT_MS = 240_000;
const SLOW_MS = 30_000;

/** Same seed, same programs; delays are real and differ. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { client, connection, seed, programs, concurrency = 40 } = options;
  const live = new Witness();
  const taskQueue = `fuzz-${seed}-${Date.now()}-${options.maxCachedWorkflows}`;
  const code = {
    workflowsPath: join(workflowsDir, 'fuzz.ts'),
    ...(options.witness && { interceptors: { workflowModules: [join(workflowsDir, 'fuzz-witness.ts')] } }),
  };
  const worker = await Worker.create({
    ...code,
    connection,
    taskQueue,
    maxCachedWorkflows: options.maxCachedWorkflows,
    activities: makeActivities(() => Context.current().info.attempt),
    sinks: live.sinks,
  });
  const histories = await worker.runUntil(() =>
    // With a small cache tasks time out (`timedOutTasks`): 10 s each would look like programs that do not end.
    runCases(client, taskQueue, makeCases(seed, programs), concurrency, '2s'),
  );
  return replayAll({ ...code, replayName: taskQueue }, histories, live, options.witness);
}

export interface Recorded {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly runId: string;
  readonly history: History;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** @param currentAttempt of the activity that calls; each SDK has a context of its own */
export function makeActivities(currentAttempt: () => number) {
  return {
    act: async (n: number) => {
      await pause(Math.random() * 15);
      return n + 2;
    },
    fail: async () => {
      await pause(Math.random() * 5);
      throw ApplicationFailure.nonRetryable('fails by design', 'ByDesign');
    },
    flaky: async () => {
      if (currentAttempt() === 1) throw ApplicationFailure.retryable('fails the first time', 'Flaky');
    },
  };
}

/** Programs of a seed. */
export const makeCases = (seed: number, programs: number): Case[] =>
  fc.sample(oneCase, { seed, numRuns: programs });

/** Runs programs on a worker that is there already. */
export async function runCases(
  client: Client,
  taskQueue: string,
  cases: readonly Case[],
  concurrency: number,
  workflowTaskTimeout: Duration = '10s',
): Promise<Recorded[]> {
  const histories: Recorded[] = [];
  const others = await Promise.all(
    [0, 1, 2, 3].map((i) =>
      client.workflow.start('other', { taskQueue, workflowId: `${taskQueue}-other-${i}` }),
    ),
  );
  let next = 0;
  const begun = new Map<number, number>();
  // Where a program takes this long, so many of them are too much for the machine: their tasks time out before they
  // are done, and are done again. They end before others begin.
  const tooMany = () => [...begun.values()].some((beganMs) => Date.now() - beganMs > SLOW_MS);
  const runSome = async () => {
    for (let i = next++; i < cases.length; i = next++) {
      while (tooMany()) await pause(200);
      begun.set(i, Date.now());
      histories.push(...(await runOne(client, taskQueue, i, cases[i] as Case, workflowTaskTimeout)));
      begun.delete(i);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, runSome));
  await Promise.all(others.map((other) => other.terminate()));
  return histories;
}

async function runOne(
  client: Client,
  taskQueue: string,
  number: number,
  { steps, disturbances }: Case,
  workflowTaskTimeout: Duration,
): Promise<Recorded[]> {
  const workflowId = `${taskQueue}-${number}`;
  const handle = await client.workflow.start('program', {
    taskQueue,
    workflowId,
    workflowTaskTimeout,
    args: [steps, `${taskQueue}-other-${number % 4}`],
  });
  let ended = false;
  const end = handle
    .result()
    .catch((error: unknown) => {
      if (!(error instanceof WorkflowFailedError)) throw error;
    })
    .finally(() => {
      ended = true;
    });
  // What meets a run that has ended is refused, and that is none of our business.
  const disturbed = disturbances.map(async ({ what, afterMs }, i) => {
    await pause(afterMs);
    await disturb(handle, what, i).catch(() => undefined);
  });
  // Conditions wait for three signals at most: whoever still waits gets them. After a while they come more rarely:
  // each makes work, and where the machine is slow it is work that the program waits for.
  const giveUpAt = Date.now() + LIMIT_MS;
  const helped = (async () => {
    for (let i = 0; Date.now() < giveUpAt && !ended; i++) {
      await Promise.race([end, pause(i < 4 ? 250 : i < 20 ? 1000 : 4000)]);
      if (!ended) await disturb(handle, i % 8 === 7 ? 'strong signal' : 'signal', i).catch(() => undefined);
    }
    if (!ended) await handle.terminate('does not end');
  })();
  await Promise.all([end, helped, ...disturbed]);
  const runs: Recorded[] = [];
  for (let runId: string | undefined = handle.firstExecutionRunId; runId; ) {
    const history: History = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    runs.push({ name: workflowId, steps, runId, history });
    runId = history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  return runs;
}

async function disturb(handle: WorkflowHandle, what: Disturbance, i: number): Promise<void> {
  switch (what) {
    case 'signal':
      return handle.signal('s', 1);
    case 'strong signal':
      return handle.signal('s', 2);
    case 'update':
      await handle.executeUpdate('u', { args: [i % 5] });
      return;
    case 'working update':
      await handle.executeUpdate('v', { args: [i % 4] });
      return;
    case 'query':
      await handle.query('total');
      return;
    case 'cancel':
      await handle.cancel();
  }
}

/** One history to replay: a whole one, or the beginning of one. */
interface Replay {
  readonly of: Recorded;
  readonly history: History;
  /**
   * False: core and runtime have to bear the history, but what they do in its last task need not be what was done.
   * Either the task brought an update, which a history cut there cannot hold yet. Or it recorded nothing: then it may
   * have kept itself alive for a local activity, and replays take it and the task after it, with the signals between
   * them, for one.
   */
  readonly comparable: boolean;
}

async function replayAll(
  code: object,
  histories: readonly Recorded[],
  live: Witness,
  witnessed: boolean,
): Promise<CampaignReport> {
  const replayed = new Witness();
  const failures: string[] = [];
  const replays = histories.flatMap(everyReplay);
  const expected = new Map<string, Replay[]>();
  for (const replay of replays) {
    const ofRun = expected.get(replay.of.runId) ?? [];
    expected.set(replay.of.runId, ofRun);
    ofRun.push(replay);
  }
  const results = Worker.runReplayHistories(
    { ...code, sinks: replayed.sinks },
    replays.map(({ of, history }) => ({ workflowId: of.name, history })),
  );
  let count = 0;
  for await (const { runId, error } of results) {
    count++;
    if (error === undefined) continue;
    const { name, steps } = histories.find((recorded) => recorded.runId === runId) as Recorded;
    failures.push(`${name} ${JSON.stringify(steps)}: ${error.message}`);
  }
  if (count !== replays.length) failures.push(`${replays.length} replays, ${count} results`);
  let instances = 0;
  if (witnessed && failures.length === 0) {
    const arrived = () => [...expected].every(([runId, ofRun]) => replayed.of(runId).length === ofRun.length);
    await until(arrived, 'the witness has told of every replay').catch((error) =>
      failures.push(String(error)),
    );
    for (const of of histories) {
      const instancesLive = live.of(of.runId);
      instances += instancesLive.length;
      const comparable = expected.get(of.runId)?.map((replay) => replay.comparable) ?? [];
      const again = replayed.of(of.runId).filter((_, i) => comparable[i]);
      const difference = differenceOf(instancesLive, again);
      if (difference !== undefined) failures.push(`${of.name} ${JSON.stringify(of.steps)}: ${difference}`);
    }
  }
  for (const { name, steps, history } of histories.filter(isTerminated)) {
    const last = (history.events ?? [])
      .slice(-20)
      .map(({ eventId, eventType }) => `${eventId} ${nameOf(eventType)}`);
    failures.push(`${name} ${JSON.stringify(steps)}: does not end: ${last.join(', ')}`); // C4
  }
  const ends: Record<string, number> = {};
  for (const { history } of histories) {
    const end = nameOf(history.events?.at(-1)?.eventType);
    ends[end] = (ends[end] ?? 0) + 1;
  }
  return {
    programs: new Set(histories.map(({ name }) => name)).size,
    runs: histories.length,
    events: histories.reduce((sum, { history }) => sum + (history.events?.length ?? 0), 0),
    replays: replays.length,
    timedOutTasks: histories
      .flatMap(({ history }) => history.events ?? [])
      .filter(({ eventType }) => eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT).length,
    ends,
    instances,
    failures,
  };
}

const nameOf = (type: EventType | undefined) => (EventType[type ?? 0] ?? '').replace('EVENT_TYPE_', '');

/** Number of the completed task that has recorded the event, if one has. */
function causeOf(event: HistoryEvent): Long | undefined {
  const key = Object.keys(event).find((name) => name.endsWith('EventAttributes'));
  return (event as Record<string, any>)[key ?? '']?.workflowTaskCompletedEventId;
}

const isTerminated = ({ history }: Recorded): boolean =>
  history.events?.at(-1)?.eventType === EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED;

/** C1, C2: the whole history first, then cut after the start of each task that was completed. */
function everyReplay(of: Recorded): Replay[] {
  const events = of.history.events ?? [];
  const replays: Replay[] = [{ of, history: of.history, comparable: true }];
  events.forEach(({ eventType }, i) => {
    if (eventType !== EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED) return;
    if (events[i + 1]?.eventType !== EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED) return;
    const later = events.slice(i + 2);
    const next = later.findIndex((event) => event.eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED);
    const ofThisTask = next === -1 ? later : later.slice(0, next);
    const completedId = events[i + 1]?.eventId;
    const comparable =
      ofThisTask.some((event) => causeOf(event)?.eq(completedId ?? 0) === true) &&
      !ofThisTask.some(
        (event) => event.eventType === EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
      );
    replays.push({ of, history: { events: events.slice(0, i + 1) }, comparable });
  });
  return replays;
}

/** C3 @returns what differs, or undefined */
function differenceOf(
  live: readonly (readonly string[])[],
  [whole, ...cut]: readonly (readonly string[])[],
): string | undefined {
  const last = live.at(-1);
  if (whole === undefined || last === undefined) return 'nothing was told of the run';
  if (JSON.stringify(whole) !== JSON.stringify(last)) {
    return `its replay issued other commands than it had:\n${firstDifference(last, whole)}`;
  }
  for (const [i, part] of cut.entries()) {
    const same = part.length <= whole.length && part.every((command, j) => command === whole[j]);
    if (!same)
      return `cut at its ${i + 1}. comparable task it issued other commands:\n${firstDifference(whole, part)}`;
    if (part.length < (cut[i - 1]?.length ?? 0))
      return `cut at its ${i + 1}. comparable task it issued fewer commands`;
  }
  return undefined;
}

function firstDifference(a: readonly string[], b: readonly string[]): string {
  const at = a.findIndex((command, i) => command !== b[i]);
  const i = at === -1 ? a.length : at;
  return `  ${a[i]}\n  ${b[i]}`;
}
