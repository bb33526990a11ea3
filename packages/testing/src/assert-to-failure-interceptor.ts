/**
 * A workflow interceptor: an assertion that fails in workflow code fails the workflow, where it otherwise would fail
 * the workflow task, again and again, until the test runs out of time. In an update handler it fails the update.
 *
 * Evaluated in the sandbox, as part of the bundle.
 */
import { ApplicationFailure } from '@perdure/common';
import type { WorkflowInterceptors } from '@perdure/workflow';

/** Assertions of `assert` have the code, those of other libraries at least the name. */
function isAssertionError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return error.name === 'AssertionError' || (error as { code?: unknown }).code === 'ERR_ASSERTION';
}

async function failing<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!isAssertionError(error)) throw error;
    const failure = ApplicationFailure.nonRetryable(error.message, 'AssertionError');
    failure.stack = error.stack;
    throw failure;
  }
}

export const interceptors = (): WorkflowInterceptors => ({
  inbound: [
    {
      execute: async (input, next) => await failing(() => next(input)),
      handleSignal: async (input, next) => await failing(() => next(input)),
      handleUpdate: async (input, next) => await failing(() => next(input)),
    },
  ],
});
