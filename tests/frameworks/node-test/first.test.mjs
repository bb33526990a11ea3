import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { expectSteps, TestWorkflowEnvironment } from '@perdure/testing';
import { Worker } from '@perdure/worker';

let env;
before(async () => {
  env = await TestWorkflowEnvironment.createShared();
});
after(() => env?.teardown());

test('a workflow greets through an activity, on the server that all files share', async () => {
  assert.equal(env.options.server.type, 'existing');
  const taskQueue = randomUUID();
  const worker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue,
    workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
    activities: { greet: async (name) => `Hello, ${name}!` },
  });
  await worker.runUntil(async () => {
    const handle = await env.client.workflow.start('greeting', {
      taskQueue,
      workflowId: randomUUID(),
      args: ['node'],
    });
    assert.equal(await handle.result(), 'Hello, node!');
    await expectSteps(handle, ['timer 1 ms', 'activity greet']);
  });
});
