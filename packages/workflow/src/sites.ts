/**
 * Whether a run keeps where each operation was begun.
 *
 * Keeping it takes microseconds for each, so runs do so only where somebody asked for a stack trace that could not
 * be told without (stack-traces.ts, W3), or where the worker shows sources in stack traces.
 */
import type { Run } from './runtime/run';

export function recordsSites({ worker, workflowType }: Run): boolean {
  return worker.registration.showStackTraceSources || worker.tracedTypes?.has(workflowType) === true;
}

/** Where the running code is, if the run keeps such things. */
export function siteIn(run: Run): Error | undefined {
  return recordsSites(run) ? new Error('') : undefined;
}
