/**
 * Timers: `sleep`, `setTimeout` and what fires them.
 *
 * T1  A timer lasts at least 1 ms.
 * T2  A timer uses its number even if its scope is cancelled already and no command is emitted.
 * T3  A cancelled timer emits CancelTimer once, unless it has fired.
 */
import { type CancelledFailure, type Duration, msToNumber, msToTs, ValueError } from '@perdure/common';
import { CancellationScope, currentScope, rejectCancelled } from './cancellation-scope';
import { type CommandOptions, type EventGroups, emit, emitCancel, pendingOf } from './commands';
import type { EventGroupMarker } from './event-groups';
import { hasFlag, SdkFlag } from './flags';
import { intercept } from './interceptors';
import {
  type CancelListener,
  OperationKind,
  type PendingOperation,
  type Reject,
  type Resolve,
} from './runtime/operations';
import { type Run, requireWritableRun } from './runtime/run';

/** Options of `sleep` and of `condition` with a timeout. */
export interface TimerOptions {
  /** One line for user interfaces. */
  readonly summary?: string;
  readonly eventGroups?: EventGroupMarker[];
}

/** Input of the outbound interceptor `startTimer`. */
export interface TimerInput {
  readonly durationMs: number;
  readonly seq: number;
  readonly options?: TimerOptions;
}

/**
 * Waits, durably.
 * @param ms milliseconds, or text such as '5 minutes'; at least 1 ms
 * @throws CancelledFailure if the scope is cancelled while it waits
 */
export function sleep(ms: Duration, options?: TimerOptions): Promise<void> {
  const run = requireWritableRun('sleep()');
  return startTimer(run, undefined, Math.max(1, msToNumber(ms)), options);
}

/** Begins a timer in a scope (default: that of the running code). */
export function startTimer(
  run: Run,
  scope: CancellationScope | undefined,
  durationMs: number,
  options?: TimerOptions,
): Promise<void> {
  const seq = run.nextSeqs.timer++; // T2
  const interceptors = run.interceptors;
  if (interceptors === undefined) return startTimerNow(run, scope, durationMs, seq, options);
  return intercept(interceptors.outbound, 'startTimer', (input: TimerInput) =>
    startTimerNow(run, scope, input.durationMs, input.seq, input.options),
  )({ durationMs, seq, options });
}

function startTimerNow(
  run: Run,
  givenScope: CancellationScope | undefined,
  durationMs: number,
  seq: number,
  options: CommandOptions | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const scope = givenScope ?? currentScope(run);
    if (scope.consideredCancelled) return rejectCancelled(scope, reject);
    const groups = emit(run, { startTimer: { seq, startToFireTimeout: msToTs(durationMs) } }, options);
    const timer = new PendingTimer(run, seq, groups, scope, resolve, reject);
    if (scope.cancellable) scope.listen(timer);
    pendingOf(run).add(OperationKind.Timer, seq, timer);
  });
}

class PendingTimer implements CancelListener, PendingOperation {
  constructor(
    private readonly run: Run,
    private readonly seq: number,
    private readonly groups: EventGroups,
    readonly scope: CancellationScope,
    readonly resolve: Resolve,
    readonly reject: Reject,
  ) {}

  onCancel(error: CancelledFailure): void {
    if (this.run.pending?.take(OperationKind.Timer, this.seq) === undefined) return; // T3
    emitCancel(this.run, { cancelTimer: { seq: this.seq } }, this.groups);
    this.reject(error);
  }
}

/** Applies a FireTimer job. */
export function fireTimer(run: Run, seq: number): void {
  const timer = run.pending?.take(OperationKind.Timer, seq) as PendingTimer | undefined;
  if (timer === undefined) return;
  timer.scope.unlisten(timer);
  timer.resolve(undefined);
}

/** `setTimeout` of workflow code. @returns a number for `clearTimeout` */
export function setTimeout(callback: (...args: any[]) => unknown, ms?: Duration, ...args: unknown[]): number {
  const run = requireWritableRun('setTimeout()');
  if (typeof callback !== 'function') {
    throw new ValueError(
      `setTimeout() takes a function, not ${callback === null ? 'null' : typeof callback}`,
    );
  }
  const durationMs = Math.max(1, toMs(ms));
  if (!hasFlag(run, SdkFlag.ShieldedScopes)) return setTimeoutOutsideScopes(run, callback, durationMs, args);
  const handle = run.nextSeqs.timer;
  const scope = new CancellationScope();
  scope.runTimer(durationMs).then(
    () => {
      timeoutsOf(run).delete(handle);
      callOrFail(run, callback, args);
    },
    () => timeoutsOf(run).delete(handle),
  );
  timeoutsOf(run).set(handle, scope);
  return handle;
}

/** As `setTimeout` was before the flag: no scope cancels the timer. */
function setTimeoutOutsideScopes(
  run: Run,
  callback: (...args: any[]) => unknown,
  durationMs: number,
  args: unknown[],
): number {
  const seq = run.nextSeqs.timer++;
  emit(run, { startTimer: { seq, startToFireTimeout: msToTs(durationMs) } });
  new Promise((resolve, reject) => {
    const scope = new CancellationScope({ cancellable: false });
    pendingOf(run).add(
      OperationKind.Timer,
      seq,
      new PendingTimer(run, seq, undefined, scope, resolve, reject),
    );
  }).then(() => callOrFail(run, callback, args));
  return seq;
}

/** An error here has no one to catch it: as in an ordinary program it is an uncaught one. */
function callOrFail(run: Run, callback: (...args: any[]) => unknown, args: unknown[]): void {
  try {
    callback(...args);
  } catch (error) {
    run.failTask(error);
  }
}

/** `clearTimeout` of workflow code. Handles that are unknown, or have fired, are ignored. */
export function clearTimeout(handle?: unknown): void {
  const run = requireWritableRun('clearTimeout()');
  if (!hasFlag(run, SdkFlag.ShieldedScopes)) {
    run.nextSeqs.timer++; // histories made so have used a number here
    run.pending?.take(OperationKind.Timer, handle as number);
    emit(run, { cancelTimer: { seq: handle as number } });
    return;
  }
  const scopes = timeoutsOf(run);
  const scope = scopes.get(handle as number);
  if (scope === undefined) {
    // Histories have a number used up when a timer is cleared that has fired or been cleared before.
    if (typeof handle === 'number' && handle > 0 && handle < run.nextSeqs.timer) run.nextSeqs.timer++;
    return;
  }
  scopes.delete(handle as number);
  scope.cancel();
}

const timeouts = new WeakMap<Run, Map<number, CancellationScope>>();

function timeoutsOf(run: Run): Map<number, CancellationScope> {
  let scopes = timeouts.get(run);
  if (scopes === undefined) {
    scopes = new Map();
    timeouts.set(run, scopes);
  }
  return scopes;
}

function toMs(ms: Duration | undefined): number {
  if (ms === undefined || ms === null) return 0;
  if (typeof ms === 'number') return Number.isFinite(ms) ? ms : 1; // as Node.js and browsers take it
  const value = typeof ms === 'string' && !Number.isNaN(Number(ms)) ? Number(ms) : msToNumber(ms);
  return Number.isFinite(value) ? value : 1;
}
