// One real dev server for all integration tests of a jest run; each test uses task queues and ids of its own.
const { startDevServer } = require('@perdure/dev-server');

module.exports = async () => {
  const server = await startDevServer({
    startTimeoutMs: 120_000, // what it takes at most, where many tests start at the same time
    searchAttributes: { TestKeyword: 'Keyword' },
    dynamicConfigValues: {
      'frontend.enableUpdateWorkflowExecution': true,
      // Versioning by build ids, as it was before deployments.
      'frontend.workerVersioningDataAPIs': true,
      'frontend.workerVersioningWorkflowAPIs': true,
      // Nexus operations that updates and activities without a workflow back.
      'history.enableUpdateCallbacks': true,
      'activity.enableCallbacks': true,
      // Nexus operations without a workflow.
      'nexusoperation.enableStandalone': true,
    },
  });
  process.env.PERDURE_TEST_ADDRESS = server.address;
  globalThis.__perdureTestServer = server;
};
