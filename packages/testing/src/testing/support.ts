/** What the tests of this package share. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@perdure/testing';
import { DefaultLogger, Runtime, Worker, type WorkerOptions } from '@perdure/worker';
import * as activities from './activities';

export const workflowsPath = join(__dirname, '../../src/testing/workflows.ts');

/** Call before the first worker: lines below ERROR are of no interest here. */
export function quiet(): void {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
  });
}

/** A worker of the environment, on a task queue of its own, with the workflows and activities of this folder. */
export async function workerOf(
  env: TestWorkflowEnvironment,
  options: Partial<WorkerOptions> = {},
): Promise<Worker> {
  return await Worker.create({
    connection: env.nativeConnection,
    namespace: env.namespace,
    taskQueue: `queue-${randomUUID()}`,
    workflowsPath,
    activities,
    ...options,
  });
}

/** The error of a promise that has to reject. */
export async function rejection(promise: Promise<unknown>): Promise<any> {
  return await promise.then(
    (value) => {
      throw new Error(`resolved to ${JSON.stringify(value)} instead of rejecting`);
    },
    (error: unknown) => error,
  );
}
