/**
 * `AsyncLocalStorage` for workflow code, with the members of Node.js's that make sense in a workflow.
 *
 * Built on the record of async-context.ts, so that no object of the host enters the realm.
 */
import { currentContext, withContext, withRootContext } from './async-context';
import { requireRun } from './runtime/run';

/** A value that follows the code that set it through awaits, timers and callbacks. */
export class AsyncLocalStorage<T> {
  #disabled = false;

  /** The value of the innermost `run` that surrounds the running code, if any. */
  getStore(): T | undefined {
    if (this.#disabled) return undefined;
    return currentContext()?.locals?.get(this) as T | undefined;
  }

  /** Calls `fn` with `store` as the value, in it and in all it awaits or schedules. */
  run<R, A extends unknown[]>(store: T, fn: (...args: A) => R, ...args: A): R {
    this.#disabled = false;
    return this.#runWith(store, fn, args);
  }

  /** Calls `fn` without a value. */
  exit<R, A extends unknown[]>(fn: (...args: A) => R, ...args: A): R {
    return this.#runWith(undefined, fn, args);
  }

  /** Forgets the value until the next `run`. */
  disable(): void {
    this.#disabled = true;
  }

  /**
   * @returns a function that calls others with the values of now, those of all instances, and in the cancellation scope
   *   of now
   */
  static snapshot(): <R, A extends unknown[]>(fn: (...args: A) => R, ...args: A) => R {
    const run = requireRun('AsyncLocalStorage.snapshot()');
    const captured = currentContext();
    return (fn, ...args) => {
      if (captured === undefined) return withRootContext(run, () => fn(...args));
      return withContext(run, captured, () => fn(...args));
    };
  }

  /** @returns `fn`, to be called with the values of now: what `snapshot` does, for one function */
  static bind<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
    const inSnapshot = AsyncLocalStorage.snapshot();
    return (...args) => inSnapshot(fn, ...args);
  }

  #runWith<R, A extends unknown[]>(store: T | undefined, fn: (...args: A) => R, args: A): R {
    const run = requireRun('AsyncLocalStorage.run()');
    const locals = new Map(currentContext()?.locals);
    locals.set(this, store);
    return withContext(run, { locals }, () => fn(...args));
  }
}
