/**
 * Calls of sinks: functions of the main thread that workflows call without waiting.
 *
 * D1  Calls of a run are made in their order; a function that throws or rejects costs a log line, nothing else.
 * D2  During replay only functions with `callDuringReplay` are called.
 */
import type {
  Logger,
  LogLevel,
  MetricCounter,
  MetricGauge,
  MetricHistogram,
  MetricKind,
  MetricMeter,
  MetricTags,
  MetricUpDownCounter,
  NumericMetricValueType,
} from '@perdure/common';
import { noopMetricMeter, SdkComponent } from '@perdure/common';
import type { LoggerSinks, Sink, SinkFunction, Sinks, WorkflowInfo } from '@perdure/workflow';
import type { SinkCallRecord } from '@perdure/workflow/runtime';
import { parseWorkflowInfo } from './workflow-info';

/** One function of a sink. */
export interface InjectedSinkFunction<F extends SinkFunction> {
  /** Gets the calling run's info first; is not waited for. */
  fn(info: WorkflowInfo, ...args: Parameters<F>): void | Promise<void>;
  /** (=false) */
  callDuringReplay?: boolean;
}

export type InjectedSink<T extends Sink> = { [P in keyof T]: InjectedSinkFunction<T[P]> };

/** Value of `WorkerOptions.sinks`. */
export type InjectedSinks<T extends Sinks> = { [P in keyof T]: InjectedSink<T[P]> };

/** Name of the sink behind `log` in workflows. */
export const LOGGER_SINK = '__temporal_logger';
const OLDER_LOGGER_SINK = 'defaultWorkerLogger';

/** Name of the sink behind `metricMeter` in workflows. */
const METRICS_SINK = '__temporal_metrics';

/** Name of the sink behind `console` in workflows. */
const CONSOLE_SINK = '__temporal_console';

const LOG_LEVELS: ReadonlySet<string> = new Set<LogLevel>(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR']);

/** sinkName.fnName of functions that are called during replay too. */
export function replayingSinks(sinks: InjectedSinks<any>): string[] {
  const names: string[] = [];
  for (const [sinkName, sink] of Object.entries(sinks)) {
    for (const [fnName, entry] of Object.entries(sink as InjectedSink<any>)) {
      if (entry.callDuringReplay) names.push(`${sinkName}.${fnName}`);
    }
  }
  return names;
}

/** Makes the calls that the runs of one worker ask for. */
export class SinkDispatcher {
  constructor(
    private readonly sinks: InjectedSinks<any>,
    private readonly logger: Logger,
    private readonly taskQueue: string,
    private readonly meter: MetricMeter = noopMetricMeter,
  ) {}

  /** Never throws. */
  call(record: SinkCallRecord): void {
    try {
      this.#call(record);
    } catch (error) {
      this.#complain(record, error); // D1
    }
  }

  #call(record: SinkCallRecord): void {
    const entry = Object.hasOwn(this.sinks, record.sink)
      ? (this.sinks[record.sink] as InjectedSink<any>)
      : undefined;
    const target = entry !== undefined && Object.hasOwn(entry, record.fn) ? entry[record.fn] : undefined;
    const info = parseWorkflowInfo(record.info);
    if (target === undefined) {
      if (record.sink === LOGGER_SINK || record.sink === OLDER_LOGGER_SINK) this.#log(info, record);
      else if (record.sink === METRICS_SINK) this.#record(info, record);
      else if (record.sink === CONSOLE_SINK) print(record);
      else this.logger.error('A workflow called a sink that this worker does not have', names(record));
      return;
    }
    if (info.unsafe.isReplaying && !target.callDuringReplay) return; // D2
    const returned: unknown = target.fn(info, ...(record.args as any[]));
    Promise.resolve(returned).catch((error) => this.#complain(record, error));
  }

  #log(info: WorkflowInfo, record: SinkCallRecord): void {
    if (info.unsafe.isReplaying) return; // D2
    const level = record.fn.toUpperCase();
    if (!LOG_LEVELS.has(level)) return;
    const [message, meta] = record.args;
    this.logger.log(level as LogLevel, message as string, {
      sdkComponent: SdkComponent.workflow,
      ...workflowLogAttributes(info),
      taskQueue: info.taskQueue ?? this.taskQueue,
      ...(typeof meta === 'object' ? meta : meta !== undefined && { attributes: meta }),
    });
  }

  #record(info: WorkflowInfo, record: SinkCallRecord): void {
    if (info.unsafe.isReplaying) return; // D2
    const [metric, value, tags] = record.args as [WorkflowMetric, number, MetricTags];
    recordMetric(this.meter, metric, value, tags);
  }

  #complain(record: SinkCallRecord, error: unknown): void {
    this.logger.error('A sink function failed', { ...names(record), error });
  }
}

/**
 * The sink behind `log` in workflows, writing to `logger`; to be changed and given as `WorkerOptions.sinks`.
 * @param logger (=that of the `Runtime`)
 * @deprecated give a logger to `Runtime.install`
 */
export function defaultSinks(logger?: Logger): InjectedSinks<Pick<LoggerSinks, typeof LOGGER_SINK>> {
  const target = logger ?? runtimeLogger();
  const write = (level: LogLevel) => ({
    fn: (info: WorkflowInfo, message: string, meta?: Record<string, unknown>) =>
      void target.log(level, message, {
        sdkComponent: SdkComponent.workflow,
        ...workflowLogAttributes(info),
        ...meta,
      }),
  });
  return {
    [LOGGER_SINK]: {
      trace: write('TRACE'),
      debug: write('DEBUG'),
      info: write('INFO'),
      warn: write('WARN'),
      error: write('ERROR'),
    },
  };
}

/** Loaded late: the runtime has workers, and they have sinks. */
function runtimeLogger(): Logger {
  const { Runtime } = require('./runtime') as typeof import('./runtime');
  return Runtime.instance().logger;
}

/** Fields of a run's log lines. */
export function workflowLogAttributes(info: WorkflowInfo): Record<string, unknown> {
  return {
    namespace: info.namespace,
    taskQueue: info.taskQueue,
    workflowId: info.workflowId,
    runId: info.runId,
    workflowType: info.workflowType,
  };
}

/** What a workflow's meter says of a metric with each record. */
interface WorkflowMetric {
  readonly kind: MetricKind;
  readonly valueType: NumericMetricValueType;
  readonly name: string;
  readonly unit?: string;
  readonly description?: string;
}

type AnyMetric = MetricCounter | MetricHistogram | MetricGauge | MetricUpDownCounter;

/** Metrics by meter and definition: making one for each record would define it at the native side each time. */
const made = new WeakMap<MetricMeter, Map<string, AnyMetric>>();

function recordMetric(meter: MetricMeter, metric: WorkflowMetric, value: number, tags: MetricTags): void {
  const { kind, valueType, name, unit, description } = metric;
  const key = JSON.stringify([kind, valueType, name, unit, description]);
  const known = made.get(meter) ?? new Map<string, AnyMetric>();
  made.set(meter, known);
  const found = known.get(key) ?? make(meter, metric);
  known.set(key, found);
  if (found.kind === 'histogram') found.record(value, tags);
  else if (found.kind === 'gauge') found.set(value, tags);
  else found.add(value, tags);
}

function make(meter: MetricMeter, { kind, valueType, name, unit, description }: WorkflowMetric): AnyMetric {
  switch (kind) {
    case 'counter':
      return meter.createCounter(name, unit, description);
    case 'histogram':
      return meter.createHistogram(name, valueType, unit, description);
    case 'gauge':
      return meter.createGauge(name, valueType, unit, description);
    case 'up-down-counter':
      return (meter.createUpDownCounter ? meter : noopMetricMeter).createUpDownCounter!(
        name,
        unit,
        description,
      );
  }
}

function print({ fn, args }: SinkCallRecord): void {
  if (fn === 'warn' || fn === 'error' || fn === 'debug') console[fn](...args);
  else console.log(...args);
}

function names(record: SinkCallRecord): Record<string, unknown> {
  return { sdkComponent: SdkComponent.worker, sink: record.sink, fn: record.fn, runId: record.runId };
}
