/**
 * The client for schedules.
 *
 * Owns    the calls, the interceptors, the handles.
 * Leaves  the grammar of times to schedule-spec.ts, types and enums to schedule-types.ts.
 * U1  An update replaces the schedule, whatever came in between: the last writer wins, as in the official client. The
 *     server takes a conflict token, but drops an update with an outdated one without a word, which is worse.
 */
import { randomUUID } from 'node:crypto';
import {
  compilePriority,
  compileRetryPolicy,
  composeInterceptors,
  decodePriority,
  decompileRetryPolicy,
  extractWorkflowTypeAndConfig,
  type Headers,
  msOptionalToTs,
  type Next,
  optionalTsToMs,
  PerdureError,
  type RetryPolicy,
  throwIfReservedName,
  ValueError,
  type Workflow,
} from '@perdure/common';
import {
  decodeSearchAttributes,
  decodeTypedSearchAttributes,
  encodeUnifiedSearchAttributes,
} from '@perdure/common/lib/converter/payload-search-attributes';
import { optionalDateToTs, optionalTsToDate } from '@perdure/common/lib/time';
import { brandError } from '@perdure/common/lib/type-helpers';
import type {
  Header,
  WorkflowExecution as ProtoExecution,
} from '@perdure/proto/temporal/api/common/v1/message';
import type {
  BackfillRequest,
  Schedule,
  ScheduleActionResult,
  ScheduleListEntry,
  SchedulePatch,
} from '@perdure/proto/temporal/api/schedule/v1/message';
import type { NewWorkflowExecutionInfo } from '@perdure/proto/temporal/api/workflow/v1/message';
import type { DescribeScheduleResponse } from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import Long from 'long';
import {
  BaseClient,
  type BaseClientOptions,
  type LoadedBaseClientOptions,
  resolveBaseClientOptions,
} from './base-client';
import { isGrpcServiceError } from './errors';
import { grpcStatus } from './grpc';
import { errorDetail, rethrowGrpcError, withCause } from './grpc-failures';
import { decodeScheduleSpec, encodeScheduleSpec } from './schedule-spec';
import {
  type Backfill,
  decodeScheduleOverlapPolicy,
  encodeScheduleOverlapPolicy,
  type ScheduleDescription,
  type ScheduleDescriptionAction,
  type ScheduleExecutionActionResult,
  type ScheduleExecutionResult,
  type ScheduleOptions,
  type ScheduleOptionsAction,
  type ScheduleOptionsStartWorkflowAction,
  type ScheduleOverlapPolicy,
  type ScheduleSummary,
  type ScheduleUpdateOptions,
} from './schedule-types';
import { compileVersioningOverride } from './workflow-options';

/** There is a schedule with this id. */
export class ScheduleAlreadyRunning extends PerdureError {
  readonly code = 'SCHEDULE_ALREADY_EXISTS';

  constructor(
    message: string,
    readonly scheduleId: string,
  ) {
    super(message, { hint: 'update the existing schedule through its handle, or delete it first' });
  }
}
brandError(ScheduleAlreadyRunning, 'ScheduleAlreadyRunning');

/** There is no schedule with this id. */
export class ScheduleNotFoundError extends PerdureError {
  readonly code = 'SCHEDULE_NOT_FOUND';

  constructor(
    message: string,
    readonly scheduleId: string,
  ) {
    super(message);
  }
}
brandError(ScheduleNotFoundError, 'ScheduleNotFoundError');

/** Options of a schedule, checked and complete. */
export type CompiledScheduleOptions = ScheduleOptions & { action: CompiledScheduleAction };
export type CompiledScheduleUpdateOptions = ScheduleUpdateOptions & { action: CompiledScheduleAction };
export type CompiledScheduleAction = ScheduleOptionsStartWorkflowAction<Workflow> & {
  workflowType: string;
  workflowId: string;
  args: unknown[];
};

export interface CreateScheduleInput {
  readonly headers: Headers;
  readonly options: CompiledScheduleOptions;
}
export type CreateScheduleOutput = { readonly conflictToken: Uint8Array };

/** Stands around the calls of a ScheduleClient. */
export interface ScheduleClientInterceptor {
  create?: (input: CreateScheduleInput, next: Next<this, 'create'>) => Promise<CreateScheduleOutput>;
}

export interface ScheduleClientOptions extends BaseClientOptions {
  /** Outermost first. */
  interceptors?: ScheduleClientInterceptor[];
}
export type LoadedScheduleClientOptions = LoadedBaseClientOptions & {
  interceptors: ScheduleClientInterceptor[];
};

export interface ListScheduleOptions {
  /** Schedules per request, default 1000. */
  pageSize?: number;
  /** A visibility query. */
  query?: string;
}

/** One schedule. Every method throws ScheduleNotFoundError if there is none. */
export interface ScheduleHandle {
  readonly scheduleId: string;
  describe(): Promise<ScheduleDescription>;
  /**
   * Changes the schedule to what `updateFn` makes of its description. Of two updates at the same time the last one wins.
   */
  update<W extends Workflow = Workflow>(
    updateFn: (previous: ScheduleDescription) => ScheduleUpdateOptions<ScheduleOptionsStartWorkflowAction<W>>,
  ): Promise<void>;
  delete(): Promise<void>;
  /** Acts now. */
  trigger(overlap?: ScheduleOverlapPolicy): Promise<void>;
  /** Acts now for all times in ranges of the past. */
  backfill(options: Backfill | Backfill[]): Promise<void>;
  pause(note?: string): Promise<void>;
  unpause(note?: string): Promise<void>;
  readonly client: ScheduleClient;
}

function compileAction(action: ScheduleOptionsAction, scheduleId: string): CompiledScheduleAction {
  if (action.type !== 'startWorkflow') {
    throw new ValueError(
      `Invalid schedule action: type is ${JSON.stringify(action.type)}, takes 'startWorkflow'`,
    );
  }
  if (typeof action.taskQueue !== 'string' || action.taskQueue === '') {
    throw new ValueError('Invalid schedule action: taskQueue must be a string that is not empty');
  }
  throwIfReservedName('task queue', action.taskQueue);
  const { type, typeInfo } = extractWorkflowTypeAndConfig(action.workflowType, action.typeInfo);
  return {
    ...action,
    workflowType: type,
    typeInfo,
    workflowId: action.workflowId ?? `${scheduleId}-workflow`,
    args: [...(action.args ?? [])],
  };
}

function encodeBackfill({ start, end, overlap }: Backfill): BackfillRequest {
  return {
    startTime: optionalDateToTs(start),
    endTime: optionalDateToTs(end),
    overlapPolicy: encodeScheduleOverlapPolicy(overlap),
  };
}

function decodeExecution(execution: ProtoExecution | undefined): ScheduleExecutionActionResult {
  return {
    type: 'startWorkflow',
    workflow: { workflowId: execution?.workflowId ?? '', firstExecutionRunId: execution?.runId ?? '' },
  };
}

function decodeActions(actions: ScheduleActionResult[] | undefined): ScheduleExecutionResult[] {
  return (actions ?? []).map(({ scheduleTime, actualTime, startWorkflowResult }) => ({
    scheduledAt: optionalTsToDate(scheduleTime) ?? new Date(0),
    takenAt: optionalTsToDate(actualTime) ?? new Date(0),
    action: decodeExecution(startWorkflowResult),
  }));
}

/** Creates schedules, finds and changes them. */
export class ScheduleClient extends BaseClient {
  readonly options: LoadedScheduleClientOptions;

  constructor(options: ScheduleClientOptions = {}) {
    const base = resolveBaseClientOptions(options);
    super(options, base);
    this.options = { ...base, interceptors: options.interceptors ?? [] };
  }

  /**
   * Creates a schedule.
   * @throws {ScheduleAlreadyRunning} the id is in use
   * @throws {ValueError} options that cannot be
   */
  async create<W extends Workflow = Workflow>(
    options: ScheduleOptions<ScheduleOptionsStartWorkflowAction<W>>,
  ): Promise<ScheduleHandle> {
    const { scheduleId } = options;
    if (typeof scheduleId !== 'string' || scheduleId === '') {
      throw new ValueError('Invalid schedule options: scheduleId must be a string that is not empty');
    }
    const action = compileAction(options.action as unknown as ScheduleOptionsAction, scheduleId);
    const create = composeInterceptors(this.options.interceptors, 'create', (input: CreateScheduleInput) =>
      this.createSchedule(input),
    );
    await create({ headers: {}, options: { ...options, action } });
    return this.getHandle(scheduleId);
  }

  private async createSchedule({ headers, options }: CreateScheduleInput): Promise<CreateScheduleOutput> {
    const { scheduleId, state = {}, memo, searchAttributes, typedSearchAttributes } = options;
    const initialPatch: SchedulePatch = {
      ...(state.triggerImmediately && {
        triggerImmediately: { overlapPolicy: encodeScheduleOverlapPolicy('ALLOW_ALL') },
      }),
      ...(state.backfill !== undefined && { backfillRequest: state.backfill.map(encodeBackfill) }),
    };
    const request = {
      ...this.common,
      scheduleId,
      requestId: randomUUID(),
      schedule: await this.encodeSchedule(
        options,
        await this.data.toHeader(headers, this.contextOf(options.action.workflowId)),
      ),
      memo: memo === undefined ? undefined : { fields: await this.data.toPayloadMap(memo) },
      searchAttributes:
        searchAttributes === undefined && typedSearchAttributes === undefined
          ? undefined
          : { indexedFields: encodeUnifiedSearchAttributes(searchAttributes, typedSearchAttributes) },
      initialPatch,
    };
    try {
      const { conflictToken } = await this.workflowService.createSchedule(request);
      return { conflictToken: conflictToken ?? new Uint8Array() };
    } catch (error) {
      if (isGrpcServiceError(error) && error.code === grpcStatus.ALREADY_EXISTS) {
        throw withCause(
          new ScheduleAlreadyRunning('Schedule already exists and is running', scheduleId),
          error,
        );
      }
      return rethrowGrpcError(error, { doing: 'create schedule', namespace: this.base.namespace });
    }
  }

  private get common() {
    return { namespace: this.base.namespace, identity: this.base.identity };
  }

  private contextOf(workflowId: string) {
    return { type: 'workflow', namespace: this.base.namespace, workflowId } as const;
  }

  private async encodeSchedule(
    { spec, action, policies = {}, state = {} }: CompiledScheduleUpdateOptions | CompiledScheduleOptions,
    header: Header | undefined,
  ): Promise<Schedule> {
    const { remainingActions } = state;
    return {
      spec: encodeScheduleSpec(spec),
      action: { startWorkflow: await this.encodeAction(action, header) },
      policies: {
        overlapPolicy: encodeScheduleOverlapPolicy(policies.overlap),
        catchupWindow: msOptionalToTs(policies.catchupWindow, 'catchupWindow'),
        pauseOnFailure: policies.pauseOnFailure,
      },
      state: {
        paused: state.paused,
        notes: state.note,
        limitedActions: remainingActions !== undefined,
        remainingActions: remainingActions === undefined ? undefined : Long.fromNumber(remainingActions),
      },
    };
  }

  private async encodeAction(
    action: CompiledScheduleAction,
    header: Header | undefined,
  ): Promise<NewWorkflowExecutionInfo> {
    const { workflowId, workflowType, taskQueue, args, typeInfo, retry, memo, priority, versioningOverride } =
      action;
    const { searchAttributes, typedSearchAttributes } = action;
    const context = this.contextOf(workflowId);
    return {
      workflowId,
      workflowType: { name: workflowType },
      taskQueue: { kind: 1, name: taskQueue }, // TASK_QUEUE_KIND_NORMAL
      input: await this.data.toPayloads(args, context, typeInfo?.inputTypes),
      workflowExecutionTimeout: msOptionalToTs(action.workflowExecutionTimeout, 'workflowExecutionTimeout'),
      workflowRunTimeout: msOptionalToTs(action.workflowRunTimeout, 'workflowRunTimeout'),
      workflowTaskTimeout: msOptionalToTs(action.workflowTaskTimeout, 'workflowTaskTimeout'),
      retryPolicy: retry === undefined ? undefined : compileRetryPolicy(retry),
      memo: memo === undefined ? undefined : { fields: await this.data.toPayloadMap(memo, context) },
      searchAttributes:
        searchAttributes === undefined && typedSearchAttributes === undefined
          ? undefined
          : { indexedFields: encodeUnifiedSearchAttributes(searchAttributes, typedSearchAttributes) },
      header,
      userMetadata: await this.data.toUserMetadata(action.staticSummary, action.staticDetails, context),
      priority: priority === undefined ? undefined : compilePriority(priority),
      versioningOverride:
        versioningOverride === undefined ? undefined : compileVersioningOverride(versioningOverride),
    };
  }

  private async decodeAction(info: NewWorkflowExecutionInfo): Promise<ScheduleDescriptionAction> {
    const workflowId = info.workflowId ?? '';
    const context = { type: 'workflow', namespace: this.base.namespace, workflowId } as const;
    const { summary, details } = info.userMetadata ?? {};
    const indexed = info.searchAttributes?.indexedFields;
    const retry: RetryPolicy | undefined = decompileRetryPolicy(info.retryPolicy);
    return {
      type: 'startWorkflow',
      workflowId,
      workflowType: info.workflowType?.name ?? '',
      taskQueue: info.taskQueue?.name ?? '',
      args: await this.data.fromPayloads(info.input, context),
      memo: await this.data.fromPayloadMap(info.memo?.fields, context),
      retry,
      searchAttributes: decodeSearchAttributes(indexed),
      typedSearchAttributes: decodeTypedSearchAttributes(indexed),
      workflowExecutionTimeout: optionalTsToMs(info.workflowExecutionTimeout),
      workflowRunTimeout: optionalTsToMs(info.workflowRunTimeout),
      workflowTaskTimeout: optionalTsToMs(info.workflowTaskTimeout),
      staticSummary: summary && (await this.data.fromPayload<string>(summary, context)),
      staticDetails: details && (await this.data.fromPayload<string>(details, context)),
      priority: info.priority === undefined ? undefined : decodePriority(info.priority),
    };
  }

  private async decodeDescription(
    scheduleId: string,
    raw: DescribeScheduleResponse,
  ): Promise<ScheduleDescription> {
    const { spec = {}, action, policies, state } = raw.schedule ?? {};
    const info = raw.info ?? {};
    const indexed = raw.searchAttributes?.indexedFields;
    return {
      scheduleId,
      spec: decodeScheduleSpec(spec),
      action: await this.decodeAction(action?.startWorkflow ?? {}),
      policies: {
        overlap: decodeScheduleOverlapPolicy(policies?.overlapPolicy) ?? 'SKIP',
        catchupWindow: optionalTsToMs(policies?.catchupWindow) ?? 365 * 24 * 3600 * 1000,
        pauseOnFailure: policies?.pauseOnFailure ?? false,
      },
      memo: await this.data.fromPayloadMap(raw.memo?.fields),
      searchAttributes: decodeSearchAttributes(indexed),
      typedSearchAttributes: decodeTypedSearchAttributes(indexed),
      state: {
        paused: state?.paused ?? false,
        note: state?.notes || undefined,
        remainingActions: state?.limitedActions ? (state.remainingActions?.toNumber() ?? 0) : undefined,
      },
      info: {
        recentActions: decodeActions(info.recentActions),
        nextActionTimes: (info.futureActionTimes ?? []).map((time) => optionalTsToDate(time)!),
        numActionsTaken: info.actionCount?.toNumber() ?? 0,
        numActionsMissedCatchupWindow: info.missedCatchupWindow?.toNumber() ?? 0,
        numActionsSkippedOverlap: info.overlapSkipped?.toNumber() ?? 0,
        createdAt: optionalTsToDate(info.createTime) ?? new Date(0),
        lastUpdatedAt: optionalTsToDate(info.updateTime),
        runningActions: (info.runningWorkflows ?? []).map(decodeExecution),
      },
      raw,
    };
  }

  private async decodeSummary(entry: ScheduleListEntry): Promise<ScheduleSummary> {
    const { info } = entry;
    const indexed = entry.searchAttributes?.indexedFields;
    return {
      scheduleId: entry.scheduleId ?? '',
      spec: info?.spec && decodeScheduleSpec(info.spec),
      action: info?.workflowType?.name
        ? { type: 'startWorkflow', workflowType: info.workflowType.name }
        : undefined,
      memo: await this.data.fromPayloadMap(entry.memo?.fields),
      searchAttributes: decodeSearchAttributes(indexed),
      typedSearchAttributes: decodeTypedSearchAttributes(indexed),
      state: { paused: info?.paused ?? false, note: info?.notes || undefined },
      info: {
        recentActions: decodeActions(info?.recentActions),
        nextActionTimes: (info?.futureActionTimes ?? []).map((time) => optionalTsToDate(time)!),
      },
    };
  }

  /** All schedules, or those that a query finds; new and changed ones may come late. */
  list(options: ListScheduleOptions = {}): AsyncIterable<ScheduleSummary> {
    return { [Symbol.asyncIterator]: () => this.listPages(options) };
  }

  private async *listPages({ pageSize = 1000, query }: ListScheduleOptions): AsyncGenerator<ScheduleSummary> {
    const { namespace } = this.base;
    let nextPageToken: Uint8Array | undefined;
    do {
      const page = await this.workflowService
        .listSchedules({ namespace, maximumPageSize: pageSize, query, nextPageToken })
        .catch((error) => rethrowGrpcError(error, { doing: 'list schedules', namespace }));
      for (const entry of page.schedules ?? []) yield await this.decodeSummary(entry);
      nextPageToken = page.nextPageToken;
    } while (nextPageToken !== undefined && nextPageToken.length > 0);
  }

  /** A handle by id; makes no call. */
  getHandle(scheduleId: string): ScheduleHandle {
    const patch = async (what: SchedulePatch) => {
      const request = { ...this.common, scheduleId, requestId: randomUUID(), patch: what };
      await this.checked(scheduleId, 'patch schedule', () => this.workflowService.patchSchedule(request));
    };
    const describeRaw = () =>
      this.checked(scheduleId, 'describe schedule', () =>
        this.workflowService.describeSchedule({ namespace: this.base.namespace, scheduleId }),
      );
    return {
      client: this,
      scheduleId,
      describe: async () => await this.decodeDescription(scheduleId, await describeRaw()),
      update: async (updateFn) => {
        const raw = await describeRaw();
        const wanted = updateFn(await this.decodeDescription(scheduleId, raw)) as ScheduleUpdateOptions;
        await this.sendUpdate(scheduleId, wanted, raw);
      },
      delete: async () => {
        await this.checked(scheduleId, 'delete schedule', () =>
          this.workflowService.deleteSchedule({ ...this.common, scheduleId }),
        );
      },
      trigger: async (overlap) =>
        await patch({ triggerImmediately: { overlapPolicy: encodeScheduleOverlapPolicy(overlap) ?? 0 } }),
      backfill: async (options) =>
        await patch({ backfillRequest: (Array.isArray(options) ? options : [options]).map(encodeBackfill) }),
      pause: async (note = 'Paused via TypeScript SDK') => await patch({ pause: note }),
      unpause: async (note = 'Unpaused via TypeScript SDK') => await patch({ unpause: note }),
    };
  }

  /** U1 */
  private async sendUpdate(
    scheduleId: string,
    wanted: ScheduleUpdateOptions,
    described: DescribeScheduleResponse,
  ): Promise<void> {
    const { searchAttributes, typedSearchAttributes } = wanted;
    const action = compileAction(wanted.action, scheduleId);
    const header = described.schedule?.action?.startWorkflow?.header; // as it was created, encoded already
    const request = {
      ...this.common,
      scheduleId,
      requestId: randomUUID(),
      schedule: await this.encodeSchedule({ ...wanted, action }, header),
      searchAttributes:
        searchAttributes === undefined && typedSearchAttributes === undefined
          ? undefined
          : { indexedFields: encodeUnifiedSearchAttributes(searchAttributes, typedSearchAttributes) },
    };
    await this.checked(scheduleId, 'update schedule', () => this.workflowService.updateSchedule(request));
  }

  private async checked<T>(scheduleId: string, doing: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const unknown =
        isGrpcServiceError(error) &&
        error.code === grpcStatus.NOT_FOUND &&
        errorDetail(error, 'NamespaceNotFoundFailure') === undefined;
      if (unknown)
        throw withCause(new ScheduleNotFoundError(error.details || 'schedule not found', scheduleId), error);
      return rethrowGrpcError(error, { doing, namespace: this.base.namespace });
    }
  }
}
