/**
 * The RPCs behind an activity client: one function per call, from the input that interceptors see to its output.
 *
 * Owns    building requests, reading responses, typed errors.
 * Leaves  interceptors and handles to activity-client.ts, the checks of options to activity-client-options.ts.
 * A1  Every request that changes something carries a request id, made once per call: repeating it changes nothing.
 * A2  Waiting for a result stays with one run, also when it takes several polls and the id is used again meanwhile.
 */
import { randomUUID } from 'node:crypto';

import {
  type ActivitySerializationContext,
  convertDeploymentVersion,
  decodePriority,
  decompileRetryPolicy,
  msOptionalToTs,
  optionalTsToMs,
} from '@perdure/common';
import {
  decodeTypedSearchAttributes,
  searchAttributePayloadConverter,
} from '@perdure/common/lib/converter/payload-search-attributes';
import { withStorageTarget } from '@perdure/common/lib/internal-non-workflow';
import { optionalTsToDate } from '@perdure/common/lib/time';
import type { DescribeActivityExecutionResponse } from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import { ActivityExecutionAlreadyStartedError, ActivityExecutionFailedError } from './activity-client-errors';
import type {
  ActivityCancelInput,
  ActivityCountInput,
  ActivityDescribeInput,
  ActivityGetResultInput,
  ActivityListInput,
  ActivityPauseInput,
  ActivityResetInput,
  ActivityRestoreOriginalOptionsInput,
  ActivityStartInput,
  ActivityTerminateInput,
  ActivityUnpauseInput,
  ActivityUpdateOptionsInput,
} from './activity-client-interceptors';
import {
  type ActivityOptionsUpdateResult,
  compileActivityOptions,
  compileActivityOptionsUpdate,
  decodeActivityOptions,
} from './activity-client-options';
import {
  type ActivityExecutionDescription,
  type ActivityExecutionInfo,
  type CountActivityExecutions,
  decodeActivityExecutionStatus,
  decodePendingActivityState,
} from './activity-client-types';
import { ActivityNotFoundError, isGrpcServiceError, ServiceError } from './errors';
import { grpcStatus } from './grpc';
import { errorDetail, rethrowGrpcError } from './grpc-failures';
import {
  ACTIVITY_OPERATOR_COMMANDS,
  type ServerFeature,
  STANDALONE_ACTIVITIES,
  throwIfUnavailable,
} from './server-features';
import type { RawActivityExecutionInfo, RawActivityExecutionListInfo } from './types';
import type { CallSite } from './workflow-calls';

interface Target {
  readonly activityId: string;
  readonly activityRunId: string;
}

function contextOf({ namespace }: CallSite, activityId: string): ActivitySerializationContext {
  return { type: 'activity', namespace, activityId, isLocal: false };
}

/** Throws the typed error that fits a failed call. */
function rethrow(
  error: unknown,
  site: CallSite,
  doing: string,
  activityId?: string,
  needs: ServerFeature = STANDALONE_ACTIVITIES,
): never {
  const allAreOff = isGrpcServiceError(error) && /activity is disabled/i.test(error.details);
  throwIfUnavailable(error, allAreOff ? STANDALONE_ACTIVITIES : needs);
  try {
    return rethrowGrpcError(error, { doing, namespace: site.namespace });
  } catch (typed) {
    const unknown = isGrpcServiceError(error) && error.code === grpcStatus.NOT_FOUND;
    if (unknown && activityId !== undefined && (typed as { code?: unknown }).code === 'CLIENT_RPC_FAILED') {
      throw new ActivityNotFoundError(error.details || 'Activity not found', { cause: error });
    }
    throw typed;
  }
}

const targetOf = (site: CallSite, { activityId, activityRunId }: Target) => ({
  namespace: site.namespace,
  activityId,
  runId: activityRunId || undefined,
});

/** A1 */
const changeOf = (site: CallSite, target: Target) => ({
  ...targetOf(site, target),
  identity: site.identity,
  requestId: randomUUID(),
});

/** @returns the run: a new one, or the one that has the id if the policies allow that */
export async function startActivity(
  site: CallSite,
  { activityType, options, headers }: ActivityStartInput,
): Promise<string> {
  const fields = compileActivityOptions(activityType, options);
  const { id, args = [], typeInfo, summary } = options;
  const context = withStorageTarget(contextOf(site, id), {
    kind: 'activity',
    namespace: site.namespace,
    id,
    type: activityType,
  });
  const request = {
    ...fields,
    namespace: site.namespace,
    identity: site.identity,
    requestId: randomUUID(),
    input: await site.data.toPayloads(args, context, typeInfo?.inputTypes),
    header: await site.data.toHeader(headers, context),
    userMetadata: await site.data.toUserMetadata(summary, undefined, context),
  };
  try {
    const { runId } = await site.workflowService.startActivityExecution(request);
    return runId ?? '';
  } catch (error) {
    if (isGrpcServiceError(error) && error.code === grpcStatus.ALREADY_EXISTS) {
      const existing = errorDetail(error, 'ActivityExecutionAlreadyStartedFailure');
      throw new ActivityExecutionAlreadyStartedError(
        'Activity execution already started',
        id,
        existing?.runId ?? '',
        error,
      );
    }
    return rethrow(error, site, 'start activity');
  }
}

/** Waits for the end of an activity. The server answers empty-handed now and then; it is asked again. */
export async function activityResult(
  site: CallSite,
  { activityId, activityRunId, outputType }: ActivityGetResultInput,
): Promise<unknown> {
  const context = contextOf(site, activityId);
  let run = activityRunId;
  for (;;) {
    const { runId, outcome } = await site.workflowService
      .pollActivityExecution(targetOf(site, { activityId, activityRunId: run }))
      .catch((error) => rethrow(error, site, 'get activity result', activityId));
    run ||= runId ?? ''; // A2
    if (outcome?.failure !== undefined) {
      throw new ActivityExecutionFailedError(
        'Activity execution failed',
        await site.data.fromFailure(outcome.failure, context),
        activityId,
        run || undefined,
      );
    }
    if (outcome !== undefined) return await site.data.firstValue(outcome.result, context, outputType);
  }
}

function decodeInfo(
  raw: RawActivityExecutionInfo | RawActivityExecutionListInfo,
): Omit<ActivityExecutionInfo, 'rawListInfo'> {
  return {
    activityId: raw.activityId ?? '',
    activityRunId: raw.runId ?? '',
    activityType: raw.activityType?.name ?? '',
    scheduleTime: optionalTsToDate(raw.scheduleTime),
    closeTime: optionalTsToDate(raw.closeTime),
    status: decodeActivityExecutionStatus(raw.status)!,
    typedSearchAttributes: decodeTypedSearchAttributes(raw.searchAttributes?.indexedFields),
    taskQueue: raw.taskQueue ?? '',
    executionDurationMs: optionalTsToMs(raw.executionDuration),
    executionTime: optionalTsToDate(raw.executionTime),
  };
}

function decodeDescription(
  { data }: CallSite,
  context: ActivitySerializationContext,
  info: RawActivityExecutionInfo,
  { input, outcome, callbacks = [] }: DescribeActivityExecutionResponse,
): ActivityExecutionDescription {
  const { heartbeatDetails, lastFailure } = info;
  const { result, failure } = outcome ?? {};
  const holds = (list: typeof input) => (list?.payloads?.length ?? 0) > 0;
  const error = async (from: typeof lastFailure) =>
    from === undefined ? undefined : await data.fromFailure(from, context);
  return {
    ...decodeInfo(info),
    rawInfo: info,
    rawCallbacks: callbacks,
    runState: decodePendingActivityState(info.runState),
    scheduleToCloseTimeoutMs: optionalTsToMs(info.scheduleToCloseTimeout),
    scheduleToStartTimeoutMs: optionalTsToMs(info.scheduleToStartTimeout),
    startToCloseTimeoutMs: optionalTsToMs(info.startToCloseTimeout),
    heartbeatTimeoutMs: optionalTsToMs(info.heartbeatTimeout),
    retryPolicy: decompileRetryPolicy(info.retryPolicy) ?? {},
    lastHeartbeatTime: optionalTsToDate(info.lastHeartbeatTime),
    lastStartedTime: optionalTsToDate(info.lastStartedTime),
    attempt: info.attempt ?? 0,
    expirationTime: optionalTsToDate(info.expirationTime),
    lastWorkerIdentity: info.lastWorkerIdentity || undefined,
    currentRetryIntervalMs: optionalTsToMs(info.currentRetryInterval),
    lastAttemptCompleteTime: optionalTsToDate(info.lastAttemptCompleteTime),
    nextAttemptScheduleTime: optionalTsToDate(info.nextAttemptScheduleTime),
    lastDeploymentVersion: convertDeploymentVersion(info.lastDeploymentVersion),
    priority: decodePriority(info.priority),
    canceledReason: info.canceledReason || undefined,
    startDelayMs: optionalTsToMs(info.startDelay),
    totalHeartbeatCount: info.totalHeartbeatCount?.toNumber() || undefined,
    hasHeartbeatDetails: holds(heartbeatDetails),
    hasLastFailure: lastFailure !== undefined,
    hasInput: holds(input),
    hasResult: holds(result),
    hasOutcomeFailure: failure !== undefined,
    getHeartbeatDetails: () => data.firstValue(heartbeatDetails, context),
    getLastFailure: () => error(lastFailure),
    getInput: async <T extends any[]>() =>
      holds(input) ? ((await data.fromPayloads(input, context)) as T) : undefined,
    getResult: () => data.firstValue(result, context),
    getOutcomeFailure: () => error(failure),
  };
}

export async function describeActivity(
  site: CallSite,
  { options, ...target }: ActivityDescribeInput,
): Promise<ActivityExecutionDescription> {
  const { includeInput, includeOutcome, includeHeartbeatDetails, includeLastFailure } = options;
  const include = { includeInput, includeOutcome, includeHeartbeatDetails, includeLastFailure };
  const response = await site.workflowService
    .describeActivityExecution({ ...targetOf(site, target), ...include })
    .catch((error) => rethrow(error, site, 'describe activity', target.activityId));
  if (response.info === undefined) {
    throw new ServiceError(`The server's description of activity '${target.activityId}' is empty`);
  }
  return decodeDescription(site, contextOf(site, target.activityId), response.info, response);
}

export async function cancelActivity(site: CallSite, input: ActivityCancelInput): Promise<void> {
  await site.workflowService
    .requestCancelActivityExecution({ ...changeOf(site, input), reason: input.reason || undefined })
    .catch((error) => rethrow(error, site, 'cancel activity', input.activityId));
}

export async function terminateActivity(site: CallSite, input: ActivityTerminateInput): Promise<void> {
  await site.workflowService
    .terminateActivityExecution({ ...changeOf(site, input), reason: input.reason || undefined })
    .catch((error) => rethrow(error, site, 'terminate activity', input.activityId));
}

export async function pauseActivity(site: CallSite, input: ActivityPauseInput): Promise<void> {
  await site.workflowService
    .pauseActivityExecution({ ...changeOf(site, input), reason: input.options.reason || undefined })
    .catch((error) => rethrow(error, site, 'pause activity', input.activityId, ACTIVITY_OPERATOR_COMMANDS));
}

export async function unpauseActivity(site: CallSite, input: ActivityUnpauseInput): Promise<void> {
  const { reason, jitter } = input.options;
  const request = {
    ...changeOf(site, input),
    reason: reason || undefined,
    jitter: msOptionalToTs(jitter, 'jitter'),
  };
  await site.workflowService
    .unpauseActivityExecution(request)
    .catch((error) => rethrow(error, site, 'unpause activity', input.activityId, ACTIVITY_OPERATOR_COMMANDS));
}

export async function resetActivity(site: CallSite, input: ActivityResetInput): Promise<void> {
  const { keepPaused, jitter, restoreOriginalOptions, resetHeartbeat } = input.options;
  const request = {
    ...changeOf(site, input),
    keepPaused,
    jitter: msOptionalToTs(jitter, 'jitter'),
    restoreOriginalOptions,
    resetHeartbeat,
  };
  await site.workflowService
    .resetActivityExecution(request)
    .catch((error) => rethrow(error, site, 'reset activity', input.activityId, ACTIVITY_OPERATOR_COMMANDS));
}

async function changeOptions(
  site: CallSite,
  target: Target,
  change: Partial<Parameters<CallSite['workflowService']['updateActivityExecutionOptions']>[0]>,
  doing: string,
): Promise<ActivityOptionsUpdateResult> {
  const { activityOptions } = await site.workflowService
    .updateActivityExecutionOptions({ ...changeOf(site, target), ...change })
    .catch((error) => rethrow(error, site, doing, target.activityId, ACTIVITY_OPERATOR_COMMANDS));
  return decodeActivityOptions(activityOptions);
}

export async function updateActivityOptions(
  site: CallSite,
  { options, ...target }: ActivityUpdateOptionsInput,
): Promise<ActivityOptionsUpdateResult> {
  const { activityOptions, paths } = compileActivityOptionsUpdate(options);
  return await changeOptions(site, target, { activityOptions, updateMask: paths }, 'update activity options');
}

export async function restoreActivityOptions(
  site: CallSite,
  target: ActivityRestoreOriginalOptionsInput,
): Promise<ActivityOptionsUpdateResult> {
  return await changeOptions(site, target, { restoreOriginal: true }, 'restore activity options');
}

/** The activities that a query finds, one request per page, made when the page is needed. */
export async function* listActivities(
  site: CallSite,
  { query }: ActivityListInput,
): AsyncGenerator<ActivityExecutionInfo> {
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await site.workflowService
      .listActivityExecutions({ namespace: site.namespace, query, nextPageToken })
      .catch((error) => rethrow(error, site, 'list activities'));
    for (const raw of page.executions ?? []) yield { ...decodeInfo(raw), rawListInfo: raw };
    nextPageToken = page.nextPageToken;
  } while (nextPageToken !== undefined && nextPageToken.length > 0);
}

export async function countActivities(
  site: CallSite,
  { query }: ActivityCountInput,
): Promise<CountActivityExecutions> {
  const { count, groups = [] } = await site.workflowService
    .countActivityExecutions({ namespace: site.namespace, query })
    .catch((error) => rethrow(error, site, 'count activities'));
  return {
    count: count?.toNumber() ?? 0,
    groups: groups.map((group) => ({
      count: group.count?.toNumber() ?? 0,
      groupValues: (group.groupValues ?? []).map((value) =>
        searchAttributePayloadConverter.fromPayload(value),
      ),
    })),
  };
}
