/** Workflows whose runs follow each other. */
import { ApplicationFailure, workflowInfo } from '@perdure/workflow';

/** Fails until its third attempt; tells what each attempt knew of the one before. */
export async function retried(): Promise<unknown> {
  const { attempt, lastFailure, lastResult, retryPolicy, firstExecutionRunId, runId } = workflowInfo();
  if (attempt < 3)
    throw ApplicationFailure.create({ message: `attempt ${attempt}`, type: 'Again', details: [attempt] });
  const { message, type, details } = lastFailure as ApplicationFailure;
  const { initialInterval, maximumAttempts } = retryPolicy ?? {};
  return {
    attempt,
    lastFailure: [lastFailure instanceof ApplicationFailure, message, type, details],
    lastResult: lastResult ?? 'none',
    retryPolicy: [initialInterval, maximumAttempts],
    isFirstRun: firstExecutionRunId === runId,
  };
}

/** Counts the runs of its schedule; the second fails, which does not lose the count. */
export async function counted(): Promise<number> {
  const { lastResult, lastFailure, cronSchedule, continuedFromExecutionRunId } = workflowInfo();
  const before = (lastResult as number | undefined) ?? 0;
  if (before === 1 && lastFailure === undefined) throw ApplicationFailure.nonRetryable('the second run');
  if ((before === 0) !== (continuedFromExecutionRunId === undefined)) throw new Error('wrong predecessor');
  if (cronSchedule !== '@every 1s') throw new Error(`wrong schedule ${cronSchedule}`);
  return before + 1;
}
