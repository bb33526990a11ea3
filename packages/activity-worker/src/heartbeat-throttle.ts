/**
 * Sends the heartbeats of one activity, no more often than it makes sense.
 *
 * H1  The first heartbeat goes at once; then at most one in `intervalMs`, the newest. Never two at the same time.
 * H2  Details that could not be sent are sent with the next one, unless newer ones have come.
 * H3  After `end` nothing is sent. `unsent` gives the details that have not arrived, once nothing is on its way that
 *     could arrive after them.
 */
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';

export class HeartbeatThrottle {
  #waiting: Payload[] | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #ended = false;

  constructor(
    private readonly intervalMs: number,
    /** Rejects when the details have not arrived. */
    private readonly send: (details: Payload[]) => Promise<void>,
  ) {}

  record(details: Payload[]): void {
    if (this.#ended) return;
    this.#waiting = details;
    if (this.#sending === undefined && this.#timer === undefined) this.#start();
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  /** Ends it. H3 */
  async unsent(): Promise<Payload[] | undefined> {
    this.end();
    await this.#sending;
    return this.#waiting;
  }

  #start(): void {
    const sending = this.#sendWaiting().finally(() => {
      if (this.#sending === sending) this.#sending = undefined;
    });
    this.#sending = sending;
  }

  async #sendWaiting(): Promise<void> {
    const details = this.#waiting!;
    this.#waiting = undefined;
    const beganMs = performance.now();
    try {
      await this.send(details);
    } catch {
      this.#waiting ??= details; // H2
    }
    if (this.#ended) return;
    const leftMs = Math.max(0, this.intervalMs - (performance.now() - beganMs)); // H1
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#waiting !== undefined) this.#start();
    }, leftMs);
  }
}
