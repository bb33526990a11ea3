/**
 * What the handler of a Nexus operation may ask: info, log, metrics, a client.
 *
 * Owns    the AsyncLocalStorage that leads from user code to its context.
 * Leaves  making contexts to execution.ts.
 * H1  One storage per process, however many copies of this package are loaded: the worker's copy fills it, the
 *     user's copy reads it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Client } from '@perdure/client';
import {
  IllegalStateError,
  type Logger,
  type LogLevel,
  type LogMetadata,
  type MetricMeter,
} from '@perdure/common';

/** Where the current operation runs. */
export interface OperationInfo {
  readonly namespace: string;
  readonly taskQueue: string;
  /** Endpoint that the request was sent to; empty on servers before 1.30. */
  readonly endpoint: string;
}

/** One invocation of a handler, seen from inside. @internal */
export interface HandlerContext extends OperationInfo {
  readonly log: Logger;
  readonly metrics: MetricMeter;
  /** @throws {IllegalStateError} nobody gave the runner a client */
  readonly client: Client;
}

const KEY = Symbol.for('perdure.nexus.context');
const registry = globalThis as { [KEY]?: AsyncLocalStorage<HandlerContext> };

/** Holds the current context while a handler runs. @internal */
export const asyncLocalStorage: AsyncLocalStorage<HandlerContext> = registry[KEY] ?? new AsyncLocalStorage();
registry[KEY] = asyncLocalStorage; // H1

/** @throws {IllegalStateError} outside of a handler @internal */
export function handlerContext(): HandlerContext {
  const context = asyncLocalStorage.getStore();
  if (context === undefined) {
    throw new IllegalStateError('Nexus context not initialized: not inside a Nexus operation handler');
  }
  return context;
}

/** Info of the current operation. @throws {IllegalStateError} outside of a handler */
export function operationInfo(): OperationInfo {
  const { namespace, taskQueue, endpoint } = handlerContext();
  return { namespace, taskQueue, endpoint };
}

/** A client on the connection of the worker; its calls end when the operation's request is cancelled. */
export function getClient(): Client {
  return handlerContext().client;
}

/** Logs with the fields of the current operation. */
export const log: Logger = {
  log(level: LogLevel, message: string, meta?: LogMetadata): any {
    return handlerContext().log.log(level, message, meta);
  },
  trace(message: string, meta?: LogMetadata): any {
    return handlerContext().log.trace(message, meta);
  },
  debug(message: string, meta?: LogMetadata): any {
    return handlerContext().log.debug(message, meta);
  },
  info(message: string, meta?: LogMetadata): any {
    return handlerContext().log.info(message, meta);
  },
  warn(message: string, meta?: LogMetadata): any {
    return handlerContext().log.warn(message, meta);
  },
  error(message: string, meta?: LogMetadata): any {
    return handlerContext().log.error(message, meta);
  },
};

/** Meter with the tags of the current operation. */
export const metricMeter: MetricMeter = {
  createCounter: (...args) => handlerContext().metrics.createCounter(...args),
  createHistogram: (...args) => handlerContext().metrics.createHistogram(...args),
  createGauge: (...args) => handlerContext().metrics.createGauge(...args),
  createUpDownCounter: (...args) => {
    const meter = handlerContext().metrics;
    if (meter.createUpDownCounter === undefined) {
      throw new IllegalStateError('The metric meter of this worker has no up-down counters');
    }
    return meter.createUpDownCounter(...args);
  },
  withTags: (tags) => handlerContext().metrics.withTags(tags),
};
