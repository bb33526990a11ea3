/** What stands behind the globals of every run. Each works on the run that is current. */
import { DeterminismViolationError } from '../errors';
import { workflowConsole } from '../log';
import { random } from '../random';
import { clearTimeout, setTimeout } from '../timers';
import type { RuntimeGlobals } from './host';
import { currentRun } from './run';

export const runtimeGlobals: RuntimeGlobals = {
  now: () => currentRun()?.nowMs ?? 0,
  random,
  setTimeout,
  clearTimeout,
  console: workflowConsole,
  determinismViolation: (message) =>
    new DeterminismViolationError(message, {
      hint: 'what it gives depends on when memory is reclaimed, which no replay can repeat',
    }),
};
