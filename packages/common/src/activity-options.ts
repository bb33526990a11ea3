/** Options of activities, as workflows give them. */
import type { ActivityCancellationType as ProtoActivityCancellationType } from '@perdure/proto/temporal/sdk/core/workflow_commands/workflow_commands';
import type { Duration } from './durations';
import { makeProtoEnumConverters } from './enum-codecs';
import type { Priority } from './priority';
import type { RetryPolicy } from './retry-policy';
import type { VersioningIntent } from './versioning-intent';

/** When the call of an activity rejects after its scope was cancelled. */
export const ActivityCancellationType = {
  /** At once; the activity is told. */
  TRY_CANCEL: 'TRY_CANCEL',
  /** When the activity has ended; it learns of the cancellation with a heartbeat. */
  WAIT_CANCELLATION_COMPLETED: 'WAIT_CANCELLATION_COMPLETED',
  /** At once; the activity is not told. */
  ABANDON: 'ABANDON',
} as const;
export type ActivityCancellationType =
  (typeof ActivityCancellationType)[keyof typeof ActivityCancellationType];

const cancellationTypes = makeProtoEnumConverters<
  ActivityCancellationType,
  ProtoActivityCancellationType,
  ''
>({ TRY_CANCEL: 0, WAIT_CANCELLATION_COMPLETED: 1, ABANDON: 2 }, '');
export const encodeActivityCancellationType = cancellationTypes[0];
export const decodeActivityCancellationType = cancellationTypes[1];

/** One of `startToCloseTimeout` and `scheduleToCloseTimeout` is required. */
export interface ActivityOptions {
  /** Id in the history. Default: a sequence number. */
  activityId?: string;
  /** Default: the workflow's task queue. */
  taskQueue?: string;
  /** Longest gap between heartbeats. */
  heartbeatTimeout?: Duration;
  /** Default: the server's (1 s, doubling, at most 100 s, unlimited attempts). */
  retry?: RetryPolicy;
  /** Limit of one attempt. Default: scheduleToCloseTimeout. */
  startToCloseTimeout?: Duration;
  /** Limit of the wait in the queue; not retried. Default: scheduleToCloseTimeout. */
  scheduleToStartTimeout?: Duration;
  /** Limit of all attempts together. Default unlimited. */
  scheduleToCloseTimeout?: Duration;
  /** Default TRY_CANCEL. */
  cancellationType?: ActivityCancellationType;
  /** Let the server hand the task straight back to this worker. Default true. */
  allowEagerDispatch?: boolean;
  /** @deprecated use worker deployments */
  versioningIntent?: VersioningIntent;
  /** One line for the UI. */
  summary?: string;
  /** Default: the workflow's. */
  priority?: Priority;
}

/** One of `startToCloseTimeout` and `scheduleToCloseTimeout` is required. */
export interface LocalActivityOptions {
  /** Default: the SDK's (1 s, doubling, at most 100 s, unlimited attempts). */
  retry?: RetryPolicy;
  /** Limit of one attempt, not more than scheduleToCloseTimeout. */
  startToCloseTimeout?: Duration;
  /** Limit of the wait for a free slot. Default unlimited. */
  scheduleToStartTimeout?: Duration;
  /** Limit of all attempts together. Default unlimited. */
  scheduleToCloseTimeout?: Duration;
  /** Longer waits between attempts use a timer of the server. Default 1 minute. */
  localRetryThreshold?: Duration;
  /** Default TRY_CANCEL. */
  cancellationType?: ActivityCancellationType;
  /** One line for the UI. */
  summary?: string;
}
