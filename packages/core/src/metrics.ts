/**
 * Metrics through the native side: user code's into the core's exporter, and what the core has buffered out of it.
 *
 * M1  A metric is defined once per runtime, when it first records: making one costs nothing native.
 * M2  A value that a metric cannot take is an error of the caller; metrics that are off take everything.
 * M3  One object per metric and per tag set, however many updates name it.
 */
import type { Metric, MetricKind, MetricMeter, MetricTags } from '@perdure/common';
import { RecordingMeter } from '@perdure/common/lib/recording-meter';
import {
  BufferedMetrics,
  MetricDefinition,
  type MetricTag,
  MetricUpdates,
} from '@perdure/proto/perdure/core/v1/metrics';
import Long from 'long';
import type { Native, RuntimeHandle } from './native';
import { loadNative } from './native-errors';

/**
 * A meter that records into the core's exporter, under the names it is given: without the prefix of the core's own.
 * Recording throws CORE_OPTIONS_INVALID for a negative value (but for up-down-counters), for NaN and for infinities.
 * @param runtime  asked at each record
 */
export function coreMetricMeter(runtime: () => RuntimeHandle): MetricMeter {
  const numbers = new WeakMap<Metric, { readonly runtime: RuntimeHandle; readonly metric: number }>();
  return new RecordingMeter((metric, value, tags) => {
    const native = loadNative();
    const current = runtime();
    let defined = numbers.get(metric);
    if (defined?.runtime !== current) {
      defined = { runtime: current, metric: define(native, current, metric) }; // M1
      numbers.set(metric, defined);
    }
    const items = [{ metric: defined.metric, value, tags: toTags(tags) }];
    native.metricRecord(current, MetricUpdates.encode({ items }).finish());
  });
}

function define(native: Native, runtime: RuntimeHandle, metric: Metric): number {
  const { name, unit, description, kind, valueType } = metric;
  const definition = { name, unit, description, kind, float: valueType === 'float' };
  return native.metricDefine(runtime, MetricDefinition.encode(definition).finish());
}

/** One update of a metric. `metric` and `attributes` are the same objects whenever they are equal. */
export interface BufferedMetricUpdate {
  readonly metric: Metric;
  /** What was added, recorded or set. */
  readonly value: number;
  readonly attributes: MetricTags;
}

/** Reads what `metricFetch` of one runtime gives. */
export class BufferedMetricsReader {
  readonly #metrics = new Map<number, Metric>(); // M3
  readonly #tagSets = new Map<number, MetricTags>();

  /** @param batch BufferedMetrics; batches are to be read in their order, and none left out */
  read(batch: Uint8Array): BufferedMetricUpdate[] {
    const { metrics = [], tagSets = [], updates = [] } = BufferedMetrics.decode(batch);
    for (const { metric = 0, name = '', unit, description, kind, float } of metrics) {
      const valueType = float ? 'float' : 'int';
      this.#metrics.set(
        metric,
        Object.freeze({
          name,
          ...(unit && { unit }),
          ...(description && { description }),
          kind: kind as MetricKind,
          valueType,
        }),
      );
    }
    for (const { tagSet = 0, tags = [] } of tagSets) this.#tagSets.set(tagSet, Object.freeze(fromTags(tags)));
    return updates.map(({ metric = 0, tagSet = 0, value = 0 }) => ({
      metric: this.#metrics.get(metric)!,
      value,
      attributes: this.#tagSets.get(tagSet)!,
    }));
  }
}

function toTags(tags: MetricTags): MetricTag[] {
  return Object.entries(tags).map(([key, value]) => {
    if (typeof value === 'boolean') return { key, flag: value };
    if (Number.isSafeInteger(value)) return { key, integer: Long.fromNumber(value as number) };
    return typeof value === 'number' ? { key, float: value } : { key, text: String(value) };
  });
}

function fromTags(tags: readonly MetricTag[]): MetricTags {
  return Object.fromEntries(
    tags.map(({ key = '', text, integer, float, flag }) => [
      key,
      text ?? integer?.toNumber() ?? float ?? flag ?? '',
    ]),
  );
}
