/**
 * Nexus operations called from workflows.
 *
 * N1  An operation has two outcomes: its start (with a token if it goes on), and its result.
 * N2  Cancellation only asks: the promises settle when the core reports, by the cancellation type.
 * N3  The result may come before the start: that of an operation which is cancelled while it waits for a handler. It
 *     settles both, and a start that follows is ignored.
 * N4  The promises of an operation take as many microtasks to settle as histories have it: what else happens in the
 *     activation that resolves it depends on that.
 */
import {
  type CancelledFailure,
  type Duration,
  msOptionalToTs,
  type SerializationContext,
  type TypeInfo,
} from '@perdure/common';
import type {
  ResolveNexusOperation,
  ResolveNexusOperationStart,
} from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import type * as nexus from 'nexus-rpc';
import { type CancellationScope, currentScope, rejectCancelled } from './cancellation-scope';
import { type EventGroups, emit, emitCancel, pendingOf } from './commands';
import { makeEnum } from './enums';
import { ActivationError } from './errors';
import type { EventGroupMarker } from './event-groups';
import { intercept, type StartNexusOperationInput, type StartNexusOperationOutput } from './interceptors';
import { failureToError, fromPayload, toPayload, workflowContext } from './payloads';
import { refuseReadOnly } from './read-only';
import {
  type CancelListener,
  OperationKind,
  type PendingOperation,
  type Reject,
  type Resolve,
} from './runtime/operations';
import { type Run, requireWritableRun } from './runtime/run';

/** When the caller hears that an operation it cancelled is cancelled. */
export const NexusOperationCancellationType = {
  ABANDON: 'ABANDON',
  TRY_CANCEL: 'TRY_CANCEL',
  WAIT_CANCELLATION_REQUESTED: 'WAIT_CANCELLATION_REQUESTED',
  WAIT_CANCELLATION_COMPLETED: 'WAIT_CANCELLATION_COMPLETED',
} as const;
export type NexusOperationCancellationType =
  (typeof NexusOperationCancellationType)[keyof typeof NexusOperationCancellationType];

const encodeCancellationType = makeEnum<NexusOperationCancellationType>(
  'NexusOperationCancellationType',
  '',
  {
    WAIT_CANCELLATION_COMPLETED: 0,
    ABANDON: 1,
    TRY_CANCEL: 2,
    WAIT_CANCELLATION_REQUESTED: 3,
  },
);

/** A service definition of nexus-rpc, as far as callers need it. */
export interface NexusServiceDefinition {
  readonly name: string;
  readonly operations: Record<string, any>;
}

export interface StartNexusOperationOptions {
  /** Limit of the whole operation. Default: the server's maximum. */
  scheduleToCloseTimeout?: Duration;
  /** Limit of the wait for its start. */
  scheduleToStartTimeout?: Duration;
  /** Limit after its start, for asynchronous operations. */
  startToCloseTimeout?: Duration;
  /** Default WAIT_CANCELLATION_COMPLETED. */
  cancellationType?: NexusOperationCancellationType;
  /** One line for user interfaces. */
  summary?: string;
  eventGroups?: EventGroupMarker[];
}

export interface NexusServiceClientOptions<T> {
  endpoint: string;
  service: T;
}

/** An operation that has started. */
export interface NexusOperationHandle<T> {
  readonly service: string;
  readonly operation: string;
  /** Present if the operation goes on asynchronously. */
  readonly token?: string;
  result(): Promise<T>;
}

export interface NexusServiceClient<T extends NexusServiceDefinition> {
  /** Starts an operation (its definition or its key) and waits for the result. */
  executeOperation<O extends T['operations'][keyof T['operations']]>(
    op: O,
    input: nexus.OperationInput<O>,
    options?: Partial<StartNexusOperationOptions>,
  ): Promise<nexus.OperationOutput<O>>;
  executeOperation<K extends keyof T['operations'] & string>(
    op: K,
    input: nexus.OperationInput<T['operations'][K]>,
    options?: Partial<StartNexusOperationOptions>,
  ): Promise<nexus.OperationOutput<T['operations'][K]>>;
  /** Starts an operation (its definition or its key). */
  startOperation<O extends T['operations'][keyof T['operations']]>(
    op: O,
    input: nexus.OperationInput<O>,
    options?: Partial<StartNexusOperationOptions>,
  ): Promise<NexusOperationHandle<nexus.OperationOutput<O>>>;
  startOperation<K extends keyof T['operations'] & string>(
    op: K,
    input: nexus.OperationInput<T['operations'][K]>,
    options?: Partial<StartNexusOperationOptions>,
  ): Promise<NexusOperationHandle<nexus.OperationOutput<T['operations'][K]>>>;
}

/** A client of a Nexus service, for workflow code. */
export function createNexusServiceClient<T extends NexusServiceDefinition>(
  options: NexusServiceClientOptions<T>,
): NexusServiceClient<T> {
  const { endpoint, service } = options;
  const start = async (op: any, input: unknown, given?: Partial<StartNexusOperationOptions>) => {
    const run = requireWritableRun(API);
    const operation = operationOf(service, op);
    const output = await startOperation(run, {
      input,
      inputType: operation.inputTypeInfo,
      outputType: operation.outputTypeInfo,
      endpoint,
      service: service.name,
      operation: operation.name,
      options: given ?? {},
      headers: {},
      seq: run.nextSeqs.nexus++,
    });
    return {
      service: service.name,
      operation: operation.name,
      token: output.token,
      result: async () => output.result, // N4
    };
  };
  const execute = async (op: any, input: unknown, given?: Partial<StartNexusOperationOptions>) => {
    const handle = await start(op, input, given);
    return await handle.result(); // N4
  };
  type Call = (op: any, input: unknown, given?: Partial<StartNexusOperationOptions>) => Promise<unknown>;
  const refusing =
    (call: Call): Call =>
    (...args) => {
      refuseReadOnly(API);
      return call(...args);
    };
  return {
    startOperation: refusing(start),
    executeOperation: refusing(execute),
  } as NexusServiceClient<T>;
}

const API = 'A Nexus operation';

function operationOf(
  service: NexusServiceDefinition,
  op: string | nexus.OperationDefinition<any, any>,
): { name: string; inputTypeInfo?: TypeInfo<any, any>; outputTypeInfo?: TypeInfo<any, any> } {
  const known = typeof op !== 'string' ? op : Object.hasOwn(service.operations, op) && service.operations[op];
  if (!known) return { name: op as string };
  return { name: known.name ?? op, inputTypeInfo: known.inputType, outputTypeInfo: known.outputType };
}

function startOperation(run: Run, input: StartNexusOperationInput): Promise<StartNexusOperationOutput> {
  const interceptors = run.interceptors;
  if (interceptors === undefined) return schedule(run, input);
  return intercept(interceptors.outbound, 'startNexusOperation', (changed: StartNexusOperationInput) =>
    schedule(run, changed),
  )(input);
}

function schedule(run: Run, input: StartNexusOperationInput): Promise<StartNexusOperationOutput> {
  return new Promise((resolve, reject) => {
    const scope = currentScope(run);
    if (scope.consideredCancelled) return rejectCancelled(scope, reject);
    const { seq, options } = input;
    const context = workflowContext(run);
    const groups = emit(
      run,
      {
        scheduleNexusOperation: {
          seq,
          endpoint: input.endpoint,
          service: input.service,
          operation: input.operation,
          input: toPayload(run, input.input, context, input.inputType),
          scheduleToCloseTimeout: msOptionalToTs(options.scheduleToCloseTimeout, 'scheduleToCloseTimeout'),
          scheduleToStartTimeout: msOptionalToTs(options.scheduleToStartTimeout, 'scheduleToStartTimeout'),
          startToCloseTimeout: msOptionalToTs(options.startToCloseTimeout, 'startToCloseTimeout'),
          nexusHeader: input.headers,
          cancellationType: encodeCancellationType(options.cancellationType),
        },
      },
      options,
    );
    const operation = new PendingNexusOperation(
      run,
      seq,
      context,
      input.outputType,
      scope,
      groups,
      resolve,
      reject,
    );
    if (scope.cancellable) scope.listen(operation);
    pendingOf(run).add(OperationKind.NexusStart, seq, operation);
    pendingOf(run).add(OperationKind.NexusCompletion, seq, operation.completion);
  });
}

class PendingNexusOperation implements CancelListener, PendingOperation {
  readonly completion: PendingNexusResult;
  readonly result: Promise<unknown>;

  constructor(
    private readonly run: Run,
    private readonly seq: number,
    readonly context: SerializationContext | undefined,
    readonly outputType: TypeInfo<any, any> | undefined,
    readonly scope: CancellationScope,
    private readonly groups: EventGroups,
    readonly resolve: Resolve,
    readonly reject: Reject,
  ) {
    let completion!: PendingNexusResult;
    this.result = new Promise((resolveResult, rejectResult) => {
      const site = new Error('Nexus operation'); // stack-traces.ts, W2
      completion = { operation: this, site, resolve: resolveResult, reject: rejectResult };
    });
    this.result.catch(ignore); // nobody may ever wait for it
    this.completion = completion;
  }

  onCancel(_error: CancelledFailure): void {
    const { run, seq } = this;
    if (run.pending?.has(OperationKind.NexusCompletion, seq) !== true) return;
    emitCancel(run, { requestCancelNexusOperation: { seq } }, this.groups); // N2
  }
}

interface PendingNexusResult extends PendingOperation {
  readonly operation: PendingNexusOperation;
}

/** Applies a ResolveNexusOperationStart job. */
export function resolveNexusStart(run: Run, job: ResolveNexusOperationStart): void {
  const seq = job.seq ?? 0;
  const operation = run.pending?.take(OperationKind.NexusStart, seq) as PendingNexusOperation | undefined;
  if (operation === undefined) return;
  if (job.failed !== undefined) {
    run.pending?.take(OperationKind.NexusCompletion, seq);
    operation.scope.unlisten(operation);
    operation.reject(failureToError(run, job.failed, operation.context));
  } else if (job.operationToken !== undefined) {
    operation.resolve({ token: job.operationToken, result: operation.result });
  } else {
    operation.resolve({ result: operation.result }); // started and resolved at once: the result follows
  }
}

/** Applies a ResolveNexusOperation job. */
export function resolveNexus(run: Run, job: ResolveNexusOperation): void {
  const pending = run.pending?.take(OperationKind.NexusCompletion, job.seq ?? 0) as
    | PendingNexusResult
    | undefined;
  if (pending === undefined) return;
  const { operation } = pending;
  operation.scope.unlisten(operation);
  const started = run.pending?.take(OperationKind.NexusStart, job.seq ?? 0) === undefined;
  const result = job.result;
  const failure = result?.failed ?? result?.cancelled ?? result?.timedOut;
  if (failure !== undefined) {
    const error = failureToError(run, failure, operation.context);
    if (!started) operation.reject(error); // N3
    pending.reject(error);
  } else if (result?.completed !== undefined) {
    if (!started) operation.resolve({ result: operation.result }); // N3
    let value: unknown;
    try {
      value = fromPayload(run, result.completed, operation.context, operation.outputType);
    } catch (error) {
      pending.reject(error);
      return;
    }
    pending.resolve(value);
  } else {
    throw new ActivationError(`Nexus operation ${job.seq} was resolved without an outcome`);
  }
}

function ignore(): void {}
