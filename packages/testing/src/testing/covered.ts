/** Runs one workflow in a process of its own, and prints what `__coverage__` holds afterwards. */
import { randomUUID } from 'node:crypto';
import { TestWorkflowEnvironment } from '@perdure/testing';
import { quiet, workerOf } from './support';

async function main() {
  quiet();
  const env = await TestWorkflowEnvironment.createLocal();
  const worker = await workerOf(env);
  const { taskQueue } = worker.options;
  await worker.runUntil(
    env.client.workflow.execute('hello', { taskQueue, workflowId: randomUUID(), args: ['cover'] }),
  );
  await env.teardown();
  process.stdout.write(JSON.stringify((globalThis as { __coverage__?: object }).__coverage__ ?? null));
}

void main();
