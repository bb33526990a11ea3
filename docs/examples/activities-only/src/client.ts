import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@perdure/client';
import type * as activities from './activities.js';

async function main(limit: number, cancel: boolean): Promise<void> {
  const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233' });
  try {
    const client = new Client({ connection });
    const handle = await client.activity.typed<typeof activities>().start('count', {
      id: `count-${randomUUID()}`,
      taskQueue: 'activities-only',
      args: [limit],
      startToCloseTimeout: '1 minute',
      heartbeatTimeout: '2s',
      retry: { initialInterval: '100ms' },
    });
    console.log(`started ${handle.activityId}`);
    if (cancel) setTimeout(() => handle.cancel('not needed any more').catch(console.error), 1000);
    try {
      console.log(`result: ${await handle.result()}`);
    } catch (error) {
      if (!cancel) throw error;
      console.log('cancelled');
    }
  } finally {
    await connection.close();
  }
}

main(Number(process.argv[2] ?? 20), process.argv[3] === 'cancel').catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
