import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DevServer, startDevServer, startTestServer } from '@perdure/dev-server';
import { probe } from './probe';

const NOT_FOUND = 5;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<boolean> {
  const giveUpAt = Date.now() + 60_000;
  while (!condition() && Date.now() < giveUpAt) await sleep(10);
  return condition();
}

async function withEnv<T>(env: Record<string, string>, fn: () => Promise<T>): Promise<T> {
  const before = Object.fromEntries(Object.keys(env).map((name) => [name, process.env[name]]));
  Object.assign(process.env, env);
  try {
    return await fn();
  } finally {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

const start = (options: Parameters<typeof startDevServer>[0] = {}) =>
  startDevServer({ useExisting: false, ...options });

/** Starts testing/owner.ts in a process of its own and returns what it printed. */
async function startOwner(...args: string[]) {
  const owner = spawn(process.execPath, [join(__dirname, 'testing', 'owner.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<number | null>((resolve) => owner.once('exit', (code) => resolve(code)));
  for await (const line of createInterface({ input: owner.stdout! })) {
    return { owner, exited, server: JSON.parse(line) as { address: string; pid: number; logFile: string } };
  }
  throw new Error('the owner printed nothing');
}

describe('startDevServer', () => {
  it('starts several servers at once, each on its own port, with its own namespace', async () => {
    const servers = await Promise.all(['one', 'two', 'three'].map((namespace) => start({ namespace })));
    try {
      expect(new Set(servers.map((server) => server.address)).size).toBe(3);
      for (const server of servers) {
        for (const namespace of ['one', 'two', 'three']) {
          expect(await probe(server.address, namespace, 30_000)).toBe(
            server.namespace === namespace ? 0 : NOT_FOUND,
          );
        }
      }
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
    for (const { pid, logFile } of servers) {
      expect(isAlive(pid!)).toBe(false);
      expect(existsSync(logFile!)).toBe(false);
    }
  });

  it('serves the Web UI when asked, and has no address for it otherwise', async () => {
    await using server = await start({ ui: true });
    expect((await fetch(server.uiUrl!)).status).toBe(200);
    await using without = await start();
    expect(without.uiUrl).toBeUndefined();
  });

  it('keeps its state in a file across two servers', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'perdure-db-'));
    try {
      const dbFilename = join(dir, 'state.db');
      await (await start({ dbFilename, namespace: 'kept' })).stop();
      await using second = await start({ dbFilename });
      expect(await probe(second.address, 'kept', 30_000)).toBe(0);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('shows what the server printed when it does not start', async () => {
    await expect(start({ extraArgs: ['--no-such-flag'] })).rejects.toMatchObject({
      code: 'DEV_SERVER_START_FAILED',
      message: expect.stringContaining('unknown flag: --no-such-flag'),
    });
    await expect(start({ searchAttributes: { 'not a name=': 'Keyword' } })).rejects.toMatchObject({
      code: 'DEV_SERVER_START_FAILED',
    });
  });

  it('says so when the given binary is no server', async () => {
    await expect(start({ binary: { path: '/bin/true' } })).rejects.toMatchObject({
      code: 'DEV_SERVER_START_FAILED',
      message: expect.stringContaining('ended with status 0'),
    });
    await expect(start({ binary: { path: __filename } })).rejects.toMatchObject({
      code: 'DEV_SERVER_NOT_FOUND',
    });
    const dir = mkdtempSync(join(tmpdir(), 'perdure-brief-'));
    try {
      const path = join(dir, 'brief');
      writeFileSync(path, '#!/bin/sh\necho last words\nexit 3\n', { mode: 0o755 });
      // Several: what a server has printed that ends at once must not be lost in the race with its end.
      for (let n = 0; n < 10; n++) {
        await expect(start({ binary: { path } })).rejects.toMatchObject({
          code: 'DEV_SERVER_START_FAILED',
          message: expect.stringMatching(/ended with status 3; its last output:\nlast words/),
        });
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('gives up on a process that lives but never serves, and ends it', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'perdure-idle-'));
    try {
      const path = join(dir, 'idle');
      writeFileSync(path, `#!/bin/sh\necho $$ > ${dir}/pid\nexec sleep 60\n`, { mode: 0o755 });
      // Longer where the machine is too slow for the process to have come as far as living.
      for (let startTimeoutMs = 1_000; !existsSync(`${dir}/pid`); startTimeoutMs *= 3) {
        await expect(start({ binary: { path }, startTimeoutMs })).rejects.toMatchObject({
          code: 'DEV_SERVER_START_FAILED',
          message: expect.stringContaining(`did not serve within ${startTimeoutMs} ms`),
        });
      }
      expect(isAlive(Number(readFileSync(`${dir}/pid`, 'utf8')))).toBe(false);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('refuses a port that is in use, whoever answers there', async () => {
    await using first = await start();
    const port = Number(first.address.split(':')[1]);
    await expect(start({ port })).rejects.toMatchObject({
      code: 'DEV_SERVER_START_FAILED',
      message: expect.stringContaining(`port ${port} on 127.0.0.1 is already in use`),
    });
    expect(await probe(first.address, 'default', 30_000)).toBe(0);
  });

  it('names every wrong option in one error', async () => {
    const options = { port: 70_000, searchAttributes: { A: 'Strin' }, prot: 1, useExisting: false } as object;
    const failure = await startDevServer(options).catch((error) => error);
    expect(failure.code).toBe('DEV_SERVER_INVALID_OPTIONS');
    for (const part of ['prot: unknown', 'port: got 70000', 'searchAttributes.A: got "Strin"']) {
      expect(failure.message).toContain(part);
    }
  });
});

describe('a server that TEMPORAL_ADDRESS names', () => {
  let server: DevServer;
  beforeAll(async () => {
    server = await start({ namespace: 'mine' });
  });
  afterAll(() => server.stop());

  it('is used in place of a new one, and left alone by stop', async () => {
    await withEnv({ TEMPORAL_ADDRESS: server.address, TEMPORAL_NAMESPACE: 'mine' }, async () => {
      const existing = await startDevServer();
      expect(existing).toMatchObject({ address: server.address, namespace: 'mine', pid: undefined });
      await existing.stop();
      expect(isAlive(server.pid!)).toBe(true);
    });
  });

  it('is an error when nobody answers there or the namespace does not exist', async () => {
    await withEnv({ TEMPORAL_ADDRESS: '127.0.0.1:9' }, () =>
      expect(startDevServer()).rejects.toMatchObject({ code: 'DEV_SERVER_UNREACHABLE' }),
    );
    await withEnv({ TEMPORAL_ADDRESS: server.address }, () =>
      expect(startDevServer({ namespace: 'unknown' })).rejects.toMatchObject({
        code: 'DEV_SERVER_UNREACHABLE',
      }),
    );
    const silent = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
      0,
      '127.0.0.1',
    );
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    await withEnv({ TEMPORAL_ADDRESS: `127.0.0.1:${port}` }, () =>
      expect(startDevServer()).rejects.toMatchObject({ code: 'DEV_SERVER_UNREACHABLE' }),
    );
    silent.close();
  });
});

describe('startTestServer', () => {
  it('starts several time-skipping servers at once', async () => {
    const servers = await Promise.all([startTestServer(), startTestServer()]);
    expect(servers[0]!.address).not.toBe(servers[1]!.address);
    for (const server of servers) expect(await probe(server.address, undefined, 30_000)).toBe(0);
    await Promise.all(servers.map((server) => server.stop()));
    for (const { pid } of servers) expect(isAlive(pid!)).toBe(false);
  });
});

describe('the end of the owner', () => {
  it.each(['dev-server', 'test-server'])('takes the %s with it, even by kill -9', async (kind) => {
    const { owner, server } = await startOwner(kind);
    expect(isAlive(server.pid)).toBe(true);
    expect(await probe(server.address, undefined, 30_000)).toBe(0);
    owner.kill('SIGKILL');
    expect(await until(() => !isAlive(server.pid))).toBe(true);
    expect(await until(() => !existsSync(server.logFile))).toBe(true);
  });

  it('is not delayed by a server that was never stopped', async () => {
    const { exited, server } = await startOwner('dev-server', 'exit');
    expect(await exited).toBe(0);
    expect(await until(() => !isAlive(server.pid))).toBe(true);
  });
});
