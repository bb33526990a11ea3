/** What the runtime holds for one registered worker: its registration, its bundle and its runs. */

import type { LoadedBundle } from './definitions';
import type { WorkerRegistration } from './host';
import type { Run } from './run';

export interface WorkerState {
  readonly registration: WorkerRegistration;
  readonly bundle: LoadedBundle;
  readonly runs: Map<string, Run>;
  /** sinkName.fnName of sinks that are called during replay too. */
  readonly replayingSinks: ReadonlySet<string>;
  /** Types whose runs keep where operations were begun (sites.ts). */
  tracedTypes?: Set<string>;
}
