/**
 * A number of a worker as it changes: what `numInFlightActivities$` and its like are.
 *
 * G1  A subscriber gets the present value at once, then each value that differs from the one before, and at last
 *     `complete` when the worker has ended.
 * G2  Without subscribers nothing is counted and no timer runs; with some the value is looked at every `periodMs` and
 *     when the worker knows that it has changed. Changes in between that come and go are not seen.
 * G3  What a subscriber throws is an uncaught exception, not the worker's.
 *
 * Made to be understood by rxjs without depending on it: `from(worker.numInFlightActivities$).pipe(...)`.
 */

/** Gets the values; every part may be left out. */
export interface GaugeObserver {
  next?(value: number): void;
  error?(error: unknown): void;
  complete?(): void;
}

/** A subscriber's end. */
export interface GaugeSubscription {
  readonly closed: boolean;
  unsubscribe(): void;
}

/** How often a gauge with subscribers looks, in milliseconds. */
const PERIOD_MS = 50;

export class Gauge {
  readonly #observers = new Set<GaugeObserver>();
  #timer: NodeJS.Timeout | undefined;
  #last = 0;
  #ended = false;

  /** @param read gives the present value */
  constructor(
    private readonly read: () => number,
    private readonly periodMs = PERIOD_MS,
  ) {}

  /** Present value. */
  get value(): number {
    return this.#ended ? 0 : this.read();
  }

  /** @param next a function that gets each value, or an object with `next` and `complete` */
  subscribe(
    next?: GaugeObserver | ((value: number) => void) | null,
    _error?: unknown,
    complete?: (() => void) | null,
  ): GaugeSubscription {
    const observer: GaugeObserver =
      typeof next === 'object' && next !== null
        ? next
        : { ...(next && { next }), ...(complete && { complete }) };
    if (this.#observers.size === 0) this.#last = this.value;
    this.poke();
    this.#observers.add(observer);
    this.#timer ??= this.#ended ? undefined : setInterval(() => this.poke(), this.periodMs).unref();
    tell(() => observer.next?.(this.#last));
    if (this.#ended) this.#end(observer);
    const observers = this.#observers;
    return {
      get closed() {
        return !observers.has(observer);
      },
      unsubscribe: () => {
        observers.delete(observer);
        if (observers.size === 0) this.#stop();
      },
    };
  }

  /** What rxjs and others ask for before they subscribe. */
  '@@observable'(): this {
    return this;
  }

  /** The value may have changed. @internal */
  poke(): void {
    const { value } = this;
    if (this.#observers.size === 0 || value === this.#last) return;
    this.#last = value;
    for (const observer of [...this.#observers]) tell(() => observer.next?.(value));
  }

  /** The worker has ended. @internal */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.poke();
    this.#stop();
    for (const observer of [...this.#observers]) this.#end(observer);
  }

  #end(observer: GaugeObserver): void {
    if (this.#observers.delete(observer)) tell(() => observer.complete?.());
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

// A shim may have made the symbol by the time this module is loaded; rxjs looks for it in the same way.
const observable = (Symbol as unknown as { observable?: symbol }).observable;
if (observable !== undefined) {
  Object.defineProperty(Gauge.prototype, observable, {
    value(this: Gauge): Gauge {
      return this;
    },
    configurable: true,
  });
}

/** G3 */
function tell(call: () => void): void {
  try {
    call();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}
