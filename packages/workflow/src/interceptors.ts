/**
 * Workflow interceptors: the types users implement, and their composition.
 *
 * I1  A run without interceptors pays one comparison a call: `Run.interceptors` is undefined then.
 * I2  The first interceptor of a list is the outermost.
 */
import type {
  Headers,
  MetricTags,
  Next,
  PayloadTypeInfo,
  SignalTypeInfo,
  Timestamp,
  TypeInfo,
  WorkflowExecution,
} from '@perdure/common';
import type { WorkflowActivation } from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import type { WorkflowCommand } from '@perdure/proto/temporal/sdk/core/workflow_commands/workflow_commands';
import type { ActivityOptions, LocalActivityOptions } from './activity-options';
import type { ChildWorkflowOptionsWithDefaults } from './children';
import type { ContinueAsNewOptions } from './continue-as-new';
import type { StartNexusOperationOptions } from './nexus';
import type { TimerInput } from './timers';

export interface WorkflowExecuteInput {
  readonly args: unknown[];
  readonly headers: Headers;
}

export interface UpdateInput {
  readonly updateId: string;
  readonly name: string;
  readonly args: unknown[];
  readonly headers: Headers;
}

export interface SignalInput {
  readonly signalName: string;
  readonly args: unknown[];
  readonly headers: Headers;
}

export interface QueryInput {
  readonly queryId: string;
  readonly queryName: string;
  readonly args: unknown[];
  readonly headers: Headers;
}

/** Calls into the workflow. */
export interface WorkflowInboundCallsInterceptor {
  execute?: (
    input: WorkflowExecuteInput,
    next: Next<WorkflowInboundCallsInterceptor, 'execute'>,
  ) => Promise<unknown>;
  handleUpdate?: (
    input: UpdateInput,
    next: Next<WorkflowInboundCallsInterceptor, 'handleUpdate'>,
  ) => Promise<unknown>;
  validateUpdate?: (
    input: UpdateInput,
    next: Next<WorkflowInboundCallsInterceptor, 'validateUpdate'>,
  ) => void;
  handleSignal?: (
    input: SignalInput,
    next: Next<WorkflowInboundCallsInterceptor, 'handleSignal'>,
  ) => Promise<void>;
  handleQuery?: (
    input: QueryInput,
    next: Next<WorkflowInboundCallsInterceptor, 'handleQuery'>,
  ) => Promise<unknown>;
}

export interface ActivityInput {
  readonly activityType: string;
  readonly args: unknown[];
  readonly options: ActivityOptions;
  readonly headers: Headers;
  readonly seq: number;
  readonly typeInfo?: PayloadTypeInfo;
}

export interface LocalActivityInput {
  readonly activityType: string;
  readonly args: unknown[];
  readonly options: LocalActivityOptions;
  readonly headers: Headers;
  readonly seq: number;
  readonly originalScheduleTime?: Timestamp;
  readonly attempt: number;
  readonly typeInfo?: PayloadTypeInfo;
}

export interface StartNexusOperationInput {
  readonly input: unknown;
  readonly inputType?: TypeInfo<any, any>;
  readonly outputType?: TypeInfo<any, any>;
  readonly endpoint: string;
  readonly service: string;
  readonly options: StartNexusOperationOptions;
  readonly operation: string;
  readonly seq: number;
  readonly headers: Record<string, string>;
}

export interface StartNexusOperationOutput {
  /** Present if the operation goes on asynchronously. */
  readonly token?: string;
  readonly result: Promise<unknown>;
}

export interface StartChildWorkflowExecutionInput {
  readonly workflowType: string;
  readonly options: ChildWorkflowOptionsWithDefaults;
  readonly headers: Headers;
  readonly seq: number;
}

export interface SignalWorkflowInput {
  readonly seq: number;
  readonly signalName: string;
  readonly args: unknown[];
  readonly typeInfo?: SignalTypeInfo;
  readonly headers: Headers;
  readonly target:
    | {
        readonly type: 'external';
        /** Without a namespace: in that of the caller. */
        readonly workflowExecution: WorkflowExecution & { readonly namespace?: string };
      }
    | {
        readonly type: 'child';
        readonly childWorkflowId: string;
      };
}

export type ContinueAsNewInputOptions = ContinueAsNewOptions &
  Required<Pick<ContinueAsNewOptions, 'workflowType'>>;

export interface ContinueAsNewInput {
  readonly args: unknown[];
  readonly headers: Headers;
  readonly options: ContinueAsNewInputOptions;
}

export type GetLogAttributesInput = Record<string, unknown>;
export type GetMetricTagsInput = MetricTags;

/** Calls out of the workflow. */
export interface WorkflowOutboundCallsInterceptor {
  startTimer?: (
    input: TimerInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'startTimer'>,
  ) => Promise<void>;
  scheduleActivity?: (
    input: ActivityInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'scheduleActivity'>,
  ) => Promise<unknown>;
  scheduleLocalActivity?: (
    input: LocalActivityInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'scheduleLocalActivity'>,
  ) => Promise<unknown>;
  startNexusOperation?: (
    input: StartNexusOperationInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'startNexusOperation'>,
  ) => Promise<StartNexusOperationOutput>;
  /** @returns promises of the run id, once started, and of the result */
  startChildWorkflowExecution?: (
    input: StartChildWorkflowExecutionInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'startChildWorkflowExecution'>,
  ) => Promise<[Promise<string>, Promise<unknown>]>;
  signalWorkflow?: (
    input: SignalWorkflowInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'signalWorkflow'>,
  ) => Promise<void>;
  continueAsNew?: (
    input: ContinueAsNewInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'continueAsNew'>,
  ) => Promise<never>;
  getLogAttributes?: (
    input: GetLogAttributesInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'getLogAttributes'>,
  ) => Record<string, unknown>;
  getMetricTags?: (
    input: GetMetricTagsInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'getMetricTags'>,
  ) => MetricTags;
}

export interface ActivateInput {
  activation: WorkflowActivation;
  batchIndex: number;
}

export interface ConcludeActivationInput {
  commands: WorkflowCommand[];
}

export type ConcludeActivationOutput = ConcludeActivationInput;

// biome-ignore lint/suspicious/noEmptyInterface: has no fields yet, by the public API
export interface DisposeInput {}

/** What happens around activations. Experimental. */
export interface WorkflowInternalsInterceptor {
  activate?(input: ActivateInput, next: Next<WorkflowInternalsInterceptor, 'activate'>): void;
  /** May change the commands. */
  concludeActivation?(
    input: ConcludeActivationInput,
    next: Next<WorkflowInternalsInterceptor, 'concludeActivation'>,
  ): ConcludeActivationOutput;
  dispose?(input: DisposeInput, next: Next<WorkflowInternalsInterceptor, 'dispose'>): void;
}

export interface WorkflowInterceptors {
  inbound?: WorkflowInboundCallsInterceptor[];
  outbound?: WorkflowOutboundCallsInterceptor[];
  internals?: WorkflowInternalsInterceptor[];
}

/** Called once a run; a module given as interceptor module exports it as `interceptors`. */
export type WorkflowInterceptorsFactory = () => WorkflowInterceptors;

/** Interceptors of one run, from all modules. */
export interface ComposedInterceptors {
  readonly inbound: readonly WorkflowInboundCallsInterceptor[];
  readonly outbound: readonly WorkflowOutboundCallsInterceptor[];
  readonly internals: readonly WorkflowInternalsInterceptor[];
}

/** Joins what the factories made; undefined if they made nothing (I1). */
export function joinInterceptors(all: readonly WorkflowInterceptors[]): ComposedInterceptors | undefined {
  const inbound = all.flatMap((each) => each.inbound ?? []);
  const outbound = all.flatMap((each) => each.outbound ?? []);
  const internals = all.flatMap((each) => each.internals ?? []);
  if (inbound.length + outbound.length + internals.length === 0) return undefined;
  return { inbound, outbound, internals };
}

/** One function out of a list of interceptors and the function they surround (I2). */
export function intercept<I extends object, K extends keyof I, F extends (input: any) => any>(
  interceptors: readonly I[],
  method: K,
  innermost: F,
): F {
  let composed: (input: any) => any = innermost;
  for (let i = interceptors.length - 1; i >= 0; i--) {
    const interceptor = interceptors[i] as I;
    const implementation = interceptor[method] as ((input: any, next: any) => any) | undefined;
    if (implementation === undefined) continue;
    const next = composed;
    composed = (input) => implementation.call(interceptor, input, next);
  }
  return composed as F;
}

/** Whether any interceptor implements the method. */
export function anyImplements<I extends object>(
  interceptors: readonly I[] | undefined,
  method: keyof I,
): boolean {
  return interceptors?.some((each) => each[method] !== undefined) === true;
}
