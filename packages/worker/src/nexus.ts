/** Wires a Nexus runner to a worker. Loaded only by workers with Nexus services. */
import type { Client } from '@perdure/client';
import type { LoadedDataConverter } from '@perdure/common';
import type { NexusRunner, NexusRunnerHooks } from '@perdure/nexus/runner';
import type { Runtime } from './runtime';
import type { CompiledWorkerOptions } from './worker-options';

export function makeNexusRunner(
  options: CompiledWorkerOptions,
  dataConverter: LoadedDataConverter,
  runtime: Runtime,
  client: () => Client | undefined,
  hooks: NexusRunnerHooks,
): NexusRunner {
  const nexus = require('@perdure/nexus/runner') as typeof import('@perdure/nexus/runner');
  return new nexus.NexusRunner({
    namespace: options.namespace,
    taskQueue: options.taskQueue,
    services: options.nexusServices,
    dataConverter,
    interceptors: options.interceptors.nexus,
    logger: runtime.logger,
    metricMeter: runtime.metricMeter,
    client,
    hooks,
  });
}
