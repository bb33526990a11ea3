/**
 * The Nexus runner: Nexus tasks in, completions out. It knows no server and no native code.
 *
 * Owns    the running requests by task token.
 * Leaves  one request's life to execution.ts.
 * R1  Every task is answered by exactly one completion, whatever handlers do.
 * R2  `handle` never throws and never waits for user code.
 * R3  A completion that the host refuses is logged; the slot is free all the same.
 */
import type { Client } from '@perdure/client';
import { type LoadedDataConverter, type Logger, type MetricMeter, noopMetricMeter } from '@perdure/common';
import type { Timestamp } from '@perdure/proto/google/protobuf/timestamp';
import {
  NexusTask,
  NexusTaskCompletion,
  type NexusTask as NexusTaskMessage,
} from '@perdure/proto/temporal/sdk/core/nexus/nexus';
import Long from 'long';
import type { ServiceHandler } from 'nexus-rpc';
import { Execution, type ExecutionEnvironment, type NexusCancelReason } from './execution';
import { plainHandlerFailure } from './failures';
import type { NexusInterceptorsFactory } from './interceptors';

export type { NexusCancelReason } from './execution';
export type {
  NexusCancelOperationInput,
  NexusInboundCallsInterceptor,
  NexusInterceptors,
  NexusInterceptorsFactory,
  NexusOutboundCallsInterceptor,
  NexusStartOperationInput,
  NexusStartOperationOutput,
} from './interceptors';

/** Where the runner's answers go. */
export interface NexusRunnerHooks {
  /** @param completion encoded coresdk.nexus.NexusTaskCompletion; resolves when it has been taken */
  complete(completion: Uint8Array): Promise<void>;
}

export interface NexusRunnerOptions {
  readonly namespace: string;
  readonly taskQueue: string;
  /** What nexus-rpc's `serviceHandler` made. */
  readonly services: readonly ServiceHandler<any>[];
  readonly dataConverter: LoadedDataConverter;
  /** Called for each request, in order; the first interceptor is the outermost. (=none) */
  readonly interceptors?: readonly NexusInterceptorsFactory[];
  readonly logger: Logger;
  /** (=one that records nothing) */
  readonly metricMeter?: MetricMeter;
  /** Gives what `getClient()` gives. (=none) */
  readonly client?: () => Client | undefined;
  readonly hooks: NexusRunnerHooks;
}

/** By their number in coresdk.nexus.NexusTaskCancelReason. */
const CANCEL_REASONS: readonly NexusCancelReason[] = ['TIMED_OUT', 'WORKER_SHUTDOWN'];
/** Longest delay a Node.js timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class NexusRunner {
  readonly #env: ExecutionEnvironment;
  readonly #hooks: NexusRunnerHooks;
  readonly #running = new Map<string, Execution>();
  readonly #settling = new Set<Promise<void>>();

  /** @throws {TypeError} a service is none, or two have the same name */
  constructor({
    namespace,
    taskQueue,
    services,
    dataConverter,
    interceptors = [],
    logger,
    metricMeter = noopMetricMeter,
    client,
    hooks,
  }: NexusRunnerOptions) {
    this.#hooks = hooks;
    this.#env = {
      namespace,
      taskQueue,
      services: collectServices(services),
      dataConverter,
      interceptors,
      logger,
      metricMeter,
      client,
    };
  }

  /** Requests that handlers work on. */
  get inFlight(): number {
    return this.#running.size;
  }

  /** Takes one encoded coresdk.nexus.NexusTask. */
  handle(bytes: Uint8Array): void {
    let task: NexusTaskMessage;
    try {
      task = NexusTask.decode(bytes);
    } catch (error) {
      // R2: without a token nothing can be answered; the server's timeout takes care of the task.
      this.#env.logger.error('A Nexus task could not be decoded', { error });
      return;
    }
    if (task.task !== undefined) {
      const settled = this.#start(task).finally(() => this.#settling.delete(settled));
      this.#settling.add(settled);
    } else if (task.cancelTask !== undefined) {
      const { taskToken = new Uint8Array(), reason = 0 } = task.cancelTask;
      this.#running.get(keyOf(taskToken))?.cancel(CANCEL_REASONS[reason] ?? 'TIMED_OUT');
    }
  }

  /**
   * Answers every running request, without waiting for handlers any longer.
   * @param reason text of the failure
   */
  abandon(reason: string): void {
    for (const execution of this.#running.values()) execution.abandon(reason);
  }

  /** Resolves once every request so far has been answered and its completion taken. */
  async idle(): Promise<void> {
    while (this.#settling.size > 0) await Promise.all(this.#settling);
  }

  async #start({ task, requestDeadline, endpoint }: NexusTaskMessage): Promise<void> {
    const { taskToken = new Uint8Array(), request = {} } = task!;
    const key = keyOf(taskToken);
    const deadline = requestDeadline && dateOf(requestDeadline);
    const execution = new Execution(
      this.#env,
      { ...request, endpoint: request.endpoint || endpoint },
      deadline,
    );
    this.#running.set(key, execution);
    const timer = deadline && cancelAt(execution, deadline);
    const outcome = await execution.run();
    clearTimeout(timer);
    this.#running.delete(key);
    try {
      await this.#hooks.complete(encodeCompletion(taskToken, outcome)); // R1
    } catch (error) {
      const { service, operation } = request.startOperation ?? request.cancelOperation ?? {};
      this.#env.logger.error('A Nexus completion was refused', { error, service, operation }); // R3
    }
  }
}

function keyOf(taskToken: Uint8Array): string {
  return Buffer.from(taskToken.buffer, taskToken.byteOffset, taskToken.byteLength).toString('base64');
}

function dateOf({ seconds = Long.ZERO, nanos = 0 }: Timestamp): Date {
  return new Date(Long.fromValue(seconds).toNumber() * 1000 + Math.floor(nanos / 1e6));
}

/** The core says when a request has timed out; hosts without one need this. */
function cancelAt(execution: Execution, deadline: Date): NodeJS.Timeout {
  const leftMs = Math.min(Math.max(0, deadline.getTime() - Date.now()), MAX_TIMER_MS);
  return setTimeout(() => execution.cancel('TIMED_OUT'), leftMs).unref();
}

/** @throws {TypeError} a service is none, or two have the same name */
export function collectServices(services: readonly ServiceHandler<any>[]): Map<string, ServiceHandler> {
  const byName = new Map<string, ServiceHandler>();
  for (const service of services) {
    const name: unknown = service?.definition?.name;
    if (typeof name !== 'string' || name === '' || typeof service.getOperationHandler !== 'function') {
      throw new TypeError('nexusServices: an entry was not made by serviceHandler of nexus-rpc');
    }
    if (byName.has(name)) throw new TypeError(`nexusServices: the service '${name}' is there twice`);
    byName.set(name, service);
  }
  return byName;
}

/** A converter or codec may have made payloads that are none: then the request fails and says so. */
function encodeCompletion(
  taskToken: Uint8Array,
  outcome: Omit<NexusTaskCompletion, 'taskToken'>,
): Uint8Array {
  try {
    return NexusTaskCompletion.encode({ taskToken, ...outcome }).finish();
  } catch (error) {
    const message = `The answer of the handler is not a valid message: ${error}`;
    const failure = plainHandlerFailure(message, 'INTERNAL', true);
    return NexusTaskCompletion.encode({ taskToken, failure }).finish();
  }
}
