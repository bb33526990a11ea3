/** Metrics: the interfaces that user code sees, a meter that does nothing, and composition of tags. */
import { RecordingMeter } from './recording-meter';

export type NumericMetricValueType = 'int' | 'float';
export type MetricKind = 'counter' | 'histogram' | 'gauge' | 'up-down-counter';
export type MetricTags = Record<string, string | number | boolean>;
/** Tags, or a function that gives them when a value is recorded. */
export type MetricTagsOrFunc = MetricTags | (() => MetricTags);

/** What all metrics have. */
export interface Metric {
  readonly name: string;
  readonly unit?: string;
  readonly description?: string;
  readonly kind: MetricKind;
  readonly valueType: NumericMetricValueType;
}

/** Goes up only. */
export interface MetricCounter extends Metric {
  readonly kind: 'counter';
  readonly valueType: 'int';
  /** @param value not negative */
  add(value: number, extraTags?: MetricTags): void;
  withTags(tags: MetricTags): MetricCounter;
}

/** Records a distribution. */
export interface MetricHistogram extends Metric {
  readonly kind: 'histogram';
  /** @param value one sample, not negative */
  record(value: number, extraTags?: MetricTags): void;
  withTags(tags: MetricTags): MetricHistogram;
}

/** Holds the last value. */
export interface MetricGauge extends Metric {
  readonly kind: 'gauge';
  /** @param value not negative */
  set(value: number, extraTags?: MetricTags): void;
  withTags(tags: MetricTags): MetricGauge;
}

/** Goes up and down. */
export interface MetricUpDownCounter extends Metric {
  readonly kind: 'up-down-counter';
  readonly valueType: 'int';
  add(value: number, extraTags?: MetricTags): void;
  withTags(tags: MetricTags): MetricUpDownCounter;
}

/** Makes metrics. */
export interface MetricMeter {
  createCounter(name: string, unit?: string, description?: string): MetricCounter;
  /** @param valueType default 'int' */
  createHistogram(
    name: string,
    valueType?: NumericMetricValueType,
    unit?: string,
    description?: string,
  ): MetricHistogram;
  /** @param valueType default 'int' */
  createGauge(
    name: string,
    valueType?: NumericMetricValueType,
    unit?: string,
    description?: string,
  ): MetricGauge;
  /** Meters written before this kind existed lack it. */
  createUpDownCounter?(name: string, unit?: string, description?: string): MetricUpDownCounter;
  /** A meter whose metrics also carry these tags. */
  withTags(tags: MetricTags): MetricMeter;
}

/** A meter that does nothing. */
export const noopMetricMeter = new RecordingMeter(() => undefined);

function resolveTags(contributors: readonly MetricTagsOrFunc[], extra?: MetricTags): MetricTags {
  const all: MetricTags = {};
  for (const each of contributors) Object.assign(all, typeof each === 'function' ? each() : each);
  return Object.assign(all, extra);
}

/**
 * Adds tags to every metric of another meter. Functions are asked when a value is recorded. Later tags win over
 * earlier ones, those of a single record over all.
 */
export class MetricMeterWithComposedTags implements MetricMeter {
  readonly #parent: MetricMeter;
  readonly #contributors: readonly MetricTagsOrFunc[];

  /**
   * A meter that adds these tags to what `meter` adds already.
   * @param force  wrap even when there is nothing to add
   */
  static compose(meter: MetricMeter, tagsOrFunc: MetricTagsOrFunc, force = false): MetricMeter {
    const adds = typeof tagsOrFunc === 'function' || Object.keys(tagsOrFunc).length > 0;
    if (meter instanceof MetricMeterWithComposedTags) {
      return adds
        ? new MetricMeterWithComposedTags(meter.#parent, [...meter.#contributors, tagsOrFunc])
        : meter;
    }
    return adds || force ? new MetricMeterWithComposedTags(meter, adds ? [tagsOrFunc] : []) : meter;
  }

  constructor(parent: MetricMeter, contributors: readonly MetricTagsOrFunc[]) {
    this.#parent = parent;
    this.#contributors = contributors;
  }

  createCounter(name: string, unit?: string, description?: string): MetricCounter {
    return new ComposedCounter(this.#parent.createCounter(name, unit, description), this.#contributors);
  }

  createHistogram(
    name: string,
    valueType: NumericMetricValueType = 'int',
    unit?: string,
    description?: string,
  ): MetricHistogram {
    const parent = this.#parent.createHistogram(name, valueType, unit, description);
    return new ComposedHistogram(parent, this.#contributors);
  }

  createGauge(
    name: string,
    valueType: NumericMetricValueType = 'int',
    unit?: string,
    description?: string,
  ): MetricGauge {
    const parent = this.#parent.createGauge(name, valueType, unit, description);
    return new ComposedGauge(parent, this.#contributors);
  }

  createUpDownCounter(name: string, unit?: string, description?: string): MetricUpDownCounter {
    const parent =
      this.#parent.createUpDownCounter === undefined
        ? noopMetricMeter.createUpDownCounter(name, unit, description)
        : this.#parent.createUpDownCounter(name, unit, description);
    return new ComposedUpDownCounter(parent, this.#contributors);
  }

  withTags(tags: MetricTags): MetricMeter {
    return new MetricMeterWithComposedTags(this.#parent, [...this.#contributors, tags]);
  }
}

abstract class ComposedMetric<M extends Metric> {
  constructor(
    protected readonly parent: M,
    protected readonly contributors: readonly MetricTagsOrFunc[],
  ) {}

  get name(): string {
    return this.parent.name;
  }

  get unit(): string | undefined {
    return this.parent.unit;
  }

  get description(): string | undefined {
    return this.parent.description;
  }

  protected tags(extra?: MetricTags): MetricTags {
    return resolveTags(this.contributors, extra);
  }
}

class ComposedCounter extends ComposedMetric<MetricCounter> implements MetricCounter {
  readonly kind = 'counter';
  readonly valueType = 'int';

  add(value: number, extraTags?: MetricTags): void {
    this.parent.add(value, this.tags(extraTags));
  }

  withTags(tags: MetricTags): MetricCounter {
    return new ComposedCounter(this.parent, [...this.contributors, tags]);
  }
}

class ComposedHistogram extends ComposedMetric<MetricHistogram> implements MetricHistogram {
  readonly kind = 'histogram';

  get valueType(): NumericMetricValueType {
    return this.parent.valueType;
  }

  record(value: number, extraTags?: MetricTags): void {
    this.parent.record(value, this.tags(extraTags));
  }

  withTags(tags: MetricTags): MetricHistogram {
    return new ComposedHistogram(this.parent, [...this.contributors, tags]);
  }
}

class ComposedGauge extends ComposedMetric<MetricGauge> implements MetricGauge {
  readonly kind = 'gauge';

  get valueType(): NumericMetricValueType {
    return this.parent.valueType;
  }

  set(value: number, extraTags?: MetricTags): void {
    this.parent.set(value, this.tags(extraTags));
  }

  withTags(tags: MetricTags): MetricGauge {
    return new ComposedGauge(this.parent, [...this.contributors, tags]);
  }
}

class ComposedUpDownCounter extends ComposedMetric<MetricUpDownCounter> implements MetricUpDownCounter {
  readonly kind = 'up-down-counter';
  readonly valueType = 'int';

  add(value: number, extraTags?: MetricTags): void {
    this.parent.add(value, this.tags(extraTags));
  }

  withTags(tags: MetricTags): MetricUpDownCounter {
    return new ComposedUpDownCounter(this.parent, [...this.contributors, tags]);
  }
}
