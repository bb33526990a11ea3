/**
 * `npm run check:packages`: what would be published is packed, inspected, installed in a clean folder and run.
 */
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, npmCommand, run } from './tools/exec.mjs';
import { copyExample, edit, installPacked, installSize, packAll, remove } from './tools/pack.mjs';
import { childEnv, packageBin, readJson, root, workspacePackages } from './tools/paths.mjs';
import { setUp } from './tools/setup.mjs';
import { Tally } from './tools/tally.mjs';

/** Full install: worker, client and everything they need. */
const MAX_INSTALL_MB = 60;
/** The client alone: itself, messages, gRPC and what gRPC needs. */
const MAX_CLIENT_INSTALL_MB = 12;
/** A worker for activities alone. */
const MAX_ACTIVITIES_INSTALL_MB = 25;
const MB = 1_000_000;
/** For what hangs: each of these takes seconds. */
const TIMEOUT_MS = 300_000;

const ACTIVITY_WORKERS = [
  {
    name: 'in pure TypeScript',
    packages: ['activity', 'activity-worker', 'client'],
    worker: 'worker.js',
    maxMb: MAX_ACTIVITIES_INSTALL_MB,
  },
  // The addon is most of it.
  {
    name: 'on the native core',
    packages: ['activity', 'activity-worker', 'core'],
    worker: 'worker-native.js',
    maxMb: MAX_INSTALL_MB,
  },
];

await setUp();
const tally = new Tally('packages');
const scratch = await mkdtemp(join(tmpdir(), 'perdure-packed-'));
let packed;
let server;
try {
  await tally.check('npm pack', async () => {
    packed = await packAll(join(scratch, 'tarballs'));
    for (const [name, { files }] of packed) checkContents(name, files);
    return `${packed.size} tarballs`;
  });
  if (packed) {
    await inPairs(
      workspacePackages().flatMap(({ name }) => [
        () => tally.check(`are the types wrong ${name}`, () => attw(packed.get(name).file)),
        () => tally.check(`publint ${name}`, () => publint(packed.get(name).file)),
      ]),
    );
    const { startDevServer } = await import('@perdure/dev-server');
    server = await startDevServer();
    await tally.check('hello from tarballs, CommonJS', () => helloFromTarballs('commonjs'));
    await tally.check('hello from tarballs, ESM', () => helloFromTarballs('module'));
    await tally.check('the tests of docs/examples/orders from tarballs', ordersFromTarballs);
    await tally.check('every package loads by require and by import', everyEntry);
    for (const { name, packages, worker, maxMb } of ACTIVITY_WORKERS) {
      await tally.check(`activities alone, ${name}: nothing else is installed, at most ${maxMb} MB`, () =>
        activitiesAlone(name, packages, worker, maxMb),
      );
    }
    await tally.check(`the client alone takes at most ${MAX_CLIENT_INSTALL_MB} MB`, clientInstall);
    await tally.check(`full install takes at most ${MAX_INSTALL_MB} MB`, fullInstall);
  }
} finally {
  await server?.stop();
  await remove(scratch);
}
tally.end();

/** Two at a time: each is one busy process, and the smallest machine we know has two cores. */
async function inPairs(tasks) {
  const left = tasks.values();
  const work = async () => {
    for (const task of left) await task();
  };
  await Promise.all([work(), work()]);
}

function checkContents(name, files) {
  const stray = files.filter((file) => /\.test\.|\/testing\/|tsbuildinfo|^src\/|^gen\//.test(file));
  if (stray.length > 0) throw new Error(`${name} ships ${stray.slice(0, 5).join(', ')}`);
  for (const needed of ['package.json', 'README.md', 'LICENSE']) {
    if (!files.includes(needed)) throw new Error(`${name} ships no ${needed}`);
  }
}

async function publint(tarball) {
  await must([process.execPath, packageBin('publint'), 'run', tarball, '--strict'], { quiet: true });
}

/** Every resolution there is, that of before `exports` too, as ESM and as CommonJS; wildcard exports are covered by running the code. */
async function attw(tarball) {
  await must(
    [
      process.execPath,
      packageBin('@arethetypeswrong/cli', 'attw'),
      tarball,
      '--profile',
      'strict',
      '--format',
      'ascii',
    ],
    { quiet: true },
  );
}

/** Compiles and runs docs/examples/hello against the real server, with nothing but the tarballs installed. */
async function helloFromTarballs(type) {
  const dir = join(scratch, type);
  const { dependencies, devDependencies } = await copyExample('hello', dir);
  if (type === 'module') {
    await edit(join(dir, 'src', 'worker.ts'), [
      ["require.resolve('./workflows.js')", "fileURLToPath(new URL('./workflows.js', import.meta.url))"],
      [
        "import * as activities from './activities.js';",
        "import { fileURLToPath } from 'node:url';\nimport * as activities from './activities.js';",
      ],
    ]);
  }
  await installPacked(dir, packed, {
    name: `hello-${type}`,
    type,
    packages: Object.keys(dependencies),
    extra: devDependencies,
  });
  await must([process.execPath, join(dir, 'node_modules', ...typescriptBin(dir)), '-p', dir], {
    quiet: true,
    cwd: dir,
  });
  const worker = spawn(process.execPath, ['lib/worker.js'], {
    cwd: dir,
    env: childEnv({ TEMPORAL_ADDRESS: server.address }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  worker.stdout.on('data', (chunk) => {
    log += chunk;
  });
  worker.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const ended = new Promise((resolve) => worker.once('close', resolve));
  try {
    const { code, output } = await run([process.execPath, 'lib/client.js', type], {
      cwd: dir,
      env: { TEMPORAL_ADDRESS: server.address },
      quiet: true,
      timeoutMs: TIMEOUT_MS,
    });
    if (code !== 0 || !output.includes(`result: Hello, ${type}!`)) {
      throw new Error(`client ended with status ${code}:\n${output}\nworker:\n${log}`);
    }
    worker.kill('SIGTERM');
    const status = await ended;
    if (status !== 0) throw new Error(`the worker ended with status ${status} after SIGTERM:\n${log}`);
  } finally {
    worker.kill('SIGKILL');
    await ended;
  }
}

/** Runs `npm test` of docs/examples/orders as its README says, with nothing but the tarballs installed. */
async function ordersFromTarballs() {
  const dir = join(scratch, 'orders');
  const { scripts, dependencies, devDependencies } = await copyExample('orders', dir);
  const ours = (pkg) => pkg.startsWith('@perdure/');
  const all = { ...dependencies, ...devDependencies };
  await installPacked(dir, packed, {
    name: 'orders',
    packages: Object.keys(all).filter(ours),
    extra: Object.fromEntries(Object.entries(all).filter(([pkg]) => !ours(pkg))),
  });
  const manifest = readJson(join(dir, 'package.json'));
  await writeFile(join(dir, 'package.json'), JSON.stringify({ ...manifest, scripts }, null, 2));
  const { output } = await must([...npmCommand(), 'test'], {
    cwd: dir,
    env: { NODE_OPTIONS: '' },
    quiet: true,
    timeoutMs: TIMEOUT_MS,
  });
  const passed = /^# pass ([0-9]+)$/m.exec(output)?.[1];
  const wanted = (await readFile(join(dir, 'src', 'orders.test.ts'), 'utf8')).match(/^test\(/gm).length;
  if (Number(passed) !== wanted) throw new Error(`${passed} of ${wanted} tests have passed:\n${output}`);
  return `${passed} tests`;
}

function typescriptBin(dir) {
  const { bin } = readJson(join(dir, 'node_modules', 'typescript', 'package.json'));
  return ['typescript', ...bin.tsc.split('/')];
}

/** Installs what an activity-only worker needs, and runs docs/examples/activities-only with it. */
async function activitiesAlone(name, packages, workerFile, maxMb) {
  const dir = join(scratch, workerFile);
  await installPacked(dir, packed, {
    name: 'activities',
    packages: packages.map((pkg) => `@perdure/${pkg}`),
  });
  const { totalBytes, byPackage } = installSize(dir);
  const allowed = new Set([...packages, 'common', 'proto'].map((pkg) => `@perdure/${pkg}`));
  const stray = byPackage
    .map(([pkg]) => pkg)
    .filter((pkg) => pkg.startsWith('@perdure/') && !allowed.has(pkg.replace(/^(@perdure\/core)-.*/, '$1')));
  if (stray.length > 0) throw new Error(`it brings along ${stray.join(', ')}`);
  // The client of the example is not on the worker's machine: the one of the checkout asks for the work.
  const example = join(root, 'docs', 'examples', 'activities-only');
  await must([process.execPath, packageBin('typescript', 'tsc'), '-p', example], { quiet: true });
  await cp(join(example, 'lib'), join(dir, 'lib'), { recursive: true });
  const env = { TEMPORAL_ADDRESS: server.address };
  const worker = spawn(process.execPath, [join('lib', workerFile)], {
    cwd: dir,
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
    const { output } = await run([process.execPath, join(example, 'lib', 'client.js'), '3'], {
      env,
      quiet: true,
      timeoutMs: TIMEOUT_MS,
    });
    if (!output.includes('result: counted to 3'))
      throw new Error(`the client said:\n${output}\nworker:\n${log}`);
    worker.kill('SIGTERM');
    const status = await ended;
    if (status !== 0) throw new Error(`the worker ended with status ${status} after SIGTERM:\n${log}`);
  } finally {
    worker.kill('SIGKILL');
    await ended;
  }
  const mb = (totalBytes / MB).toFixed(1);
  if (totalBytes > maxMb * MB) throw new Error(`${name} takes ${mb} MB`);
  return `${mb} MB`;
}

/** One instance of every export, whichever way it is loaded; names must be visible to ESM without running the code. */
async function everyEntry() {
  const dir = join(scratch, 'module');
  const names = workspacePackages()
    .filter(({ name, manifest }) => packed.has(name) && manifest.exports?.['.'])
    .map(({ name }) => name)
    .filter((name) => installSize(dir).byPackage.some(([pkg]) => pkg === name));
  await writeFile(
    join(dir, 'entries.mjs'),
    `import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
for (const name of ${JSON.stringify(names)}) {
  const required = require(name);
  const imported = await import(name);
  for (const key of Object.keys(required)) {
    if (key === '__esModule' || key === 'default') continue;
    if (!(key in imported)) throw new Error(name + ': ESM does not see ' + key);
    if (imported[key] !== required[key]) throw new Error(name + ': two instances of ' + key);
  }
}
process.exit(0);
`,
  );
  await must([process.execPath, 'entries.mjs'], { cwd: dir, quiet: true, timeoutMs: TIMEOUT_MS });
  return names.map((name) => name.replace('@perdure/', '')).join(', ');
}

async function fullInstall() {
  const dir = join(scratch, 'full');
  await installPacked(dir, packed, { name: 'full' });
  return sizeWithin(dir, MAX_INSTALL_MB);
}

async function clientInstall() {
  const dir = join(scratch, 'client');
  await installPacked(dir, packed, { name: 'client-only', packages: ['@perdure/client'] });
  return sizeWithin(dir, MAX_CLIENT_INSTALL_MB);
}

function sizeWithin(dir, limitMb) {
  const { totalBytes, byPackage } = installSize(dir);
  const top = byPackage
    .slice(0, 12)
    .map(([name, bytes]) => `        ${(bytes / MB).toFixed(1).padStart(6)} MB  ${name}`);
  console.log(`      install size ${(totalBytes / MB).toFixed(1)} MB:\n${top.join('\n')}`);
  if (totalBytes > limitMb * MB) throw new Error(`${(totalBytes / MB).toFixed(1)} MB`);
  return `${(totalBytes / MB).toFixed(1)} MB`;
}
