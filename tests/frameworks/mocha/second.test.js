const assert = require('node:assert');
const { randomUUID } = require('node:crypto');
const { TestWorkflowEnvironment, expectSteps } = require('@perdure/testing');
const { Worker } = require('@perdure/worker');

describe('a workflow', () => {
  let env;
  before(async () => {
    env = await TestWorkflowEnvironment.createShared();
  });
  after(() => env?.teardown());

  it('greets through an activity, on the server that all files share', async () => {
    assert.strictEqual(env.options.server.type, 'existing');
    const taskQueue = randomUUID();
    const worker = await Worker.create({
      connection: env.nativeConnection,
      taskQueue,
      workflowsPath: require.resolve('./workflows.ts'),
      activities: { greet: async (name) => `Hello, ${name}!` },
    });
    await worker.runUntil(async () => {
      const handle = await env.client.workflow.start('greeting', {
        taskQueue,
        workflowId: randomUUID(),
        args: ['mocha'],
      });
      assert.strictEqual(await handle.result(), 'Hello, mocha!');
      await expectSteps(handle, ['timer 1 ms', 'activity greet']);
    });
  });
});
