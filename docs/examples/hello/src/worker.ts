import { NativeConnection, Worker } from '@perdure/worker';
import * as activities from './activities.js';

async function main(): Promise<void> {
  const connection = await NativeConnection.connect({
    address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233',
  });
  try {
    const worker = await Worker.create({
      connection,
      taskQueue: 'hello',
      workflowsPath: require.resolve('./workflows.js'),
      activities,
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
