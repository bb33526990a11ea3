/**
 * `node packages/testing/bench/ten-files.mjs`: what ten test files under jest pay for the workflow bundle, each of which
 * makes a worker on a shared server.
 *
 * The bundle's time is that of the first `bundleWorkflowCode` in a file, loading of the bundler included: jest loads
 * every module anew for each file. The cache is a fresh one, so the first file builds.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSharedServer } from '@perdure/testing/shared-server';

const require = createRequire(import.meta.url);
const FILES = 10;
const dir = await mkdtemp(join(tmpdir(), 'perdure-ten-files-'));
const stop = await startSharedServer();
try {
  const record = join(dir, 'record.jsonl');
  await writeFile(
    join(dir, 'workflows.js'),
    "export async function hello(name) { return 'Hello, ' + name + '!'; }\n",
  );
  await writeFile(join(dir, 'package.json'), '{}\n');
  for (let n = 1; n <= FILES; n++) {
    await writeFile(
      join(dir, `file-${String(n).padStart(2, '0')}.test.js`),
      `const { appendFileSync } = require('node:fs');
const now = () => performance.now();
test('hello', async () => {
  const times = { begin: now() };
  const { TestWorkflowEnvironment } = require(${JSON.stringify(require.resolve('@perdure/testing'))});
  const { Runtime, DefaultLogger, Worker, bundleWorkflowCode } = require(${JSON.stringify(require.resolve('@perdure/worker'))});
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  times.loaded = now();
  const env = await TestWorkflowEnvironment.createShared();
  times.connected = now();
  const workflowBundle = await bundleWorkflowCode({ workflowsPath: require.resolve('./workflows.js'), logger: new DefaultLogger('ERROR') });
  times.bundled = now();
  const taskQueue = 'queue-${n}';
  const worker = await Worker.create({ connection: env.nativeConnection, taskQueue, workflowBundle });
  times.created = now();
  const result = env.client.workflow.execute('hello', { taskQueue, workflowId: 'hello-${n}', args: ['${n}'] });
  expect(await worker.runUntil(result)).toBe('Hello, ${n}!');
  times.done = now();
  await env.teardown();
  appendFileSync(${JSON.stringify(record)}, JSON.stringify(times) + '\\n');
}, 30000);
`,
    );
  }
  await mkdir(join(dir, 'cache'));
  const jest = join(require.resolve('jest/package.json'), '..', 'bin', 'jest.js');
  execFileSync(process.execPath, [jest, '--runInBand', '--rootDir', dir], {
    cwd: dir,
    env: { ...process.env, XDG_CACHE_HOME: join(dir, 'cache') },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const records = (await readFile(record, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  console.log('file   load  connect  bundle  worker     run  (ms)');
  records.forEach(({ begin, loaded, connected, bundled, created, done }, index) => {
    const cells = [
      loaded - begin,
      connected - loaded,
      bundled - connected,
      created - bundled,
      done - created,
    ];
    console.log(String(index + 1).padStart(4), ...cells.map((ms) => ms.toFixed(0).padStart(7)));
  });
} finally {
  await stop();
  await rm(dir, { recursive: true, force: true });
}
