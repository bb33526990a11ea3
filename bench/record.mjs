/**
 * Records the histories that the replay benchmarks use: real runs of bench/programs/workflows.ts on a real server, by
 * the official worker, so that both sides replay what the official one wrote.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from '../scripts/tools/paths.mjs';
import { installDependencies, setUp } from '../scripts/tools/setup.mjs';
import { historyFile, preparePrograms, startWorker } from './harness/contenders.mjs';
import { Load } from './harness/load.mjs';

const RECORDINGS = [
  { name: 'hello-11-events', type: 'hello', args: ['Perdure'], events: 11 },
  { name: 'chain-6005-events', type: 'chain', args: [1000], events: 6005 },
];

await setUp();
await installDependencies(console.log, join(root, 'bench'));
await preparePrograms();
const { startDevServer } = await import('@perdure/dev-server');
const { temporal } = createRequire(join(root, 'bench', 'package.json'))('@temporalio/proto');
const server = await startDevServer({ useExisting: false });
const worker = startWorker('official', { address: server.address, taskQueue: 'bench' });
try {
  await worker.ready;
  const load = await Load.connect(server.address);
  await mkdir(join(root, 'bench', 'histories'), { recursive: true });
  for (const { name, type, args, events } of RECORDINGS) {
    const handle = await load.start(type, 'bench', args);
    await handle.result();
    const history = await handle.fetchHistory();
    if (history.events.length !== events)
      throw new Error(`${name}: ${history.events.length} events, wanted ${events}`);
    await writeFile(historyFile(name), temporal.api.history.v1.History.encode(history).finish());
    console.log(`${name}: ${events} events`);
  }
  await load.close();
} finally {
  await worker.stop();
  await server.stop();
}
