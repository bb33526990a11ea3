/**
 * A worker written by hand on the raw RPCs, so that the client's results can be checked on a real server without any
 * other package of the SDK. What a workflow does is decided by its type:
 *
 * echo     completes with its first argument      fail      fails with an application failure and a cause
 * again    continues as new n times, then completes with 'done'
 * cancel   stays open until cancelled, then confirms   open  stays open
 * activity schedules the activity 'act' and ends as it ends
 *
 * Every open workflow answers the query `args` with its arguments and fails others, completes the update `double` with
 * twice its argument, fails the update `broken`, and rejects all others.
 */

import { status as grpcStatus } from '@grpc/grpc-js';
import { type Connection, isGrpcServiceError } from '@perdure/client';
import {
  ApplicationFailure,
  defaultFailureConverter,
  defaultPayloadConverter,
  type LoadedDataConverter,
} from '@perdure/common';
import type { Command } from '@perdure/proto/temporal/api/command/v1/message';
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import { CommandType } from '@perdure/proto/temporal/api/enums/v1/command_type';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import { QueryResultType } from '@perdure/proto/temporal/api/enums/v1/query';
import type { Message } from '@perdure/proto/temporal/api/protocol/v1/message';
import { Acceptance, Rejection, Request, Response } from '@perdure/proto/temporal/api/update/v1/message';
import type { PollWorkflowTaskQueueResponse } from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import Long from 'long';
import { DataPipe } from '../data';

/** Servers refuse polls without a deadline. */
export const POLL_MS = 70_000;

export class HandWorker {
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;
  private readonly data: DataPipe;
  private failure: unknown;

  constructor(
    private readonly connection: Connection,
    private readonly taskQueue: string,
    converter: Partial<LoadedDataConverter> = {},
    private readonly namespace = 'default',
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
    if (this.failure !== undefined) throw this.failure;
  }

  private async run(): Promise<void> {
    const { workflowService } = this.connection;
    while (!this.stopping.signal.aborted) {
      try {
        const poll = () =>
          workflowService.pollWorkflowTaskQueue({
            namespace: this.namespace,
            taskQueue: { name: this.taskQueue },
            identity: 'hand-worker',
          });
        const task = await this.connection.withAbortSignal(this.stopping.signal, () =>
          this.connection.withDeadline(Date.now() + POLL_MS, poll),
        );
        if (task.taskToken !== undefined && task.taskToken.length > 0) await this.answer(task);
      } catch (error) {
        // A workflow that was closed in the meantime wants no answer any more.
        const closed = isGrpcServiceError(error) && error.code === grpcStatus.NOT_FOUND;
        if (!closed && !this.stopping.signal.aborted) this.failure ??= error;
      }
    }
  }

  private async input(task: PollWorkflowTaskQueueResponse): Promise<unknown[]> {
    const started = task.history?.events?.[0]?.workflowExecutionStartedEventAttributes;
    return await this.data.fromPayloads(started?.input);
  }

  private async answer(task: PollWorkflowTaskQueueResponse): Promise<void> {
    const { workflowService } = this.connection;
    const { namespace } = this;
    const taskToken = task.taskToken!;
    if (task.query !== undefined) {
      const answer = await this.answerQuery(task, task.query.queryType!);
      await workflowService.respondQueryTaskCompleted({
        namespace,
        taskToken,
        completedType: answer.resultType,
        queryResult: answer.answer,
        errorMessage: answer.errorMessage,
      });
      return;
    }
    const queryResults: Record<string, Awaited<ReturnType<HandWorker['answerQuery']>>> = {};
    for (const [id, query] of Object.entries(task.queries ?? {})) {
      queryResults[id] = await this.answerQuery(task, query.queryType!);
    }
    const updates = await this.answerUpdates(task);
    await workflowService.respondWorkflowTaskCompleted({
      namespace,
      taskToken,
      identity: 'hand-worker',
      queryResults,
      messages: updates,
      commands: [
        ...updates.map(({ id }) => ({
          commandType: CommandType.COMMAND_TYPE_PROTOCOL_MESSAGE,
          protocolMessageCommandAttributes: { messageId: id },
        })),
        ...(await this.commands(task)),
      ],
    });
  }

  private async answerQuery(task: PollWorkflowTaskQueueResponse, queryType: string) {
    if (queryType === 'args') {
      return {
        resultType: QueryResultType.QUERY_RESULT_TYPE_ANSWERED,
        answer: await this.data.toPayloads([await this.input(task)]),
      };
    }
    return {
      resultType: QueryResultType.QUERY_RESULT_TYPE_FAILED,
      errorMessage: `unknown query ${queryType}`,
    };
  }

  private async answerUpdates(task: PollWorkflowTaskQueueResponse): Promise<Message[]> {
    const answers: Message[] = [];
    for (const { id, protocolInstanceId, eventId, body } of task.messages ?? []) {
      const request = Request.decode(body!.value!);
      const say = (kind: string, typeName: string, value: Uint8Array) =>
        answers.push({
          id: `${protocolInstanceId}/${kind}`,
          protocolInstanceId,
          body: { typeUrl: `type.googleapis.com/temporal.api.update.v1.${typeName}`, value },
        });
      const name = request.input!.name;
      if (name !== 'double' && name !== 'broken') {
        const failure = await this.data.toFailure(
          ApplicationFailure.create({ message: `no update ${name}` }),
        );
        const rejection = {
          rejectedRequestMessageId: id,
          rejectedRequestSequencingEventId: eventId,
          rejectedRequest: request,
          failure,
        };
        say('reject', 'Rejection', Rejection.encode(rejection).finish());
        continue;
      }
      const acceptance = {
        acceptedRequestMessageId: id,
        acceptedRequestSequencingEventId: eventId,
        acceptedRequest: request,
      };
      say('accept', 'Acceptance', Acceptance.encode(acceptance).finish());
      const [value] = await this.data.fromPayloads(request.input!.args);
      const outcome =
        name === 'double'
          ? { success: await this.data.toPayloads([(value as number) * 2]) }
          : {
              failure: await this.data.toFailure(
                ApplicationFailure.create({ message: 'broken', details: [value] }),
              ),
            };
      say('complete', 'Response', Response.encode({ meta: request.meta, outcome }).finish());
    }
    return answers;
  }

  private async commands(task: PollWorkflowTaskQueueResponse): Promise<Command[]> {
    const [first] = await this.input(task);
    const values = async (...all: unknown[]): Promise<{ payloads?: Payload[] } | undefined> =>
      await this.data.toPayloads(all);
    switch (task.workflowType?.name) {
      case 'echo':
        return [
          {
            commandType: CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
            completeWorkflowExecutionCommandAttributes: { result: await values(first) },
          },
        ];
      case 'fail': {
        const cause = ApplicationFailure.create({ message: 'inner', details: [first] });
        const failure = await this.data.toFailure(
          ApplicationFailure.create({ message: 'outer', type: 'Outer', cause }),
        );
        return [
          {
            commandType: CommandType.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
            failWorkflowExecutionCommandAttributes: { failure },
          },
        ];
      }
      case 'again':
        return (first as number) === 0
          ? [
              {
                commandType: CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
                completeWorkflowExecutionCommandAttributes: { result: await values('done') },
              },
            ]
          : [
              {
                commandType: CommandType.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
                continueAsNewWorkflowExecutionCommandAttributes: {
                  workflowType: { name: 'again' },
                  taskQueue: { name: this.taskQueue },
                  input: await values((first as number) - 1),
                },
              },
            ];
      case 'cancel': {
        const requested = task.history?.events?.some(
          ({ eventType }) => eventType === EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
        );
        return requested
          ? [
              {
                commandType: CommandType.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION,
                cancelWorkflowExecutionCommandAttributes: { details: await values('tidied up') },
              },
            ]
          : [];
      }
      case 'activity':
        return this.activityCommands(task);
      default:
        return [];
    }
  }

  private activityCommands(task: PollWorkflowTaskQueueResponse): Command[] {
    const events = task.history?.events ?? [];
    for (const event of events) {
      const completed = event.activityTaskCompletedEventAttributes;
      const failed = event.activityTaskFailedEventAttributes;
      const cancelled = event.activityTaskCanceledEventAttributes;
      if (completed !== undefined || cancelled !== undefined) {
        const result = completed?.result ?? cancelled?.details;
        return [
          {
            commandType: CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
            completeWorkflowExecutionCommandAttributes: { result },
          },
        ];
      }
      if (failed !== undefined) {
        return [
          {
            commandType: CommandType.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
            failWorkflowExecutionCommandAttributes: { failure: failed.failure },
          },
        ];
      }
    }
    const scheduled = events.find((event) => event.activityTaskScheduledEventAttributes !== undefined);
    if (scheduled === undefined) {
      return [
        {
          commandType: CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
          scheduleActivityTaskCommandAttributes: {
            activityId: 'act',
            activityType: { name: 'act' },
            taskQueue: { name: this.taskQueue },
            startToCloseTimeout: { seconds: Long.fromNumber(60), nanos: 0 },
            retryPolicy: { maximumAttempts: 1 },
          },
        },
      ];
    }
    const cancelRequested = events.some(
      ({ eventType }) => eventType === EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
    );
    const alreadySent = events.some(
      (event) => event.activityTaskCancelRequestedEventAttributes !== undefined,
    );
    return cancelRequested && !alreadySent
      ? [
          {
            commandType: CommandType.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK,
            requestCancelActivityTaskCommandAttributes: { scheduledEventId: scheduled.eventId },
          },
        ]
      : [];
  }
}
