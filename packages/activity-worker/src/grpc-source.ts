/**
 * Activity tasks over a plain gRPC connection: what the native core does for other workers, in TypeScript.
 *
 * Owns    polls, slots, rates, heartbeats, the timers of running activities, delivery of outcomes.
 * Leaves  requests to server.ts, user code to the runner.
 * G1  A poll is sent only when a slot is free; the slot is taken until the outcome is delivered.
 * G2  Polls that fail are sent again for ever, with growing waits, save for requests that the server cannot take.
 * G3  An outcome is sent until the server has it, knows the activity no more, or the activity's time is over.
 * G4  Polls are not called back while tasks still come: one that is on its way then would be lost until it times out.
 *     Where the server ends them itself it is asked to.
 * G5  Whatever makes an activity stop reaches the runner as one cancellation; the first one decides there.
 */
import { FAILURE_SOURCE, SdkComponent } from '@perdure/common';
import { optionalTsToMs } from '@perdure/common/lib/time';
import type { PollActivityTaskQueueResponse } from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import type { ActivityExecutionResult } from '@perdure/proto/temporal/sdk/core/activity_result/activity_result';
import type { ActivityCancellationDetails as ProtoDetails } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';
import {
  ActivityCancelReason,
  ActivityTask,
} from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';
import { ActivityHeartbeat, ActivityTaskCompletion } from '@perdure/proto/temporal/sdk/core/core_interface';
import { backoffMs, pause } from './abortable';
import { ActivityWorkerFailedError } from './errors';
import { isRefused, Status, statusOf } from './grpc-status';
import { HeartbeatThrottle } from './heartbeat-throttle';
import { Pace, Slots } from './limits';
import type { ResolvedOptions } from './options';
import { startOf } from './poll-response';
import { PollerGroups } from './poller-groups';
import type { Server } from './server';
import type { TaskListener, TaskSource } from './task-source';

/** How long after a timeout of an activity the worker says so itself: the server should have been first. */
const TIMEOUT_SLACK_MS = 5000;
/** Wait for polls that the server has promised to end. */
const LAST_POLLS_MS = 5000;
/** Polls that wait for longer than this without a task are called back: no task is on its way to them. */
const QUIET_MS = 300;
const QUIET_STEPS = 6;
/** Least time between two log lines about failing polls. */
const COMPLAINT_MS = 60_000;
/** Longest delay a Node.js timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** An activity that has been given to the runner and not been answered. */
interface Running {
  readonly taskToken: Uint8Array;
  readonly heartbeats: HeartbeatThrottle;
  readonly timers: NodeJS.Timeout[];
  /** Ends an activity that has not called heartbeat for too long. */
  readonly silence: NodeJS.Timeout | undefined;
  /** After it the server takes no outcome any more. */
  readonly closesAtMs: number;
  /** First reason given to the runner. */
  cancelReason?: ActivityCancelReason;
}

export interface GrpcTaskSourceOptions {
  readonly server: Server;
  readonly endsPollsOnShutdown: boolean;
  /** Closed with the source. (=nothing) */
  readonly closeConnection?: () => Promise<void>;
}

export class GrpcTaskSource implements TaskSource {
  readonly #server: Server;
  readonly #slots: Slots;
  readonly #pace: Pace;
  readonly #groups = new PollerGroups();
  readonly #running = new Map<string, Running>();
  /** Ends waiting for slots, rates and backoffs of polls. */
  readonly #stopping = new AbortController();
  /** Ends polls that wait at the server. */
  readonly #callBack = new AbortController();
  /** Ends everything else. */
  readonly #closing = new AbortController();
  #listener!: TaskListener;
  #polling: Promise<unknown> = Promise.resolve();
  #graceTimer: NodeJS.Timeout | undefined;
  #graceOver = false;
  #fatal: unknown;
  #complainedAtMs = Number.NEGATIVE_INFINITY;
  #lastTaskAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly options: ResolvedOptions,
    private readonly parts: GrpcTaskSourceOptions,
  ) {
    this.#server = parts.server;
    this.#slots = new Slots(options.maxConcurrentActivityTaskExecutions);
    this.#pace = new Pace(options.maxActivitiesPerSecond);
  }

  start(listener: TaskListener): void {
    this.#listener = listener;
    const pollers = Array.from({ length: this.options.maxConcurrentActivityTaskPolls }, () => this.#poller());
    this.#polling = Promise.all(pollers);
    void this.#polling.then(() => listener.ended(this.#fatal));
  }

  stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    void this.#callPollsBack();
    const cancelAll = () => {
      this.#graceOver = true;
      for (const running of this.#running.values())
        this.#cancel(running, ActivityCancelReason.WORKER_SHUTDOWN);
    };
    const { shutdownGraceTimeMs } = this.options;
    if (shutdownGraceTimeMs === 0) cancelAll();
    else this.#graceTimer = setTimeout(cancelAll, Math.min(shutdownGraceTimeMs, MAX_TIMER_MS));
  }

  heartbeat(bytes: Uint8Array): void {
    const { taskToken = new Uint8Array(), details = [] } = ActivityHeartbeat.decode(bytes);
    const running = this.#running.get(keyOf(taskToken));
    if (running === undefined) return;
    running.silence?.refresh();
    running.heartbeats.record(details);
  }

  async complete(bytes: Uint8Array): Promise<void> {
    const { taskToken = new Uint8Array(), result = {} } = ActivityTaskCompletion.decode(bytes);
    const running = this.#running.get(keyOf(taskToken));
    if (running === undefined) return;
    try {
      await this.#answer(running, result);
    } finally {
      this.#forget(running);
      this.#slots.release(); // G1
    }
  }

  async close(): Promise<void> {
    this.stop();
    this.#callBack.abort();
    this.#closing.abort();
    clearTimeout(this.#graceTimer);
    for (const running of this.#running.values()) this.#forget(running);
    await this.#polling;
    await this.parts.closeConnection?.();
  }

  /** One poll at a time, until the worker stops. */
  async #poller(): Promise<void> {
    const stopping = this.#stopping.signal;
    for (let failures = 0; !stopping.aborted; ) {
      if (!(await this.#slots.acquire(stopping))) return; // G1
      let taken = false;
      try {
        if (!(await this.#pace.reserve(stopping))) return;
        taken = await this.#pollOnce();
        if (!taken) this.#pace.giveBack();
        failures = 0;
      } catch (error) {
        this.#pace.giveBack();
        if (this.#callBack.signal.aborted) return;
        if (!this.#mayPollAgain(error)) return;
        failures++;
      } finally {
        if (!taken) this.#slots.release();
      }
      if (failures > 0) await pause(backoffMs(failures, 100, 10_000), stopping);
    }
  }

  /** @returns whether a task came */
  async #pollOnce(): Promise<boolean> {
    const group = this.#groups.next();
    try {
      const polled = await this.#server.poll(group, this.#callBack.signal);
      this.#groups.update(polled.pollerGroupsInfo);
      if (!polled.taskToken?.length) return false;
      this.#lastTaskAtMs = performance.now();
      this.#begin(polled.taskToken, polled);
      return true;
    } catch (error) {
      if (statusOf(error) === Status.DEADLINE_EXCEEDED) return false; // a poll that nothing came for
      throw error;
    } finally {
      this.#groups.done(group);
    }
  }

  /** G2. @returns false if polling is of no use any more */
  #mayPollAgain(error: unknown): boolean {
    const status = statusOf(error);
    if (status === undefined || status === Status.INVALID_ARGUMENT || status === Status.UNIMPLEMENTED) {
      this.#fatal ??= new ActivityWorkerFailedError(
        'the server does not take the polls of this worker',
        error,
      );
      this.stop();
      return false;
    }
    if (performance.now() - this.#complainedAtMs > COMPLAINT_MS) {
      this.#complainedAtMs = performance.now();
      this.#log('warn', 'Polling for activities fails; the worker keeps trying', { error });
    }
    return true;
  }

  /** G4 */
  async #callPollsBack(): Promise<void> {
    const done = new AbortController();
    void this.#polling.then(() => done.abort());
    // In short steps, each of which counts once: a process that stood still for a moment has not listened meanwhile.
    for (let steps = 0, seenMs = this.#lastTaskAtMs; steps < QUIET_STEPS && !done.signal.aborted; steps++) {
      await pause(QUIET_MS / QUIET_STEPS, done.signal);
      if (seenMs === this.#lastTaskAtMs) continue;
      seenMs = this.#lastTaskAtMs;
      steps = -1;
    }
    if (this.parts.endsPollsOnShutdown && !done.signal.aborted) {
      try {
        await this.#server.sayGoodbye(this.#closing.signal);
        await pause(LAST_POLLS_MS, done.signal);
      } catch (error) {
        this.#log('debug', 'The server could not be told that this worker stops', { error });
      }
    }
    this.#callBack.abort();
  }

  #begin(taskToken: Uint8Array, polled: PollActivityTaskQueueResponse): void {
    const heartbeatTimeoutMs = optionalTsToMs(polled.heartbeatTimeout) || undefined;
    const leftMs = timeLeftMs(polled);
    const { maxHeartbeatThrottleIntervalMs, defaultHeartbeatThrottleIntervalMs } = this.options;
    const intervalMs =
      heartbeatTimeoutMs === undefined ? defaultHeartbeatThrottleIntervalMs : heartbeatTimeoutMs * 0.8;
    const timers: NodeJS.Timeout[] = [];
    const timeOutAfter = (ms: number | undefined): NodeJS.Timeout | undefined => {
      if (ms === undefined || !(ms + TIMEOUT_SLACK_MS <= MAX_TIMER_MS)) return undefined;
      const end = () => this.#cancel(running, ActivityCancelReason.TIMED_OUT);
      const timer = setTimeout(end, ms + TIMEOUT_SLACK_MS).unref();
      timers.push(timer);
      return timer;
    };
    const running: Running = {
      taskToken,
      timers,
      silence: timeOutAfter(heartbeatTimeoutMs),
      closesAtMs: performance.now() + leftMs + TIMEOUT_SLACK_MS,
      heartbeats: new HeartbeatThrottle(Math.min(intervalMs, maxHeartbeatThrottleIntervalMs), (details) =>
        this.#sendHeartbeat(running, details),
      ),
    };
    timeOutAfter(leftMs);
    this.#running.set(keyOf(taskToken), running);
    this.#listener.task(ActivityTask.encode({ taskToken, start: startOf(polled) }).finish());
    if (this.#graceOver) this.#cancel(running, ActivityCancelReason.WORKER_SHUTDOWN);
  }

  async #sendHeartbeat(running: Running, details: Parameters<Server['heartbeat']>[1]): Promise<void> {
    try {
      const { activityPaused, activityReset, cancelRequested } = await this.#server.heartbeat(
        running.taskToken,
        details,
        this.#closing.signal,
      );
      const proto = { isCancelled: cancelRequested, isPaused: activityPaused, isReset: activityReset };
      if (cancelRequested) this.#cancel(running, ActivityCancelReason.CANCELLED, proto);
      else if (activityReset) this.#cancel(running, ActivityCancelReason.RESET, proto);
      else if (activityPaused) this.#cancel(running, ActivityCancelReason.PAUSED, proto);
    } catch (error) {
      if (statusOf(error) === Status.NOT_FOUND) {
        this.#cancel(running, ActivityCancelReason.NOT_FOUND);
        return;
      }
      if (!this.#closing.signal.aborted) this.#log('warn', 'A heartbeat could not be sent', { error });
      if (!isRefused(error)) throw error; // H2 of heartbeat-throttle.ts
    }
  }

  /** G5 */
  #cancel(running: Running, reason: ActivityCancelReason, details: ProtoDetails = detailsOf(reason)): void {
    if (running.cancelReason !== undefined) return;
    running.cancelReason = reason;
    const { taskToken } = running;
    this.#listener.task(ActivityTask.encode({ taskToken, cancel: { reason, details } }).finish());
  }

  async #answer(running: Running, result: ActivityExecutionResult): Promise<void> {
    const { taskToken, cancelReason, heartbeats } = running;
    heartbeats.end();
    const signal = this.#closing.signal;
    const flush = async () =>
      unsent && this.#deliver(running, () => this.#server.heartbeat(taskToken, unsent, signal));
    if (cancelReason === ActivityCancelReason.NOT_FOUND) return;
    // A result makes heartbeats of no use; for all others, one that is still on its way must not arrive last.
    const unsent = result.completed === undefined ? await heartbeats.unsent() : undefined;
    if (result.willCompleteAsync !== undefined) {
      // Whoever completes the activity may fail it: the next attempt is to know how far this one came.
      await flush();
      return;
    }
    const lastHeartbeatDetails = unsent?.length ? { payloads: unsent } : undefined;
    const fail = (failed: Parameters<Server['fail']>[1]) =>
      this.#deliver(running, () => this.#server.fail(taskToken, { lastHeartbeatDetails, ...failed }, signal));
    let refusal: unknown;
    if (result.completed !== undefined) {
      const { result: payload } = result.completed;
      refusal = await this.#deliver(running, () => this.#server.complete(taskToken, payload, signal));
    } else if (result.cancelled !== undefined && cancelReason !== ActivityCancelReason.WORKER_SHUTDOWN) {
      await flush(); // the answer of an activity that was cancelled cannot carry them
      const details = result.cancelled.failure?.canceledFailureInfo?.details?.payloads;
      refusal = await this.#deliver(running, () => this.#server.cancel(taskToken, details, signal));
    } else if (result.cancelled !== undefined) {
      // Nobody has asked for the activity to be cancelled: another worker is to try it again.
      refusal = await fail(
        plainFailure('The worker stopped before the activity had ended', 'WorkerShutdown'),
      );
    } else {
      refusal = await fail({ failure: result.failed?.failure, cause: result.failed?.cause });
    }
    if (refusal === undefined) return;
    // What cannot be delivered must not look like an activity that still runs.
    const what = `The server did not take the outcome of the activity: ${textOf(refusal)}`;
    await fail({ ...plainFailure(what, 'OutcomeRefused'), lastHeartbeatDetails: undefined });
  }

  /** G3. @returns why the server does not take the message, if it does not */
  async #deliver(running: Running, send: () => Promise<unknown>): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      try {
        await send();
        return undefined;
      } catch (error) {
        if (statusOf(error) === Status.NOT_FOUND) {
          this.#log('debug', 'The activity is gone: its outcome came too late', { error });
          return undefined;
        }
        if (isRefused(error)) return error;
        const closing = this.#closing.signal;
        const final =
          closing.aborted || performance.now() > running.closesAtMs || statusOf(error) === undefined;
        if (final || !(await pause(backoffMs(attempt, 200, 10_000), closing))) throw error;
      }
    }
  }

  #forget(running: Running): void {
    running.heartbeats.end();
    for (const timer of running.timers) clearTimeout(timer);
    this.#running.delete(keyOf(running.taskToken));
  }

  #log(level: 'debug' | 'warn', message: string, meta: Record<string, unknown>): void {
    const { logger, taskQueue, namespace } = this.options;
    logger[level](message, { sdkComponent: SdkComponent.worker, taskQueue, namespace, ...meta });
  }
}

function keyOf(taskToken: Uint8Array): string {
  return Buffer.from(taskToken).toString('latin1');
}

/** Until which of its own timeouts the attempt may run, from now; Infinity if it has none. */
function timeLeftMs(polled: PollActivityTaskQueueResponse): number {
  const startToCloseMs = optionalTsToMs(polled.startToCloseTimeout) || Number.POSITIVE_INFINITY;
  const scheduleToCloseMs = optionalTsToMs(polled.scheduleToCloseTimeout) || Number.POSITIVE_INFINITY;
  const scheduledMs = optionalTsToMs(polled.scheduledTime) ?? 0;
  const startedMs = optionalTsToMs(polled.startedTime) ?? scheduledMs;
  return Math.min(startToCloseMs, scheduleToCloseMs - (startedMs - scheduledMs));
}

function detailsOf(reason: ActivityCancelReason): ProtoDetails {
  return {
    isNotFound: reason === ActivityCancelReason.NOT_FOUND,
    isTimedOut: reason === ActivityCancelReason.TIMED_OUT,
    isWorkerShutdown: reason === ActivityCancelReason.WORKER_SHUTDOWN,
  };
}

function plainFailure(message: string, type: string) {
  return {
    failure: { source: FAILURE_SOURCE, message, applicationFailureInfo: { type, nonRetryable: false } },
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
