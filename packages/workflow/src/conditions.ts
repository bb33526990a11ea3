/**
 * `condition`: waiting for a predicate over the workflow's state.
 *
 * Q1  Predicates are asked in the order in which they began to wait, again and again until none unblocks; when,
 *     activation.ts says.
 * Q2  A predicate that throws when it is first asked rejects its promise; later there is no caller to tell, and the
 *     workflow task fails.
 * Q3  With a timeout the timer is started whether or not the predicate holds, and cancelled once it does:
 *     histories have it so.
 */
import type { CancelledFailure, Duration } from '@perdure/common';
import { CancellationScope, currentScope, rejectCancelled } from './cancellation-scope';
import { patchedInternally } from './patches';
import { refuseReadOnly } from './read-only';
import type { CancelListener, Reject, Resolve } from './runtime/operations';
import { type Run, requireWritableRun } from './runtime/run';
import { siteIn } from './sites';
import { sleep, type TimerOptions } from './timers';

/** Written to histories by SDKs since a timeout of 0 means "now" instead of "never". */
const ZERO_TIMEOUT_PATCH = '__sdk_internal_patch_number:1';

/** Waits until `fn` returns true. @throws CancelledFailure if the scope is cancelled */
export function condition(fn: () => boolean): Promise<void>;
/** Waits until `fn` returns true or the time is over. @returns whether `fn` returned true in time */
export function condition(fn: () => boolean, timeout: Duration, options?: TimerOptions): Promise<boolean>;
export function condition(fn: () => boolean, timeout?: Duration, options?: TimerOptions): Promise<unknown> {
  refuseReadOnly('condition()');
  return conditionNow(fn, timeout, options);
}

async function conditionNow(
  fn: () => boolean,
  timeout: Duration | undefined,
  options: TimerOptions | undefined,
): Promise<unknown> {
  const run = requireWritableRun('condition()');
  // Not in the types, but what plain JavaScript passes on when it has no timeout.
  const none = timeout === undefined || timeout === null;
  if (none || (timeout === 0 && !patchedInternally(run, ZERO_TIMEOUT_PATCH))) {
    return waitFor(run, fn);
  }
  return CancellationScope.cancellable(async () => {
    try {
      return await Promise.race([
        sleep(timeout, options).then(() => false),
        waitFor(run, fn).then(() => true),
      ]);
    } finally {
      CancellationScope.current().cancel(); // Q3
    }
  });
}

function waitFor(run: Run, fn: () => boolean): Promise<undefined> {
  return new Promise((resolve, reject) => {
    const scope = currentScope(run);
    if (scope.consideredCancelled) return rejectCancelled(scope, reject);
    if (fn()) return resolve(undefined);
    const blocked = new BlockedCondition(run, fn, scope, resolve, reject);
    blocked.site = siteIn(run);
    if (scope.cancellable) scope.listen(blocked);
    run.conditions ??= new Set();
    run.conditions.add(blocked);
  });
}

export class BlockedCondition implements CancelListener {
  readonly what = 'condition';
  /** Where it was begun (stack-traces.ts, W3). */
  site: Error | undefined = undefined;

  constructor(
    private readonly run: Run,
    readonly fn: () => boolean,
    readonly scope: CancellationScope,
    readonly resolve: Resolve,
    readonly reject: Reject,
  ) {}

  onCancel(error: CancelledFailure): void {
    this.run.conditions?.delete(this);
    this.reject(error);
  }
}

/** Asks all predicates until none unblocks (Q1). @returns how many no longer wait */
export function unblockConditions(run: Run): number {
  const conditions = run.conditions;
  if (conditions === undefined || conditions.size === 0) return 0;
  let unblocked = 0;
  for (let before = -1; before !== unblocked; ) {
    before = unblocked;
    // Deleting while iterating a Set is well defined, and so is what predicates add.
    for (const blocked of conditions) {
      if (settled(blocked)) {
        conditions.delete(blocked);
        unblocked++;
      }
    }
  }
  return unblocked;
}

function settled(blocked: BlockedCondition): boolean {
  if (!blocked.fn()) return false; // Q2: what it throws ends the activation
  blocked.resolve(undefined);
  blocked.scope.unlisten(blocked);
  return true;
}
