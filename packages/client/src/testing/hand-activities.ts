/**
 * An activity worker written by hand on the raw RPCs, so that the client's results can be checked on a real server
 * without any other package of the SDK.
 */
import { status as grpcStatus } from '@grpc/grpc-js';
import { type Connection, isGrpcServiceError } from '@perdure/client';
import {
  CancelledFailure,
  defaultFailureConverter,
  defaultPayloadConverter,
  type LoadedDataConverter,
} from '@perdure/common';
import type { PollActivityTaskQueueResponse } from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import { DataPipe } from '../data';
import { POLL_MS } from './hand-worker';

/** One attempt. */
export interface Attempt {
  readonly args: unknown[];
  readonly task: PollActivityTaskQueueResponse;
  /** Sends a heartbeat; gives what the server answers. */
  beat(details?: unknown): Promise<{ cancelRequested?: boolean; activityPaused?: boolean }>;
}

export class HandActivities {
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;
  private readonly data: DataPipe;
  private readonly attempts = new Set<Promise<void>>();
  private failure: unknown;

  constructor(
    private readonly connection: Connection,
    private readonly taskQueue: string,
    private readonly activities: Record<string, (attempt: Attempt) => Promise<unknown>>,
    converter: Partial<LoadedDataConverter> = {},
  ) {
    this.data = new DataPipe({
      payloadConverter: defaultPayloadConverter,
      failureConverter: defaultFailureConverter,
      payloadCodecs: [],
      ...converter,
    });
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    await Promise.all(this.attempts);
    if (this.failure !== undefined) throw this.failure;
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        const poll = () =>
          this.connection.workflowService.pollActivityTaskQueue({
            namespace: 'default',
            taskQueue: { name: this.taskQueue },
            identity: 'hand-activities',
          });
        const task = await this.connection.withAbortSignal(this.stopping.signal, () =>
          this.connection.withDeadline(Date.now() + POLL_MS, poll),
        );
        if (!task.taskToken?.length) continue;
        const attempt = this.attempt(task)
          .catch((error) => {
            // An activity that was closed in the meantime wants no answer any more.
            if (!isGrpcServiceError(error) || error.code !== grpcStatus.NOT_FOUND) this.failure ??= error;
          })
          .finally(() => this.attempts.delete(attempt));
        this.attempts.add(attempt);
      } catch (error) {
        if (!this.stopping.signal.aborted) this.failure ??= error;
      }
    }
  }

  private async attempt(task: PollActivityTaskQueueResponse): Promise<void> {
    const { workflowService } = this.connection;
    const common = { namespace: 'default', taskToken: task.taskToken!, identity: 'hand-activities' };
    const context = {
      type: 'activity',
      namespace: 'default',
      activityId: task.activityId!,
      isLocal: false,
    } as const;
    try {
      const result = await this.activities[task.activityType!.name!]!({
        task,
        args: await this.data.fromPayloads(task.input, context),
        beat: async (details) =>
          await workflowService.recordActivityTaskHeartbeat({
            ...common,
            details: await this.data.toPayloads([details], context),
          }),
      });
      await workflowService.respondActivityTaskCompleted({
        ...common,
        result: await this.data.toPayloads([result], context),
      });
    } catch (error) {
      if (isGrpcServiceError(error)) throw error;
      if (error instanceof CancelledFailure) {
        const details = await this.data.toPayloads(error.details as unknown[], context);
        await workflowService.respondActivityTaskCanceled({ ...common, details });
      } else {
        const failure = await this.data.toFailure(error, context);
        await workflowService.respondActivityTaskFailed({ ...common, failure });
      }
    }
  }
}
