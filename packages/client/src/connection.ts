/**
 * A connection to a Temporal server over @grpc/grpc-js.
 *
 * Owns    the channel, the headers of calls, the scopes of deadlines, headers and abort signals.
 * Leaves  messages to rpc.ts, retries to grpc-retry.ts, options to connection-options.ts.
 * K1  A channel connects at the first call; making a Connection contacts nobody.
 * K2  Inner scopes win over outer ones, header by header; an abort signal of any scope ends a call.
 * K3  Everything a call needs is read when it is made: a rotated API key counts from the next call on.
 * K4  No call outlives its connection: closing the channel alone would leave a long poll waiting for a minute.
 * K5  Calls go straight to the channel unless somebody else has a say in them: an interceptor that is not our retry, or
 *     a tool that has wrapped the library's own way of making calls.
 * K6  The storage of scopes is entered by those who open a scope, and by nobody else: from the first entry on, Node.js
 *     up to 22 runs a hook for each promise of the process.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type {
  CallOptions,
  ChannelInterface,
  Client as GrpcClient,
  Metadata as GrpcMetadata,
  Interceptor,
} from '@grpc/grpc-js';
import { IllegalStateError, ValueError } from '@perdure/common';
import {
  type ConnectionOptions,
  type ConnectionOptionsWithDefaults,
  type ConnectionPlugin,
  type Metadata,
  type ResolvedConnectionOptions,
  resolveConnectionOptions,
} from './connection-options';
import { ConnectionFailedError, isGrpcServiceError, ServiceCancelledError } from './errors';
import { grpc, grpcStatus } from './grpc';
import { type GrpcRetryOptions, retryOptionsOf } from './grpc-retry';
import { grpcError, UnaryCall } from './grpc-unary-call';
import { CLIENT_NAME, CLIENT_VERSION } from './pkg';
import type { RpcCall, RpcStreamTransport } from './rpc';
import { HealthService, OperatorService, TestService, WorkflowService } from './services';

/** What the calls of the current scope share. */
export interface CallContext {
  /** Milliseconds since the epoch, or a date. */
  deadline?: number | Date;
  metadata?: Metadata;
  abortSignal?: AbortSignal;
}

/** What clients need of a connection; other transports implement it too. */
export interface ConnectionLike {
  workflowService: WorkflowService;
  operatorService: OperatorService;
  plugins: ConnectionPlugin[];
  close(): Promise<void>;
  ensureConnected(): Promise<void>;
  withDeadline<R>(deadline: number | Date, fn: () => Promise<R>): Promise<R>;
  withMetadata<R>(metadata: Metadata, fn: () => Promise<R>): Promise<R>;
  withAbortSignal<R>(abortSignal: AbortSignal, fn: () => Promise<R>): Promise<R>;
}

/** Key under which a connection says what else it can do; registered, for connections that load nothing of this package. */
export const InternalConnectionLikeSymbol: unique symbol = Symbol.for('perdure.client.connection-like');
export type InternalConnectionLike = ConnectionLike & {
  [InternalConnectionLikeSymbol]?: {
    /** Whether a worker on the same connection could take the first task from the start's response. */
    readonly supportsEagerStart?: boolean;
  };
};

const identity = (bytes: Buffer | Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** What grpc-js says of answers by something that speaks HTTP/2 alone; it takes a page's first bytes for a length. */
const NO_GRPC_ANSWER =
  /Received HTTP status code|RST_STREAM with code 0\b|without gRPC status|message larger than max/;
/** What gRPC servers say that are no Temporal servers; an old Temporal server speaks of an unknown method. */
const OTHER_SERVICE = /unknown service/i;

const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::|$)/;

/** Turns the error of the first call into one that says what is at fault. */
function explain(address: string, usesTls: boolean, cause: Error): ConnectionFailedError {
  const text = isGrpcServiceError(cause) ? cause.details : cause.message;
  const code = isGrpcServiceError(cause) ? cause.code : undefined;
  const failed = (fault: ConnectionFailedError['fault'], what: string, hint: string) =>
    new ConnectionFailedError(`Failed to connect to Temporal server at '${address}': ${what}`, fault, {
      cause,
      hint,
    });
  if (/Name resolution failed|ENOTFOUND|EAI_AGAIN/.test(text)) {
    return failed(
      'name',
      `the host name does not resolve (${text})`,
      'check the spelling of the host in address',
    );
  }
  if (/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/.test(text)) {
    return failed(
      'port',
      `nobody accepts connections there (${text})`,
      LOOPBACK.test(address)
        ? 'check that the server runs and the port is right; `temporal server start-dev` runs one at localhost:7233'
        : 'check that the server runs and the port is right',
    );
  }
  if (
    /certificate|CERT|SSL|TLS|self.signed|altname|EPROTO|packet length too long|wrong version/i.test(text)
  ) {
    return failed(
      'tls',
      `the TLS handshake failed (${text})`,
      /wrong version number|packet length too long/i.test(text)
        ? 'the server speaks no TLS there: leave tls and apiKey out, or check the port'
        : 'check tls: the CA, the client certificate, the server name',
    );
  }
  if (code === grpcStatus.UNAUTHENTICATED || code === grpcStatus.PERMISSION_DENIED) {
    return failed(
      'credentials',
      `the server refuses the credentials (${text})`,
      'check the API key or the client certificate',
    );
  }
  if (
    /ECONNRESET|socket hang up|Connection dropped|Protocol error|GOAWAY|before secure|end of file|EOF|Last error: Failed to connect/i.test(
      text,
    )
  ) {
    return usesTls
      ? failed(
          'tls',
          `the peer closed the connection (${text})`,
          'the port may not speak TLS, or want a client certificate',
        )
      : failed(
          'tls',
          `the peer closed the connection (${text})`,
          'the port may expect TLS (set tls), or be that of the Web UI (8233, where the server has 7233)',
        );
  }
  if (NO_GRPC_ANSWER.test(text)) {
    return failed(
      'server',
      `what answers there does not speak gRPC (${text})`,
      'the address is that of a web server, or of a proxy that finds no server behind it',
    );
  }
  const [, lastAnswer] = /the last one failed with (.*)/s.exec(text) ?? [];
  if (code === grpcStatus.DEADLINE_EXCEEDED && lastAnswer !== undefined) {
    return failed(
      'server',
      `it answers, but is not ready (${text})`,
      'a server that has just been started needs some time; else its log tells more',
    );
  }
  if (code === grpcStatus.DEADLINE_EXCEEDED) {
    return failed(
      'timeout',
      `no answer in time (${text})`,
      'raise connectTimeout, or find out what drops the packets',
    );
  }
  return failed('server', text, 'the address answers, but not as a Temporal server does; check the port');
}

/** How calls are made without interceptors (K5). */
interface DirectWay {
  readonly channel: ChannelInterface;
  readonly retry: GrpcRetryOptions | undefined;
}

/** Whether a method is the class's own: instrumentation puts functions in the place of methods. */
const isOwnMethod = (method: { readonly name: string }): boolean =>
  Function.prototype.toString.call(method).startsWith(`${method.name}(`);

/** K5; undefined if calls must be made as the library makes them. */
function directWay(client: GrpcClient, interceptors: readonly Interceptor[]): DirectWay | undefined {
  if (interceptors.length > 1 || !isOwnMethod(client.makeUnaryRequest)) return undefined;
  const [interceptor] = interceptors;
  const retry = interceptor && retryOptionsOf(interceptor);
  if (interceptor !== undefined && retry === undefined) return undefined;
  return { channel: client.getChannel(), retry };
}

/** Beyond this a deadline is as good as none, and grpc-js has no words for it: it would end the process. */
const FARTHEST_DEADLINE_MS = 100 * 365 * 24 * 3_600_000;

/** A deadline as calls of grpc-js take it. */
function usableDeadline(deadline: number | Date | undefined): number | Date | undefined {
  if (deadline === undefined || Number(deadline) - Date.now() < FARTHEST_DEADLINE_MS) return deadline;
  return undefined;
}

const NO_SCOPE: CallContext = {};
const MAIN_SERVICE = 'temporal.api.workflowservice.v1.WorkflowService';

/** A connection. Expensive to make and made to be shared: all clients of a process may use one. */
export class Connection implements ConnectionLike {
  readonly options: ConnectionOptionsWithDefaults;
  /** Deadline, headers and abort signal of the current scope. */
  readonly callContextStorage = new AsyncLocalStorage<CallContext>();
  readonly [InternalConnectionLikeSymbol] = { supportsEagerStart: false };

  private readonly client: GrpcClient;
  private readonly direct: DirectWay | undefined;
  private readonly usesTls: boolean;
  /** The headers made last, and the two values they were made of. */
  private madeHeaders: { namespace?: string; apiKey?: string; headers: GrpcMetadata } | undefined;
  private apiKey: string | (() => string) | undefined;
  private connected: Promise<void> | undefined;
  private closed = false;
  /** K4: the calls under way. */
  private readonly running = new Set<{ cancel(): void }>();
  private services: {
    workflow?: WorkflowService;
    operator?: OperatorService;
    test?: TestService;
    health?: HealthService;
  } = {};

  protected constructor({ options, apiKey, usesTls }: ResolvedConnectionOptions) {
    this.options = options;
    this.apiKey = apiKey;
    this.usesTls = usesTls;
    this.client = new (grpc().Client)(options.address, options.credentials, options.channelArgs); // K1
    this.direct = directWay(this.client, options.interceptors);
  }

  /**
   * A connection that connects at its first call.
   * @throws {ValueError} wrong options
   */
  static lazy(options?: ConnectionOptions): Connection {
    return new Connection(resolveConnectionOptions(options));
  }

  /**
   * A connection that has reached the server.
   * @throws {ValueError} wrong options
   * @throws {ConnectionFailedError} no connection within `connectTimeout`
   */
  static async connect(options?: ConnectionOptions): Promise<Connection> {
    const connection = Connection.lazy(options);
    try {
      await connection.ensureConnected();
    } catch (error) {
      await connection.close();
      throw error;
    }
    return connection;
  }

  get plugins(): ConnectionPlugin[] {
    return this.options.plugins;
  }

  /** All RPCs of the server's main service. */
  get workflowService(): WorkflowService {
    this.services.workflow ??= WorkflowService.create(this.call, this.openStream);
    return this.services.workflow;
  }

  /** Search attributes, Nexus endpoints, clusters. */
  get operatorService(): OperatorService {
    this.services.operator ??= OperatorService.create(this.call, this.openStream);
    return this.services.operator;
  }

  /** Time control; only the time-skipping test server answers. */
  get testService(): TestService | undefined {
    this.services.test ??= TestService.create(this.call, this.openStream);
    return this.services.test;
  }

  /** The standard health check; `for await (const { status } of healthService.watch({}))` hears of changes. */
  get healthService(): HealthService {
    this.services.health ??= HealthService.create(this.call, this.openStream);
    return this.services.health;
  }

  /**
   * Reaches the server unless that has been done. May be called often; after a failure the next call tries again.
   * @throws {ConnectionFailedError} no connection within `connectTimeout` and the deadline of the scope; `fault` says
   *   why
   * @throws {ServiceCancelledError} the abort signal of the scope, or `close`
   */
  async ensureConnected(): Promise<void> {
    this.connected ??= this.reach().catch((error) => {
      this.connected = undefined;
      throw error;
    });
    await this.connected;
  }

  private async reach(): Promise<void> {
    this.assertOpen();
    const scope = this.callContextStorage.getStore() ?? NO_SCOPE;
    const { deadline: outer = Number.POSITIVE_INFINITY, abortSignal } = scope;
    const deadline = Math.min(Date.now() + this.options.connectTimeoutMs, Number(outer));
    const getSystemInfo: RpcCall = {
      service: MAIN_SERVICE,
      method: 'GetSystemInfo',
      namespace: undefined,
      request: new Uint8Array(0), // a message without fields; what it is answered is nobody's concern here
    };
    try {
      await this.callIn({ ...scope, deadline }, getSystemInfo); // K6
    } catch (error) {
      // Servers from before GetSystemInfo are servers all the same.
      const isOldServer =
        isGrpcServiceError(error) &&
        error.code === grpcStatus.UNIMPLEMENTED &&
        !NO_GRPC_ANSWER.test(error.details) &&
        !OTHER_SERVICE.test(error.details);
      if (isOldServer) return;
      if (this.closed || abortSignal?.aborted) {
        throw new ServiceCancelledError('Failed to connect: cancelled', { cause: error as Error }); // nothing is at fault
      }
      if (!isGrpcServiceError(error)) throw error; // of a function that gives the key or the headers
      throw explain(this.options.address, this.usesTls, error as Error);
    }
  }

  /**
   * Runs `fn`; every call in it ends at `deadline`.
   * @param deadline  milliseconds since the epoch, or a date
   * @throws {ValueError} no point in time
   */
  async withDeadline<R>(deadline: number | Date, fn: () => Promise<R>): Promise<R> {
    if (!(typeof deadline === 'number' || deadline instanceof Date) || Number.isNaN(Number(deadline))) {
      throw new ValueError(
        `Invalid deadline: ${String(deadline)}`,
        undefined,
        'give milliseconds since the epoch, or a Date',
      );
    }
    return await this.within({ deadline }, fn);
  }

  /** Runs `fn`; aborting the signal ends the calls in it with the gRPC status CANCELLED. */
  async withAbortSignal<R>(abortSignal: AbortSignal, fn: () => Promise<R>): Promise<R> {
    const outer = this.callContextStorage.getStore()?.abortSignal;
    const both = outer === undefined ? abortSignal : AbortSignal.any([outer, abortSignal]); // K2
    return await this.within({ abortSignal: both }, fn);
  }

  /** Runs `fn`; every call in it carries these headers too. */
  async withMetadata<R>(metadata: Metadata, fn: () => Promise<R>): Promise<R> {
    const outer = this.callContextStorage.getStore()?.metadata;
    return await this.within({ metadata: { ...outer, ...metadata } }, fn);
  }

  /** Runs `fn`; every call in it carries this API key. */
  async withApiKey<R>(apiKey: string, fn: () => Promise<R>): Promise<R> {
    return await this.withMetadata({ Authorization: `Bearer ${apiKey}` }, fn);
  }

  private async within<R>(context: CallContext, fn: () => Promise<R>): Promise<R> {
    return await this.callContextStorage.run({ ...this.callContextStorage.getStore(), ...context }, fn);
  }

  /** Replaces the API key from the next call on. */
  setApiKey(apiKey: string | (() => string)): void {
    this.apiKey = apiKey;
  }

  /**
   * Closes the channel. Calls under way end with the gRPC status CANCELLED, also those that wait for their next
   * attempt; later ones throw an IllegalStateError. May be called often.
   */
  async close(): Promise<void> {
    this.closed = true;
    for (const call of [...this.running]) call.cancel(); // K4
    this.client.close();
  }

  private assertOpen(): void {
    if (this.closed) {
      throw new IllegalStateError('The connection is closed', {
        hint: 'make a new one with Connection.connect',
      });
    }
  }

  private headers({ namespace }: RpcCall, scope: Metadata | undefined): GrpcMetadata {
    const apiKey = typeof this.apiKey === 'function' ? this.apiKey() : this.apiKey; // K3
    const own = Object.entries(this.options.metadata);
    if (own.length > 0 || scope !== undefined) {
      const headers = this.makeHeaders(namespace, apiKey);
      for (const [name, value] of own) headers.set(name, value);
      for (const [name, value] of Object.entries(scope ?? {})) headers.set(name, value); // K2: the scope's win
      return headers;
    }
    const made = this.madeHeaders;
    if (made !== undefined && made.namespace === namespace && made.apiKey === apiKey) return made.headers;
    const headers = this.makeHeaders(namespace, apiKey);
    this.madeHeaders = { namespace, apiKey, headers };
    return headers;
  }

  private makeHeaders(namespace: string | undefined, apiKey: string | undefined): GrpcMetadata {
    const headers = new (grpc().Metadata)();
    headers.set('client-name', CLIENT_NAME);
    headers.set('client-version', CLIENT_VERSION);
    if (namespace !== undefined) headers.set('temporal-namespace', namespace);
    if (apiKey !== undefined) headers.set('authorization', `Bearer ${apiKey}`);
    return headers;
  }

  /** The transport of this connection's services (RpcTransport). */
  private readonly call = (call: RpcCall): Promise<Uint8Array> =>
    this.callIn(this.callContextStorage.getStore() ?? NO_SCOPE, call);

  private async callIn(scope: CallContext, call: RpcCall): Promise<Uint8Array> {
    this.assertOpen();
    const { metadata, abortSignal } = scope;
    const deadline = usableDeadline(scope.deadline);
    const headers = this.headers(call, metadata);
    const path = `/${call.service}/${call.method}`;
    const request = identity(call.request);
    const { direct } = this;
    if (direct === undefined)
      return await this.callIntercepted(path, request, headers, deadline, abortSignal);
    const running = new UnaryCall({ ...direct, path, request, headers, deadline });
    const ended = running.start();
    this.running.add(running);
    const onAbort = abortSignal && (() => running.cancel());
    if (abortSignal?.aborted) onAbort!();
    else abortSignal?.addEventListener('abort', onAbort!, { once: true });
    try {
      const status = await ended;
      if (status.code !== grpcStatus.OK) throw grpcError(status);
      return running.response!;
    } finally {
      abortSignal?.removeEventListener('abort', onAbort!);
      this.running.delete(running);
    }
  }

  /** A call that passes the interceptors of grpc-js (K5). */
  private callIntercepted(
    path: string,
    request: Buffer,
    headers: GrpcMetadata,
    deadline: number | Date | undefined,
    abortSignal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const options: CallOptions = { deadline, interceptors: this.options.interceptors };
    return new Promise<Uint8Array>((resolve, reject) => {
      const onAbort = () => running.cancel();
      const running = this.client.makeUnaryRequest(
        path,
        identity,
        identity,
        request,
        headers.clone(), // interceptors may add to what they are given
        options,
        (error, response) => {
          abortSignal?.removeEventListener('abort', onAbort);
          this.running.delete(running);
          if (error !== null) reject(error);
          else resolve(response!);
        },
      );
      this.running.add(running);
      if (abortSignal?.aborted) onAbort();
      else abortSignal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** The transport for calls that are answered many times (RpcStreamTransport). */
  private readonly openStream: RpcStreamTransport = (call, sink) => {
    this.assertOpen();
    const { deadline, metadata, abortSignal } = this.callContextStorage.getStore() ?? {};
    const running = this.client.makeServerStreamRequest(
      `/${call.service}/${call.method}`,
      identity,
      identity,
      call.request,
      this.headers(call, metadata).clone(),
      { deadline: usableDeadline(deadline), interceptors: this.options.interceptors },
    );
    this.running.add(running);
    const cancel = () => running.cancel();
    let cancelledHere = false;
    const end = (error?: unknown) => {
      this.running.delete(running);
      abortSignal?.removeEventListener('abort', cancel);
      sink.end(cancelledHere ? undefined : error);
    };
    running.on('data', (response: Uint8Array) => sink.message(response));
    running.on('error', end);
    running.on('end', () => end());
    if (abortSignal?.aborted) cancel();
    else abortSignal?.addEventListener('abort', cancel, { once: true });
    return () => {
      cancelledHere = true;
      cancel();
    };
  };
}
