/**
 * One request to a handler: from the task's message to its completion.
 *
 * Owns    the context, interceptors and cancellation of this request.
 * Leaves  task tokens, counting and sending completions to runner.ts.
 * E1  `run` never rejects: whatever handlers, converters, codecs or interceptors do ends in a completion.
 * E2  The first cancellation decides; later ones change nothing.
 */
import type { Client } from '@perdure/client';
import {
  CancelledFailure,
  composeInterceptors,
  fromPayloadWithTypeInfo,
  IllegalStateError,
  type LoadedDataConverter,
  type Logger,
  LoggerWithComposedMetadata,
  type MetricMeter,
  MetricMeterWithComposedTags,
  SdkComponent,
} from '@perdure/common';
import { decodeOptionalSingle, encodeToPayload, wireCodecs } from '@perdure/common/lib/internal-non-workflow';
import { isAbortError } from '@perdure/common/lib/type-helpers';
import type { Request, StartOperationResponse } from '@perdure/proto/temporal/api/nexus/v1/message';
import type { NexusTaskCompletion } from '@perdure/proto/temporal/sdk/core/nexus/nexus';
import {
  HandlerError,
  type HandlerStartOperationResult,
  type OperationContext,
  OperationError,
  type OperationHandler,
  type ServiceHandler,
  type StartOperationContext,
} from 'nexus-rpc';
import { asyncLocalStorage, type HandlerContext } from './context';
import { asHandlerError, handlerFailure, operationFailure, plainHandlerFailure } from './failures';
import type { NexusInterceptors, NexusInterceptorsFactory } from './interceptors';
import { through } from './observability';
import { linkToProto, operationContext, startContext } from './request';

/** Why a request is cancelled. */
export type NexusCancelReason = 'TIMED_OUT' | 'WORKER_SHUTDOWN';

/** What every request of a runner shares. */
export interface ExecutionEnvironment {
  readonly namespace: string;
  readonly taskQueue: string;
  readonly services: ReadonlyMap<string, ServiceHandler>;
  readonly dataConverter: LoadedDataConverter;
  readonly interceptors: readonly NexusInterceptorsFactory[];
  readonly logger: Logger;
  readonly metricMeter: MetricMeter;
  readonly client: (() => Client | undefined) | undefined;
}

type Outcome = Omit<NexusTaskCompletion, 'taskToken'>;
type Definition = OperationHandler<unknown, unknown> & { inputType?: any; outputType?: any };

export class Execution {
  readonly #abort = new AbortController();
  readonly #abandoned: Promise<Outcome>;
  #abandon!: (outcome: Outcome) => void;
  #cancelReason: NexusCancelReason | undefined;

  constructor(
    private readonly env: ExecutionEnvironment,
    private readonly request: Request,
    private readonly requestDeadline: Date | undefined,
  ) {
    this.#abandoned = new Promise((resolve) => {
      this.#abandon = resolve;
    });
  }

  /** Asks the handler to stop. Never throws, whatever listeners of the signal do. */
  cancel(reason: NexusCancelReason): void {
    if (this.#cancelReason !== undefined) return; // E2
    this.#cancelReason = reason;
    this.#abort.abort(new CancelledFailure(reason));
  }

  /** Answers the request without waiting for the handler any longer; the server may try again at once. */
  abandon(reason: string): void {
    this.cancel('WORKER_SHUTDOWN');
    this.#abandon({ failure: plainHandlerFailure(reason, 'UNAVAILABLE', true) });
  }

  /** Runs the handler to its end, or until it is abandoned. */
  async run(): Promise<Outcome> {
    try {
      return await Promise.race([this.#attempt(), this.#abandoned]);
    } catch (error) {
      return { failure: plainHandlerFailure(`The handler could not be called: ${error}`, 'INTERNAL', true) }; // E1
    }
  }

  async #attempt(): Promise<Outcome> {
    const { env, request } = this;
    try {
      const ctx = operationContext(request, this.#abort.signal, this.requestDeadline);
      const interceptors: NexusInterceptors[] = [];
      const outbound = () => interceptors.flatMap((each) => each.outbound ?? []);
      const tags = {
        namespace: env.namespace,
        taskQueue: env.taskQueue,
        service: ctx.service,
        operation: ctx.operation,
      };
      const fields = () => through(outbound(), 'getLogAttributes', tags);
      const lifecycleLog = LoggerWithComposedMetadata.compose(
        env.logger,
        { sdkComponent: SdkComponent.worker },
        fields,
      );
      const handlerContext = this.#handlerContext(
        LoggerWithComposedMetadata.compose(env.logger, { sdkComponent: SdkComponent.nexus }, fields),
        MetricMeterWithComposedTags.compose(env.metricMeter, () =>
          through(outbound(), 'getMetricTags', tags),
        ),
      );
      return await asyncLocalStorage.run(handlerContext, () =>
        this.#withAbortableClient(() => {
          interceptors.push(...env.interceptors.map((make) => make(ctx)));
          return this.#handle(ctx, interceptors, lifecycleLog);
        }),
      );
    } catch (error) {
      return await this.#outcomeOfError(error);
    }
  }

  #handlerContext(log: Logger, metrics: MetricMeter): HandlerContext {
    const { namespace, taskQueue, client } = this.env;
    return {
      namespace,
      taskQueue,
      endpoint: this.request.endpoint ?? '',
      log,
      metrics,
      get client() {
        const given = client?.();
        if (given === undefined) {
          throw new IllegalStateError(
            'No client is available here: the handler does not run on a worker with one',
          );
        }
        return given;
      },
    };
  }

  /** Calls to the server end with the request they are made for. */
  #withAbortableClient<R>(fn: () => Promise<R>): Promise<R> {
    const client = this.env.client?.();
    return client === undefined ? fn() : client.withAbortSignal(this.#abort.signal, fn);
  }

  async #handle(
    ctx: OperationContext,
    interceptors: readonly NexusInterceptors[],
    log: Logger,
  ): Promise<Outcome> {
    const { startOperation, cancelOperation } = this.request;
    const handler = this.#handlerOf(ctx);
    const inbound = interceptors.flatMap((each) => each.inbound ?? []);
    if (startOperation !== undefined) {
      const startCtx = startContext(ctx, startOperation);
      const input = await this.#decodeInput(startOperation.payload, handler.inputType);
      const start = composeInterceptors(inbound, 'startOperation', async (given) => ({
        result: await this.#observed(log, 'startOperation', () => handler.start(given.ctx, given.input)),
      }));
      const { result } = await start({ ctx: startCtx, input });
      return {
        completed: { startOperation: await this.#startResponse(startCtx, result, handler.outputType) },
      };
    }
    const cancel = composeInterceptors(inbound, 'cancelOperation', (given) =>
      this.#observed(log, 'cancelOperation', () => handler.cancel(given.ctx, given.token)),
    );
    await cancel({ ctx, token: cancelOperation?.operationToken || cancelOperation?.operationId || '' });
    return { completed: { cancelOperation: {} } };
  }

  /** @throws {HandlerError} NOT_FOUND */
  #handlerOf({ service, operation }: OperationContext): Definition {
    const found = this.env.services.get(service);
    if (found === undefined) {
      const known = [...this.env.services.keys()].sort();
      throw new HandlerError(
        'NOT_FOUND',
        `No handler for service '${service}' is registered on this worker, available: ${JSON.stringify(known)}`,
      );
    }
    return found.getOperationHandler(operation) as Definition;
  }

  async #decodeInput(
    payload: NonNullable<Request['startOperation']>['payload'],
    inputType: any,
  ): Promise<unknown> {
    const { dataConverter } = this.env;
    try {
      const decoded = await decodeOptionalSingle(wireCodecs(dataConverter), payload);
      return (
        decoded && fromPayloadWithTypeInfo(dataConverter.payloadConverter, decoded, undefined, inputType)
      );
    } catch (error) {
      throw new HandlerError('BAD_REQUEST', `The input cannot be decoded: ${(error as Error)?.message}`, {
        cause: error,
      });
    }
  }

  async #startResponse(
    { outboundLinks }: StartOperationContext,
    result: HandlerStartOperationResult<unknown>,
    outputType: any,
  ): Promise<StartOperationResponse> {
    if (typeof result !== 'object' || result === null || typeof result.isAsync !== 'boolean') {
      throw new HandlerError(
        'INTERNAL',
        'The start handler gave no HandlerStartOperationResult: use HandlerStartOperationResult.sync or .async',
        { retryableOverride: false },
      );
    }
    const links = outboundLinks.map(linkToProto);
    if (result.isAsync) return { asyncSuccess: { operationToken: result.token, links } };
    const payload = await encodeToPayload(this.env.dataConverter, result.value, undefined, outputType);
    return { syncSuccess: { payload, links } };
  }

  async #observed<R>(log: Logger, method: string, fn: () => Promise<R>): Promise<R> {
    this.#abort.signal.throwIfAborted(); // a listener that is added now would never hear of it
    const startedMs = performance.now();
    const durationMs = () => Math.round(performance.now() - startedMs);
    note(() => log.debug('Nexus handler started', { method }));
    try {
      const result = await fn();
      note(() => log.debug('Nexus handler completed', { method, durationMs: durationMs() }));
      return result;
    } catch (error) {
      note(() =>
        this.#isCancellation(error)
          ? log.debug('Nexus handler completed as cancelled', { method, durationMs: durationMs() })
          : log.warn('Nexus handler failed', { method, error, durationMs: durationMs() }),
      );
      throw error;
    }
  }

  #isCancellation(error: unknown): boolean {
    return this.#cancelReason !== undefined && (error instanceof CancelledFailure || isAbortError(error));
  }

  async #outcomeOfError(error: unknown): Promise<Outcome> {
    if (this.#isCancellation(error)) {
      // Nobody waits for the answer to a request that has timed out; another worker may take one of a worker that stops.
      return this.#cancelReason === 'TIMED_OUT'
        ? { ackCancel: true }
        : { failure: plainHandlerFailure('The worker shuts down', 'UNAVAILABLE', true) };
    }
    try {
      if (error instanceof OperationError && this.request.startOperation !== undefined) {
        return {
          completed: { startOperation: { failure: await operationFailure(this.env.dataConverter, error) } },
        };
      }
      return { failure: await handlerFailure(this.env.dataConverter, asHandlerError(error)) };
    } catch (encodingError) {
      // The original may hold what a codec was to hide: only the reason why it could not be encoded is told.
      const why = encodingError instanceof Error ? encodingError.message : String(encodingError);
      return {
        failure: plainHandlerFailure(
          `The failure of the handler could not be encoded: ${why}`,
          'INTERNAL',
          true,
        ),
      };
    }
  }
}

/** A logger that throws must not change what the handler did. */
function note(write: () => void): void {
  try {
    write();
  } catch {
    // nothing is left to tell it to
  }
}
