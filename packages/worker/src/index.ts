/** The worker: polls a task queue, runs workflows in lanes and activities in this process. */
import type { Client } from '@perdure/client';

// Here, because a declaration file that nothing imports is never seen by users.
declare module '@perdure/activity/lib/context-types' {
  interface ContextTypes {
    client: Client;
  }
}

export type {
  ActivityExecuteInput,
  ActivityInboundCallsInterceptor,
  ActivityInterceptors,
  ActivityInterceptorsFactory,
  ActivityOutboundCallsInterceptor,
  GetLogAttributesInput,
  GetMetricTagsInput,
} from '@perdure/activity/runner';
export {
  type DataConverter,
  defaultPayloadConverter,
  type Headers,
  IllegalStateError,
  type Logger,
  type LogLevel,
  type LogMetadata,
  type Next,
} from '@perdure/common';
export {
  type BufferedMetricUpdate,
  CoreError,
  type CoreErrorCode,
  ShutdownError,
  TransportError,
  UnexpectedError,
} from '@perdure/core';
export type {
  NexusCancelOperationInput,
  NexusInboundCallsInterceptor,
  NexusInterceptors,
  NexusInterceptorsFactory,
  NexusOutboundCallsInterceptor,
  NexusStartOperationInput,
  NexusStartOperationOutput,
} from '@perdure/nexus/runner';
export type { History } from '@perdure/proto/temporal/api/history/v1/message';
export type { LoggerSinks } from '@perdure/workflow';
export type {
  WorkflowBundle,
  WorkflowBundleOption,
  WorkflowBundlePath,
  WorkflowBundlePathWithSourceMap,
  WorkflowBundleWithSourceMap,
} from './bundle-options';
export { type BundleOptions, bundleWorkflowCode } from './bundle-workflow-code';
export { NativeConnection } from './connection';
export type {
  DNSLoadBalancingConfig,
  GrpcCompressionConfig,
  GzipGrpcCompressionConfig,
  NativeConnectionOptions,
  NoneGrpcCompressionConfig,
  TLSConfig,
} from './connection-options';
export { Core, type CoreOptions, type ServerOptions } from './core';
export { startDebugReplayer } from './debug-replayer';
export {
  CombinedWorkerRunError,
  type CombinedWorkerRunErrorCause,
  GracefulShutdownPeriodExpiredError,
  NodeVersionError,
  PromiseCompletionTimeoutError,
  ReplayError,
  SlotSupplierError,
  UnhandledRejectionError,
  WorkerFatalError,
} from './errors';
export {
  type ExternalWorkflowActivities,
  type ExternalWorkflowTarget,
  externalWorkflowActivities,
} from './external-workflow-activities';
export { Gauge, type GaugeObserver, type GaugeSubscription } from './gauge';
export { DefaultLogger, type LogEntry, LogTimestamp } from './logger';
export { MetricsBuffer, type MetricsBufferOptions } from './metrics-buffer';
export {
  type ActivityInboundCallsInterceptorFactory,
  ActivityInboundLogInterceptor,
  activityLogAttributes,
  appendDefaultInterceptors,
  defaultWorkflowInterceptorModules,
  errors,
} from './older-names';
export { InvalidOptionsError, type OptionProblem } from './options-check';
export type { BundlerPlugin, NativeConnectionPlugin, WorkerPlugin } from './plugins';
export type { ReplayHistoriesIterable, ReplayResult } from './replay';
export { Runtime } from './runtime';
export {
  type ConsoleLogger,
  type ForwardLogger,
  type LanesOptions,
  type LogExporterConfig,
  type MetricsExporterConfig as MetricsExporter,
  type MetricsExporterConfig,
  makeTelemetryFilterString,
  type OtelCollectorExporter,
  type PrometheusMetricsExporter,
  type RuntimeOptions,
  type TelemetryOptions,
} from './runtime-options';
export {
  defaultSinks,
  type InjectedSink,
  type InjectedSinkFunction,
  type InjectedSinks,
  workflowLogAttributes,
} from './sinks';
export type { State } from './state';
export {
  type ActivitySlotInfo,
  type CustomSlotSupplier,
  type FixedSizeSlotSupplier,
  type LocalActivitySlotInfo,
  ResourceBasedController,
  type ResourceBasedSlotOptions,
  type ResourceBasedSlotsForType,
  type ResourceBasedTuner,
  type ResourceBasedTunerOptions,
  type ResourceBasedTunerWithController,
  type SlotInfo,
  type SlotMarkUsedContext,
  type SlotPermit,
  type SlotReleaseContext,
  type SlotReserveContext,
  type SlotSupplier,
  type TunerHolder,
  type WorkerTuner,
  type WorkflowSlotInfo,
} from './tuner';
export { type PollerState, type RunUntilOptions, Worker, type WorkerStatus } from './worker';
export type {
  CompiledWorkerInterceptors,
  CompiledWorkerOptions,
  PatchActivationCallback,
  PatchActivationInput,
  PollerBehavior,
  ReplayWorkerOptions,
  WorkerDeploymentOptions,
  WorkerInterceptors,
  WorkerOptions,
} from './worker-options';
export { WorkflowInboundLogInterceptor, WorkflowLogInterceptor } from './workflow-log-interceptor';
export type { WatchWorkflowsOptions, WorkflowReload } from './workflow-watch';
