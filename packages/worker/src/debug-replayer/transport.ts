/**
 * A lane's transport that tells the debugger of each workflow task, and waits until it has heard, before the lane
 * gets the task. Lanes of debug mode run on the main thread, so the call is made by a thread of its own.
 *
 * T1  A debugger that cannot be told ends the process: who looks at breakpoints must not be shown the wrong place.
 */
import { join } from 'node:path';
import { Worker as Thread } from 'node:worker_threads';
import { laneTransport as native } from '@perdure/core/lane-transport';
import { LaneBatch } from '@perdure/proto/perdure/core/v1/exchange';
import { WorkflowActivation } from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';

/** What caller.ts gets. */
export interface CallRequest {
  readonly eventId: number;
  /** One 32-bit word: 0 while the call is under way, then 1, or 2 if it failed. */
  readonly outcome: SharedArrayBuffer;
}

let caller: Thread | undefined;
let toldUntil = 0;

/** Fits `LaneTransport` of @perdure/sandbox. */
export const laneTransport: typeof native = {
  open(lane, onBatch) {
    return native.open(lane, (batch) => {
      for (const { activation } of LaneBatch.decode(batch).items ?? []) {
        if (activation !== undefined) tell(WorkflowActivation.decode(activation).historyLength ?? 0);
      }
      onBatch(batch);
    });
  },
};

function tell(eventId: number): void {
  if (eventId <= toldUntil) return;
  toldUntil = eventId;
  caller ??= new Thread(join(__dirname, 'caller.js'), { name: 'perdure debugger' });
  caller.unref();
  const outcome = new Int32Array(new SharedArrayBuffer(4));
  const request: CallRequest = { eventId, outcome: outcome.buffer };
  caller.postMessage(request);
  Atomics.wait(outcome, 0, 0);
  if (outcome[0] !== 1) {
    console.error('Replay failed: the debugger could not be told of a workflow task');
    process.exit(1); // T1
  }
}
