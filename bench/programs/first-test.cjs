// A test file as a user writes it: a server of its own, a worker, one workflow, one assertion. Tells when it was green.
const assert = require('node:assert/strict');
const { writeFileSync } = require('node:fs');
const { after, before, test } = require('node:test');
const { TestWorkflowEnvironment } = require('@temporalio/testing');
const { Worker } = require('@temporalio/worker');

let env;
before(async () => {
  const executable = { type: 'existing-path', path: process.env.BENCH_SERVER };
  env = await TestWorkflowEnvironment.createLocal({ server: { executable } });
});
after(() => env?.teardown());

test('greets through an activity', async () => {
  const worker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue: 'first',
    workflowsPath: require.resolve('./workflows.ts'),
    activities: { greet: async (name) => `Hello, ${name}!` },
  });
  const result = await worker.runUntil(
    env.client.workflow.execute('hello', { taskQueue: 'first', workflowId: 'first', args: ['Ada'] }),
  );
  assert.equal(result, 'Hello, Ada!');
  writeFileSync(process.env.BENCH_GREEN, String(Date.now()));
});
