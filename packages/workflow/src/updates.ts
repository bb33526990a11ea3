/**
 * Updates: validating, accepting, running and answering them.
 *
 * U1  Each update is accepted or rejected in the activation that brings it.
 * U2  A validator runs before the handler with arguments of its own: what it does to them stays unseen.
 * U3  An error of the validator, or of decoding, rejects the update; a TemporalFailure of the handler fails the
 *     update; any other error of the handler does what it does in the workflow function: it fails the task, or the
 *     workflow if its class is one of those that do.
 * U4  Updates that no handler takes until the end of their activation are rejected.
 */
import { ApplicationFailure, TemporalFailure } from '@perdure/common';
import { isInternalName, throwIfReservedName } from '@perdure/common/lib/reserved';
import type { DoUpdate } from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import { currentContext, withContext } from './async-context';
import { emit } from './commands';
import { endWithError } from './completion';
import { UnserializableValueError } from './errors';
import { InboundMarker } from './event-groups';
import { type RegisteredHandler, trackHandler } from './handlers';
import { intercept, type UpdateInput } from './interceptors';
import { payloadsToArgs, toPayload, workflowContext } from './payloads';
import { saveRandom } from './random';
import { refusal, safeErrorToFailure } from './runtime/failures';
import { type Run, requireRun } from './runtime/run';

export interface UpdateInfo {
  /** Id of the update, unique in the workflow. */
  readonly id: string;
  readonly name: string;
}

/** The update whose handler or validator calls; undefined elsewhere. */
export function currentUpdateInfo(): UpdateInfo | undefined {
  requireRun('currentUpdateInfo()');
  return currentContext()?.update;
}

/** Applies a DoUpdate job. */
export function doUpdate(run: Run, job: DoUpdate): void {
  const name = job.name ?? '';
  const registered = run.updates?.find(name);
  if (registered === undefined) {
    run.bufferedUpdates ??= [];
    run.bufferedUpdates.push(job);
    return;
  }
  const info: UpdateInfo = Object.freeze({ id: job.id ?? '', name });
  if (registered === run.updates?.fallback) throwIfReservedName('update', name);
  const inbound = InboundMarker.ofUpdate(info.id);
  const context = { update: info, scope: undefined, inbound, eventGroups: undefined };
  withContext(run, context, () => accept(run, job, info, registered));
}

function accept(run: Run, job: DoUpdate, info: UpdateInfo, registered: RegisteredHandler): void {
  const protocolInstanceId = job.protocolInstanceId ?? '';
  const makeInput = (): UpdateInput => ({
    updateId: info.id,
    name: info.name,
    args: payloadsToArgs(run, job.input, registered as { inputTypes?: readonly any[] }),
    headers: job.headers ?? {},
  });
  let input: UpdateInput;
  try {
    if (job.runValidator && registered.validator !== undefined)
      validate(run, registered.validator, makeInput());
    input = makeInput(); // U2
  } catch (error) {
    emit(run, { updateResponse: { protocolInstanceId, rejected: refusal(run, error) } }); // U3
    return;
  }
  emit(run, { updateResponse: { protocolInstanceId, accepted: {} } }); // U1
  const { unfinishedPolicy } = registered;
  const finished = trackHandler(run, {
    kind: 'update',
    name: info.name,
    updateId: info.id,
    unfinishedPolicy,
  });
  handle(run, input, registered)
    .then((value) => complete(run, protocolInstanceId, value, registered))
    // A link of its own: a failure is told one microtask later than a result, as histories have it.
    .catch((error) => {
      if (isTemporalFailure(error)) {
        emit(run, { updateResponse: { protocolInstanceId, rejected: safeErrorToFailure(run, error) } });
      } else {
        endWithError(run, error);
      }
    })
    .finally(finished);
}

function validate(run: Run, validator: (...args: any[]) => void, input: UpdateInput): void {
  const restoreRandom = saveRandom(run);
  const outer = run.readOnly;
  run.readOnly = 'update validator';
  try {
    const innermost = (changed: UpdateInput): void => {
      const result: unknown = validator(...changed.args);
      if (result instanceof Promise) {
        result.then(ignore, ignore);
        throw ApplicationFailure.nonRetryable(
          `The validator of update '${changed.name}' returned a promise; validators are synchronous`,
          'AsyncValidator',
        );
      }
    };
    const interceptors = isInternalName(input.name) ? undefined : run.interceptors;
    if (interceptors === undefined) innermost(input);
    else intercept(interceptors.inbound, 'validateUpdate', innermost)(input);
  } finally {
    run.readOnly = outer;
    restoreRandom();
  }
}

/** Never throws, whatever was thrown. */
function isTemporalFailure(error: unknown): boolean {
  try {
    return error instanceof TemporalFailure;
  } catch {
    return false;
  }
}

/** Settles one microtask after the handler's promise, as histories have it. */
function handle(run: Run, input: UpdateInput, registered: RegisteredHandler): Promise<unknown> {
  const innermost = async (changed: UpdateInput): Promise<unknown> =>
    registered === run.updates?.fallback
      ? await registered.handler(changed.name, ...changed.args)
      : await registered.handler(...changed.args);
  const interceptors = isInternalName(input.name) ? undefined : run.interceptors;
  if (interceptors === undefined) return innermost(input);
  return intercept(interceptors.inbound, 'handleUpdate', innermost)(input);
}

function complete(run: Run, protocolInstanceId: string, value: unknown, registered: RegisteredHandler): void {
  try {
    const completed = toPayload(run, value, workflowContext(run), registered.outputType);
    emit(run, { updateResponse: { protocolInstanceId, completed } });
  } catch (error) {
    run.failTask(new UnserializableValueError('The result of the update', error));
  }
}

/** Delivers what waits and has a handler by now, in order of arrival. */
export function deliverBufferedUpdates(run: Run): void {
  const buffered = run.bufferedUpdates;
  if (buffered === undefined) return;
  for (;;) {
    const index = buffered.findIndex((job) => run.updates?.find(job.name ?? '') !== undefined);
    if (index === -1) return;
    const [job] = buffered.splice(index, 1);
    doUpdate(run, job as DoUpdate);
  }
}

/** Called at the end of each activation (U4). */
export function rejectBufferedUpdates(run: Run): void {
  const buffered = run.bufferedUpdates;
  if (buffered === undefined || buffered.length === 0) return;
  run.bufferedUpdates = undefined;
  for (const job of buffered) {
    const known = [...(run.updates?.byName.keys() ?? [])].join(' ');
    const error = ApplicationFailure.nonRetryable(
      `No registered handler for update: ${job.name}. Registered updates: [${known}]`,
      'UpdateNotRegistered',
    );
    emit(run, {
      updateResponse: {
        protocolInstanceId: job.protocolInstanceId ?? '',
        rejected: safeErrorToFailure(run, error),
      },
    });
  }
}

function ignore(): void {}
