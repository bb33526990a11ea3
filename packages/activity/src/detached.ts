/**
 * An activity context without a task behind it: functions run in it as values, nothing is encoded.
 *
 * Owns    the Context and its cancellation. It lives as long as its owner wants, over any number of calls.
 * Leaves  tasks, payloads and completions to execution.ts.
 * D1  What the function returns or throws reaches the caller as it is.
 * D2  The first cancellation decides; later ones change nothing.
 */
import type { ActivityCancellationDetails, Logger, MetricMeter } from '@perdure/common';
import { CancelledFailure, noopMetricMeter, SdkComponent } from '@perdure/common';
import type { ActivityCancellationDetailsHolder } from './context';
import { asyncLocalStorage, Context } from './context';
import type { ContextClient } from './context-types';
import { type CancelReason, call, detailsOfReason, logAttributes, metricTags } from './execution';
import type { Info } from './info';
import type { ActivityInterceptors, ActivityInterceptorsFactory } from './interceptors';
import { composeLogger, composeMeter } from './observability';
import type { AnyActivityFunction } from './registry';

export interface DetachedActivityOptions {
  readonly info: Info;
  readonly logger: Logger;
  /** (=one that records nothing) */
  readonly metricMeter?: MetricMeter;
  /** What `Context.client` gives. (=none) */
  readonly client?: ContextClient;
  /** Called once, with the context; the first interceptor is the outermost. (=none) */
  readonly interceptors?: readonly ActivityInterceptorsFactory[];
  /** Gets what the functions give to `heartbeat`. */
  readonly onHeartbeat: (details: unknown) => void;
}

export class DetachedActivity {
  readonly context: Context;
  readonly #abort = new AbortController();
  readonly #cancellation: ActivityCancellationDetailsHolder = {};
  readonly #interceptors: readonly ActivityInterceptors[];
  #rejectCancelled!: (reason: CancelledFailure) => void;

  constructor({
    info,
    logger,
    metricMeter = noopMetricMeter,
    client,
    interceptors = [],
    onHeartbeat,
  }: DetachedActivityOptions) {
    const cancelled = new Promise<never>((_, reject) => {
      this.#rejectCancelled = reject;
    });
    cancelled.catch(() => undefined); // C1 of context.ts
    const outbound: ActivityInterceptors[] = [];
    this.context = new Context(
      info,
      cancelled,
      this.#abort.signal,
      onHeartbeat,
      client,
      composeLogger(logger, SdkComponent.activity, logAttributes(info), outbound),
      composeMeter(metricMeter, metricTags(info), outbound),
      this.#cancellation,
    );
    this.#interceptors = interceptors.map((make) => make(this.context));
    outbound.push(...this.#interceptors);
  }

  /** Cancels the context. @param details what the reason stands for unless given */
  cancel(reason: CancelReason = 'CANCELLED', details?: ActivityCancellationDetails): void {
    if (this.#abort.signal.aborted) return; // D2
    this.#cancellation.details = details ?? detailsOfReason(reason);
    const failure = new CancelledFailure(reason);
    this.#rejectCancelled(failure);
    this.#abort.abort(failure);
  }

  /** Calls `fn` inside of the context, through the interceptors. D1 */
  async run(fn: AnyActivityFunction, args: readonly unknown[]): Promise<unknown> {
    const input = { args: [...args], headers: {} };
    return await asyncLocalStorage.run(this.context, () => call(fn, this.#interceptors, input));
  }
}
