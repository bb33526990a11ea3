/**
 * The tree of cancellation scopes of a run.
 *
 * Owns    which operations a cancellation reaches, and in which order.
 * C1  A scope asks its listeners one microtask after `cancel()`, in the order in which they began to wait; each
 *     level of the tree adds one microtask. Histories depend on that order.
 * C2  Cancelling twice is cancelling once.
 * C3  What waits inside a scope that is not cancellable is told of nothing, neither are its child scopes; only the
 *     scope's own `cancelRequested` tells.
 * C4  The root scope costs nothing to enter (async-context.ts A1).
 */
import { CancelledFailure, type Duration, msToNumber } from '@perdure/common';
import { currentContext, withContext } from './async-context';
import { hasFlag, SdkFlag } from './flags';
import type { CancelListener } from './runtime/operations';
import { currentRun, type Run, requireRun } from './runtime/run';
import { startTimer } from './timers';

/** As `parent`: the scope hangs under none and nothing above cancels it. */
export const NO_PARENT: unique symbol = Symbol('NO_PARENT');

export interface CancellationScopeOptions {
  /** Cancels the scope by itself after this time, counted from `run`. */
  timeout?: Duration;
  /** False shields the scope from cancellation from above, and from its own `cancel()`. Default true. */
  cancellable: boolean;
  /** Default: the scope in which the constructor is called. */
  parent?: CancellationScope | typeof NO_PARENT;
}

export class CancellationScope implements CancelListener {
  /** Milliseconds after which `run` cancels the scope. */
  protected readonly timeout?: number;
  readonly cancellable: boolean;
  readonly parent?: CancellationScope;
  readonly #run: Run;
  #cancelled = false;
  #error: CancelledFailure | undefined;
  #listeners: Set<CancelListener> | undefined;
  #promise: Promise<never> | undefined;

  constructor(options?: CancellationScopeOptions) {
    this.#run = requireRun('CancellationScope');
    const timeout = options?.timeout ?? undefined; // plain JavaScript passes on null, too
    if (timeout !== undefined) this.timeout = msToNumber(timeout);
    this.cancellable = options?.cancellable ?? true;
    if (options?.parent === NO_PARENT) return;
    const parent = options?.parent ?? CancellationScope.current();
    this.parent = parent;
    const shielded = hasFlag(this.#run, SdkFlag.ShieldedScopes); // C3
    if (parent.cancellable || (parent.#cancelled && !shielded)) this.#cancelled = parent.#cancelled;
    if (parent.cancellable || !shielded) {
      if (parent.#error !== undefined) queueCancel(parent.#error, [this]);
      else parent.listen(this);
    }
  }

  /** Rejects with the `CancelledFailure` once cancellation is asked for; never resolves. */
  get cancelRequested(): Promise<never> {
    if (this.#promise === undefined) {
      if (this.#error !== undefined) {
        this.#promise = Promise.reject(this.#error);
      } else {
        this.#promise = new Promise((_, reject) => {
          // First in line: its handlers were attached no later than those of operations begun after this.
          this.listen({ onCancel: reject });
        });
      }
      this.#promise.catch(ignore); // reading the property must not make a rejection unhandled
    }
    return this.#promise;
  }

  /** True once the scope is cancelled and does not shield: operations begun in it reject at once. */
  get consideredCancelled(): boolean {
    return this.#cancelled && this.cancellable;
  }

  /** The failure of the cancellation, once it has been asked for. @internal */
  get cancellationError(): CancelledFailure | undefined {
    return this.#error;
  }

  /** Runs `fn` in this scope. @returns what `fn` returns; operations in it reject when the scope is cancelled */
  run<T>(fn: () => Promise<T>): Promise<T> {
    return withContext(this.#run, { scope: this }, () => this.runInContext(fn));
  }

  /**
   * Runs a timer in this scope without entering its context. It takes as many microtasks to settle as
   * `run(() => sleep(...))` does: what else happens in the activation in which it fires depends on that.
   * @internal
   */
  runTimer(durationMs: number): Promise<void> {
    return this.runInContext(() => startTimer(this.#run, this, durationMs));
  }

  protected async runInContext<T>(fn: () => Promise<T>): Promise<T> {
    let timerScope: CancellationScope | undefined;
    if (this.timeout) {
      timerScope = new CancellationScope();
      timerScope.runTimer(this.timeout).then(() => this.cancel(), ignore);
    }
    try {
      return await fn();
    } finally {
      if (
        timerScope !== undefined &&
        !timerScope.consideredCancelled &&
        hasFlag(this.#run, SdkFlag.ShieldedScopes)
      ) {
        timerScope.cancel();
      }
    }
  }

  /** Asks everything in this scope to cancel. Does nothing the second time, and nothing if not cancellable. */
  cancel(): void {
    const what = this.#run.rootScope === this ? 'Workflow' : 'Cancellation scope';
    this.cancelWith(new CancelledFailure(`${what} cancelled`));
  }

  /** Cancels with a given failure. @internal */
  cancelWith(error: CancelledFailure): void {
    if (this.#error !== undefined) return; // C2
    this.#cancelled = true;
    this.#error = error;
    const listeners = this.#listeners;
    if (listeners === undefined) return;
    this.#listeners = undefined;
    queueCancel(error, listeners); // C1
  }

  /** A parent was cancelled. @internal */
  onCancel(error: CancelledFailure): void {
    this.cancelWith(error);
  }

  /** Adds something to tell; ignored once cancelled. @internal */
  listen(listener: CancelListener): void {
    if (this.#error !== undefined) return;
    if (this.#listeners === undefined) this.#listeners = new Set();
    this.#listeners.add(listener);
  }

  /** @internal */
  unlisten(listener: CancelListener): void {
    this.#listeners?.delete(listener);
  }

  /** The scope of the running code; the root scope outside every other. */
  static current(): CancellationScope {
    return currentScope(requireRun('CancellationScope.current()'));
  }

  // biome-ignore-start lint/complexity/noThisInStatic: of a class derived from this one, these make its instances
  /** Runs `fn` in a child scope that can be cancelled. */
  static cancellable<T>(fn: () => Promise<T>): Promise<T> {
    return new this({ cancellable: true }).run(fn);
  }

  /** Runs `fn` in a child scope that no cancellation reaches. */
  static nonCancellable<T>(fn: () => Promise<T>): Promise<T> {
    return new this({ cancellable: false }).run(fn);
  }

  /** Runs `fn` in a child scope that is cancelled after `timeout`. */
  static withTimeout<T>(timeout: Duration, fn: () => Promise<T>): Promise<T> {
    return new this({ cancellable: true, timeout }).run(fn);
  }
  // biome-ignore-end lint/complexity/noThisInStatic: see above
}

/** The scope of the running code. */
export function currentScope(run: Run): CancellationScope {
  return currentContext()?.scope ?? rootScope(run);
}

/** The scope that a CancelWorkflow job cancels. */
export function rootScope(run: Run): CancellationScope {
  run.rootScope ??= new CancellationScope({ cancellable: true, parent: NO_PARENT });
  return run.rootScope;
}

/** Applies a CancelWorkflow job. */
export function cancelWorkflow(run: Run, reason: string): void {
  run.cancelRequested = true;
  const error = new CancelledFailure('Workflow cancelled', reason === '' ? [] : [reason]);
  rootScope(run).cancelWith(error);
}

/** Rejects as an operation does that is begun in a scope which is cancelled already. */
export function rejectCancelled(scope: CancellationScope, reject: (error: unknown) => void): void {
  const error = scope.cancellationError;
  if (error !== undefined) Promise.resolve().then(() => reject(error));
  else scope.listen({ onCancel: reject }); // a parent is cancelled; this scope hears of it in a moment
}

function queueCancel(error: CancelledFailure, listeners: Iterable<CancelListener>): void {
  const run = currentRun();
  Promise.resolve().then(() => {
    for (const listener of listeners) {
      try {
        listener.onCancel(error);
      } catch (cause) {
        run?.failTask(cause); // an operation could not be cancelled, for example in a query handler
      }
    }
  });
}

function ignore(): void {}
