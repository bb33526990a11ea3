/** A worker with sessions in a process of its own. Environment: TEST_ADDRESS, TEST_QUEUE, TEST_HOST. */
import { activityInfo, Context } from '@perdure/activity';
import { enableSessions } from '@perdure/sessions';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@perdure/worker';

const { TEST_ADDRESS: address, TEST_QUEUE: taskQueue = '', TEST_HOST: resourceId = '' } = process.env;

async function main(): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('WARN') });
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    plugins: [enableSessions({ resourceId, maxConcurrentSessions: 5 })],
    activities: {
      where: async () => `${resourceId} on ${activityInfo().taskQueue}`,
      async hang(): Promise<void> {
        process.stdout.write('hanging\n');
        await Context.current().cancelled;
      },
    },
    maxHeartbeatThrottleInterval: '100ms',
  });
  process.stdout.write('ready\n');
  await worker.run();
  await connection.close();
}

void main();
