/**
 * What workflow code can learn about its run.
 *
 * W1  The record is made when first asked for in an activation, frozen, and made anew when something changed.
 */
import {
  decodePriority,
  decodeSuggestContinueAsNewReason,
  decompileRetryPolicy,
  optionalTsToDate,
  optionalTsToMs,
  type Payload,
  type Priority,
  type RetryPolicy,
  type SearchAttributes,
  type SuggestContinueAsNewReason,
  type TypedSearchAttributes,
  type WorkerDeploymentVersion,
} from '@perdure/common';
import {
  decodeSearchAttributes,
  decodeTypedSearchAttributes,
} from '@perdure/common/lib/converter/payload-search-attributes';
import { requireHost } from './async-context';
import { failureToError, fromPayload, workflowContext } from './payloads';
import { type UnsafeRandomSource, unsafeRandom } from './random';
import { currentRun, type Run, requireRun, requireWritableRun } from './runtime/run';

export interface ParentWorkflowInfo {
  workflowId: string;
  runId: string;
  namespace: string;
}

export interface RootWorkflowInfo {
  workflowId: string;
  runId: string;
}

/** Facts that differ on replay: never branch on them. */
export interface UnsafeWorkflowInfo {
  /** Real time in epoch milliseconds. */
  readonly now: () => number;
  readonly isReplaying: boolean;
  /** Like isReplaying, but false in queries and update validators. */
  readonly isReplayingHistoryEvents: boolean;
  /** Real entropy, for queries and validators. */
  readonly random: UnsafeRandomSource;
}

export interface WorkflowInfo {
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowType: string;
  /** @deprecated use typedSearchAttributes */
  readonly searchAttributes: SearchAttributes;
  readonly typedSearchAttributes: TypedSearchAttributes;
  readonly memo?: Record<string, unknown>;
  /** Present for child workflows. */
  readonly parent?: ParentWorkflowInfo;
  /** Root of the tree of parents; absent if this is it. */
  readonly root?: RootWorkflowInfo;
  /** Result of the previous run, for cron schedules and continued runs. */
  readonly lastResult?: unknown;
  /** Failure of the previous run. */
  readonly lastFailure?: Error;
  /** Events until now. */
  readonly historyLength: number;
  /** Bytes until now. */
  readonly historySize: number;
  readonly continueAsNewSuggested: boolean;
  readonly targetWorkerDeploymentVersionChanged: boolean;
  readonly suggestedContinueAsNewReasons?: SuggestContinueAsNewReason[];
  readonly taskQueue: string;
  readonly namespace: string;
  readonly firstExecutionRunId: string;
  /** Stays the same across resets. */
  readonly originalExecutionRunId: string;
  readonly continuedFromExecutionRunId?: string;
  readonly startTime: Date;
  readonly runStartTime: Date;
  readonly executionTimeoutMs?: number;
  readonly executionExpirationTime?: Date;
  readonly runTimeoutMs?: number;
  readonly taskTimeoutMs: number;
  readonly retryPolicy?: RetryPolicy;
  /** From 1. */
  readonly attempt: number;
  readonly cronSchedule?: string;
  /** Milliseconds between two runs of the schedule. */
  readonly cronScheduleToScheduleInterval?: number;
  /** @deprecated use currentDeploymentVersion */
  readonly currentBuildId?: string;
  /** Version of the worker that ran, or runs, this task. */
  readonly currentDeploymentVersion?: WorkerDeploymentVersion;
  readonly priority?: Priority;
  readonly unsafe: UnsafeWorkflowInfo;
}

/** What is known of the current run; frozen. Ask again after an await: some of it changes. */
export function workflowInfo(): WorkflowInfo {
  return infoOf(requireRun('workflowInfo()'));
}

/** Whether workflow code is running. Works anywhere. */
export function inWorkflowContext(): boolean {
  return currentRun() !== undefined;
}

export function infoOf(run: Run): WorkflowInfo {
  run.info ??= makeInfo(run); // W1
  return run.info;
}

/** Something that workflowInfo() shows has changed. */
export function changeInfo(run: Run): void {
  run.info = undefined;
}

function makeInfo(run: Run): WorkflowInfo {
  const { init, history } = run;
  const { registration } = run.worker;
  const indexedFields = init.searchAttributes?.indexedFields;
  const parent = init.parentWorkflowInfo;
  const root = init.rootWorkflow;
  const startTime = optionalTsToDate(init.startTime) ?? new Date(run.nowMs);
  const version = history.deploymentVersion;
  const memo = currentMemo(run) ?? {};
  return Object.freeze({
    workflowId: run.workflowId,
    runId: run.runId,
    workflowType: run.workflowType,
    searchAttributes: decodeSearchAttributes(indexedFields) as SearchAttributes,
    typedSearchAttributes: decodeTypedSearchAttributes(indexedFields),
    memo,
    parent: parent && {
      workflowId: parent.workflowId ?? '',
      runId: parent.runId ?? '',
      namespace: parent.namespace ?? '',
    },
    root: root && { workflowId: root.workflowId ?? '', runId: root.runId ?? '' },
    lastResult: lastResult(run),
    lastFailure: init.continuedFailure && failureToError(run, init.continuedFailure),
    historyLength: history.historyLength,
    historySize: history.historySizeBytes,
    continueAsNewSuggested: history.continueAsNewSuggested,
    targetWorkerDeploymentVersionChanged: history.targetVersionChanged,
    suggestedContinueAsNewReasons: history.suggestedReasons
      ?.map((reason) => decodeSuggestContinueAsNewReason(reason))
      .filter((reason): reason is SuggestContinueAsNewReason => reason !== undefined),
    taskQueue: registration.taskQueue,
    namespace: registration.namespace,
    firstExecutionRunId: init.firstExecutionRunId ?? '',
    originalExecutionRunId: init.originalExecutionRunId || run.runId,
    continuedFromExecutionRunId: init.continuedFromExecutionRunId || undefined,
    startTime,
    runStartTime: new Date(run.startedAtMs),
    executionTimeoutMs: optionalTsToMs(init.workflowExecutionTimeout),
    executionExpirationTime: optionalTsToDate(init.workflowExecutionExpirationTime),
    runTimeoutMs: optionalTsToMs(init.workflowRunTimeout),
    taskTimeoutMs: optionalTsToMs(init.workflowTaskTimeout) ?? 0,
    retryPolicy: decompileRetryPolicy(init.retryPolicy),
    attempt: init.attempt ?? 1,
    cronSchedule: init.cronSchedule || undefined,
    cronScheduleToScheduleInterval: optionalTsToMs(init.cronScheduleToScheduleInterval),
    currentBuildId: version?.buildId,
    currentDeploymentVersion: version,
    priority: init.priority && decodePriority(init.priority),
    unsafe: Object.freeze({
      now: () => requireHost().wallClockMs(),
      get isReplaying() {
        return run.replaying;
      },
      get isReplayingHistoryEvents() {
        return run.replaying && run.readOnly === undefined;
      },
      random: unsafeRandom,
    }),
  });
}

function lastResult(run: Run): unknown {
  return fromPayload(run, run.init.lastCompletionResult?.payloads?.[0], workflowContext(run));
}

/** The memo as it stands, upserts included. */
export function currentMemo(run: Run): Record<string, unknown> | undefined {
  if (run.memo === undefined) {
    const fields = run.init.memo?.fields;
    if (fields === undefined) return undefined;
    const context = workflowContext(run);
    run.memo = Object.fromEntries(
      Object.entries(fields).map(([key, payload]) => [key, fromPayload(run, payload, context)]),
    );
  }
  return run.memo;
}

/** The search attributes as they stand, upserts included. */
export function currentSearchAttributes(run: Run): Record<string, Payload> {
  return run.init.searchAttributes?.indexedFields ?? {};
}

/** Markdown that user interfaces show for the workflow. */
export function setCurrentDetails(details: string): void {
  requireWritableRun('setCurrentDetails()').currentDetails = details;
}

export function getCurrentDetails(): string {
  return requireRun('getCurrentDetails()').currentDetails;
}
