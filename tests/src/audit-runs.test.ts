/** Runs that follow each other, by retries and by a cron schedule, and what each knows of the one before. */
import { join } from 'node:path';
import type { HistoryEvent } from '@perdure/proto/temporal/api/history/v1/message';
import { Worker } from '@perdure/worker';
import { eventsOf, harness, until, workflowsDir } from './support/harness';
import { attributesOfEvent } from './support/plain';

const h = harness();
const workflowsPath = join(workflowsDir, 'audit-runs.ts');
const SHOWS_LATE_MS = 60_000;
let worker: Worker;

beforeAll(async () => {
  worker = await h.worker({ workflowsPath });
  h.background(worker);
});

/** The last event of a run, once the run has been closed. */
async function closing(workflowId: string, runId: string): Promise<HistoryEvent> {
  let last: HistoryEvent | undefined;
  await until(
    async () => {
      last = (await eventsOf(h.client.workflow.getHandle(workflowId, runId))).at(-1);
      return (
        last?.workflowExecutionCompletedEventAttributes ??
        last?.workflowExecutionFailedEventAttributes ??
        last?.workflowExecutionContinuedAsNewEventAttributes
      );
    },
    `run ${runId} has been closed`,
    SHOWS_LATE_MS,
  );
  return last!;
}

/** The closing events of the first runs of a chain, each replayed from an empty cache. */
async function chain(workflowId: string, firstRunId: string, count: number): Promise<any[]> {
  const events: any[] = [];
  for (let runId = firstRunId; events.length < count; runId = events.at(-1).newExecutionRunId) {
    events.push(attributesOfEvent(await closing(workflowId, runId)));
    const history = await h.client.workflow.getHandle(workflowId, runId).fetchHistory();
    await Worker.runReplayHistory({ workflowsPath }, history, workflowId);
  }
  return events;
}

it('an attempt of a workflow knows the failure of the one before', async () => {
  const handle = await h.start(worker, 'retried', [], {
    retry: { initialInterval: '10ms', maximumAttempts: 5 },
  });
  expect(await handle.result()).toEqual({
    attempt: 3,
    lastFailure: [true, 'attempt 2', 'Again', [2]],
    lastResult: 'none',
    retryPolicy: [10, 5],
    isFirstRun: false,
  });
  const runs = await chain(handle.workflowId, handle.firstExecutionRunId, 3);
  expect(runs.map(({ failure, result }) => failure?.message ?? result.payloads.length)).toEqual([
    'attempt 1',
    'attempt 2',
    1,
  ]);
});

it('a run of a cron schedule knows the last result, across a run that failed, and that failure', async () => {
  const handle = await h.start(worker, 'counted', [], { cronSchedule: '@every 1s', followRuns: false });
  const runs = await chain(handle.workflowId, handle.firstExecutionRunId, 4);
  await h.client.workflow.getHandle(handle.workflowId).terminate();
  expect(runs.map(({ failure, result }) => failure?.message ?? result.payloads[0])).toEqual([
    1,
    'the second run',
    2,
    3,
  ]);
});
