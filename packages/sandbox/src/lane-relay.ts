/**
 * A lane whose workflows run in a process of their own, seen from the thread that stands for it in the parent: starts
 * the process, passes batches and messages on, and keeps the board that the watchdog reads.
 *
 * A thread, and not the main one: a busy main thread must not delay workflows.
 *
 * Y1  Activations are answered in the order in which they were given, each in a frame of its own or with those before
 *     it. So the first one without an answer is the one that runs.
 * Y2  This thread ends only after everything that the process has written is with the hub.
 * Y3  The process gets nothing of the parent's environment but what Node.js needs to start.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { parentPort, workerData } from 'node:worker_threads';
import { BinaryReader } from '@perdure/proto/lib/wire';
import { LaneBatch } from '@perdure/proto/perdure/core/v1/exchange';
import { type ActivityBoard, boardWriter } from './activity-board';
import { newAnswer, takeAnswer } from './blocking-answer';
import { initialFacts } from './initial-facts';
import { encodeFrame, Frame, frameReader } from './lane-frames';
import {
  type FromLane,
  type FromLaneProcess,
  type LaneProcessStart,
  type LaneStart,
  portable,
  type ToLane,
  type ToLaneProcess,
} from './lane-protocol';
import { loadTransport } from './load-transport';
import type { LaneEnd } from './transport';
import { PIPE_IN, PIPE_OUT } from './transports/pipe-lane';

/** Y3 */
const PASSED_ON =
  /^(HOME|XDG_CACHE_HOME|TZ|LANG|LC_\w+|TMPDIR|TEMP|TMP|SystemRoot|USERPROFILE|LOCALAPPDATA|(DY)?LD_\w+|NODE_ICU_DATA|PERDURE_\w+)$/i;
/** How much of what a process that dies says about it is kept, in characters. */
const LAST_WORDS = 4000;

/** What runs in the process, by what was given and what was answered (Y1). */
class Underway {
  readonly #types = new Map<string, string>();
  readonly #queue: { readonly worker: number; readonly runId: string; readonly type: string }[] = [];

  constructor(private readonly board: ActivityBoard) {}

  given(batch: Uint8Array): void {
    for (const { worker = 0, runId = '', activation, evict } of LaneBatch.decode(batch).items ?? []) {
      const key = `${worker}/${runId}`;
      if (activation === undefined) {
        if (evict === true) this.#types.delete(key);
        continue;
      }
      const type = this.#types.get(key) ?? initialFacts(activation)?.workflowType ?? '';
      this.#types.set(key, type);
      this.#queue.push({ worker, runId, type });
      if (this.#queue.length === 1) this.board.begin(worker, runId, type);
    }
  }

  answered(completions: Uint8Array): void {
    const reader = new BinaryReader(completions);
    while (reader.pos < reader.len) {
      reader.skip(reader.uint32());
      if (this.#queue.shift() === undefined) continue;
      this.board.end();
      const next = this.#queue[0];
      if (next !== undefined) this.board.begin(next.worker, next.runId, next.type);
    }
  }
}

async function main(start: LaneStart): Promise<void> {
  const port = parentPort!;
  const send = (message: FromLane) => port.postMessage(message);
  let child: ChildProcess;
  let end: LaneEnd | undefined;
  let lastWords = '';
  let told = false;
  try {
    const { laneTransport } = await loadTransport(start.transportModule);
    child = fork(join(__dirname, 'lane-process.js'), [], {
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_ON.test(name))),
      // Loaders and hooks that the program was started with are not for lanes.
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', 'ipc'],
    });
    child.on('error', (error) => {
      lastWords = error.message;
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      lastWords = (lastWords + text).slice(-LAST_WORDS);
    });
    if (child.pid !== undefined) send({ kind: 'spawned', pid: child.pid });
    const underway = new Underway(boardWriter(start.board!));
    const toLane = child.stdio[PIPE_IN] as Writable;
    const fromLane = child.stdio[PIPE_OUT] as Readable;
    // A pipe that breaks is a process that ends, which is told below.
    toLane.on('error', () => undefined);
    fromLane.on('error', () => undefined);
    end = laneTransport.open(
      start.lane,
      (batch) => {
        underway.given(batch);
        toLane.write(encodeFrame(Frame.Batch, batch));
      },
      start.transportData,
    );
    fromLane.on(
      'data',
      frameReader((kind, bytes) => {
        if (kind === Frame.Evict) end!.evict(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true));
        else {
          underway.answered(bytes);
          end!.complete(bytes);
        }
      }),
    );
    child.on('message', (message: FromLaneProcess) => {
      if (message.kind === 'ended') told = true;
      if (message.kind !== 'decidePatch') return send(message);
      const { id, request } = message;
      const answer = newAnswer();
      void takeAnswer(answer).then((text) => tell({ kind: 'patchDecision', id, text }));
      send({ kind: 'decidePatch', request, answer });
    });
    // Y2: "close" comes after the last byte of every pipe.
    child.on('close', (code, signal) => {
      if (!told && code !== 0) {
        const memory = /out of memory|heap limit|allocation failed|invalid (array|table) size/i.test(
          lastWords,
        );
        const said = /FATAL ERROR.*|^.*Error: .*$/m.exec(lastWords)?.[0];
        send({
          kind: 'ended',
          reason: memory ? 'heap' : 'crash',
          detail: `its process ended with ${signal ?? code}${said === undefined ? '' : `: ${said}`}`,
        });
      }
      // A lane that is lost is reported to the hub with the run that is to blame, by whoever hears of our end.
      if (code === 0) end?.close();
      port.close();
    });
    const tell = (message: ToLaneProcess | LaneProcessStart) => {
      if (child.connected) child.send(message, () => undefined);
    };
    const { lane, heapMb = 0, runtimeSource, coverage } = start;
    tell({ lane, heapMb, runtimeSource, coverage });
    port.on('message', (message: ToLane) => tell(message));
  } catch (error) {
    send({ kind: 'startFailed', error: portable(error) });
    port.close();
  }
}

if (parentPort !== null) void main(workerData as LaneStart);
