/**
 * Errors that the workflow layer throws on its own account.
 *
 * Each has a page docs/errors/<code>.md; failures that cross the wire are in @perdure/common.
 */
import { PerdureError } from '@perdure/common';

/** Base of the errors of this package. */
export class WorkflowError extends PerdureError {
  readonly code: string = 'WORKFLOW_ERROR';

  constructor(message?: string, options?: { hint?: string; cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Workflow code did something that cannot be repeated on replay, or that its context forbids. */
export class DeterminismViolationError extends WorkflowError {
  override readonly code = 'WORKFLOW_DETERMINISM_VIOLATION';
}

/** The bundle has no workflow of the requested type. */
export class WorkflowTypeNotFoundError extends WorkflowError {
  override readonly code = 'WORKFLOW_TYPE_NOT_FOUND';

  constructor(
    readonly workflowType: string,
    readonly knownTypes: readonly string[],
  ) {
    const known = knownTypes.length === 0 ? 'it has none' : `it has ${knownTypes.map(quote).join(', ')}`;
    super(`The bundle has no workflow of type ${quote(workflowType)}: ${known}`, {
      hint: 'export the workflow function under that name from the module given as workflowsPath',
    });
  }
}

/** A bundle was made for another version of the runtime, or is not a bundle. */
export class BundleFormatError extends WorkflowError {
  override readonly code = 'WORKFLOW_BUNDLE_FORMAT';

  constructor(found: unknown, expected: number) {
    super(`The workflow bundle has format ${String(found)}; this runtime reads format ${expected}`, {
      hint: 'build the bundle with the @perdure/bundler that belongs to this worker',
    });
  }
}

/** An activation does not fit the state of its run. It points at a bug below the runtime, not at user code. */
export class ActivationError extends WorkflowError {
  override readonly code = 'WORKFLOW_ACTIVATION_INVALID';
}

/** The worker that runs the workflow has no activity of that name to run locally. */
export class LocalActivityNotRegisteredError extends WorkflowError {
  override readonly code = 'LOCAL_ACTIVITY_NOT_REGISTERED';

  constructor(activityType: string, known: readonly string[] = []) {
    const has = known.length === 0 ? 'it has no activities' : `it has ${known.map(quote).join(', ')}`;
    super(`Local activity of type '${activityType}' not registered on worker: ${has}`, {
      hint: 'add it to the activities of the worker that runs the workflow, or call it with proxyActivities()',
    });
  }
}

/** The server did not start a child workflow, for another reason than an id that is in use. */
export class ChildWorkflowStartError extends WorkflowError {
  override readonly code = 'CHILD_WORKFLOW_START_FAILED';

  constructor(
    readonly workflowId: string,
    readonly workflowType: string,
    reason: string,
  ) {
    super(`Child workflow '${workflowId}' of type '${workflowType}' could not be started: ${reason}`, {
      hint: 'check the namespace and the versioning options of the child',
    });
  }
}

/** A handle was asked for a workflow in another namespace, and nobody said that the server allows it. */
export class CrossNamespaceError extends WorkflowError {
  override readonly code = 'WORKFLOW_CROSS_NAMESPACE';

  constructor(
    readonly workflowId: string,
    readonly namespace: string,
    ownNamespace: string,
  ) {
    super(
      `Workflow '${workflowId}' is in namespace '${namespace}', this one in '${ownNamespace}': servers refuse to signal or cancel across namespaces unless they are configured for it`,
      {
        hint: 'call the activities of externalWorkflowActivities (@perdure/worker) instead, or set crossNamespaceCommands where the server has system.enableCrossNamespaceCommands',
      },
    );
  }
}

/** A promise of workflow code was rejected and nothing handled it by the end of the activation. */
export class UnhandledRejectionError extends WorkflowError {
  override readonly code = 'WORKFLOW_UNHANDLED_REJECTION';

  constructor(reason: unknown) {
    super(`Unhandled Promise rejection: ${describeError(reason)}`, {
      hint:
        reason instanceof DeterminismViolationError && reason.hint !== undefined
          ? reason.hint // nobody can wait there
          : 'await the promise, or give it a catch(), before the workflow waits for something else',
      cause: reason,
    });
  }
}

/** A value that leaves the workflow could not be turned into a payload. */
export class UnserializableValueError extends WorkflowError {
  override readonly code = 'WORKFLOW_VALUE_NOT_SERIALIZABLE';

  constructor(what: string, cause: unknown) {
    super(`${what} cannot be turned into a payload: ${describeError(cause)}`, {
      hint: 'return plain data that JSON can hold, bytes, or give the worker a payload converter that knows the type',
      cause,
    });
  }
}

function quote(text: string): string {
  return JSON.stringify(text);
}

/** Name and message of any thrown value, whatever it is. Never throws. */
export function describeError(value: unknown): string {
  try {
    if (value instanceof Error) {
      const name = String(value.name);
      const message = String(value.message);
      return message === '' ? name : `${name}: ${message}`;
    }
    if (typeof value === 'string') return value;
    if (typeof value === 'object' && value !== null) return JSON.stringify(value) ?? 'an object';
    return String(value);
  } catch {
    return 'a value that cannot be described';
  }
}
