import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { startDevServer } from '@perdure/dev-server';
import {
  closedHistory,
  connect,
  Events,
  native,
  openLane,
  openRuntime,
  startWorkflow,
  stop,
  unique,
  workerOptions,
} from './testing/hand-worker';

const ROOT = join(__dirname, '..');

/** Compiles the example of the README, types checked, and gives the path of its script. */
function compileExample(dir: string, address: string): string {
  const [, code] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))!;
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'example.ts'), code!.replace('127.0.0.1:7233', address));
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    strict: true,
    types: ['node'],
    rootDir: '.',
    outDir: 'out',
  };
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['example.ts'] }));
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', dir], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  return join(dir, 'out', 'example.js');
}

describe('the example of the README', () => {
  it('compiles, runs activities and ends by Ctrl-C', async () => {
    const server = await startDevServer();
    const dir = join(ROOT, 'lib', 'testing', `readme-${process.pid}`);
    const runtime = openRuntime();
    try {
      const child = spawn(process.execPath, [compileExample(dir, server.address)], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
      const connection = await connect(runtime, server.address);
      const lane = 700;
      const thread = await openLane({ lane, behaviour: 'activity', target: 'greetings' });
      const events = new Events();
      const taskQueue = unique('readme');
      const worker = native.workerOpen(runtime, connection, workerOptions(taskQueue), events.listener);
      native.workerStart(worker, [lane]);
      const history = await closedHistory(connection, await startWorkflow(connection, taskQueue, 'greet'));
      const result = history.events?.at(-1)?.workflowExecutionCompletedEventAttributes?.result?.payloads?.[0];
      expect(Buffer.from(result?.data ?? []).toString()).toBe('"hello"');
      child.kill('SIGINT');
      expect(await once(child, 'close')).toEqual([0, null]);
      expect(output).toBe('');
      await stop(worker, events);
      await thread.terminate();
    } finally {
      native.runtimeClose(runtime);
      rmSync(dir, { recursive: true, force: true });
      await server.stop();
    }
  }, 120_000);
});
