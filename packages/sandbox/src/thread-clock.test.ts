import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { cpuMsOf, ownThread } from './thread-clock';

const whereKnown = ownThread() === undefined ? it.failing : it;

whereKnown('the clock of another thread goes on while that works, and stands while it waits', async () => {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     const { ownThread } = require(workerData);
     parentPort.once('message', () => {
       const cpu = () => process.cpuUsage().user / 1000;
       const begin = cpu();
       while (cpu() - begin < 300);
       parentPort.postMessage('worked');
     });
     parentPort.postMessage(ownThread());`,
    { eval: true, workerData: require.resolve('./thread-clock') },
  );
  const [thread] = (await once(worker, 'message')) as [string];
  expect(thread).toMatch(new RegExp(`^${process.pid}/task/\\d+$`));
  expect(thread).not.toBe(ownThread());
  await new Promise((resolve) => setTimeout(resolve, 50));
  const before = cpuMsOf(thread)!;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(cpuMsOf(thread)! - before).toBeLessThan(50);
  worker.postMessage('work');
  await once(worker, 'message');
  expect(cpuMsOf(thread)! - before).toBeGreaterThanOrEqual(100);
  await worker.terminate();
  expect(cpuMsOf(thread)).toBeUndefined();
});

it('nothing is known of a thread that does not say which it is', () => {
  expect(cpuMsOf(undefined)).toBeUndefined();
  expect(cpuMsOf('0/task/0')).toBeUndefined();
});
