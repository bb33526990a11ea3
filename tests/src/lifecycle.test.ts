/** The lines that tell of the life of workflows, and what they cost when nobody wants to read them. */
import { join } from 'node:path';
import { DefaultLogger, type LogEntry, type Worker } from '@perdure/worker';
import { SinkDispatcher } from '@perdure/worker/lib/sinks';
import { eventNames, harness, rejection, until, workflowsDir } from './support/harness';

const entries: LogEntry[] = [];
const crossed = jest.spyOn(SinkDispatcher.prototype, 'call');

afterAll(() => crossed.mockRestore());

describe.each(['DEBUG', 'INFO'] as const)('with a logger of level %s', (level) => {
  const h = harness(() => new DefaultLogger(level, (entry) => entries.push(entry)));
  let worker: Worker;

  beforeAll(async () => {
    worker = await h.worker({ workflowsPath: join(workflowsDir, 'lifecycle.ts') });
    h.background(worker);
  });
  beforeEach(() => {
    entries.length = 0;
    crossed.mockClear();
  });

  /** Lines of one workflow, once the last of them has come. */
  async function told(workflowId: string, last: string): Promise<unknown[]> {
    const lines = () => entries.filter(({ meta }) => meta?.workflowId === workflowId);
    if (last !== '')
      await until(() => lines().some(({ message }) => message === last), `'${last}' is logged`);
    return lines().map(({ level, message, meta }) => [level, message, meta?.sdkComponent]);
  }

  it('tells of a workflow that completes, and nothing twice', async () => {
    const handle = await h.start(worker, 'ends', ['well']);
    await handle.result();
    if (level === 'DEBUG') {
      expect(await told(handle.workflowId, 'Workflow completed')).toEqual([
        ['DEBUG', 'Workflow started', 'worker'],
        ['DEBUG', 'a line of its own', 'workflow'],
        ['DEBUG', 'Workflow completed', 'worker'],
      ]);
    } else {
      expect(await told(handle.workflowId, '')).toEqual([]);
      expect(crossed).not.toHaveBeenCalled();
    }
  });

  it('warns of a workflow that fails, with the error', async () => {
    const handle = await h.start(worker, 'ends', ['failed']);
    await rejection(handle.result());
    const lines = await told(handle.workflowId, 'Workflow failed');
    expect(lines.at(-1)).toEqual(['WARN', 'Workflow failed', 'worker']);
    expect(lines).toHaveLength(level === 'DEBUG' ? 3 : 1);
    const { meta } = entries.find(({ message }) => message === 'Workflow failed')!;
    expect(meta).toMatchObject({
      namespace: 'default',
      taskQueue: worker.options.taskQueue,
      runId: handle.firstExecutionRunId,
      workflowType: 'ends',
    });
    expect((meta!.error as Error).message).toBe('on purpose');
    expect((meta!.error as Error).stack).toMatch(/lifecycle\.ts:\d+/);
  });

  it('tells of workflows that continue as new or are cancelled', async () => {
    const again = await h.start(worker, 'ends', ['again']);
    const never = await h.start(worker, 'ends', ['never']);
    await until(async () => (await eventNames(never)).includes('TimerStarted'), 'it sleeps');
    await never.cancel();
    await Promise.all([again.result(), rejection(never.result())]);
    if (level === 'DEBUG') {
      const lines = await told(again.workflowId, 'Workflow completed');
      expect(lines).toContainEqual(['DEBUG', 'Workflow continued as new', 'worker']);
      expect(lines.filter((line) => (line as string[])[1] === 'Workflow started')).toHaveLength(2);
      expect((await told(never.workflowId, 'Workflow completed as cancelled')).at(-1)).toEqual([
        'DEBUG',
        'Workflow completed as cancelled',
        'worker',
      ]);
    } else {
      expect(crossed).not.toHaveBeenCalled();
    }
  });
});
