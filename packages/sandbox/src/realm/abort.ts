/**
 * Evaluated in a realm: AbortController and AbortSignal, with listeners but without a general EventTarget.
 *
 * A1  Listeners run at once, in the order they were added; one that throws does not keep the others from running,
 *     its error is rethrown as an unhandled rejection.
 */
(function makeAbort(host: import('../realm-parts').AbortHost): import('../realm-parts').AbortTypes {
  const { apply } = Reflect;
  const { defineProperty } = Object;
  const { push, splice } = Array.prototype;
  type Listener = { callback: any; once: boolean };

  function reasonOf(name: string, code: number, message: string): Error {
    const error: any = new Error(message);
    defineProperty(error, 'name', { value: name, writable: true, configurable: true, enumerable: false });
    defineProperty(error, 'code', { value: code, writable: true, configurable: true, enumerable: false });
    return error;
  }

  const key = Symbol('AbortSignal');
  let trip: (signal: AbortSignal, reason: unknown) => void;

  class AbortSignal {
    #aborted = false;
    #reason: unknown;
    #onabort: unknown = null;
    #listeners: Listener[] = [];
    constructor(token?: symbol) {
      if (token !== key) throw new TypeError('Illegal constructor');
    }
    static {
      trip = (signal, reason) => {
        if (signal.#aborted) return;
        signal.#aborted = true;
        signal.#reason =
          reason === undefined ? reasonOf('AbortError', 20, 'This operation was aborted') : reason;
        signal.dispatchEvent({ type: 'abort' });
      };
    }
    get aborted() {
      return this.#aborted;
    }
    get reason() {
      return this.#reason;
    }
    get onabort() {
      return this.#onabort;
    }
    set onabort(callback: unknown) {
      if (typeof this.#onabort === 'function') this.removeEventListener('abort', this.#onabort);
      this.#onabort = typeof callback === 'function' ? callback : null;
      if (this.#onabort !== null) this.addEventListener('abort', this.#onabort);
    }
    throwIfAborted() {
      if (this.#aborted) throw this.#reason;
    }
    addEventListener(type: unknown, callback: unknown, options?: unknown) {
      if (type !== 'abort' || callback === null || callback === undefined) return;
      for (const each of this.#listeners) if (each.callback === callback) return;
      const { once, signal } = (typeof options === 'object' && options !== null ? options : {}) as any;
      if (signal?.aborted === true) return;
      apply(push, this.#listeners, [{ callback, once: !!once }]);
      signal?.addEventListener('abort', () => this.removeEventListener('abort', callback), { once: true });
    }
    removeEventListener(type: unknown, callback: unknown) {
      if (type !== 'abort') return;
      for (let i = 0; i < this.#listeners.length; i++) {
        if (this.#listeners[i]!.callback === callback) {
          apply(splice, this.#listeners, [i, 1]);
          return;
        }
      }
    }
    dispatchEvent(event: { type: string }) {
      if (event.type !== 'abort') return true;
      const abort = { type: 'abort', target: this, currentTarget: this };
      for (const { callback, once } of [...this.#listeners]) {
        if (once) this.removeEventListener('abort', callback);
        try {
          if (typeof callback === 'function') apply(callback, this, [abort]);
          else callback.handleEvent(abort);
        } catch (error) {
          void Promise.reject(error); // A1
        }
      }
      return true;
    }
    static abort(reason?: unknown) {
      const signal = new AbortSignal(key);
      trip(signal, reason);
      return signal;
    }
    static timeout(delayMs: number) {
      const signal = new AbortSignal(key);
      host.setTimeout(
        () => trip(signal, reasonOf('TimeoutError', 23, 'The operation was aborted due to timeout')),
        delayMs,
      );
      return signal;
    }
    static any(signals: Iterable<AbortSignal>) {
      const joined = new AbortSignal(key);
      for (const signal of signals) {
        if (signal.aborted) trip(joined, signal.reason);
        else signal.addEventListener('abort', () => trip(joined, signal.reason), { once: true });
      }
      return joined;
    }
  }
  class AbortController {
    readonly #signal = new AbortSignal(key);
    get signal() {
      return this.#signal;
    }
    abort(reason?: unknown) {
      trip(this.#signal, reason);
    }
  }
  for (const type of [AbortSignal, AbortController]) {
    defineProperty(type.prototype, Symbol.toStringTag, { value: type.name, configurable: true });
  }
  return { AbortController, AbortSignal };
});
