/** One workflow's misbehaviour, and the others that run beside it on a real server. */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client } from '@perdure/client';
import type { Payload } from '@perdure/common';
import type { HistoryEvent } from '@perdure/proto/temporal/api/history/v1/message';
import { eventsOfType, eventually, harness, until, workflowsDir } from './support/harness';

const h = harness();
const workflowsPath = join(workflowsDir, 'isolation.ts');

it('fails the task of an endless loop within the deadline while 20 other workflows finish', async () => {
  const worker = await h.worker({ workflowsPath, activities: { note: async (n: number) => n } });
  await worker.runUntil(async () => {
    // Time enough for the worker itself to fail the task, whatever else the machine has to do.
    const stuck = await h.start(worker, 'neverYields', [], { workflowTaskTimeout: '60s' });
    await until(async () => (await eventsOfType(stuck, 'TimerFired')).length > 0, 'the loop has begun');
    const others = await Promise.all(
      Array.from({ length: 20 }, (_, i) => h.start(worker, 'quiet', [i], { workflowTaskTimeout: '60s' })),
    );
    const results = await Promise.all(others.map((handle) => handle.result()));
    expect(results.map((result: any) => result.sum)).toEqual(Array.from({ length: 20 }, (_, i) => 2 * i + 1));
    await until(
      async () => (await eventsOfType(stuck, 'WorkflowTaskFailed')).length > 0,
      'the task has failed',
    );
    const [failed] = await eventsOfType(stuck, 'WorkflowTaskFailed');
    const { message } = failed!.workflowTaskFailedEventAttributes!.failure!;
    expect(message).toContain('neverYields');
    expect(message).toContain(stuck.firstExecutionRunId);
    expect(message).toMatch(/2000 ms/);
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

it('keeps timeouts of runs apart that have the same handle', async () => {
  const worker = await h.worker({ workflowsPath });
  await worker.runUntil(async () => {
    const handles = await Promise.all(Array.from({ length: 6 }, () => h.start(worker, 'clearsTimeout')));
    await Promise.all(handles.map((handle) => handle.result()));
    for (const handle of handles) {
      const ids = async (type: string) => (await eventsOfType(handle, type)).map(timerIdOf);
      expect(await ids('TimerStarted')).toEqual(['1', '2', '3']);
      expect(await ids('TimerCanceled')).toEqual(['1']);
    }
  });
});

it('survives a workflow that allocates without end', async () => {
  const worker = await h.worker({ workflowsPath, activities: { note: async (n: number) => n } });
  await worker.runUntil(async () => {
    const greedy = await h.start(worker, 'allocates', [], { workflowTaskTimeout: '60s' });
    await until(
      async () => (await eventsOfType(greedy, 'WorkflowTaskFailed')).length > 0,
      'the task of the greedy workflow has failed',
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

describe('lanes in processes of their own', () => {
  it('carry queries, updates, signals, sinks, logs and encoded payloads', async () => {
    const heard: unknown[] = [];
    const reverse = (payloads: Payload[]) =>
      payloads.map((payload) => ({ ...payload, data: Uint8Array.from(payload.data ?? []).reverse() }));
    const codec = { encode: async (p: Payload[]) => reverse(p), decode: async (p: Payload[]) => reverse(p) };
    const dataConverter = { payloadCodecs: [codec] };
    const worker = await h.worker({
      workflowsPath,
      lanes: 'process',
      workflowThreadPoolSize: 2,
      dataConverter,
      activities: { note: async (n: number) => n },
      sinks: {
        mine: { heard: { fn: (_info: unknown, text: string, at: Date) => void heard.push([text, at]) } },
      } as any,
    });
    const client = new Client({ connection: h.client.connection as any, dataConverter });
    await worker.runUntil(async () => {
      const handles = await Promise.all(
        ['one', 'two', 'three'].map((text) =>
          client.workflow.start('talks', {
            taskQueue: worker.options.taskQueue,
            workflowId: `talks-${randomUUID()}`,
            args: [text],
          }),
        ),
      );
      const [first] = handles;
      expect(await first!.query('echo', 'asked')).toBe('one asked');
      expect(await first!.executeUpdate('change', { args: ['changed'] })).toBe('one changed');
      for (const handle of handles) await handle.signal('finish');
      expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual([
        'one 1',
        'two 1',
        'three 1',
      ]);
    });
    await eventually(() => {
      expect(heard).toHaveLength(3);
      expect(h.log.lines.filter(({ message }) => message === 'said')).toHaveLength(3);
    });
    expect(heard).toContainEqual(['one', new Date(5)]);
  });

  it('are replaced when they are killed, and no task is lost', async () => {
    const worker = await h.worker({
      workflowsPath,
      lanes: 'process',
      activities: { note: async (n: number) => n },
    });
    await worker.runUntil(async () => {
      const handles = await Promise.all(
        Array.from({ length: 60 }, (_, n) => h.start(worker, 'quiet', [n], { workflowTaskTimeout: '2s' })),
      );
      const killed: number[] = [];
      for (let i = 0; i < 3; i++) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        // Those that were killed before are found until somebody has taken notice of their end.
        await until(() => laneProcesses().some((pid) => !killed.includes(pid)), 'a lane is there');
        for (const pid of laneProcesses()) {
          process.kill(pid, 'SIGKILL');
          killed.push(pid);
        }
      }
      const results = await Promise.all(handles.map((handle) => handle.result()));
      expect(results.map((result: any) => result.sum)).toEqual(results.map((_, n) => 2 * n + 1));
    });
  });
});

function timerIdOf(event: HistoryEvent): string | undefined {
  return (event.timerStartedEventAttributes ?? event.timerCanceledEventAttributes)?.timerId;
}

/** Process ids of our lanes. */
function laneProcesses(): number[] {
  const { stdout } = spawnSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+perdure lane/.exec(line))
    .flatMap((match) => (match !== null && Number(match[2]) === process.pid ? [Number(match[1])] : []));
}
