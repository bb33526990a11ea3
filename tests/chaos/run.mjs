/**
 * `npm run chaos -- [--rounds 3] [--seed 7] [--workflows 200] [--only kill,sigterm,restart,proxy,lanes,everything]`: workers
 * that are killed and stopped, a server that is restarted, a network that cuts, delays and swallows, all under load.
 * See tests/src/chaos.
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
    rounds: { type: 'string', default: '1' },
    workflows: { type: 'string', default: '200' },
    only: { type: 'string' },
    seed: { type: 'string' },
    built: { type: 'boolean', default: false },
  },
});
if (!values.built) {
  await setUp();
  await must([process.execPath, packageBin('typescript', 'tsc'), '-b', 'tests/tsconfig.json']);
}

const require = createRequire(import.meta.url);
const { Runtime } = require('@perdure/worker');
const { runChaos } = require('../lib/chaos/campaign.js');
const { SCENARIOS } = require('../lib/chaos/scenarios.js');

const known = Object.keys(SCENARIOS);
const scenarios = values.only?.split(',') ?? known;
for (const name of scenarios) {
  if (!known.includes(name)) throw new Error(`--only ${name}: takes ${known.join(', ')}`);
}
const nothing = () => {};
Runtime.install({
  logger: { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing },
});
let failed = false;
for (let round = 1; !failed && (values.rounds === '0' || round <= Number(values.rounds)); round++) {
  const seed =
    values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed) + round - 1;
  for (const scenario of scenarios) {
    const began = performance.now();
    const { failures, ...report } = await runChaos({ scenario, seed, workflows: Number(values.workflows) });
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`${scenario}, seed ${seed}, ${seconds} s: ${JSON.stringify(report)}`);
    for (const failure of failures) console.log(`FAILED ${failure}`);
    failed ||= failures.length > 0;
  }
}
process.exitCode = failed ? 1 : 0;
