/**
 * Metrics from workflow code.
 *
 * J1  Nothing is recorded on replay.
 * J2  Recording crosses to the main thread as a call of the sink `__temporal_metrics`.
 */
import {
  type MetricCounter,
  type MetricGauge,
  type MetricHistogram,
  type MetricKind,
  type MetricMeter,
  type MetricTags,
  type MetricUpDownCounter,
  type NumericMetricValueType,
  ValueError,
} from '@perdure/common';
import { intercept } from './interceptors';
import { requireRun } from './runtime/run';
import { callSink, isReplayingHistory } from './sinks';

class WorkflowMetric {
  constructor(
    readonly kind: MetricKind,
    readonly valueType: NumericMetricValueType,
    readonly name: string,
    readonly unit: string | undefined,
    readonly description: string | undefined,
    private readonly tags: MetricTags,
  ) {}

  add(value: number, extraTags?: MetricTags): void {
    if (this.kind === 'counter' && value < 0)
      throw new ValueError('MetricCounter value must be non-negative');
    this.record(value, extraTags);
  }

  set(value: number, extraTags?: MetricTags): void {
    this.record(value, extraTags);
  }

  record(value: number, extraTags?: MetricTags): void {
    if (this.kind !== 'up-down-counter' && value < 0) {
      throw new ValueError(`The value of metric '${this.name}' must not be negative`);
    }
    const run = requireRun('metricMeter');
    if (isReplayingHistory(run)) return; // J1
    const { namespace, taskQueue } = run.worker.registration;
    const interceptors = run.interceptors;
    const own: MetricTags = { namespace, taskQueue, workflowType: run.workflowType };
    const base =
      interceptors === undefined
        ? own
        : intercept(interceptors.outbound, 'getMetricTags', (input: MetricTags) => input)(own);
    const { kind, valueType, name, unit, description } = this;
    callSink(run, '__temporal_metrics', 'record', [
      { kind, valueType, name, unit, description },
      value,
      { ...base, ...this.tags, ...extraTags },
    ]);
  }

  withTags(tags: MetricTags): WorkflowMetric {
    const { kind, valueType, name, unit, description } = this;
    return new WorkflowMetric(kind, valueType, name, unit, description, { ...this.tags, ...tags });
  }
}

class WorkflowMeter implements MetricMeter {
  constructor(private readonly tags: MetricTags) {}

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
    return new WorkflowMeter({ ...this.tags, ...tags });
  }

  private make(
    kind: MetricKind,
    valueType: NumericMetricValueType,
    name: string,
    unit: string | undefined,
    description: string | undefined,
  ): WorkflowMetric {
    return new WorkflowMetric(kind, valueType, name, unit, description, this.tags);
  }
}

/** Meter of workflow code: silent on replay; tags name namespace, task queue and workflow type. */
export const metricMeter: MetricMeter = new WorkflowMeter({});
