/**
 * A worker of the chaos campaigns, in a process of its own. Says "polling" once it polls and "ended" when it has
 * stopped in order; CHAOS_FILE gets a line for each activity that runs.
 *
 * Environment: CHAOS_ADDRESS, CHAOS_QUEUE, CHAOS_FILE, CHAOS_LANES ("process" or nothing).
 */
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@perdure/worker';

const { CHAOS_ADDRESS: address, CHAOS_QUEUE: taskQueue = '', CHAOS_FILE: file = '' } = process.env;

async function main(): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('WARN') });
  const connection = await patiently(() => NativeConnection.connect({ address }));
  const worker = await patiently(() =>
    Worker.create({
      connection,
      taskQueue,
      workflowsPath: join(__dirname, '..', '..', 'src', 'workflows', 'chaos.ts'),
      activities: { work },
      maxCachedWorkflows: 100, // fewer than there are runs: some come back by replay
      stickyQueueScheduleToStartTimeout: '1s',
      shutdownGraceTime: '10s',
      ...(process.env.CHAOS_LANES === 'process' && { lanes: 'process', workflowThreadPoolSize: 2 }),
    }),
  );
  const run = worker.run();
  process.stdout.write('polling\n');
  await run;
  process.stdout.write(`ended ${worker.getState()}\n`);
  await connection.close();
}

/** Who connects and who makes a worker asks the server at once, and that is away now and then. */
async function patiently<T>(make: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await make();
    } catch (error) {
      if (attempt === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

async function work(workflow: number, step: number): Promise<string> {
  const token = `${workflow}/${step}/${randomUUID()}`;
  appendFileSync(file, `${token}\n`);
  await new Promise((resolve) => setTimeout(resolve, 5 + ((workflow + step) % 7) * 5));
  return token;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
