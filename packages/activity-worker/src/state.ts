/**
 * The life of an activity-only worker; names and steps are those of @perdure/worker.
 *
 *   INITIALIZED → RUNNING → STOPPING → DRAINING → DRAINED → STOPPED
 *   any but STOPPED → FAILED
 *
 * STOPPING  polls are being called back; DRAINING  activities still run; DRAINED  every one is answered
 */
import { IllegalStateError } from '@perdure/common';

/** State of an activity-only worker, see the table above. */
export type State = 'INITIALIZED' | 'RUNNING' | 'STOPPING' | 'DRAINING' | 'DRAINED' | 'STOPPED' | 'FAILED';

const NEXT: Readonly<Record<State, readonly State[]>> = {
  INITIALIZED: ['RUNNING', 'FAILED'],
  RUNNING: ['STOPPING', 'FAILED'],
  STOPPING: ['DRAINING', 'FAILED'],
  DRAINING: ['DRAINED', 'FAILED'],
  DRAINED: ['STOPPED', 'FAILED'],
  STOPPED: [],
  FAILED: [],
};

/** @throws {IllegalStateError} the table has no such step */
export function step(from: State, to: State): State {
  if (!NEXT[from].includes(to)) throw new IllegalStateError(`A worker cannot go from ${from} to ${to}`);
  return to;
}
