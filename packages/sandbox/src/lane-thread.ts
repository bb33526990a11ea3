/**
 * Entry of a lane's worker thread.
 *
 * G1  Before any workflow code runs, the thread's own realm is hardened too: its intrinsics are frozen and its
 *     function constructors refuse. V8 calls functions of this realm on its own (to format a stack, for one), and
 *     when the stack overflows in them, workflow code can catch an error of this realm. It leads nowhere then.
 * G2  A rejected promise of a realm never ends the thread.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { boardWriter, idleBoard } from './activity-board';
import { awaitAnswer, newAnswer } from './blocking-answer';
import { CoverageProbe } from './coverage';
import { hardenHostRealm } from './host-realm';
import { Lane } from './lane';
import { type FromLane, type LaneStart, portable, type ToLane } from './lane-protocol';
import { loadTransport } from './load-transport';
import { ownThread } from './thread-clock';

/** Gives pending rejections to their handlers now, while it is known which run was executing. */
const flushRejections: (() => void) | undefined = (process as { _tickCallback?: () => void })._tickCallback;

async function main(start: LaneStart): Promise<void> {
  const port = parentPort!;
  const send = (message: FromLane) => port.postMessage(message);
  try {
    const { laneTransport } = await loadTransport(start.transportModule);
    const lane = new Lane(
      start.lane,
      {
        onSinkCalls: (calls) => send({ kind: 'sinkCalls', calls }),
        onWarning: (warning) => send({ kind: 'warning', warning }),
        onStats: (stats) => send({ kind: 'stats', id: 0, stats }),
        decidePatch(worker, runId, patchId, info) {
          const answer = newAnswer();
          send({ kind: 'decidePatch', request: { worker, runId, patchId, info }, answer });
          return awaitAnswer(answer);
        },
      },
      start.board === undefined ? idleBoard : boardWriter(start.board),
      start.runtimeSource,
      start.answersEach ? -1 : undefined,
    );
    process.on('unhandledRejection', (reason, promise) => {
      // G2: whatever is not plainly a promise of this thread's own code comes from a realm.
      if (lane.handleRejection(reason, promise, Object.getPrototypeOf(promise) !== Promise.prototype)) return;
      throw reason; // ours: a mistake of the lane itself ends it, and the pool replaces it
    });
    process.on('rejectionHandled', () => {});
    lane.flushRejections = flushRejections === undefined ? undefined : () => flushRejections.call(process);
    const coverage = start.coverage ? new CoverageProbe() : undefined;
    const thread = ownThread();
    hardenHostRealm(); // G1
    lane.attach(laneTransport.open(start.lane, (batch) => lane.handleBatch(batch), start.transportData));
    port.on('message', (message: ToLane) => {
      switch (message.kind) {
        case 'register':
          try {
            coverage?.note(message.bundle);
            lane.register(message.registration, message.bundle, message.isolation);
            send({ kind: 'registered', id: message.id });
          } catch (error) {
            send({ kind: 'registered', id: message.id, error: portable(error) });
          }
          break;
        case 'unregister':
          lane.unregister(message.worker);
          break;
        case 'stats':
          send({ kind: 'stats', id: message.id, stats: lane.stats() });
          break;
        case 'coverage':
          send({ kind: 'coverage', id: message.id, bundles: coverage?.take() ?? [] });
          break;
        case 'close':
          lane.close();
          port.close();
          break;
      }
    });
    send({ kind: 'ready', thread });
  } catch (error) {
    send({ kind: 'startFailed', error: portable(error) });
    port.close();
  }
}

if (!isMainThread && parentPort !== null) void main(workerData as LaneStart);
