/**
 * The life of a worker.
 *
 *   INITIALIZED → RUNNING → STOPPING → DRAINING → DRAINED → STOPPED
 *   any but STOPPED → FAILED
 *
 * INITIALIZED  made, polls nothing yet
 * RUNNING      polls
 * STOPPING     has been asked to shut down, polls are being called back
 * DRAINING     polls nothing any more, tasks are still being worked on
 * DRAINED      every task is done, the native side is being closed
 * STOPPED      everything is released
 * FAILED       ended by an error
 */
import { IllegalStateError } from '@perdure/common';

/** State of a worker, see the table above. */
export type State = 'INITIALIZED' | 'RUNNING' | 'STOPPED' | 'STOPPING' | 'DRAINING' | 'DRAINED' | 'FAILED';

const NEXT: Readonly<Record<State, readonly State[]>> = {
  INITIALIZED: ['RUNNING', 'FAILED'],
  RUNNING: ['STOPPING', 'FAILED'],
  STOPPING: ['DRAINING', 'FAILED'],
  DRAINING: ['DRAINED', 'FAILED'],
  DRAINED: ['STOPPED', 'FAILED'],
  STOPPED: [],
  FAILED: [],
};

export class WorkerState {
  #state: State = 'INITIALIZED';

  /** @param onChange called after each change */
  constructor(private readonly onChange: (state: State) => void) {}

  get current(): State {
    return this.#state;
  }

  /** @throws {IllegalStateError} the table has no such step */
  to(next: State): void {
    if (!NEXT[this.#state].includes(next)) {
      throw new IllegalStateError(`A worker cannot go from ${this.#state} to ${next}`);
    }
    this.#state = next;
    this.onChange(next);
  }
}
