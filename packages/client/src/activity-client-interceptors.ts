/** What interceptors of an ActivityClient see and may change. */
import type { Headers, Next, TypeInfo } from '@perdure/common';
import type { ActivityHandle } from './activity-client';
import type {
  ActivityDescribeOptions,
  ActivityOptions,
  ActivityOptionsUpdate,
  ActivityOptionsUpdateResult,
  ActivityPauseOptions,
  ActivityResetOptions,
  ActivityUnpauseOptions,
} from './activity-client-options';
import type {
  ActivityExecutionDescription,
  ActivityExecutionInfo,
  CountActivityExecutions,
} from './activity-client-types';

export interface ActivityStartInput {
  readonly activityType: string;
  readonly options: ActivityOptions;
  /** Reach the activity. */
  readonly headers: Headers;
}

export interface ActivityGetResultInput {
  readonly activityId: string;
  /** Empty for the latest run, here and in all that follow. */
  readonly activityRunId: string;
  readonly outputType?: TypeInfo<any, any>;
  readonly headers: Headers;
}

export interface ActivityDescribeInput {
  readonly activityId: string;
  readonly activityRunId: string;
  readonly headers: Headers;
  readonly options: Required<ActivityDescribeOptions>;
}

export interface ActivityCancelInput {
  readonly activityId: string;
  readonly activityRunId: string;
  readonly reason: string;
  readonly headers: Headers;
}

export interface ActivityTerminateInput {
  readonly activityId: string;
  readonly activityRunId: string;
  readonly reason: string;
  readonly headers: Headers;
}

export interface ActivityListInput {
  readonly query: string;
  readonly headers: Headers;
}

export interface ActivityCountInput {
  readonly query: string;
  readonly headers: Headers;
}

/** @experimental */
export interface ActivityPauseInput {
  readonly activityId: string;
  readonly activityRunId: string;
  readonly options: ActivityPauseOptions;
  readonly headers: Headers;
}

/** @experimental */
export interface ActivityUnpauseInput {
  readonly activityId: string;
  readonly activityRunId: string;
  readonly options: ActivityUnpauseOptions;
  readonly headers: Headers;
}

/** Not in the official client. @experimental */
export interface ActivityResetInput {
  readonly activityId: string;
  readonly activityRunId: string;
  readonly options: ActivityResetOptions;
  readonly headers: Headers;
}

/** @experimental */
export interface ActivityUpdateOptionsInput {
  readonly activityId: string;
  readonly activityRunId: string;
  readonly options: ActivityOptionsUpdate;
  readonly headers: Headers;
}

/** @experimental */
export interface ActivityRestoreOriginalOptionsInput {
  readonly activityId: string;
  readonly activityRunId: string;
  readonly headers: Headers;
}

/** Stands around the calls of an ActivityClient; every method is optional and calls `next` to go on. */
export interface ActivityClientInterceptor {
  start?: (input: ActivityStartInput, next: Next<this, 'start'>) => Promise<ActivityHandle>;
  getResult?: (input: ActivityGetResultInput, next: Next<this, 'getResult'>) => Promise<any>;
  describe?: (
    input: ActivityDescribeInput,
    next: Next<this, 'describe'>,
  ) => Promise<ActivityExecutionDescription>;
  cancel?: (input: ActivityCancelInput, next: Next<this, 'cancel'>) => Promise<void>;
  terminate?: (input: ActivityTerminateInput, next: Next<this, 'terminate'>) => Promise<void>;
  list?: (input: ActivityListInput, next: Next<this, 'list'>) => AsyncIterable<ActivityExecutionInfo>;
  count?: (input: ActivityCountInput, next: Next<this, 'count'>) => Promise<CountActivityExecutions>;
  /** @experimental */
  pause?: (input: ActivityPauseInput, next: Next<this, 'pause'>) => Promise<void>;
  /** @experimental */
  unpause?: (input: ActivityUnpauseInput, next: Next<this, 'unpause'>) => Promise<void>;
  /** @experimental */
  reset?: (input: ActivityResetInput, next: Next<this, 'reset'>) => Promise<void>;
  /** @experimental */
  updateOptions?: (
    input: ActivityUpdateOptionsInput,
    next: Next<this, 'updateOptions'>,
  ) => Promise<ActivityOptionsUpdateResult>;
  /** @experimental */
  restoreOriginalOptions?: (
    input: ActivityRestoreOriginalOptionsInput,
    next: Next<this, 'restoreOriginalOptions'>,
  ) => Promise<ActivityOptionsUpdate>;
}
