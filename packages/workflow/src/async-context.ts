/**
 * What follows a piece of workflow code through its awaits: cancellation scope, update, random stream, event
 * groups and the values of the user's AsyncLocalStorage objects.
 *
 * Owns    the one record that travels in the host's async context.
 * A1  Code outside every scope runs with no record at all: the host's context is entered only for a change,
 *     because on some Node.js versions its first use slows down every await of the thread.
 * A2  Records are immutable; a change makes a new one.
 * A3  A record belongs to one run: another run never sees it, whatever promise resumed its code.
 */
import { IllegalStateError } from '@perdure/common';
import type { CancellationScope } from './cancellation-scope';
import type { EventGroup, InboundMarker } from './event-groups';
import type { WorkflowRandomStream } from './random';
import type { RuntimeHost } from './runtime/host';
import { currentRun, type Run } from './runtime/run';
import type { UpdateInfo } from './updates';

export interface AsyncContextRecord {
  readonly run: Run;
  readonly scope: CancellationScope | undefined;
  readonly update: UpdateInfo | undefined;
  readonly random: WorkflowRandomStream | undefined;
  readonly eventGroups: readonly EventGroup[] | undefined;
  /** The event or update that has called the handler which runs. */
  readonly inbound: InboundMarker | undefined;
  readonly locals: ReadonlyMap<object, unknown> | undefined;
}

let host: RuntimeHost | undefined;
let everEntered = false;

/** Called once when the runtime is made. */
export function setHost(newHost: RuntimeHost): void {
  host = newHost;
}

/** @throws IllegalStateError if no runtime has been made in this realm */
export function requireHost(): RuntimeHost {
  if (host === undefined) throw new IllegalStateError('no workflow runtime runs in this JavaScript realm');
  return host;
}

/** The record of the running code, undefined for code outside every scope. */
export function currentContext(): AsyncContextRecord | undefined {
  if (!everEntered) return undefined;
  const record = (host as RuntimeHost).currentScope() as AsyncContextRecord | undefined;
  return record !== undefined && record.run === currentRun() ? record : undefined; // A3
}

/** Runs `fn` and everything that it awaits or schedules with some fields of the record changed. */
export function withContext<T>(run: Run, change: Partial<AsyncContextRecord>, fn: () => T): T {
  const base = currentContext();
  const record: AsyncContextRecord = {
    run,
    scope: base?.scope,
    update: base?.update,
    random: base?.random,
    eventGroups: base?.eventGroups,
    inbound: base?.inbound,
    locals: base?.locals,
    ...change,
  };
  everEntered = true;
  return requireHost().runInScope(record, fn);
}

/**
 * Runs `fn` outside every scope: for work that the runtime does on behalf of the run, whoever caused it.
 */
export function withRootContext<T>(run: Run, fn: () => T): T {
  if (currentContext() === undefined) return fn();
  return requireHost().runInScope(
    {
      run,
      scope: undefined,
      update: undefined,
      random: undefined,
      eventGroups: undefined,
      inbound: undefined,
      locals: undefined,
    },
    fn,
  );
}
