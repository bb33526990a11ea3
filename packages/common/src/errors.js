Object.defineProperty(exports, '__esModule', { value: true });
exports.isError =
  exports.isAbortError =
  exports.errorMessage =
  exports.errorCode =
  exports.ExternalStorageNotConfiguredError =
  exports.CompleteAsyncError =
  exports.NamespaceNotFoundError =
  exports.WorkflowNotFoundError =
  exports.IllegalStateError =
  exports.PayloadConverterError =
  exports.ValueError =
  exports.PerdureError =
    void 0;
exports.hasCode = hasCode;
/**
 * Errors of the SDK itself; failures that cross the wire are in failure.ts.
 *
 * E1  Every error has a `code` that never changes and a page docs/errors/<code>.md.
 * E2  Callers ask `hasCode`: `instanceof` also works across realms, for the branded classes.
 */
const type_helpers_1 = require('./type-helpers');
Object.defineProperty(exports, 'errorCode', { enumerable: true, get: () => type_helpers_1.errorCode });
Object.defineProperty(exports, 'errorMessage', { enumerable: true, get: () => type_helpers_1.errorMessage });
Object.defineProperty(exports, 'isAbortError', { enumerable: true, get: () => type_helpers_1.isAbortError });
Object.defineProperty(exports, 'isError', { enumerable: true, get: () => type_helpers_1.isError });
/** Base of every error that Perdure throws on its own account. */
class PerdureError extends Error {
  /** What to do about it. */
  hint;
  constructor(message, options) {
    super(message ?? '', options !== undefined && 'cause' in options ? { cause: options.cause } : undefined);
    if (options?.hint !== undefined) this.hint = options.hint;
  }
}
exports.PerdureError = PerdureError;
(0, type_helpers_1.brandError)(PerdureError, 'PerdureError');
/** Whether `error` carries this code, whichever realm or copy of a package it comes from (E2). */
function hasCode(error, code) {
  return (0, type_helpers_1.errorCode)(error) === code;
}
/** A value is not what it must be. */
class ValueError extends PerdureError {
  code = 'VALUE_INVALID';
  constructor(message, cause, hint) {
    super(message, { ...(cause !== undefined && { cause }), ...(hint !== undefined && { hint }) });
  }
}
exports.ValueError = ValueError;
(0, type_helpers_1.brandError)(ValueError, 'ValueError');
/** A payload converter is set up wrongly, or refuses a value. */
class PayloadConverterError extends ValueError {
  code = 'PAYLOAD_CONVERTER_INVALID';
}
exports.PayloadConverterError = PayloadConverterError;
(0, type_helpers_1.brandError)(PayloadConverterError, 'PayloadConverterError');
/** The operation is not possible in the current state. */
class IllegalStateError extends PerdureError {
  code = 'ILLEGAL_STATE';
}
exports.IllegalStateError = IllegalStateError;
(0, type_helpers_1.brandError)(IllegalStateError, 'IllegalStateError');
/** No workflow with this id, or it is closed already. */
class WorkflowNotFoundError extends PerdureError {
  workflowId;
  runId;
  code = 'WORKFLOW_EXECUTION_NOT_FOUND';
  constructor(message, workflowId, runId) {
    super(message);
    this.workflowId = workflowId;
    this.runId = runId;
  }
}
exports.WorkflowNotFoundError = WorkflowNotFoundError;
(0, type_helpers_1.brandError)(WorkflowNotFoundError, 'WorkflowNotFoundError');
/** The namespace does not exist. */
class NamespaceNotFoundError extends PerdureError {
  namespace;
  code = 'NAMESPACE_NOT_FOUND';
  constructor(namespace) {
    super(`Namespace not found: '${namespace}'`, {
      hint: 'check the spelling, and create the namespace if it is new',
    });
    this.namespace = namespace;
  }
}
exports.NamespaceNotFoundError = NamespaceNotFoundError;
(0, type_helpers_1.brandError)(NamespaceNotFoundError, 'NamespaceNotFoundError');
/** Thrown by an activity function to say that somebody else will complete the activity. */
class CompleteAsyncError extends PerdureError {
  code = 'ACTIVITY_COMPLETES_ASYNC';
}
exports.CompleteAsyncError = CompleteAsyncError;
(0, type_helpers_1.brandError)(CompleteAsyncError, 'CompleteAsyncError');
/** A payload was offloaded to external storage, and none is set up here. */
class ExternalStorageNotConfiguredError extends PerdureError {
  code = 'EXTERNAL_STORAGE_NOT_CONFIGURED';
  constructor(message) {
    super(message ?? 'Received a payload from external storage, but no external storage is configured', {
      hint: 'set dataConverter.externalStorage to the storage that the sender uses',
    });
  }
}
exports.ExternalStorageNotConfiguredError = ExternalStorageNotConfiguredError;
(0, type_helpers_1.brandError)(ExternalStorageNotConfiguredError, 'ExternalStorageNotConfiguredError');
