/**
 * A worker in debug mode whose workflow forgets to await a promise that is rejected. Prints why the task failed.
 * Argument: the address of the server.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ApplicationFailure } from '@perdure/activity';
import { Client, Connection } from '@perdure/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@perdure/worker';

async function main(address: string): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection: await Connection.connect({ address }) });
  const taskQueue = `debug-${randomUUID()}`;
  const worker = await Worker.create({
    connection,
    taskQueue,
    debugMode: true,
    workflowsPath: join(__dirname, '..', '..', 'src', 'workflows', 'stacks.ts'),
    activities: {
      throws: async () => {
        throw ApplicationFailure.nonRetryable('nobody is there to catch this');
      },
    },
  });
  await worker.runUntil(async () => {
    const handle = await client.workflow.start('forgetsToAwait', { taskQueue, workflowId: taskQueue });
    for (;;) {
      const { events } = await handle.fetchHistory();
      const failed = events?.find((event) => event.workflowTaskFailedEventAttributes);
      if (failed === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        continue;
      }
      console.log(JSON.stringify(failed.workflowTaskFailedEventAttributes?.failure?.message).slice(1, -1));
      break;
    }
    await handle.terminate();
  });
  await client.connection.close();
  await connection.close();
  console.log('still here');
}

void main(process.argv[2] ?? '');
