/** Tests of workflows and activities. */
export {
  type ClientOptionsForTestEnv,
  type ExistingServerConnectionOptions,
  type ExistingServerTestWorkflowEnvironmentOptions,
  type LocalTestWorkflowEnvironmentOptions,
  TestWorkflowEnvironment,
  type TestWorkflowEnvironmentOptionsWithDefaults,
  type TimeSkippingTestWorkflowEnvironmentOptions,
} from './environment';
export {
  expectSteps,
  type HistorySource,
  readHistory,
  type Step,
  type StepKind,
  type StepOutcome,
  WorkflowHistory,
} from './history';
export { workflowInterceptorModules } from './interceptor-modules';
export {
  defaultActivityInfo,
  MockActivityEnvironment,
  type MockActivityEnvironmentOptions,
} from './mock-activity';
export type { NexusEndpointIdentifier } from './nexus-endpoints';
export {
  type ReplayedFile,
  ReplayFolderError,
  type ReplayFolderOptions,
  replayFolder,
} from './replay-folder';
export type { DevServerConfig, EphemeralServerExecutable, TimeSkippingServerConfig } from './server-options';
export { TimeSkippingWorkflowClient } from './time-skipping-client';
