/**
 * Failures: the errors that cross the wire as temporal.api.failure.v1.Failure, one class per kind.
 *
 * Owns    the classes, and the wrapping of whatever was thrown into one of them.
 * Leaves  the conversion to and from the protocol to converter/failure-converter.ts.
 * F1  `instanceof` holds across realms and duplicate installs (brands, type-helpers.ts).
 * F2  Wrapping never throws, whatever user code has thrown.
 */
import type { WorkflowExecution as ProtoWorkflowExecution } from '@perdure/proto/temporal/api/common/v1/message';
import type { ApplicationErrorCategory as ProtoApplicationErrorCategory } from '@perdure/proto/temporal/api/enums/v1/common';
import type {
  RetryState as ProtoRetryState,
  TimeoutType as ProtoTimeoutType,
} from '@perdure/proto/temporal/api/enums/v1/workflow';
import type { Failure } from '@perdure/proto/temporal/api/failure/v1/message';
import type { Duration } from './durations';
import { makeProtoEnumConverters } from './enum-codecs';
import { brandError, errorMessage, isError, readProperty } from './type-helpers';

export type ProtoFailure = Failure;
type WorkflowExecution = ProtoWorkflowExecution;

/** Value of Failure.source in failures made by this SDK. Peers and tools know it by this name. */
export const FAILURE_SOURCE = 'TypeScriptSDK';

/** Which timeout has fired. */
export const TimeoutType = {
  START_TO_CLOSE: 'START_TO_CLOSE',
  SCHEDULE_TO_START: 'SCHEDULE_TO_START',
  SCHEDULE_TO_CLOSE: 'SCHEDULE_TO_CLOSE',
  HEARTBEAT: 'HEARTBEAT',

  /** @deprecated use START_TO_CLOSE */
  TIMEOUT_TYPE_START_TO_CLOSE: 'START_TO_CLOSE',
  /** @deprecated use SCHEDULE_TO_START */
  TIMEOUT_TYPE_SCHEDULE_TO_START: 'SCHEDULE_TO_START',
  /** @deprecated use SCHEDULE_TO_CLOSE */
  TIMEOUT_TYPE_SCHEDULE_TO_CLOSE: 'SCHEDULE_TO_CLOSE',
  /** @deprecated use HEARTBEAT */
  TIMEOUT_TYPE_HEARTBEAT: 'HEARTBEAT',
  /** @deprecated use undefined */
  TIMEOUT_TYPE_UNSPECIFIED: undefined,
} as const;
export type TimeoutType = (typeof TimeoutType)[keyof typeof TimeoutType];

const timeoutTypes = makeProtoEnumConverters<NonNullable<TimeoutType>, ProtoTimeoutType, 'TIMEOUT_TYPE_'>(
  { START_TO_CLOSE: 1, SCHEDULE_TO_START: 2, SCHEDULE_TO_CLOSE: 3, HEARTBEAT: 4 },
  'TIMEOUT_TYPE_',
);
export const encodeTimeoutType = timeoutTypes[0];
export const decodeTimeoutType = timeoutTypes[1];

/** Why there are no more retries. */
export const RetryState = {
  IN_PROGRESS: 'IN_PROGRESS',
  NON_RETRYABLE_FAILURE: 'NON_RETRYABLE_FAILURE',
  TIMEOUT: 'TIMEOUT',
  MAXIMUM_ATTEMPTS_REACHED: 'MAXIMUM_ATTEMPTS_REACHED',
  RETRY_POLICY_NOT_SET: 'RETRY_POLICY_NOT_SET',
  INTERNAL_SERVER_ERROR: 'INTERNAL_SERVER_ERROR',
  CANCEL_REQUESTED: 'CANCEL_REQUESTED',

  /** @deprecated use IN_PROGRESS */
  RETRY_STATE_IN_PROGRESS: 'IN_PROGRESS',
  /** @deprecated use NON_RETRYABLE_FAILURE */
  RETRY_STATE_NON_RETRYABLE_FAILURE: 'NON_RETRYABLE_FAILURE',
  /** @deprecated use TIMEOUT */
  RETRY_STATE_TIMEOUT: 'TIMEOUT',
  /** @deprecated use MAXIMUM_ATTEMPTS_REACHED */
  RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED: 'MAXIMUM_ATTEMPTS_REACHED',
  /** @deprecated use RETRY_POLICY_NOT_SET */
  RETRY_STATE_RETRY_POLICY_NOT_SET: 'RETRY_POLICY_NOT_SET',
  /** @deprecated use INTERNAL_SERVER_ERROR */
  RETRY_STATE_INTERNAL_SERVER_ERROR: 'INTERNAL_SERVER_ERROR',
  /** @deprecated use CANCEL_REQUESTED */
  RETRY_STATE_CANCEL_REQUESTED: 'CANCEL_REQUESTED',
  /** @deprecated use undefined */
  RETRY_STATE_UNSPECIFIED: undefined,
} as const;
export type RetryState = (typeof RetryState)[keyof typeof RetryState];

const retryStates = makeProtoEnumConverters<NonNullable<RetryState>, ProtoRetryState, 'RETRY_STATE_'>(
  {
    IN_PROGRESS: 1,
    NON_RETRYABLE_FAILURE: 2,
    TIMEOUT: 3,
    MAXIMUM_ATTEMPTS_REACHED: 4,
    RETRY_POLICY_NOT_SET: 5,
    INTERNAL_SERVER_ERROR: 6,
    CANCEL_REQUESTED: 7,
  },
  'RETRY_STATE_',
);
export const encodeRetryState = retryStates[0];
export const decodeRetryState = retryStates[1];

/**
 * How observability treats an application failure.
 * `BENIGN`: expected; logged at DEBUG, counted by no failure metric.
 */
export const ApplicationFailureCategory = {
  BENIGN: 'BENIGN',
} as const;
export type ApplicationFailureCategory =
  (typeof ApplicationFailureCategory)[keyof typeof ApplicationFailureCategory];

const categories = makeProtoEnumConverters<
  ApplicationFailureCategory,
  ProtoApplicationErrorCategory,
  'APPLICATION_ERROR_CATEGORY_'
>({ BENIGN: 1 }, 'APPLICATION_ERROR_CATEGORY_');
export const encodeApplicationFailureCategory = categories[0];
export const decodeApplicationFailureCategory = categories[1];

/** Base of all failures. */
export class TemporalFailure extends Error {
  /** The failure as it came over the wire; unset on failures made here. */
  failure?: ProtoFailure;
  declare cause?: Error;

  constructor(message?: string | undefined | null, cause?: Error) {
    super(message ?? undefined);
    this.cause = cause;
  }
}
brandError(TemporalFailure, 'TemporalFailure', 'TEMPORAL_FAILURE');

/** A failure of the server. */
export class ServerFailure extends TemporalFailure {
  constructor(
    message: string | undefined,
    readonly nonRetryable: boolean,
    cause?: Error,
  ) {
    super(message, cause);
  }
}
brandError(ServerFailure, 'ServerFailure', 'SERVER_FAILURE');

/** Options of `ApplicationFailure.create` and overrides of `ApplicationFailure.fromError`. */
export interface ApplicationFailureOptions {
  message?: string;
  /** Name of the kind of error, as retry policies know it (`nonRetryableErrorTypes`). */
  type?: string;
  /** True: no more attempts, whatever the retry policy says. Default false. */
  nonRetryable?: boolean;
  /** Values that travel with the failure. */
  details?: unknown[];
  /** Wait before the next attempt, instead of what the retry policy says. */
  nextRetryDelay?: Duration;
  cause?: Error;
  /** `BENIGN` keeps it out of failure metrics and logs it at DEBUG. */
  category?: ApplicationFailureCategory;
}

/**
 * The failure that user code throws on purpose: fails a workflow, or one attempt of an activity.
 * Other errors thrown by an activity become one, with the error's name as `type`.
 */
export class ApplicationFailure extends TemporalFailure {
  constructor(
    message?: string | undefined | null,
    readonly type?: string | undefined | null,
    readonly nonRetryable?: boolean | undefined | null,
    readonly details?: unknown[] | undefined | null,
    cause?: Error,
    readonly nextRetryDelay?: Duration | undefined | null,
    readonly category?: ApplicationFailureCategory | undefined | null,
  ) {
    super(message, cause);
  }

  /** Wraps an error of any kind; what `overrides` sets wins over what the error says. */
  static fromError(error: Error | unknown, overrides?: ApplicationFailureOptions): ApplicationFailure {
    const message = overrides?.message ?? textOf(error);
    const details = overrides?.details;
    const failure = new ApplicationFailure(
      message,
      overrides?.type ?? typeOf(error),
      overrides?.nonRetryable ?? false,
      details,
      overrides?.cause ?? (isError(error) ? error : undefined),
      overrides?.nextRetryDelay,
      overrides?.category,
    );
    const stack = readProperty(error, 'stack');
    failure.stack = typeof stack === 'string' ? stack : '';
    return failure;
  }

  /** Makes a failure of named options. */
  static create(options: ApplicationFailureOptions): ApplicationFailure {
    const { message, type, nonRetryable = false, details, nextRetryDelay, cause, category } = options;
    return new this(message, type, nonRetryable, details, cause, nextRetryDelay, category);
  }

  /** A failure that the retry policy may retry. */
  static retryable(message?: string | null, type?: string | null, ...details: unknown[]): ApplicationFailure {
    return new this(message, type ?? 'Error', false, details);
  }

  /** A failure that is never retried. */
  static nonRetryable(
    message?: string | null,
    type?: string | null,
    ...details: unknown[]
  ): ApplicationFailure {
    return new this(message, type ?? 'Error', true, details);
  }
}
brandError(ApplicationFailure, 'ApplicationFailure', 'APPLICATION_FAILURE');

/** Cancellation was asked for: of a workflow, an activity, a timer or a scope. */
export class CancelledFailure extends TemporalFailure {
  constructor(
    message: string | undefined,
    readonly details: unknown[] = [],
    cause?: Error,
  ) {
    super(message, cause);
  }
}
brandError(CancelledFailure, 'CancelledFailure', 'CANCELLED_FAILURE');

/** A workflow was terminated. */
export class TerminatedFailure extends TemporalFailure {}
brandError(TerminatedFailure, 'TerminatedFailure', 'TERMINATED_FAILURE');

/** A timeout of an activity or workflow has fired. */
export class TimeoutFailure extends TemporalFailure {
  constructor(
    message: string | undefined,
    /** What the activity gave to its last heartbeat. */
    readonly lastHeartbeatDetails: unknown,
    readonly timeoutType: TimeoutType,
  ) {
    super(message);
  }
}
brandError(TimeoutFailure, 'TimeoutFailure', 'TIMEOUT_FAILURE');

/** An activity has failed for good; `cause` says how. Thrown where the workflow called it. */
export class ActivityFailure extends TemporalFailure {
  constructor(
    message: string | undefined,
    readonly activityType: string,
    readonly activityId: string | undefined,
    readonly retryState: RetryState,
    /** Identity of the worker that ran the last attempt. */
    readonly identity: string | undefined,
    cause?: Error,
  ) {
    super(message, cause);
  }
}
brandError(ActivityFailure, 'ActivityFailure', 'ACTIVITY_FAILURE');

/** A child workflow has failed for good; `cause` says how. Thrown where the parent waits for it. */
export class ChildWorkflowFailure extends TemporalFailure {
  constructor(
    readonly namespace: string | undefined,
    readonly execution: WorkflowExecution,
    readonly workflowType: string,
    readonly retryState: RetryState,
    cause?: Error,
  ) {
    super('Child Workflow execution failed', cause);
  }
}
brandError(ChildWorkflowFailure, 'ChildWorkflowFailure', 'CHILD_WORKFLOW_FAILURE');

/** A Nexus operation has failed; `cause` says how. Thrown where the workflow called it. */
export class NexusOperationFailure extends TemporalFailure {
  constructor(
    message: string | undefined,
    /** Id of the history event that scheduled the operation. */
    readonly scheduledEventId: number | undefined,
    readonly endpoint: string,
    readonly service: string,
    readonly operation: string,
    /** Token of an asynchronous operation. */
    readonly operationToken: string | undefined,
    cause?: Error,
  ) {
    super(message, cause);
  }
}
brandError(NexusOperationFailure, 'NexusOperationFailure', 'NEXUS_OPERATION_FAILURE');

/** A workflow with this id runs already (or has run, when the reuse policy refuses that). */
export class WorkflowExecutionAlreadyStartedError extends TemporalFailure {
  constructor(
    message: string,
    readonly workflowId: string,
    readonly workflowType: string,
  ) {
    super(message);
  }
}
brandError(
  WorkflowExecutionAlreadyStartedError,
  'WorkflowExecutionAlreadyStartedError',
  'WORKFLOW_EXECUTION_ALREADY_STARTED',
);

/** Text that describes anything thrown (F2). */
function textOf(thrown: unknown): string {
  const message = errorMessage(thrown);
  if (message !== undefined) return message;
  try {
    return String(thrown);
  } catch {
    return 'a value that cannot be turned into text was thrown';
  }
}

/** Name of the kind of anything thrown, undefined for what has none (F2). */
function typeOf(thrown: unknown): string | undefined {
  const constructor = readProperty(thrown, 'constructor');
  const className = readProperty(constructor, 'name');
  const name = readProperty(thrown, 'name');
  // A class knows itself better than `name`, which many classes inherit from Error as "Error".
  if (typeof name === 'string' && name !== '' && name !== 'Error') return name;
  if (typeof className === 'string' && className !== '' && className !== 'Object') return className;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

/** Wraps anything thrown into an ApplicationFailure; one that is one already passes through. */
export function ensureApplicationFailure(error: unknown): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  const failure = new ApplicationFailure(textOf(error), typeOf(error) ?? 'Error', false);
  const stack = readProperty(error, 'stack');
  failure.stack = typeof stack === 'string' ? stack : '';
  const cause = readProperty(error, 'cause');
  if (isError(cause)) failure.cause = cause;
  return failure;
}

/** Wraps anything thrown into a failure; a failure passes through. */
export function ensureTemporalFailure(err: unknown): TemporalFailure {
  return err instanceof TemporalFailure ? err : ensureApplicationFailure(err);
}

/** For converters and codecs that refuse a payload: the receiving task fails and is not tried again. */
export function createPayloadValidationError(details: unknown): ApplicationFailure {
  return ApplicationFailure.nonRetryable('Payload validation failed', 'PayloadValidationError', details);
}

/** Message of the innermost failure of a chain, or the text that was thrown; undefined for what is neither. */
export function rootCause(error: unknown): string | undefined {
  const seen = new Set<unknown>();
  let current: unknown = error;
  while (current instanceof TemporalFailure && !seen.has(current)) {
    seen.add(current);
    const cause = readProperty(current, 'cause');
    if (cause === undefined || cause === null) break;
    current = cause;
  }
  if (typeof current === 'string') return current;
  return isError(current) ? errorMessage(current) : undefined;
}
