/**
 * One attempt of an activity: from its Start message to its result.
 *
 * Owns    the Context, the heartbeat queue and the cancellation of this attempt.
 * Leaves  task tokens, counting and sending completions to runner.ts.
 * E1  `run` never rejects: whatever user code, converters, codecs or interceptors do ends in a result.
 * E2  Heartbeat details reach the hook in the order of the calls; while one is being encoded only the newest
 *     of those that wait is kept. The last one is out before `run` resolves.
 * E3  The first cancellation decides; later ones change nothing.
 */
import type { LoadedDataConverter, Logger, MetricMeter } from '@perdure/common';
import {
  ActivityCancellationDetails,
  ApplicationFailure,
  ApplicationFailureCategory,
  CancelledFailure,
  CompleteAsyncError,
  ensureApplicationFailure,
  FAILURE_SOURCE,
  PayloadTooLargeError,
  SdkComponent,
  TemporalFailure,
} from '@perdure/common';
import { isAbortError, isError } from '@perdure/common/lib/type-helpers';
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import type { Failure } from '@perdure/proto/temporal/api/failure/v1/message';
import type { ActivityExecutionResult } from '@perdure/proto/temporal/sdk/core/activity_result/activity_result';
import type { Start } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';
import type { ActivityCancellationDetailsHolder } from './context';
import { asyncLocalStorage, Context } from './context';
import type { ContextClient } from './context-types';
import type { ActivityPlace, Info } from './info';
import { infoFromStart } from './info';
import type { ActivityExecuteInput, ActivityInterceptors, ActivityInterceptorsFactory } from './interceptors';
import { composeLogger, composeMeter } from './observability';
import { contextOf, PayloadStage } from './payload-stage';
import type { AnyActivityFunction } from './registry';
import { findActivity } from './registry';
import { type SizeGate, tooLarge } from './size-gate';

/** Why an activity is cancelled: a name of the core's ActivityCancelReason, or a heartbeat that cannot be encoded. */
export type CancelReason =
  | 'NOT_FOUND'
  | 'CANCELLED'
  | 'TIMED_OUT'
  | 'WORKER_SHUTDOWN'
  | 'PAUSED'
  | 'RESET'
  | 'HEARTBEAT_DETAILS_CONVERSION_FAILED';

/** The details that a reason stands for, where nobody gave any. */
export function detailsOfReason(reason: CancelReason): ActivityCancellationDetails {
  return new ActivityCancellationDetails({
    notFound: reason === 'NOT_FOUND',
    cancelRequested: reason === 'CANCELLED' || reason === 'HEARTBEAT_DETAILS_CONVERSION_FAILED',
    timedOut: reason === 'TIMED_OUT',
    workerShutdown: reason === 'WORKER_SHUTDOWN',
    paused: reason === 'PAUSED',
    reset: reason === 'RESET',
  });
}

/** What every execution of a runner shares. */
export interface ExecutionEnvironment extends ActivityPlace {
  readonly activities: ReadonlyMap<string, AnyActivityFunction>;
  readonly dataConverter: LoadedDataConverter;
  readonly interceptors: readonly ActivityInterceptorsFactory[];
  readonly logger: Logger;
  readonly metricMeter: MetricMeter;
  readonly client: (() => ContextClient | undefined) | undefined;
  readonly sizes: SizeGate;
}

export class Execution {
  readonly isLocal: boolean;
  readonly activityType: string;
  /** Whether the activity has called heartbeat. */
  hasHeartbeaten = false;

  readonly #abort = new AbortController();
  readonly #cancelled: Promise<never>;
  readonly #cancellation: ActivityCancellationDetailsHolder = {};
  readonly #stage: PayloadStage;
  readonly #abandoned: Promise<ActivityExecutionResult>;
  #abandon!: (result: ActivityExecutionResult) => void;
  #rejectCancelled!: (reason: CancelledFailure) => void;
  #cancelReason: CancelReason | undefined;
  #heartbeatError: unknown;
  #finished = false;
  #waitingHeartbeat: { readonly details: unknown } | undefined;
  #heartbeatPump: Promise<void> | undefined;

  constructor(
    readonly env: ExecutionEnvironment,
    readonly taskToken: Uint8Array,
    readonly start: Start,
    private readonly sendHeartbeat: (details: Payload[]) => void,
  ) {
    this.isLocal = start.isLocal ?? false;
    this.activityType = start.activityType ?? '';
    this.#cancelled = new Promise<never>((_, reject) => {
      this.#rejectCancelled = reject;
    });
    this.#cancelled.catch(() => undefined); // C1
    this.#abandoned = new Promise((resolve) => {
      this.#abandon = resolve;
    });
    this.#stage = new PayloadStage(env.dataConverter, contextOf(start, env.namespace));
  }

  /** Asks user code to stop. Never throws, whatever listeners of the signal do. */
  cancel(reason: CancelReason, details: ActivityCancellationDetails): void {
    if (this.#cancelReason !== undefined || this.#finished) return; // E3
    this.#cancelReason = reason;
    this.#cancellation.details = details;
    const failure = new CancelledFailure(reason);
    this.#rejectCancelled(failure);
    this.#abort.abort(failure);
  }

  /** Runs the activity to its end, or until it is abandoned. */
  async run(): Promise<ActivityExecutionResult> {
    try {
      return await Promise.race([this.#attempt(), this.#abandoned]); // E1
    } catch (error) {
      return { failed: { failure: plainFailure(error) } };
    } finally {
      this.#finished = true;
    }
  }

  /** Ends the attempt as failed, whatever user code still does; the server may try again at once. */
  abandon(reason: string): void {
    this.cancel('WORKER_SHUTDOWN', new ActivityCancellationDetails({ workerShutdown: true }));
    this.#abandon({
      failed: {
        failure: {
          source: FAILURE_SOURCE,
          message: reason,
          applicationFailureInfo: { type: 'WorkerShutdown', nonRetryable: false },
        },
      },
    });
  }

  async #attempt(): Promise<ActivityExecutionResult> {
    let log: Logger = this.env.logger;
    const startedMs = performance.now();
    const durationMs = () => Math.round(performance.now() - startedMs);
    let result: ActivityExecutionResult;
    try {
      const { context, interceptors, input, fn, lifecycleLog } = await this.#prepare();
      log = lifecycleLog;
      note(() => log.debug('Activity started'));
      const value = await asyncLocalStorage.run(context, () => call(fn, interceptors, input));
      await this.#flushHeartbeats();
      result = await this.#admit({ completed: { result: await this.#stage.encodeResult(value, fn) } });
      if (result.completed) note(() => log.debug('Activity completed', { durationMs: durationMs() }));
      else this.#logEnd(log, result, result.failed?.failure?.message, durationMs());
    } catch (error) {
      await this.#flushHeartbeats();
      result = await this.#admit(await this.#resultOfError(error));
      this.#logEnd(log, result, error, durationMs());
    }
    return result;
  }

  #admit(result: ActivityExecutionResult): Promise<ActivityExecutionResult> {
    return this.env.sizes.admit(result, this.activityType);
  }

  async #prepare() {
    const { env, start } = this;
    const [args, heartbeatDetails, headers] = await Promise.all([
      this.#stage.decodePayloads(start.input),
      this.#stage.decodeFirst(start.heartbeatDetails),
      this.#stage.decodeHeaders(start.headerFields),
    ]);
    const info = infoFromStart(this.taskToken, start, env, heartbeatDetails);
    const outbound: ActivityInterceptors[] = [];
    const attributes = logAttributes(info);
    const userLog = composeLogger(env.logger, SdkComponent.activity, attributes, outbound);
    const lifecycleLog = composeLogger(env.logger, SdkComponent.worker, attributes, outbound);
    const context = new Context(
      info,
      this.#cancelled,
      this.#abort.signal,
      (details) => this.#heartbeat(details),
      undefined,
      userLog,
      composeMeter(env.metricMeter, metricTags(info), outbound),
      this.#cancellation,
    );
    if (env.client !== undefined) Object.defineProperty(context, 'client', { get: env.client }); // made when asked for
    const interceptors = env.interceptors.map((make) => make(context));
    outbound.push(...interceptors);
    const fn = findActivity(env.activities, this.activityType);
    const input: ActivityExecuteInput = { args: this.#stage.toValues(args, fn), headers };
    return { context, interceptors, input, fn, lifecycleLog };
  }

  #heartbeat(details: unknown): void {
    if (this.#finished || this.isLocal) return;
    this.hasHeartbeaten = true;
    if (this.#heartbeatPump !== undefined) {
      this.#waitingHeartbeat = { details }; // E2: newest wins
      return;
    }
    if (!this.#stage.hasCodecs && this.#sendAtOnce(details)) return;
    this.#heartbeatPump = this.#pumpHeartbeats({ details });
  }

  /** Without codecs a heartbeat is out before the call returns, unless its size has to be looked into. */
  #sendAtOnce(details: unknown): boolean {
    try {
      const payloads = this.#stage.toPayloads(details);
      if (this.env.sizes.mayBeTooLarge(payloads)) return false;
      this.sendHeartbeat(payloads);
    } catch (error) {
      this.#heartbeatFailed(error);
    }
    return true;
  }

  async #pumpHeartbeats(first: { readonly details: unknown }): Promise<void> {
    for (let next: { readonly details: unknown } | undefined = first; next !== undefined; ) {
      const { details } = next;
      try {
        const payloads = await this.#stage.encodePayloads(this.#stage.toPayloads(details));
        const excess = await this.env.sizes.excess(
          `the heartbeat details of activity '${this.activityType}'`,
          payloads,
        );
        if (excess !== undefined) throw excess;
        this.sendHeartbeat(payloads);
      } catch (error) {
        this.#heartbeatFailed(error);
        break;
      }
      next = this.#waitingHeartbeat;
      this.#waitingHeartbeat = undefined;
    }
    this.#heartbeatPump = undefined;
  }

  /** Details that cannot be encoded or sent would never be seen by the next attempt: end this one and say so. */
  #heartbeatFailed(error: unknown): void {
    this.#heartbeatError ??= error;
    this.#waitingHeartbeat = undefined;
    const reason = 'HEARTBEAT_DETAILS_CONVERSION_FAILED';
    this.cancel(reason, detailsOfReason(reason));
  }

  async #flushHeartbeats(): Promise<void> {
    this.#finished = true;
    while (this.#heartbeatPump !== undefined) await this.#heartbeatPump;
  }

  async #resultOfError(error: unknown): Promise<ActivityExecutionResult> {
    if (error instanceof CompleteAsyncError) {
      if (!this.isLocal) return { willCompleteAsync: {} };
      return this.#failed(
        ApplicationFailure.nonRetryable(
          'A local activity cannot be completed asynchronously: CompleteAsyncError is for remote activities',
          'CompleteAsyncError',
        ),
      );
    }
    if (this.#cancelReason !== undefined && isCancellation(error)) {
      if (this.#cancelReason === 'HEARTBEAT_DETAILS_CONVERSION_FAILED') {
        if (this.#heartbeatError instanceof PayloadTooLargeError) return tooLarge(this.#heartbeatError);
        return this.#failed(this.#heartbeatError);
      }
      const details = this.#cancellation.details;
      if (details?.paused && !details.cancelRequested) {
        return this.#failed(new ApplicationFailure('Activity paused', 'ActivityPause', false));
      }
      if (details?.reset && !details.cancelRequested) {
        return this.#failed(new ApplicationFailure('Activity reset', 'ActivityReset', false));
      }
      const failure =
        error instanceof CancelledFailure
          ? { ...(await this.#encodeFailure(error)), stackTrace: '' }
          : { source: FAILURE_SOURCE, message: this.#cancelReason, canceledFailureInfo: {} };
      return failure.canceledFailureInfo ? { cancelled: { failure } } : { failed: { failure } };
    }
    return this.#failed(error);
  }

  async #failed(error: unknown): Promise<ActivityExecutionResult> {
    return { failed: { failure: await this.#encodeFailure(ofAttempt(error)) } };
  }

  async #encodeFailure(error: unknown): Promise<Failure> {
    try {
      return await this.#stage.encodeFailure(asFailure(error));
    } catch (encodingError) {
      // The original may hold what a codec was to hide: only the reason why it could not be encoded is told.
      return plainFailure(encodingError, 'The failure of the activity could not be encoded: ');
    }
  }

  #logEnd(log: Logger, result: ActivityExecutionResult, error: unknown, durationMs: number): void {
    note(() => {
      if (result.willCompleteAsync) log.debug('Activity will complete asynchronously', { durationMs });
      else if (result.cancelled) log.debug('Activity completed as cancelled', { durationMs });
      else if (isBenign(error)) log.debug('Activity failed', { error, durationMs });
      else log.warn('Activity failed', { error, durationMs });
    });
  }
}

/** A logger that throws must not change what the activity did. */
function note(write: () => void): void {
  try {
    write();
  } catch {
    // nothing is left to tell it to
  }
}

/** Calls an activity function through the inbound interceptors, the first one outermost. */
export function call(
  fn: AnyActivityFunction,
  interceptors: readonly ActivityInterceptors[],
  input: ActivityExecuteInput,
): Promise<unknown> {
  let next = async ({ args }: ActivityExecuteInput): Promise<unknown> => fn(...args);
  for (let i = interceptors.length - 1; i >= 0; i--) {
    const inbound = interceptors[i]!.inbound;
    if (inbound?.execute === undefined) continue;
    const inner = next;
    next = async (given) => inbound.execute!(given, inner);
  }
  return next(input);
}

function isCancellation(error: unknown): boolean {
  return error instanceof CancelledFailure || isAbortError(error);
}

function isBenign(error: unknown): boolean {
  return error instanceof ApplicationFailure && error.category === ApplicationFailureCategory.BENIGN;
}

/** What user code threw as an Error that a failure converter takes; `throw null` becomes an ApplicationFailure. */
function asFailure(error: unknown): unknown {
  return isError(error) ? error : ensureApplicationFailure(error);
}

/** Servers take no other failure of an attempt than an application failure: they would let it run into its timeout. */
function ofAttempt(error: unknown): unknown {
  if (!(error instanceof TemporalFailure) || error instanceof ApplicationFailure) return error;
  const failure = ensureApplicationFailure(error);
  if (!(error instanceof CancelledFailure)) return failure;
  const { message, type, cause, stack } = failure;
  const withDetails = ApplicationFailure.create({
    message,
    type: type ?? 'CancelledFailure',
    details: error.details,
  });
  if (cause !== undefined) withDetails.cause = cause;
  withDetails.stack = stack ?? '';
  return withDetails;
}

/** A failure made without converters, from anything, without a chance to throw. */
export function plainFailure(error: unknown, prefix = ''): Failure {
  let message = 'unknown error';
  let type = 'Error';
  try {
    if (error instanceof Error) {
      message = String(error.message);
      type = String(error.name);
    } else {
      message = String(error);
    }
  } catch {
    // Hostile getters: the words above stay.
  }
  return {
    source: FAILURE_SOURCE,
    message: prefix + message,
    applicationFailureInfo: { type, nonRetryable: false },
  };
}

/** What every log line of an activity carries. */
export function logAttributes(info: Info): Record<string, unknown> {
  return {
    isLocal: info.isLocal,
    attempt: info.attempt,
    namespace: info.namespace,
    taskToken: info.base64TaskToken,
    activityId: info.activityId,
    activityType: info.activityType,
    taskQueue: info.taskQueue,
    ...(info.inWorkflow
      ? {
          workflowId: info.workflowExecution?.workflowId,
          workflowRunId: info.workflowExecution?.runId,
          workflowType: info.workflowType,
        }
      : { activityRunId: info.activityRunId }),
  };
}

/** What every metric of an activity carries. */
export function metricTags(info: Info): Record<string, string> {
  return { namespace: info.namespace, taskQueue: info.taskQueue, activityType: info.activityType };
}
