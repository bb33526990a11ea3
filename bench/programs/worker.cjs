// A worker that tells what it has used. Prints "ready" once it runs, then answers every line on standard input with
// one line of JSON; shuts down when standard input ends.
const { createInterface } = require('node:readline');
const { NativeConnection, Worker } = require('@temporalio/worker');

async function main() {
  const [address, taskQueue, maxCachedWorkflows] = process.argv.slice(2);
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    identity: 'bench',
    maxCachedWorkflows: Number(maxCachedWorkflows),
    workflowsPath: require.resolve('./workflows.ts'),
    activities: { greet: async (name) => `Hello, ${name}!` },
  });
  const running = worker.run();
  while (worker.getState() === 'INITIALIZED') await new Promise(setImmediate);
  console.log('ready');
  createInterface({ input: process.stdin })
    .on('line', () => {
      const { user, system } = process.cpuUsage();
      console.log(JSON.stringify({ cpuMs: (user + system) / 1000, rssBytes: process.memoryUsage.rss() }));
    })
    .on('close', () => worker.shutdown());
  await running;
  await connection.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
