/**
 * Emitting commands, with what may go along with any of them: summary, details, event groups.
 */
import type { SerializationContext } from '@perdure/common';
import { readProperty } from '@perdure/common/lib/type-helpers';
import type { WorkflowCommand } from '@perdure/proto/temporal/sdk/core/workflow_commands/workflow_commands';
import { currentContext } from './async-context';
import { DeterminismViolationError } from './errors';
import { type EventGroupMarker, eventGroupMarkers } from './event-groups';
import { toPayload, workflowContext } from './payloads';
import { PendingOperations } from './runtime/operations';
import type { Run } from './runtime/run';
import { recordsSites } from './sites';

/** Options that any command can carry. */
export interface CommandOptions {
  readonly summary?: string;
  readonly details?: string;
  readonly eventGroups?: readonly EventGroupMarker[];
}

/** Marks on a command, to be kept for the command that may cancel what it begins. */
export type EventGroups = WorkflowCommand['eventGroupMarkers'];

/**
 * Adds a command to the current activation's. @returns the marks it carries
 * @param context whom summary and details belong to; default: the workflow
 * @throws DeterminismViolationError in a query handler or an update validator
 */
export function emit(
  run: Run,
  command: WorkflowCommand,
  options?: CommandOptions,
  context?: SerializationContext,
): EventGroups {
  requireWritable(run);
  if (options !== undefined && (isGiven(options.summary) || isGiven(options.details))) {
    command.userMetadata = {
      summary: text(run, options.summary, context),
      details: text(run, options.details, context),
    };
  }
  const asyncContext = currentContext();
  const inScope = asyncContext?.eventGroups;
  const inbound = asyncContext?.inbound;
  if (command.updateResponse !== undefined) {
    // Answers to the update itself belong to no group.
  } else if (inScope !== undefined || inbound !== undefined || options?.eventGroups !== undefined) {
    command.eventGroupMarkers = eventGroupMarkers(inbound, inScope, options?.eventGroups);
  }
  push(run, command);
  return command.eventGroupMarkers;
}

/**
 * Adds the command that asks for the cancellation of an operation. It carries the marks of the command that began
 * the operation, whoever cancels it.
 * @throws DeterminismViolationError in a query handler or an update validator
 */
export function emitCancel(run: Run, command: WorkflowCommand, groups: EventGroups): void {
  requireWritable(run);
  if (groups !== undefined) command.eventGroupMarkers = groups;
  push(run, command);
}

function push(run: Run, command: WorkflowCommand): void {
  if (run.over) return; // Z3 of completion.ts
  run.commands.push(command);
  if (run.worker.registration.traceCommands) traceCommand(run, command);
}

function requireWritable(run: Run): void {
  if (run.readOnly === undefined) return;
  throw new DeterminismViolationError(
    `Workflow code in ${run.readOnly === 'query handler' ? 'a query handler' : 'an update validator'} tried to emit a command`,
    { hint: 'query handlers and update validators only read the state of the workflow' },
  );
}

/**
 * Records where user code has issued a command, as a call of the sink `__perdure_commands`.
 * @param cause the error that led to the command, where no code calls for it
 */
export function traceCommand(run: Run, command: WorkflowCommand, cause?: unknown): void {
  const field =
    Object.keys(command).find((key) => key !== 'userMetadata' && key !== 'eventGroupMarkers') ?? '';
  const body = (command as Record<string, any>)[field] ?? {};
  const stack = readProperty(cause, 'stack');
  const answer = ['accepted', 'rejected', 'completed'].find((key) => body[key] !== undefined);
  const issued = {
    kind: field === 'updateResponse' && answer !== undefined ? `${answer}Update` : field,
    type: String(body.activityType ?? body.workflowType ?? body.patchId ?? body.signalName ?? ''),
    id: String(body.activityId ?? body.workflowId ?? body.protocolInstanceId ?? ''),
    seq: Number(body.seq ?? body.childWorkflowSeq ?? 0),
    task: run.history.historyLength,
    stack: typeof stack === 'string' ? stack : (new Error().stack ?? ''),
  };
  run.sinkCalls ??= [];
  run.sinkCalls.push({
    worker: run.worker.registration.worker,
    runId: run.runId,
    sink: '__perdure_commands',
    fn: 'issued',
    args: [issued],
    info: '{}',
  });
}

function text(run: Run, value: string | undefined, context: SerializationContext | undefined) {
  return isGiven(value) ? toPayload(run, value, context ?? workflowContext(run)) : undefined;
}

/** Plain JavaScript passes on null, too. */
function isGiven(value: string | undefined | null): value is string {
  return value !== undefined && value !== null;
}

export function pendingOf(run: Run): PendingOperations {
  if (run.pending === undefined) {
    run.pending = new PendingOperations();
    if (recordsSites(run)) run.pending.recordSites();
  }
  return run.pending;
}
