/**
 * A chaos campaign: many workflows with activities and signals, and a world that is harmed meanwhile.
 *
 * K1  Every workflow ends with its result.
 * K2  Every signal is counted once: the client repeats what fails, and the server knows a repetition.
 * K3  Every result of an activity that the history holds is the one that the workflow has seen, and in its order:
 *     none is lost, none comes twice.
 * K4  Every history replays.
 * K5  Where lanes are killed, no task fails but those that ran at that moment: one for each lane at most.
 */
import { join } from 'node:path';
import { Client, Connection } from '@perdure/client';
import type { Duration } from '@perdure/common';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import type { History } from '@perdure/proto/temporal/api/history/v1/message';
import { Worker } from '@perdure/worker';
import { workflowsDir } from '../support/harness';
import { type Random, randomOf } from '../support/random';
import type { Faults } from '../support/unsteady-proxy';
import { type Seen, SIGNALS, STEPS } from '../workflows/chaos';
import { LANES_IN_PROCESSES, RESTARTS, SCENARIOS, type ScenarioName, THROUGH_PROXY } from './scenarios';
import { World } from './world';

export interface ChaosOptions {
  readonly scenario: ScenarioName;
  readonly seed: number;
  readonly workflows: number;
}

export interface ChaosReport {
  readonly workflows: number;
  readonly signals: number;
  /** Activities whose results are in histories. */
  readonly results: number;
  /** Times that an activity ran; more than `results` where workers were killed in the middle. */
  readonly runs: number;
  readonly replays: number;
  readonly harm: {
    readonly killed: number;
    readonly stopped: number;
    readonly restarts: number;
    readonly lanes: number;
  } & Partial<Faults>;
  /** One text for everything that is not as it should be; empty if all is well. */
  readonly failures: readonly string[];
}

const WORKFLOWS_PATH = join(workflowsDir, 'chaos.ts');

export async function runChaos({ scenario, seed, workflows }: ChaosOptions): Promise<ChaosReport> {
  const random = randomOf(seed);
  const taskQueue = `chaos-${scenario}-${seed}`;
  const world = await World.create({
    taskQueue,
    seed,
    proxy: THROUGH_PROXY.has(scenario),
    durable: RESTARTS.has(scenario),
    lanesInProcesses: LANES_IN_PROCESSES.has(scenario),
  });
  const failures: string[] = [];
  try {
    const load = { done: false };
    const seen = new Map<number, Seen>();
    const connection = await Connection.connect({ address: world.address, connectTimeout: '60s' });
    const client = new Client({ connection });
    let harmed: Promise<void> = Promise.resolve(); // begins as soon as the load has
    const working = Promise.all(
      Array.from({ length: workflows }, async (_, n) => {
        try {
          // Some wait for the last of it: a world in which harm takes its time is harmed as often as any other.
          const before = () => (n % 10 === 0 ? harmed : undefined);
          const activityTimeout: Duration = KEEPS_ACTIVITIES.has(scenario) ? '20s' : '3s';
          const one = {
            client,
            taskQueue,
            n,
            random: randomOf(seed * 1_000_003 + n),
            activityTimeout,
            before,
          };
          seen.set(n, await drive(one));
        } catch (error) {
          failures.push(`K1: workflow ${n} has no result: ${describe(error)}`);
        }
      }),
    ).finally(() => {
      load.done = true;
    });
    harmed = SCENARIOS[scenario](world, random, load);
    // Both at a time: where the scenario fails, the load might never end.
    await Promise.all([working, harmed]);
    await connection.close();
    world.proxy?.calm();
    const { failedTasks, ...checked } = await check(world.serverAddress, seen, failures);
    const traces = world.activityTraces();
    const harm = { ...world.counts, ...world.proxy?.faults };
    if (KEEPS_ACTIVITIES.has(scenario) && new Set(traces.map(nameOf)).size !== traces.length) {
      failures.push('an activity ran twice although every worker was given the time to finish it');
    }
    if (LANES_IN_PROCESSES.has(scenario) && failedTasks.length > world.counts.lanes) {
      failures.push(
        `K5: ${world.counts.lanes} lanes were killed, and these tasks failed: ${failedTasks.join('; ')}`,
      );
    }
    await world.close();
    failures.push(...world.complaints, ...panics(world.output()));
    return {
      workflows: seen.size,
      ...checked,
      runs: traces.length,
      harm,
      failures,
    };
  } catch (error) {
    await world.close().catch(() => undefined);
    throw error;
  }
}

/** Scenarios in which every activity can be finished by the worker that began it. */
const KEEPS_ACTIVITIES: ReadonlySet<ScenarioName> = new Set(['sigterm', 'lanes']);

const idOf = (n: number) => `steady-${n}`;
/** Which step of which workflow a token belongs to. */
const nameOf = (token: string) => token.slice(0, token.lastIndexOf('/'));

interface Driven {
  readonly client: Client;
  readonly taskQueue: string;
  readonly n: number;
  readonly random: Random;
  /** Where no worker is killed none may be over: then an activity that ran twice is an error. */
  readonly activityTimeout: Duration;
  /** What the last signal waits for. */
  readonly before: () => Promise<void> | undefined;
}

/** One workflow from its start to its result. */
async function drive({ client, taskQueue, n, random, activityTimeout, before }: Driven): Promise<Seen> {
  const pause = (low: number, high: number) =>
    new Promise((resolve) => setTimeout(resolve, random.between(low, high)));
  await pause(0, 2500);
  const handle = await client.workflow.start('steady', {
    taskQueue,
    workflowId: idOf(n),
    args: [n, activityTimeout],
    workflowTaskTimeout: '2s',
  });
  for (let signal = 0; signal < SIGNALS; signal++) {
    await pause(0, 400);
    if (signal === SIGNALS - 1) await before();
    await handle.signal('poke', signal);
  }
  return handle.result();
}

async function check(
  address: string,
  seen: ReadonlyMap<number, Seen>,
  failures: string[],
): Promise<{ signals: number; results: number; replays: number; failedTasks: string[] }> {
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection });
    const histories: { workflowId: string; history: History }[] = [];
    let signals = 0;
    let results = 0;
    const failedTasks: string[] = [];
    for (const [n, { tokens, signals: numbers }] of seen) {
      const history = await client.workflow.getHandle(idOf(n)).fetchHistory();
      histories.push({ workflowId: idOf(n), history });
      const kept = tokensIn(history);
      for (const { workflowTaskFailedEventAttributes: failed } of history.events ?? []) {
        if (failed !== undefined) failedTasks.push(`${idOf(n)}: ${failed.failure?.message}`);
      }
      const signalled = count(history, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED);
      signals += signalled;
      results += kept.length;
      if (signalled !== SIGNALS || numbers.join() !== [...numbers.keys()].join()) {
        failures.push(`K2: workflow ${n} has counted the signals ${numbers}, its history holds ${signalled}`);
      }
      const expected = Array.from({ length: STEPS }, (_, step) => `${n}/${step}`);
      if (tokens.map(nameOf).join() !== expected.join() || tokens.join() !== kept.join()) {
        failures.push(`K3: workflow ${n} has seen ${tokens}, its history holds ${kept}`);
      }
    }
    let replays = 0;
    for await (const { workflowId, error } of Worker.runReplayHistories(
      { workflowsPath: WORKFLOWS_PATH },
      histories,
    )) {
      replays++;
      if (error !== undefined) failures.push(`K4: ${workflowId} does not replay: ${describe(error)}`);
    }
    return { signals, results, replays, failedTasks };
  } finally {
    await connection.close();
  }
}

const count = ({ events }: History, type: EventType) =>
  (events ?? []).filter(({ eventType }) => eventType === type).length;

function tokensIn({ events }: History): string[] {
  return (events ?? []).flatMap(({ activityTaskCompletedEventAttributes: completed }) =>
    (completed?.result?.payloads ?? []).map(({ data }) => JSON.parse(Buffer.from(data!).toString())),
  );
}

/** What must never be in the output of a worker, whatever is done to its surroundings. */
function panics(output: string): string[] {
  return output.split('\n').filter((line) => /panicked|CORE_PANICKED|Nondeterminism|TMPRL1100/.test(line));
}

function describe(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: unknown };
  return `${message ?? String(error)}${cause === undefined ? '' : ` (${describe(cause)})`}`;
}
