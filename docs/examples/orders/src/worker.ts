import { NativeConnection, Worker } from '@perdure/worker';
import { createActivities, emptyShop } from './activities.js';
import { encryptedWith } from './data-converter.js';

async function main(): Promise<void> {
  const connection = await NativeConnection.connect({
    address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233',
  });
  try {
    const worker = await Worker.create({
      connection,
      taskQueue: 'orders',
      workflowsPath: require.resolve('./workflows.js'),
      activities: createActivities(emptyShop({ tea: 100, pot: 3 })),
      dataConverter: encryptedWith(),
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
