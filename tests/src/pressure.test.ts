/** Lanes with limits of their own, on a real server: workflows that want more than there is, and longer than allowed. */
import { join } from 'node:path';
import { eventsOfType, harness, until, workflowsDir } from './support/harness';
import { randomOf } from './support/random';

const HEAP_MB = 64;
const OPEN = 110;
const HELD_KB = 750; // all of them hold 80 MB

const workflowsPath = join(workflowsDir, 'pressure.ts');

/** What `hoard(HELD_KB, first)` gives when it is told `told`. */
function sumOf(first: number, told: number): number {
  const count = HELD_KB * 128;
  return count * first + (count * (count - 1)) / 2 + told;
}

async function eightAtATime<T>(items: readonly T[], body: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const next = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await body(item);
  };
  await Promise.all(Array.from({ length: 8 }, next));
}

describe('a small heap', () => {
  const h = harness(undefined, { lanes: { heapMb: HEAP_MB, activationDeadline: '20s' } });

  it.each(['thread', 'process'] as const)(
    'lets go of workflows before they fill it, and has them back when they go on (lanes: %s)',
    async (lanes) => {
      const worker = await h.worker({
        workflowsPath,
        lanes,
        workflowThreadPoolSize: 1,
        maxCachedWorkflows: 10_000,
        // What begins at once has to find room before anything can leave.
        maxConcurrentWorkflowTaskExecutions: 10,
      });
      const logged = h.log.lines.length;
      const warnings = () =>
        h.log.lines.slice(logged).filter(({ level }) => level === 'WARN' || level === 'ERROR');
      const pressure = () => warnings().filter(({ meta }) => meta.code === 'HEAP_PRESSURE');
      await worker.runUntil(async () => {
        const handles = await Promise.all(
          Array.from({ length: OPEN }, (_, n) => h.start(worker, 'hoard', [HELD_KB, n])),
        );
        await eightAtATime(handles, async (handle) => {
          expect(await handle.query('held')).toBe(HELD_KB * 128);
        });
        expect(pressure().length).toBeGreaterThan(0);
        expect(worker.getStatus().numCachedWorkflows).toBeLessThan(OPEN);

        const random = randomOf(11);
        const order = handles.map((handle, n) => ({ handle, n, at: random.between(0, 1_000_000) }));
        order.sort((a, b) => a.at - b.at);
        await eightAtATime(order, ({ handle, n }) => handle.signal('tell', 7 * n));
        const results = await Promise.all(handles.map((handle) => handle.result()));
        expect(results).toEqual(handles.map((_, n) => sumOf(n, 7 * n)));

        await eightAtATime(handles, async (handle) => {
          expect(await eventsOfType(handle, 'WorkflowTaskFailed')).toEqual([]);
        });
        await until(() => worker.getStatus().numCachedWorkflows === 0, 'ended workflows have left the cache');
      });
      // A lane that was lost or a task that failed would be told of.
      expect(warnings().filter((line) => !pressure().includes(line))).toEqual([]);
      expect(pressure()[0]!.message).toMatch(
        /^the heap of a lane holds \d+ of 64 MB; asked for the eviction of \d+ of \d+ cached runs, \d+ will go$/,
      );
    },
    90_000,
  );
});

describe('a short deadline', () => {
  const h = harness(undefined, { lanes: { activationDeadline: '300ms' } });

  it('is the one that code which does not yield is measured by', async () => {
    const worker = await h.worker({ workflowsPath });
    await worker.runUntil(async () => {
      const handle = await h.start(worker, 'neverYields');
      await until(
        async () => (await eventsOfType(handle, 'WorkflowTaskFailed')).length > 0,
        'the task has failed',
        20_000,
      );
      const [failed] = await eventsOfType(handle, 'WorkflowTaskFailed');
      expect(failed!.workflowTaskFailedEventAttributes!.failure!.message).toMatch(
        /neverYields \(run .*\) did not yield within 300 ms/,
      );
      await handle.terminate();
    });
  }, 60_000);
});
