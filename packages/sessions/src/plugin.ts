/**
 * Sessions of a worker: beside it run workers for the host's own queue, and for those on which sessions begin and end.
 *
 * Owns    those workers and their lives.
 * Leaves  what a session is to host.ts and session.ts.
 * P1  The workers of the sessions run exactly while the main worker does: they begin before it, begin to stop with it,
 *     and `run` of the main worker settles after theirs.
 * P2  What they do not say themselves they take from the main worker: connection, converter, interceptors, times.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { collectActivities } from '@perdure/activity/runner';
import { ValueError } from '@perdure/common';
import { Worker, type WorkerOptions, type WorkerPlugin } from '@perdure/worker';
import { HEARTBEAT_MS, SessionHost } from './host';
import { controlQueue, creationQueue, HOLD_ACTIVITY, hostQueue, RELEASE_ACTIVITY } from './protocol';

export interface SessionWorkerOptions {
  /** Sessions that are open on this host at the same time; more wait for another host or a free place. (=1000) */
  maxConcurrentSessions?: number;
  /** Activities of sessions that run on this host at the same time. (=100) */
  maxConcurrentSessionActivities?: number;
  /**
   * Names what sessions are bound to. Workers that share it share their sessions' activities: give it when what
   * matters outlives the process (a disk, a device), so that `recreateSession` finds back to it. (=a new one)
   */
  resourceId?: string;
  /** Shown in `session.info`. (=the host's name) */
  hostname?: string;
}

/** A worker plugin; `sessions` tells what is open here. */
export interface SessionPlugin extends WorkerPlugin {
  readonly resourceId: string;
  /** Ids of the sessions that are open on this host now. */
  readonly sessions: readonly string[];
}

/**
 * Makes a plugin that lets a worker be the host of sessions: `Worker.create({ plugins: [enableSessions()] })`.
 * One plugin is for one worker, which needs activities.
 * @throws {ValueError} an option is out of range
 */
export function enableSessions({
  maxConcurrentSessions = 1000,
  maxConcurrentSessionActivities = 100,
  resourceId = randomUUID(),
  hostname: host = hostname(),
}: SessionWorkerOptions = {}): SessionPlugin {
  for (const [field, value] of Object.entries({ maxConcurrentSessions, maxConcurrentSessionActivities })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ValueError(`${field}: got ${String(value)}, takes a whole number of at least 1`);
    }
  }
  let running: SessionHost | undefined;
  return {
    name: 'perdure-sessions',
    resourceId,
    get sessions() {
      return running?.sessions ?? [];
    },
    async runWorker(worker, next) {
      const taskQueue = hostQueue(worker.options.taskQueue, resourceId);
      running = new SessionHost({ taskQueue, hostname: host, resourceId }, maxConcurrentSessions);
      const beside = await makeWorkers(worker, running, {
        taskQueue,
        maxConcurrentSessions,
        maxConcurrentSessionActivities,
      });
      await runBeside(worker, beside, next);
    },
  };
}

interface Limits {
  readonly taskQueue: string;
  readonly maxConcurrentSessions: number;
  readonly maxConcurrentSessionActivities: number;
}

async function makeWorkers(main: Worker, host: SessionHost, limits: Limits): Promise<Worker[]> {
  const { taskQueue, maxConcurrentSessions, maxConcurrentSessionActivities } = limits;
  const { options } = main;
  // P2
  const common: Omit<WorkerOptions, 'taskQueue'> = {
    connection: main.connection!,
    namespace: options.namespace,
    identity: options.identity,
    dataConverter: options.dataConverter,
    shutdownGraceTime: options.shutdownGraceTimeMs,
    ...(options.shutdownForceTimeMs !== undefined && { shutdownForceTime: options.shutdownForceTimeMs }),
  };
  const holders = {
    ...common,
    maxConcurrentActivityTaskPolls: Math.min(2, maxConcurrentSessions),
    maxHeartbeatThrottleInterval: HEARTBEAT_MS,
  };
  return Promise.all([
    Worker.create({
      ...common,
      taskQueue,
      activities: collectActivities(options.activities),
      interceptors: { activity: [...options.interceptors.activity] },
      maxConcurrentActivityTaskExecutions: maxConcurrentSessionActivities,
      maxHeartbeatThrottleInterval: options.maxHeartbeatThrottleIntervalMs,
      defaultHeartbeatThrottleInterval: options.defaultHeartbeatThrottleIntervalMs,
    }),
    Worker.create({
      ...holders,
      taskQueue: creationQueue(options.taskQueue),
      activities: { [HOLD_ACTIVITY]: host.hold },
      maxConcurrentActivityTaskExecutions: maxConcurrentSessions,
    }),
    Worker.create({
      ...holders,
      taskQueue: controlQueue(taskQueue),
      activities: { [HOLD_ACTIVITY]: host.hold, [RELEASE_ACTIVITY]: host.release },
      // The host itself lets in no more sessions than that; one place more for the ends of sessions.
      maxConcurrentActivityTaskExecutions: maxConcurrentSessions + 1,
    }),
  ]);
}

/** P1 */
async function runBeside(
  main: Worker,
  beside: readonly Worker[],
  next: (worker: Worker) => Promise<void>,
): Promise<void> {
  const stop = (worker: Worker) => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const runs = beside.map(async (worker) => {
    try {
      await worker.run();
    } finally {
      stop(main); // when it failed: sessions are of no use without it
    }
  });
  void main.stopping.then(() => {
    for (const worker of beside) stop(worker);
  });
  try {
    await next(main);
  } finally {
    for (const worker of beside) stop(worker);
    await Promise.allSettled(runs);
  }
  await Promise.all(runs); // rejects with what made one of them fail
}
