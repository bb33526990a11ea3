/**
 * The RPCs behind a workflow client: one function per call, from the input that interceptors see to its output.
 *
 * Owns    building requests, reading responses, typed errors.
 * Leaves  interceptors and handles to workflow-client.ts.
 * W1  Every request that changes something carries a request id, made once per call: repeating it changes nothing.
 */
import { randomUUID } from 'node:crypto';
import {
  compilePriority,
  compileRetryPolicy,
  encodeWorkflowIdConflictPolicy,
  encodeWorkflowIdReusePolicy,
  type Headers,
  ValueError,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowSerializationContext,
} from '@perdure/common';
import { encodeUnifiedSearchAttributes } from '@perdure/common/lib/converter/payload-search-attributes';
import type { Outcome } from '@perdure/proto/temporal/api/update/v1/message';
import type { UpdateWorkflowExecutionRequest } from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import type { DataPipe } from './data';
import {
  isGrpcCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
  QueryNotRegisteredError,
  QueryRejectedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from './errors';
import { type GrpcStatus, grpcStatus } from './grpc';
import { errorDetail, rethrowGrpcError, withCause } from './grpc-failures';
import type {
  WorkflowCancelInput,
  WorkflowDescribeInput,
  WorkflowQueryInput,
  WorkflowSignalInput,
  WorkflowSignalWithStartInput,
  WorkflowStartInput,
  WorkflowStartOutput,
  WorkflowStartUpdateInput,
  WorkflowStartUpdateOutput,
  WorkflowStartUpdateWithStartInput,
  WorkflowStartUpdateWithStartOutput,
  WorkflowTerminateInput,
} from './interceptors';
import type { WorkflowService } from './services';
import type {
  DescribeWorkflowExecutionResponse,
  RequestCancelWorkflowExecutionResponse,
  StartWorkflowExecutionRequest,
  TerminateWorkflowExecutionResponse,
} from './types';
import type { CompiledWorkflowOptions } from './workflow-options';

// temporal.api.enums.v1.UpdateWorkflowExecutionLifecycleStage
const STAGE_ACCEPTED = 2;
const STAGE_COMPLETED = 3;
export type WaitForStage = 'ACCEPTED' | 'COMPLETED';

/** What calls need to know of their client. */
export interface CallSite {
  readonly workflowService: WorkflowService;
  readonly namespace: string;
  readonly identity: string;
  readonly data: DataPipe;
}

export function contextOf({ namespace }: CallSite, workflowId: string): WorkflowSerializationContext {
  return { type: 'workflow', namespace, workflowId };
}

/** What of a start passes the data converter. */
type ConvertedStart = Pick<StartWorkflowExecutionRequest, 'input' | 'memo' | 'header' | 'userMetadata'>;

/** The request of a start; signalWithStart adds its signal to it. */
async function startRequest(
  site: CallSite,
  workflowType: string,
  headers: Headers,
  options: CompiledWorkflowOptions,
): Promise<StartWorkflowExecutionRequest> {
  const { memo, staticSummary, staticDetails } = options;
  const { data } = site;
  const context = contextOf(site, options.workflowId);
  const input = await data.toPayloads(options.args, context, options.typeInfo?.inputTypes);
  const fields = memo ? await data.toPayloadMap(memo, context) : undefined;
  const header = await data.toHeader(headers, context);
  const userMetadata = await data.toUserMetadata(
    staticSummary ?? undefined,
    staticDetails ?? undefined,
    context,
  );
  const converted = { input, memo: fields && { fields }, header, userMetadata };
  return assembleStart(site, workflowType, options, converted);
}

/** Apart from the waiting above: functions that do both, and are this long, take the engine most to compile. */
function assembleStart(
  site: CallSite,
  workflowType: string,
  options: CompiledWorkflowOptions,
  { input, memo, header, userMetadata }: ConvertedStart,
): StartWorkflowExecutionRequest {
  const { workflowId, searchAttributes, typedSearchAttributes, retry, priority } = options;
  return {
    namespace: site.namespace,
    identity: site.identity,
    requestId: randomUUID(), // W1
    workflowId,
    workflowIdReusePolicy: encodeWorkflowIdReusePolicy(options.workflowIdReusePolicy),
    workflowIdConflictPolicy: encodeWorkflowIdConflictPolicy(options.workflowIdConflictPolicy),
    workflowType: { name: workflowType },
    input,
    taskQueue: { kind: 1, name: options.taskQueue }, // TASK_QUEUE_KIND_NORMAL
    workflowExecutionTimeout: options.workflowExecutionTimeout,
    workflowRunTimeout: options.workflowRunTimeout,
    workflowTaskTimeout: options.workflowTaskTimeout,
    workflowStartDelay: options.startDelay,
    retryPolicy: retry ? compileRetryPolicy(retry) : undefined,
    memo,
    searchAttributes:
      searchAttributes || typedSearchAttributes
        ? {
            indexedFields: encodeUnifiedSearchAttributes(
              searchAttributes ?? undefined,
              typedSearchAttributes ?? undefined,
            ),
          }
        : undefined,
    cronSchedule: options.cronSchedule ?? undefined,
    header,
    userMetadata,
    priority: priority ? compilePriority(priority) : undefined,
    versioningOverride: options.versioningOverride,
    requestEagerExecution: options.requestEagerStart,
  };
}

function alreadyStarted(workflowId: string, workflowType: string, cause: unknown) {
  const what = 'Workflow execution already started';
  return withCause(new WorkflowExecutionAlreadyStartedError(what, workflowId, workflowType), cause);
}

export async function startWorkflow(site: CallSite, input: WorkflowStartInput): Promise<WorkflowStartOutput> {
  const { workflowType, headers, options } = input;
  const { workflowId } = options;
  const request = await startRequest(site, workflowType, headers, options);
  try {
    const response = await site.workflowService.startWorkflowExecution(request);
    return { runId: response.runId ?? '', eagerlyStarted: response.eagerWorkflowTask !== undefined };
  } catch (error) {
    if (isGrpcServiceError(error) && error.code === grpcStatus.ALREADY_EXISTS) {
      throw alreadyStarted(workflowId, workflowType, error);
    }
    rethrowGrpcError(error, { doing: 'start workflow', namespace: site.namespace, workflowId });
  }
}

export async function signalWithStart(site: CallSite, input: WorkflowSignalWithStartInput): Promise<string> {
  const { workflowType, headers, options, signalName, signalArgs, signalTypeInfo } = input;
  const { workflowId } = options;
  const request = {
    ...(await startRequest(site, workflowType, headers, options)),
    signalName,
    signalInput: await site.data.toPayloads(
      signalArgs,
      contextOf(site, workflowId),
      signalTypeInfo?.inputTypes,
    ),
  };
  try {
    return (await site.workflowService.signalWithStartWorkflowExecution(request)).runId ?? '';
  } catch (error) {
    if (isGrpcServiceError(error) && error.code === grpcStatus.ALREADY_EXISTS) {
      throw alreadyStarted(workflowId, workflowType, error);
    }
    rethrowGrpcError(error, { doing: 'signal with start', namespace: site.namespace, workflowId });
  }
}

export async function signalWorkflow(site: CallSite, input: WorkflowSignalInput): Promise<void> {
  const { workflowExecution, signalName, args, typeInfo, headers } = input;
  const context = contextOf(site, workflowExecution.workflowId);
  const request = {
    namespace: site.namespace,
    identity: site.identity,
    requestId: randomUUID(), // W1
    workflowExecution,
    signalName,
    header: await site.data.toHeader(headers, context),
    input: await site.data.toPayloads(args, context, typeInfo?.inputTypes),
  };
  try {
    await site.workflowService.signalWorkflowExecution(request);
  } catch (error) {
    rethrowGrpcError(error, { doing: 'signal workflow', namespace: site.namespace, ...workflowExecution });
  }
}

export async function queryWorkflow(site: CallSite, input: WorkflowQueryInput): Promise<unknown> {
  const { workflowExecution, queryType, args, typeInfo, queryRejectCondition, headers } = input;
  const context = contextOf(site, workflowExecution.workflowId);
  const request = {
    namespace: site.namespace,
    execution: workflowExecution,
    queryRejectCondition,
    query: {
      queryType,
      queryArgs: await site.data.toPayloads(args, context, typeInfo?.inputTypes),
      header: await site.data.toHeader(headers, context),
    },
  };
  const response = await site.workflowService.queryWorkflow(request).catch(async (error) => {
    if (isGrpcServiceError(error) && error.code === grpcStatus.INVALID_ARGUMENT) {
      const unanswered = new QueryNotRegisteredError(error.details, error.code);
      const failure = errorDetail(error, 'QueryFailedFailure')?.failure;
      unanswered.cause = failure === undefined ? error : await site.data.fromFailure(failure, context);
      throw unanswered;
    }
    rethrowGrpcError(error, { doing: 'query workflow', namespace: site.namespace, ...workflowExecution });
  });
  if (response.queryRejected !== undefined) throw new QueryRejectedError(response.queryRejected.status ?? 0);
  return await site.data.firstValue(response.queryResult, context, typeInfo?.outputType);
}

export async function terminateWorkflow(
  site: CallSite,
  { workflowExecution, reason, details, firstExecutionRunId }: WorkflowTerminateInput,
): Promise<TerminateWorkflowExecutionResponse> {
  const request = {
    namespace: site.namespace,
    identity: site.identity,
    workflowExecution,
    reason,
    details: await site.data.toPayloads(details ?? [], contextOf(site, workflowExecution.workflowId)),
    firstExecutionRunId,
  };
  try {
    return await site.workflowService.terminateWorkflowExecution(request);
  } catch (error) {
    rethrowGrpcError(error, { doing: 'terminate workflow', namespace: site.namespace, ...workflowExecution });
  }
}

export async function cancelWorkflow(
  site: CallSite,
  { workflowExecution, firstExecutionRunId }: WorkflowCancelInput,
): Promise<RequestCancelWorkflowExecutionResponse> {
  try {
    return await site.workflowService.requestCancelWorkflowExecution({
      namespace: site.namespace,
      identity: site.identity,
      requestId: randomUUID(), // W1
      workflowExecution,
      firstExecutionRunId,
    });
  } catch (error) {
    rethrowGrpcError(error, { doing: 'cancel workflow', namespace: site.namespace, ...workflowExecution });
  }
}

export async function describeWorkflow(
  site: CallSite,
  { workflowExecution }: WorkflowDescribeInput,
): Promise<DescribeWorkflowExecutionResponse> {
  try {
    return await site.workflowService.describeWorkflowExecution({
      namespace: site.namespace,
      execution: workflowExecution,
    });
  } catch (error) {
    rethrowGrpcError(error, { doing: 'describe workflow', namespace: site.namespace, ...workflowExecution });
  }
}

/** Calls of updates that end early leave the update alone, which has an error of its own. */
function rethrowUpdateError(error: unknown, site: CallSite, workflowId: string, runId?: string): never {
  if (isGrpcDeadlineError(error) || isGrpcCancelledError(error)) {
    throw new WorkflowUpdateRPCTimeoutOrCancelledError(
      isGrpcDeadlineError(error)
        ? 'Waiting for the update timed out'
        : 'Waiting for the update was cancelled',
      { cause: error },
    );
  }
  rethrowGrpcError(error, { doing: 'update workflow', namespace: site.namespace, workflowId, runId });
}

async function updateRequest(
  site: CallSite,
  {
    workflowExecution,
    firstExecutionRunId,
    updateName,
    args,
    headers,
    options,
    typeInfo,
  }: WorkflowStartUpdateInput,
  waitForStage: WaitForStage,
): Promise<UpdateWorkflowExecutionRequest> {
  const context = contextOf(site, workflowExecution.workflowId);
  return {
    namespace: site.namespace,
    workflowExecution,
    firstExecutionRunId,
    waitPolicy: { lifecycleStage: waitForStage === 'ACCEPTED' ? STAGE_ACCEPTED : STAGE_COMPLETED },
    request: {
      meta: { updateId: options.updateId ?? randomUUID(), identity: site.identity },
      input: {
        name: updateName,
        header: await site.data.toHeader(headers, context),
        args: await site.data.toPayloads(args, context, typeInfo?.inputTypes),
      },
    },
  };
}

export async function startUpdate(
  site: CallSite,
  input: WorkflowStartUpdateInput,
  waitForStage: WaitForStage,
): Promise<WorkflowStartUpdateOutput> {
  const request = await updateRequest(site, input, waitForStage);
  const { workflowId, runId } = input.workflowExecution;
  try {
    for (;;) {
      const { stage = 0, updateRef, outcome } = await site.workflowService.updateWorkflowExecution(request);
      // The server may give up waiting before the update is durable; asking again with the same id goes on waiting.
      if (stage < STAGE_ACCEPTED) continue;
      return {
        updateId: request.request!.meta!.updateId!,
        workflowRunId: updateRef?.workflowExecution?.runId ?? '',
        outcome,
        outputTypeInfo: input.typeInfo?.outputType,
      };
    }
  } catch (error) {
    rethrowUpdateError(error, site, workflowId, runId);
  }
}

/** Waits for the outcome of an update. */
export async function pollUpdateOutcome(
  site: CallSite,
  workflowExecution: { workflowId: string; runId?: string },
  updateId: string,
): Promise<Outcome> {
  try {
    for (;;) {
      const { outcome } = await site.workflowService.pollWorkflowExecutionUpdate({
        namespace: site.namespace,
        identity: site.identity,
        updateRef: { workflowExecution, updateId },
        waitPolicy: { lifecycleStage: STAGE_COMPLETED },
      });
      if (outcome !== undefined) return outcome;
    }
  } catch (error) {
    rethrowUpdateError(error, site, workflowExecution.workflowId, workflowExecution.runId);
  }
}

/**
 * Starts (or attaches to) a workflow and updates it, in one step on the server.
 * @param onStarted  called with the run id as soon as the server has told it, which may be before the update is accepted
 */
export async function startUpdateWithStart(
  site: CallSite,
  input: WorkflowStartUpdateWithStartInput,
  waitForStage: WaitForStage,
  onStarted: (runId: string) => void,
): Promise<WorkflowStartUpdateWithStartOutput> {
  const { workflowType, workflowStartOptions, workflowStartHeaders } = input;
  const { workflowId } = workflowStartOptions;
  if (workflowStartOptions.workflowIdConflictPolicy === undefined) {
    throw new ValueError('WithStartWorkflowOperation needs a workflowIdConflictPolicy');
  }
  const start = await startRequest(site, workflowType, workflowStartHeaders, workflowStartOptions);
  const update = await updateRequest(
    site,
    {
      workflowExecution: { workflowId },
      updateName: input.updateName,
      args: input.updateArgs,
      typeInfo: input.updateTypeInfo,
      headers: input.updateHeaders,
      options: input.updateOptions,
    },
    waitForStage,
  );
  const request = {
    namespace: site.namespace,
    operations: [{ startWorkflow: start }, { updateWorkflow: update }],
  };
  try {
    for (;;) {
      const { responses = [] } = await site.workflowService.executeMultiOperation(request);
      const runId = responses[0]?.startWorkflow?.runId ?? '';
      onStarted(runId);
      const updated = responses[1]?.updateWorkflow;
      if ((updated?.stage ?? 0) < STAGE_ACCEPTED) continue;
      return {
        workflowExecution: { workflowId, runId: updated?.updateRef?.workflowExecution?.runId ?? runId },
        updateId: update.request!.meta!.updateId!,
        updateOutcome: updated?.outcome,
        updateOutputTypeInfo: input.updateTypeInfo?.outputType,
      };
    }
  } catch (error) {
    rethrowMultiOperationError(error, site, workflowId, workflowType);
  }
}

/** The status of the whole names no culprit; the operation that failed by itself is in the details. */
function rethrowMultiOperationError(
  error: unknown,
  site: CallSite,
  workflowId: string,
  workflowType: string,
): never {
  if (isGrpcServiceError(error)) {
    const statuses = errorDetail(error, 'MultiOperationExecutionFailure')?.statuses ?? [];
    const culprit = statuses.find(({ code = 0 }) => code !== grpcStatus.OK && code !== grpcStatus.ABORTED);
    if (culprit !== undefined) {
      error.code = culprit.code as GrpcStatus;
      error.details = culprit.message || error.details;
    }
    if (error.code === grpcStatus.ALREADY_EXISTS) throw alreadyStarted(workflowId, workflowType, error);
  }
  rethrowUpdateError(error, site, workflowId);
}
