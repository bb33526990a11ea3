/**
 * Says in the log that the server is away, and that it is back. Polls wait for it by themselves and tell nobody.
 *
 *   there + probe fails   → away, logs a warning
 *   away  + probe fails   → away, logs a warning
 *   away  + probe answers → there, logs that it goes on
 */
import type { Logger } from '@perdure/common';
import { SdkComponent } from '@perdure/common';

const INTERVAL_MS = 60_000;

export interface ServerWatchOptions {
  /** Rejects when the server does not answer in good time. */
  readonly probe: () => Promise<unknown>;
  readonly logger: Logger;
  /** Added to each line. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** (=60 s) */
  readonly intervalMs?: number;
}

/** Probes until it is stopped; never keeps the process alive. */
export class ServerWatch {
  readonly #options: Required<ServerWatchOptions>;
  readonly #timer: NodeJS.Timeout;
  #awaySinceMs: number | undefined;
  #probing = false;
  #stopped = false;

  constructor({ intervalMs = INTERVAL_MS, ...rest }: ServerWatchOptions) {
    this.#options = { intervalMs, ...rest };
    this.#timer = setInterval(() => void this.#look(), intervalMs).unref();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    const { probe, logger, attributes } = this.#options;
    const meta = { sdkComponent: SdkComponent.worker, ...attributes };
    try {
      await probe();
      if (this.#awaySinceMs !== undefined && !this.#stopped) {
        logger.info('The server answers again', { ...meta, awayMs: Date.now() - this.#awaySinceMs });
      }
      this.#awaySinceMs = undefined;
    } catch (error) {
      this.#awaySinceMs ??= Date.now();
      if (!this.#stopped) {
        const awayMs = Date.now() - this.#awaySinceMs;
        logger.warn('The server does not answer; the worker keeps trying', { ...meta, awayMs, error });
      }
    } finally {
      this.#probing = false;
    }
  }
}
