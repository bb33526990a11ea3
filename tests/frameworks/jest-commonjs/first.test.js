const { randomUUID } = require('node:crypto');
const { TestWorkflowEnvironment, expectSteps } = require('@perdure/testing');
const { Worker } = require('@perdure/worker');

let env;
beforeAll(async () => {
  env = await TestWorkflowEnvironment.createShared();
});
afterAll(() => env?.teardown());

test('a workflow greets through an activity, on the server that all files share', async () => {
  expect(env.options.server.type).toBe('existing');
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
      args: ['jest'],
    });
    expect(await handle.result()).toBe('Hello, jest!');
    await expectSteps(handle, ['timer 1 ms', 'activity greet']);
  });
});
