/**
 * Queries: reading the state of a workflow.
 *
 * Y1  A query handler is synchronous and may not change anything: it emits no command, and draws no random
 *     number from the run's streams (random.ts N2).
 * Y2  Whatever a handler does, there is exactly one answer for each query.
 */
import type { Payload } from '@perdure/common';
import { isInternalName, throwIfReservedName } from '@perdure/common/lib/reserved';
import type { WorkflowMetadata } from '@perdure/proto/temporal/api/sdk/v1/workflow_metadata';
import type { QueryWorkflow } from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import { builtinQuery } from './builtin-queries';
import { defineQuery } from './definitions';
import { DeterminismViolationError, UnserializableValueError, WorkflowError } from './errors';
import type { RegisteredHandler } from './handlers';
import { anyImplements, intercept, type QueryInput } from './interceptors';
import { payloadsToArgs, toPayload, workflowContext } from './payloads';
import { refusal } from './runtime/failures';
import type { Run } from './runtime/run';
import type { EnhancedStackTrace } from './stack-trace-types';

/** The stacks of everything that waits, as text. */
export const stackTraceQuery = defineQuery<string>('__stack_trace');
/** The stacks of everything that waits, with sources. */
export const enhancedStackTraceQuery = defineQuery<EnhancedStackTrace>('__enhanced_stack_trace');
/** Type, handlers and current details of the workflow. */
export const workflowMetadataQuery = defineQuery<WorkflowMetadata>('__temporal_workflow_metadata');

/** The query has no handler. */
export class QueryHandlerNotFoundError extends WorkflowError {
  override readonly code = 'WORKFLOW_QUERY_NOT_REGISTERED';

  constructor(name: string, known: readonly string[]) {
    super(`Workflow did not register a handler for ${name}. Registered queries: [${known.join(' ')}]`, {
      hint: 'call setHandler() with a definition of that name before the workflow first awaits',
    });
  }
}

/** Applies a QueryWorkflow job. */
export function queryWorkflow(run: Run, job: QueryWorkflow): void {
  const name = job.queryType ?? '';
  const queryId = job.queryId ?? '';
  try {
    const builtin = builtinQuery(run, name);
    if (builtin !== undefined) {
      answerBuiltin(run, queryId, builtin);
      return;
    }
    const registered = findHandler(run, name);
    const args = payloadsToArgs(
      run,
      job.arguments,
      registered as { inputTypes?: readonly any[] } | undefined,
    );
    const input: QueryInput = { queryId, queryName: name, args, headers: job.headers ?? {} };
    if (isInternalName(name) || !anyImplements(run.interceptors?.inbound, 'handleQuery')) {
      succeed(run, queryId, answer(run, input), registered);
      return;
    }
    // The interceptors may wait; only promises of their own, which the drain settles.
    intercept(run.interceptors!.inbound, 'handleQuery', async (changed: QueryInput) => answer(run, changed))(
      input,
    ).then(
      (value) => {
        try {
          succeed(run, queryId, value, registered);
        } catch (error) {
          fail(run, queryId, error);
        }
      },
      (error) => fail(run, queryId, error),
    );
  } catch (error) {
    fail(run, queryId, error);
  }
}

/** No interceptor sees these; their promises settle in the drain. */
function answerBuiltin(run: Run, queryId: string, builtin: RegisteredHandler): void {
  const value = builtin.handler();
  if (!(value instanceof Promise)) {
    succeed(run, queryId, value, builtin);
    return;
  }
  value
    .then((settled) => succeed(run, queryId, settled, builtin))
    .catch((error) => fail(run, queryId, error));
}

/** @throws TypeError if only the fallback could take a name that is the SDK's own */
function findHandler(run: Run, name: string): RegisteredHandler | undefined {
  const registered = run.queries?.find(name);
  if (registered !== undefined && registered === run.queries?.fallback) throwIfReservedName('query', name);
  return registered;
}

function answer(run: Run, input: QueryInput): unknown {
  const registered = findHandler(run, input.queryName);
  if (registered === undefined) {
    throw new QueryHandlerNotFoundError(input.queryName, [
      '__stack_trace',
      '__enhanced_stack_trace',
      '__temporal_workflow_metadata',
      ...(run.queries?.byName.keys() ?? []),
    ]);
  }
  const value =
    registered === run.queries?.fallback
      ? registered.handler(input.queryName, ...input.args)
      : registered.handler(...input.args);
  if (isThenable(value)) {
    (value as Promise<unknown>).then(ignore, ignore); // it answers nobody, and must not become an unhandled rejection
    throw new DeterminismViolationError('Query handlers should not return a Promise', {
      hint: 'make the handler synchronous: compute what queries return while the workflow runs, and only read it here',
    });
  }
  return value;
}

function isThenable(value: unknown): boolean {
  return (
    value instanceof Promise ||
    (typeof value === 'object' && value !== null && typeof (value as any).then === 'function')
  );
}

function succeed(run: Run, queryId: string, value: unknown, registered: RegisteredHandler | undefined): void {
  let response: Payload;
  try {
    response = toPayload(run, value, workflowContext(run), registered?.outputType);
  } catch (error) {
    throw new UnserializableValueError('The answer to the query', error);
  }
  run.commands.push({ respondToQuery: { queryId, succeeded: { response } } });
}

function fail(run: Run, queryId: string, error: unknown): void {
  run.commands.push({ respondToQuery: { queryId, failed: refusal(run, error) } });
}

function ignore(): void {}
