import { enableSessions } from '@perdure/sessions';
import { NativeConnection, Worker } from '@perdure/worker';
import * as activities from './activities.js';

async function main(): Promise<void> {
  const connection = await NativeConnection.connect({
    address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233',
  });
  try {
    const worker = await Worker.create({
      connection,
      taskQueue: 'sessions',
      workflowsPath: require.resolve('./workflows.js'),
      activities,
      plugins: [enableSessions({ maxConcurrentSessions: 2 })],
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
