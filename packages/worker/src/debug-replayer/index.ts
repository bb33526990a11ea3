/**
 * `startDebugReplayer`: replays one history under a debugger that shows where in the history the workflow is.
 *
 * The debugger (Temporal's extension for Visual Studio Code is one) serves HTTP at TEMPORAL_DEBUGGER_PLUGIN_URL:
 *   GET  /history               an encoded temporal.api.history.v1.History
 *   POST /current-wft-started   {"eventId": n}: the workflow task that started with this event comes next. While it
 *                               is being answered nothing runs, so that breakpoints can be set.
 *
 * The workflow runs on this thread, where breakpoints hold. What is told to the debugger is told by the lane's
 * transport (transport.ts), before the lane gets the activation: workflow code knows nothing of it.
 */
import type { ReplayWorkerOptions } from '../worker-options';

/**
 * Replays the history that the debugger has, then ends the process: with code 0 if the workflow fits it, else 1.
 * Needs the environment variable TEMPORAL_DEBUGGER_PLUGIN_URL.
 */
export function startDebugReplayer(options: ReplayWorkerOptions): void {
  const { replayUnderDebugger } = require('./replay') as typeof import('./replay');
  replayUnderDebugger(options).then(
    () => {
      console.log('Replay completed successfully');
      process.exit(0);
    },
    (error: unknown) => {
      console.error('Replay failed', error);
      process.exit(1);
    },
  );
}
