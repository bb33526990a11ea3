/** Wires an activity runner to a worker. */
import type { ActivityRunner, ActivityRunnerHooks } from '@perdure/activity/runner';
import type { Client } from '@perdure/client';
import type { LoadedDataConverter } from '@perdure/common';
import type { Runtime } from './runtime';
import type { CompiledWorkerOptions } from './worker-options';

export function makeActivityRunner(
  options: CompiledWorkerOptions,
  dataConverter: LoadedDataConverter,
  runtime: Runtime,
  client: () => Client | undefined,
  hooks: ActivityRunnerHooks,
): ActivityRunner {
  const activity = require('@perdure/activity/runner') as typeof import('@perdure/activity/runner');
  return new activity.ActivityRunner({
    namespace: options.namespace,
    taskQueue: options.taskQueue,
    activities: options.activities,
    dataConverter,
    interceptors: options.interceptors.activity,
    logger: runtime.logger,
    metricMeter: runtime.metricMeter,
    client,
    hooks,
  });
}
