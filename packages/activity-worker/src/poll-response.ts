/** A polled activity task in the words of the core's protocol, which is what the runner takes. */
import type { PollActivityTaskQueueResponse } from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import type { Start } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';

export function startOf(polled: PollActivityTaskQueueResponse): Start {
  return {
    workflowNamespace: polled.workflowNamespace,
    workflowType: polled.workflowType?.name,
    workflowExecution: polled.workflowExecution,
    activityId: polled.activityId,
    activityType: polled.activityType?.name,
    headerFields: polled.header?.fields,
    input: polled.input?.payloads,
    heartbeatDetails: polled.heartbeatDetails?.payloads,
    scheduledTime: polled.scheduledTime,
    currentAttemptScheduledTime: polled.currentAttemptScheduledTime,
    startedTime: polled.startedTime,
    attempt: polled.attempt,
    scheduleToCloseTimeout: polled.scheduleToCloseTimeout,
    startToCloseTimeout: polled.startToCloseTimeout,
    heartbeatTimeout: polled.heartbeatTimeout,
    retryPolicy: polled.retryPolicy,
    priority: polled.priority,
    isLocal: false,
    runId: polled.activityRunId,
  };
}
