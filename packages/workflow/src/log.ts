/**
 * Logging from workflow code.
 *
 * L1  Lines are not repeated on replay.
 * L2  Fields that identify the run are added to each line, in update handlers those of the update; interceptors may
 *     add more.
 * L3  A line that the worker's logger would drop costs nothing: no record is made and nothing crosses.
 */
import type { Logger, LogLevel, LogMetadata } from '@perdure/common';
import { currentContext } from './async-context';
import { describeError } from './errors';
import { intercept } from './interceptors';
import { currentRun, type Run, requireRun } from './runtime/run';
import { callSink, isReplayingHistory } from './sinks';

const LOGGER_SINK = '__temporal_logger';

/** Logger of workflow code: silent on replay. */
export interface WorkflowLogger extends Logger {
  log(level: LogLevel, message: string, attrs?: LogMetadata): void;
  trace(message: string, attrs?: LogMetadata): void;
  debug(message: string, attrs?: LogMetadata): void;
  info(message: string, attrs?: LogMetadata): void;
  warn(message: string, attrs?: LogMetadata): void;
  error(message: string, attrs?: LogMetadata): void;
}

export const log: WorkflowLogger = {
  log: (level, message, attrs) => write(level, message, attrs),
  trace: (message, attrs) => write('TRACE', message, attrs),
  debug: (message, attrs) => write('DEBUG', message, attrs),
  info: (message, attrs) => write('INFO', message, attrs),
  warn: (message, attrs) => write('WARN', message, attrs),
  error: (message, attrs) => write('ERROR', message, attrs),
};

function write(level: LogLevel, message: string, attrs: LogMetadata | undefined): void {
  logFor(requireRun('log'), level, message, attrs);
}

const SEVERITY: readonly string[] = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR'];

/** Whether anybody would see a line of that level (L1, L3). */
function isWritten(run: Run, level: LogLevel): boolean {
  if (isReplayingHistory(run)) return false;
  const { logLevel } = run.worker.registration;
  return logLevel === undefined || SEVERITY.indexOf(level) >= SEVERITY.indexOf(logLevel);
}

/** Writes a line for a run, also on the runtime's own account. */
export function logFor(run: Run, level: LogLevel, message: string, attrs: LogMetadata | undefined): void {
  if (!isWritten(run, level)) return;
  callSink(run, LOGGER_SINK, level.toLowerCase(), [
    message,
    { sdkComponent: 'workflow', ...logAttributes(run), ...attrs }, // L2
  ]);
}

function logAttributes(run: Run): Record<string, unknown> {
  const { namespace, taskQueue } = run.worker.registration;
  const fields = {
    namespace,
    taskQueue,
    workflowId: run.workflowId,
    runId: run.runId,
    workflowType: run.workflowType,
    ...updateAttributes(),
  };
  const interceptors = run.interceptors;
  if (interceptors === undefined) return fields;
  return intercept(
    interceptors.outbound,
    'getLogAttributes',
    (input: Record<string, unknown>) => input,
  )(fields);
}

function updateAttributes(): { updateId: string; updateName: string } | undefined {
  const update = currentContext()?.update;
  return update && { updateId: update.id, updateName: update.name };
}

/** Says how the life of a run goes on. What interceptors of log attributes throw concerns nobody here. */
export function logLifecycle(run: Run, level: 'DEBUG' | 'WARN', message: string, error?: unknown): void {
  if (!isWritten(run, level)) return;
  try {
    logFor(run, level, message, {
      sdkComponent: 'worker',
      ...(error !== undefined && { error: plainError(error, 10) }),
    });
  } catch {
    // The line is lost; the workflow is not.
  }
}

/** An error with the text of another, which can be cloned whatever the other one holds. */
function plainError(error: unknown, depth: number): unknown {
  if (!(error instanceof Error)) return describeError(error);
  const copy = new Error(textOf(error, 'message'));
  copy.name = textOf(error, 'name');
  copy.stack = textOf(error, 'stack');
  const cause = depth > 0 ? causeOf(error) : undefined;
  if (cause !== undefined) copy.cause = plainError(cause, depth - 1);
  return copy;
}

function textOf(error: Error, field: 'name' | 'message' | 'stack'): string {
  try {
    return String(error[field] ?? '');
  } catch {
    return '';
  }
}

function causeOf(error: Error): unknown {
  try {
    return error.cause;
  } catch {
    return undefined;
  }
}

type ConsoleMethod = (...args: unknown[]) => void;

/** `console` of workflow code: lines carry the run's type and id, and are not repeated on replay. */
export const workflowConsole: Readonly<Record<'log' | 'info' | 'warn' | 'error' | 'debug', ConsoleMethod>> = {
  log: (...args) => print('INFO', args),
  info: (...args) => print('INFO', args),
  warn: (...args) => print('WARN', args),
  error: (...args) => print('ERROR', args),
  debug: (...args) => print('DEBUG', args),
};

function print(level: LogLevel, args: readonly unknown[]): void {
  const run = currentRun();
  if (run === undefined || isReplayingHistory(run)) return;
  const prefix = `[${run.workflowType}(${run.workflowId})]`;
  callSink(run, '__temporal_console', level === 'INFO' ? 'info' : level.toLowerCase(), [
    `${prefix} ${args.map(show).join(' ')}`,
  ]);
}

/** A readable text for any value. Never throws. */
function show(value: unknown): string {
  try {
    if (typeof value === 'string') return value;
    if (value instanceof Error) return value.stack ?? String(value);
    if (typeof value === 'object' && value !== null) return JSON.stringify(value) ?? String(value);
    return String(value);
  } catch {
    return '[a value that cannot be shown]';
  }
}
