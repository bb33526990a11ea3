import { randomUUID } from 'node:crypto';
import { Client, Connection, WorkflowFailedError } from '@perdure/client';
import { rootCause } from '@perdure/common';
import { encryptedWith } from './data-converter.js';
import { delivered, getStatus, order } from './workflows.js';

async function main(): Promise<void> {
  const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233' });
  try {
    const client = new Client({ connection, dataConverter: encryptedWith() });
    const orderId = randomUUID();
    const handle = await client.workflow.start(order, {
      taskQueue: 'orders',
      workflowId: `order-${orderId}`,
      args: [
        {
          orderId,
          items: [{ sku: 'tea', quantity: 2 }],
          card: '4242 4242 4242 4242',
          cents: 1250,
          address: process.argv[2] ?? '1 Main Street',
        },
      ],
    });
    console.log('started', handle.workflowId);
    await handle.signal(delivered);
    console.log('result', await handle.result());
    console.log('status', await handle.query(getStatus));
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    console.log('undone:', rootCause(error.cause));
  } finally {
    await connection.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
