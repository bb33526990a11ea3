/**
 * A process with a polling worker and two waiting lanes, which ends in the way that its first argument names.
 * Second argument: address of the server.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  connect,
  Events,
  native,
  openLane,
  openRuntime,
  startWorkflow,
  stop,
  unique,
  workerOptions,
} from './hand-worker';

async function main(how: string, address: string): Promise<void> {
  const runtime = openRuntime();
  const connection = await connect(runtime, address);
  const busy = how.startsWith('terminate-busy');
  const lanes = [
    await openLane({ lane: 1, behaviour: busy ? 'spin' : 'complete' }),
    await openLane({ lane: 2, behaviour: busy ? 'spin' : 'complete' }),
  ];
  const taskQueue = unique('exit');
  const events = new Events();
  const worker = native.workerOpen(runtime, connection, workerOptions(taskQueue), events.listener);
  native.workerStart(worker, [1, 2]);
  if (how !== 'exit-at-once') {
    for (let index = 0; index < 4; index += 1) await startWorkflow(connection, taskQueue, 'empty');
    await sleep(200);
  }
  process.stdout.write('up\n');
  switch (how) {
    case 'exit':
    case 'exit-at-once':
      process.exit(7);
      break;
    case 'throw':
      setTimeout(() => {
        throw new Error('boom');
      }, 1);
      break;
    case 'sigterm':
      process.kill(process.pid, 'SIGTERM');
      break;
    case 'stay':
      break; // the parent kills, or the worker keeps the process alive
    case 'finish':
      await stop(worker, events);
      break; // nothing keeps the process alive any more
    case 'terminate':
    case 'terminate-busy':
      // Lanes with callbacks on their way: work goes on coming while they end.
      for (let index = 0; index < 4; index += 1) void startWorkflow(connection, taskQueue, 'empty');
      await Promise.all(lanes.map((lane) => lane.terminate()));
      for (let index = 0; index < 4; index += 1) await startWorkflow(connection, taskQueue, 'empty');
      await sleep(300);
      process.stdout.write('terminated\n');
      process.exit(7);
  }
}

void main(process.argv[2]!, process.argv[3]!);
