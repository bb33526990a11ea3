/**
 * Queries that every workflow answers.
 *
 * B1  Answers are JSON by the default converter, whatever converter the worker has: tools read them.
 */
import { defaultPayloadConverter, HandlerUnfinishedPolicy, RawValue } from '@perdure/common';
import type { HandlerTable, RegisteredHandler } from './handlers';
import type { Run } from './runtime/run';
import { enhancedStackTrace, stackTrace } from './stack-traces';

/** The built-in handler of that name, if it is one. */
export function builtinQuery(run: Run, name: string): RegisteredHandler | undefined {
  switch (name) {
    case '__temporal_workflow_metadata':
      return builtin(() => metadata(run));
    case '__stack_trace':
      return builtin(() => stackTrace(run));
    case '__enhanced_stack_trace':
      return builtin(() => enhancedStackTrace(run));
    default:
      return undefined;
  }
}

/** The answer may be a promise that settles in the activation's own microtasks. */
function builtin(answer: () => unknown): RegisteredHandler {
  return {
    handler: () => {
      const value = answer();
      return value instanceof Promise ? value.then(raw) : raw(value);
    },
    validator: undefined,
    unfinishedPolicy: HandlerUnfinishedPolicy.ABANDON,
    description: undefined,
    inputTypes: undefined,
    outputType: undefined,
  };
}

const raw = (value: unknown) => new RawValue(value, defaultPayloadConverter); // B1

function metadata(run: Run) {
  return {
    definition: {
      type: run.workflowType,
      queryDefinitions: [
        { name: '__enhanced_stack_trace', description: 'Stacks of everything that waits, with sources.' },
        { name: '__stack_trace', description: 'Stacks of everything that waits.' },
        { name: '__temporal_workflow_metadata', description: 'This: type, handlers and details.' },
        ...describeHandlers(run.queries),
      ],
      signalDefinitions: describeHandlers(run.signals),
      updateDefinitions: describeHandlers(run.updates),
    },
    currentDetails: run.currentDetails,
  };
}

/** Sorted by name; the fallback, which has none, comes last. */
function describeHandlers(table: HandlerTable | undefined): { name?: string; description?: string }[] {
  if (table === undefined) return [];
  const named: { name?: string; description?: string }[] = [...table.byName]
    .map(([name, { description }]) => ({ name, description }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  if (table.fallback !== undefined) named.push({ description: table.fallback.description });
  return named;
}
