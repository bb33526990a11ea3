/**
 * A promise that is settled from outside, and rejects with the cancellation of the scope that made it.
 *
 * T1  A trigger that nobody awaits may be rejected: then, not before, its promise counts as handled. Until then it has
 *     no reaction but those of who waits, so that stack traces can follow it (stack-traces.ts, W2).
 */
import { currentScope, rejectCancelled } from './cancellation-scope';
import { requireRun } from './runtime/run';
import { siteIn } from './sites';

export class Trigger<T> implements PromiseLike<T> {
  readonly resolve: (value: T | PromiseLike<T>) => void;
  readonly reject: (reason?: any) => void;
  readonly #promise: Promise<T>;

  constructor() {
    const run = requireRun('Trigger');
    const scope = currentScope(run);
    let resolve!: (value: T | PromiseLike<T>) => void;
    let reject!: (reason?: any) => void;
    this.#promise = new Promise((res, rej) => {
      resolve = res;
      reject = rej;
    });
    run.triggers ??= new Set();
    const waiting = { what: undefined, site: siteIn(run), resolve };
    run.triggers.add(waiting);
    const settle = (how: (value: any) => void, value: unknown) => {
      run.triggers?.delete(waiting);
      this.#promise.catch(ignore); // T1
      how(value);
    };
    const listener = { onCancel: (error: unknown) => settle(reject, error) };
    if (scope.consideredCancelled) rejectCancelled(scope, listener.onCancel);
    else if (scope.cancellable) scope.listen(listener);
    this.resolve = (value) => {
      scope.unlisten(listener);
      settle(resolve, value);
    };
    this.reject = (reason) => {
      scope.unlisten(listener);
      settle(reject, reason);
    };
  }

  then<TResult1 = T, TResult2 = never>(
    onfulfilled?: ((value: T) => TResult1 | PromiseLike<TResult1>) | undefined | null,
    onrejected?: ((reason: any) => TResult2 | PromiseLike<TResult2>) | undefined | null,
  ): PromiseLike<TResult1 | TResult2> {
    return this.#promise.then(onfulfilled, onrejected);
  }
}

function ignore(): void {}
