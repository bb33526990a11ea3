// Workers in one process, each on a task queue of its own, with the same workflows. Runs 30 workflows with an activity,
// spread over the workers, and prints the process's resident memory afterwards as one line of JSON.
const { NativeConnection, Worker, bundleWorkflowCode } = require('@temporalio/worker');

async function main() {
  const [address, prefix, count] = process.argv.slice(2);
  const connection = await NativeConnection.connect({ address });
  const { code } = await bundleWorkflowCode({ workflowsPath: require.resolve('./workflows.ts') });
  const workers = await Promise.all(
    Array.from({ length: Number(count) }, (_, i) =>
      Worker.create({
        connection,
        taskQueue: `${prefix}-${i}`,
        workflowBundle: { code },
        activities: { greet: async (name) => `Hello, ${name}!` },
      }),
    ),
  );
  const running = workers.map((worker) => worker.run());
  await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      workers[0].client.workflow.execute('hello', {
        taskQueue: `${prefix}-${i % workers.length}`,
        workflowId: `${prefix}-${i}-${process.pid}`,
        args: ['Ada'],
      }),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 1000));
  console.log(JSON.stringify({ rssBytes: process.memoryUsage.rss() }));
  for (const worker of workers) worker.shutdown();
  await Promise.all(running);
  await connection.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
