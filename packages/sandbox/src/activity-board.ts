/**
 * The board on which a lane thread writes what it is doing, in memory that the main thread reads.
 *
 * W1  Writing costs the lane no system call and no clock: a counter, and the run's name where it changed.
 * W2  The counter is odd while an activation runs. Whoever sees the same odd number twice, `deadline` apart,
 *     knows that one activation ran all the time between.
 */

/** Written by the lane. */
export interface ActivityBoard {
  begin(worker: number, runId: string, workflowType: string): void;
  end(): void;
}

/** For lanes that nobody watches. */
export const idleBoard: ActivityBoard = { begin() {}, end() {} };

const nameBytes = 512;
const headerBytes = 16;
/** Bytes of shared memory that one board takes. */
export const boardBytes = headerBytes + 2 * nameBytes;

/** Positions in the header, in 32-bit words. */
const Word = { Counter: 0, Worker: 1, RunIdLength: 2, TypeLength: 3 } as const;

/** @param memory `boardBytes` shared bytes */
export function boardWriter(memory: SharedArrayBuffer): ActivityBoard {
  const words = new Int32Array(memory, 0, 4);
  const runIdText = Buffer.from(memory, headerBytes, nameBytes);
  const typeText = Buffer.from(memory, headerBytes + nameBytes, nameBytes);
  let lastRunId = '';
  let lastType = '';
  let counter = 0;
  return {
    begin(worker, runId, workflowType) {
      if (runId !== lastRunId) {
        words[Word.RunIdLength] = runIdText.write(runId, 0, nameBytes, 'utf8');
        lastRunId = runId;
      }
      if (workflowType !== lastType) {
        words[Word.TypeLength] = typeText.write(workflowType, 0, nameBytes, 'utf8');
        lastType = workflowType;
      }
      words[Word.Worker] = worker;
      counter = (counter + 1) | 0;
      Atomics.store(words, Word.Counter, counter);
    },
    end() {
      counter = (counter + 1) | 0;
      Atomics.store(words, Word.Counter, counter);
    },
  };
}

/** What a board says at one moment. */
export interface BoardState {
  readonly worker: number;
  readonly runId: string;
  readonly workflowType: string;
}

/** Read by the main thread. */
export class BoardReader {
  readonly memory = new SharedArrayBuffer(boardBytes);
  readonly #words = new Int32Array(this.memory, 0, 4);

  /** W2 */
  counter(): number {
    return Atomics.load(this.#words, Word.Counter);
  }

  /** Which run the lane works on; undefined while it is idle. */
  running(): BoardState | undefined {
    if ((this.counter() & 1) === 0) return undefined;
    const text = (offset: number, length: number) =>
      Buffer.from(this.memory, offset, length).toString('utf8');
    return {
      worker: this.#words[Word.Worker]!,
      runId: text(headerBytes, this.#words[Word.RunIdLength]!),
      workflowType: text(headerBytes + nameBytes, this.#words[Word.TypeLength]!),
    };
  }
}
