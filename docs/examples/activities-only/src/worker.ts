import { ActivityWorker } from '@perdure/activity-worker';
import { Connection } from '@perdure/client';
import * as activities from './activities.js';

async function main(): Promise<void> {
  const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233' });
  try {
    const worker = await ActivityWorker.create({
      connection,
      taskQueue: 'activities-only',
      activities,
      shutdownGraceTime: '1s',
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
