/**
 * Workflows that are not our children, and signalling of both kinds.
 *
 * E1  A signal that the server has not got yet can be cancelled; then its promise rejects when the core says so.
 */
import {
  type CancelledFailure,
  type SignalDefinition,
  type SignalTypeInfo,
  ValueError,
  type WorkflowExecution,
  type WorkflowSignalOptions,
} from '@perdure/common';
import type {
  ResolveRequestCancelExternalWorkflow,
  ResolveSignalExternalWorkflow,
} from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import { type CancellationScope, currentScope, rejectCancelled } from './cancellation-scope';
import { emit, pendingOf } from './commands';
import { CrossNamespaceError } from './errors';
import { intercept, type SignalWorkflowInput } from './interceptors';
import { patchedInternally } from './patches';
import { argsToPayloads, failureToError, workflowContext } from './payloads';
import {
  type CancelListener,
  OperationKind,
  type PendingOperation,
  type Reject,
  type Resolve,
} from './runtime/operations';
import { type Run, requireWritableRun } from './runtime/run';

/** Written to histories by SDKs since cancel requests heed the scope they are made in. */
const CANCEL_IN_SCOPE_PATCH = '__temporal_internal_connect_external_handle_cancel_to_scope';

export interface ExternalWorkflowHandle {
  /** @throws if the server cannot deliver it */
  signal<Args extends any[] = [], Name extends string = string>(
    def: SignalDefinition<Args, Name> | string,
    ...args: Args
  ): Promise<void>;
  /** By name, with conversion hints. */
  signalWithOptions<Args extends any[] = []>(
    signalName: string,
    options: WorkflowSignalOptions<Args>,
  ): Promise<void>;
  /** Requests cancellation. @throws if the workflow is unknown */
  cancel(): Promise<void>;
  readonly workflowId: string;
  readonly runId?: string;
  /** Set if it was given: the namespace of the workflow. */
  readonly namespace?: string;
}

export interface ExternalWorkflowHandleOptions {
  /**
   * Namespace of the workflow, on the same cluster.
   * @default the namespace of the calling workflow
   */
  namespace?: string;
  /**
   * Says that the server takes signals and cancellations for other namespaces as commands: its dynamic configuration
   * has `system.enableCrossNamespaceCommands`, which is off by default and on Temporal Cloud. A server that has it off
   * refuses the whole workflow task, again and again, which no workflow code could handle: hence the question. The
   * activities of `externalWorkflowActivities` (@perdure/worker) and Nexus work everywhere.
   * @default false
   */
  crossNamespaceCommands?: boolean;
}

/**
 * A handle to signal or cancel a workflow that is no child of this one. Making it asks nobody.
 * @param runId default: the current run at the time the server acts
 * @throws ValueError if the namespace is no text, or empty
 * @throws CrossNamespaceError if the workflow is in another namespace and `crossNamespaceCommands` is not set
 */
export function getExternalWorkflowHandle(
  workflowId: string,
  runId?: string,
  options?: ExternalWorkflowHandleOptions,
): ExternalWorkflowHandle {
  const run = requireWritableRun('getExternalWorkflowHandle()');
  const namespace = options?.namespace;
  if (namespace !== undefined && (typeof namespace !== 'string' || namespace === '')) {
    throw new ValueError(
      "getExternalWorkflowHandle(): the option 'namespace' must be the name of a namespace",
    );
  }
  const own = run.worker.registration.namespace;
  if (namespace !== undefined && namespace !== own && options?.crossNamespaceCommands !== true) {
    throw new CrossNamespaceError(workflowId, namespace, own);
  }
  const workflowExecution: TargetExecution = {
    workflowId,
    runId,
    ...(namespace !== undefined && { namespace }),
  };
  const target = { type: 'external', workflowExecution } as const;
  return {
    ...workflowExecution,
    workflowId,
    signal: (def, ...args) => signalTarget(target, def, args),
    signalWithOptions: (name, options) =>
      signalTarget(target, { name, typeInfo: options.typeInfo }, options.args ?? []),
    cancel: () => requestCancel(run, workflowExecution),
  };
}

/** A workflow by its ids; without a namespace it is in that of the caller. */
export type TargetExecution = WorkflowExecution & { readonly namespace?: string };

function executionMessage(run: Run, { namespace, workflowId, runId }: TargetExecution) {
  return {
    namespace: namespace ?? run.worker.registration.namespace,
    workflowId: workflowId ?? '',
    runId: runId ?? undefined,
  };
}

/** Signals a child or an external workflow. */
export function signalTarget(
  target: SignalWorkflowInput['target'],
  def: { readonly name: string; readonly typeInfo?: SignalTypeInfo } | string,
  args: readonly unknown[],
): Promise<void> {
  const run = requireWritableRun('Signalling a workflow');
  const input: SignalWorkflowInput = {
    seq: run.nextSeqs.signal++,
    signalName: typeof def === 'string' ? def : def.name,
    args: [...args],
    typeInfo: typeof def === 'string' ? undefined : def.typeInfo,
    headers: {},
    target,
  };
  const interceptors = run.interceptors;
  if (interceptors === undefined) return signal(run, input);
  return intercept(interceptors.outbound, 'signalWorkflow', (changed: SignalWorkflowInput) =>
    signal(run, changed),
  )(input);
}

function signal(run: Run, input: SignalWorkflowInput): Promise<void> {
  return new Promise((resolve, reject) => {
    const scope = currentScope(run);
    if (scope.consideredCancelled) return rejectCancelled(scope, reject);
    const { seq, signalName, target } = input;
    const workflowId =
      target.type === 'child' ? target.childWorkflowId : (target.workflowExecution.workflowId ?? '');
    emit(run, {
      signalExternalWorkflowExecution: {
        seq,
        signalName,
        args: argsToPayloads(run, input.args, workflowContext(run, workflowId), input.typeInfo),
        headers: input.headers,
        ...(target.type === 'child'
          ? { childWorkflowId: target.childWorkflowId }
          : {
              workflowExecution: executionMessage(run, target.workflowExecution),
            }),
      },
    });
    const pending = new PendingSignal(run, seq, scope, resolve, reject);
    if (scope.cancellable) scope.listen(pending);
    pendingOf(run).add(OperationKind.SignalExternal, seq, pending);
  });
}

class PendingSignal implements CancelListener, PendingOperation {
  constructor(
    private readonly run: Run,
    private readonly seq: number,
    readonly scope: CancellationScope,
    readonly resolve: Resolve,
    readonly reject: Reject,
  ) {}

  onCancel(_error: CancelledFailure): void {
    const { run, seq } = this;
    if (run.pending?.has(OperationKind.SignalExternal, seq) !== true) return;
    emit(run, { cancelSignalWorkflow: { seq } }); // E1
  }
}

/** Applies a ResolveSignalExternalWorkflow job. */
export function resolveSignal(run: Run, job: ResolveSignalExternalWorkflow): void {
  const pending = run.pending?.take(OperationKind.SignalExternal, job.seq ?? 0) as PendingSignal | undefined;
  if (pending === undefined) return;
  pending.scope.unlisten(pending);
  if (job.failure === undefined) pending.resolve(undefined);
  else pending.reject(failureToError(run, job.failure));
}

function requestCancel(run: Run, target: TargetExecution): Promise<void> {
  return new Promise((resolve, reject) => {
    const scope = currentScope(run);
    const listener: CancelListener = {
      onCancel: (error) => {
        if (patchedInternally(run, CANCEL_IN_SCOPE_PATCH)) reject(error);
      },
    };
    if (scope.cancellable) {
      if (scope.cancellationError !== undefined)
        rejectCancelled(scope, (error) => listener.onCancel(error as CancelledFailure));
      else scope.listen(listener);
    }
    if (scope.consideredCancelled && patchedInternally(run, CANCEL_IN_SCOPE_PATCH)) return;
    const seq = run.nextSeqs.cancel++;
    emit(run, {
      requestCancelExternalWorkflowExecution: { seq, workflowExecution: executionMessage(run, target) },
    });
    // The listener stays: histories have the marker even if the scope is cancelled after the request was answered.
    pendingOf(run).add(OperationKind.CancelExternal, seq, { resolve, reject });
  });
}

/** Applies a ResolveRequestCancelExternalWorkflow job. */
export function resolveCancelRequest(run: Run, job: ResolveRequestCancelExternalWorkflow): void {
  const pending = run.pending?.take(OperationKind.CancelExternal, job.seq ?? 0);
  if (pending === undefined) return;
  if (job.failure === undefined) pending.resolve(undefined);
  else pending.reject(failureToError(run, job.failure));
}
