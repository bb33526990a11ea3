/**
 * Entry of a lane's own process: runs the lane on a thread, and passes its messages on.
 *
 * The process's main thread does nothing else, so it hears of its parent's end whatever the workflows do.
 *
 * R1  The process ends when its parent does, also while a workflow loops for ever.
 * R2  Signals that are meant for the parent, and reach its children too, do nothing: the parent says when to end.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { giveAnswer } from './blocking-answer';
import type { FromLane, FromLaneProcess, LaneProcessStart, LaneStart, ToLaneProcess } from './lane-protocol';
import { heapLimits } from './memory-pressure';

function main(): void {
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL')); // R1
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP', 'SIGUSR2'] as const) {
    try {
      process.on(signal, () => undefined); // R2
    } catch {
      // Not a signal of this platform.
    }
  }
  process.once('message', (start: LaneProcessStart) => run(start));
}

function run({ lane, heapMb, runtimeSource, coverage }: LaneProcessStart): void {
  process.title = `perdure lane ${lane}`;
  const send = (message: FromLaneProcess, then?: () => void) =>
    process.send!(message, undefined, undefined, then);
  const start: LaneStart = {
    lane,
    transportModule: join(__dirname, 'transports', 'pipe-lane.js'),
    transportData: undefined,
    board: undefined,
    runtimeSource,
    coverage,
    answersEach: true,
  };
  const thread = new Worker(join(__dirname, 'lane-thread.js'), {
    name: `perdure lane ${lane}`,
    workerData: start,
    resourceLimits: heapLimits(heapMb),
  });
  const answers = new Map<number, SharedArrayBuffer>();
  let nextAnswer = 1;
  thread.on('message', (message: FromLane) => {
    if (message.kind !== 'decidePatch') return void send(message as FromLaneProcess);
    answers.set(nextAnswer, message.answer);
    send({ kind: 'decidePatch', request: message.request, id: nextAnswer++ });
  });
  thread.on('error', (error: Error & { code?: string }) => {
    const reason = error?.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'heap' : 'crash';
    send({ kind: 'ended', reason, detail: error?.message ?? String(error) }, () => process.exit(1));
  });
  thread.on('exit', (code) => {
    // After an error, what is told about it has to leave first.
    if (code === 0) process.exit(0);
  });
  process.on('message', (message: ToLaneProcess) => {
    if (message.kind !== 'patchDecision') return thread.postMessage(message);
    const answer = answers.get(message.id);
    answers.delete(message.id);
    if (answer !== undefined) giveAnswer(answer, message.text);
  });
}

if (process.send !== undefined) main();
