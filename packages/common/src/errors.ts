/**
 * Errors of the SDK itself; failures that cross the wire are in failure.ts.
 *
 * E1  Every error has a `code` that never changes and a page docs/errors/<code>.md.
 * E2  Callers ask `hasCode`: `instanceof` also works across realms, for the branded classes.
 */
import { brandError, errorCode, errorMessage, isAbortError, isError } from './type-helpers';

export interface PerdureErrorOptions {
  /** What to do about it, one sentence. */
  hint?: string;
  cause?: unknown;
}

/** Base of every error that Perdure throws on its own account. */
export abstract class PerdureError extends Error {
  /** Stable name of the kind of error, with a page in docs/errors. */
  abstract readonly code: string;
  /** What to do about it. */
  declare readonly hint?: string;
  declare readonly cause?: unknown;

  constructor(message?: string, options?: PerdureErrorOptions) {
    super(message ?? '', options !== undefined && 'cause' in options ? { cause: options.cause } : undefined);
    if (options?.hint !== undefined) this.hint = options.hint;
  }
}
brandError(PerdureError, 'PerdureError');

/** Whether `error` carries this code, whichever realm or copy of a package it comes from (E2). */
export function hasCode<C extends string>(error: unknown, code: C): error is Error & { readonly code: C } {
  return errorCode(error) === code;
}

/** A value is not what it must be. */
export class ValueError extends PerdureError {
  readonly code: string = 'VALUE_INVALID';

  constructor(message: string | undefined, cause?: unknown, hint?: string) {
    super(message, { ...(cause !== undefined && { cause }), ...(hint !== undefined && { hint }) });
  }
}
brandError(ValueError, 'ValueError');

/** A payload converter is set up wrongly, or refuses a value. */
export class PayloadConverterError extends ValueError {
  override readonly code: string = 'PAYLOAD_CONVERTER_INVALID';
}
brandError(PayloadConverterError, 'PayloadConverterError');

/** The operation is not possible in the current state. */
export class IllegalStateError extends PerdureError {
  readonly code: string = 'ILLEGAL_STATE';
}
brandError(IllegalStateError, 'IllegalStateError');

/** No workflow with this id, or it is closed already. */
export class WorkflowNotFoundError extends PerdureError {
  readonly code = 'WORKFLOW_EXECUTION_NOT_FOUND';

  constructor(
    message: string,
    readonly workflowId: string,
    readonly runId: string | undefined,
  ) {
    super(message);
  }
}
brandError(WorkflowNotFoundError, 'WorkflowNotFoundError');

/** The namespace does not exist. */
export class NamespaceNotFoundError extends PerdureError {
  readonly code = 'NAMESPACE_NOT_FOUND';

  constructor(readonly namespace: string) {
    super(`Namespace not found: '${namespace}'`, {
      hint: 'check the spelling, and create the namespace if it is new',
    });
  }
}
brandError(NamespaceNotFoundError, 'NamespaceNotFoundError');

/** Thrown by an activity function to say that somebody else will complete the activity. */
export class CompleteAsyncError extends PerdureError {
  readonly code = 'ACTIVITY_COMPLETES_ASYNC';
}
brandError(CompleteAsyncError, 'CompleteAsyncError');

/** A payload was offloaded to external storage, and none is set up here. */
export class ExternalStorageNotConfiguredError extends PerdureError {
  readonly code = 'EXTERNAL_STORAGE_NOT_CONFIGURED';

  constructor(message?: string) {
    super(message ?? 'Received a payload from external storage, but no external storage is configured', {
      hint: 'set dataConverter.externalStorage to the storage that the sender uses',
    });
  }
}
brandError(ExternalStorageNotConfiguredError, 'ExternalStorageNotConfiguredError');

/** A payload is larger than the server takes. */
export class PayloadTooLargeError extends ValueError {
  override readonly code: string = 'PAYLOAD_TOO_LARGE';

  /**
   * @param what  names the field, for example `the result of activity 'charge'`
   * @param sizeBytes  bytes of the encoded field
   * @param limitBytes  what the server takes at most
   */
  constructor(
    readonly what: string,
    readonly sizeBytes: number,
    readonly limitBytes: number,
  ) {
    super(
      `[TMPRL1103] ${what}: ${sizeBytes} bytes, the server takes ${limitBytes} at most`,
      undefined,
      'pass a reference, compress with a payload codec, or set dataConverter.externalStorage',
    );
  }
}
brandError(PayloadTooLargeError, 'PayloadTooLargeError');

export { errorCode, errorMessage, isAbortError, isError };
