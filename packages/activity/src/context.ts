/**
 * `Context`: what an activity function may ask and do, and the functions that do it for the current one.
 *
 * Owns    the AsyncLocalStorage that leads from user code to its context.
 * Leaves  where heartbeats go and when cancellation comes to execution.ts.
 * C1  `cancelled` never resolves; it rejects at most once, and nobody has to handle the rejection.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type {
  ActivityCancellationDetails,
  Duration,
  Logger,
  LogLevel,
  LogMetadata,
  MetricMeter,
} from '@perdure/common';
import { IllegalStateError } from '@perdure/common';
import { msToNumber } from '@perdure/common/lib/time';
import type { ContextClient } from './context-types';
import type { Info } from './info';

/** Holds the current Context while an activity runs. */
export const asyncLocalStorage = new AsyncLocalStorage<Context>();

/** Set once an activity has been cancelled. */
export interface ActivityCancellationDetailsHolder {
  details?: ActivityCancellationDetails;
}

/** Longest delay a Node.js timer takes, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One execution of an activity, seen from inside. */
export class Context {
  /** The context of the activity that runs now. @throws {IllegalStateError} outside of an activity */
  static current(): Context {
    const context = asyncLocalStorage.getStore();
    if (context === undefined) {
      throw new IllegalStateError('Activity context not initialized: not inside an activity');
    }
    return context;
  }

  /** Reports progress; needed to learn of cancellation. Throttled by the core. Ignored in local activities. */
  readonly heartbeat: (details?: unknown) => void;
  /** Waits. Rejects with a CancelledFailure as soon as the activity is cancelled. */
  readonly sleep: (ms: Duration) => Promise<void>;

  readonly #client: ContextClient | undefined;
  readonly #cancellation: ActivityCancellationDetailsHolder;

  constructor(
    readonly info: Info,
    /** Rejects with a CancelledFailure when the activity is cancelled; never resolves. */
    readonly cancelled: Promise<never>,
    /** Aborts when the activity is cancelled. */
    readonly cancellationSignal: AbortSignal,
    heartbeatFn: (details?: any) => void,
    client: ContextClient | undefined,
    /** Logs with the activity's attributes. */
    readonly log: Logger,
    /** Meter with the activity's tags. */
    readonly metricMeter: MetricMeter,
    cancellationDetailsHolder: ActivityCancellationDetailsHolder,
  ) {
    this.#client = client;
    this.#cancellation = cancellationDetailsHolder;
    this.heartbeat = (details) => heartbeatFn(details);
    this.sleep = (ms) => sleepUntilCancelled(msToNumber(ms), cancellationSignal, cancelled);
  }

  /**
   * A client on the worker's connection.
   * @throws {IllegalStateError} nobody gave the runner a client
   */
  get client(): ContextClient {
    if (this.#client === undefined) {
      throw new IllegalStateError(
        'No client is available here: the activity does not run on a worker with one',
      );
    }
    return this.#client;
  }

  /** Why the activity was cancelled; undefined until it is. */
  get cancellationDetails(): ActivityCancellationDetails | undefined {
    return this.#cancellation.details;
  }
}

/** @param totalMs any length, longer than one Node.js timer can wait too */
async function sleepUntilCancelled(
  totalMs: number,
  signal: AbortSignal,
  cancelled: Promise<never>,
): Promise<void> {
  let leftMs = Math.max(0, totalMs);
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => {
    const wait = () => {
      const stepMs = Math.min(leftMs, MAX_TIMER_MS);
      leftMs -= stepMs;
      timer = setTimeout(leftMs > 0 ? wait : resolve, stepMs);
    };
    if (!signal.aborted) wait();
  });
  try {
    await Promise.race([elapsed, cancelled]);
  } finally {
    clearTimeout(timer);
  }
}

/** Info of the current activity. */
export function activityInfo(): Info {
  return Context.current().info;
}

/** Reports progress of the current activity, see {@link Context.heartbeat}. */
export function heartbeat(details?: unknown): void {
  Context.current().heartbeat(details);
}

/** Waits inside the current activity, see {@link Context.sleep}. */
export function sleep(ms: Duration): Promise<void> {
  return Context.current().sleep(ms);
}

/** Rejects when the current activity is cancelled. */
export function cancelled(): Promise<never> {
  return Context.current().cancelled;
}

/** Aborts when the current activity is cancelled. */
export function cancellationSignal(): AbortSignal {
  return Context.current().cancellationSignal;
}

/** Why the current activity was cancelled; undefined until it is. */
export function cancellationDetails(): ActivityCancellationDetails | undefined {
  return Context.current().cancellationDetails;
}

/** A client on the connection of the worker that runs the current activity. */
export function getClient(): ContextClient {
  return Context.current().client;
}

/** Logs with the attributes of the current activity. */
export const log: Logger = {
  log(level: LogLevel, message: string, meta?: LogMetadata): any {
    return Context.current().log.log(level, message, meta);
  },
  trace(message: string, meta?: LogMetadata): any {
    return Context.current().log.trace(message, meta);
  },
  debug(message: string, meta?: LogMetadata): any {
    return Context.current().log.debug(message, meta);
  },
  info(message: string, meta?: LogMetadata): any {
    return Context.current().log.info(message, meta);
  },
  warn(message: string, meta?: LogMetadata): any {
    return Context.current().log.warn(message, meta);
  },
  error(message: string, meta?: LogMetadata): any {
    return Context.current().log.error(message, meta);
  },
};

/** Meter with the tags of the current activity. */
export const metricMeter: MetricMeter = {
  createCounter: (...args) => Context.current().metricMeter.createCounter(...args),
  createHistogram: (...args) => Context.current().metricMeter.createHistogram(...args),
  createGauge: (...args) => Context.current().metricMeter.createGauge(...args),
  createUpDownCounter: (...args) => {
    const meter = Context.current().metricMeter;
    if (meter.createUpDownCounter === undefined) {
      throw new IllegalStateError('The metric meter of this worker has no up-down counters');
    }
    return meter.createUpDownCounter(...args);
  },
  withTags: (tags) => Context.current().metricMeter.withTags(tags),
};
