/** What every integration test needs: a client, a connection, workers on task queues of their own. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client, Connection, type WorkflowHandleWithFirstExecutionRunId } from '@perdure/client';
import type { Logger, LogLevel, LogMetadata } from '@perdure/common';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import { RoutingConfigUpdateState } from '@perdure/proto/temporal/api/enums/v1/task_queue';
import type { HistoryEvent } from '@perdure/proto/temporal/api/history/v1/message';
import {
  NativeConnection,
  type ReplayWorkerOptions,
  Runtime,
  type RuntimeOptions,
  Worker,
  type WorkerOptions,
} from '@perdure/worker';

/** Sources of the workflows under test: what is bundled is TypeScript, so that errors name its lines. */
export const workflowsDir = join(__dirname, '..', '..', 'src', 'workflows');

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly meta: LogMetadata;
}

/** Keeps lines instead of writing them. */
export class LineKeeper implements Logger {
  readonly lines: LogLine[] = [];
  log(level: LogLevel, message: string, meta: LogMetadata = {}): void {
    this.lines.push({ level, message, meta });
  }
  trace(message: string, meta?: LogMetadata): void {
    this.log('TRACE', message, meta);
  }
  debug(message: string, meta?: LogMetadata): void {
    this.log('DEBUG', message, meta);
  }
  info(message: string, meta?: LogMetadata): void {
    this.log('INFO', message, meta);
  }
  warn(message: string, meta?: LogMetadata): void {
    this.log('WARN', message, meta);
  }
  error(message: string, meta?: LogMetadata): void {
    this.log('ERROR', message, meta);
  }
}

export interface Harness {
  readonly address: string;
  readonly connection: NativeConnection;
  readonly client: Client;
  readonly log: LineKeeper;
  /** A worker on a task queue of its own. */
  worker(options: Partial<WorkerOptions>): Promise<Worker>;
  /** Runs a worker until the end of the test file. */
  background(worker: Worker): void;
  /** What `start` has started, in order. */
  readonly started: readonly WorkflowHandleWithFirstExecutionRunId[];
  /** Starts a workflow on the worker's queue with an id of its own. */
  start<T extends (...args: any[]) => Promise<any>>(
    worker: Worker,
    workflow: string | T,
    args?: unknown[],
    options?: Record<string, unknown>,
  ): Promise<WorkflowHandleWithFirstExecutionRunId<T>>;
  execute(
    worker: Worker,
    workflow: string,
    args?: unknown[],
    options?: Record<string, unknown>,
  ): Promise<any>;
}

/** Address of the server that global-setup.cjs has started. */
export function serverAddress(): string {
  const address = process.env.PERDURE_TEST_ADDRESS;
  if (address === undefined)
    throw new Error('tests/global-setup.cjs has not run: start these tests with jest');
  return address;
}

/**
 * Call at the top of a test file; the members can be used inside of tests.
 * @param makeLogger default: one that keeps lines in `log`
 * @param runtime more options of the runtime
 */
export function harness(makeLogger?: () => Logger, runtime: RuntimeOptions = {}): Harness {
  const address = serverAddress();
  const log = new LineKeeper();
  let connection: NativeConnection;
  let client: Client;

  beforeAll(async () => {
    Runtime.install({ ...runtime, logger: makeLogger?.() ?? log });
    connection = await NativeConnection.connect({ address });
    client = new Client({ connection: await Connection.connect({ address }) });
  });
  const running: { worker: Worker; ended: Promise<void> }[] = [];
  afterAll(async () => {
    for (const { worker } of running) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.all(running.map(({ ended }) => ended));
    await client?.connection.close();
    await connection?.close();
  });

  const started: WorkflowHandleWithFirstExecutionRunId[] = [];
  const self: Harness = {
    address,
    log,
    get connection() {
      return connection;
    },
    get client() {
      return client;
    },
    worker: (options) => Worker.create({ connection, taskQueue: `queue-${randomUUID()}`, ...options }),
    background: (worker) => void running.push({ worker, ended: worker.run() }),
    started,
    start: async (worker, workflow, args = [], options = {}) => {
      const handle = await client.workflow.start(
        workflow as any,
        {
          taskQueue: worker.options.taskQueue,
          workflowId: `wf-${randomUUID()}`,
          args: args as any,
          ...options,
        } as any,
      );
      started.push(handle);
      return handle as any;
    },
    execute: async (worker, workflow, args, options) =>
      (await self.start(worker, workflow, args, options)).result(),
  };
  return self;
}

/** Makes a version the current one of its deployment, once it has pollers, and waits until all task queues know. */
export async function makeVersionCurrent(
  { connection: { workflowService } }: Harness,
  version: { readonly deploymentName: string; readonly buildId: string },
): Promise<void> {
  const namespace = 'default';
  const { deploymentName, buildId } = version;
  await until(
    () =>
      workflowService.setWorkerDeploymentCurrentVersion({ namespace, deploymentName, buildId }).then(
        () => true,
        () => false,
      ),
    `version ${buildId} is current`,
  );
  await until(async () => {
    const { workerDeploymentInfo: info } = await workflowService.describeWorkerDeployment({
      namespace,
      deploymentName,
    });
    return (
      info?.routingConfig?.currentDeploymentVersion?.buildId === buildId &&
      info.routingConfigUpdateState !== RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS
    );
  }, `task queues know that version ${buildId} is current`);
}

/** The events of a run. */
export async function eventsOf(handle: {
  fetchHistory(): Promise<{ events?: HistoryEvent[] | null }>;
}): Promise<HistoryEvent[]> {
  return (await handle.fetchHistory()).events ?? [];
}

/** Names of a run's events, such as "ActivityTaskScheduled", without those of workflow tasks. */
export async function eventNames(handle: Parameters<typeof eventsOf>[0]): Promise<string[]> {
  const names = (await eventsOf(handle)).map(({ eventType }) => shortName(eventType));
  return names.filter((name) => !name.startsWith('WorkflowTask'));
}

function shortName(type: EventType | undefined): string {
  const words = (EventType[type ?? 0] ?? '')
    .replace(/^EVENT_TYPE_/, '')
    .toLowerCase()
    .split('_');
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

/** The events of one type. */
export async function eventsOfType(
  handle: Parameters<typeof eventsOf>[0],
  name: string,
): Promise<HistoryEvent[]> {
  return (await eventsOf(handle)).filter(({ eventType }) => shortName(eventType) === name);
}

/**
 * Waits until `condition` holds.
 * @throws after `limitMs`, which is for what never comes: no test may depend on how long something takes
 */
export async function until(condition: () => unknown, what: string, limitMs = 60_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`gave up waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * Waits until `assertions` hold: for what a server, a log or a sink shows a moment later.
 * @throws what they threw last, after `limitMs`
 */
export async function eventually(assertions: () => unknown, limitMs = 60_000): Promise<void> {
  const end = Date.now() + limitMs;
  for (;;) {
    try {
      await assertions();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The error of a promise that has to reject. */
export async function rejection(promise: Promise<unknown>): Promise<any> {
  return promise.then(
    (value) => {
      throw new Error(`resolved to ${JSON.stringify(value)} instead of rejecting`);
    },
    (error: unknown) => error,
  );
}

/**
 * Replays the history of every first run that the test file has started on the code that made it, from an empty cache.
 * @returns what did not fit
 */
export async function replayAll(h: Harness, options: ReplayWorkerOptions): Promise<string[]> {
  const histories = await Promise.all(
    h.started.map(async ({ workflowId, firstExecutionRunId }) => ({
      workflowId,
      history: await h.client.workflow.getHandle(workflowId, firstExecutionRunId).fetchHistory(),
    })),
  );
  const differences: string[] = [];
  for await (const { workflowId, error } of Worker.runReplayHistories(options, histories)) {
    if (error !== undefined) differences.push(`${workflowId}: ${error.message}`);
  }
  return differences;
}
