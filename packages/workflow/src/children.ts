/**
 * Child workflows.
 *
 * K1  A child has two outcomes: its start, and its completion; a failed start is both.
 * K2  A child's default id is a UUID from the run's stream, drawn when the call is made.
 * K3  Cancellation only asks: the promises settle when the core reports, by the cancellation type.
 * K4  A child that is cancelled by TRY_CANCEL or ABANDON while it starts is over at once: the core never tells of its
 *     start then, which rejects with the result.
 */
import {
  type BaseWorkflowHandle,
  type CancelledFailure,
  type CommonWorkflowOptions,
  compilePriority,
  compileRetryPolicy,
  encodeWorkflowIdReusePolicy,
  extractWorkflowTypeAndConfig,
  msOptionalToTs,
  type PayloadTypeInfo,
  type SearchAttributes,
  type SerializationContext,
  type SignalDefinition,
  type WithWorkflowArgs,
  type Workflow,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowResultType,
  type WorkflowSignalOptions,
} from '@perdure/common';
import { versioningIntentToProto } from '@perdure/common/lib/versioning-intent';
import type {
  ResolveChildWorkflowExecution,
  ResolveChildWorkflowExecutionStart,
} from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import { type CancellationScope, currentScope, rejectCancelled } from './cancellation-scope';
import { type EventGroups, emit, emitCancel, pendingOf } from './commands';
import { makeEnum } from './enums';
import { ActivationError, ChildWorkflowStartError } from './errors';
import type { EventGroupMarker } from './event-groups';
import { signalTarget } from './external-workflows';
import { intercept, type StartChildWorkflowExecutionInput } from './interceptors';
import { argsToPayloads, failureToError, fromPayload, workflowContext } from './payloads';
import { uuid4 } from './random';
import { refuseReadOnly } from './read-only';
import {
  type CancelListener,
  OperationKind,
  type PendingOperation,
  type Reject,
  type Resolve,
} from './runtime/operations';
import { type Run, requireWritableRun } from './runtime/run';
import { encodeMemo, encodeSearchAttributes } from './search-attributes';

/** When the parent hears that a child it cancelled is cancelled. */
export const ChildWorkflowCancellationType = {
  /** The child is not told. */
  ABANDON: 'ABANDON',
  /** The child is told; the promise rejects at once. */
  TRY_CANCEL: 'TRY_CANCEL',
  /** Waits until the child has closed. */
  WAIT_CANCELLATION_COMPLETED: 'WAIT_CANCELLATION_COMPLETED',
  /** Waits until the request is in the child's history. */
  WAIT_CANCELLATION_REQUESTED: 'WAIT_CANCELLATION_REQUESTED',
} as const;
export type ChildWorkflowCancellationType =
  (typeof ChildWorkflowCancellationType)[keyof typeof ChildWorkflowCancellationType];

const encodeCancellationType = makeEnum<ChildWorkflowCancellationType>('ChildWorkflowCancellationType', '', {
  ABANDON: 0,
  TRY_CANCEL: 1,
  WAIT_CANCELLATION_COMPLETED: 2,
  WAIT_CANCELLATION_REQUESTED: 3,
});

/** What happens to a child when its parent closes. */
export const ParentClosePolicy = {
  TERMINATE: 'TERMINATE',
  ABANDON: 'ABANDON',
  REQUEST_CANCEL: 'REQUEST_CANCEL',

  /** @deprecated use undefined */
  PARENT_CLOSE_POLICY_UNSPECIFIED: undefined,
  /** @deprecated use TERMINATE */
  PARENT_CLOSE_POLICY_TERMINATE: 'TERMINATE',
  /** @deprecated use ABANDON */
  PARENT_CLOSE_POLICY_ABANDON: 'ABANDON',
  /** @deprecated use REQUEST_CANCEL */
  PARENT_CLOSE_POLICY_REQUEST_CANCEL: 'REQUEST_CANCEL',
} as const;
export type ParentClosePolicy = (typeof ParentClosePolicy)[keyof typeof ParentClosePolicy];

const encodeParentClosePolicy = makeEnum<NonNullable<ParentClosePolicy>>(
  'ParentClosePolicy',
  'PARENT_CLOSE_POLICY_',
  {
    TERMINATE: 1,
    ABANDON: 2,
    REQUEST_CANCEL: 3,
  },
);

export interface ChildWorkflowOptions extends Omit<CommonWorkflowOptions, 'workflowIdConflictPolicy'> {
  /** Conversion hints, when the child is started by name. */
  typeInfo?: PayloadTypeInfo;
  /** Default: a deterministic UUID. */
  workflowId?: string;
  /** Default: the parent's. */
  taskQueue?: string;
  /** Default WAIT_CANCELLATION_COMPLETED. */
  cancellationType?: ChildWorkflowCancellationType;
  /** Default TERMINATE. */
  parentClosePolicy?: ParentClosePolicy;
  eventGroups?: EventGroupMarker[];
  /** @deprecated use worker deployments */
  versioningIntent?: 'COMPATIBLE' | 'DEFAULT';
  /** @deprecated use typedSearchAttributes */
  searchAttributes?: SearchAttributes;
}

/** Options for a child given as a function: hints come from its definition. */
export type ChildWorkflowDefinitionOptions = Omit<ChildWorkflowOptions, 'typeInfo'>;

export interface ChildWorkflowOptionsWithDefaults extends ChildWorkflowOptions {
  workflowId: string;
  cancellationType: ChildWorkflowCancellationType;
  args: unknown[];
}

/** A child that has started. */
export interface ChildWorkflowHandle<T extends Workflow> extends BaseWorkflowHandle<T> {
  /** The first run of the child's chain. */
  readonly firstExecutionRunId: string;
}

/** Fills in workflowId and cancellationType. */
export function addDefaultWorkflowOptions<T extends Workflow>(
  opts: WithWorkflowArgs<T, ChildWorkflowOptions>,
): ChildWorkflowOptionsWithDefaults {
  const { args, workflowId, ...rest } = opts as ChildWorkflowOptions & { args?: readonly unknown[] };
  return {
    ...rest,
    workflowId: workflowId ?? uuid4(), // K2
    cancellationType: rest.cancellationType ?? ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    args: [...(args ?? [])],
  };
}

/**
 * Starts a child workflow. @returns its handle, once it has started
 * @throws WorkflowExecutionAlreadyStartedError if the id is in use
 */
export function startChild<T extends Workflow>(
  workflowType: string,
  options: WithWorkflowArgs<T, ChildWorkflowOptions>,
): Promise<ChildWorkflowHandle<T>>;
export function startChild<T extends Workflow>(
  workflowFunc: T,
  options: WithWorkflowArgs<T, ChildWorkflowDefinitionOptions>,
): Promise<ChildWorkflowHandle<T>>;
export function startChild<T extends () => Promise<any>>(
  workflowType: string,
): Promise<ChildWorkflowHandle<T>>;
export function startChild<T extends () => Promise<any>>(workflowFunc: T): Promise<ChildWorkflowHandle<T>>;
export function startChild<T extends Workflow>(
  workflowTypeOrFunc: string | T,
  options?: WithWorkflowArgs<T, ChildWorkflowOptions>,
): Promise<ChildWorkflowHandle<T>> {
  refuseReadOnly('startChild()');
  return startChildNow(workflowTypeOrFunc, options);
}

async function startChildNow<T extends Workflow>(
  workflowTypeOrFunc: string | T,
  options: WithWorkflowArgs<T, ChildWorkflowOptions> | undefined,
): Promise<ChildWorkflowHandle<T>> {
  const run = requireWritableRun('startChild()');
  const input = makeInput(run, workflowTypeOrFunc, options);
  const [started, completed] = await execute(run, input);
  const firstExecutionRunId = await started;
  const target = { type: 'child', childWorkflowId: input.options.workflowId } as const;
  return {
    workflowId: input.options.workflowId,
    firstExecutionRunId,
    async result(): Promise<WorkflowResultType<T>> {
      return (await completed) as WorkflowResultType<T>;
    },
    async signal<Args extends any[]>(def: SignalDefinition<Args> | string, ...args: Args): Promise<void> {
      return signalTarget(target, def, args);
    },
    async signalWithOptions<Args extends any[]>(
      name: string,
      options: WorkflowSignalOptions<Args>,
    ): Promise<void> {
      return signalTarget(target, { name, typeInfo: options.typeInfo }, options.args ?? []);
    },
  } as ChildWorkflowHandle<T>;
}

/** Starts a child workflow and waits for its result. @throws ChildWorkflowFailure with the reason as `cause` */
export function executeChild<T extends Workflow>(
  workflowType: string,
  options: WithWorkflowArgs<T, ChildWorkflowOptions>,
): Promise<WorkflowResultType<T>>;
export function executeChild<T extends Workflow>(
  workflowFunc: T,
  options: WithWorkflowArgs<T, ChildWorkflowDefinitionOptions>,
): Promise<WorkflowResultType<T>>;
export function executeChild<T extends () => Promise<any>>(
  workflowType: string,
): Promise<WorkflowResultType<T>>;
export function executeChild<T extends () => Promise<any>>(workflowFunc: T): Promise<WorkflowResultType<T>>;
export function executeChild<T extends Workflow>(
  workflowTypeOrFunc: string | T,
  options?: WithWorkflowArgs<T, ChildWorkflowOptions>,
): Promise<WorkflowResultType<T>> {
  refuseReadOnly('executeChild()');
  return executeChildNow(workflowTypeOrFunc, options);
}

async function executeChildNow<T extends Workflow>(
  workflowTypeOrFunc: string | T,
  options: WithWorkflowArgs<T, ChildWorkflowOptions> | undefined,
): Promise<WorkflowResultType<T>> {
  const run = requireWritableRun('executeChild()');
  const input = makeInput(run, workflowTypeOrFunc, options);
  return execute(run, input).then(([, completed]) => completed as Promise<WorkflowResultType<T>>);
}

function makeInput(
  run: Run,
  workflowTypeOrFunc: string | Workflow,
  options: ChildWorkflowOptions | undefined,
): StartChildWorkflowExecutionInput {
  const withDefaults = addDefaultWorkflowOptions(
    (options ?? {}) as WithWorkflowArgs<Workflow, ChildWorkflowOptions>,
  );
  const { type, typeInfo } = extractWorkflowTypeAndConfig(workflowTypeOrFunc, options?.typeInfo);
  return {
    workflowType: type,
    options: typeInfo === undefined ? withDefaults : { ...withDefaults, typeInfo },
    headers: {},
    seq: run.nextSeqs.child++,
  };
}

type Outcomes = [Promise<string>, Promise<unknown>];

function execute(run: Run, input: StartChildWorkflowExecutionInput): Promise<Outcomes> {
  const interceptors = run.interceptors;
  if (interceptors === undefined) return Promise.resolve(start(run, input));
  return intercept(
    interceptors.outbound,
    'startChildWorkflowExecution',
    async (changed: StartChildWorkflowExecutionInput) => start(run, changed),
  )(input);
}

function start(run: Run, input: StartChildWorkflowExecutionInput): Outcomes {
  const { options, seq, workflowType } = input;
  const workflowId = options.workflowId ?? uuid4();
  const context = workflowContext(run, workflowId);
  const site = new Error('child workflow'); // stack-traces.ts, W2
  const started = new Promise<string>((resolve, reject) => {
    const scope = currentScope(run);
    if (scope.consideredCancelled) return rejectCancelled(scope, reject);
    const groups = emit(
      run,
      {
        startChildWorkflowExecution: {
          seq,
          namespace: run.worker.registration.namespace,
          workflowId,
          workflowType,
          taskQueue: options.taskQueue || run.worker.registration.taskQueue,
          input: argsToPayloads(run, options.args, context, options.typeInfo),
          workflowExecutionTimeout: msOptionalToTs(
            options.workflowExecutionTimeout,
            'workflowExecutionTimeout',
          ),
          workflowRunTimeout: msOptionalToTs(options.workflowRunTimeout, 'workflowRunTimeout'),
          workflowTaskTimeout: msOptionalToTs(options.workflowTaskTimeout, 'workflowTaskTimeout'),
          parentClosePolicy: encodeParentClosePolicy(options.parentClosePolicy),
          workflowIdReusePolicy: encodeWorkflowIdReusePolicy(options.workflowIdReusePolicy),
          retryPolicy: options.retry && compileRetryPolicy(options.retry),
          cronSchedule: options.cronSchedule,
          headers: input.headers,
          memo: options.memo && encodeMemo(run, options.memo, context),
          searchAttributes: encodeSearchAttributes(options.searchAttributes, options.typedSearchAttributes),
          cancellationType: encodeCancellationType(options.cancellationType),
          versioningIntent: versioningIntentToProto(options.versioningIntent),
          priority: options.priority && compilePriority(options.priority),
        },
      },
      {
        summary: options.staticSummary,
        details: options.staticDetails,
        eventGroups: options.eventGroups,
      },
      context,
    );
    const child = new PendingChild(run, seq, workflowId, context, scope, groups, site, resolve, reject);
    if (scope.cancellable) scope.listen(child);
    pendingOf(run).add(OperationKind.ChildStart, seq, child);
  });
  const completed = new Promise<unknown>((resolve, reject) => {
    started.catch(reject); // K1
    pendingOf(run).add(
      OperationKind.ChildCompletion,
      seq,
      new PendingChildResult(context, options.typeInfo, site, resolve, reject),
    );
  });
  completed.catch(ignore); // nobody may ever wait for it
  return [started, completed];
}

class PendingChild implements CancelListener, PendingOperation {
  constructor(
    private readonly run: Run,
    private readonly seq: number,
    readonly workflowId: string,
    readonly context: SerializationContext | undefined,
    readonly scope: CancellationScope,
    private readonly groups: EventGroups,
    readonly site: Error,
    readonly resolve: Resolve,
    readonly reject: Reject,
  ) {}

  onCancel(error: CancelledFailure): void {
    const { run, seq } = this;
    if (run.pending?.has(OperationKind.ChildCompletion, seq) !== true) return;
    const command = { cancelChildWorkflowExecution: { childWorkflowSeq: seq, reason: error.message } };
    emitCancel(run, command, this.groups); // K3
  }
}

class PendingChildResult implements PendingOperation {
  /** Kept to end the child's listening when it completes. */
  child: PendingChild | undefined = undefined;

  constructor(
    readonly context: SerializationContext | undefined,
    readonly typeInfo: PayloadTypeInfo | undefined,
    readonly site: Error,
    readonly resolve: Resolve,
    readonly reject: Reject,
  ) {}
}

/** Applies a ResolveChildWorkflowExecutionStart job. */
export function resolveChildStart(run: Run, job: ResolveChildWorkflowExecutionStart): void {
  const seq = job.seq ?? 0;
  const child = run.pending?.take(OperationKind.ChildStart, seq) as PendingChild | undefined;
  if (child === undefined) return;
  if (job.succeeded !== undefined) {
    const completion = run.pending?.take(OperationKind.ChildCompletion, seq) as
      | PendingChildResult
      | undefined;
    if (completion !== undefined) {
      completion.child = child;
      pendingOf(run).add(OperationKind.ChildCompletion, seq, completion);
    }
    child.resolve(job.succeeded.runId);
    return;
  }
  run.pending?.take(OperationKind.ChildCompletion, seq);
  child.scope.unlisten(child);
  if (job.failed !== undefined) {
    const { workflowId = '', workflowType = '', cause } = job.failed;
    child.reject(
      cause === 1
        ? new WorkflowExecutionAlreadyStartedError(
            'Workflow execution already started',
            workflowId,
            workflowType,
          )
        : new ChildWorkflowStartError(workflowId, workflowType, startFailedCause(cause)),
    );
  } else if (job.cancelled !== undefined) {
    child.reject(failureToError(run, job.cancelled.failure, child.context));
  } else {
    throw new ActivationError(
      `The start of child workflow '${child.workflowId}' was resolved without an outcome`,
    );
  }
}

function startFailedCause(cause: number | undefined): string {
  if (cause === 2) return 'the namespace does not exist';
  if (cause === 3) return 'the versioning override is not valid';
  return `the server gave cause ${cause ?? 0}`;
}

/** Applies a ResolveChildWorkflowExecution job. */
export function resolveChild(run: Run, job: ResolveChildWorkflowExecution): void {
  const completion = run.pending?.take(OperationKind.ChildCompletion, job.seq ?? 0) as
    | PendingChildResult
    | undefined;
  if (completion === undefined) return;
  const { context } = completion;
  const starting = run.pending?.take(OperationKind.ChildStart, job.seq ?? 0) as PendingChild | undefined; // K4
  const child = completion.child ?? starting;
  if (child !== undefined) child.scope.unlisten(child);
  const reject = (error: Error) => {
    starting?.reject(error);
    completion.reject(error);
  };
  const result = job.result;
  if (result?.completed !== undefined) {
    let value: unknown;
    try {
      value = fromPayload(run, result.completed.result, context, completion.typeInfo?.outputType);
    } catch (error) {
      completion.reject(error);
      return;
    }
    completion.resolve(value);
  } else if (result?.failed !== undefined) {
    reject(failureToError(run, result.failed.failure, context));
  } else if (result?.cancelled !== undefined) {
    reject(failureToError(run, result.cancelled.failure, context));
  } else {
    throw new ActivationError(`Child workflow ${job.seq} was resolved without an outcome`);
  }
}

function ignore(): void {}
