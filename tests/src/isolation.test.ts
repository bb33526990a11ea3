/** One workflow's misbehaviour, and the others that run beside it on a real server. */
import { join } from 'node:path';
import { eventsOfType, harness, until, workflowsDir } from './support/harness';

const h = harness();
const workflowsPath = join(workflowsDir, 'isolation.ts');

it('fails the task of an endless loop within the deadline while 20 other workflows finish', async () => {
  const worker = await h.worker({ workflowsPath, activities: { note: async (n: number) => n } });
  await worker.runUntil(async () => {
    const stuck = await h.start(worker, 'neverYields');
    await until(async () => (await eventsOfType(stuck, 'TimerFired')).length > 0, 'the loop has begun');
    const began = Date.now();
    const others = await Promise.all(
      Array.from({ length: 20 }, (_, i) => h.start(worker, 'quiet', [i], { workflowTaskTimeout: '20s' })),
    );
    const results = await Promise.all(others.map((handle) => handle.result()));
    expect(results.map((result: any) => result.sum)).toEqual(Array.from({ length: 20 }, (_, i) => 2 * i + 1));
    await until(
      async () => (await eventsOfType(stuck, 'WorkflowTaskFailed')).length > 0,
      'the task has failed',
      15_000,
    );
    const [failed] = await eventsOfType(stuck, 'WorkflowTaskFailed');
    const { message } = failed!.workflowTaskFailedEventAttributes!.failure!;
    expect(message).toContain('neverYields');
    expect(message).toContain(stuck.firstExecutionRunId);
    expect(message).toMatch(/2000 ms/);
    expect(Date.now() - began).toBeLessThan(20_000);
    expect(worker.getState()).toBe('RUNNING');
    await stuck.terminate();
  });
});

it.each([true, false])(
  'keeps module state and globals of runs apart (reuseV8Context: %s)',
  async (reuseV8Context) => {
    const worker = await h.worker({
      workflowsPath,
      reuseV8Context,
      activities: { note: async (n: number) => n },
    });
    await worker.runUntil(async () => {
      const results = await Promise.all(Array.from({ length: 5 }, (_, i) => h.execute(worker, 'quiet', [i])));
      for (const [i, result] of results.entries()) {
        expect(result).toEqual({ sum: 2 * i + 1, seen: 1, after: 1, mark: 1 });
      }
      expect(await h.execute(worker, 'escapes')).toEqual([]);
    });
  },
);

it('survives a workflow that allocates without end', async () => {
  const worker = await h.worker({ workflowsPath, activities: { note: async (n: number) => n } });
  await worker.runUntil(async () => {
    const greedy = await h.start(worker, 'allocates');
    await until(
      async () => (await eventsOfType(greedy, 'WorkflowTaskFailed')).length > 0,
      'the task of the greedy workflow has failed',
      25_000,
    );
    await greedy.terminate();
    expect(await h.execute(worker, 'quiet', [1])).toMatchObject({ sum: 3 });
    expect(worker.getState()).toBe('RUNNING');
  });
});

it('runs workflows on the main thread in debug mode, without a deadline', async () => {
  const worker = await h.worker({
    workflowsPath,
    debugMode: true,
    activities: { note: async (n: number) => n },
  });
  await worker.runUntil(async () => {
    expect(await h.execute(worker, 'quiet', [3])).toMatchObject({ sum: 7 });
  });
});
