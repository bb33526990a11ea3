import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@perdure/client';
import { convert } from './workflows.js';

async function main(slow: boolean): Promise<void> {
  const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233' });
  try {
    const client = new Client({ connection });
    const handle = await client.workflow.start(convert, {
      taskQueue: 'sessions',
      workflowId: `convert-${randomUUID()}`,
      args: ['a\nb\nc', slow ? 5000 : 10],
    });
    console.log(`started ${handle.workflowId}`);
    console.log(`result: ${await handle.result()}`);
  } finally {
    await connection.close();
  }
}

main(process.argv[2] === 'slow').catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
