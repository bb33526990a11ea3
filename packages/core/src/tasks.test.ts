import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker as Thread } from 'node:worker_threads';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import type { WorkerOptions } from '@perdure/proto/perdure/core/v1/options';
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import type { History } from '@perdure/proto/temporal/api/history/v1/message';
import type { StartOperationResponse } from '@perdure/proto/temporal/api/nexus/v1/message';
import { CreateNexusEndpointRequest } from '@perdure/proto/temporal/api/operatorservice/v1/request_response';
import { RequestCancelWorkflowExecutionRequest } from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import type { ActivityExecutionResult } from '@perdure/proto/temporal/sdk/core/activity_result/activity_result';
import type { ActivityTask } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';
import { ActivityHeartbeat, ActivityTaskCompletion } from '@perdure/proto/temporal/sdk/core/core_interface';
import { type NexusTask, NexusTaskCompletion } from '@perdure/proto/temporal/sdk/core/nexus/nexus';
import Long from 'long';
import type { ConnectionHandle, RuntimeHandle, WorkerHandle } from '.';
import type { HandLaneData } from './testing/hand-lane';
import {
  call,
  closedHistory,
  connect,
  Events,
  native,
  openLane,
  openRuntime,
  startWorkflow,
  stop,
  unique,
  workerOptions,
} from './testing/hand-worker';
import { freePort } from './testing/ports';

let server: DevServer;
let runtime: RuntimeHandle;
let connection: ConnectionHandle;
let lanes = 300;

beforeAll(async () => {
  server = await startDevServer();
  runtime = openRuntime();
  connection = await connect(runtime, server.address);
}, 120_000);
afterAll(async () => {
  if (runtime) native.runtimeClose(runtime);
  await server?.stop();
});

const json = (value: unknown): Payload => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(JSON.stringify(value)),
});

const last = (history: History) => history.events!.at(-1)!;
function resultOf(history: History): unknown {
  const [payload] = last(history).workflowExecutionCompletedEventAttributes?.result?.payloads ?? [];
  return payload?.data && JSON.parse(Buffer.from(payload.data).toString());
}

interface Running {
  readonly taskQueue: string;
  readonly worker: WorkerHandle;
  readonly events: Events;
  readonly thread: Thread;
  end(): Promise<void>;
}

async function run(
  behaviour: HandLaneData['behaviour'],
  more: { options?: WorkerOptions; over?: ConnectionHandle; target?: string; pollers?: number } = {},
): Promise<Running> {
  const taskQueue = unique('tasks');
  const lane = ++lanes;
  const thread = await openLane({ lane, behaviour, target: more.target ?? taskQueue });
  const events = new Events(more.pollers);
  const worker = native.workerOpen(
    runtime,
    more.over ?? connection,
    workerOptions(taskQueue, more.options),
    events.listener,
  );
  native.workerStart(worker, [lane]);
  const end = async () => {
    await stop(worker, events);
    await thread.terminate();
  };
  return { taskQueue, worker, events, thread, end };
}

async function cancel(workflowId: string): Promise<void> {
  const workflowExecution = { workflowId };
  const request = RequestCancelWorkflowExecutionRequest.encode({ namespace: 'default', workflowExecution });
  await call(connection, 'RequestCancelWorkflowExecution', request.finish(), { decode: () => undefined });
}

describe('an activity task', () => {
  const options: WorkerOptions = {
    remoteActivities: true,
    activityPollers: { fixed: 2 },
    defaultHeartbeatThrottleIntervalMs: Long.fromNumber(100),
    maxHeartbeatThrottleIntervalMs: Long.fromNumber(100),
  };

  const complete = (worker: WorkerHandle, { taskToken }: ActivityTask, result: ActivityExecutionResult) =>
    native.activityComplete(worker, ActivityTaskCompletion.encode({ taskToken, result }).finish());

  const activities = (onActivity: (worker: WorkerHandle, task: ActivityTask) => Promise<void>) =>
    run('activity', { options, pollers: 2 }).then((running) => {
      running.events.onActivity = (task) => void onActivity(running.worker, task);
      return running;
    });

  it('reaches the main thread, and its result the workflow', async () => {
    const running = await activities((worker, task) =>
      complete(worker, task, { completed: { result: json(task.start?.activityType) } }),
    );
    const ids = await Promise.all(
      ['one', 'two', 'three'].map((type) => startWorkflow(connection, running.taskQueue, type)),
    );
    const histories = await Promise.all(ids.map((id) => closedHistory(connection, id)));
    expect(histories.map(resultOf)).toEqual(['one', 'two', 'three']);
    await running.end();
    expect(running.events.all.map((event) => event.pollerDrained).sort()).toEqual(['activity', 'workflow']);
  });

  it('that fails is given again with the next attempt and the details of its last heartbeat', async () => {
    const attempts: [number | undefined, number][] = [];
    const running = await activities(async (worker, task) => {
      const { attempt, heartbeatDetails = [] } = task.start ?? {};
      attempts.push([attempt, heartbeatDetails.length]);
      if (attempt === 1) {
        const heartbeat = { taskToken: task.taskToken, details: [json('half')] };
        native.activityHeartbeat(worker, ActivityHeartbeat.encode(heartbeat).finish());
        await sleep(300);
        return complete(worker, task, {
          failed: { failure: { message: 'not yet', applicationFailureInfo: {} } },
        });
      }
      return complete(worker, task, { completed: { result: heartbeatDetails[0] } });
    });
    const id = await startWorkflow(connection, running.taskQueue, 'again');
    expect(resultOf(await closedHistory(connection, id))).toBe('half');
    expect(attempts).toEqual([
      [1, 0],
      [2, 1],
    ]);
    await running.end();
  });

  it('hears by its heartbeat that it is to be cancelled', async () => {
    let started: ((task: ActivityTask) => void) | undefined;
    const begun = new Promise<ActivityTask>((resolve) => {
      started = resolve;
    });
    let beating = true;
    const reasons: unknown[] = [];
    const running = await activities(async (worker, task) => {
      if (task.start) {
        started!(task);
        while (beating) {
          native.activityHeartbeat(worker, ActivityHeartbeat.encode({ taskToken: task.taskToken }).finish());
          await sleep(50);
        }
      } else {
        beating = false;
        reasons.push(task.cancel?.details?.isCancelled);
        await complete(worker, task, {
          cancelled: { failure: { message: 'gone', canceledFailureInfo: {} } },
        });
      }
    });
    const id = await startWorkflow(connection, running.taskQueue, 'long');
    await begun;
    await cancel(id);
    const history = await closedHistory(connection, id);
    expect(reasons).toEqual([true]);
    expect(history.events?.some((event) => event.activityTaskCanceledEventAttributes)).toBe(true);
    expect(
      last(history).workflowExecutionFailedEventAttributes?.failure?.cause?.canceledFailureInfo,
    ).toBeDefined();
    await running.end();
  });

  it('is cancelled at shutdown once the grace time is over, and still completed', async () => {
    const seen: string[] = [];
    const taskQueue = unique('tasks');
    const lane = ++lanes;
    const thread = await openLane({ lane, behaviour: 'activity', target: taskQueue });
    const events = new Events(2);
    const grace = { ...options, gracefulShutdownMs: Long.fromNumber(200) };
    const worker = native.workerOpen(runtime, connection, workerOptions(taskQueue, grace), events.listener);
    const begun = new Promise<void>((resolve) => {
      events.onActivity = (task) => {
        seen.push(task.start ? 'start' : `cancel ${task.cancel?.details?.isWorkerShutdown}`);
        if (task.start) resolve();
        else void complete(worker, task, { completed: { result: json('late') } });
      };
    });
    native.workerStart(worker, [lane]);
    await startWorkflow(connection, taskQueue, 'slow');
    await begun;
    await stop(worker, events);
    await thread.terminate();
    expect(seen).toEqual(['start', 'cancel true']);
  });
});

describe('a Nexus task', () => {
  it('reaches the main thread, and its result the workflow that asked', async () => {
    const name = unique('endpoint');
    const running = await run('nexus', {
      target: name,
      pollers: 2,
      options: { nexus: true, nexusPollers: { fixed: 2 } },
    });
    const spec = { name, target: { worker: { namespace: 'default', taskQueue: running.taskQueue } } };
    const create = CreateNexusEndpointRequest.encode({ spec }).finish();
    await call(connection, 'CreateNexusEndpoint', create, { decode: () => undefined }, 'operator');
    const asked: string[] = [];
    running.events.onNexus = ({ task }: NexusTask) => {
      const { service, operation } = task?.request?.startOperation ?? {};
      asked.push(`${service}.${operation}`);
      const startOperation: StartOperationResponse = { syncSuccess: { payload: json('sold') } };
      const completion = { taskToken: task?.taskToken, completed: { startOperation } };
      void native.nexusComplete(running.worker, NexusTaskCompletion.encode(completion).finish());
    };
    const id = await startWorkflow(connection, running.taskQueue, 'buy');
    expect(resultOf(await closedHistory(connection, id))).toBe('sold');
    expect(asked).toEqual(['shop.buy']);
    await running.end();
  });
});

/** A way to the server that can be cut and mended. */
async function road() {
  const [host, target] = server.address.split(':') as [string, string];
  const sockets = new Set<Socket>();
  let passed = 0;
  let listener: Server | undefined;
  const open = async (at: number): Promise<number> => {
    const opened = createServer((client) => {
      const upstream = dial(Number(target), host);
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
      }
      client.on('data', (data) => {
        passed += data.length;
      });
      client.pipe(upstream).pipe(client);
    }).listen(at, '127.0.0.1');
    await once(opened, 'listening');
    listener = opened;
    return at;
  };
  const taken = await open(await freePort());
  const cut = () => {
    listener?.close();
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `127.0.0.1:${taken}`,
    cut,
    mend: () => open(taken),
    get passed() {
      return passed;
    },
  };
}

describe('a worker that loses its server', () => {
  it('goes on by itself once the server is back', async () => {
    const way = await road();
    const running = await run('complete', { over: await connect(runtime, way.address) });
    const before = await startWorkflow(connection, running.taskQueue, 'before');
    expect(resultOf(await closedHistory(connection, before))).toBe('before');
    way.cut();
    const during = await startWorkflow(connection, running.taskQueue, 'during');
    await sleep(1_000);
    await way.mend();
    expect(resultOf(await closedHistory(connection, during))).toBe('during');
    expect(running.events.all).toEqual([]);
    await running.end();
    way.cut();
  });

  it('can be stopped while the server is away', async () => {
    const way = await road();
    const running = await run('complete', { over: await connect(runtime, way.address) });
    await sleep(200);
    way.cut();
    await sleep(200);
    await running.end();
  });
});

describe('a live worker', () => {
  it('polls through the connection that it is given', async () => {
    const [old, next] = [await road(), await road()];
    const running = await run('complete', { over: await connect(runtime, old.address) });
    const first = await startWorkflow(connection, running.taskQueue, 'first');
    expect(resultOf(await closedHistory(connection, first))).toBe('first');
    native.workerSetConnection(running.worker, await connect(runtime, next.address));
    const atFirst = next.passed;
    old.cut(); // ends the polls that are still on their way
    const second = await startWorkflow(connection, running.taskQueue, 'second');
    expect(resultOf(await closedHistory(connection, second))).toBe('second');
    expect(next.passed).toBeGreaterThan(atFirst);
    await running.end();
    next.cut();
  });
});
