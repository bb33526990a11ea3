/** Types of workflow and activity functions, of their definitions, and what hangs on the functions themselves. */
import type { Payload, WorkflowExecution } from '@perdure/proto/temporal/api/common/v1/message';
import type { History } from '@perdure/proto/temporal/api/history/v1/message';
import type { PayloadTypeInfo, SignalTypeInfo, TypeInfo } from './converter/type-info';
import type { ProtoFailure } from './failure';
import type { VersioningBehavior } from './worker-deployments';

export type { Payload, PayloadTypeInfo, ProtoFailure, SignalTypeInfo, TypeInfo, WorkflowExecution };

/** What a workflow may return. */
export type WorkflowReturnType = Promise<any>;
/** Any workflow function. */
export type Workflow = (...args: any[]) => WorkflowReturnType;
/** Result of a workflow, without the promise. */
export type WorkflowResultType<W extends Workflow> = ReturnType<W> extends Promise<infer R> ? R : never;

/** A signal handler. */
export type WorkflowSignalType = (...args: any[]) => Promise<void> | void;
/** A query handler; synchronous. */
export type WorkflowQueryType = (...args: any[]) => any;
/** An update handler. */
export type WorkflowUpdateType = (...args: any[]) => Promise<any> | any;
/** Rejects an update by throwing; synchronous. */
export type WorkflowUpdateValidatorType = (...args: any[]) => void;

/** A registered signal handler. */
export type WorkflowSignalAnnotatedType = {
  handler: WorkflowSignalType;
  unfinishedPolicy: HandlerUnfinishedPolicy;
  description?: string;
  typeInfo?: SignalTypeInfo;
};
/** A registered query handler. */
export type WorkflowQueryAnnotatedType = {
  handler: WorkflowQueryType;
  description?: string;
  typeInfo?: PayloadTypeInfo;
};
/** A registered update handler. */
export type WorkflowUpdateAnnotatedType = {
  handler: WorkflowUpdateType;
  unfinishedPolicy: HandlerUnfinishedPolicy;
  validator?: WorkflowUpdateValidatorType;
  description?: string;
  typeInfo?: PayloadTypeInfo;
};

/** What happens to handlers that still run when the workflow ends. */
export const HandlerUnfinishedPolicy = {
  /** Log a warning (unless the workflow fails) and drop them. */
  WARN_AND_ABANDON: 'WARN_AND_ABANDON',
  /** Drop them. A client that waits for an update gets an error. */
  ABANDON: 'ABANDON',
} as const;
export type HandlerUnfinishedPolicy = (typeof HandlerUnfinishedPolicy)[keyof typeof HandlerUnfinishedPolicy];

declare const argsBrand: unique symbol;
declare const retBrand: unique symbol;

/** A signal, with the types of its arguments. */
export interface SignalDefinition<Args extends any[] = [], Name extends string = string> {
  type: 'signal';
  name: Name;
  typeInfo?: SignalTypeInfo;
  /** Compile time only. */
  [argsBrand]: Args;
}

/** A query, with the types of its result and arguments. */
export interface QueryDefinition<Ret, Args extends any[] = [], Name extends string = string> {
  type: 'query';
  name: Name;
  typeInfo?: PayloadTypeInfo;
  /** Compile time only. */
  [argsBrand]: Args;
  /** Compile time only. */
  [retBrand]: Ret;
}

/** An update, with the types of its result and arguments. */
export interface UpdateDefinition<Ret, Args extends any[] = [], Name extends string = string> {
  type: 'update';
  name: Name;
  typeInfo?: PayloadTypeInfo;
  /** Compile time only. */
  [argsBrand]: Args;
  /** Compile time only. */
  [retBrand]: Ret;
}

export interface SignalDefinitionOptions {
  typeInfo?: SignalTypeInfo;
}

export interface QueryDefinitionOptions {
  typeInfo?: PayloadTypeInfo;
}

export interface UpdateDefinitionOptions {
  typeInfo?: PayloadTypeInfo;
}

/** Options of `signalWithOptions`. */
export interface WorkflowSignalOptions<Args extends any[] = []> {
  args?: Args;
  typeInfo?: SignalTypeInfo;
}

/** Options of `queryWithOptions`. */
export interface WorkflowQueryOptions<Args extends any[] = []> {
  args?: Args;
  typeInfo?: PayloadTypeInfo;
}

/** What handles of clients, of children and of external workflows share. */
export interface BaseWorkflowHandle<T extends Workflow> {
  /** Waits for the workflow's result. */
  result(): Promise<WorkflowResultType<T>>;

  signal<Args extends any[] = [], Name extends string = string>(
    def: SignalDefinition<Args, Name> | string,
    ...args: Args
  ): Promise<void>;

  /** Signals by name, with hints on how the arguments convert. */
  signalWithOptions<Args extends any[] = []>(
    signalName: string,
    options: WorkflowSignalOptions<Args>,
  ): Promise<void>;

  readonly workflowId: string;
}

/** Any function that gives a promise can be an activity. */
export type ActivityFunction<P extends any[] = any[], R = any> = (...args: P) => Promise<R>;

/** @deprecated use UntypedActivities */
export type ActivityInterface = Record<string, ActivityFunction>;
/** Activities of which nothing is known. */
export type UntypedActivities = Record<string, ActivityFunction>;

/** A history to replay, with the id of its workflow. */
export interface HistoryAndWorkflowId {
  workflowId: string;
  /** The message, its proto3 JSON, or undefined when it could not be had. */
  history: History | unknown | undefined;
}

/** Options that are asked for when a workflow starts. */
export interface WorkflowDefinitionOptions {
  versioningBehavior?: VersioningBehavior;
  /** Errors of these classes fail the workflow or update, where others fail the task. */
  failureExceptionTypes?: Array<new (...args: any[]) => Error>;
}

export type WorkflowDefinitionOptionsOrGetter = WorkflowDefinitionOptions | (() => WorkflowDefinitionOptions);

/** Options that are needed before the arguments are converted. */
export interface WorkflowStaticOptions {
  typeInfo?: PayloadTypeInfo;
}

/** Argument of `defineWorkflowOptions`. */
export interface WorkflowDefinitionConfig {
  workflowDefinitionOptions?: WorkflowDefinitionOptionsOrGetter;
  staticOptions?: WorkflowStaticOptions;
}

/** What hangs on an activity function. */
export interface ActivityDefinitionOptions {
  typeInfo?: PayloadTypeInfo;
}

/** Names of the members that are activities. */
export type ActivityKeys<A> = {
  [K in keyof A]: A[K] extends ActivityFunction ? K : never;
}[keyof A];

/** Type info by activity name, for proxies. */
export type ActivityTypeInfoMap<A> = Partial<Record<ActivityKeys<A>, PayloadTypeInfo>>;

/** A workflow function with dynamic options on it. */
export type WorkflowFunctionWithOptions<Args extends any[], ReturnType> = {
  workflowDefinitionOptions: WorkflowDefinitionOptionsOrGetter;
} & ((...args: Args) => Promise<ReturnType>);

/** A workflow function with static options on it. */
export type WorkflowFunctionWithStaticOptions<Args extends any[], ReturnType> = {
  staticOptions: WorkflowStaticOptions;
} & ((...args: Args) => Promise<ReturnType>);

/** An activity function with options on it. */
export type ActivityFunctionWithOptions<Args extends any[], ReturnType> = {
  activityDefinitionOptions: ActivityDefinitionOptions;
} & ((...args: Args) => Promise<ReturnType>);

export function isWorkflowFunctionWithOptions(obj: unknown): obj is WorkflowFunctionWithOptions<any[], any> {
  return typeof obj === 'function' && Object.hasOwn(obj, 'workflowDefinitionOptions');
}

export function isWorkflowFunctionWithStaticOptions(
  obj: unknown,
): obj is WorkflowFunctionWithStaticOptions<any[], any> {
  return typeof obj === 'function' && Object.hasOwn(obj, 'staticOptions');
}

export function isActivityFunctionWithOptions(obj: unknown): obj is ActivityFunctionWithOptions<any[], any> {
  return typeof obj === 'function' && Object.hasOwn(obj, 'activityDefinitionOptions');
}
