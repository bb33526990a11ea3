import { NativeConnection, Worker } from '@perdure/worker';

async function main(): Promise<void> {
  const connection = await NativeConnection.connect({
    address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233',
  });
  try {
    const worker = await Worker.create({
      connection,
      taskQueue: 'counter',
      workflowsPath: require.resolve('./workflows.js'),
    });
    await worker.run(); // until SIGINT or SIGTERM
  } finally {
    await connection.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
