/**
 * Signals: delivering them to handlers.
 *
 * G1  A handler is called when its signal's job is applied; what it awaits goes on with everything else.
 * G2  A handler that throws ends the workflow just as if the workflow function had thrown.
 */
import { isInternalName, throwIfReservedName } from '@perdure/common/lib/reserved';
import type { SignalWorkflow } from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import type Long from 'long';
import { withContext } from './async-context';
import { endWithError } from './completion';
import { ActivationError } from './errors';
import { InboundMarker } from './event-groups';
import { type RegisteredHandler, trackHandler } from './handlers';
import { intercept, type SignalInput } from './interceptors';
import { payloadsToArgs } from './payloads';
import type { Run } from './runtime/run';

/** Applies a SignalWorkflow job. */
export function signalWorkflow(run: Run, job: SignalWorkflow): void {
  const name = job.signalName ?? '';
  const registered = run.signals?.find(name);
  if (registered === undefined) {
    run.bufferedSignals ??= [];
    run.bufferedSignals.push(job);
    return;
  }
  if (registered === run.signals?.fallback) throwIfReservedName('signal', name);
  const { unfinishedPolicy } = registered;
  const finished = trackHandler(run, { kind: 'signal', name, updateId: undefined, unfinishedPolicy });
  inContextOf(run, job, () => deliver(run, job, name, registered))
    .catch((error) => endWithError(run, error)) // G2
    .finally(finished);
}

/** What the handler commands carries the number of the signal's event. */
function inContextOf<T>(run: Run, { originatingEventId }: SignalWorkflow, fn: () => T): T {
  const eventId = originatingEventId as Long | undefined;
  if (eventId === undefined || !eventId.greaterThan(0)) return fn();
  return withContext(run, { inbound: InboundMarker.ofEvent(eventId), eventGroups: undefined }, fn);
}

async function deliver(
  run: Run,
  job: SignalWorkflow,
  name: string,
  registered: RegisteredHandler,
): Promise<unknown> {
  const args = payloadsToArgs(run, job.input, registered as { inputTypes?: readonly any[] });
  const interceptors = isInternalName(name) ? undefined : run.interceptors;
  if (interceptors === undefined) return await callHandler(run, name, registered, args);
  return intercept(interceptors.inbound, 'handleSignal', async (input: SignalInput) => {
    // An interceptor may have changed the name: the handler is that of the name it leaves.
    const target = run.signals?.find(input.signalName);
    if (target === undefined)
      throw new ActivationError(`No registered signal handler for signal: ${input.signalName}`);
    await callHandler(run, input.signalName, target, input.args);
  })({ signalName: name, args, headers: job.headers ?? {} });
}

function callHandler(run: Run, name: string, registered: RegisteredHandler, args: unknown[]): unknown {
  if (registered === run.signals?.fallback) return registered.handler(name, ...args);
  return registered.handler(...args);
}

/** Delivers what waits and has a handler by now, in order of arrival; a handler may set further handlers. */
export function deliverBufferedSignals(run: Run): void {
  const buffered = run.bufferedSignals;
  if (buffered === undefined) return;
  for (;;) {
    const index = buffered.findIndex((job) => run.signals?.find(job.signalName ?? '') !== undefined);
    if (index === -1) return;
    const [job] = buffered.splice(index, 1);
    signalWorkflow(run, job as SignalWorkflow);
  }
}
