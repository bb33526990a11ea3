import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { cpuMsOf, ownThread } from './thread-clock';

const whereKnown = cpuMsOf(ownThread()) === undefined ? it.failing : it;

whereKnown('the clock of another thread goes on while that works, and stands while it waits', async () => {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     const { cpuMsOf, ownThread } = require(workerData);
     const thread = ownThread();
     parentPort.on('message', () => {
       const begin = cpuMsOf(thread);
       while (cpuMsOf(thread) - begin < 200);
       parentPort.postMessage('worked');
     });
     parentPort.postMessage(thread);`,
    { eval: true, workerData: require.resolve('./thread-clock') },
  );
  const [thread] = (await once(worker, 'message')) as [string];
  expect(thread).toMatch(new RegExp(`^${process.pid}/task/\\d+$`));
  expect(thread).not.toBe(ownThread());
  // It stands as soon as the thread has started up.
  let before = -1;
  while (cpuMsOf(thread) !== before) {
    before = cpuMsOf(thread)!;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  worker.postMessage('work');
  await once(worker, 'message');
  expect(cpuMsOf(thread)! - before).toBeGreaterThanOrEqual(200);
  await worker.terminate();
  expect(cpuMsOf(thread)).toBeUndefined();
});

it('nothing is known of a thread that does not say which it is', () => {
  expect(cpuMsOf(undefined)).toBeUndefined();
  expect(cpuMsOf('0/task/0')).toBeUndefined();
});
