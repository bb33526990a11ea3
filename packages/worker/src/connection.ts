/**
 * `NativeConnection`: a connection to a server, owned by the native side.
 *
 * L1  A connection cannot be closed while a worker uses it.
 * L2  Raw services call the server through the native side with the deadline, headers and abort signal of the
 *     surrounding `with…` scopes.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type {
  ConnectionLike,
  HealthService,
  OperatorService,
  TestService,
  WorkflowService,
} from '@perdure/client';
import { IllegalStateError } from '@perdure/common';
import type { ConnectionHandle } from '@perdure/core';
import { loadNative } from '@perdure/core';
import { ConnectionOptions, ConnectionUpdate, RpcCall } from '@perdure/proto/perdure/core/v1/options';
import Long from 'long';
import type { Metadata, NativeConnectionOptions } from './connection-options';
import { connectionOptionsMessage, splitMetadata } from './connection-options';
import { InvalidOptionsError } from './options-check';
import type { NativeConnectionPlugin } from './plugins';
import type { CallContext } from './raw-service';
import { rawService } from './raw-service';
import { Runtime } from './runtime';

/** Where clients look up what a connection can do: InternalConnectionLikeSymbol of the client package. */
const connectionTraits = Symbol.for('perdure.client.connection-like');

export class NativeConnection implements ConnectionLike {
  /**
   * Connects.
   * @throws {InvalidOptionsError} with all problems of the options
   * @throws an error with a code of the native side: the server cannot be reached or refuses
   */
  static async connect(options: NativeConnectionOptions = {}): Promise<NativeConnection> {
    let configured = options;
    for (const plugin of options.plugins ?? []) {
      configured = plugin.configureNativeConnection?.(configured) ?? configured;
    }
    const message = ConnectionOptions.encode(connectionOptionsMessage(configured)).finish();
    const runtime = Runtime.instance();
    const connection = new NativeConnection(runtime, configured.plugins ?? [], configured.lazy ?? false);
    runtime.acquire(connection);
    try {
      connection.#handle = await loadNative().connectionOpen(runtime.native, message);
      return connection;
    } catch (error) {
      runtime.release(connection);
      throw error;
    }
  }

  /** @deprecated use {@link NativeConnection.connect} */
  static create(options?: NativeConnectionOptions): Promise<NativeConnection> {
    return NativeConnection.connect(options);
  }

  /** Deadline, headers and abort signal of the calls in a scope. */
  readonly callContextStorage = new AsyncLocalStorage<CallContext>();

  /** The core hands the first task from the answer to a start to a worker of this connection. */
  readonly [connectionTraits] = { supportsEagerStart: true };

  readonly #workers = new Set<object>();
  #handle: ConnectionHandle | undefined;
  #workflowService: WorkflowService | undefined;
  #operatorService: OperatorService | undefined;
  #healthService: HealthService | undefined;
  #testService: TestService | undefined;

  private constructor(
    readonly runtime: Runtime,
    /** Plugins, handed on to workers and clients of this connection. */
    readonly plugins: NativeConnectionPlugin[],
    /** Whether the server may be away. */
    readonly lazy: boolean,
  ) {}

  /** Raw calls of temporal.api.workflowservice.v1.WorkflowService. */
  get workflowService(): WorkflowService {
    this.#workflowService ??= this.#service<WorkflowService>(
      'workflow',
      () => require('@perdure/proto/temporal/api/workflowservice/v1/service').WorkflowServiceDefinition,
    );
    return this.#workflowService;
  }

  /** Raw calls of temporal.api.operatorservice.v1.OperatorService. */
  get operatorService(): OperatorService {
    this.#operatorService ??= this.#service<OperatorService>(
      'operator',
      () => require('@perdure/proto/temporal/api/operatorservice/v1/service').OperatorServiceDefinition,
    );
    return this.#operatorService;
  }

  /** Raw calls of grpc.health.v1.Health. */
  get healthService(): HealthService {
    this.#healthService ??= this.#service<HealthService>(
      'health',
      () => require('@perdure/proto/grpc/health/v1/health').HealthDefinition,
    );
    return this.#healthService;
  }

  /** Raw calls of temporal.api.testservice.v1.TestService; only test servers answer them. */
  get testService(): TestService {
    this.#testService ??= this.#service<TestService>(
      'test',
      () => require('@perdure/proto/temporal/api/testservice/v1/service').TestServiceDefinition,
    );
    return this.#testService;
  }

  /** A native connection is connected from the start, or, if it is lazy, by its first call. */
  async ensureConnected(): Promise<void> {
    this.#open();
  }

  /** Calls made by `fn` fail at `deadline` (epoch milliseconds or Date). */
  withDeadline<R>(deadline: number | Date, fn: () => Promise<R>): Promise<R> {
    return this.#scope({ deadline }, fn);
  }

  /** Calls made by `fn` carry these headers too. */
  withMetadata<R>(metadata: Metadata, fn: () => Promise<R>): Promise<R> {
    return this.#scope({ metadata: { ...this.callContextStorage.getStore()?.metadata, ...metadata } }, fn);
  }

  /** Calls made by `fn` end when the signal aborts. */
  withAbortSignal<R>(abortSignal: AbortSignal, fn: () => Promise<R>): Promise<R> {
    const outer = this.callContextStorage.getStore()?.abortSignal;
    return this.#scope({ abortSignal: outer ? AbortSignal.any([outer, abortSignal]) : abortSignal }, fn);
  }

  /** Replaces the headers of all later calls, those of workers too. */
  async setMetadata(metadata: Metadata): Promise<void> {
    const { text, binary, wrong } = splitMetadata(metadata);
    if (wrong !== undefined) {
      throw new InvalidOptionsError('metadata', [
        { field: wrong, problem: 'takes a text, or bytes when the name ends in "-bin"' },
      ]);
    }
    this.#update({ headers: { text, binary } });
  }

  /** Replaces the API key of all later calls, those of workers too. */
  async setApiKey(apiKey: string): Promise<void> {
    this.#update({ apiKey });
  }

  /**
   * Gives the connection up.
   * @throws {IllegalStateError} a worker uses it
   */
  async close(): Promise<void> {
    if (this.#workers.size > 0) {
      throw new IllegalStateError('Cannot close connection while Workers hold a reference to it'); // L1
    }
    if (this.#handle === undefined) return;
    this.#handle = undefined;
    this.runtime.release(this);
  }

  /** Handle of the native side. @internal */
  get handle(): ConnectionHandle {
    return this.#open();
  }

  /** Asks the server for a sign of life, once, for at most five seconds. @internal */
  async probe(): Promise<void> {
    const call = {
      service: 'workflow',
      method: 'GetSystemInfo',
      retry: false,
      timeoutMs: Long.fromNumber(5000),
    };
    await loadNative().connectionCall(this.#open(), RpcCall.encode(call).finish());
  }

  /** @internal */
  acquire(worker: object): void {
    this.#open();
    this.#workers.add(worker);
  }

  /** @internal */
  release(worker: object): void {
    this.#workers.delete(worker);
  }

  #open(): ConnectionHandle {
    if (this.#handle === undefined) throw new IllegalStateError('The connection is closed');
    return this.#handle;
  }

  #update(update: Parameters<typeof ConnectionUpdate.encode>[0]): void {
    loadNative().connectionUpdate(this.#open(), ConnectionUpdate.encode(update).finish());
  }

  #scope<R>(context: CallContext, fn: () => Promise<R>): Promise<R> {
    return this.callContextStorage.run({ ...this.callContextStorage.getStore(), ...context }, fn);
  }

  #service<S>(name: string, definition: () => { methods: object }): S {
    return rawService(name, definition(), {
      call: (call) => loadNative().connectionCall(this.#open(), call),
      context: () => this.callContextStorage.getStore(),
    }) as S;
  }
}
