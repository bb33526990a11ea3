/**
 * How a workflow ends.
 *
 * Z1  Exactly one command ends a run, whatever else user code does after it.
 * Z2  Cancellation that reaches the end of a workflow that was asked to cancel is a cancellation, not a failure.
 * Z3  Activations may follow the one that ended the run, in the same task: local activities that were cancelled with
 *     it resolve. The server takes no command behind one that ends a run, so theirs are dropped, and so are failures.
 */
import {
  ActivityFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  HandlerUnfinishedPolicy,
  NexusOperationFailure,
} from '@perdure/common';
import type { WorkflowCommand } from '@perdure/proto/temporal/sdk/core/workflow_commands/workflow_commands';
import { traceCommand } from './commands';
import { ContinueAsNew } from './continue-as-new';
import { UnserializableValueError } from './errors';
import { logFor } from './log';
import { toPayload, workflowContext } from './payloads';
import { failsWorkflow, safeErrorToFailure } from './runtime/failures';
import type { Run } from './runtime/run';

/** Whether the error is, or was caused by, a cancellation. Never throws. */
export function isCancellation(err: unknown): boolean {
  try {
    return isCausedByCancellation(err);
  } catch {
    return false; // a hostile value that throws when it is looked at
  }
}

function isCausedByCancellation(err: unknown): boolean {
  // The chain is at most as long as failures nest; a loop ends with the bound.
  let error = err;
  for (let depth = 0; depth < 100; depth++) {
    if (error instanceof CancelledFailure) return true;
    if (
      !(error instanceof ActivityFailure) &&
      !(error instanceof ChildWorkflowFailure) &&
      !(error instanceof NexusOperationFailure)
    ) {
      return false;
    }
    error = error.cause;
  }
  return false;
}

/** The workflow function has returned. */
export function endWithResult(run: Run, value: unknown): void {
  let result: ReturnType<typeof toPayload>;
  try {
    result = toPayload(run, value, workflowContext(run), run.outputType);
  } catch (error) {
    endWithError(run, new UnserializableValueError('The result of the workflow', error));
    return;
  }
  end(run, { completeWorkflowExecution: { result } });
}

/** The workflow function, or a signal handler, has thrown. */
export function endWithError(run: Run, error: unknown): void {
  if (run.cancelRequested && isCancellation(error)) {
    end(run, { cancelWorkflowExecution: {} }); // Z2
  } else if (isContinueAsNew(error)) {
    const groups = error.eventGroupMarkers !== undefined && { eventGroupMarkers: error.eventGroupMarkers };
    end(run, { continueAsNewWorkflowExecution: error.command, ...groups }, error);
  } else if (failsWorkflow(run, error)) {
    end(run, { failWorkflowExecution: { failure: safeErrorToFailure(run, error) } }, error);
  } else {
    run.failTask(error);
  }
}

/** Never throws. */
export function isContinueAsNew(error: unknown): error is ContinueAsNew {
  try {
    return error instanceof ContinueAsNew;
  } catch {
    return false;
  }
}

/** @param cause the error that ends the run: it knows where that was */
function end(run: Run, command: WorkflowCommand, cause?: unknown): void {
  if (run.completed) return; // Z1
  run.completed = true;
  run.commands.push(command);
  if (run.worker.registration.traceCommands) traceCommand(run, command, cause);
}

/**
 * To be called at the end of the activation in which the run has ended, other than by a failure: until then handlers may
 * finish.
 * @throws what an interceptor of log lines throws
 */
export function warnOfUnfinishedHandlers(run: Run): void {
  const running = run.runningHandlers;
  if (running === undefined || running.size === 0 || run.replaying) return;
  const warned = [...running].filter(
    (handler) => handler.unfinishedPolicy === HandlerUnfinishedPolicy.WARN_AND_ABANDON,
  );
  for (const kind of ['update', 'signal'] as const) {
    const names = warned.filter((handler) => handler.kind === kind);
    if (names.length === 0) continue;
    logFor(
      run,
      'WARN',
      `[TMPRL1102] Workflow finished while ${kind} handlers are still running: what they were doing is abandoned` +
        `${kind === 'update' ? ', and the clients that wait for them get an error' : ''}. ` +
        'Wait with `await condition(allHandlersFinished)` before returning, or set ' +
        '`unfinishedPolicy: HandlerUnfinishedPolicy.ABANDON` where that is meant.',
      {
        [kind === 'update' ? 'updateHandlers' : 'signalHandlers']: names.map(({ name, updateId }) => ({
          name,
          id: updateId,
        })),
      },
    );
  }
}
