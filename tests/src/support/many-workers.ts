/**
 * Workers in one process, each on a task queue of its own, with the same workflows: argv is address, prefix of the
 * queues, number of workers. Runs 30 workflows, spread over the workers, and prints the resident memory in bytes.
 */
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@perdure/worker';

const WORKFLOWS = 30;

async function main(): Promise<void> {
  const [address, prefix, count] = process.argv.slice(2) as [string, string, string];
  Runtime.install({ logger: new DefaultLogger('WARN') });
  const connection = await NativeConnection.connect({ address });
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(__dirname, '..', '..', 'src', 'workflows', 'activities.ts'),
  });
  const workers = await Promise.all(
    Array.from({ length: Number(count) }, (_, i) =>
      Worker.create({
        connection,
        taskQueue: `${prefix}-${i}`,
        workflowBundle: { code },
        activities: { greet: async (name: string) => `hello, ${name}` },
      }),
    ),
  );
  const running = Promise.all(workers.map((worker) => worker.run()));
  await Promise.all(
    Array.from({ length: WORKFLOWS }, (_, i) =>
      workers[0]!.client!.workflow.execute('greetOnce', {
        taskQueue: `${prefix}-${i % workers.length}`,
        workflowId: `${prefix}-${i}`,
        args: ['x'],
      }),
    ),
  );
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.(); // what is no longer used does not count
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  process.stdout.write(`${process.memoryUsage.rss()}\n`);
  for (const worker of workers) worker.shutdown();
  await running;
  await connection.close();
}

void main();
