/**
 * The activity runner: activity tasks in, completions out. It knows no server and no native code.
 *
 * Owns    the running executions by task token, and their counts.
 * Leaves  one execution's life to execution.ts.
 * R1  Every Start is answered by exactly one completion, whatever user code does.
 * R2  `handle` never throws and never waits for user code.
 * R3  A completion that the host refuses is logged; the slot is free all the same.
 */
import type { LoadedDataConverter, Logger, MetricMeter } from '@perdure/common';
import { ActivityCancellationDetails, noopMetricMeter } from '@perdure/common';
import type { ActivityExecutionResult } from '@perdure/proto/temporal/sdk/core/activity_result/activity_result';
import type { Cancel } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';
import { ActivityTask } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';
import { ActivityHeartbeat, ActivityTaskCompletion } from '@perdure/proto/temporal/sdk/core/core_interface';
import type { ContextClient } from './context-types';
import type { CancelReason, ExecutionEnvironment } from './execution';
import { detailsOfReason, Execution, plainFailure } from './execution';
import type { ActivityInterceptorsFactory } from './interceptors';
import type { ActivitySource } from './registry';
import { collectActivities } from './registry';
import { type PayloadLimitsSource, SizeGate } from './size-gate';

export { DetachedActivity, type DetachedActivityOptions } from './detached';
export type { CancelReason } from './execution';
export type {
  ActivityExecuteInput,
  ActivityInboundCallsInterceptor,
  ActivityInterceptors,
  ActivityInterceptorsFactory,
  ActivityOutboundCallsInterceptor,
  GetLogAttributesInput,
  GetMetricTagsInput,
} from './interceptors';
export type { ActivitySource, AnyActivityFunction } from './registry';
export { collectActivities } from './registry';
export { PAYLOADS_TOO_LARGE, type PayloadLimitsSource } from './size-gate';

/** Where the runner's answers go. */
export interface ActivityRunnerHooks {
  /** @param completion encoded coresdk.ActivityTaskCompletion; resolves when it has been taken */
  complete(completion: Uint8Array): Promise<void>;
  /** @param heartbeat encoded coresdk.ActivityHeartbeat */
  heartbeat(heartbeat: Uint8Array): void;
}

export interface ActivityRunnerOptions {
  readonly namespace: string;
  readonly taskQueue: string;
  /** Functions by name: an object, a class instance, or a Map; `default` catches unknown names. */
  readonly activities?: ActivitySource;
  readonly dataConverter: LoadedDataConverter;
  /** Called for each execution, in order; the first interceptor is the outermost. (=none) */
  readonly interceptors?: readonly ActivityInterceptorsFactory[];
  readonly logger: Logger;
  /** (=one that records nothing) */
  readonly metricMeter?: MetricMeter;
  /** Gives `Context.client`. (=none) */
  readonly client?: () => ContextClient | undefined;
  /** Says the size limits of the namespace when a large payload comes; `false`: none. (=the server's defaults) */
  readonly payloadLimits?: PayloadLimitsSource;
  readonly hooks: ActivityRunnerHooks;
}

/** Counts of a runner at one moment. */
export interface ActivityRunnerStatus {
  readonly inFlight: number;
  readonly inFlightLocal: number;
  /** Running executions that have called heartbeat. */
  readonly heartbeating: number;
}

/** The core's reasons by their number in coresdk.activity_task.ActivityCancelReason. */
const CANCEL_REASONS: readonly CancelReason[] = [
  'NOT_FOUND',
  'CANCELLED',
  'TIMED_OUT',
  'WORKER_SHUTDOWN',
  'PAUSED',
  'RESET',
];

export class ActivityRunner {
  readonly #env: ExecutionEnvironment;
  readonly #hooks: ActivityRunnerHooks;
  readonly #running = new Map<string, Execution>();
  readonly #settling = new Set<Promise<void>>();

  /** @throws {TypeError} `activities` holds a reserved name, or a Map holds something else than functions */
  constructor({
    namespace,
    taskQueue,
    activities,
    dataConverter,
    interceptors = [],
    logger,
    metricMeter = noopMetricMeter,
    client,
    payloadLimits,
    hooks,
  }: ActivityRunnerOptions) {
    this.#hooks = hooks;
    this.#env = {
      namespace,
      taskQueue,
      activities: collectActivities(activities),
      dataConverter,
      interceptors,
      logger,
      metricMeter,
      client,
      sizes: new SizeGate(payloadLimits),
    };
  }

  /** Names of the registered activities, sorted. */
  get activityTypes(): string[] {
    return [...this.#env.activities.keys()].sort();
  }

  get status(): ActivityRunnerStatus {
    let inFlightLocal = 0;
    let heartbeating = 0;
    for (const execution of this.#running.values()) {
      if (execution.isLocal) inFlightLocal++;
      if (execution.hasHeartbeaten) heartbeating++;
    }
    return { inFlight: this.#running.size, inFlightLocal, heartbeating };
  }

  /** Takes one encoded coresdk.activity_task.ActivityTask. */
  handle(bytes: Uint8Array): void {
    let task: ActivityTask;
    try {
      task = ActivityTask.decode(bytes);
    } catch (error) {
      // R2: without a token nothing can be answered; the server's timeout takes care of the task.
      this.#env.logger.error('An activity task could not be decoded', { error });
      return;
    }
    const taskToken = task.taskToken ?? new Uint8Array();
    const key = Buffer.from(taskToken).toString('base64');
    if (task.start !== undefined) {
      const settled = this.#start(key, taskToken, task.start).finally(() => this.#settling.delete(settled));
      this.#settling.add(settled);
    } else if (task.cancel !== undefined) {
      this.#cancel(key, task.cancel);
    }
  }

  /**
   * Answers every running execution as failed, without waiting for user code any longer.
   * @param reason text of the failure
   */
  abandon(reason: string): void {
    for (const execution of this.#running.values()) execution.abandon(reason);
  }

  /** Asks every running execution to stop, as those of a worker that stops are asked; each is still answered. */
  cancelAll(): void {
    for (const execution of this.#running.values())
      execution.cancel('WORKER_SHUTDOWN', detailsOfReason('WORKER_SHUTDOWN'));
  }

  /** Resolves once every execution so far has been answered and its completion taken. */
  async idle(): Promise<void> {
    while (this.#settling.size > 0) await Promise.all(this.#settling);
  }

  async #start(key: string, taskToken: Uint8Array, start: NonNullable<ActivityTask['start']>): Promise<void> {
    const execution = new Execution(this.#env, taskToken, start, (details) =>
      this.#hooks.heartbeat(ActivityHeartbeat.encode({ taskToken, details }).finish()),
    );
    this.#running.set(key, execution);
    const result = await execution.run();
    this.#running.delete(key);
    try {
      await this.#hooks.complete(encodeCompletion(taskToken, result)); // R1
    } catch (error) {
      this.#env.logger.error('An activity completion was refused', {
        error,
        activityType: execution.activityType,
        activityId: start.activityId,
        workflowId: start.workflowExecution?.workflowId,
      }); // R3
    }
  }

  #cancel(key: string, cancel: Cancel): void {
    const execution = this.#running.get(key);
    if (execution === undefined) return; // it ended while the cancellation was on its way
    const reason = CANCEL_REASONS[cancel.reason ?? 0] ?? 'CANCELLED';
    execution.cancel(reason, detailsOf(cancel, reason));
  }
}

function detailsOf(cancel: Cancel, reason: CancelReason): ActivityCancellationDetails {
  if (cancel.details !== undefined) return ActivityCancellationDetails.fromProto(cancel.details);
  return detailsOfReason(reason);
}

/** A converter or codec may have made payloads that are none: then the activity fails and says so. */
function encodeCompletion(taskToken: Uint8Array, result: ActivityExecutionResult): Uint8Array {
  try {
    return ActivityTaskCompletion.encode({ taskToken, result }).finish();
  } catch (error) {
    const failure = plainFailure(error, 'The outcome of the activity is not a valid message: ');
    return ActivityTaskCompletion.encode({ taskToken, result: { failed: { failure } } }).finish();
  }
}
