/** A worker put together from native calls alone, for tests and for child processes of tests. */
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker as Thread } from 'node:worker_threads';
import { type CodecRequest, TaskBatch, type WorkerEvent } from '@perdure/proto/perdure/core/v1/exchange';
import {
  ConnectionOptions,
  RpcCall,
  RuntimeOptions,
  WorkerOptions,
} from '@perdure/proto/perdure/core/v1/options';
import {
  GetWorkflowExecutionHistoryRequest,
  GetWorkflowExecutionHistoryResponse,
  StartWorkflowExecutionRequest,
} from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import { ActivityTask } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';
import { NexusTask } from '@perdure/proto/temporal/sdk/core/nexus/nexus';
import Long from 'long';
import { type ConnectionHandle, loadNative, type RuntimeHandle, type WorkerHandle } from '..';
import type { HandLaneData } from './hand-lane';

export const native = loadNative();

export function openRuntime(onTelemetry: (batch: Uint8Array) => void = () => undefined): RuntimeHandle {
  const options: RuntimeOptions = { logging: { filter: 'off,temporalio_sdk_core=info', forward: true } };
  return native.runtimeOpen(RuntimeOptions.encode(options).finish(), onTelemetry);
}

export function connect(
  runtime: RuntimeHandle,
  address: string,
  more: ConnectionOptions = {},
): Promise<ConnectionHandle> {
  const options: ConnectionOptions = {
    targetUrl: `http://${address}`,
    identity: 'perdure-core-tests',
    clientName: 'perdure-core-tests',
    clientVersion: '0.0.0',
    connectTimeoutMs: Long.fromNumber(60_000),
    ...more,
  };
  return native.connectionOpen(runtime, ConnectionOptions.encode(options).finish());
}

export async function openLane(data: HandLaneData): Promise<Thread> {
  const thread = new Thread(join(__dirname, 'hand-lane.js'), { workerData: data });
  await once(thread, 'message');
  thread.unref();
  return thread;
}

/** What a hand lane has seen. */
export async function seen(thread: Thread): Promise<{ activations: number; evictions: number }> {
  thread.postMessage('?');
  const [answer] = await once(thread, 'message');
  return answer;
}

export function workerOptions(taskQueue: string, more: WorkerOptions = {}): Uint8Array {
  return WorkerOptions.encode({
    namespace: 'default',
    taskQueue,
    workflows: true,
    maxCachedWorkflows: 10,
    slots: {
      workflow: { fixed: 10 },
      activity: { fixed: 10 },
      localActivity: { fixed: 10 },
      nexus: { fixed: 1 },
    },
    workflowPollers: { fixed: 2 },
    nonstickyToStickyPollRatio: 0.5,
    stickyQueueScheduleToStartTimeoutMs: Long.fromNumber(10_000),
    maxHeartbeatThrottleIntervalMs: Long.fromNumber(60_000),
    defaultHeartbeatThrottleIntervalMs: Long.fromNumber(30_000),
    versioning: { buildId: 'core-tests' },
    ...more,
  }).finish();
}

/** Waits until `condition` holds; the limit is for what never comes. */
export async function until(condition: () => boolean, what: string, limitMs = 60_000): Promise<void> {
  for (const end = Date.now() + limitMs; !condition(); ) {
    if (Date.now() > end) throw new Error(`gave up waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Events of a worker, and its end. */
export class Events {
  readonly all: WorkerEvent[] = [];
  readonly drained: Promise<void>;
  onCodec: (request: CodecRequest) => void = () => undefined;
  onActivity: (task: ActivityTask) => void = () => undefined;
  onNexus: (task: NexusTask) => void = () => undefined;
  #resolve!: () => void;

  /** @param pollers kinds of tasks that the worker polls */
  constructor(private pollers = 1) {
    this.drained = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  readonly listener = (batch: Uint8Array): void => {
    for (const { event, codec, activityTask, nexusTask } of TaskBatch.decode(batch).items ?? []) {
      if (activityTask) this.onActivity(ActivityTask.decode(activityTask));
      if (nexusTask) this.onNexus(NexusTask.decode(nexusTask));
      if (codec) this.onCodec(codec);
      if (event) this.all.push(event);
      if (event?.pollerDrained && --this.pollers === 0) this.#resolve();
    }
  };
}

export async function stop(worker: WorkerHandle, events: Events): Promise<void> {
  native.workerShutdown(worker);
  await events.drained;
  await native.workerFinalize(worker);
}

/** One raw call of the workflow service. */
export async function call<R>(
  connection: ConnectionHandle,
  method: string,
  request: Uint8Array,
  response: { decode(bytes: Uint8Array): R },
  service = 'workflow',
): Promise<R> {
  const bytes = RpcCall.encode({ service, method, request, retry: true }).finish();
  return response.decode(await native.connectionCall(connection, bytes));
}

let ids = 0;
export function unique(what: string): string {
  ids += 1;
  return `${what}-${process.pid}-${ids}`;
}

/** Starts a workflow. Returns its id. */
export async function startWorkflow(
  connection: ConnectionHandle,
  taskQueue: string,
  workflowType: string,
): Promise<string> {
  const workflowId = unique(workflowType);
  const request = StartWorkflowExecutionRequest.encode({
    namespace: 'default',
    workflowId,
    workflowType: { name: workflowType },
    taskQueue: { name: taskQueue },
    requestId: workflowId,
  }).finish();
  await call(connection, 'StartWorkflowExecution', request, { decode: () => undefined });
  return workflowId;
}

/** The history, once the workflow has closed. */
export async function closedHistory(connection: ConnectionHandle, workflowId: string) {
  const request = { namespace: 'default', execution: { workflowId } };
  const closing = GetWorkflowExecutionHistoryRequest.encode({
    ...request,
    waitNewEvent: true,
    historyEventFilterType: 2,
  }).finish();
  await call(connection, 'GetWorkflowExecutionHistory', closing, GetWorkflowExecutionHistoryResponse);
  const whole = GetWorkflowExecutionHistoryRequest.encode(request).finish();
  const { history } = await call(
    connection,
    'GetWorkflowExecutionHistory',
    whole,
    GetWorkflowExecutionHistoryResponse,
  );
  return history!;
}
