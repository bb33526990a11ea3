import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@perdure/client';
import { hello } from './workflows.js';

async function main(): Promise<void> {
  const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233' });
  try {
    const client = new Client({ connection });
    const handle = await client.workflow.start(hello, {
      taskQueue: 'hello',
      workflowId: `hello-${randomUUID()}`,
      args: [process.argv[2] ?? 'Perdure'],
    });
    console.log(`started ${handle.workflowId}`);
    console.log(`result: ${await handle.result()}`);
  } finally {
    await connection.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
