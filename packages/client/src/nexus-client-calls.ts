/**
 * The RPCs behind a Nexus client: one function per call, from the input that interceptors see to its output.
 *
 * Owns    building requests, reading responses, typed errors.
 * Leaves  interceptors and handles to nexus-client.ts.
 * N1  Every request that changes something carries a request id, made once per call: repeating it changes nothing.
 * N2  Waiting for a result stays with one run, also when it takes several polls and the id is used again meanwhile.
 * N3  Payloads of operations have no serialization context: a handle by id knows neither endpoint nor service.
 */
import { randomUUID } from 'node:crypto';
import { msOptionalToTs, optionalTsToMs, ValueError } from '@perdure/common';
import {
  decodeTypedSearchAttributes,
  encodeUnifiedSearchAttributes,
} from '@perdure/common/lib/converter/payload-search-attributes';
import { optionalTsToDate } from '@perdure/common/lib/time';
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import type { DataPipe } from './data';
import { isGrpcServiceError, ServiceError } from './errors';
import { grpcStatus } from './grpc';
import { errorDetail, rethrowGrpcError } from './grpc-failures';
import {
  NexusOperationAlreadyStartedError,
  NexusOperationFailureError,
  NexusOperationNotFoundError,
} from './nexus-client-errors';
import type {
  CancelNexusOperationInput,
  CountNexusOperationsInput,
  DescribeNexusOperationInput,
  GetNexusOperationResultInput,
  ListNexusOperationsInput,
  StartNexusOperationInput,
  TerminateNexusOperationInput,
} from './nexus-client-interceptors';
import {
  decodeNexusOperationCancellationState,
  decodeNexusOperationExecutionStatus,
  decodePendingNexusOperationState,
  encodeNexusOperationIdConflictPolicy,
  encodeNexusOperationIdReusePolicy,
  type NexusOperationExecution,
  type NexusOperationExecutionCancellationInfo,
  type NexusOperationExecutionCount,
  type NexusOperationExecutionDescription,
  type NexusOperationGroupValue,
  type RawNexusOperationExecutionCancellationInfo,
  type RawNexusOperationExecutionInfo,
  type RawNexusOperationExecutionListInfo,
} from './nexus-client-types';
import { STANDALONE_NEXUS_OPERATIONS, throwIfUnavailable } from './server-features';
import type { CallSite } from './workflow-calls';

const CLOSED = 2; // temporal.api.enums.v1.NexusOperationWaitStage

interface Target {
  readonly operationId: string;
  readonly runId?: string;
}

/** Throws the typed error that fits a failed call. */
function rethrow(error: unknown, site: CallSite, doing: string, target?: Target): never {
  throwIfUnavailable(error, STANDALONE_NEXUS_OPERATIONS);
  try {
    return rethrowGrpcError(error, { doing, namespace: site.namespace });
  } catch (typed) {
    const unknown = isGrpcServiceError(error) && error.code === grpcStatus.NOT_FOUND;
    if (unknown && target !== undefined && (typed as { code?: unknown }).code === 'CLIENT_RPC_FAILED') {
      throw new NexusOperationNotFoundError(target.operationId, target.runId || undefined, error);
    }
    throw typed;
  }
}

const targetOf = (site: CallSite, { operationId, runId }: Target) => ({
  namespace: site.namespace,
  operationId,
  runId: runId || undefined,
});

/** N1 */
const changeOf = (site: CallSite, target: Target, reason: string | undefined) => ({
  ...targetOf(site, target),
  identity: site.identity,
  requestId: randomUUID(),
  reason: reason || undefined,
});

function check(input: StartNexusOperationInput): void {
  const problems = (['id', 'endpoint', 'service', 'operation'] as const)
    .filter((field) => typeof input[field] !== 'string' || input[field] === '')
    .map((field) => `${field} must be a string that is not empty`);
  if (problems.length > 0) throw new ValueError(`Invalid Nexus operation options: ${problems.join('; ')}`);
}

/** @returns the run: a new one, or the one that has the id if the policies allow that */
export async function startOperation(site: CallSite, input: StartNexusOperationInput): Promise<string> {
  check(input);
  const { id, endpoint, service, operation, arg, inputType, searchAttributes } = input;
  const request = {
    namespace: site.namespace,
    identity: site.identity,
    requestId: randomUUID(),
    operationId: id,
    endpoint,
    service,
    operation,
    scheduleToCloseTimeout: msOptionalToTs(input.scheduleToCloseTimeout, 'scheduleToCloseTimeout'),
    scheduleToStartTimeout: msOptionalToTs(input.scheduleToStartTimeout, 'scheduleToStartTimeout'),
    startToCloseTimeout: msOptionalToTs(input.startToCloseTimeout, 'startToCloseTimeout'),
    input: (await site.data.toPayloads([arg], undefined, inputType && [inputType]))?.payloads?.[0], // N3
    idReusePolicy: encodeNexusOperationIdReusePolicy(input.idReusePolicy),
    idConflictPolicy: encodeNexusOperationIdConflictPolicy(input.idConflictPolicy),
    searchAttributes: searchAttributes && {
      indexedFields: encodeUnifiedSearchAttributes(undefined, searchAttributes),
    },
    nexusHeader: input.headers ?? {},
    userMetadata: await site.data.toUserMetadata(input.summary, undefined),
  };
  try {
    const { runId } = await site.workflowService.startNexusOperationExecution(request);
    return runId ?? '';
  } catch (error) {
    if (isGrpcServiceError(error) && error.code === grpcStatus.ALREADY_EXISTS) {
      const existing = errorDetail(error, 'NexusOperationExecutionAlreadyStartedFailure');
      throw new NexusOperationAlreadyStartedError(id, existing?.runId || undefined, error);
    }
    return rethrow(error, site, 'start Nexus operation'); // NOT_FOUND is about the endpoint here
  }
}

/** Waits for the end of an operation. The server answers empty-handed now and then; it is asked again. */
export async function operationResult(
  site: CallSite,
  { operationId, runId, outputType }: GetNexusOperationResultInput,
): Promise<unknown> {
  let run = runId;
  for (;;) {
    const answer = await site.workflowService
      .pollNexusOperationExecution({ ...targetOf(site, { operationId, runId: run }), waitStage: CLOSED })
      .catch((error) => rethrow(error, site, 'get Nexus operation result', { operationId, runId }));
    run ||= answer.runId; // N2
    const { result, failure } = answer;
    if (failure !== undefined) {
      const cause = await site.data.fromFailure(failure);
      throw new NexusOperationFailureError(
        `Nexus operation failed: ${failure.message || 'unknown failure'}`,
        cause,
      );
    }
    if (result !== undefined || answer.waitStage === CLOSED) {
      return await site.data.firstValue(result && { payloads: [result] }, undefined, outputType); // N3
    }
  }
}

function decodeExecution(
  raw: RawNexusOperationExecutionInfo | RawNexusOperationExecutionListInfo,
): Omit<NexusOperationExecution, 'raw'> {
  return {
    operationId: raw.operationId ?? '',
    runId: raw.runId ?? '',
    endpoint: raw.endpoint ?? '',
    service: raw.service ?? '',
    operation: raw.operation ?? '',
    scheduleTime: optionalTsToDate(raw.scheduleTime),
    closeTime: optionalTsToDate(raw.closeTime),
    status: decodeNexusOperationExecutionStatus(raw.status),
    searchAttributes: decodeTypedSearchAttributes(raw.searchAttributes?.indexedFields),
    stateTransitionCount: raw.stateTransitionCount?.toNumber() ?? 0,
    executionDuration: optionalTsToMs(raw.executionDuration),
  };
}

const failureOf = async (data: DataPipe, failure: Parameters<DataPipe['fromFailure']>[0] | undefined) =>
  failure === undefined ? undefined : await data.fromFailure(failure);

async function decodeCancellation(
  data: DataPipe,
  raw: RawNexusOperationExecutionCancellationInfo,
): Promise<NexusOperationExecutionCancellationInfo> {
  return {
    requestedTime: optionalTsToDate(raw.requestedTime),
    state: decodeNexusOperationCancellationState(raw.state),
    attempt: raw.attempt ?? 0,
    lastAttemptCompleteTime: optionalTsToDate(raw.lastAttemptCompleteTime),
    nextAttemptScheduleTime: optionalTsToDate(raw.nextAttemptScheduleTime),
    lastAttemptFailure: await failureOf(data, raw.lastAttemptFailure),
    blockedReason: raw.blockedReason || undefined,
    reason: raw.reason ?? '',
    raw,
  };
}

export async function describeOperation(
  site: CallSite,
  target: DescribeNexusOperationInput,
): Promise<NexusOperationExecutionDescription> {
  const { info: raw } = await site.workflowService
    .describeNexusOperationExecution(targetOf(site, target))
    .catch((error) => rethrow(error, site, 'describe Nexus operation', target));
  if (raw === undefined) {
    throw new ServiceError(`The server's description of Nexus operation '${target.operationId}' is empty`);
  }
  const { data } = site;
  const text = async (payload: Payload | undefined) =>
    payload === undefined ? undefined : await data.fromPayload<string>(payload);
  return {
    ...decodeExecution(raw),
    raw,
    state: decodePendingNexusOperationState(raw.state),
    scheduleToCloseTimeout: optionalTsToMs(raw.scheduleToCloseTimeout),
    scheduleToStartTimeout: optionalTsToMs(raw.scheduleToStartTimeout),
    startToCloseTimeout: optionalTsToMs(raw.startToCloseTimeout),
    attempt: raw.attempt ?? 0,
    expirationTime: optionalTsToDate(raw.expirationTime),
    lastAttemptCompleteTime: optionalTsToDate(raw.lastAttemptCompleteTime),
    nextAttemptScheduleTime: optionalTsToDate(raw.nextAttemptScheduleTime),
    lastAttemptFailure: await failureOf(data, raw.lastAttemptFailure),
    blockedReason: raw.blockedReason || undefined,
    requestId: raw.requestId ?? '',
    operationToken: raw.operationToken || undefined,
    identity: raw.identity ?? '',
    cancellationInfo: raw.cancellationInfo && (await decodeCancellation(data, raw.cancellationInfo)),
    staticSummary: () => text(raw.userMetadata?.summary),
    staticDetails: () => text(raw.userMetadata?.details),
  };
}

export async function cancelOperation(site: CallSite, input: CancelNexusOperationInput): Promise<void> {
  await site.workflowService
    .requestCancelNexusOperationExecution(changeOf(site, input, input.reason))
    .catch((error) => rethrow(error, site, 'cancel Nexus operation', input));
}

export async function terminateOperation(site: CallSite, input: TerminateNexusOperationInput): Promise<void> {
  await site.workflowService
    .terminateNexusOperationExecution(changeOf(site, input, input.reason))
    .catch((error) => rethrow(error, site, 'terminate Nexus operation', input));
}

/** The operations that a query finds, one request per page, made when the page is needed. */
export async function* listOperations(
  site: CallSite,
  { query, pageSize }: ListNexusOperationsInput,
): AsyncGenerator<NexusOperationExecution> {
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await site.workflowService
      .listNexusOperationExecutions({ namespace: site.namespace, query, pageSize, nextPageToken })
      .catch((error) => rethrow(error, site, 'list Nexus operations'));
    for (const raw of page.operations ?? []) yield { ...decodeExecution(raw), raw };
    nextPageToken = page.nextPageToken;
  } while (nextPageToken !== undefined && nextPageToken.length > 0);
}

function groupValueOf(payload: Payload): NexusOperationGroupValue {
  const [pair] = decodeTypedSearchAttributes({ group: payload }).getAll();
  if (pair === undefined) throw new ServiceError('The server counts by a value that has no known type');
  return { type: pair.key.type, value: pair.value };
}

export async function countOperations(
  site: CallSite,
  { query }: CountNexusOperationsInput,
): Promise<NexusOperationExecutionCount> {
  const { count, groups = [] } = await site.workflowService
    .countNexusOperationExecutions({ namespace: site.namespace, query })
    .catch((error) => rethrow(error, site, 'count Nexus operations'));
  return {
    count: count?.toNumber() ?? 0,
    groups: groups.map((group) => ({
      count: group.count?.toNumber() ?? 0,
      groupValues: (group.groupValues ?? []).map(groupValueOf),
    })),
  };
}
