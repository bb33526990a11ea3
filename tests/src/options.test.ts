/** Options of workers, each by the effect it has on a real server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Context } from '@perdure/activity';
import { hasCode } from '@perdure/common';
import { temporal } from '@perdure/proto';
import { TimeoutType } from '@perdure/proto/temporal/api/enums/v1/workflow';
import type { HistoryEvent } from '@perdure/proto/temporal/api/history/v1/message';
import {
  bundleWorkflowCode,
  NativeConnection,
  type PatchActivationInput,
  Worker,
  type WorkerOptions,
} from '@perdure/worker';
import { eventsOf, eventsOfType, harness, makeVersionCurrent, until, workflowsDir } from './support/harness';

const h = harness();
const workflowsPath = join(workflowsDir, 'options.ts');
const activities = { greet: async (name: string) => `hello, ${name}` };

async function timed(worker: Worker, workflow: string, args: unknown[]): Promise<number> {
  const begun = performance.now();
  await h.execute(worker, workflow, args);
  return performance.now() - begun;
}

describe('patchActivationCallback', () => {
  it.each([{ debugMode: false }, { debugMode: true }])(
    'decides once about each patch of an execution, with %j',
    async ({ debugMode }) => {
      const asked: PatchActivationInput[] = [];
      const worker = await h.worker({
        workflowsPath,
        debugMode,
        patchActivationCallback: (input) => {
          asked.push(input);
          return input.patchId === 'second';
        },
      });
      const handle = await h.start(worker, 'patches', [], {
        searchAttributes: { TestKeyword: ['seen'] },
      });
      expect(await worker.runUntil(handle.result())).toEqual([false, true, false, true]);
      expect(asked.map(({ patchId }) => patchId)).toEqual(['first', 'second']);
      const { workflowInfo } = asked[0]!;
      expect(workflowInfo).toMatchObject({
        workflowId: handle.workflowId,
        workflowType: 'patches',
        taskQueue: worker.options.taskQueue,
      });
      expect(workflowInfo.startTime).toBeInstanceOf(Date);
      expect(workflowInfo.typedSearchAttributes.getAll()).toEqual([
        { key: { name: 'TestKeyword', type: 'KEYWORD' }, value: 'seen' },
      ]);
      expect(Object.isFrozen(workflowInfo)).toBe(true);
      const markers = await eventsOfType(handle, 'MarkerRecorded');
      expect(markers).toHaveLength(1);
      // What it decided is in the history: whoever replays it need not ask.
      await Worker.runReplayHistory({ workflowsPath }, await handle.fetchHistory());
    },
  );

  it.each<[string, () => any, string]>([
    [
      'throws',
      () => {
        throw new RangeError('undecided');
      },
      'RangeError: undecided',
    ],
    [
      'gives a promise',
      async () => true,
      'TypeError: it has to return true or false, and returned an object of class Promise',
    ],
  ])('that %s fails the workflow task until it decides', async (_what, wrong, text) => {
    let decide = wrong;
    const worker = await h.worker({
      workflowsPath,
      patchActivationCallback: () => {
        const decision = decide;
        decide = () => true;
        return decision();
      },
    });
    const handle = await h.start(worker, 'patches', []);
    expect(await worker.runUntil(handle.result())).toEqual([true, true, true, true]);
    const failures = (await eventsOfType(handle, 'WorkflowTaskFailed')).map(
      ({ workflowTaskFailedEventAttributes: failed }) => failed?.failure?.message,
    );
    expect(failures).toEqual([`patchActivationCallback failed: ${text}`]);
  });
});

describe('observables', () => {
  it('follow activities, activations and open workflows, and complete with the worker', async () => {
    let release!: () => void;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const worker = await h.worker({ workflowsPath, activities: { greet: async () => held } });
    const seen: Record<string, unknown[]> = { activities: [], workflows: [], activations: [] };
    const follow = (name: string) => ({
      next: (value: number) => void seen[name]!.push(value),
      complete: () => void seen[name]!.push('complete'),
    });
    worker.numInFlightActivities$.subscribe(follow('activities'));
    worker.numRunningWorkflowInstances$.subscribe(follow('workflows'));
    worker.numInFlightActivations$.subscribe(follow('activations'));
    await worker.runUntil(async () => {
      const handle = await h.start(worker, 'many', [3]);
      await until(() => seen.activities!.includes(3) && seen.workflows!.includes(1), 'all three run');
      release();
      await handle.result();
      await until(() => seen.workflows!.at(-1) === 0, 'the workflow has left');
    });
    expect(seen.activities![0]).toBe(0);
    expect(seen.activities!.slice(-2)).toEqual([0, 'complete']);
    expect(seen.workflows).toEqual([0, 1, 0, 'complete']);
    expect(seen.activations!.at(-1)).toBe('complete');
  });
});

describe('identity and namespace', () => {
  it('stand in histories, and keep namespaces apart', async () => {
    const namespace = `ns-${randomUUID()}`;
    await h.connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as any },
    });
    let worker: Worker | undefined;
    await until(async () => {
      // A new namespace takes a moment to be known everywhere.
      worker = await h
        .worker({ workflowsPath, activities, namespace, identity: 'somebody' })
        .catch(() => undefined);
      return worker !== undefined;
    }, 'the namespace is there');
    const { client } = worker!;
    await worker!.runUntil(async () => {
      const workflowId = randomUUID();
      const options = { taskQueue: worker!.options.taskQueue, workflowId, args: [2] };
      await until(
        () =>
          client!.workflow.start('many', options).catch((error) => {
            if (!hasCode(error, 'NAMESPACE_NOT_FOUND')) throw error;
          }),
        'the namespace is known where workflows are started',
      );
      const handle = client!.workflow.getHandle(workflowId);
      expect(await handle.result()).toBe(2);
      const events = await eventsOf(handle);
      expect(events[0]!.workflowExecutionStartedEventAttributes?.identity).toBe('somebody');
      const started = events.find((event) => event.workflowTaskStartedEventAttributes !== undefined);
      expect(started!.workflowTaskStartedEventAttributes!.identity).toBe('somebody');
      const activity = events.find((event) => event.activityTaskStartedEventAttributes !== undefined);
      expect(activity!.activityTaskStartedEventAttributes!.identity).toBe('somebody');
    });
  });
});

describe('versioning', () => {
  const deployment = (deploymentName: string, buildId: string): Partial<WorkerOptions> => ({
    workflowsPath,
    workerDeploymentOptions: {
      version: { deploymentName, buildId },
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'PINNED',
    },
  });

  it('by deployments keeps pinned workflows on their version and gives new ones the current one', async () => {
    const deploymentName = `deployment-${randomUUID()}`;
    const taskQueue = `queue-${randomUUID()}`;
    const makeCurrent = (buildId: string) => makeVersionCurrent(h, { deploymentName, buildId });
    const old = await h.worker({ ...deployment(deploymentName, 'v1'), taskQueue });
    const young = await h.worker({ ...deployment(deploymentName, 'v2'), taskQueue });
    await old.runUntil(() =>
      young.runUntil(async () => {
        await makeCurrent('v1');
        const pinned = await h.start(old, 'waits', []);
        expect(await pinned.query('ready')).toBe(true);
        await makeCurrent('v2');
        await pinned.signal('go');
        expect(await pinned.result()).toBe('v1');
        const fresh = await h.start(old, 'waits', []);
        await fresh.signal('go');
        expect(await fresh.result()).toBe('v2');
        const completed = await eventsOfType(pinned, 'WorkflowTaskCompleted');
        expect(completed.map((event) => event.workflowTaskCompletedEventAttributes)).toEqual(
          completed.map(() =>
            expect.objectContaining({
              deploymentVersion: { deploymentName, buildId: 'v1' },
              versioningBehavior: temporal.api.enums.v1.VersioningBehavior.VERSIONING_BEHAVIOR_PINNED,
            }),
          ),
        );
      }),
    );
  });

  it('by build ids, as before deployments, keeps workflows on compatible workers', async () => {
    const taskQueue = `queue-${randomUUID()}`;
    const connections = await Promise.all(
      // The core lets one worker of a task queue use a connection, whatever its build id.
      ['one', 'two'].map(() => NativeConnection.connect({ address: h.address })),
    );
    const introduce = (buildId: string) =>
      h.client.taskQueue.updateBuildIdCompatibility(taskQueue, {
        operation: 'addNewIdInNewDefaultSet',
        buildId,
      });
    const make = (buildId: string, connection: NativeConnection | undefined) =>
      h.worker({ connection, taskQueue, workflowsPath, buildId, useVersioning: true });
    await introduce('one');
    const one = await make('one', connections[0]);
    await one.runUntil(async () => {
      const old = await h.start(one, 'waits', []);
      expect(await old.query('ready')).toBe(true);
      // Before its worker is there: polls with a build id that the server does not know wait a minute for nothing.
      await introduce('two');
      const two = await make('two', connections[1]);
      await two.runUntil(async () => {
        const young = await h.start(one, 'waits', []);
        await young.signal('go');
        expect(await young.result()).toBe('two');
        await old.signal('go');
        expect(await old.result()).toBe('one');
      });
    });
    await Promise.all(connections.map((connection) => connection.close()));
  });

  it('a build id alone is reported with each workflow task', async () => {
    const worker = await h.worker({ workflowsPath, buildId: 'build-7' });
    const handle = await h.start(worker, 'waits', []);
    await handle.signal('go');
    expect(await worker.runUntil(handle.result())).toBe('build-7');
    const [completed] = await eventsOfType(handle, 'WorkflowTaskCompleted');
    expect(completed!.workflowTaskCompletedEventAttributes!.workerVersion?.buildId).toBe('build-7');
  });
});

describe('rates', () => {
  // Only the least time is looked at: a slow machine may take any time, and without a limit a fraction of a second.
  it('maxActivitiesPerSecond holds activities of this worker back', async () => {
    const slow = await h.worker({ workflowsPath, activities, maxActivitiesPerSecond: 5 });
    await slow.runUntil(async () => expect(await timed(slow, 'many', [10])).toBeGreaterThan(1500));
  });

  it('maxTaskQueueActivitiesPerSecond lets the server hold them back', async () => {
    const slow = await h.worker({ workflowsPath, activities, maxTaskQueueActivitiesPerSecond: 2 });
    await slow.runUntil(async () => {
      expect(await timed(slow, 'many', [6])).toBeGreaterThan(1500);
    });
  });
});

describe('heartbeats', () => {
  it.each([
    { options: { maxHeartbeatThrottleInterval: '50ms' } as Partial<WorkerOptions>, reaches: true },
    { options: { defaultHeartbeatThrottleInterval: '50ms' } as Partial<WorkerOptions>, reaches: true },
    { options: {}, reaches: false },
  ])('reach the server as often as $options allows', async ({ options, reaches }) => {
    let finish = false;
    const worker = await h.worker({
      workflowsPath,
      activities: {
        async beat() {
          for (let i = 0; !finish; i++) {
            Context.current().heartbeat(i);
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        },
      },
      ...options,
    });
    await worker.runUntil(async () => {
      const handle = await h.start(worker, 'beats', []);
      const last = async (): Promise<number> => {
        const { raw } = await handle.describe();
        const payload = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0];
        return payload?.data === undefined ? -1 : JSON.parse(Buffer.from(payload.data).toString());
      };
      await until(async () => (await last()) >= 0, 'the first heartbeat is there');
      const first = await last();
      if (reaches) await until(async () => (await last()) > first, 'a later one is there');
      else {
        await new Promise((resolve) => setTimeout(resolve, 700));
        expect(await last()).toBe(first);
      }
      finish = true;
      await handle.result();
    });
  });
});

describe('eager activities', () => {
  it.each([
    [{ maxEagerActivityReservationsPerWorkflowTask: 0 }, 0],
    [{ maxEagerActivityReservationsPerWorkflowTask: 2 }, 2],
    [{}, 3],
  ])('are reserved as %j says', async (options, most) => {
    let tried = 0;
    const fixed = { type: 'fixed-size', numSlots: 5 } as const;
    const worker = await h.worker({
      workflowsPath,
      activities,
      ...options,
      tuner: {
        workflowTaskSlotSupplier: fixed,
        localActivityTaskSlotSupplier: fixed,
        nexusTaskSlotSupplier: fixed,
        activityTaskSlotSupplier: {
          type: 'custom',
          reserveSlot: async () => ({}),
          tryReserveSlot: () => {
            tried++;
            return {};
          },
          markSlotUsed: () => undefined,
          releaseSlot: () => undefined,
        },
      },
    });
    await worker.runUntil(async () => {
      expect(await h.execute(worker, 'manyEagerly', [6])).toBe(6);
    });
    expect(tried).toBe(most);
  });
});

describe('lanes', () => {
  function threads(): number {
    const { workers } = process.report!.getReport() as unknown as { workers: unknown[] };
    return workers.length;
  }

  it('are as many as workflowThreadPoolSize says', async () => {
    const worker = await h.worker({ workflowsPath, activities, workflowThreadPoolSize: 4 });
    expect(threads()).toBeGreaterThanOrEqual(4);
    await worker.runUntil(async () => expect(await h.execute(worker, 'many', [2])).toBe(2));
  });

  it('give each run a context of its own when reuseV8Context is false, with primordials to patch', async () => {
    const own = await h.worker({ workflowsPath, reuseV8Context: false });
    await own.runUntil(async () => {
      expect(await h.execute(own, 'patchesPrimordials')).toBe('patched');
    });
    const shared = await h.worker({ workflowsPath });
    await shared.runUntil(async () => {
      const handle = await h.start(shared, 'patchesPrimordials');
      await until(
        async () => (await eventsOfType(handle, 'WorkflowTaskFailed')).length > 0,
        'a frozen primordial refuses',
      );
      await handle.terminate();
    });
  });

  it('have no deadline in debug mode, where workflows run on this thread', async () => {
    const worker = await h.worker({ workflowsPath, debugMode: true });
    await worker.runUntil(async () => {
      const handle = await h.start(worker, 'blocks', [2500]);
      expect(await handle.result()).toBe(2500);
      expect(await eventsOfType(handle, 'WorkflowTaskFailed')).toEqual([]);
    });
  });
});

describe('bundles', () => {
  it('made beforehand win over workflowsPath, with a warning', async () => {
    const { code } = await bundleWorkflowCode({ workflowsPath });
    const before = h.log.lines.length;
    const worker = await h.worker({ workflowBundle: { code }, workflowsPath: '/nowhere.ts', activities });
    await worker.runUntil(async () => expect(await h.execute(worker, 'many', [1])).toBe(1));
    const warnings = h.log.lines.slice(before).filter(({ level }) => level === 'WARN');
    expect(warnings.map(({ message }) => message)).toContain(
      'workflowsPath is not used: the bundle was made beforehand',
    );
  });
});

describe('interceptors', () => {
  it('of the older activityInbound come before those of activity', async () => {
    const order: string[] = [];
    const noting = (name: string) => ({
      execute: async (input: any, next: any) => {
        order.push(name);
        return next(input);
      },
    });
    const worker = await h.worker({
      workflowsPath,
      activities,
      interceptors: {
        activity: [() => ({ inbound: noting('modern') })],
        activityInbound: [() => noting('older')],
      },
    });
    await worker.runUntil(async () => expect(await h.execute(worker, 'many', [1])).toBe(1));
    expect(order).toEqual(['older', 'modern']);
  });
});

describe('the sticky queue', () => {
  it('gives a task back after stickyQueueScheduleToStartTimeout when its worker has vanished', async () => {
    const taskQueue = `queue-${randomUUID()}`;
    const script = `
      const { NativeConnection, Runtime, DefaultLogger, Worker } = require('@perdure/worker');
      (async () => {
        Runtime.install({ logger: new DefaultLogger('ERROR') });
        const connection = await NativeConnection.connect({ address: '${h.address}' });
        const worker = await Worker.create({ connection, taskQueue: '${taskQueue}',
          workflowsPath: ${JSON.stringify(workflowsPath)}, stickyQueueScheduleToStartTimeout: '1s' });
        await worker.run();
      })();`;
    const worker = await h.worker({ taskQueue, workflowsPath });
    const child = spawn(process.execPath, ['-e', script], { cwd: __dirname, stdio: 'inherit' });
    try {
      const handles = await Promise.all(
        [1, 2, 3].map(() =>
          h.client.workflow.start('waits', {
            taskQueue,
            workflowId: randomUUID(),
            workflowTaskTimeout: '2s',
          }),
        ),
      );
      for (const handle of handles) {
        await until(
          async () => (await eventsOfType(handle, 'WorkflowTaskCompleted')).length > 0,
          'the other worker has the workflow',
        );
      }
      await ended(child, 'SIGKILL');
      const waits: number[] = [];
      await worker.runUntil(async () => {
        // A server that has not noticed the end gives a task to a poll of the dead: that one is lost until the task
        // times out, and waits in no queue. By then the server knows.
        for (const handle of handles) {
          await handle.signal('go');
          await handle.result();
          waits.push(...(await waitsInQueueMs(handle)));
          if (waits.length > 0) return;
        }
      });
      expect(waits).toHaveLength(1);
      // By the server's clock, which is read twice for one moment: a second, and not the ten of the default.
      expect(waits[0]).toBeGreaterThan(900);
      expect(waits[0]).toBeLessThan(9000);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

/** How long tasks waited until the server gave up hope that their worker would take them. */
async function waitsInQueueMs(handle: Parameters<typeof eventsOf>[0]): Promise<number[]> {
  const events = await eventsOf(handle);
  const atMs = ({ eventTime }: HistoryEvent) =>
    Number(eventTime?.seconds) * 1000 + (eventTime?.nanos ?? 0) / 1e6;
  return events.flatMap((event) => {
    const { timeoutType, scheduledEventId } = event.workflowTaskTimedOutEventAttributes ?? {};
    if (timeoutType !== TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START) return [];
    const scheduled = events.find(({ eventId }) => eventId?.eq(scheduledEventId ?? 0))!;
    return [atMs(event) - atMs(scheduled)];
  });
}

/** Once everything that it has printed is here. */
async function ended(child: ChildProcess, signal?: NodeJS.Signals): Promise<number | null> {
  const closed = new Promise<number | null>((resolve) => {
    child.once('close', (code) => resolve(code));
  });
  if (signal !== undefined) child.kill(signal);
  return closed;
}

describe('startDebugReplayer', () => {
  /** The part of a debugger: has a history, hears of tasks. */
  async function debugging(history: Uint8Array, workflows: string, refuses = false) {
    const told: number[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        if (request.url === '/history') return response.end(history);
        told.push(JSON.parse(body).eventId);
        response.statusCode = refuses ? 500 : 200;
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const script = `require('@perdure/worker').startDebugReplayer({ workflowsPath: ${JSON.stringify(workflows)} })`;
    const child = spawn(process.execPath, ['-e', script], {
      cwd: __dirname,
      env: { ...process.env, TEMPORAL_DEBUGGER_PLUGIN_URL: url },
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    const code = await ended(child);
    await new Promise((resolve) => server.close(resolve));
    return { code, told, output };
  }

  it('tells the debugger of each workflow task before it runs, and exits as the replay ended', async () => {
    const worker = await h.worker({ workflowsPath, activities });
    const handle = await h.start(worker, 'many', [2]);
    await worker.runUntil(handle.result());
    const { events = [] } = await handle.fetchHistory();
    const history = temporal.api.history.v1.History.encode({ events } as any).finish();
    const started = events
      .filter((event) => event.workflowTaskStartedEventAttributes)
      .map(({ eventId }) => Number(eventId));
    const [good, bad, deaf] = await Promise.all([
      debugging(history, workflowsPath),
      debugging(history, join(workflowsDir, 'features.ts')),
      debugging(history, workflowsPath, true),
    ]);
    expect(good).toMatchObject({ code: 0, told: started });
    expect(good.output).toMatch(/Replay completed successfully/);
    expect(bad).toMatchObject({ code: 1, output: expect.stringContaining('Replay failed') });
    expect(deaf).toMatchObject({ code: 1, told: [started[0]] });
  });
});
