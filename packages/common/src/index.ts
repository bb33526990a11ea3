/** Everything that both sides of a worker share. Loads anywhere, the workflow sandbox included. */
export {
  ActivityCancellationDetails,
  type ActivityCancellationDetailsOptions,
} from './activity-cancellation-details';
export {
  ActivityCancellationType,
  type ActivityOptions,
  type LocalActivityOptions,
} from './activity-options';
export type { ChunkFactory, WorkflowBundle } from './bundle';
export {
  decodeSuggestContinueAsNewReason,
  encodeSuggestContinueAsNewReason,
  SuggestContinueAsNewReason,
} from './continue-as-new';
export {
  type DataConverter,
  defaultDataConverter,
  type LoadedDataConverter,
} from './converter/data-converter';
export {
  ExternalStorage,
  type StorageDriver,
  type StorageDriverActivityInfo,
  StorageDriverClaim,
  type StorageDriverRetrieveContext,
  type StorageDriverSelectContext,
  type StorageDriverSelector,
  type StorageDriverStoreContext,
  type StorageDriverTargetInfo,
  type StorageDriverWorkflowInfo,
} from './converter/extstore';
export {
  cutoffStackTrace,
  type DefaultEncodedFailureAttributes,
  DefaultFailureConverter,
  type DefaultFailureConverterOptions,
  defaultFailureConverter,
  type FailureConverter,
} from './converter/failure-converter';
export type { PayloadCodec } from './converter/payload-codec';
export {
  arrayFromPayloads,
  BinaryPayloadConverter,
  CompositePayloadConverter,
  convertOptionalToPayload,
  DefaultPayloadConverter,
  defaultPayloadConverter,
  fromPayloadsAtIndex,
  fromPayloadWithTypeInfo,
  JsonPayloadConverter,
  mapFromPayloads,
  mapToPayloads,
  type PayloadConverter,
  type PayloadConverterWithEncoding,
  RawValue,
  type rawPayloadTypeBrand,
  rawValueTypeInfo,
  toPayloads,
  toPayloadsWithContext,
  toPayloadWithTypeInfo,
  UndefinedPayloadConverter,
} from './converter/payload-converter';
export type {
  ActivitySerializationContext,
  SerializationContext,
  WorkflowSerializationContext,
} from './converter/serialization-context';
export type {
  ConverterHint,
  PayloadTypeInfo,
  SignalTypeInfo,
  TransferTypeConverter,
  TypeInfo,
} from './converter/type-info';
export {
  type EncodingType,
  encodingKeys,
  encodingTypes,
  METADATA_ENCODING_KEY,
  METADATA_MESSAGE_TYPE_KEY,
} from './converter/types';
export { type Duration, InvalidDurationError, type StringValue } from './durations';
export { str, u8 } from './encoding';
export {
  CompleteAsyncError,
  ExternalStorageNotConfiguredError,
  errorCode,
  errorMessage,
  hasCode,
  IllegalStateError,
  NamespaceNotFoundError,
  PayloadConverterError,
  PerdureError,
  type PerdureErrorOptions,
  ValueError,
  WorkflowNotFoundError,
} from './errors';
export {
  ActivityFailure,
  ApplicationFailure,
  ApplicationFailureCategory,
  type ApplicationFailureOptions,
  CancelledFailure,
  ChildWorkflowFailure,
  createPayloadValidationError,
  decodeApplicationFailureCategory,
  decodeRetryState,
  decodeTimeoutType,
  encodeApplicationFailureCategory,
  encodeRetryState,
  encodeTimeoutType,
  ensureApplicationFailure,
  ensureTemporalFailure,
  FAILURE_SOURCE,
  NexusOperationFailure,
  type ProtoFailure,
  RetryState,
  rootCause,
  ServerFailure,
  TemporalFailure,
  TerminatedFailure,
  TimeoutFailure,
  TimeoutType,
  WorkflowExecutionAlreadyStartedError,
} from './failure';
export { composeInterceptors, type Headers, type Next } from './interceptors';
export {
  type ActivityDefinitionOptions,
  type ActivityFunction,
  type ActivityFunctionWithOptions,
  type ActivityInterface,
  type ActivityTypeInfoMap,
  type BaseWorkflowHandle,
  HandlerUnfinishedPolicy,
  type HistoryAndWorkflowId,
  isActivityFunctionWithOptions,
  isWorkflowFunctionWithOptions,
  isWorkflowFunctionWithStaticOptions,
  type Payload,
  type QueryDefinition,
  type QueryDefinitionOptions,
  type SignalDefinition,
  type SignalDefinitionOptions,
  type UntypedActivities,
  type UpdateDefinition,
  type UpdateDefinitionOptions,
  type Workflow,
  type WorkflowDefinitionConfig,
  type WorkflowDefinitionOptions,
  type WorkflowDefinitionOptionsOrGetter,
  type WorkflowExecution,
  type WorkflowFunctionWithOptions,
  type WorkflowFunctionWithStaticOptions,
  type WorkflowQueryAnnotatedType,
  type WorkflowQueryOptions,
  type WorkflowQueryType,
  type WorkflowResultType,
  type WorkflowReturnType,
  type WorkflowSignalAnnotatedType,
  type WorkflowSignalOptions,
  type WorkflowSignalType,
  type WorkflowStaticOptions,
  type WorkflowUpdateAnnotatedType,
  type WorkflowUpdateType,
  type WorkflowUpdateValidatorType,
} from './interfaces';
export {
  type Logger,
  LoggerWithComposedMetadata,
  type LogLevel,
  type LogMetadata,
  type LogMetaOrFunc,
  SdkComponent,
} from './logger';
export {
  type Metric,
  type MetricCounter,
  type MetricGauge,
  type MetricHistogram,
  type MetricKind,
  type MetricMeter,
  MetricMeterWithComposedTags,
  type MetricTags,
  type MetricTagsOrFunc,
  type MetricUpDownCounter,
  type NumericMetricValueType,
  noopMetricMeter,
} from './metrics';
export { compilePriority, decodePriority, type Priority } from './priority';
export { isReservedName, throwIfReservedName } from './reserved';
export { compileRetryPolicy, decompileRetryPolicy, type RetryPolicy } from './retry-policy';
export {
  defineSearchAttributeKey,
  type SearchAttributePair,
  type SearchAttributes,
  SearchAttributeType,
  type SearchAttributeUpdatePair,
  type SearchAttributeValue,
  TypedSearchAttributes,
} from './search-attributes';
export {
  msNumberToTs,
  msOptionalToNumber,
  msOptionalToTs,
  msToNumber,
  msToTs,
  optionalTsToDate,
  optionalTsToMs,
  type Timestamp,
  tsToDate,
  tsToMs,
} from './time';
export type { VersioningIntent } from './versioning-intent';
export {
  type AutoUpgradeVersioningOverride,
  convertDeploymentVersion,
  decodeInitialVersioningBehavior,
  decodeVersioningBehavior,
  encodeInitialVersioningBehavior,
  encodeVersioningBehavior,
  InitialVersioningBehavior,
  type PinnedVersioningOverride,
  toCanonicalString,
  VersioningBehavior,
  type VersioningOverride,
  type WorkerDeploymentVersion,
} from './worker-deployments';
export {
  type BaseWorkflowOptions,
  type CommonWorkflowOptions,
  decodeWorkflowIdConflictPolicy,
  decodeWorkflowIdReusePolicy,
  encodeWorkflowIdConflictPolicy,
  encodeWorkflowIdReusePolicy,
  extractWorkflowType,
  extractWorkflowTypeAndConfig,
  type WithWorkflowArgs,
  type WorkflowDurationOptions,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  type WorkflowTypeOptions,
} from './workflow-options';
