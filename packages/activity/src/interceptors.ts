/** Interceptors around activities: made by a factory for each execution. */
import type { Headers, MetricTags, Next } from '@perdure/common';
import type { Context } from './context';

/** Makes the interceptors of one activity execution. */
export type ActivityInterceptorsFactory = (ctx: Context) => ActivityInterceptors;

export interface ActivityInterceptors {
  inbound?: ActivityInboundCallsInterceptor;
  outbound?: ActivityOutboundCallsInterceptor;
}

/** Input of {@link ActivityInboundCallsInterceptor.execute}. */
export interface ActivityExecuteInput {
  readonly args: unknown[];
  readonly headers: Headers;
}

/** Around the activity function. */
export interface ActivityInboundCallsInterceptor {
  /** Calls the activity function; what it resolves to is the result. */
  execute?: (
    input: ActivityExecuteInput,
    next: Next<ActivityInboundCallsInterceptor, 'execute'>,
  ) => Promise<unknown>;
}

/** Log fields so far. */
export type GetLogAttributesInput = Record<string, unknown>;

/** Metric tags so far. */
export type GetMetricTagsInput = MetricTags;

/** Around what the activity asks of the SDK. */
export interface ActivityOutboundCallsInterceptor {
  /** Adds fields to each log line of the activity. */
  getLogAttributes?: (
    input: GetLogAttributesInput,
    next: Next<ActivityOutboundCallsInterceptor, 'getLogAttributes'>,
  ) => Record<string, unknown>;
  /** Adds tags to each metric of the activity. */
  getMetricTags?: (
    input: GetMetricTagsInput,
    next: Next<ActivityOutboundCallsInterceptor, 'getMetricTags'>,
  ) => MetricTags;
}
