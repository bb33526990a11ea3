/** Far more open workflows than the cache holds; `npm run bench -- --only cache` measures 2,000 over 50. */
import { join } from 'node:path';
import { ServiceDeadlineError, type WorkflowHandle } from '@perdure/client';
import { harness, until, workflowsDir } from './support/harness';
import { randomOf } from './support/random';
import type { Total } from './workflows/cache';

const h = harness();

/** A server gives a query up whose workflow task was lost while it stood still itself: then it has to be asked again. */
async function ask(handle: WorkflowHandle): Promise<Total> {
  for (;;) {
    try {
      return await handle.query<Total>('total');
    } catch (error) {
      if (!(error instanceof ServiceDeadlineError)) throw error;
    }
  }
}
const workflowsPath = join(workflowsDir, 'cache.ts');

it.each([
  { open: 200, signals: 1000, lanes: 'thread' },
  { open: 60, signals: 300, lanes: 'process' },
] as const)(
  '$open open workflows over a cache of 10 count each of $signals signals once (lanes: $lanes)',
  async ({ open, signals, lanes }) => {
    const worker = await h.worker({
      workflowsPath,
      lanes,
      workflowThreadPoolSize: 2,
      maxCachedWorkflows: 10,
    });
    const random = randomOf(7);
    const logged = h.log.lines.length;
    await worker.runUntil(async () => {
      const handles = await Promise.all(Array.from({ length: open }, () => h.start(worker, 'tally')));
      const expected = handles.map((): Total => ({ count: 0, sum: 0 }));
      let mostCached = 0;
      let left: number = signals;
      const signalSome = async () => {
        while (left > 0) {
          const n = left--;
          const index = random.between(0, handles.length - 1);
          expected[index]!.count += 1;
          expected[index]!.sum += n;
          await handles[index]!.signal('add', n);
          mostCached = Math.max(mostCached, worker.getStatus().numCachedWorkflows);
          if (n % 50 === 0) {
            // The answer holds at least what this workflow had been told before the question.
            const told = expected[index]!.count;
            const { count } = await ask(handles[index]!);
            expect(count).toBeGreaterThan(0);
            expect(count).toBeLessThanOrEqual(Math.max(told, expected[index]!.count));
          }
        }
      };
      await Promise.all(Array.from({ length: 10 }, signalSome));
      await Promise.all(handles.map((handle) => handle.signal('stop')));
      expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(expected);
      // The cache may hold the tasks that run besides.
      expect(mostCached).toBeGreaterThan(0);
      expect(mostCached).toBeLessThanOrEqual(60);
      await until(() => worker.getStatus().numCachedWorkflows === 0, 'ended workflows have left the cache');
    });
    const warnings = h.log.lines.slice(logged).filter(({ level }) => level === 'WARN' || level === 'ERROR');
    expect(warnings.map(({ message }) => message)).toEqual([]);
  },
  300_000,
);
