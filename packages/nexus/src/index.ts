/** Authoring of Nexus operation handlers. */
export { getClient, log, metricMeter, type OperationInfo, operationInfo } from './context';
export type { ActivityOptions, ActivityOptionsFor, NexusTypedActivityClient } from './start-activity';
export {
  signalWithStartWorkflow,
  startWorkflow,
  type WorkflowSignalWithStartOptions,
  type WorkflowStartOptions,
} from './start-workflow';
export type {
  NexusUpdateWorkflowOptions,
  TemporalNexusClient,
  UpdatableWorkflowHandle,
} from './temporal-client';
export {
  type CancelActivityOptions,
  type CancelWorkflowRunOptions,
  type CancelWorkflowUpdateOptions,
  type TemporalCancelOperationContext,
  TemporalOperationHandler,
  type TemporalOperationHandlerOptions,
  type TemporalOperationStartHandler,
  type TemporalStartOperationContext,
} from './temporal-operation';
export { TemporalOperationResult } from './temporal-result';
export type { WorkflowHandle } from './workflow-handle';
export { WorkflowRunOperationHandler, type WorkflowRunOperationStartHandler } from './workflow-run-operation';
