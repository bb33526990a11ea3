/**
 * Metrics that user code fetches by itself.
 *
 * B1  What was recorded before the native side of a runtime closed is still given by the next fetch.
 */
import type { RuntimeHandle } from '@perdure/core';
import { BufferedMetricsReader, type BufferedMetricUpdate, loadNative } from '@perdure/core';
import { type Check, flag, integer, OptionsCheck } from './options-check';

export interface MetricsBufferOptions {
  /** How many events wait for a fetch; more are dropped, with a log line. (=10000) */
  maxBufferSize?: number;
  /** Durations are seconds instead of milliseconds. (=false) */
  useSecondsForDurations?: boolean;
}

const CHECKS: Readonly<Record<keyof MetricsBufferOptions, Check>> = {
  maxBufferSize: integer(1),
  useSecondsForDurations: flag,
};

/** Collects updates of metrics: value of `telemetryOptions.metrics.buffer`, to be drained every second or so. */
export class MetricsBuffer {
  readonly maxBufferSize: number;
  readonly useSecondsForDurations: boolean;
  #bound: { readonly runtime: RuntimeHandle; readonly reader: BufferedMetricsReader } | undefined;
  #left: BufferedMetricUpdate[] = [];

  /** @throws {InvalidOptionsError} with all problems */
  constructor(options: MetricsBufferOptions = {}) {
    const check = new OptionsCheck('MetricsBufferOptions');
    check.object('', options, CHECKS);
    check.done();
    ({
      maxBufferSize: this.maxBufferSize = 10_000,
      useSecondsForDurations: this.useSecondsForDurations = false,
    } = options);
  }

  /** Everything since the last call, in the order of recording; equal metrics and tag sets are the same objects. */
  retrieveUpdates(): ArrayIterator<BufferedMetricUpdate> {
    const updates = [...this.#left, ...this.#fetch()];
    this.#left = [];
    return updates.values();
  }

  /** The native side that fills this buffer from now on. @internal */
  bind(runtime: RuntimeHandle): void {
    this.#left.push(...this.#fetch()); // B1
    this.#bound = { runtime, reader: new BufferedMetricsReader() };
  }

  #fetch(): BufferedMetricUpdate[] {
    return this.#bound?.reader.read(loadNative().metricFetch(this.#bound.runtime)) ?? [];
  }
}
