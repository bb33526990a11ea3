/**
 * Waits for the end of a workflow and turns it into a value or an error.
 *
 * Owns    the long poll for the closing event, the chain of runs.
 */
import {
  CancelledFailure,
  decodeRetryState,
  RetryState,
  TerminatedFailure,
  TimeoutFailure,
  TimeoutType,
} from '@perdure/common';
import type { HistoryEvent } from '@perdure/proto/temporal/api/history/v1/message';
import { ServiceError, WorkflowContinuedAsNewError, WorkflowFailedError } from './errors';
import { rethrowGrpcError } from './grpc-failures';
import type { WorkflowResultOptions } from './types';
import { type CallSite, contextOf } from './workflow-calls';

const CLOSE_EVENT = 2; // temporal.api.enums.v1.HistoryEventFilterType

/** The closing event of one run; asks the server again for as long as the run is open. */
async function closingEvent(
  site: CallSite,
  workflowId: string,
  runId: string | undefined,
): Promise<HistoryEvent> {
  let nextPageToken: Uint8Array | undefined;
  for (;;) {
    try {
      const response = await site.workflowService.getWorkflowExecutionHistory({
        namespace: site.namespace,
        execution: { workflowId, runId },
        skipArchival: true,
        waitNewEvent: true,
        historyEventFilterType: CLOSE_EVENT,
        nextPageToken,
      });
      const event = response.history?.events?.at(-1);
      if (event !== undefined) return event;
      nextPageToken = response.nextPageToken;
    } catch (error) {
      rethrowGrpcError(error, { doing: 'wait for the result', namespace: site.namespace, workflowId, runId });
    }
  }
}

/** @throws the errors that WorkflowClient.result documents */
export async function workflowResult<R>(
  site: CallSite,
  workflowId: string,
  firstRunId: string | undefined,
  { followRuns = true, typeInfo }: WorkflowResultOptions = {},
): Promise<R> {
  const context = contextOf(site, workflowId);
  const failed = (what: string, cause: Error, retryState: RetryState | undefined) =>
    new WorkflowFailedError(
      `Workflow execution ${what}`,
      cause,
      retryState ?? RetryState.NON_RETRYABLE_FAILURE,
    );
  let runId = firstRunId;
  for (;;) {
    const event = await closingEvent(site, workflowId, runId);
    const {
      workflowExecutionCompletedEventAttributes: completed,
      workflowExecutionFailedEventAttributes: failedEvent,
      workflowExecutionCanceledEventAttributes: cancelled,
      workflowExecutionTerminatedEventAttributes: terminated,
      workflowExecutionTimedOutEventAttributes: timedOut,
      workflowExecutionContinuedAsNewEventAttributes: continued,
    } = event;
    const nextRunId = (completed ?? failedEvent ?? timedOut ?? continued)?.newExecutionRunId;
    if (nextRunId && followRuns) {
      runId = nextRunId;
      continue;
    }
    if (completed !== undefined) {
      return await site.data.firstValue<R>(completed.result, context, typeInfo?.outputType);
    }
    if (failedEvent !== undefined) {
      const cause = await site.data.fromFailure(failedEvent.failure ?? {}, context);
      throw failed('failed', cause, decodeRetryState(failedEvent.retryState));
    }
    if (cancelled !== undefined) {
      const details = await site.data.fromPayloads(cancelled.details, context);
      throw failed('cancelled', new CancelledFailure('Workflow canceled', details), undefined);
    }
    if (terminated !== undefined) {
      const reason = terminated.reason || 'Workflow execution terminated';
      throw new WorkflowFailedError(reason, new TerminatedFailure(reason), RetryState.NON_RETRYABLE_FAILURE);
    }
    if (timedOut !== undefined) {
      const cause = new TimeoutFailure('Workflow execution timed out', undefined, TimeoutType.START_TO_CLOSE);
      throw failed('timed out', cause, decodeRetryState(timedOut.retryState));
    }
    if (continued !== undefined) {
      throw new WorkflowContinuedAsNewError('Workflow execution continued as new', nextRunId ?? '');
    }
    throw new ServiceError(
      `The server sent event type ${event.eventType} as the end of workflow '${workflowId}'`,
    );
  }
}
