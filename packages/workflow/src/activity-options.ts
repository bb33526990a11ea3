/** Options of activities and local activities, and what is checked about them. */
import type {
  ActivityCancellationType,
  ActivityFunction,
  ActivityTypeInfoMap,
  Duration,
  Priority,
  RetryPolicy,
  UntypedActivities,
} from '@perdure/common';
import { ValueError } from '@perdure/common';
import type { EventGroupMarker } from './event-groups';

/** `startToCloseTimeout` or `scheduleToCloseTimeout` is required. */
export interface ActivityOptions {
  /** Id in history. Default: the activity's number in its workflow. */
  activityId?: string;
  /** Default: the workflow's. */
  taskQueue?: string;
  /** Longest gap between two heartbeats. */
  heartbeatTimeout?: Duration;
  retry?: RetryPolicy;
  /** Limit of one attempt. */
  startToCloseTimeout?: Duration;
  /** Limit of the wait for a worker; never retried. */
  scheduleToStartTimeout?: Duration;
  /** Limit of all attempts together. */
  scheduleToCloseTimeout?: Duration;
  /** When the call rejects after cancellation. Default TRY_CANCEL. */
  cancellationType?: ActivityCancellationType;
  /** Lets the server hand the task straight to this worker. Default true. */
  allowEagerDispatch?: boolean;
  /** @deprecated use worker deployments */
  versioningIntent?: 'COMPATIBLE' | 'DEFAULT';
  /** One line for user interfaces. */
  summary?: string;
  priority?: Priority;
  eventGroups?: EventGroupMarker[];
}

/** `startToCloseTimeout` or `scheduleToCloseTimeout` is required. */
export interface LocalActivityOptions {
  retry?: RetryPolicy;
  startToCloseTimeout?: Duration;
  scheduleToStartTimeout?: Duration;
  scheduleToCloseTimeout?: Duration;
  /** Back-offs that are longer than this wait in a timer of the server. Default 1 minute. */
  localRetryThreshold?: Duration;
  /** When the call rejects after cancellation. Default TRY_CANCEL. */
  cancellationType?: ActivityCancellationType;
  /** One line for user interfaces. */
  summary?: string;
  eventGroups?: EventGroupMarker[];
}

/** Options of proxyActivities. */
export interface ActivityProxyOptions<A = UntypedActivities> extends ActivityOptions {
  /** Conversion hints by activity name. */
  activityTypeInfo?: ActivityTypeInfoMap<A>;
}

/** Options of proxyLocalActivities. */
export interface LocalActivityProxyOptions<A = UntypedActivities> extends LocalActivityOptions {
  /** Conversion hints by activity name. */
  activityTypeInfo?: ActivityTypeInfoMap<A>;
}

/** Marks, in types, a member of an activities object that is no function. */
export const NotAnActivityMethod: unique symbol = Symbol.for('__TEMPORAL_NOT_AN_ACTIVITY_METHOD') as any;

/** An activity as the proxy offers it. */
export type ActivityFunctionWithOptions<T extends ActivityFunction> = T & {
  /** Calls it with options over the proxy's; retry policies and priorities are merged field by field. */
  executeWithOptions(options: ActivityOptions, args: Parameters<T>): Promise<Awaited<ReturnType<T>>>;
};

/** A local activity as the proxy offers it. */
export type LocalActivityFunctionWithOptions<T extends ActivityFunction> = T & {
  /** Calls it with options over the proxy's; retry policies are merged field by field. */
  executeWithOptions(options: LocalActivityOptions, args: Parameters<T>): Promise<Awaited<ReturnType<T>>>;
};

export type ActivityInterfaceFor<T> = {
  [K in keyof T]: T[K] extends ActivityFunction
    ? ActivityFunctionWithOptions<T[K]>
    : typeof NotAnActivityMethod;
};

export type LocalActivityInterfaceFor<T> = {
  [K in keyof T]: T[K] extends ActivityFunction
    ? LocalActivityFunctionWithOptions<T[K]>
    : typeof NotAnActivityMethod;
};

/** @throws TypeError if the options lack a limit */
export function checkActivityOptions(
  options: { startToCloseTimeout?: Duration; scheduleToCloseTimeout?: Duration } | undefined,
  what: string,
): void {
  if (options?.startToCloseTimeout !== undefined || options?.scheduleToCloseTimeout !== undefined) return;
  throw new ValueError(
    `Options of ${what} need scheduleToCloseTimeout or startToCloseTimeout, and have neither`,
    undefined,
    "give one of them, for example { startToCloseTimeout: '1 minute' }",
  );
}
