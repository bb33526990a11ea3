/** Wires an activity runner to a worker. */
import type { ActivityRunner, ActivityRunnerHooks } from '@perdure/activity/runner';
import type { Client } from '@perdure/client';
import type { LoadedDataConverter } from '@perdure/common';
import { limitsOfNamespace } from '@perdure/common/lib/internal-non-workflow';
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
    payloadLimits: options.disablePayloadErrorLimit
      ? false
      : () => namespaceLimits(client(), options.namespace),
    hooks,
  });
}

async function namespaceLimits(client: Client | undefined, namespace: string) {
  const described = await client?.workflowService.describeNamespace({ namespace });
  return limitsOfNamespace(described?.namespaceInfo?.limits);
}
