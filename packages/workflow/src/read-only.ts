/**
 * Refusing what may not be called in query handlers and update validators.
 *
 * N1  Where an API is an async function, its refusal would only be a rejected promise: one that the handler does not
 *     wait for (it cannot), so that the query or the update would seem well and the task would fail. Hence the refusal
 *     is thrown at the call.
 */
import { currentRun, requireWritableRun } from './runtime/run';

/**
 * To be called by the synchronous front of an async function.
 * @param api how the caller's function is written in user code, for the message
 * @throws DeterminismViolationError inside a query handler or an update validator
 */
export function refuseReadOnly(api: string): void {
  if (currentRun()?.readOnly !== undefined) requireWritableRun(api); // N1
}
