import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@perdure/client';
import { add, counter, current, finish } from './workflows.js';

async function main(): Promise<void> {
  const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233' });
  try {
    const client = new Client({ connection });
    const handle = await client.workflow.start(counter, {
      taskQueue: 'counter',
      workflowId: `counter-${randomUUID()}`,
      args: [10],
    });
    await handle.signal(add, 5);
    await handle.signal(add, -3);
    console.log(`current: ${await handle.query(current)}`);
    await handle.signal(finish);
    console.log(`result: ${await handle.result()}`);
  } finally {
    await connection.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
