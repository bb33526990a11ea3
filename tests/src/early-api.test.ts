/** A program as it was written before version 1.0, with the scope of its imports changed. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { harness } from './support/harness';

const h = harness();

const FILES = {
  'worker.js': `
    const { Core, Worker } = require('@perdure/worker');
    async function run() {
      await Core.install({ serverOptions: { address: process.env.ADDRESS, namespace: 'default' } });
      const worker = await Worker.create({
        workDir: __dirname,
        nodeModulesPaths: [__dirname + '/layer'],
        taskQueue: process.env.QUEUE,
      });
      console.log(worker.getState());
      await worker.run();
      console.log(worker.getState());
    }
    run().then(() => process.exit(0), (err) => { console.error(err); process.exit(1); });
  `,
  'workflows/example.js': `
    const { createActivityHandle } = require('@perdure/workflow');
    const { shout } = require('shouting');
    const { greet } = createActivityHandle({ startToCloseTimeout: '10s' });
    exports.example = async function example(name) { return shout(await greet(name)); };
  `,
  'workflows/other.js': `exports.other = async function other() { return 'other'; };`,
  'activities/greetings.js': `exports.greet = async (name) => 'Hello, ' + name;`,
  'activities/farewells.js': `exports.leave = async (name) => 'Bye, ' + name;`,
  'layer/shouting/index.js': `exports.shout = (text) => text.toUpperCase() + '!';`,
};

it('finds its workflows, activities and dependencies, its server, and stops on SIGINT', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'perdure-early-'));
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  const modules = join(directory, 'node_modules');
  mkdirSync(modules);
  symlinkSync(join(__dirname, '..', '..', 'node_modules', '@perdure'), join(modules, '@perdure'));
  const QUEUE = `queue-${randomUUID()}`;
  const child = spawn(process.execPath, ['worker.js'], {
    cwd: directory,
    env: { ...process.env, ADDRESS: h.address, QUEUE },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
    });
  }
  // Closed: everything that it has printed is here.
  const code = new Promise((resolve) => child.once('close', resolve));
  try {
    const execute = (type: string, args: unknown[]) =>
      Promise.race([
        h.client.workflow.execute(type, { taskQueue: QUEUE, workflowId: randomUUID(), args }),
        code.then((ended) => {
          throw new Error(`the worker ended with ${ended}: ${output}`);
        }),
      ]);
    expect(await execute('example', ['Ada'])).toBe('HELLO, ADA!');
    expect(await execute('other', [])).toBe('other');
    child.kill('SIGINT');
    expect(await code).toBe(0);
    expect(output).toMatch(/^INITIALIZED$/m);
    expect(output).toMatch(/^STOPPED$/m);
  } finally {
    child.kill('SIGKILL');
    await code;
    rmSync(directory, { recursive: true, force: true });
  }
});
