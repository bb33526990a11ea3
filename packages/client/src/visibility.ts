/** Lists, counts and descriptions of workflows, and the download of histories. */
import {
  decodePriority,
  type HistoryAndWorkflowId,
  type Priority,
  type SearchAttributeValue,
  tsToDate,
} from '@perdure/common';
import {
  decodeSearchAttributes,
  decodeTypedSearchAttributes,
  searchAttributePayloadConverter,
} from '@perdure/common/lib/converter/payload-search-attributes';
import { optionalTsToDate } from '@perdure/common/lib/time';
import type { WorkflowExecution as ProtoWorkflowExecution } from '@perdure/proto/temporal/api/common/v1/message';
import type { History, HistoryEvent } from '@perdure/proto/temporal/api/history/v1/message';
import type { DataPipe } from './data';
import { rethrowGrpcError } from './grpc-failures';
import { mapConcurrently } from './iterators';
import type {
  CountWorkflowExecution,
  DescribeWorkflowExecutionResponse,
  RawWorkflowExecutionInfo,
  WorkflowExecutionDescription,
  WorkflowExecutionInfo,
  WorkflowExecutionStatusName,
} from './types';
import { type CallSite, contextOf } from './workflow-calls';

export interface ListOptions {
  /**
   * Executions per request.
   * @default what the server takes, about 1000
   */
  pageSize?: number;
  /** A visibility query, e.g. `WorkflowType = 'order' AND ExecutionStatus = 'Running'`. */
  query?: string;
}

export interface IntoHistoriesOptions {
  /**
   * Downloads at a time.
   * @default 5
   */
  concurrency?: number;
  /**
   * How many histories may wait to be taken.
   * @default unlimited
   */
  bufferLimit?: number;
}

export interface AsyncWorkflowListIterable extends AsyncIterable<WorkflowExecutionInfo> {
  /** Downloads the history of each execution: what `Worker.runReplayHistories` takes. */
  intoHistories: (intoHistoriesOptions?: IntoHistoriesOptions) => AsyncIterable<HistoryAndWorkflowId>;
}

const STATUS_NAMES: readonly WorkflowExecutionStatusName[] = [
  'UNSPECIFIED',
  'RUNNING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'TERMINATED',
  'CONTINUED_AS_NEW',
  'TIMED_OUT',
  'PAUSED',
];

const isPresent = (execution: ProtoWorkflowExecution | undefined) => Boolean(execution?.workflowId);

async function decodeInfo(
  data: DataPipe,
  raw: RawWorkflowExecutionInfo,
  namespace: string,
): Promise<WorkflowExecutionInfo> {
  const workflowId = raw.execution?.workflowId ?? '';
  const status = raw.status ?? 0;
  const memo = await data.fromPayloadMap(raw.memo?.fields, { type: 'workflow', namespace, workflowId });
  const priority: Priority | undefined =
    raw.priority === undefined ? undefined : decodePriority(raw.priority);
  return {
    type: raw.type?.name ?? '',
    workflowId,
    runId: raw.execution?.runId ?? '',
    taskQueue: raw.taskQueue ?? '',
    status: { code: status, name: STATUS_NAMES[status] ?? 'UNKNOWN' },
    historyLength: raw.historyLength?.toNumber() ?? 0,
    // Zero is what the server says where it does not know yet: a history has at least one event.
    historySize: raw.historySizeBytes?.toNumber() || undefined,
    startTime: raw.startTime === undefined ? new Date(0) : tsToDate(raw.startTime),
    executionTime: optionalTsToDate(raw.executionTime),
    closeTime: optionalTsToDate(raw.closeTime),
    memo,
    searchAttributes: decodeSearchAttributes(raw.searchAttributes?.indexedFields),
    typedSearchAttributes: decodeTypedSearchAttributes(raw.searchAttributes?.indexedFields),
    parentExecution: isPresent(raw.parentExecution)
      ? { workflowId: raw.parentExecution!.workflowId!, runId: raw.parentExecution!.runId ?? '' }
      : undefined,
    rootExecution: isPresent(raw.rootExecution)
      ? { workflowId: raw.rootExecution!.workflowId!, runId: raw.rootExecution!.runId ?? '' }
      : undefined,
    priority,
    raw,
  };
}

export async function decodeDescription(
  site: CallSite,
  raw: DescribeWorkflowExecutionResponse,
): Promise<WorkflowExecutionDescription> {
  const info = await decodeInfo(site.data, raw.workflowExecutionInfo ?? {}, site.namespace);
  const { summary, details } = raw.executionConfig?.userMetadata ?? {};
  const text = async (payload: typeof summary) =>
    payload === undefined
      ? undefined
      : await site.data.fromPayload<string>(payload, contextOf(site, info.workflowId));
  return { ...info, raw, staticSummary: () => text(summary), staticDetails: () => text(details) };
}

async function* listPages(
  site: CallSite,
  { pageSize, query }: ListOptions,
): AsyncGenerator<WorkflowExecutionInfo> {
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await site.workflowService
      .listWorkflowExecutions({ namespace: site.namespace, query, pageSize, nextPageToken })
      .catch((error) => rethrowGrpcError(error, { doing: 'list workflows', namespace: site.namespace }));
    for (const raw of page.executions ?? []) yield await decodeInfo(site.data, raw, site.namespace);
    nextPageToken = page.nextPageToken;
  } while (nextPageToken !== undefined && nextPageToken.length > 0);
}

/** The executions that a query finds, one request per page, made when the page is needed. */
export function listWorkflows(site: CallSite, options: ListOptions = {}): AsyncWorkflowListIterable {
  return {
    [Symbol.asyncIterator]: () => listPages(site, options)[Symbol.asyncIterator](),
    intoHistories: ({ concurrency = 5, bufferLimit } = {}) =>
      mapConcurrently(
        listPages(site, options),
        async ({ workflowId, runId }) => ({
          workflowId,
          history: await fetchHistory(site, workflowId, runId),
        }),
        { concurrency, bufferLimit },
      ),
  };
}

export async function countWorkflows(site: CallSite, query = ''): Promise<CountWorkflowExecution> {
  const { count, groups = [] } = await site.workflowService
    .countWorkflowExecutions({ namespace: site.namespace, query })
    .catch((error) => rethrowGrpcError(error, { doing: 'count workflows', namespace: site.namespace }));
  return {
    count: count?.toNumber() ?? 0,
    groups: groups.map((group) => ({
      count: group.count?.toNumber() ?? 0,
      groupValues: (group.groupValues ?? []).map((value) =>
        searchAttributePayloadConverter.fromPayload<SearchAttributeValue>(value),
      ),
    })),
  };
}

/** All events of one run, as the server has them: payloads stay encoded. */
export async function fetchHistory(
  site: CallSite,
  workflowId: string,
  runId: string | undefined,
): Promise<History> {
  const events: HistoryEvent[] = [];
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await site.workflowService
      .getWorkflowExecutionHistory({
        namespace: site.namespace,
        execution: { workflowId, runId },
        nextPageToken,
      })
      .catch((error) =>
        rethrowGrpcError(error, { doing: 'fetch history', namespace: site.namespace, workflowId, runId }),
      );
    for (const event of page.history?.events ?? []) events.push(event);
    nextPageToken = page.nextPageToken;
  } while (nextPageToken !== undefined && nextPageToken.length > 0);
  return { events };
}
