/**
 * `npm start`: from a fresh clone to a Workflow that has run on a real Temporal Server.
 *
 * S1  In a terminal, server and worker stay up until Ctrl-C. Without one, or with CI=true, everything stops once the
 *     result has been shown, with status 0.
 * S2  Whatever this script starts, it stops, however it ends itself.
 * S3  Ports are chosen when they are needed; ports in use by others are never in the way.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { must } from './tools/exec.mjs';
import { childEnv, packageBin, root } from './tools/paths.mjs';
import { setUp } from './tools/setup.mjs';

const example = join(root, 'docs', 'examples', 'hello');
const staysUp = process.stdout.isTTY === true && !/^(1|true)$/i.test(process.env.CI ?? ''); // S1
const WORKER_STOP_MS = 10_000;

let worker;
let server;
let stopping = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (stopping) process.exit(130); // asked twice: at once
    console.log('\nStopping');
    void stop().then(() => process.exit(0));
  });
}
process.on('exit', () => worker?.kill('SIGKILL')); // S2; the server ends with its owner by itself

try {
  await main();
} catch (error) {
  console.error(`\n${error?.message ?? error}`);
  process.exitCode = 1;
  await stop();
}

async function main() {
  await setUp((line) => step(line));
  await must([process.execPath, packageBin('typescript', 'tsc'), '-p', example]);

  step('Starting a Temporal dev server (the first time, it is installed into the cache)');
  const { startDevServer } = await import('@perdure/dev-server');
  server = await startDevServer({ ui: true });
  console.log(`  serving ${server.address}${server.uiUrl ? `, Web UI ${server.uiUrl}` : ''}`);

  step('Starting a worker: docs/examples/hello/src/worker.ts');
  worker = startWorker();

  step('Running a Workflow: docs/examples/hello/src/client.ts');
  const output = await runClient();
  const workflowId = /^started (\S+)$/m.exec(output)?.[1];
  const result = /^result: (.*)$/m.exec(output)?.[1];
  if (result === undefined) throw new Error(`the Workflow gave no result:\n${output}`);

  console.log(`\nThe Workflow ${workflowId} has run. Its result: ${result}`);
  if (server.uiUrl)
    console.log(`Its history: ${server.uiUrl}/namespaces/${server.namespace}/workflows/${workflowId}`);
  console.log('What to read next: docs/getting-started.md');

  if (staysUp) {
    console.log('\nServer and worker stay up until Ctrl-C. In another terminal, another Workflow:');
    console.log(`  TEMPORAL_ADDRESS=${server.address} node docs/examples/hello/lib/client.js Ada`);
    await worker.ended;
    if (!stopping) throw new Error('the worker has ended');
  } else {
    await stop();
  }
}

function step(line) {
  console.log(`• ${line}`);
}

function startWorker() {
  const child = spawn(process.execPath, [join(example, 'lib', 'worker.js')], {
    env: childEnv({ TEMPORAL_ADDRESS: server.address }),
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C is for this script, which stops the worker; a worker that gets both signals takes the second for "at once".
    detached: process.platform !== 'win32',
  });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => console.log(`  worker | ${line}`));
  }
  child.ended = new Promise((resolve) => child.once('close', resolve));
  return child;
}

/** @returns {Promise<string>} what the client printed; it fails with the worker, so that nobody waits for nothing */
async function runClient() {
  const ended = worker.ended.then((code) => {
    throw new Error(`the worker ended with status ${code} before the Workflow had finished`);
  });
  const client = must([process.execPath, join(example, 'lib', 'client.js')], {
    env: { TEMPORAL_ADDRESS: server.address },
    quiet: true,
    timeoutMs: 120_000,
  });
  ended.catch(() => {}); // heard through the race, or wanted
  return (await Promise.race([client, ended])).output;
}

/** S2 */
async function stop() {
  stopping = true;
  if (worker && worker.exitCode === null && worker.signalCode === null) {
    worker.kill('SIGTERM');
    const timer = setTimeout(() => worker.kill('SIGKILL'), WORKER_STOP_MS);
    await worker.ended;
    clearTimeout(timer);
  }
  await server?.stop();
}
