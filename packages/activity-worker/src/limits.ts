/**
 * What a worker may do at the same time, and how fast.
 *
 * L1  Slots are given in the order in which they were asked for.
 * L2  A reservation that led to no task is given back: idle polls use up no rate.
 */
import { pause } from './abortable';

/** A number of slots. */
export class Slots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** @returns false if `signal` aborted before a slot was free */
  async acquire(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#free > 0) {
      this.#free--;
      return true;
    }
    return new Promise((resolve) => {
      const take = () => {
        signal.removeEventListener('abort', onAbort);
        resolve(true);
      };
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        resolve(false);
      };
      this.#waiting.push(take); // L1
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

/** Spreads reservations evenly over time. */
export class Pace {
  #nextMs = 0;
  readonly #intervalMs: number;

  /** @param perSecond 0: as fast as anybody likes */
  constructor(perSecond: number) {
    this.#intervalMs = perSecond === 0 ? 0 : 1000 / perSecond;
  }

  /** Waits for its turn. @returns false if `signal` aborted before it came */
  async reserve(signal: AbortSignal): Promise<boolean> {
    if (this.#intervalMs === 0) return !signal.aborted;
    const nowMs = performance.now();
    const turnMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = turnMs + this.#intervalMs;
    return turnMs <= nowMs ? !signal.aborted : pause(turnMs - nowMs, signal);
  }

  /** L2 */
  giveBack(): void {
    this.#nextMs -= this.#intervalMs;
  }
}
