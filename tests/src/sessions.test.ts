/** Sessions on a real server: hosts in this process, and hosts in processes of their own that die. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { activityInfo, heartbeat, sleep } from '@perdure/activity';
import { enableSessions, type SessionPlugin, type SessionWorkerOptions } from '@perdure/sessions';
import { NativeConnection, Worker, type WorkerOptions } from '@perdure/worker';
import {
  eventNames,
  eventually,
  harness,
  makeVersionCurrent,
  rejection,
  until,
  workflowsDir,
} from './support/harness';

const h = harness();
const workflowsPath = join(workflowsDir, 'sessions.ts');

const connections: NativeConnection[] = [];
afterAll(() => Promise.all(connections.map((connection) => connection.close())));

/** A host of sessions that runs workflows too; workers of one task queue need connections of their own. */
async function host(taskQueue: string, options: SessionWorkerOptions = {}, own: Partial<WorkerOptions> = {}) {
  const plugin: SessionPlugin = enableSessions(options);
  const connection = await NativeConnection.connect({ address: h.address });
  connections.push(connection);
  const worker = await h.worker({
    connection,
    taskQueue,
    workflowsPath,
    plugins: [plugin],
    activities: {
      where: async () => plugin.resourceId,
      clean: async () => `cleaned ${activityInfo().taskQueue.endsWith(plugin.resourceId)}`,
      hang: async () => {
        for (;;) {
          heartbeat();
          await sleep(50);
        }
      },
    },
    maxHeartbeatThrottleInterval: '100ms',
    ...own,
  });
  return { worker, plugin };
}

const newQueue = () => `queue-${randomUUID()}`;
const stateOf = (handle: { query(name: string): Promise<unknown> }) => handle.query('state');

it('runs all activities of a session on one host, and frees its place', async () => {
  const taskQueue = newQueue();
  // Without a cache every workflow task replays the session from its beginning.
  const own = { maxCachedWorkflows: 0 };
  const hosts = [
    await host(taskQueue, {}, own),
    await host(taskQueue, {}, own),
    await host(taskQueue, {}, own),
  ];
  const runs = hosts.slice(1).map(({ worker }) => worker.run());
  await hosts[0]!.worker.runUntil(async () => {
    const results = (await Promise.all(
      Array.from({ length: 6 }, () => h.execute(hosts[0]!.worker, 'allInOnePlace', [5])),
    )) as { places: string[]; resourceId: string; state: string }[];
    for (const { places, resourceId, state } of results) {
      expect(new Set(places)).toEqual(new Set([resourceId]));
      expect(places).toHaveLength(6);
      expect(state).toBe('OPEN');
    }
    expect(hosts.flatMap(({ plugin }) => plugin.sessions)).toEqual([]);
  });
  for (const { worker } of hosts.slice(1)) worker.shutdown();
  await Promise.all(runs);
});

it('opens no more sessions on a host than it has places: others wait', async () => {
  const { worker, plugin } = await host(newQueue(), {
    maxConcurrentSessions: 2,
    resourceId: `r-${randomUUID()}`,
  });
  await worker.runUntil(async () => {
    const handles = await Promise.all([1, 2, 3].map(() => h.start(worker, 'keepsSession')));
    const states = () => Promise.all(handles.map(stateOf));
    const twoOpen = [...Array(2).fill(`open on ${plugin.resourceId}`), 'waiting'];
    await eventually(async () => expect((await states()).sort()).toEqual(twoOpen));
    await sleepHere(300);
    expect((await states()).sort()).toEqual(twoOpen);
    const open = (await states()).findIndex((state) => state !== 'waiting');
    await handles[open]!.signal('goOn');
    expect(await handles[open]!.result()).toBe(plugin.resourceId);
    await until(async () => !(await states()).includes('waiting'), 'the third session is open');
    await Promise.all(handles.map((handle, i) => (i === open ? undefined : handle.signal('goOn'))));
    await Promise.all(handles.map((handle) => handle.result()));
    expect(plugin.sessions).toEqual([]);

    const full = await Promise.all([1, 2].map(() => h.start(worker, 'keepsSession')));
    await until(() => plugin.sessions.length === 2, 'two sessions are open');
    const late = await h.execute(worker, 'keepsSession', [{ creationTimeout: '400ms' }]);
    expect(late).toMatch(/^SessionCreationError: no host has opened the session within 400 ms/);

    // A workflow that is gone frees its place too.
    await Promise.all(full.map((handle) => handle.terminate()));
    await until(() => plugin.sessions.length === 0, 'the places are free');

    const short = await h.execute(worker, 'keepsSession', [{ executionTimeout: '500ms' }]);
    expect(short).toMatch(/^SessionFailedError: .* it lasted longer than executionTimeout/);
  });
});

it('leaves the session open to clean up in when its workflow is cancelled', async () => {
  const { worker, plugin } = await host(newQueue());
  await worker.runUntil(async () => {
    const handle = await h.start(worker, 'cleansUp');
    await until(
      async () => (await eventNames(handle)).filter((n) => n === 'ActivityTaskScheduled').length === 2,
      'hang',
    );
    await handle.cancel();
    expect(await handle.result()).toBe('cleaned true, then SessionClosedError, CLOSED');
    await Worker.runReplayHistory({ workflowsPath }, await handle.fetchHistory());
    expect(plugin.sessions).toEqual([]);
    const waiting = await h.start(worker, 'keepsSession', [{ taskQueue: 'no host here' }]);
    await until(async () => (await stateOf(waiting)) === 'waiting', 'it waits');
    await waiting.cancel();
    expect((await rejection(waiting.result())).cause.name).toBe('CancelledFailure');
  });
});

it('comes back to the host of a complete session', async () => {
  const taskQueue = newQueue();
  const [one, other] = [await host(taskQueue), await host(taskQueue)];
  const run = other.worker.run();
  await one.worker.runUntil(async () => {
    for (let i = 0; i < 2; i++) {
      const handle = await h.start(one.worker, 'comesBack');
      expect(await handle.result()).toEqual({ same: true, gone: 'SessionCreationError' });
      await Worker.runReplayHistory({ workflowsPath }, await handle.fetchHistory());
    }
  });
  other.worker.shutdown();
  await run;
});

it('opens sessions for workflows of a versioned worker', async () => {
  const version = { deploymentName: `deployment-${randomUUID()}`, buildId: 'b1' };
  const own: Partial<WorkerOptions> = {
    workerDeploymentOptions: { version, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' },
  };
  const { worker, plugin } = await host(newQueue(), {}, own);
  await worker.runUntil(async () => {
    await makeVersionCurrent(h, version);
    const { places } = await h.execute(worker, 'allInOnePlace', [2]);
    expect(new Set(places)).toEqual(new Set([plugin.resourceId]));
  });
});

it('ends with its worker: open sessions fail at once, and say so', async () => {
  const taskQueue = newQueue();
  const flows = await h.worker({ taskQueue, workflowsPath, activities: { anything: async () => 1 } });
  await flows.runUntil(async () => {
    const { worker, plugin } = await host(taskQueue);
    const run = worker.run();
    const handle = await h.start(flows, 'failsWithHost');
    await until(() => plugin.sessions.length === 1, 'the session is open');
    worker.shutdown();
    const error = await rejection(handle.result());
    expect(error.cause).toMatchObject({
      type: 'SessionFailedError',
      details: [{ sessionId: expect.any(String) }],
    });
    expect(error.cause.message).toMatch(/the worker on its host was shut down/);
    await run;
    expect(worker.getState()).toBe('STOPPED');
  });
});

describe('hosts that die', () => {
  const processes: ChildProcess[] = [];
  afterEach(() => {
    for (const child of processes.splice(0)) child.kill('SIGKILL');
  });

  async function hostProcess(taskQueue: string, name: string) {
    const child = spawn(process.execPath, [join(__dirname, 'support', 'session-process.js')], {
      env: { ...process.env, TEST_ADDRESS: h.address, TEST_QUEUE: taskQueue, TEST_HOST: name },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    processes.push(child);
    let said = '';
    child.stdout!.on('data', (chunk) => {
      said += chunk;
    });
    const says = (text: string) => until(() => said.includes(text), `${name} says ${text}`);
    await says('ready');
    return { child, says };
  }

  it('fail the session in mid-activity; the workflow goes on in a new one, and replays', async () => {
    const taskQueue = newQueue();
    const flows = await h.worker({ taskQueue: newQueue(), workflowsPath });
    const first = await hostProcess(taskQueue, 'first');
    await flows.runUntil(async () => {
      const handle = await h.start(flows, 'hostDies', [taskQueue]);
      await first.says('hanging');
      const second = hostProcess(taskQueue, 'second');
      first.child.kill('SIGKILL');
      await second;
      expect(await handle.result()).toEqual({
        code: 'SESSION_FAILED',
        reason: 'HOST_LOST',
        hint: 'begin again in a new session',
        sameErrorAgain: true,
        before: `first on ${taskQueue}/session-host/first`,
        next: `second on ${taskQueue}/session-host/second`,
        state: 'FAILED',
      });
      await Worker.runReplayHistory({ workflowsPath }, await handle.fetchHistory());
    });
  });
});

const sleepHere = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
