/** What workflow code imports: the authoring API. */
export {
  ActivityCancellationType,
  ActivityFailure,
  type ActivityFunction,
  type ActivityInterface,
  type ActivityTypeInfoMap,
  ApplicationFailure,
  type BaseWorkflowHandle,
  type BaseWorkflowOptions,
  CancelledFailure,
  ChildWorkflowFailure,
  type CommonWorkflowOptions,
  CompleteAsyncError,
  decodeWorkflowIdConflictPolicy,
  decodeWorkflowIdReusePolicy,
  defaultPayloadConverter,
  ExternalStorageNotConfiguredError,
  encodeWorkflowIdConflictPolicy,
  encodeWorkflowIdReusePolicy,
  extractWorkflowType,
  extractWorkflowTypeAndConfig,
  type Headers,
  IllegalStateError,
  NamespaceNotFoundError,
  type Next,
  type Payload,
  type PayloadConverter,
  PayloadConverterError,
  type QueryDefinition,
  type RetryPolicy,
  rootCause,
  type SearchAttributes,
  type SearchAttributeValue,
  ServerFailure,
  type SignalDefinition,
  TemporalFailure,
  TerminatedFailure,
  TimeoutFailure,
  type UntypedActivities,
  ValueError,
  type WithWorkflowArgs,
  type Workflow,
  type WorkflowDurationOptions,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  WorkflowNotFoundError,
  type WorkflowQueryOptions,
  type WorkflowQueryType,
  type WorkflowResultType,
  type WorkflowReturnType,
  type WorkflowSignalOptions,
  type WorkflowSignalType,
  type WorkflowTypeOptions,
} from '@perdure/common';
export { createActivityHandle, proxyActivities, scheduleActivity } from './activities';
export {
  type ActivityFunctionWithOptions,
  type ActivityInterfaceFor,
  type ActivityOptions,
  type ActivityProxyOptions,
  type LocalActivityFunctionWithOptions,
  type LocalActivityInterfaceFor,
  type LocalActivityOptions,
  type LocalActivityProxyOptions,
  NotAnActivityMethod,
} from './activity-options';
export { AsyncLocalStorage } from './async-local-storage';
export { CancellationScope, type CancellationScopeOptions } from './cancellation-scope';
export {
  addDefaultWorkflowOptions,
  ChildWorkflowCancellationType,
  type ChildWorkflowHandle,
  type ChildWorkflowOptions,
  executeChild,
  ParentClosePolicy,
  startChild,
} from './children';
export { isCancellation } from './completion';
export { condition } from './conditions';
export {
  ContinueAsNew,
  type ContinueAsNewOptions,
  continueAsNew,
  makeContinueAsNewFunc,
} from './continue-as-new';
export { defineQuery, defineSignal, defineUpdate } from './definitions';
export { DeterminismViolationError, WorkflowError } from './errors';
export { createEventGroup, type EventGroupMarker } from './event-groups';
export {
  type ExternalWorkflowHandle,
  type ExternalWorkflowHandleOptions,
  getExternalWorkflowHandle,
} from './external-workflows';
export {
  allHandlersFinished,
  setDefaultQueryHandler,
  setDefaultSignalHandler,
  setDefaultUpdateHandler,
  setHandler,
} from './handlers';
export {
  getCurrentDetails,
  inWorkflowContext,
  type ParentWorkflowInfo,
  type RootWorkflowInfo,
  setCurrentDetails,
  type UnsafeWorkflowInfo,
  type WorkflowInfo,
  workflowInfo,
} from './info';
export type {
  ActivateInput,
  ActivityInput,
  ConcludeActivationInput,
  ConcludeActivationOutput,
  ContinueAsNewInput,
  ContinueAsNewInputOptions,
  DisposeInput,
  GetLogAttributesInput,
  GetMetricTagsInput,
  LocalActivityInput,
  QueryInput,
  SignalInput,
  SignalWorkflowInput,
  StartChildWorkflowExecutionInput,
  StartNexusOperationInput,
  StartNexusOperationOutput,
  UpdateInput,
  WorkflowExecuteInput,
  WorkflowInboundCallsInterceptor,
  WorkflowInterceptors,
  WorkflowInterceptorsFactory,
  WorkflowInternalsInterceptor,
  WorkflowOutboundCallsInterceptor,
} from './interceptors';
export { proxyLocalActivities, scheduleLocalActivity } from './local-activities';
export { LocalActivityDoBackoff } from './local-activity-backoff';
export { log } from './log';
export { metricMeter } from './metrics';
export {
  createNexusServiceClient,
  NexusOperationCancellationType,
  type NexusOperationHandle,
  type NexusServiceClient,
  type NexusServiceClientOptions,
  type StartNexusOperationOptions,
} from './nexus';
export { deprecatePatch, patched } from './patches';
export { enhancedStackTraceQuery, stackTraceQuery, workflowMetadataQuery } from './queries';
export {
  getRandomStream,
  type UnsafeRandomSource,
  uuid4,
  type WorkflowRandomStream,
  workflowRandom,
} from './random';
export { upsertMemo, upsertSearchAttributes } from './search-attributes';
export {
  type LoggerSinks,
  proxySinks,
  type Sink,
  type SinkCall,
  type SinkFunction,
  type Sinks,
} from './sinks';
export type {
  EnhancedStackTrace,
  StackTrace,
  StackTraceFileLocation,
  StackTraceFileSlice,
  StackTraceSDKInfo,
} from './stack-trace-types';
export { sleep, type TimerInput, type TimerOptions } from './timers';
export { Trigger } from './trigger';
export { currentUpdateInfo } from './updates';
export { defineWorkflowOptions, setWorkflowOptions } from './workflow-options';
