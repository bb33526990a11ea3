/**
 * Workers that take turns while workflows want them all the time.
 *
 * A task that the server gives to a worker in the moment in which that one stops may come again after its timeout. What
 * has begun is finished and told: no activity runs to its end twice, and no workflow task fails.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { NativeConnection, type Worker } from '@perdure/worker';
import { eventsOf, eventsOfType, harness, until, workflowsDir } from './support/harness';

const h = harness();
const OPEN = 8;
const STEPS = 12;
const TURNS = 4;

it('workers that stop while tasks come finish what they have begun, and others go on', async () => {
  const taskQueue = `queue-${randomUUID()}`;
  /** Ends of each activity, by workflow and step. */
  const ends = new Map<string, number>();
  const ended = () => [...ends.values()].reduce((sum, count) => sum + count, 0);
  const step = async (workflow: number, n: number): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const key = `${workflow}/${n}`;
    ends.set(key, (ends.get(key) ?? 0) + 1);
    return n;
  };
  // A connection holds one worker of a task queue.
  const start = async (): Promise<{ worker: Worker; stopped: Promise<void> }> => {
    const connection = await NativeConnection.connect({ address: h.address });
    const worker = await h.worker({
      connection,
      taskQueue,
      workflowsPath: join(workflowsDir, 'shutdown-race.ts'),
      activities: { step },
      maxEagerActivityReservationsPerWorkflowTask: 0, // activities come by polls
      shutdownGraceTime: '30s',
    });
    return { worker, stopped: worker.run().finally(() => connection.close()) };
  };

  let current = await start();
  const handles = await Promise.all(
    Array.from({ length: OPEN }, (_, n) =>
      h.start(current.worker, 'stairs', [n, STEPS], { workflowTaskTimeout: '5s' }),
    ),
  );
  for (let turn = 1; turn <= TURNS; turn++) {
    const next = await start();
    const target = Math.floor((turn * OPEN * STEPS) / (TURNS + 1));
    await until(() => ended() >= target, 'the next worker takes its turn in the middle of work', 40_000);
    current.worker.shutdown();
    await current.stopped;
    expect(current.worker.getState()).toBe('STOPPED');
    current = next;
  }
  const sum = (STEPS * (STEPS - 1)) / 2;
  expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(handles.map(() => sum));
  current.worker.shutdown();
  await current.stopped;

  for (const handle of handles) {
    expect(await eventsOfType(handle, 'WorkflowTaskFailed')).toEqual([]);
    // Whatever was tried again had never begun.
    const again = (await eventsOf(handle)).flatMap(({ activityTaskStartedEventAttributes: started }) =>
      (started?.attempt ?? 1) > 1 ? [started!.lastFailure?.timeoutFailureInfo !== undefined] : [],
    );
    expect(again.filter((timedOut) => !timedOut)).toEqual([]);
  }
  expect(ended()).toBe(OPEN * STEPS);
  expect(ends.size).toBe(OPEN * STEPS);
}, 120_000);
