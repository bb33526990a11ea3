/**
 * Completes activities from outside the worker, by task token or by id.
 *
 * Owns    the calls and their typed errors.
 */
import {
  type ActivitySerializationContext,
  ensureTemporalFailure,
  type PayloadTypeInfo,
  type SerializationContext,
} from '@perdure/common';
import {
  BaseClient,
  type BaseClientOptions,
  type LoadedBaseClientOptions,
  resolveBaseClientOptions,
} from './base-client';
import {
  ActivityCancelledError,
  ActivityCompletionError,
  ActivityNotFoundError,
  ActivityPausedError,
  ActivityResetError,
  isGrpcServiceError,
} from './errors';
import { checkFullActivityId } from './given';
import { grpcStatus } from './grpc';
import { rethrowGrpcError } from './grpc-failures';

export type AsyncCompletionClientOptions = BaseClientOptions;
export type LoadedAsyncCompletionClientOptions = LoadedBaseClientOptions;

/** An activity by id. */
export interface FullActivityId {
  /** Absent for activities without a workflow. */
  workflowId?: string;
  /** Run of the workflow, or of the activity where there is no workflow. */
  runId?: string;
  activityId: string;
}

/** With a task token only: an id says by itself what this says. */
export interface AsyncCompletionOperationOptions {
  /** The activity that the payloads belong to, for converters and codecs. */
  serializationContext?: ActivitySerializationContext;
}

export interface AsyncCompletionCompleteOptions {
  /** How the result converts. */
  typeInfo?: Pick<PayloadTypeInfo, 'outputType'>;
}

type Target = Uint8Array | FullActivityId;

export class AsyncCompletionClient extends BaseClient {
  readonly options: LoadedAsyncCompletionClientOptions;

  constructor(options: AsyncCompletionClientOptions = {}) {
    const base = resolveBaseClientOptions(options);
    super(options, base);
    this.options = base;
  }

  private contextOf(
    target: Target,
    options?: AsyncCompletionOperationOptions,
  ): SerializationContext | undefined {
    if (target instanceof Uint8Array) return options?.serializationContext;
    checkFullActivityId(target);
    const { activityId, workflowId } = target;
    return { type: 'activity', namespace: this.base.namespace, activityId, workflowId, isLocal: false };
  }

  /** Calls the RPC of the target's form. */
  private async call<R>(
    target: Target,
    byToken: (common: { namespace: string; identity: string; taskToken: Uint8Array }) => Promise<R>,
    byId: (common: { namespace: string; identity: string } & FullActivityId) => Promise<R>,
  ): Promise<R> {
    const common = { namespace: this.base.namespace, identity: this.base.identity };
    try {
      return await (target instanceof Uint8Array
        ? byToken({ ...common, taskToken: target })
        : byId({ ...common, ...target }));
    } catch (error) {
      if (!isGrpcServiceError(error)) throw error;
      if (error.code === grpcStatus.NOT_FOUND) {
        try {
          rethrowGrpcError(error, { doing: 'complete activity', namespace: this.base.namespace });
        } catch (typed) {
          if ((typed as { code?: string }).code === 'NAMESPACE_NOT_FOUND') throw typed;
        }
        throw new ActivityNotFoundError(error.details || 'Activity not found', { cause: error });
      }
      throw new ActivityCompletionError(error.details || error.message, { cause: error });
    }
  }

  /**
   * Completes an activity with a result.
   * @throws {ActivityNotFoundError} unknown or closed
   * @throws {ActivityCompletionError} anything else
   */
  async complete(
    taskToken: Uint8Array,
    result: unknown,
    options?: AsyncCompletionCompleteOptions & AsyncCompletionOperationOptions,
  ): Promise<void>;
  async complete(
    fullActivityId: FullActivityId,
    result: unknown,
    options?: AsyncCompletionCompleteOptions,
  ): Promise<void>;
  async complete(
    target: Target,
    value: unknown,
    options?: AsyncCompletionCompleteOptions & AsyncCompletionOperationOptions,
  ): Promise<void> {
    const outputType = options?.typeInfo?.outputType;
    const result = await this.data.toPayloads(
      [value],
      this.contextOf(target, options),
      outputType && [outputType],
    );
    await this.call<unknown>(
      target,
      (common) => this.workflowService.respondActivityTaskCompleted({ ...common, result }),
      (common) => this.workflowService.respondActivityTaskCompletedById({ ...common, result }),
    );
  }

  /** Fails an activity; throws as `complete` does. */
  async fail(taskToken: Uint8Array, err: unknown, options?: AsyncCompletionOperationOptions): Promise<void>;
  async fail(fullActivityId: FullActivityId, err: unknown): Promise<void>;
  async fail(target: Target, err: unknown, options?: AsyncCompletionOperationOptions): Promise<void> {
    const failure = await this.data.toFailure(ensureTemporalFailure(err), this.contextOf(target, options));
    await this.call<unknown>(
      target,
      (common) => this.workflowService.respondActivityTaskFailed({ ...common, failure }),
      (common) => this.workflowService.respondActivityTaskFailedById({ ...common, failure }),
    );
  }

  /** Confirms that an activity was cancelled; throws as `complete` does. */
  async reportCancellation(
    taskToken: Uint8Array,
    details?: unknown,
    options?: AsyncCompletionOperationOptions,
  ): Promise<void>;
  async reportCancellation(fullActivityId: FullActivityId, details?: unknown): Promise<void>;
  async reportCancellation(
    target: Target,
    value?: unknown,
    options?: AsyncCompletionOperationOptions,
  ): Promise<void> {
    const details = await this.data.toPayloads(
      value === undefined ? [] : [value],
      this.contextOf(target, options),
    );
    await this.call<unknown>(
      target,
      (common) => this.workflowService.respondActivityTaskCanceled({ ...common, details }),
      (common) => this.workflowService.respondActivityTaskCanceledById({ ...common, details }),
    );
  }

  /**
   * Says that an activity is alive.
   * @throws {ActivityCancelledError} @throws {ActivityPausedError} @throws {ActivityResetError} what the server answers
   */
  async heartbeat(
    taskToken: Uint8Array,
    details?: unknown,
    options?: AsyncCompletionOperationOptions,
  ): Promise<void>;
  async heartbeat(fullActivityId: FullActivityId, details?: unknown): Promise<void>;
  async heartbeat(target: Target, value?: unknown, options?: AsyncCompletionOperationOptions): Promise<void> {
    const details = await this.data.toPayloads(
      value === undefined ? [] : [value],
      this.contextOf(target, options),
    );
    const { cancelRequested, activityReset, activityPaused } = await this.call<{
      cancelRequested?: boolean;
      activityReset?: boolean;
      activityPaused?: boolean;
    }>(
      target,
      (common) => this.workflowService.recordActivityTaskHeartbeat({ ...common, details }),
      (common) => this.workflowService.recordActivityTaskHeartbeatById({ ...common, details }),
    );
    if (cancelRequested) throw new ActivityCancelledError('cancelled');
    if (activityReset) throw new ActivityResetError('reset');
    if (activityPaused) throw new ActivityPausedError('paused');
  }
}
