/**
 * Metrics through the native side: user code's into the core's exporter, and what the core has buffered out of it.
 *
 * M1  A metric is defined once per runtime, when it first records: making one costs nothing native.
 * M2  A value that a metric cannot take is an error of the caller; metrics that are off take everything.
 * M3  One object per metric and per tag set, however many updates name it.
 */
import type {
  Metric,
  MetricCounter,
  MetricGauge,
  MetricHistogram,
  MetricKind,
  MetricMeter,
  MetricTags,
  MetricUpDownCounter,
  NumericMetricValueType,
} from '@perdure/common';
import {
  BufferedMetrics,
  MetricDefinition,
  type MetricTag,
  MetricUpdates,
} from '@perdure/proto/perdure/core/v1/metrics';
import Long from 'long';
import type { Native, RuntimeHandle } from './native';
import { loadNative } from './native-errors';

class CoreMetric implements Metric {
  #runtime: RuntimeHandle | undefined;
  #number = 0;

  constructor(
    private readonly runtime: () => RuntimeHandle,
    readonly kind: MetricKind,
    readonly valueType: NumericMetricValueType,
    readonly name: string,
    readonly unit: string | undefined,
    readonly description: string | undefined,
    private readonly tags: MetricTags,
  ) {}

  add(value: number, extraTags?: MetricTags): void {
    this.record(value, extraTags);
  }

  set(value: number, extraTags?: MetricTags): void {
    this.record(value, extraTags);
  }

  record(value: number, extraTags?: MetricTags): void {
    const native = loadNative();
    const runtime = this.runtime();
    const metric = this.defined(native, runtime);
    const tags = toTags({ ...this.tags, ...extraTags });
    native.metricRecord(runtime, MetricUpdates.encode({ items: [{ metric, value, tags }] }).finish());
  }

  withTags(tags: MetricTags): CoreMetric {
    const { runtime, kind, valueType, name, unit, description } = this;
    return new CoreMetric(runtime, kind, valueType, name, unit, description, { ...this.tags, ...tags });
  }

  /** M1 */
  private defined(native: Native, runtime: RuntimeHandle): number {
    if (this.#runtime !== runtime) {
      const { name, unit, description, kind, valueType } = this;
      const definition = { name, unit, description, kind, float: valueType === 'float' };
      this.#number = native.metricDefine(runtime, MetricDefinition.encode(definition).finish());
      this.#runtime = runtime;
    }
    return this.#number;
  }
}

class CoreMetricMeter implements MetricMeter {
  constructor(
    private readonly runtime: () => RuntimeHandle,
    private readonly tags: MetricTags,
  ) {}

  createCounter(name: string, unit?: string, description?: string): MetricCounter {
    return this.make('counter', 'int', name, unit, description) as unknown as MetricCounter;
  }

  createHistogram(
    name: string,
    valueType: NumericMetricValueType = 'int',
    unit?: string,
    description?: string,
  ): MetricHistogram {
    return this.make('histogram', valueType, name, unit, description) as unknown as MetricHistogram;
  }

  createGauge(
    name: string,
    valueType: NumericMetricValueType = 'int',
    unit?: string,
    description?: string,
  ): MetricGauge {
    return this.make('gauge', valueType, name, unit, description) as unknown as MetricGauge;
  }

  createUpDownCounter(name: string, unit?: string, description?: string): MetricUpDownCounter {
    return this.make('up-down-counter', 'int', name, unit, description) as unknown as MetricUpDownCounter;
  }

  withTags(tags: MetricTags): MetricMeter {
    return new CoreMetricMeter(this.runtime, { ...this.tags, ...tags });
  }

  private make(
    kind: MetricKind,
    valueType: NumericMetricValueType,
    name: string,
    unit: string | undefined,
    description: string | undefined,
  ): CoreMetric {
    return new CoreMetric(this.runtime, kind, valueType, name, unit, description, this.tags);
  }
}

/**
 * A meter that records into the core's exporter, under the names it is given: without the prefix of the core's own.
 * Recording throws CORE_OPTIONS_INVALID for a negative value (but for up-down-counters), for NaN and for infinities.
 * @param runtime  asked at each record
 */
export function coreMetricMeter(runtime: () => RuntimeHandle): MetricMeter {
  return new CoreMetricMeter(runtime, {});
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
