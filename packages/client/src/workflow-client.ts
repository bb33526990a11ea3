/**
 * The client for workflows.
 *
 * Owns    the public methods, the chains of interceptors, the handles.
 * Leaves  requests and responses to workflow-calls.ts, workflow-result.ts and visibility.ts.
 * H1  Every call that interceptors can see goes through them, also when a handle makes it.
 * H2  A handle of `start` acts on whatever run of the chain is the latest, guarded by the first run id; its result is
 *     that of the run which was started.
 */
import { randomUUID } from 'node:crypto';
import {
  composeInterceptors,
  extractWorkflowTypeAndConfig,
  type Next,
  type PayloadTypeInfo,
  type SignalDefinition,
  type SignalTypeInfo,
  type TypeInfo,
  type UpdateDefinition,
  ValueError,
  type WithWorkflowArgs,
  type Workflow,
  type WorkflowResultType,
} from '@perdure/common';
import type { Outcome } from '@perdure/proto/temporal/api/update/v1/message';
import {
  BaseClient,
  type BaseClientOptions,
  type LoadedBaseClientOptions,
  resolveBaseClientOptions,
} from './base-client';
import { type ConnectionLike, type InternalConnectionLike, InternalConnectionLikeSymbol } from './connection';
import { WorkflowUpdateFailedError } from './errors';
import { argumentsOf, checkOptions, checkWorkflowId, handlerOf } from './given';
import type {
  WorkflowClientInterceptor,
  WorkflowClientInterceptors,
  WorkflowStartInput,
} from './interceptors';
import { extendedService } from './request-extras';
import type { WorkflowService } from './services';
import {
  type CountWorkflowExecution,
  encodeQueryRejectCondition,
  type GetWorkflowHandleOptions,
  type QueryRejectCondition,
  type WorkflowExecution,
  type WorkflowResultOptions,
  type WorkflowUpdateOptions,
} from './types';
import {
  type AsyncWorkflowListIterable,
  countWorkflows,
  decodeDescription,
  fetchHistory,
  type ListOptions,
  listWorkflows,
} from './visibility';
import { settleWithStart, type WithStartWorkflowOperation } from './with-start-operation';
import {
  type CallSite,
  cancelWorkflow,
  contextOf,
  describeWorkflow,
  pollUpdateOutcome,
  queryWorkflow,
  signalWithStart,
  signalWorkflow,
  startUpdate,
  startUpdateWithStart,
  startWorkflow,
  terminateWorkflow,
  type WaitForStage,
} from './workflow-calls';
import type {
  WorkflowHandle,
  WorkflowHandleWithSignaledRunId,
  WorkflowHandleWithStartDetails,
  WorkflowUpdateHandle,
} from './workflow-handle';
import {
  compileWorkflowOptions,
  type WorkflowOptions,
  type WorkflowSignalWithStartOptions,
  type WorkflowStartOptions,
} from './workflow-options';
import { workflowResult } from './workflow-result';

export interface WorkflowClientOptions extends BaseClientOptions {
  /** Outermost first. */
  interceptors?: WorkflowClientInterceptors | WorkflowClientInterceptor[];
  /**
   * When queries are refused.
   * @default never
   */
  queryRejectCondition?: QueryRejectCondition;
}

export type LoadedWorkflowClientOptions = LoadedBaseClientOptions & {
  interceptors: WorkflowClientInterceptors | WorkflowClientInterceptor[];
  queryRejectCondition: QueryRejectCondition;
  connection: ConnectionLike;
};

interface HandleParts {
  readonly workflowId: string;
  /** The run that calls act on; the latest if not given. */
  readonly runId?: string;
  /** The run whose result is waited for. */
  readonly runIdForResult?: string;
  readonly firstExecutionRunId?: string;
  readonly resultOptions: WorkflowResultOptions;
}

/**
 * Options of the older spelling `createWorkflowHandle`: a random workflow id unless given.
 */
export type CreateWorkflowHandleOptions = Omit<WorkflowOptions, 'workflowId'> & { workflowId?: string };

/** Handle of the older spelling: made first, started afterwards. */
export interface UnstartedWorkflowHandle<T extends Workflow> extends WorkflowHandle<T> {
  /** Older spelling of `WorkflowClient.start`; gives the run id. */
  start(...args: Parameters<T>): Promise<string>;
  /** Older spelling of `WorkflowClient.execute`. */
  execute(...args: Parameters<T>): Promise<WorkflowResultType<T>>;
  /** Older spelling of `WorkflowClient.signalWithStart`; gives the run id. */
  signalWithStart<SignalArgs extends any[]>(
    def: SignalDefinition<SignalArgs> | string,
    signalArgs: SignalArgs,
    workflowArgs: Parameters<T>,
  ): Promise<string>;
}

function isConnection(value: WorkflowClientOptions | ConnectionLike): value is ConnectionLike {
  return 'workflowService' in value && 'ensureConnected' in value;
}

/** Starts workflows, finds them, and talks to them. */
export class WorkflowClient extends BaseClient {
  readonly options: LoadedWorkflowClientOptions;

  /** @param options  options, or a connection alone with all else as default */
  constructor(options: WorkflowClientOptions | ConnectionLike = {}) {
    const given: WorkflowClientOptions = isConnection(options) ? { connection: options } : options;
    const base = resolveBaseClientOptions(given);
    super(given, base);
    this.options = {
      ...base,
      interceptors: given.interceptors ?? [],
      queryRejectCondition: given.queryRejectCondition,
      connection: this.connection,
    };
  }

  /** What the calls need of this client; the service is read at each call. */
  private get site(): CallSite {
    return {
      workflowService: this.serviceForCalls(),
      namespace: this.base.namespace,
      identity: this.base.identity,
      data: this.data,
    };
  }

  private serviceForCalls(): WorkflowService {
    return extendedService(this.workflowService);
  }

  private interceptorsFor(workflowId: string, runId?: string): readonly WorkflowClientInterceptor[] {
    const { interceptors } = this.options;
    if (Array.isArray(interceptors)) return interceptors;
    return (interceptors.calls ?? []).map((make) => make({ workflowId, runId }));
  }

  /** H1 */
  private intercepted<M extends keyof WorkflowClientInterceptor>(
    method: M,
    execution: WorkflowExecution,
    last: Next<WorkflowClientInterceptor, M>,
  ): Next<WorkflowClientInterceptor, M> {
    return composeInterceptors(this.interceptorsFor(execution.workflowId, execution.runId), method, last);
  }

  private startInput<T extends Workflow>(
    workflowTypeOrFunc: string | T,
    options: WithWorkflowArgs<T, WorkflowOptions>,
  ): WorkflowStartInput {
    checkOptions(options, 'workflowId and taskQueue');
    const { type, typeInfo } = extractWorkflowTypeAndConfig(workflowTypeOrFunc, options.typeInfo);
    if (type === '') throw new ValueError('Invalid workflow type: the name is empty');
    const compiled = compileWorkflowOptions<WorkflowOptions>(options);
    compiled.typeInfo = typeInfo; // compiling makes an object of its own
    return { workflowType: type, headers: {}, options: compiled };
  }

  /**
   * Starts a workflow.
   * @param workflowTypeOrFunc  the workflow function, or the name of the type
   * @returns a handle that knows the first run
   * @throws {WorkflowExecutionAlreadyStartedError} the id is in use and the policies refuse
   * @throws {NamespaceNotFoundError} @throws {ServiceError} @throws {ValueError} wrong options
   */
  async start<T extends Workflow>(
    workflowTypeOrFunc: string | T,
    options: WorkflowStartOptions<T>,
  ): Promise<WorkflowHandleWithStartDetails<T>> {
    const input = this.startInput(workflowTypeOrFunc, options);
    const { workflowId, requestEagerStart, typeInfo, followRuns } = input.options;
    const { supportsEagerStart = false } =
      (this.connection as InternalConnectionLike)[InternalConnectionLikeSymbol] ?? {};
    if (requestEagerStart && !supportsEagerStart) {
      throw new ValueError(
        'requestEagerStart needs a native connection that the client shares with a worker',
        undefined,
        'give the client the NativeConnection of the worker, or leave requestEagerStart out',
      );
    }
    const startWithDetails = this.intercepted('startWithDetails', { workflowId }, async (toStart) => {
      // The older hook sees the run id alone, and stands inside of the newer one.
      let eagerlyStarted = false;
      const start = this.intercepted('start', { workflowId }, async (innermost) => {
        const output = await startWorkflow(this.site, innermost);
        eagerlyStarted = output.eagerlyStarted;
        return output.runId;
      });
      return { runId: await start(toStart), eagerlyStarted };
    });
    const { runId, eagerlyStarted } = await startWithDetails(input);
    const handle = this.makeHandle<T>({
      workflowId,
      runIdForResult: runId,
      firstExecutionRunId: runId,
      resultOptions: { followRuns, typeInfo },
    });
    return Object.assign(handle, { firstExecutionRunId: runId, eagerlyStarted });
  }

  /** Starts a workflow and waits for its result; throws as `start` and `result` do. */
  async execute<T extends Workflow>(
    workflowTypeOrFunc: string | T,
    options: WorkflowStartOptions<T>,
  ): Promise<WorkflowResultType<T>> {
    return await (await this.start(workflowTypeOrFunc, options)).result();
  }

  /** Signals the workflow with this id, and starts it first if it does not run; one step on the server. */
  async signalWithStart<WorkflowFn extends Workflow, SignalArgs extends any[] = []>(
    workflowTypeOrFunc: string | WorkflowFn,
    options: WithWorkflowArgs<WorkflowFn, WorkflowSignalWithStartOptions<SignalArgs>>,
  ): Promise<WorkflowHandleWithSignaledRunId<WorkflowFn>> {
    checkOptions(options, 'workflowId, taskQueue and signal');
    const { signal, signalArgs, signalTypeInfo, ...startOptions } = options as WorkflowOptions & {
      signal: SignalDefinition<SignalArgs> | string;
      signalArgs?: unknown[];
      signalTypeInfo?: SignalTypeInfo;
    };
    const {
      workflowType,
      headers,
      options: compiled,
    } = this.startInput(workflowTypeOrFunc as string | Workflow, startOptions as any);
    const { workflowId, typeInfo, followRuns } = compiled;
    const handler = handlerOf<SignalTypeInfo>('signal', signal);
    const call = this.intercepted('signalWithStart', { workflowId }, (input) =>
      signalWithStart(this.site, input),
    );
    const runId = await call({
      workflowType,
      headers,
      options: compiled,
      signalName: handler.name,
      signalArgs: argumentsOf('signalArgs', signalArgs),
      signalTypeInfo: signalTypeInfo ?? handler.typeInfo,
    });
    // No first run id: the server does not say it where the workflow ran already.
    const handle = this.makeHandle<WorkflowFn>({
      workflowId,
      runIdForResult: runId,
      resultOptions: { followRuns, typeInfo },
    });
    return Object.assign(handle, { signaledRunId: runId });
  }

  /** Starts a workflow (or attaches to it) and updates it, in one step on the server; waits for the update's result. */
  async executeUpdateWithStart<T extends Workflow, Ret, Args extends any[]>(
    updateDef: UpdateDefinition<Ret, Args> | string,
    updateOptions: WorkflowUpdateOptions & {
      args?: Args;
      startWorkflowOperation: WithStartWorkflowOperation<T>;
    },
  ): Promise<Ret> {
    const handle = await this.sendUpdateWithStart(updateDef, updateOptions, 'COMPLETED');
    return await handle.result();
  }

  /** Starts a workflow (or attaches to it) and updates it, in one step on the server; waits until it is accepted. */
  async startUpdateWithStart<T extends Workflow, Ret, Args extends any[]>(
    updateDef: UpdateDefinition<Ret, Args> | string,
    updateOptions: WorkflowUpdateOptions & {
      args?: Args;
      waitForStage: 'ACCEPTED';
      startWorkflowOperation: WithStartWorkflowOperation<T>;
    },
  ): Promise<WorkflowUpdateHandle<Ret>> {
    return await this.sendUpdateWithStart(updateDef, updateOptions, 'ACCEPTED');
  }

  private async sendUpdateWithStart<T extends Workflow, Ret, Args extends any[]>(
    updateDef: UpdateDefinition<Ret, Args> | string,
    options: WorkflowUpdateOptions & { args?: Args; startWorkflowOperation: WithStartWorkflowOperation<T> },
    waitForStage: WaitForStage,
  ): Promise<WorkflowUpdateHandle<Ret>> {
    checkOptions(options, 'startWorkflowOperation');
    const { args, startWorkflowOperation: operation, ...updateOptions } = options;
    checkOptions(operation, 'startWorkflowOperation: a WithStartWorkflowOperation');
    operation.markUsed();
    try {
      const handler = handlerOf<PayloadTypeInfo>('update', updateDef);
      const { workflowType, headers, options } = this.startInput(
        operation.workflowTypeOrFunc,
        operation.options,
      );
      const { workflowId, typeInfo, followRuns } = options;
      const resolveHandle = (runId: string) =>
        operation[settleWithStart].resolve(
          this.makeHandle<T>({
            workflowId,
            firstExecutionRunId: runId,
            runIdForResult: runId,
            resultOptions: { followRuns, typeInfo },
          }),
        );
      const call = this.intercepted('startUpdateWithStart', { workflowId }, (input) =>
        startUpdateWithStart(this.site, input, waitForStage, resolveHandle),
      );
      const output = await call({
        workflowType,
        workflowStartOptions: options,
        workflowStartHeaders: headers,
        updateName: handler.name,
        updateArgs: argumentsOf('args', args),
        updateTypeInfo: updateOptions.typeInfo ?? handler.typeInfo,
        updateOptions,
        updateHeaders: {},
      });
      return this.makeUpdateHandle<Ret>(
        output.updateId,
        workflowId,
        output.workflowExecution.runId,
        output.updateOutcome,
        output.updateOutputTypeInfo,
      );
    } catch (error) {
      operation[settleWithStart].reject(error);
      throw error;
    }
  }

  /**
   * Waits for the result of a workflow.
   * @param runId  the run to begin with; the latest if not given
   * @throws {WorkflowFailedError} it failed, was cancelled or terminated, or timed out; see `cause`
   * @throws {WorkflowContinuedAsNewError} only with `followRuns: false`
   * @throws {WorkflowNotFoundError}
   */
  async result<T extends Workflow>(
    workflowId: string,
    runId?: string,
    opts?: WorkflowResultOptions,
  ): Promise<WorkflowResultType<T>> {
    checkWorkflowId(workflowId);
    return await workflowResult<WorkflowResultType<T>>(this.site, workflowId, runId, opts);
  }

  /**
   * A handle to a workflow by id; makes no call, so it does not check that the workflow exists.
   * @throws {ValueError} no id
   */
  getHandle<T extends Workflow>(
    workflowId: string,
    runId?: string,
    options: GetWorkflowHandleOptions = {},
  ): WorkflowHandle<T> {
    checkWorkflowId(workflowId);
    const { firstExecutionRunId, ...resultOptions } = options;
    return this.makeHandle<T>({
      workflowId,
      runId,
      firstExecutionRunId,
      runIdForResult: runId ?? firstExecutionRunId,
      resultOptions,
    });
  }

  /** Workflows that a visibility query finds; requests are made as the iteration needs them. */
  list(options?: ListOptions): AsyncWorkflowListIterable {
    return listWorkflows(this.site, options);
  }

  /** How many workflows a visibility query finds, by group for queries with GROUP BY. */
  async count(query?: string): Promise<CountWorkflowExecution> {
    return await countWorkflows(this.site, query);
  }

  /**
   * Older spelling of `getHandle(workflowId, runId)`; see `start` and `execute` for the modern way to begin.
   */
  createWorkflowHandle<T extends Workflow>(execution: WorkflowExecution): WorkflowHandle<T>;
  /**
   * Older spelling of `start` and `execute`: `createWorkflowHandle(fn, options).execute(...args)`.
   */
  createWorkflowHandle<T extends Workflow>(
    workflowTypeOrFunc: string | T,
    options: CreateWorkflowHandleOptions,
  ): UnstartedWorkflowHandle<T>;
  createWorkflowHandle<T extends Workflow>(
    target: string | T | WorkflowExecution,
    options?: CreateWorkflowHandleOptions,
  ): WorkflowHandle<T> | UnstartedWorkflowHandle<T> {
    if (typeof target === 'object') return this.getHandle<T>(target.workflowId, target.runId);
    if (options === undefined) throw new ValueError('createWorkflowHandle needs options with a taskQueue');
    const workflowId = options.workflowId ?? randomUUID();
    let begun: WorkflowHandle<T> | undefined;
    const startOptions = (args: unknown[]) => ({ ...options, workflowId, args }) as any;
    const handle = this.makeHandle<T>({ workflowId, resultOptions: options });
    const start = async (...args: Parameters<T>) => {
      const started = await this.start<T>(target, startOptions(args));
      begun = started;
      return started.firstExecutionRunId;
    };
    const result = async () => await (begun ?? this.getHandle<T>(workflowId)).result();
    return Object.assign(handle, {
      start,
      result,
      execute: async (...args: Parameters<T>) => {
        await start(...args);
        return await result();
      },
      signalWithStart: async <SignalArgs extends any[]>(
        signal: SignalDefinition<SignalArgs> | string,
        signalArgs: SignalArgs,
        workflowArgs: Parameters<T>,
      ) => {
        const signaled = await this.signalWithStart<T, SignalArgs>(target, {
          ...startOptions(workflowArgs),
          signal,
          signalArgs,
        });
        begun = signaled;
        return signaled.signaledRunId;
      },
    });
  }

  private makeUpdateHandle<Ret>(
    updateId: string,
    workflowId: string,
    workflowRunId: string | undefined,
    outcome: Outcome | undefined,
    outputType: TypeInfo<any, any> | undefined,
  ): WorkflowUpdateHandle<Ret> {
    const execution = { workflowId, runId: workflowRunId };
    return {
      updateId,
      workflowId,
      workflowRunId,
      result: async () => {
        outcome ??= await pollUpdateOutcome(this.site, execution, updateId);
        const context = contextOf(this.site, workflowId);
        if (outcome.failure !== undefined) {
          const cause = await this.data.fromFailure(outcome.failure, context);
          throw new WorkflowUpdateFailedError('Workflow Update failed', cause);
        }
        return await this.data.firstValue<Ret>(outcome.success, context, outputType);
      },
    };
  }

  private makeHandle<T extends Workflow>({
    workflowId,
    runId,
    runIdForResult,
    firstExecutionRunId,
    resultOptions,
  }: HandleParts): WorkflowHandle<T> {
    const workflowExecution: WorkflowExecution = { workflowId, runId };
    const sendUpdate = async (
      def: UpdateDefinition<any, any> | string,
      { args, ...options }: WorkflowUpdateOptions & { args?: unknown[] } = {},
      waitForStage: WaitForStage,
    ): Promise<WorkflowUpdateHandle<any>> => {
      const handler = handlerOf<PayloadTypeInfo>('update', def);
      const call = this.intercepted('startUpdate', workflowExecution, (input) =>
        startUpdate(this.site, input, waitForStage),
      );
      const output = await call({
        workflowExecution,
        firstExecutionRunId,
        updateName: handler.name,
        args: argumentsOf('args', args),
        typeInfo: options.typeInfo ?? handler.typeInfo,
        headers: {},
        options,
      });
      const { updateId, workflowRunId, outcome, outputTypeInfo } = output;
      return this.makeUpdateHandle(updateId, workflowId, workflowRunId, outcome, outputTypeInfo);
    };
    const signal = async (signalName: string, args: unknown[], typeInfo: PayloadTypeInfo | undefined) => {
      const call = this.intercepted('signal', workflowExecution, (input) => signalWorkflow(this.site, input));
      await call({ workflowExecution, signalName, args, typeInfo, headers: {} });
    };
    const query = async (queryType: string, args: unknown[], typeInfo: PayloadTypeInfo | undefined) => {
      const call = this.intercepted('query', workflowExecution, (input) => queryWorkflow(this.site, input));
      return (await call({
        workflowExecution,
        queryRejectCondition: encodeQueryRejectCondition(this.options.queryRejectCondition),
        queryType,
        args,
        typeInfo,
        headers: {},
      })) as any;
    };
    return {
      client: this,
      workflowId,
      result: async () => await this.result<T>(workflowId, runIdForResult, resultOptions),
      signal: async (def, ...args) => {
        const { name, typeInfo } = handlerOf<PayloadTypeInfo>('signal', def);
        await signal(name, args, typeInfo);
      },
      signalWithOptions: async (name, options) => {
        const { args, typeInfo } = options ?? {};
        await signal(handlerOf('signal', name).name, argumentsOf('args', args), typeInfo);
      },
      query: async (def, ...args) => {
        const { name, typeInfo } = handlerOf<PayloadTypeInfo>('query', def);
        return await query(name, args, typeInfo);
      },
      queryWithOptions: async (name, options) => {
        const { args, typeInfo } = options ?? {};
        return await query(handlerOf('query', name).name, argumentsOf('args', args), typeInfo);
      },
      executeUpdate: async (
        def: UpdateDefinition<any, any> | string,
        options?: WorkflowUpdateOptions & { args?: unknown[] },
      ) => await (await sendUpdate(def, options, 'COMPLETED')).result(),
      startUpdate: async (
        def: UpdateDefinition<any, any> | string,
        options: WorkflowUpdateOptions & { args?: unknown[]; waitForStage: 'ACCEPTED' },
      ) => {
        const { waitForStage, ...rest } = options ?? {};
        if ((waitForStage as string) !== 'ACCEPTED') {
          throw new ValueError(
            `waitForStage must be 'ACCEPTED', got ${JSON.stringify(waitForStage)}`,
            undefined,
            "use executeUpdate to wait for the result; the stage 'ADMITTED' cannot be waited for",
          );
        }
        return await sendUpdate(def, rest, 'ACCEPTED');
      },
      getUpdateHandle: (updateId, options) =>
        this.makeUpdateHandle(
          updateId,
          workflowId,
          options?.workflowRunId ?? runId,
          undefined,
          options?.typeInfo?.outputType,
        ),
      terminate: async (reason) => {
        const call = this.intercepted('terminate', workflowExecution, (input) =>
          terminateWorkflow(this.site, input),
        );
        return await call({ workflowExecution, reason, firstExecutionRunId });
      },
      cancel: async () => {
        const call = this.intercepted('cancel', workflowExecution, (input) =>
          cancelWorkflow(this.site, input),
        );
        return await call({ workflowExecution, firstExecutionRunId });
      },
      describe: async () => {
        const call = this.intercepted('describe', workflowExecution, (input) =>
          describeWorkflow(this.site, input),
        );
        return await decodeDescription(this.site, await call({ workflowExecution }));
      },
      fetchHistory: async () => await fetchHistory(this.site, workflowId, runId ?? runIdForResult),
    };
  }
}
