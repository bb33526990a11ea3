/**
 * Turning what was thrown into what the protocol carries.
 *
 * F1  Never throws: values from user code are hostile until proved otherwise.
 * F2  An error fails the workflow if it is a TemporalFailure, or of a class that worker or workflow name; any
 *     other fails the workflow task, so that a fixed deployment can go on where it stopped.
 */
import {
  defaultFailureConverter,
  defaultPayloadConverter,
  PerdureError,
  type ProtoFailure,
  TemporalFailure,
} from '@perdure/common';
import { describeError } from '../errors';
import { workflowContext } from '../payloads';
import type { Run } from './run';

/** A Failure for any value (F1). */
export function safeErrorToFailure(run: Run | undefined, error: unknown): ProtoFailure {
  if (run !== undefined) {
    try {
      return run.failureConverter.errorToFailure(error, run.payloadConverter, workflowContext(run));
    } catch (converterError) {
      return plainFailure(
        `${describeError(error)} (and the failure converter threw ${describeError(converterError)})`,
        error,
      );
    }
  }
  return runtimeFailure(error);
}

/** The Failure of a workflow task: what went wrong, and what to do about it (F1). */
export function taskFailure(run: Run | undefined, error: unknown): ProtoFailure {
  const failure = safeErrorToFailure(run, error);
  try {
    // A message that a converter has put elsewhere stays there.
    if (typeof failure.message !== 'string' || failure.encodedAttributes !== undefined) return failure;
    const { message } = failure;
    if (!(error instanceof Error)) {
      return {
        ...failure,
        message: `workflow code has thrown ${message}, which is no Error; throw an ApplicationFailure to fail the workflow`,
      };
    }
    return withHint(failure, error);
  } catch {
    return failure; // proxies and getters that throw
  }
}

/** The Failure of a query, or of an update that is refused: with the hint of errors of our own (F1). */
export function refusal(run: Run, error: unknown): ProtoFailure {
  const failure = safeErrorToFailure(run, error);
  try {
    return failure.encodedAttributes === undefined ? withHint(failure, error) : failure;
  } catch {
    return failure;
  }
}

function withHint(failure: ProtoFailure, error: unknown): ProtoFailure {
  if (!(error instanceof PerdureError) || typeof error.hint !== 'string') return failure;
  return { ...failure, message: `${failure.message}; ${error.hint}` };
}

/** A Failure without the user's converters. */
export function runtimeFailure(error: unknown): ProtoFailure {
  try {
    return defaultFailureConverter.errorToFailure(error, defaultPayloadConverter);
  } catch {
    return plainFailure(describeError(error), error);
  }
}

function plainFailure(message: string, error: unknown): ProtoFailure {
  return {
    message,
    source: 'TypeScriptSDK',
    stackTrace: safeStack(error),
    applicationFailureInfo: { type: safeName(error), nonRetryable: false },
  };
}

function safeStack(error: unknown): string {
  try {
    const stack = error instanceof Error ? error.stack : undefined;
    return typeof stack === 'string' ? stack : '';
  } catch {
    return '';
  }
}

function safeName(error: unknown): string {
  try {
    return error instanceof Error ? String(error.name) : '';
  } catch {
    return '';
  }
}

/** Whether the error ends the workflow rather than only its task (F2). */
export function failsWorkflow(run: Run, error: unknown): boolean {
  try {
    if (error instanceof TemporalFailure) return true;
    for (const cls of run.failureErrorClasses ?? []) {
      if (typeof cls === 'function' && error instanceof cls) return true;
    }
    const types = run.worker.registration.workflowFailureErrorTypes;
    const names = Object.hasOwn(types, run.workflowType) ? types[run.workflowType] : undefined;
    const forAll = Object.hasOwn(types, '*') ? types['*'] : undefined;
    return isOfNamedClass(error, names) || isOfNamedClass(error, forAll);
  } catch {
    return false;
  }
}

function isOfNamedClass(error: unknown, names: readonly string[] | undefined): boolean {
  if (names === undefined || names.length === 0 || !(error instanceof Error)) return false;
  if (names.includes(error.name)) return true;
  for (let proto = Object.getPrototypeOf(error); proto !== null; proto = Object.getPrototypeOf(proto)) {
    if (names.includes(proto.constructor?.name)) return true;
  }
  return false;
}
