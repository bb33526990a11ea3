/** Options of the runtime: types, checks, defaults, and their native form. */
import type { Duration, Logger, LogLevel } from '@perdure/common';
import { msToNumber } from '@perdure/common/lib/time';
import type {
  MetricsOptions as MetricsMessage,
  RuntimeOptions as RuntimeOptionsMessage,
} from '@perdure/proto/perdure/core/v1/options';
import Long from 'long';
import { DefaultLogger } from './logger';
import { MetricsBuffer } from './metrics-buffer';
import type { Check } from './options-check';
import {
  anyFunction,
  anyObject,
  anything,
  arrayOf,
  duration,
  flag,
  integer,
  OptionsCheck,
  oneOf,
  text,
} from './options-check';

/** Directives by source: the SDK core, and everything else. */
export interface CoreLogFilterOptions {
  /** Of the SDK core. */
  core: LogLevel;
  /** Of other crates. (='ERROR') */
  other?: LogLevel;
}

/** Native lines straight to the console. */
export interface ConsoleLogger {
  console: {
    /** (='compact') */
    format?: 'compact' | 'pretty' | 'json';
  };
}

/** Native lines through `Runtime.logger`. */
export interface ForwardLogger {
  forward: {
    /** @deprecated use `filter` */
    level?: LogLevel;
  };
}

export type LogExporterConfig = { filter?: string | CoreLogFilterOptions } & Partial<ConsoleLogger> &
  Partial<ForwardLogger>;

export interface PrometheusMetricsExporter {
  prometheus: {
    /** host:port; metrics are at /metrics. */
    bindAddress: string;
    /** (=false) */
    countersTotalSuffix?: boolean;
    /** (=false) */
    unitSuffix?: boolean;
    /** (=false) */
    useSecondsForDurations?: boolean;
    /** Name of a metric to bounds of its buckets. */
    histogramBucketOverrides?: Record<string, number[]>;
  };
}

export interface OtelCollectorExporter {
  otel: {
    /** The environment variable OTEL_EXPORTER_OTLP_ENDPOINT wins. */
    url: string;
    /** (=false: gRPC) */
    http?: boolean;
    headers?: Record<string, string>;
    /** (=1 s) */
    metricsExportInterval?: Duration;
    /** (=false) */
    useSecondsForDurations?: boolean;
    /** (='cumulative') */
    temporality?: 'cumulative' | 'delta';
    histogramBucketOverrides?: Record<string, number[]>;
  };
}

/** Metrics that user code fetches. */
export interface BufferedMetricsExporter {
  buffer: MetricsBuffer;
}

export type MetricsExporterConfig = {
  /** (='temporal_') */
  metricPrefix?: string;
  globalTags?: Record<string, string>;
  /** (=true) */
  attachServiceName?: boolean;
  /** @deprecated use `otel.temporality` */
  temporality?: 'cumulative' | 'delta';
} & (PrometheusMetricsExporter | OtelCollectorExporter | BufferedMetricsExporter);

export interface TelemetryOptions {
  /** (=console, WARN for the core, ERROR for the rest) */
  logging?: LogExporterConfig;
  /** (=off) */
  metrics?: MetricsExporterConfig;
  /** @deprecated use `logging.filter` */
  tracingFilter?: string;
  /** True: metrics without the prefix `temporal_`. @deprecated use `metrics.metricPrefix` */
  noTemporalPrefixForMetrics?: boolean;
  /** @deprecated ignored */
  tracing?: unknown;
}

/** How much workflows of this process may take: options of the lanes that all its workers share. */
export interface LanesOptions {
  /**
   * Heap of a lane in megabytes (2^20 bytes), from 32 on. Above 60 % of it, runs leave the cache and come back by replay;
   * a lane that fills it all the same ends, and nothing else does. Not kept in debug mode, where there is no lane. (=a
   * quarter of the memory that the process may use, shared by the lanes: 256 to 2048 for each)
   */
  heapMb?: number;
  /**
   * How long the code of a workflow may run without yielding. Past it the workflow task fails, and the lane that it
   * blocks is replaced. 0: for ever, as in debug mode. (=2 s)
   */
  activationDeadline?: Duration;
}

/** Options of `Runtime.install`. */
export interface RuntimeOptions {
  /** (=DefaultLogger of level INFO) */
  logger?: Logger;
  telemetryOptions?: TelemetryOptions;
  /** From 1 s to 60 s; 0 switches heartbeats of workers off. (=60 s) */
  workerHeartbeatInterval?: Duration;
  /** Signals on which all workers shut down. (=SIGINT, SIGTERM, SIGQUIT, SIGUSR2) */
  shutdownSignals?: NodeJS.Signals[];
  lanes?: LanesOptions;
}

/** Options of lanes; what is undefined is for the lanes to decide. */
export interface CompiledLanesOptions {
  readonly heapMb: number | undefined;
  /** 0: none. */
  readonly activationDeadlineMs: number | undefined;
}

/** Every field set. */
export interface CompiledRuntimeOptions {
  readonly logger: Logger;
  readonly shutdownSignals: readonly NodeJS.Signals[];
  readonly metricsBuffer: MetricsBuffer | undefined;
  readonly lanes: CompiledLanesOptions;
  /** The native form. */
  readonly message: RuntimeOptionsMessage;
}

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR'];

const CHECKS: Readonly<Record<keyof RuntimeOptions, Check>> = {
  logger: (value) => {
    const accepted = 'an object with log, trace, debug, info, warn and error';
    if (typeof value !== 'object' || value === null) return accepted;
    const methods = ['log', 'trace', 'debug', 'info', 'warn', 'error'] as const;
    return methods.every((name) => anyFunction((value as Record<string, unknown>)[name]) === undefined)
      ? undefined
      : accepted;
  },
  telemetryOptions: anyObject,
  workerHeartbeatInterval: (value) =>
    value === 0 ? undefined : duration(1000, 60_000)(value) && 'a duration from 1 s to 60 s, or 0',
  shutdownSignals: arrayOf(
    (value) => (typeof value === 'string' && /^SIG[A-Z0-9]+$/.test(value) ? undefined : 'a signal'),
    'an array of names of signals',
  ),
  lanes: anyObject,
};

const LANES_CHECKS: Readonly<Record<keyof LanesOptions, Check>> = {
  heapMb: integer(32, 1_000_000),
  activationDeadline: duration(),
};

/** Directives of the native log filter: `makeTelemetryFilterString({ core: 'INFO' })`. */
export function makeTelemetryFilterString({ core, other = 'ERROR' }: CoreLogFilterOptions): string {
  const crates = [
    'temporalio_sdk_core',
    'temporalio_client',
    'temporalio_common',
    'temporalio_sdk',
    'perdure_hub',
  ];
  return [other, ...crates.map((crate) => `${crate}=${core}`)].join(',');
}

/**
 * Checks and completes runtime options.
 * @throws {InvalidOptionsError} with all problems
 */
export function compileRuntimeOptions(options: RuntimeOptions): CompiledRuntimeOptions {
  const check = new OptionsCheck('RuntimeOptions');
  check.object('', options, CHECKS);
  const telemetry = options?.telemetryOptions;
  if (telemetry !== undefined) {
    check.object('telemetryOptions', telemetry, {
      logging: anyObject,
      metrics: anyObject,
      tracingFilter: text,
      noTemporalPrefixForMetrics: flag,
      tracing: anything,
    });
    checkLogging(check, telemetry?.logging);
    checkMetrics(check, telemetry?.metrics);
  }
  if (options?.lanes !== undefined) check.object('lanes', options.lanes, LANES_CHECKS);
  check.done();
  return resolve(options);
}

function checkLogging(check: OptionsCheck, logging: unknown): void {
  if (typeof logging !== 'object' || logging === null) return;
  const field = 'telemetryOptions.logging';
  check.object(field, logging, {
    filter: (value) =>
      typeof value === 'string' || anyObject(value) === undefined ? undefined : 'a text or an object',
    console: anyObject,
    forward: anyObject,
  });
  const given = logging as LogExporterConfig;
  if (given.console && given.forward) check.add(`${field}.forward`, 'is excluded by console');
  if (given.console) {
    check.object(`${field}.console`, given.console, { format: oneOf('compact', 'pretty', 'json') });
  }
  if (given.forward) check.object(`${field}.forward`, given.forward, { level: oneOf(...LEVELS) });
  if (typeof given.filter === 'object') {
    check.object(`${field}.filter`, given.filter, { core: oneOf(...LEVELS), other: oneOf(...LEVELS) });
  }
}

function checkMetrics(check: OptionsCheck, metrics: unknown): void {
  if (typeof metrics !== 'object' || metrics === null) return;
  const field = 'telemetryOptions.metrics';
  check.object(field, metrics, {
    prometheus: anyObject,
    otel: anyObject,
    buffer: (value) => (value instanceof MetricsBuffer ? undefined : 'a MetricsBuffer'),
    metricPrefix: (value) => (typeof value === 'string' ? undefined : 'a text'),
    globalTags: anyObject,
    attachServiceName: flag,
    temporality: oneOf('cumulative', 'delta'),
  });
  const given = metrics as Record<string, any>;
  const exporters = ['prometheus', 'otel', 'buffer'].filter((name) => given[name] !== undefined);
  if (exporters.length !== 1) {
    check.add(field, `got ${exporters.length} exporters, takes one of prometheus, otel and buffer`);
  }
  if (given.buffer !== undefined && Object.keys(given.globalTags ?? {}).length > 0) {
    check.add(`${field}.globalTags`, 'cannot be given with buffer: add the tags where the updates go');
  }
  if (given.prometheus) {
    check.object(`${field}.prometheus`, given.prometheus, {
      bindAddress: text,
      countersTotalSuffix: flag,
      unitSuffix: flag,
      useSecondsForDurations: flag,
      histogramBucketOverrides: anyObject,
    });
    if (given.prometheus.bindAddress === undefined)
      check.add(`${field}.prometheus.bindAddress`, 'is required');
  }
  if (given.otel) {
    check.object(`${field}.otel`, given.otel, {
      url: text,
      http: flag,
      headers: anyObject,
      metricsExportInterval: duration(1),
      useSecondsForDurations: flag,
      temporality: oneOf('cumulative', 'delta'),
      histogramBucketOverrides: anyObject,
    });
    if (given.otel.url === undefined) check.add(`${field}.otel.url`, 'is required');
  }
}

function resolve({
  logger = new DefaultLogger('INFO'),
  telemetryOptions: { logging = {}, metrics, tracingFilter, noTemporalPrefixForMetrics = false } = {},
  workerHeartbeatInterval = 60_000,
  shutdownSignals = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGUSR2'],
  lanes: { heapMb, activationDeadline } = {},
}: RuntimeOptions): CompiledRuntimeOptions {
  const level = logging.forward?.level;
  const byLevel = level === undefined ? undefined : { core: level, other: level };
  const filter = logging.filter ?? byLevel ?? tracingFilter ?? { core: 'WARN' as const };
  return {
    logger,
    shutdownSignals,
    metricsBuffer: metrics && 'buffer' in metrics ? metrics.buffer : undefined,
    lanes: {
      heapMb,
      activationDeadlineMs: activationDeadline === undefined ? undefined : msToNumber(activationDeadline),
    },
    message: {
      logging: {
        filter: typeof filter === 'string' ? filter : makeTelemetryFilterString(filter),
        forward: logging.forward !== undefined,
        consoleFormat: logging.console?.format ?? 'compact',
      },
      metrics: metrics && metricsMessage(metrics, noTemporalPrefixForMetrics ? '' : 'temporal_'),
      workerHeartbeatIntervalMs: Long.fromNumber(msToNumber(workerHeartbeatInterval)),
      ioThreads: 0,
    },
  };
}

function metricsMessage(metrics: MetricsExporterConfig, prefix: string): MetricsMessage {
  const { metricPrefix = prefix, temporality, globalTags = {}, attachServiceName = true } = metrics;
  return {
    prefix: metricPrefix,
    globalTags,
    attachServiceName,
    ...('prometheus' in metrics && {
      prometheus: {
        bindAddress: metrics.prometheus.bindAddress,
        countersTotalSuffix: metrics.prometheus.countersTotalSuffix ?? false,
        unitSuffix: metrics.prometheus.unitSuffix ?? false,
        secondsForDurations: metrics.prometheus.useSecondsForDurations ?? false,
        histogramBuckets: buckets(metrics.prometheus.histogramBucketOverrides),
      },
    }),
    ...('otel' in metrics && {
      otlp: {
        url: process.env.OTEL_EXPORTER_OTLP_ENDPOINT || metrics.otel.url,
        http: metrics.otel.http ?? false,
        headers: metrics.otel.headers ?? {},
        exportIntervalMs: Long.fromNumber(msToNumber(metrics.otel.metricsExportInterval ?? 1000)),
        secondsForDurations: metrics.otel.useSecondsForDurations ?? false,
        deltaTemporality: (metrics.otel.temporality ?? temporality) === 'delta',
        histogramBuckets: buckets(metrics.otel.histogramBucketOverrides),
      },
    }),
    ...('buffer' in metrics && {
      buffer: {
        maxSize: metrics.buffer.maxBufferSize,
        secondsForDurations: metrics.buffer.useSecondsForDurations,
      },
    }),
  };
}

function buckets(overrides: Record<string, number[]> = {}): Record<string, { bounds: number[] }> {
  return Object.fromEntries(Object.entries(overrides).map(([name, bounds]) => [name, { bounds }]));
}
