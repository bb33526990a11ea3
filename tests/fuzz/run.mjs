/**
 * `npm run fuzz -- [--programs 2000] [--seed 7] [--concurrency 40] [--cache 1]`: random workflow programs on a real
 * server, with a large cache and with one of size 1 (or with the one given), every history replayed whole and cut at
 * every task. See tests/src/fuzz.
 *
 * Without a seed each round takes a new one; with `--rounds 0` it goes on until something is found.
 */
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { must } from '../../scripts/tools/exec.mjs';
import { packageBin } from '../../scripts/tools/paths.mjs';
import { setUp } from '../../scripts/tools/setup.mjs';

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '1000' },
    concurrency: { type: 'string', default: '40' },
    rounds: { type: 'string', default: '1' },
    seed: { type: 'string' },
    cache: { type: 'string' },
  },
});
await setUp();
await must([process.execPath, packageBin('typescript', 'tsc'), '-b', 'tests/tsconfig.json']);

const require = createRequire(import.meta.url);
const { startDevServer } = require('@perdure/dev-server');
const { Client, Connection } = require('@perdure/client');
const { NativeConnection, Runtime } = require('@perdure/worker');
const { runCampaign } = require('../lib/fuzz/campaign.js');

Runtime.install({ logger: silentLogger() });
const server = await startDevServer({ useExisting: false });
const client = new Client({ connection: await Connection.connect({ address: server.address }) });
const connection = await NativeConnection.connect({ address: server.address });
const MODES =
  values.cache === undefined
    ? [
        { maxCachedWorkflows: 1000, witness: false },
        { maxCachedWorkflows: 1, witness: true },
      ]
    : [{ maxCachedWorkflows: Number(values.cache), witness: true }];
let failed = false;
try {
  for (let round = 1; !failed && (values.rounds === '0' || round <= Number(values.rounds)); round++) {
    const seed =
      values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed) + round - 1;
    for (const mode of MODES) {
      const began = performance.now();
      const { failures, ...report } = await runCampaign({
        client,
        connection,
        seed,
        programs: Number(values.programs),
        concurrency: Number(values.concurrency),
        ...mode,
      });
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      console.log(`seed ${seed}, ${JSON.stringify(mode)}, ${seconds} s: ${JSON.stringify(report)}`);
      for (const failure of failures) console.log(`FAILED ${failure}`);
      failed ||= failures.length > 0;
    }
  }
} finally {
  await connection.close();
  await client.connection.close();
  await server.stop();
}
process.exitCode = failed ? 1 : 0;

/** Programs fail by design; what the worker says of that would bury the report. */
function silentLogger() {
  const nothing = () => {};
  return { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };
}
