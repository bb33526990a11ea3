import { execFile, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TestWorkflowEnvironment } from './index';

import setUp = require('./global-setup');

import * as sharedServer from './shared-server';
import { SHARED_SERVER_VARIABLE, startSharedServer, stopSharedServer } from './shared-server';
import { rejection } from './testing/support';

const run = promisify(execFile);

function serves(address: string): Promise<boolean> {
  const port = Number(address.split(':')[1]);
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function untilGone(address: string): Promise<void> {
  const end = Date.now() + 60_000;
  while (await serves(address)) {
    if (Date.now() > end) throw new Error(`${address} still serves`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

beforeEach(() => {
  delete process.env[SHARED_SERVER_VARIABLE];
});
afterEach(() => stopSharedServer());

describe('the shared server', () => {
  it('is one, however many test files use it and whatever setup is called by', async () => {
    await sharedServer.globalSetup();
    await setUp();
    await sharedServer.mochaGlobalSetup();
    const first = await TestWorkflowEnvironment.createShared();
    const second = await TestWorkflowEnvironment.createShared({ client: { identity: 'second' } });
    expect(first.address).toBe(process.env[SHARED_SERVER_VARIABLE]);
    expect(second.address).toBe(first.address);
    expect(second.client.options.identity).toBe('second');
    await first.teardown();
    expect(await second.client.workflow.count()).toEqual({ count: 0, groups: [] });
    await second.teardown();
    expect(await serves(first.address)).toBe(true);
    await sharedServer.globalTeardown();
    await untilGone(first.address);
    expect(process.env[SHARED_SERVER_VARIABLE]).toBeUndefined();
  });

  it('takes the options of a dev server, and starts after a failure', async () => {
    const error = await rejection(
      startSharedServer({ executable: { type: 'existing-path', path: '/nothing' } }),
    );
    expect(error.code).toBe('DEV_SERVER_NOT_FOUND');
    const stop = await startSharedServer({ namespace: 'shared' });
    const env = await TestWorkflowEnvironment.createFromExistingServer({
      address: process.env[SHARED_SERVER_VARIABLE],
      namespace: 'shared',
    });
    await env.connection.workflowService.describeNamespace({ namespace: 'shared' });
    await env.teardown();
    await stop();
  });

  it('is not needed: a file that runs alone starts a server of its own', async () => {
    const env = await TestWorkflowEnvironment.createShared();
    expect(env.options.server.type).toBe('dev-server');
    await env.teardown();
    await untilGone(env.address);
  });
});

describe('perdure-with-server', () => {
  const cli = join(__dirname, 'with-server.js');

  it('runs a command with a server, and ends both', async () => {
    const script = `const { createConnection } = require('node:net');
      const address = process.env.${SHARED_SERVER_VARIABLE};
      createConnection(Number(address.split(':')[1]), '127.0.0.1').once('connect', () => { console.log(address); process.exit(7); });`;
    const { stdout, code } = await rejection(run(process.execPath, [cli, process.execPath, '-e', script]));
    expect(code).toBe(7);
    await untilGone(stdout.trim());
  });

  it('says how it is called when there is no command, and what failed when it cannot be started', async () => {
    const { stderr, code } = await rejection(run(process.execPath, [cli]));
    expect([code, stderr]).toEqual([2, expect.stringContaining('usage: perdure-with-server')]);
    const failed = await rejection(run(process.execPath, [cli, 'no-such-command-anywhere']));
    expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining('no-such-command-anywhere')]);
  });
});

describe('a test process that is killed', () => {
  it('leaves no server behind', async () => {
    const env = { ...process.env };
    delete env[SHARED_SERVER_VARIABLE];
    const owner = spawn(process.execPath, [join(__dirname, 'testing', 'owner.js')], {
      ...{ env, stdio: ['ignore', 'pipe', 'inherit'] },
    });
    const addresses: string[] = await new Promise((resolve, reject) => {
      let text = '';
      owner.stdout!.on('data', (chunk) => {
        text += chunk;
        if (text.includes('\n')) resolve(JSON.parse(text));
      });
      owner.once('exit', () => reject(new Error(`it ended by itself: ${text}`)));
    });
    expect(new Set(addresses).size).toBe(3);
    for (const address of addresses) expect(await serves(address)).toBe(true);
    owner.kill('SIGKILL');
    await Promise.all(addresses.map(untilGone));
  });
});
