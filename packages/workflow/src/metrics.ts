/**
 * Metrics from workflow code.
 *
 * J1  Nothing is recorded on replay.
 * J2  Recording crosses to the main thread as a call of the sink `__temporal_metrics`.
 */
import { type Metric, type MetricMeter, type MetricTags, ValueError } from '@perdure/common';
import { RecordingMeter } from '@perdure/common/lib/recording-meter';
import { intercept } from './interceptors';
import { requireRun } from './runtime/run';
import { callSink, isReplayingHistory } from './sinks';

function record(metric: Metric, value: number, tags: MetricTags): void {
  const { kind, valueType, name, unit, description } = metric;
  if (kind === 'counter' && value < 0) throw new ValueError('MetricCounter value must be non-negative');
  if (kind !== 'up-down-counter' && value < 0)
    throw new ValueError(`The value of metric '${name}' must not be negative`);
  const run = requireRun('metricMeter');
  if (isReplayingHistory(run)) return; // J1
  const { namespace, taskQueue } = run.worker.registration;
  const interceptors = run.interceptors;
  const own: MetricTags = { namespace, taskQueue, workflowType: run.workflowType };
  const base =
    interceptors === undefined
      ? own
      : intercept(interceptors.outbound, 'getMetricTags', (input: MetricTags) => input)(own);
  callSink(run, '__temporal_metrics', 'record', [
    { kind, valueType, name, unit, description },
    value,
    { ...base, ...tags },
  ]); // J2
}

/** Meter of workflow code: silent on replay; tags name namespace, task queue and workflow type. */
export const metricMeter: MetricMeter = new RecordingMeter(record);
