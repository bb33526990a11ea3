/**
 * The client for Nexus operations that no workflow has started.
 *
 * Owns    the public methods, the chains of interceptors, the handles.
 * Leaves  requests and responses to nexus-client-calls.ts.
 * H1  Every call that interceptors can see goes through them, also when a handle makes it.
 * H2  A handle asks for an outcome once: it does not change any more.
 */
import { composeInterceptors, type Next, type TypeInfo, ValueError } from '@perdure/common';
import type * as nexus from 'nexus-rpc';
import {
  BaseClient,
  type BaseClientOptions,
  type LoadedBaseClientOptions,
  resolveBaseClientOptions,
} from './base-client';
import {
  cancelOperation,
  countOperations,
  describeOperation,
  listOperations,
  operationResult,
  startOperation,
  terminateOperation,
} from './nexus-client-calls';
import { NexusOperationFailureError } from './nexus-client-errors';
import type { NexusClientInterceptor } from './nexus-client-interceptors';
import type {
  DescribeNexusOperationOptions,
  GetNexusOperationHandleOptions,
  ListNexusOperationsOptions,
  NexusOperationExecution,
  NexusOperationExecutionCount,
  NexusOperationExecutionDescription,
  StartNexusOperationOptions,
} from './nexus-client-types';
import type { CallSite } from './workflow-calls';

export interface NexusClientOptions extends BaseClientOptions {
  /** Outermost first. */
  interceptors?: NexusClientInterceptor[];
}
export type LoadedNexusClientOptions = LoadedBaseClientOptions & {
  interceptors: NexusClientInterceptor[];
};

/**
 * One operation that no workflow has started.
 *
 * Every method throws NexusOperationNotFoundError if there is none, ServerFeatureUnavailableError if the server has no
 * such operations, and ServiceError for what else the server answers.
 * @experimental
 */
export interface NexusOperationHandle<O = unknown> {
  readonly operationId: string;
  /** The run; the latest one if not given. */
  readonly runId?: string;
  readonly client: NexusClient;
  /**
   * Waits until the operation has ended.
   * @throws {NexusOperationFailureError} it did not complete; `cause` says how it ended
   */
  result(): Promise<O>;
  describe(options?: DescribeNexusOperationOptions): Promise<NexusOperationExecutionDescription>;
  /** Asks the handler to cancel; it may refuse. `describe` says how far that has come. */
  cancel(reason?: string): Promise<void>;
  /** Ends the operation; the handler is not told. */
  terminate(reason?: string): Promise<void>;
}

/** A handle cannot know its result from an id: the type parameter is the result's, or that of the operation. */
type NexusOperationHandleResult<T> = T extends nexus.OperationDefinition<any, infer O> ? O : T;

/**
 * Starts the operations of one service at one endpoint.
 * @experimental
 */
export interface NexusServiceClient<T extends nexus.ServiceDefinition> {
  readonly endpoint: string;
  readonly service: T;
  /**
   * Starts an operation, given by its definition or by its key in the service.
   * @returns a handle to the new run, or to the one that has the id if `idConflictPolicy` allows that
   * @throws {NexusOperationAlreadyStartedError} the id is in use and the policies refuse
   * @throws {ServerFeatureUnavailableError} the server has no such operations
   * @throws {NamespaceNotFoundError} @throws {ServiceError} such as: there is no such endpoint
   * @throws {ValueError} wrong options
   */
  startOperation<Op extends T['operations'][keyof T['operations']]>(
    operation: Op,
    input: nexus.OperationInput<Op>,
    options: StartNexusOperationOptions,
  ): Promise<NexusOperationHandle<nexus.OperationOutput<Op>>>;
  startOperation<K extends nexus.OperationKey<T['operations']>>(
    op: K,
    input: nexus.OperationInput<T['operations'][K]>,
    options: StartNexusOperationOptions,
  ): Promise<NexusOperationHandle<nexus.OperationOutput<T['operations'][K]>>>;
  /** Starts an operation and waits for its result; throws as `startOperation` and `NexusOperationHandle.result` do. */
  executeOperation<Op extends T['operations'][keyof T['operations']]>(
    operation: Op,
    input: nexus.OperationInput<Op>,
    options: StartNexusOperationOptions,
  ): Promise<nexus.OperationOutput<Op>>;
  executeOperation<K extends nexus.OperationKey<T['operations']>>(
    op: K,
    input: nexus.OperationInput<T['operations'][K]>,
    options: StartNexusOperationOptions,
  ): Promise<nexus.OperationOutput<T['operations'][K]>>;
}

type Method = keyof NexusClientInterceptor;
type Calls = { readonly [M in Method]-?: Next<NexusClientInterceptor, M> };

interface Definition {
  readonly name: string;
  readonly inputType?: TypeInfo<any, any>;
  readonly outputType?: TypeInfo<any, any>;
}

/** An operation of a service by its key or its definition. */
function definitionOf(service: nexus.ServiceDefinition, operation: string | Definition): Definition {
  if (typeof operation !== 'string') return operation;
  const found = Object.hasOwn(service.operations, operation) ? service.operations[operation] : undefined;
  if (found === undefined) {
    throw new ValueError(
      `The service '${service.name}' has no operation '${operation}': ` +
        `it has ${Object.keys(service.operations).join(', ') || 'none'}`,
    );
  }
  return found as Definition;
}

/**
 * Starts Nexus operations without a workflow, finds them, acts on them.
 * @experimental
 */
export class NexusClient extends BaseClient {
  readonly options: LoadedNexusClientOptions;
  /** What handles and methods call: the interceptors, then the RPC (H1). */
  private readonly calls: Calls;

  constructor(options: NexusClientOptions = {}) {
    const base = resolveBaseClientOptions(options);
    super(options, base);
    const { interceptors = [] } = options;
    this.options = { ...base, interceptors };
    const composed = <M extends Method>(method: M, last: Next<NexusClientInterceptor, M>) =>
      composeInterceptors(interceptors, method, last);
    this.calls = {
      startOperation: composed('startOperation', async (input) => {
        const runId = await startOperation(this.site, input);
        return this.makeHandle(input.id, runId || undefined, input.outputType);
      }),
      getResult: composed('getResult', (input) => operationResult(this.site, input)),
      describe: composed('describe', (input) => describeOperation(this.site, input)),
      cancel: composed('cancel', (input) => cancelOperation(this.site, input)),
      terminate: composed('terminate', (input) => terminateOperation(this.site, input)),
      list: composed('list', (input) => listOperations(this.site, input)),
      count: composed('count', (input) => countOperations(this.site, input)),
    };
  }

  /** What the calls need of this client; the service is read at each call. */
  private get site(): CallSite {
    return {
      workflowService: this.workflowService,
      namespace: this.base.namespace,
      identity: this.base.identity,
      data: this.data,
    };
  }

  /** A client for one service at one endpoint, with the types of its definition. */
  createServiceClient<T extends nexus.ServiceDefinition>({
    endpoint,
    service,
  }: {
    endpoint: string;
    service: T;
  }): NexusServiceClient<T> {
    const start = async (
      operation: string | Definition,
      arg: unknown,
      options: StartNexusOperationOptions,
    ): Promise<NexusOperationHandle<any>> => {
      const { name, inputType, outputType } = definitionOf(service, operation);
      return await this.calls.startOperation({
        endpoint,
        service: service.name,
        operation: name,
        arg,
        inputType,
        outputType,
        id: options.id,
        scheduleToCloseTimeout: options.scheduleToCloseTimeout,
        scheduleToStartTimeout: options.scheduleToStartTimeout,
        startToCloseTimeout: options.startToCloseTimeout,
        summary: options.summary,
        idReusePolicy: options.idReusePolicy,
        idConflictPolicy: options.idConflictPolicy,
        searchAttributes: options.searchAttributes,
        headers: options.headers,
      });
    };
    const execute = async (
      operation: string | Definition,
      arg: unknown,
      options: StartNexusOperationOptions,
    ): Promise<any> => await (await start(operation, arg, options)).result();
    return { endpoint, service, startOperation: start as any, executeOperation: execute as any };
  }

  /**
   * A handle, without asking the server.
   * @typeParam T  type of the result, or of the operation's definition
   */
  getHandle<T>(
    operationId: string,
    { runId, typeInfo }: GetNexusOperationHandleOptions = {},
  ): NexusOperationHandle<NexusOperationHandleResult<T>> {
    return this.makeHandle(operationId, runId, typeInfo?.outputType);
  }

  /** The operations that a query finds, read page by page. Approximate, and some time behind. */
  list({ query, pageSize }: ListNexusOperationsOptions = {}): AsyncIterable<NexusOperationExecution> {
    return this.calls.list({ query, pageSize });
  }

  /** The number of operations that a query finds, by groups if the query has GROUP BY. Approximate. */
  async count(query?: string): Promise<NexusOperationExecutionCount> {
    return await this.calls.count({ query });
  }

  private makeHandle<O>(
    operationId: string,
    runId: string | undefined,
    outputType?: TypeInfo<any, any>,
  ): NexusOperationHandle<O> {
    const { calls } = this;
    const target = { operationId, runId };
    let outcome: Promise<O> | undefined; // H2
    const result = async (): Promise<O> => {
      const asked = calls.getResult({ ...target, outputType }) as Promise<O>;
      try {
        const value = await asked;
        outcome = asked;
        return value;
      } catch (error) {
        if (error instanceof NexusOperationFailureError) outcome = asked;
        throw error;
      }
    };
    return {
      ...target,
      client: this,
      result: () => outcome ?? result(),
      describe: () => calls.describe(target),
      cancel: (reason) => calls.cancel({ ...target, reason }),
      terminate: (reason) => calls.terminate({ ...target, reason }),
    };
  }
}
