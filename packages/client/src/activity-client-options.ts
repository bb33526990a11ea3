/**
 * How activities that no workflow has started are started, described and changed.
 *
 * Owns    the options, their checks, and the types that hold them against an interface of activities.
 * O1  All problems of one options object are told in one error.
 */
import {
  type ActivityFunction,
  compilePriority,
  compileRetryPolicy,
  type Duration,
  decodePriority,
  decompileRetryPolicy,
  msOptionalToTs,
  msToNumber,
  optionalTsToMs,
  type PayloadTypeInfo,
  type Priority,
  type RetryPolicy,
  type SearchAttributePair,
  type TypedSearchAttributes,
  throwIfReservedName,
  ValueError,
} from '@perdure/common';
import { encodeUnifiedSearchAttributes } from '@perdure/common/lib/converter/payload-search-attributes';
import type { ActivityOptions as ProtoActivityOptions } from '@perdure/proto/temporal/api/activity/v1/message';
import {
  type ActivityIdConflictPolicy,
  type ActivityIdReusePolicy,
  encodeActivityIdConflictPolicy,
  encodeActivityIdReusePolicy,
} from './activity-client-types';

/** How an activity is started; `startToCloseTimeout` or `scheduleToCloseTimeout` is required. */
export interface ActivityOptions {
  /** Names the activity within the namespace; best an id of the business. */
  id: string;
  taskQueue: string;
  args?: any[] | Readonly<any[]>;
  /**
   * How arguments and result convert.
   * @experimental
   */
  typeInfo?: PayloadTypeInfo;
  /** Longest time between two heartbeats. */
  heartbeatTimeout?: Duration;
  /** @default the server's: again and again, from 1 s up to 100 s apart */
  retry?: RetryPolicy;
  /** Limit of one attempt. */
  startToCloseTimeout?: Duration;
  /** Limit of the wait for a worker; never retried. */
  scheduleToStartTimeout?: Duration;
  /** Limit of the whole, retries included. */
  scheduleToCloseTimeout?: Duration;
  /** One line for user interfaces. */
  summary?: string;
  priority?: Priority;
  /** Wait before the first attempt. */
  startDelay?: Duration;
  /**
   * Whether the id of a closed activity may be used again.
   * @default ALLOW_DUPLICATE
   */
  idReusePolicy?: ActivityIdReusePolicy;
  /**
   * What happens when an activity with this id runs.
   * @default FAIL
   */
  idConflictPolicy?: ActivityIdConflictPolicy;
  typedSearchAttributes?: SearchAttributePair[] | TypedSearchAttributes;
}

/** Names of the activities of an interface. */
export type ActivityName<T> = {
  [N in keyof T & string]: T[N] extends ActivityFunction<any, any> ? N : never;
}[keyof T & string];

/** Arguments of one activity of an interface. */
export type ActivityArgs<T, N extends ActivityName<T>> =
  T[N] extends ActivityFunction<infer P, any> ? P : never;

/** Result of one activity of an interface. */
export type ActivityResult<T, N extends ActivityName<T>> =
  T[N] extends ActivityFunction<any, infer R> ? R : never;

/** {@link ActivityOptions} with arguments of the given types. */
export type ActivityOptionsWithArgs<Args extends any[]> = Omit<ActivityOptions, 'args'> &
  (Args extends [any, ...any[]] ? { args: Args | Readonly<Args> } : { args?: Args | Readonly<Args> });

/** {@link ActivityOptions} with the arguments of one activity of an interface. */
export type ActivityOptionsFor<T, N extends ActivityName<T>> = ActivityOptionsWithArgs<ActivityArgs<T, N>>;

export interface GetActivityHandleOptions {
  /**
   * The run.
   * @default the latest one
   */
  runId?: string;
  /**
   * How the result converts.
   * @experimental
   */
  typeInfo?: Pick<PayloadTypeInfo, 'outputType'>;
}

/** What `describe` asks for; each costs the server some work. */
export interface ActivityDescribeOptions {
  /** @default false */
  includeInput?: boolean;
  /**
   * The result or the failure, of a closed activity.
   * @default false
   */
  includeOutcome?: boolean;
  /** @default false */
  includeHeartbeatDetails?: boolean;
  /** @default false */
  includeLastFailure?: boolean;
}

/** @experimental */
export interface ActivityPauseOptions {
  reason?: string;
}

/** @experimental */
export interface ActivityUnpauseOptions {
  reason?: string;
  /** The activity goes on after a random part of this. */
  jitter?: Duration;
}

/**
 * Not in the official client.
 * @experimental
 */
export interface ActivityResetOptions {
  /**
   * Leaves a paused activity paused.
   * @default false: it goes on
   */
  keepPaused?: boolean;
  /** An activity that waits for its next attempt begins after a random part of this. */
  jitter?: Duration;
  /**
   * Gives the options back that the activity was started with.
   * @default false
   */
  restoreOriginalOptions?: boolean;
  /**
   * Forgets the details of the last heartbeat too.
   * @default false
   */
  resetHeartbeat?: boolean;
}

/**
 * New options of an activity: undefined keeps what is there, null clears it.
 * @experimental
 */
export interface ActivityOptionsUpdate {
  taskQueue?: string;
  scheduleToCloseTimeout?: Duration | null;
  scheduleToStartTimeout?: Duration | null;
  startToCloseTimeout?: Duration | null;
  heartbeatTimeout?: Duration | null;
  retry?: RetryPolicy | null;
  priority?: Priority | null;
  /** Counts from when the activity was scheduled. */
  startDelay?: Duration | null;
}

/**
 * The options after an update; durations in milliseconds.
 * @experimental
 */
export type ActivityOptionsUpdateResult = {
  [K in keyof ActivityOptionsUpdate]: Exclude<ActivityOptionsUpdate[K], null>;
};

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

/**
 * The fields of a start request that the options say without any payload.
 * @throws {ValueError} what cannot be, all of it (O1)
 */
export function compileActivityOptions(activityType: string, options: ActivityOptions) {
  const problems: string[] = [];
  const check = <T>(make: () => T): T | undefined => {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof ValueError || error instanceof TypeError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  const timeout = (name: keyof ActivityOptions & `${string}Timeout`) =>
    check(() => msOptionalToTs(options[name], name));
  if (!isText(activityType)) problems.push('the name of the activity must be a string that is not empty');
  if (!isText(options.id)) problems.push('id must be a string that is not empty');
  if (!isText(options.taskQueue)) problems.push('taskQueue must be a string that is not empty');
  else check(() => throwIfReservedName('task queue', options.taskQueue));
  if (!options.startToCloseTimeout && !options.scheduleToCloseTimeout) {
    problems.push('startToCloseTimeout or scheduleToCloseTimeout is required');
  }
  if (options.args !== undefined && !Array.isArray(options.args)) problems.push('args must be an array');
  const { retry, priority, typedSearchAttributes, startDelay } = options;
  const delayed = check(() => startDelay !== undefined && msToNumber(startDelay, 'startDelay') < 0);
  if (delayed === true) problems.push('startDelay must not be negative');
  const fields = {
    activityId: options.id,
    activityType: { name: activityType },
    taskQueue: { name: options.taskQueue, kind: 1 }, // TASK_QUEUE_KIND_NORMAL
    scheduleToCloseTimeout: timeout('scheduleToCloseTimeout'),
    scheduleToStartTimeout: timeout('scheduleToStartTimeout'),
    startToCloseTimeout: timeout('startToCloseTimeout'),
    heartbeatTimeout: timeout('heartbeatTimeout'),
    startDelay: delayed === undefined ? undefined : msOptionalToTs(startDelay, 'startDelay'),
    retryPolicy: retry && check(() => compileRetryPolicy(retry)),
    priority: priority && check(() => compilePriority(priority)),
    idReusePolicy: check(() => encodeActivityIdReusePolicy(options.idReusePolicy)),
    idConflictPolicy: check(() => encodeActivityIdConflictPolicy(options.idConflictPolicy)),
    searchAttributes: typedSearchAttributes && {
      indexedFields: check(() => encodeUnifiedSearchAttributes(undefined, typedSearchAttributes)),
    },
  };
  if (problems.length > 0) throw new ValueError(`Invalid activity options: ${problems.join('; ')}`);
  return fields;
}

/**
 * New options as the server takes them, and the fields that count.
 * @throws {ValueError} what cannot be, and an update of nothing
 */
export function compileActivityOptionsUpdate(update: ActivityOptionsUpdate): {
  activityOptions: ProtoActivityOptions;
  paths: string[];
} {
  const { taskQueue, retry, priority } = update;
  const activityOptions: ProtoActivityOptions = {};
  const paths: string[] = [];
  if (taskQueue !== undefined && taskQueue !== null) {
    throwIfReservedName('task queue', taskQueue);
    activityOptions.taskQueue = { name: taskQueue };
    paths.push('task_queue.name');
  }
  const durations = {
    scheduleToCloseTimeout: 'schedule_to_close_timeout',
    scheduleToStartTimeout: 'schedule_to_start_timeout',
    startToCloseTimeout: 'start_to_close_timeout',
    heartbeatTimeout: 'heartbeat_timeout',
    startDelay: 'start_delay',
  } as const;
  for (const [name, path] of Object.entries(durations) as [keyof typeof durations, string][]) {
    if (update[name] === undefined) continue;
    activityOptions[name] = msOptionalToTs(update[name], name);
    paths.push(path);
  }
  if (retry !== undefined) {
    if (retry !== null) activityOptions.retryPolicy = compileRetryPolicy(retry);
    paths.push('retry_policy');
  }
  if (priority !== undefined) {
    if (priority !== null) activityOptions.priority = compilePriority(priority);
    paths.push('priority');
  }
  if (paths.length === 0) throw new ValueError('Invalid update of activity options: it changes none');
  return { activityOptions, paths };
}

export function decodeActivityOptions(options: ProtoActivityOptions = {}): ActivityOptionsUpdateResult {
  return {
    taskQueue: options.taskQueue?.name || undefined,
    scheduleToCloseTimeout: optionalTsToMs(options.scheduleToCloseTimeout),
    scheduleToStartTimeout: optionalTsToMs(options.scheduleToStartTimeout),
    startToCloseTimeout: optionalTsToMs(options.startToCloseTimeout),
    heartbeatTimeout: optionalTsToMs(options.heartbeatTimeout),
    retry: decompileRetryPolicy(options.retryPolicy),
    priority: options.priority && decodePriority(options.priority),
    startDelay: optionalTsToMs(options.startDelay),
  };
}
