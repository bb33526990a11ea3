/** Options with which clients start workflows, and their compiled form. */
import {
  type CommonWorkflowOptions,
  type Duration,
  msOptionalToTs,
  type PayloadTypeInfo,
  type SignalDefinition,
  type SignalTypeInfo,
  throwIfReservedName,
  ValueError,
  type VersioningOverride,
  type WithWorkflowArgs,
  type Workflow,
} from '@perdure/common';
import type { Duration as ProtoDuration } from '@perdure/proto/google/protobuf/duration';
import type { VersioningOverride as ProtoVersioningOverride } from '@perdure/proto/temporal/api/workflow/v1/message';
import { problemsOfStart } from './given';

export interface WorkflowOptions extends CommonWorkflowOptions {
  /** Names the execution for good; choose one that means something in your domain. */
  workflowId: string;
  /** Workers of this task queue run it. */
  taskQueue: string;
  /**
   * Whether `result` follows continue-as-new, retries and cron.
   * @default true
   */
  followRuns?: boolean;
  /** Time before the first task; not with a cron schedule. */
  startDelay?: Duration;
  /** Pins this execution to a version, or lets it move on, whatever its type says. */
  versioningOverride?: VersioningOverride;
  /** Lets a worker on the same connection take the first task from the response; needs a native connection. */
  requestEagerStart?: boolean;
  /** How arguments and result convert, for workflows by name. */
  typeInfo?: PayloadTypeInfo;
}

export type WorkflowStartOptions<T extends Workflow = Workflow> = WithWorkflowArgs<T, WorkflowOptions>;

export type WithCompiledWorkflowOptions<T extends WorkflowOptions> = Omit<
  T,
  | 'workflowExecutionTimeout'
  | 'workflowRunTimeout'
  | 'workflowTaskTimeout'
  | 'startDelay'
  | 'versioningOverride'
> & {
  args: unknown[];
  workflowExecutionTimeout?: ProtoDuration;
  workflowRunTimeout?: ProtoDuration;
  workflowTaskTimeout?: ProtoDuration;
  startDelay?: ProtoDuration;
  versioningOverride?: ProtoVersioningOverride;
};

export interface CompiledWorkflowOptions extends WithCompiledWorkflowOptions<WorkflowOptions> {}

export interface SignalWithStartTypeInfoOptions {
  /** How the signal's arguments convert, for signals by name. */
  signalTypeInfo?: SignalTypeInfo;
}

export interface WorkflowSignalWithStartOptionsWithoutArgs<SignalArgs extends any[]>
  extends Omit<WorkflowOptions, 'requestEagerStart'> {
  signal: SignalDefinition<SignalArgs> | string;
  signalArgs?: SignalArgs;
}

export interface WorkflowSignalWithStartOptionsWithArgs<SignalArgs extends any[]>
  extends Omit<WorkflowOptions, 'requestEagerStart'> {
  signal: SignalDefinition<SignalArgs> | string;
  signalArgs: SignalArgs;
}

type WorkflowSignalWithStartOptionsBase<SignalArgs extends any[]> = SignalArgs extends [any, ...any[]]
  ? WorkflowSignalWithStartOptionsWithArgs<SignalArgs>
  : WorkflowSignalWithStartOptionsWithoutArgs<SignalArgs>;

export type WorkflowSignalWithStartOptions<SignalArgs extends any[] = []> =
  WorkflowSignalWithStartOptionsBase<SignalArgs> & SignalWithStartTypeInfoOptions;

const PINNED = 1; // temporal.api.workflow.v1.VersioningOverride.PinnedOverrideBehavior

/** The protocol's form of a versioning override. */
export function compileVersioningOverride(override: VersioningOverride): ProtoVersioningOverride {
  if (override === 'AUTO_UPGRADE') return { autoUpgrade: true };
  const { deploymentName, buildId } = override.pinnedTo;
  return { pinned: { version: { deploymentName, buildId }, behavior: PINNED } };
}

/**
 * Checks start options and turns their durations into messages.
 * @throws {ValueError} naming every option that is wrong
 */
export function compileWorkflowOptions<T extends WorkflowOptions>(
  options: T,
): WithCompiledWorkflowOptions<T> {
  const {
    workflowExecutionTimeout,
    workflowRunTimeout,
    workflowTaskTimeout,
    startDelay,
    versioningOverride,
  } = options;
  const problems = problemsOfStart(options as T & Record<string, unknown>);
  if (problems.length > 0) throw new ValueError(`Invalid workflow options: ${problems.join('; ')}`);
  throwIfReservedName('task queue', options.taskQueue);
  // One copy: taking the compiled ones out first would make two, and slow ones.
  const compiled: WithCompiledWorkflowOptions<WorkflowOptions> = {
    ...options,
    args: [...((options as { args?: unknown[] }).args ?? [])],
    workflowExecutionTimeout: msOptionalToTs(workflowExecutionTimeout, 'workflowExecutionTimeout'),
    workflowRunTimeout: msOptionalToTs(workflowRunTimeout, 'workflowRunTimeout'),
    workflowTaskTimeout: msOptionalToTs(workflowTaskTimeout, 'workflowTaskTimeout'),
    startDelay: msOptionalToTs(startDelay, 'startDelay'),
    versioningOverride: versioningOverride ? compileVersioningOverride(versioningOverride) : undefined,
  };
  return compiled as WithCompiledWorkflowOptions<T>;
}
