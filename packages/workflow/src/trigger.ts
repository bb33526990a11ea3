/** A promise that is settled from outside, and rejects with the cancellation of the scope that made it. */
import { currentScope, rejectCancelled } from './cancellation-scope';
import { requireRun } from './runtime/run';

export class Trigger<T> implements PromiseLike<T> {
  readonly resolve: (value: T | PromiseLike<T>) => void;
  readonly reject: (reason?: any) => void;
  readonly #promise: Promise<T>;

  constructor() {
    const scope = currentScope(requireRun('Trigger'));
    let resolve!: (value: T | PromiseLike<T>) => void;
    let reject!: (reason?: any) => void;
    this.#promise = new Promise((res, rej) => {
      resolve = res;
      reject = rej;
    });
    this.#promise.catch(ignore); // a trigger that nobody awaits may be rejected
    const listener = { onCancel: reject };
    if (scope.consideredCancelled) rejectCancelled(scope, reject);
    else if (scope.cancellable) scope.listen(listener);
    this.resolve = (value) => {
      scope.unlisten(listener);
      resolve(value);
    };
    this.reject = (reason) => {
      scope.unlisten(listener);
      reject(reason);
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
