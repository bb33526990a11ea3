import { NativeActivityWorker } from '@perdure/activity-worker/native';
import * as activities from './activities.js';

async function main(): Promise<void> {
  const worker = await NativeActivityWorker.create({
    address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233',
    taskQueue: 'activities-only',
    activities,
    shutdownGraceTime: '1s',
  });
  await worker.run(); // until SIGINT or SIGTERM
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
