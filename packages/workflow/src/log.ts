/**
 * Logging from workflow code.
 *
 * L1  Lines are not repeated on replay.
 * L2  Fields that identify the run are added to each line; interceptors may add more.
 */
import type { Logger, LogLevel, LogMetadata } from '@perdure/common';
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

/** Writes a line for a run, also on the runtime's own account. */
export function logFor(run: Run, level: LogLevel, message: string, attrs: LogMetadata | undefined): void {
  if (isReplayingHistory(run)) return; // L1
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
  };
  const interceptors = run.interceptors;
  if (interceptors === undefined) return fields;
  return intercept(
    interceptors.outbound,
    'getLogAttributes',
    (input: Record<string, unknown>) => input,
  )(fields);
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
