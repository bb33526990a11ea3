/** Lines of the core about tasks that fail: they are written on whichever thread the task's answer is taken. */
import { join } from 'node:path';
import { eventsOfType, harness, until, workflowsDir } from './support/harness';

const TASKS = 30;
const h = harness(undefined, {
  telemetryOptions: { logging: { forward: {}, filter: { core: 'WARN', other: 'WARN' } } },
});
jest.setTimeout(120_000);

it('every workflow task that fails has its line in the log', async () => {
  const worker = await h.worker({ workflowsPath: join(workflowsDir, 'hostile.ts') });
  await worker.runUntil(async () => {
    const handles = await Promise.all(Array.from({ length: TASKS }, () => h.start(worker, 'throwsNull')));
    const runs = handles.map(({ firstExecutionRunId }) => firstExecutionRunId);
    await Promise.all(
      handles.map((handle) =>
        until(
          async () => (await eventsOfType(handle, 'WorkflowTaskFailed')).length > 0,
          'a task of it has failed',
          60_000,
        ),
      ),
    );
    const silent = () => {
      const told = new Set(
        h.log.lines
          .filter(({ level, message }) => level === 'WARN' && message === 'Failing workflow task')
          .map(({ meta }) => meta.runId),
      );
      return runs.filter((runId) => !told.has(runId));
    };
    await until(() => silent().length === 0, 'each of them is in the log', 30_000).catch(() => undefined);
    expect(silent()).toEqual([]);
    await Promise.all(handles.map((handle) => handle.terminate()));
  });
});
