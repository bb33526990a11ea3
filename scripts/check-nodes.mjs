/**
 * `npm run check:nodes`: the main path on every supported Node.js line, not only on the one at hand.
 *
 * V1  A Node.js binary comes from the package registry, into the cache, and never replaces the one that runs this.
 * V2  For each line: hello on a real server, and the tests of the packages that touch V8 or the native addon.
 * V3  The cache holds only complete installations.
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { must, run } from './tools/exec.mjs';
import { npmInstall } from './tools/npm.mjs';
import { cacheDir, childEnv, packageBin, root } from './tools/paths.mjs';
import { typeProjects } from './tools/projects.mjs';
import { setUp } from './tools/setup.mjs';
import { Tally } from './tools/tally.mjs';

const LINES = [20, 22, 24];
/** For what hangs; it takes a second or two. */
const CLIENT_TIMEOUT_MS = 300_000;
const PACKAGES = ['packages/core', 'packages/sandbox', 'packages/workflow'];

await setUp();
await must([process.execPath, packageBin('typescript', 'tsc'), '-b', ...typeProjects()]);
const tally = new Tally('Node.js versions');
const { startDevServer } = await import('@perdure/dev-server');
const server = await startDevServer();
try {
  for (const line of LINES) {
    const isOurs = process.versions.node.startsWith(`${line}.`);
    if (isOurs) continue; // `npm test` has done all of it
    let node;
    await tally.check(`Node.js ${line} is there`, async () => {
      node = await nodeBinary(line);
      return (await must([node, '--version'], { quiet: true })).stdout.trim();
    });
    if (!node) continue;
    await tally.check(`Node.js ${line}: hello`, () => hello(node, `Node.js ${line}`));
    await tally.check(`Node.js ${line}: tests of ${PACKAGES.map((p) => p.slice(9)).join(', ')}`, async () => {
      const { output } = await must([node, packageBin('jest'), '--maxWorkers=2', ...PACKAGES], {
        quiet: true,
      });
      return /^Tests: +(.*)$/m.exec(output)?.[1];
    });
  }
} finally {
  await server.stop();
}
tally.end();

/** V1 */
async function nodeBinary(line) {
  const os = { linux: 'linux', darwin: 'darwin', win32: 'win' }[process.platform];
  const name = `node-${os}-${process.arch}`;
  const dir = join(cacheDir, 'node', String(line));
  const binary = join(dir, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  const works = async () => (await run([binary, '--version'], { quiet: true })).code === 0;
  if (await works()) return binary;
  // V3: installed aside. Another run may do the same; whoever is late takes what is there.
  await mkdir(dirname(dir), { recursive: true });
  const aside = await mkdtemp(`${dir}.tmp-`);
  try {
    await writeFile(join(aside, 'package.json'), '{ "private": true }\n');
    await npmInstall(aside, [`${name}@${line}`, '--no-save']);
    await rename(aside, dir).catch(async () => {
      if (await works()) return;
      await rm(dir, { recursive: true, force: true }); // what is there is broken
      await rename(aside, dir);
    });
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return binary;
}

async function hello(node, name) {
  const example = join(root, 'docs', 'examples', 'hello', 'lib');
  const env = { TEMPORAL_ADDRESS: server.address };
  const worker = spawn(node, [join(example, 'worker.js')], {
    env: childEnv(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [worker.stdout, worker.stderr]) {
    stream.on('data', (chunk) => {
      log += chunk;
    });
  }
  const ended = new Promise((resolve) => worker.once('close', resolve));
  try {
    const client = await run([node, join(example, 'client.js'), name], {
      env,
      quiet: true,
      timeoutMs: CLIENT_TIMEOUT_MS,
    });
    if (client.code !== 0 || !client.output.includes(`result: Hello, ${name}!`)) {
      throw new Error(`client ended with status ${client.code}:\n${client.output}\nworker:\n${log}`);
    }
    worker.kill('SIGTERM');
    const status = await ended;
    if (status !== 0) throw new Error(`the worker ended with status ${status} after SIGTERM:\n${log}`);
  } finally {
    worker.kill('SIGKILL');
    await ended;
  }
}
