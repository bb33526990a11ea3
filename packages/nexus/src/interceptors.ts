/** Interceptors around operations: made by a factory for each request. */
import type { MetricTags, Next } from '@perdure/common';
import type {
  CancelOperationContext,
  HandlerStartOperationResult,
  OperationContext,
  StartOperationContext,
} from 'nexus-rpc';

/** Makes the interceptors of one request. */
export type NexusInterceptorsFactory = (ctx: OperationContext) => NexusInterceptors;

export type NexusInterceptors = {
  inbound?: NexusInboundCallsInterceptor;
  outbound?: NexusOutboundCallsInterceptor;
};

export interface NexusStartOperationInput {
  readonly ctx: StartOperationContext;
  readonly input: unknown;
}

export interface NexusStartOperationOutput {
  readonly result: HandlerStartOperationResult<unknown>;
}

export interface NexusCancelOperationInput {
  readonly ctx: CancelOperationContext;
  readonly token: string;
}

/** Around the handler. */
export type NexusInboundCallsInterceptor = {
  startOperation?: (
    input: NexusStartOperationInput,
    next: Next<NexusInboundCallsInterceptor, 'startOperation'>,
  ) => Promise<NexusStartOperationOutput>;
  cancelOperation?: (
    input: NexusCancelOperationInput,
    next: Next<NexusInboundCallsInterceptor, 'cancelOperation'>,
  ) => Promise<void>;
};

/** Around what the handler asks of the SDK. */
export type NexusOutboundCallsInterceptor = {
  /** Adds fields to each log line of the operation. */
  getLogAttributes?: (
    input: Record<string, unknown>,
    next: Next<NexusOutboundCallsInterceptor, 'getLogAttributes'>,
  ) => Record<string, unknown>;
  /** Adds tags to each metric of the operation. */
  getMetricTags?: (
    input: MetricTags,
    next: Next<NexusOutboundCallsInterceptor, 'getMetricTags'>,
  ) => MetricTags;
};
