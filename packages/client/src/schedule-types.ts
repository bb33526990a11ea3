/** Types and string enums of schedules: what users give, and what the server tells. */
import type {
  BaseWorkflowOptions,
  Duration,
  Priority,
  RetryPolicy,
  SearchAttributePair,
  SearchAttributes,
  TypedSearchAttributes,
  Workflow,
  WorkflowDurationOptions,
} from '@perdure/common';
import { makeProtoEnumConverters } from '@perdure/common/lib/enum-codecs';
import type { ScheduleOverlapPolicy as ProtoOverlapPolicy } from '@perdure/proto/temporal/api/enums/v1/schedule';
import type { WorkflowOptions } from './workflow-options';

/** What happens if an action is due while the one before still runs. */
export const ScheduleOverlapPolicy = {
  /** @deprecated use undefined */
  UNSPECIFIED: undefined,
  /** Leave it out. The default. */
  SKIP: 'SKIP',
  /** Start it afterwards; keep one waiting at most. */
  BUFFER_ONE: 'BUFFER_ONE',
  /** Start it afterwards; keep all waiting. */
  BUFFER_ALL: 'BUFFER_ALL',
  /** Cancel the running one, start it when that has ended. */
  CANCEL_OTHER: 'CANCEL_OTHER',
  /** Terminate the running one and start it. */
  TERMINATE_OTHER: 'TERMINATE_OTHER',
  /** Start it beside the running ones. */
  ALLOW_ALL: 'ALLOW_ALL',
} as const;
export type ScheduleOverlapPolicy = (typeof ScheduleOverlapPolicy)[keyof typeof ScheduleOverlapPolicy];

const overlapPolicies = makeProtoEnumConverters<
  NonNullable<ScheduleOverlapPolicy>,
  ProtoOverlapPolicy,
  'SCHEDULE_OVERLAP_POLICY_'
>(
  { SKIP: 1, BUFFER_ONE: 2, BUFFER_ALL: 3, CANCEL_OTHER: 4, TERMINATE_OTHER: 5, ALLOW_ALL: 6 },
  'SCHEDULE_OVERLAP_POLICY_',
);
export const encodeScheduleOverlapPolicy = overlapPolicies[0];
export const decodeScheduleOverlapPolicy = overlapPolicies[1];

export const MONTHS = [
  'JANUARY',
  'FEBRUARY',
  'MARCH',
  'APRIL',
  'MAY',
  'JUNE',
  'JULY',
  'AUGUST',
  'SEPTEMBER',
  'OCTOBER',
  'NOVEMBER',
  'DECEMBER',
] as const;
export type Month = (typeof MONTHS)[number];

export const DAYS_OF_WEEK = [
  'SUNDAY',
  'MONDAY',
  'TUESDAY',
  'WEDNESDAY',
  'THURSDAY',
  'FRIDAY',
  'SATURDAY',
] as const;
export type DayOfWeek = (typeof DAYS_OF_WEEK)[number];

/** From `start` to `end`, both included, every `step`. */
export interface Range<Unit> {
  start: Unit;
  end: Unit;
  step: number;
}

/** One value, or a range; `end` defaults to `start`, `step` to 1. */
export type LooseRange<Unit> =
  | Range<Unit>
  | { start: Range<Unit>['start']; end?: Range<Unit>['end']; step?: never }
  | Unit;

type Field<Unit> = LooseRange<Unit> | LooseRange<Unit>[] | '*';

/** Times of which every field matches. */
export interface CalendarSpec {
  /** 0 to 59, default 0. */
  second?: Field<number>;
  /** 0 to 59, default 0. */
  minute?: Field<number>;
  /** 0 to 23, default 0. */
  hour?: Field<number>;
  /** 1 to 31, default every. */
  dayOfMonth?: Field<number>;
  /** Default every. */
  month?: Field<Month>;
  /** Default every. */
  year?: Field<number>;
  /** Default every. */
  dayOfWeek?: Field<DayOfWeek>;
  comment?: string;
}

/** A calendar as the server tells it. */
export interface CalendarSpecDescription {
  second: Range<number>[];
  minute: Range<number>[];
  hour: Range<number>[];
  dayOfMonth: Range<number>[];
  month: Range<Month>[];
  year: Range<number>[];
  dayOfWeek: Range<DayOfWeek>[];
  comment?: string;
}

/** The epoch plus a multiple of `every`, plus `offset`; to the second. */
export interface IntervalSpec {
  every: Duration;
  /** Default 0. */
  offset?: Duration;
}

/** An interval as the server tells it, in milliseconds. */
export interface IntervalSpecDescription {
  every: number;
  offset: number;
}

/** When: the union of calendars, intervals and cron expressions, without what `skip` matches. */
export interface ScheduleSpec {
  calendars?: CalendarSpec[];
  intervals?: IntervalSpec[];
  /** Five to seven fields, `@every`, `@daily`, `CRON_TZ=…`; the server turns them into calendars. */
  cronExpressions?: string[];
  skip?: CalendarSpec[];
  startAt?: Date;
  endAt?: Date;
  /** Each time is delayed by a random part of this; default 0. */
  jitter?: Duration;
  /** IANA name, default UTC. */
  timezone?: string;
}

export type ScheduleSpecDescription = Omit<
  ScheduleSpec,
  'cronExpressions' | 'calendars' | 'intervals' | 'skip' | 'jitter'
> & {
  calendars?: CalendarSpecDescription[];
  intervals?: IntervalSpecDescription[];
  skip?: CalendarSpecDescription[];
  /** Milliseconds. */
  jitter?: number;
};

/** Starts a workflow. */
export type ScheduleOptionsStartWorkflowAction<W extends Workflow> = {
  type: 'startWorkflow';
  workflowType: string | W;
  /** The server appends the nominal time. Default `<schedule id>-workflow`. */
  workflowId?: string;
} & Pick<
  WorkflowOptions,
  | 'taskQueue'
  | 'retry'
  | 'memo'
  | 'searchAttributes'
  | 'typedSearchAttributes'
  | 'staticDetails'
  | 'staticSummary'
  | 'priority'
  | 'typeInfo'
  | 'versioningOverride'
> &
  WorkflowDurationOptions &
  (Parameters<W> extends [any, ...any[]]
    ? { args: Parameters<W> | Readonly<Parameters<W>> }
    : { args?: Parameters<W> | Readonly<Parameters<W>> });

export type ScheduleOptionsAction = ScheduleOptionsStartWorkflowAction<Workflow>;

/** A range of time for which a schedule acts now. */
export interface Backfill {
  /** Included. */
  start: Date;
  /** Included. */
  end: Date;
  overlap?: ScheduleOverlapPolicy;
}

export interface ScheduleOptions<A extends ScheduleOptionsAction = ScheduleOptionsAction> {
  scheduleId: string;
  spec: ScheduleSpec;
  action: A;
  policies?: {
    /** Default SKIP. */
    overlap?: ScheduleOverlapPolicy;
    /** How late an action may start after the server was down. Default a year, at least 10 seconds. */
    catchupWindow?: Duration;
    /** Default false. */
    pauseOnFailure?: boolean;
  };
  memo?: Record<string, unknown>;
  /** @deprecated use typedSearchAttributes */
  searchAttributes?: SearchAttributes;
  typedSearchAttributes?: SearchAttributePair[] | TypedSearchAttributes;
  state?: {
    /** Default false. */
    paused?: boolean;
    note?: string;
    /** Default unlimited. */
    remainingActions?: number;
    /** Acts once at creation. Default false. */
    triggerImmediately?: boolean;
    /** Acts for past times at creation. */
    backfill?: Backfill[];
  };
}

export type ScheduleUpdateOptions<A extends ScheduleOptionsAction = ScheduleOptionsAction> = Omit<
  ScheduleOptions,
  'scheduleId' | 'memo' | 'action' | 'state'
> & {
  action: A;
  state: Omit<NonNullable<ScheduleOptions['state']>, 'triggerImmediately' | 'backfill'>;
};

export type ScheduleDescriptionStartWorkflowAction = {
  type: 'startWorkflow';
  workflowType: string;
  workflowId: string;
  taskQueue: string;
  args: unknown[];
  retry?: RetryPolicy;
  memo?: Record<string, unknown>;
  priority?: Priority;
  /** Milliseconds, as are the other two. */
  workflowExecutionTimeout?: number;
  workflowRunTimeout?: number;
  workflowTaskTimeout?: number;
} & Pick<
  BaseWorkflowOptions,
  'searchAttributes' | 'typedSearchAttributes' | 'staticDetails' | 'staticSummary'
>;
export type ScheduleDescriptionAction = ScheduleDescriptionStartWorkflowAction;

export interface ScheduleExecutionStartWorkflowActionResult {
  type: 'startWorkflow';
  workflow: { workflowId: string; firstExecutionRunId: string };
}
export type ScheduleExecutionActionResult = ScheduleExecutionStartWorkflowActionResult;

/** An action that was taken. */
export interface ScheduleExecutionResult {
  /** Nominal time, jitter included. */
  scheduledAt: Date;
  takenAt: Date;
  action: ScheduleExecutionActionResult;
}

export interface ScheduleSummaryStartWorkflowAction {
  type: 'startWorkflow';
  workflowType: string;
}
export type ScheduleSummaryAction = ScheduleSummaryStartWorkflowAction;

/** What a list says about a schedule; it may lag behind. */
export interface ScheduleSummary {
  scheduleId: string;
  spec?: ScheduleSpecDescription;
  action?: ScheduleSummaryAction;
  memo?: Record<string, unknown>;
  /** @deprecated use typedSearchAttributes */
  searchAttributes?: SearchAttributes;
  typedSearchAttributes?: TypedSearchAttributes;
  state: { paused: boolean; note?: string };
  info: { recentActions: ScheduleExecutionResult[]; nextActionTimes: Date[] };
}

export type ScheduleDescription = {
  scheduleId: string;
  spec: ScheduleSpecDescription;
  action: ScheduleDescriptionAction;
  policies: {
    overlap: ScheduleOverlapPolicy;
    /** Milliseconds. */
    catchupWindow: number;
    pauseOnFailure: boolean;
  };
  memo?: Record<string, unknown>;
  /** @deprecated use typedSearchAttributes */
  searchAttributes: SearchAttributes;
  typedSearchAttributes: TypedSearchAttributes;
  state: { paused: boolean; note?: string; remainingActions?: number };
  info: {
    recentActions: ScheduleExecutionResult[];
    nextActionTimes: Date[];
    numActionsTaken: number;
    numActionsMissedCatchupWindow: number;
    numActionsSkippedOverlap: number;
    createdAt: Date;
    lastUpdatedAt: Date | undefined;
    runningActions: ScheduleExecutionActionResult[];
  };
  raw: import('@perdure/proto/temporal/api/workflowservice/v1/request_response').DescribeScheduleResponse;
};
