/**
 * Sinks: calls from workflow code to functions of the worker's process, one way.
 *
 * K1  A call is a record; the main thread makes it after the activation. Nothing comes back.
 * K2  During replay only sinks that asked for it are called.
 */
import { throwIfReservedName } from '@perdure/common/lib/reserved';
import { infoOf, type WorkflowInfo } from './info';
import { type Run, requireRun } from './runtime/run';

/** A function of a sink; its arguments are structured-cloned. */
export type SinkFunction = (...args: any[]) => void;
export type Sink = Record<string, SinkFunction>;
export type Sinks = Record<string, Sink>;

/** One call, as the runtime keeps it until the activation has ended. */
export interface SinkCall {
  ifaceName: string;
  fnName: string;
  args: any[];
  workflowInfo: WorkflowInfo;
}

/** Functions of a sink that takes log lines. */
interface LogFunctions {
  trace(message: string, attrs?: Record<string, unknown>): void;
  debug(message: string, attrs?: Record<string, unknown>): void;
  info(message: string, attrs?: Record<string, unknown>): void;
  warn(message: string, attrs?: Record<string, unknown>): void;
  error(message: string, attrs?: Record<string, unknown>): void;
}

/**
 * The sinks that log lines go to.
 * @deprecated use `log`
 */
export interface LoggerSinks extends Sinks {
  __temporal_logger: Sink & LogFunctions;
  /** Older name of the same. */
  defaultWorkerLogger: Sink & LogFunctions;
}

/** Typed access to the sinks that the worker was given. */
export function proxySinks<T extends Sinks>(): T {
  return new Proxy(
    {},
    {
      get(_target, sink) {
        if (typeof sink !== 'string' || sink === 'then') return undefined;
        return new Proxy(
          {},
          {
            get(_target, fn) {
              if (typeof fn !== 'string' || fn === 'then') return undefined;
              return (...args: unknown[]) => {
                const run = requireRun('proxySinks()');
                if (!sink.startsWith('__temporal_')) throwIfReservedName('sink', sink);
                callSink(run, sink, fn, args);
              };
            },
          },
        );
      },
    },
  ) as T;
}

/** Records a call of a sink (K1). */
export function callSink(run: Run, sink: string, fn: string, args: readonly unknown[]): void {
  if (isReplayingHistory(run) && !run.worker.replayingSinks.has(`${sink}.${fn}`)) return; // K2
  run.sinkCalls ??= [];
  run.sinkCalls.push({
    worker: run.worker.registration.worker,
    runId: run.runId,
    sink,
    fn,
    args,
    info: infoAsJson(run),
  });
}

/** False in query handlers and update validators: what they do has not been done before. */
export function isReplayingHistory(run: Run): boolean {
  return run.replaying && run.readOnly === undefined;
}

/**
 * The run's WorkflowInfo as the host gets it. It never throws: a memo or a last result holds whatever a payload converter
 * makes, and a call of a sink must not fail a workflow for it. A bigint becomes its digits; what JSON cannot say at all
 * (a cycle) leaves out the memo and the last result.
 */
export function infoAsJson(run: Run): string {
  const info = infoOf(run);
  try {
    return asJson(info);
  } catch {
    return asJson({ ...info, memo: undefined, lastResult: undefined });
  }
}

function asJson(info: object): string {
  return JSON.stringify(info, function (this: any, key, value) {
    const raw = this[key];
    if (raw instanceof Date) return raw.getTime();
    if (raw instanceof Error) return { name: raw.name, message: raw.message };
    if (key === 'typedSearchAttributes' && raw !== undefined) return raw.getAll?.() ?? raw;
    if (typeof value === 'bigint') return String(value);
    return typeof value === 'function' ? undefined : value;
  });
}
