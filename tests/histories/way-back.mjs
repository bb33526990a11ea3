/**
 * The way back: random programs run here, and the official SDK replays their histories.
 *
 *   node tests/histories/way-back.mjs [--programs 60] [--seed 5] [--sdk FOLDER]
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../../scripts/tools/paths.mjs';
import { copyWorkflows, officialPackages, silentLogger } from './official.mjs';

const { values: given } = parseArgs({
  options: {
    sdk: { type: 'string', default: join(root, 'bench') },
    programs: { type: 'string', default: '60' },
    seed: { type: 'string', default: '5' },
  },
});
const require = createRequire(import.meta.url);
const official = officialPackages(given.sdk);
const { Context } = require('@perdure/activity');
const { Client, Connection } = require('@perdure/client');
const { startDevServer } = require('@perdure/dev-server');
const { History } = require('@perdure/proto/temporal/api/history/v1/message');
const { NativeConnection, Runtime, Worker } = require('@perdure/worker');
const { makeActivities, makeCases, runCases } = require('../lib/fuzz/campaign.js');
const { temporal } = official('@temporalio/proto');
const theirs = official('@temporalio/worker');

Runtime.install({ logger: silentLogger });
theirs.Runtime.install({ logger: silentLogger });
const src = join(root, 'tests', 'src', 'workflows');
const copies = await copyWorkflows(given.sdk, 'way-back', ['fuzz.ts']);
const server = await startDevServer({ useExisting: false });
const client = new Client({ connection: await Connection.connect({ address: server.address }) });
const connection = await NativeConnection.connect({ address: server.address });
let failed = 0;
try {
  const taskQueue = 'way-back';
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowsPath: join(src, 'fuzz.ts'),
    activities: makeActivities(() => Context.current().info.attempt),
  });
  const cases = makeCases(Number(given.seed), Number(given.programs));
  const recorded = await worker.runUntil(() => runCases(client, taskQueue, cases, 20));
  const histories = recorded.map(({ name, history }) => ({
    workflowId: name,
    history: temporal.api.history.v1.History.decode(History.encode(history).finish()),
  }));
  const results = theirs.Worker.runReplayHistories({ workflowsPath: copies.path('fuzz.ts') }, histories);
  for await (const { runId, error } of results) {
    if (error === undefined) continue;
    failed++;
    const { name, steps } = recorded.find((run) => run.runId === runId);
    console.log(`${name} ${JSON.stringify(steps)}: ${error.message}`);
  }
  console.log(`${histories.length} histories of this SDK, ${failed} that the official one cannot replay`);
} finally {
  await client.connection.close();
  await connection.close();
  await server.stop();
  await copies.remove();
}
process.exitCode = failed === 0 ? 0 : 1;
