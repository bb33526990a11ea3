/**
 * The one meter behind all of ours: every value that is recorded is one call of a function.
 *
 * R1  A metric is one object however it is tagged: who gets the records can keep things by it.
 * R2  Tags of the meter, of the metric and of the record are merged; the later win.
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
} from './metrics';

/** Gets each value. What it throws is thrown at whoever recorded the value. */
export type RecordMetric = (metric: Metric, value: number, tags: MetricTags) => void;

/** A metric of any kind: it has the methods of all of them, the interfaces show those of its own. */
class RecordingMetric implements Metric {
  constructor(
    private readonly metric: Metric,
    private readonly tags: MetricTags,
    private readonly send: RecordMetric,
  ) {}

  get name(): string {
    return this.metric.name;
  }

  get unit(): string | undefined {
    return this.metric.unit;
  }

  get description(): string | undefined {
    return this.metric.description;
  }

  get kind(): MetricKind {
    return this.metric.kind;
  }

  get valueType(): NumericMetricValueType {
    return this.metric.valueType;
  }

  add(value: number, extraTags?: MetricTags): void {
    this.send(this.metric, value, { ...this.tags, ...extraTags }); // R1, R2
  }

  set(value: number, extraTags?: MetricTags): void {
    this.add(value, extraTags);
  }

  record(value: number, extraTags?: MetricTags): void {
    this.add(value, extraTags);
  }

  withTags(tags: MetricTags): RecordingMetric {
    return new RecordingMetric(this.metric, { ...this.tags, ...tags }, this.send);
  }
}

/** A meter that gives each value to a function. */
export class RecordingMeter implements MetricMeter {
  constructor(
    private readonly send: RecordMetric,
    private readonly tags: MetricTags = {},
  ) {}

  createCounter(name: string, unit?: string, description?: string): MetricCounter {
    return this.make({ kind: 'counter', valueType: 'int', name, unit, description });
  }

  createHistogram(
    name: string,
    valueType: NumericMetricValueType = 'int',
    unit?: string,
    description?: string,
  ): MetricHistogram {
    return this.make({ kind: 'histogram', valueType, name, unit, description });
  }

  createGauge(
    name: string,
    valueType: NumericMetricValueType = 'int',
    unit?: string,
    description?: string,
  ): MetricGauge {
    return this.make({ kind: 'gauge', valueType, name, unit, description });
  }

  createUpDownCounter(name: string, unit?: string, description?: string): MetricUpDownCounter {
    return this.make({ kind: 'up-down-counter', valueType: 'int', name, unit, description });
  }

  withTags(tags: MetricTags): RecordingMeter {
    return new RecordingMeter(this.send, { ...this.tags, ...tags });
  }

  private make<M extends Metric>(metric: Metric): M {
    return new RecordingMetric(metric, this.tags, this.send) as Metric as M;
  }
}
